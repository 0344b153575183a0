"""The authorisation rules on create events. Tests are named after the specification's sentences."""

from typing import Any

import pytest
from builder import ALICE, BOB, DAVE, VERSIONS, Content, Room, allows, refuses, versions_from

from roomver import Verdict, check_against_state, check_auth, check_state_independent, rules


def create_of(version: str, content: Content, **options: Any) -> Verdict:
    room = Room(version)
    options = {"state_key": "", "auth": [], "prev": [], **options}
    sender = options.pop("sender", ALICE)
    event = room.make("m.room.create", sender, content, **options)
    verdict = check_auth(event, None, {})
    # The state does not matter.
    assert verdict == check_state_independent(event, {}) == check_against_state(event, {})
    return verdict


def created(version: str, **content: Any) -> Content:
    """Return the content of an allowed create event with some keys changed or, by "absent", left out."""
    full = {"room_version": version, "creator": ALICE, **content}
    return {key: value for key, value in full.items() if value != "absent"}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_create_event_is_allowed(version: str) -> None:
    allows(create_of(version, created(version)), rules.CREATE_ALLOWED)


@pytest.mark.parametrize("version", VERSIONS)
def test_if_a_create_event_has_any_prev_events_reject(version: str) -> None:
    refuses(create_of(version, created(version), prev=["$any:a.example"]), rules.CREATE_HAS_PREV_EVENTS)


@pytest.mark.parametrize("version", versions_from(1, 11))
@pytest.mark.parametrize("sender", [BOB, "@alice:a.example:443", "@alice:A.example", "@alice:sub.a.example"])
def test_if_the_domain_of_the_room_id_does_not_match_the_domain_of_the_sender_reject(
    version: str, sender: str
) -> None:
    refuses(create_of(version, created(version), sender=sender), rules.CREATE_ROOM_ID_DOMAIN)


def test_domains_are_split_at_the_first_colon() -> None:
    verdict = create_of("11", created("11"), sender=DAVE, room_id="!a:d.example:8448")
    allows(verdict, rules.CREATE_ALLOWED)


def test_in_version_12_if_the_event_has_a_room_id_reject() -> None:
    # With the state key "", the event format forbids a room ID; with any other, it requires one.
    for state_key in ("x", None):
        refuses(create_of("12", created("12"), state_key=state_key), rules.CREATE_HAS_ROOM_ID)
    allows(create_of("12", created("12")), rules.CREATE_ALLOWED)


@pytest.mark.parametrize("version", versions_from(1, 11))
@pytest.mark.parametrize("state_key", ["x", ALICE, None])
def test_a_create_event_with_another_state_key_is_allowed(version: str, state_key: str | None) -> None:
    # The rules require no state key. gomatrixserverlib does.
    allows(create_of(version, created(version), state_key=state_key), rules.CREATE_ALLOWED)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "named", [None, 1, 12, True, "", "0", "99", "1.0", " 1", "\uff11", [], {}, ["1"], {"1": 1}]
)
def test_if_content_room_version_is_present_and_is_not_a_recognised_version_reject(
    version: str, named: Any
) -> None:
    refuses(create_of(version, created(version, room_version=named)), rules.CREATE_ROOM_VERSION)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("named", ["absent", "1", "7", "12"])
def test_a_recognised_version_need_not_be_the_version_of_the_event(version: str, named: str) -> None:
    allows(create_of(version, created(version, room_version=named)), rules.CREATE_ALLOWED)


@pytest.mark.parametrize("version", versions_from(1, 10))
def test_if_content_has_no_creator_property_reject(version: str) -> None:
    refuses(create_of(version, created(version, creator="absent")), rules.CREATE_NO_CREATOR)
    # A null is a property. ruma and gomatrixserverlib treat it as absent.
    for creator in (None, 5, "", BOB):
        allows(create_of(version, created(version, creator=creator)), rules.CREATE_ALLOWED)


@pytest.mark.parametrize("version", versions_from(11))
def test_from_version_11_on_a_creator_is_not_required(version: str) -> None:
    allows(create_of(version, created(version, creator="absent")), rules.CREATE_ALLOWED)


@pytest.mark.parametrize(
    "creators",
    [
        None,
        "x",
        {},
        5,
        True,
        [42],
        [None],
        [[BOB]],
        ["foo"],
        ["@foo"],
        ["foo:b.example"],
        ["@a:b$"],
        ["@a:"],
        [BOB, "x"],
        ["@a\x00:b.example"],
        ["@" + "a" * 250 + ":b.org"],
        ["@a:b.example\n"],
        [""],
    ],
)
def test_if_additional_creators_is_not_an_array_of_strings_that_are_user_ids_reject(creators: Any) -> None:
    verdict = create_of("12", created("12", additional_creators=creators))
    refuses(verdict, rules.CREATE_ADDITIONAL_CREATORS)
    for version in versions_from(1, 11):
        allows(create_of(version, created(version, additional_creators=creators)), rules.CREATE_ALLOWED)


@pytest.mark.parametrize(
    "creators", [[], [ALICE], [BOB, BOB], ["@:b.example"], ["@\u00fc \n:b.example:80"], [DAVE]]
)
def test_additional_creators_pass_the_same_validation_as_a_sender(creators: list[str]) -> None:
    allows(create_of("12", created("12", additional_creators=creators)), rules.CREATE_ALLOWED)


def test_the_rules_on_a_create_event_are_checked_in_order() -> None:
    bad: Content = {"room_version": "99"}
    refuses(create_of("10", bad, prev=["$x"], sender=BOB), rules.CREATE_HAS_PREV_EVENTS)
    refuses(create_of("10", bad, sender=BOB), rules.CREATE_ROOM_ID_DOMAIN)
    refuses(create_of("10", bad), rules.CREATE_ROOM_VERSION)
    refuses(create_of("10", {}), rules.CREATE_NO_CREATOR)
    bad["additional_creators"] = None
    refuses(create_of("12", bad, state_key="x"), rules.CREATE_HAS_ROOM_ID)
    refuses(create_of("12", bad), rules.CREATE_ROOM_VERSION)
