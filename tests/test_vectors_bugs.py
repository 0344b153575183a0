"""The catalogue of public bugs: every case that it names exists, passes, and catches the bug."""

import ast
import json
import os
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from mutation.mutants import mutants
from mutation.run import caught_by
from mutation.slip import PACKAGE, apply
from mutation.slips import SLIPS

from roomver.readers.suite import load_cases
from roomver.suite.document import Outcome, run_case
from vectors.generate.bugs import as_markdown

SUITE = Path(__file__).parents[1] / "vectors"

# Slips, by their sense, and automatic changes, by their name, that give this implementation the bug.
SAME: dict[str, tuple[str, ...]] = {
    "knock_any_join_rule": ("users can knock in public and invite-only rooms",),
    "mainline_position_zero": ("an event without a mainline ancestor has the position of the oldest",),
    "auth_difference_left_out": ("the auth difference is right for two states and wrong for three",),
    "user_levels_of_equals": ("auth/power_levels.py _check_users: current >= sender -> current > sender",),
    "shadowed_rejected_auth_event": (
        "auth/auth_events.py check_auth_events: event_id in rejected or event_id == own_id"
        " -> event_id == own_id",
        "auth/auth_events.py check_auth_events: len(entries) != len(keys) -> False",
    ),
    "rejected_events_resolved_into_state": (
        "resolution/iterative.py StateView.lend: not is_rejected(parent) -> True",
        "resolution/iterative.py iterative_auth_checks: skip_rejected and problem.is_rejected(event_id)"
        " -> problem.is_rejected(event_id)",
    ),
    "levels_as_strings": ("a string is a level in version 10",),
    "null_levels": ("a null level counts as absent",),
    "notification_levels_unguarded": ("changes of notifications are not checked",),
    "authoriser_not_in_room": (
        "auth/join.py _check_restricted: authoriser_membership != 'join' -> False",
        "an invited user can authorise a join",
        "a powerful user who has left can authorise a join",
    ),
    "knock_taken_back": (
        "auth/leave.py check_leave:"
        " membership in ('invite', 'join') or (membership == 'knock' and context.version.knock)"
        " -> membership in ('invite', 'join')",
    ),
    "knock_otherwise_reject": (
        "a banned user can knock",
        "an invited user can knock",
        "a joined user can knock",
    ),
    "bans_by_those_who_left": ("only users who have left can ban",),
    "kicks_by_those_who_left": ("only users who have left can kick",),
    "authoriser_under_another_name": ("the authorising user is read from a key with another name",),
    "creator_read_from_the_join": ("the creator is read from the content of the creator's first join",),
    "top_level_redacts_kept": ("a redaction keeps its top-level redacts",),
    "creator_replaces_the_levels": ("a creator whom the power levels do not list keeps 100",),
    "equal_users_frozen": (
        "an entry of users that equals the sender's level is refused even if it stays the same",
    ),
    "unknown_key_beside_a_good_one": ("a signature with an unknown key makes the others worthless",),
    "policy_server_key_required": ("a signature with an unknown key makes the others worthless",),
    "keys_in_utf16_order": ("keys are in the order of their UTF-16 code units, as in RFC 8785",),
    "control_characters_unescaped": ("control characters are not escaped",),
    "auth_difference_of_three": ("the auth difference is right for two states and wrong for three",),
    "first_join_of_additional_creators": ("an additional creator may make the creator's first join",),
    "side_branches_in_the_subgraph": ("the conflicted state subgraph has auth events beside its paths",),
    "closed_room_open_in_12": ("m.federate means nothing in version 12",),
    "creators_in_power_levels": (
        "power levels may list an additional creator",
        "the first power levels may list a creator",
    ),
    "creator_without_levels_in_the_order": (
        "in the order of power events, a creator without power levels has level 0",
    ),
    "redaction_target_at_the_top": ("version 11 reads the target of a redaction from the top level",),
    "invited_but_knock_restricted": (
        "auth/join.py check_join: join_rule == 'knock_restricted' -> join_rule != 'knock_restricted'",
    ),
    "panic_on_a_member_without_membership": ("a member event without a membership raises",),
    "banned_users_leave": ("a banned user can leave",),
    "knocks_in_restricted_rooms": ("users can knock in restricted rooms",),
    "power_order_by_id_only": ("power events are not ordered by the sender's level",),
    "knocks_of_invited_users": ("an invited user can knock",),
    "redaction_rule_in_the_wrong_versions": (
        "from version 3 on there still is the rule on redactions",
        "version 2 has no rule on redactions",
    ),
    "third_party_invite_signers": (
        "the sender of an m.room.third_party_invite event need not sign, that of its invite must",
    ),
    "third_party_signature_unchecked": (
        "auth/third_party.py check_third_party_invite: verify_bytes(key, message, signature) -> True",
    ),
    "auth_events_unchecked": ("the rules on auth events are left out",),
    "authoriser_selected_too_early": (
        "selection.py list_auth_types: membership == 'join' and version.restricted_joins"
        " -> membership == 'join'",
    ),
    "messages_need_the_state_level": ("among messages, only m.room.message needs the level events_default",),
    "everybody_may_leave": ("a user who has left can leave again", "a banned user can leave"),
    "unknown_membership_allowed": ("an unknown membership is allowed",),
    "state_keys_of_others": (
        "auth/sending.py check_state_key:"
        " key is not None and key != event.sender and key.startswith('@') -> False",
    ),
    "joined_users_invited": ("a joined user can be invited",),
    "join_rules_not_selected_for_knocks": ("join rules are not selected for a knock",),
    "third_party_offer_by_events": ("an m.room.third_party_invite event also needs the level for its type",),
    "creator_without_levels": ("power.py Levels.user: self._is_creator(user) -> False",),
    "auth_events_of_another_room": ("only the create event must be of the same room",),
    "soft_failed_state_applied": (
        "a soft-failed event is a forward extremity, so it changes the current state",
    ),
    "soft_failure_is_rejection": ("an event that only the current state refuses is rejected",),
    "followers_of_soft_failed": ("an event that follows a soft-failed one is rejected",),
    "permitted_redactions_soft_failed": ("redactions are soft-failed",),
    "policy_of_messages_only": ("the policy server need not sign state events",),
    "policy_not_of_members": ("the policy server need not sign member events",),
    "policy_signature_over_event_id": (
        "the policy server's signature covers an event_id that the server has added",
    ),
    "policy_signatures_unchecked": ("policy.py check_policy: server is None or refusal is None -> True",),
    "messages_as_auth_events": ("a message among the auth events raises",),
    "odd_profile_refused": ("a display name that is not a string raises",),
    "resolution_ends_in_an_error": ("an event that fails the checks ends the resolution",),
    "only_content_is_canonical": ("only the content must be canonical JSON",),
    "no_power_levels_no_resolution": ("states without power levels cannot be resolved",),
    "third_party_invite_of_banned": (
        "auth/third_party.py check_third_party_invite: context.membership(target) == 'ban' -> False",
    ),
    "state_resets_of_version_2": (
        "unconflicted events of the conflicted state subgraph are not replayed",
        "in version 2.1, the mainline starts from the unconflicted power levels",
    ),
}
CAUGHT = [(bug, change) for bug, changes in SAME.items() for change in changes]


