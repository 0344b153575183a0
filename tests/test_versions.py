"""Room versions as data: https://spec.matrix.org/latest/rooms/"""

import copy
import pickle
from dataclasses import FrozenInstanceError, fields
from typing import Any

import pytest
from reference.redaction import ALL, PAGES
from strategies import VERSIONS

from roomver import RoomVersion, UnknownRoomVersion, compute_event_id, get_room_version, parse_event, redact
from roomver.check import check_event, check_events
from roomver.versions import ROOM_VERSIONS, UNSTABLE_ROOM_VERSIONS, EventIdForm, RoomIdForm, StateResolution

# The versions in which each feature is on, by the pages of the specification.
SINCE: dict[str, set[int]] = {
    "references_carry_hashes": {1, 2},
    "event_id_server_signs": {1, 2},
    "authorising_server_signs": set(range(8, 13)),
    "key_validity_enforced": set(range(5, 13)),
    "strict_canonical_json": set(range(6, 13)),
    "float_power_levels": set(range(1, 6)),
    "string_power_levels": set(range(1, 10)),
    "power_level_types_checked": set(range(10, 13)),
    "notification_levels_checked": set(range(6, 13)),
    "aliases_rule": set(range(1, 6)),
    "redaction_rule": {1, 2},
    "redacts_in_content": {11, 12},
    "knock": set(range(7, 13)),
    "restricted_joins": set(range(8, 13)),
    "knock_restricted": set(range(10, 13)),
    "redaction_keeps_relation": set(),
    "owned_state_keys": set(),
    "creator_in_content": set(range(1, 11)),
    "create_in_auth_events": set(range(1, 12)),
    "additional_creators": {12},
    "infinite_creator_level": {12},
    "redaction_keeps_signed_invite": {11, 12},
}


def test_the_known_versions_are_1_to_12_in_order() -> None:
    assert list(ROOM_VERSIONS) == VERSIONS
    assert [str(v) for v in ROOM_VERSIONS.values()] == VERSIONS
    assert all(get_room_version(name) is ROOM_VERSIONS[name] for name in VERSIONS)


@pytest.mark.parametrize("feature", SINCE)
def test_a_feature_is_on_in_exactly_the_versions_that_have_it(feature: str) -> None:
    assert {int(n) for n, v in ROOM_VERSIONS.items() if getattr(v, feature)} == SINCE[feature]


def test_the_table_above_has_every_switch_of_a_record() -> None:
    switches = {f.name for f in fields(RoomVersion) if type(getattr(ROOM_VERSIONS["1"], f.name)) is bool}
    assert switches == set(SINCE)


@pytest.mark.parametrize("name", VERSIONS)
def test_event_ids_room_ids_depth_and_state_resolution(name: str) -> None:
    version, number = get_room_version(name), int(name)
    assert version.event_id_form is (
        EventIdForm.CHOSEN if number < 3 else EventIdForm.HASH if number == 3 else EventIdForm.URLSAFE_HASH
    )
    assert version.room_id_form is (RoomIdForm.CREATE_HASH if number == 12 else RoomIdForm.DOMAIN)
    assert version.max_depth == (2**63 - 1 if number < 6 else 2**53 - 1)
    assert version.state_resolution is (
        StateResolution.V1 if number == 1 else StateResolution.V2_1 if number == 12 else StateResolution.V2
    )


@pytest.mark.parametrize("name", VERSIONS)
def test_redaction_keeps_the_keys_that_the_page_lists(name: str) -> None:
    version = get_room_version(name)
    keys, types = PAGES[name]
    assert version.redaction_keeps == set(keys)
    assert version.redaction_keeps_all_content == {kind for kind, kept in types.items() if kept == ALL}
    assert version.redaction_keeps_content == {k: set(kept) for k, kept in types.items() if kept != ALL}


@pytest.mark.parametrize(
    "name", ["13", "0", "", "1\n", "\uff11", "01", "org.x-1", 1, 12.0, None, True, [], {"a": 1}]
)
def test_an_unknown_version_is_an_error(name: Any) -> None:
    with pytest.raises(UnknownRoomVersion) as caught:
        get_room_version(name)
    known = (*VERSIONS, *UNSTABLE_ROOM_VERSIONS)
    assert caught.value == UnknownRoomVersion(name, known)
    assert caught.value.known == known


def test_a_record_cannot_be_changed() -> None:
    version = get_room_version("11")
    with pytest.raises(FrozenInstanceError):
        version.knock = False  # type: ignore[misc]
    with pytest.raises(TypeError):
        version.redaction_keeps_content["X"] = frozenset()  # type: ignore[index]
    with pytest.raises(TypeError):
        ROOM_VERSIONS["13"] = version  # type: ignore[index]


@pytest.mark.parametrize("name", VERSIONS)
def test_a_record_stays_the_same_object_when_copied_or_pickled(name: str) -> None:
    version = get_room_version(name)
    assert copy.copy(version) is version
    assert copy.deepcopy(version) is version
    assert pickle.loads(pickle.dumps(version)) is version
    assert {version: 1}[get_room_version(name)] == 1


@pytest.mark.parametrize("version", [11, 11.0, None, True, [], {}, "", "11 ", b"11"])
def test_an_invalid_room_version_is_the_same_error_everywhere(version: Any) -> None:
    def wrong(version: Any) -> Any:
        return 0 if version is None else version

    pdu: dict[str, Any] = {"type": "m.room.message"}
    for asked in (
        lambda: get_room_version(version),
        lambda: parse_event(pdu, version),
        # With an Event, None means the version of the event.
        lambda: compute_event_id(pdu, wrong(version)),
        lambda: redact(pdu, wrong(version)),
        lambda: check_event(pdu, version),
        lambda: list(check_events([(pdu, None)], version)),
    ):
        with pytest.raises(UnknownRoomVersion) as caught:
            asked()
        expected = "unknown room version" if isinstance(version, str) else "a room version must be a string"
        assert str(caught.value).startswith(expected)
