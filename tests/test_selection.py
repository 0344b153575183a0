"""The auth events selection: the state keys that an event may cite."""

from typing import Any

import pytest
from builder import ALICE, BOB, CAROL, VERSIONS, Room, versions_from

from roomver import select_auth_types
from roomver.selection import third_party_token

POWER = ("m.room.power_levels", "")
RULES = ("m.room.join_rules", "")
CREATE = ("m.room.create", "")


def member(user: str) -> tuple[str, str]:
    return ("m.room.member", user)


def keys_of(
    version: str, kind: str, content: dict[str, Any] | None = None, **options: Any
) -> set[tuple[str, str]]:
    """Return the keys that an event by ALICE may cite, after asserting and removing the create event."""
    keys = set(select_auth_types(Room(version).make(kind, ALICE, content, **options)))
    if kind != "m.room.create":
        assert (CREATE in keys) is (version != "12"), "all versions but 12 select the create event"
    return keys - {CREATE}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("state_key", ["", "x", None])
def test_the_auth_events_for_the_create_event_is_empty(version: str, state_key: str | None) -> None:
    assert keys_of(version, "m.room.create", state_key=state_key) == set()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("state_key", [None, "", ALICE, BOB])
def test_the_power_levels_and_the_senders_member_event(version: str, state_key: str | None) -> None:
    for kind in ("m.room.message", "m.room.topic", "m.room.join_rules", "m.room.third_party_invite"):
        assert keys_of(version, kind, {"membership": "join"}, state_key=state_key) == {POWER, member(ALICE)}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("membership", ["leave", "ban", "other", None, 5, ["join"]])
def test_the_targets_member_event(version: str, membership: Any) -> None:
    content = {"membership": membership, "third_party_invite": {"signed": {"token": "t"}}}
    content["join_authorised_via_users_server"] = CAROL
    assert keys_of(version, "m.room.member", content, state_key=BOB) == {POWER, member(ALICE), member(BOB)}
    assert keys_of(version, "m.room.member", content, state_key=ALICE) == {POWER, member(ALICE)}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("membership", ["join", "invite", "knock"])
def test_if_membership_is_join_invite_or_knock_the_join_rules(version: str, membership: str) -> None:
    # In every version, even in those without knocking.
    expected = {POWER, member(ALICE), member(BOB), RULES}
    assert keys_of(version, "m.room.member", {"membership": membership}, state_key=BOB) == expected


@pytest.mark.parametrize("version", VERSIONS)
def test_if_an_invite_has_third_party_invite_the_event_with_its_token(version: str) -> None:
    content: dict[str, Any] = {"membership": "invite", "third_party_invite": {"signed": {"token": "t"}}}
    expected = {POWER, member(ALICE), member(BOB), RULES, ("m.room.third_party_invite", "t")}
    assert keys_of(version, "m.room.member", content, state_key=BOB) == expected
    content["membership"] = "join"
    assert ("m.room.third_party_invite", "t") not in keys_of(version, "m.room.member", content, state_key=BOB)


@pytest.mark.parametrize(
    "invite",
    [
        None,
        "x",
        [],
        {},
        {"signed": None},
        {"signed": []},
        {"signed": {}},
        {"signed": {"token": 5}},
        {"signed": {"token": ["t"]}},
        {"token": "t"},
    ],
)
def test_an_invalid_token_selects_nothing(invite: Any) -> None:
    assert third_party_token(invite) is None
    content = {"membership": "invite", "third_party_invite": invite}
    keys = keys_of("11", "m.room.member", content, state_key=BOB)
    assert keys == {POWER, member(ALICE), member(BOB), RULES}


@pytest.mark.parametrize("version", versions_from(8))
def test_if_a_join_names_an_authoriser_its_member_event_whatever_the_join_rule(version: str) -> None:
    content = {"membership": "join", "join_authorised_via_users_server": CAROL}
    expected = {POWER, member(ALICE), member(CAROL), RULES}
    assert keys_of(version, "m.room.member", content, state_key=ALICE) == expected


@pytest.mark.parametrize("version", versions_from(1, 7))
def test_before_restricted_rooms_an_authoriser_selects_nothing(version: str) -> None:
    content = {"membership": "join", "join_authorised_via_users_server": CAROL}
    assert member(CAROL) not in keys_of(version, "m.room.member", content, state_key=ALICE)


@pytest.mark.parametrize("membership", ["invite", "leave", "ban", "knock"])
def test_an_authoriser_selects_its_member_event_only_for_a_join(membership: str) -> None:
    content = {"membership": membership, "join_authorised_via_users_server": CAROL}
    assert member(CAROL) not in keys_of("11", "m.room.member", content, state_key=ALICE)


@pytest.mark.parametrize("authoriser", [None, 5, [], {}, [CAROL]])
def test_an_authoriser_that_is_not_a_string_selects_nothing(authoriser: Any) -> None:
    content = {"membership": "join", "join_authorised_via_users_server": authoriser}
    assert keys_of("11", "m.room.member", content, state_key=ALICE) == {POWER, member(ALICE), RULES}


def test_a_member_event_without_a_state_key_has_no_target() -> None:
    assert keys_of("11", "m.room.member", {"membership": "leave"}) == {POWER, member(ALICE)}