@cache
def catalogue() -> dict[str, Any]:
    read: dict[str, Any] = json.loads((SUITE / "bugs.json").read_text(encoding="utf-8"))
    return read


@cache
def suite() -> list[Any]:
    return load_cases([SUITE])


def named(bug: dict[str, Any]) -> list[Any]:
    return [case for case in suite() if any(fnmatchcase(case.name, pattern) for pattern in bug["cases"])]


def test_the_page_is_generated_from_the_catalogue() -> None:
    page = (SUITE / "bugs.md").read_text(encoding="utf-8")
    assert page == as_markdown(catalogue()), "run: python -m vectors.generate"


def test_the_catalogue_follows_its_schema() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((SUITE / "schemas" / "bugs.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(catalogue())
    ids = [bug["id"] for bug in catalogue()["bugs"]]
    assert len(ids) == len(set(ids))
    assert set(SAME) <= set(ids)


@pytest.mark.parametrize("bug", catalogue()["bugs"], ids=lambda bug: bug["id"])
def test_every_named_case_exists_and_passes(bug: dict[str, Any]) -> None:
    for pattern in bug["cases"]:
        assert any(fnmatchcase(case.name, pattern) for case in suite()), pattern
    cases = named(bug)
    assert any(case.room_version in bug["room_versions"] for case in cases)
    assert [case.name for case in cases if run_case(case).outcome is not Outcome.PASSED] == []


def changed(change: str) -> tuple[str, ast.Module]:
    """Return the module that a slip or an automatic change is in, and its tree with the change."""
    for slip in SLIPS:
        if slip.slip.sense == change:
            return slip.module, apply(slip)
    module = change.partition(" ")[0]
    text = (PACKAGE / module).read_text(encoding="utf-8")
    return module, {mutant.name: mutant.tree for mutant in mutants(module, text)}[change]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="each change runs in a fork of this process")
@pytest.mark.parametrize(("bug", "change"), CAUGHT)
def test_an_implementation_with_the_bug_fails_a_named_case(bug: str, change: str) -> None:
    (entry,) = [entry for entry in catalogue()["bugs"] if entry["id"] == bug]
    cases = named(entry)
    module, tree = changed(change)
    assert caught_by(module, tree, cases) in {case.name for case in cases}
