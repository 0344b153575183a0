"""The stable room versions, 1 to 12. Each is written as its changes from the previous version.

Source: https://spec.matrix.org/latest/rooms/
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from .checks import KEPT_ALWAYS
from .forms import EventIdForm, RoomIdForm, StateResolution
from .record import RoomVersion

__all__ = ["ROOM_VERSIONS", "V1", "V2", "V3", "V4", "V5", "V6", "V7", "V8", "V9", "V10", "V11", "V12"]

_LEVELS_KEPT = frozenset(
    {
        "ban",
        "events",
        "events_default",
        "kick",
        "redact",
        "state_default",
        "users",
        "users_default",
    }
)

_CONTENT_KEPT_V1: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "m.room.member": frozenset({"membership"}),
        "m.room.create": frozenset({"creator"}),
        "m.room.join_rules": frozenset({"join_rule"}),
        "m.room.power_levels": _LEVELS_KEPT,
        "m.room.aliases": frozenset({"aliases"}),
        "m.room.history_visibility": frozenset({"history_visibility"}),
    }
)

_PAGES = "https://spec.matrix.org/latest/rooms"


def _following(previous: RoomVersion, identifier: str, **changes: Any) -> RoomVersion:
    return replace(previous, identifier=identifier, page_url=f"{_PAGES}/v{identifier}/", **changes)


V1 = RoomVersion(
    identifier="1",
    based_on=None,
    page_url=f"{_PAGES}/v1/",
    event_id_form=EventIdForm.CHOSEN,
    references_carry_hashes=True,
    room_id_form=RoomIdForm.DOMAIN,
    strict_canonical_json=False,
    max_depth=2**63 - 1,
    max_state_key_bytes=255,
    redacts_in_content=False,
    event_id_server_signs=True,
    authorising_server_signs=False,
    key_validity_enforced=False,
    redaction_keeps=KEPT_ALWAYS | {"origin", "membership", "prev_state"},
    redaction_keeps_content=_CONTENT_KEPT_V1,
    redaction_keeps_all_content=frozenset(),
    redaction_keeps_signed_invite=False,
    redaction_keeps_relation=False,
    float_power_levels=True,
    string_power_levels=True,
    power_level_types_checked=False,
    notification_levels_checked=False,
    rule_list="1",
    aliases_rule=True,
    redaction_rule=True,
    knock=False,
    restricted_joins=False,
    knock_restricted=False,
    creator_in_content=True,
    create_in_auth_events=True,
    additional_creators=False,
    infinite_creator_level=False,
    owned_state_keys=False,
    state_resolution=StateResolution.V1,
)

V2 = _following(
    V1,
    "2",
    state_resolution=StateResolution.V2,
)

V3 = _following(
    V2,
    "3",
    event_id_form=EventIdForm.HASH,
    references_carry_hashes=False,
    event_id_server_signs=False,
    rule_list="3",
    redaction_rule=False,
)

V4 = _following(V3, "4", event_id_form=EventIdForm.URLSAFE_HASH)

V5 = _following(V4, "5", key_validity_enforced=True)

V6 = _following(
    V5,
    "6",
    strict_canonical_json=True,
    max_depth=2**53 - 1,
    float_power_levels=False,
    notification_levels_checked=True,
    rule_list="6",
    aliases_rule=False,
    redaction_keeps_content=MappingProxyType(
        {kind: keys for kind, keys in _CONTENT_KEPT_V1.items() if kind != "m.room.aliases"}
    ),
)

V7 = _following(V6, "7", rule_list="7", knock=True)

V8 = _following(
    V7,
    "8",
    rule_list="8",
    restricted_joins=True,
    authorising_server_signs=True,
    redaction_keeps_content=MappingProxyType(
        {**V7.redaction_keeps_content, "m.room.join_rules": frozenset({"join_rule", "allow"})}
    ),
)

V9 = _following(
    V8,
    "9",
    redaction_keeps_content=MappingProxyType(
        {
            **V8.redaction_keeps_content,
            "m.room.member": frozenset({"membership", "join_authorised_via_users_server"}),
        }
    ),
)

V10 = _following(
    V9,
    "10",
    string_power_levels=False,
    power_level_types_checked=True,
    rule_list="10",
    knock_restricted=True,
)

V11 = _following(
    V10,
    "11",
    redacts_in_content=True,
    rule_list="11",
    creator_in_content=False,
    redaction_keeps=KEPT_ALWAYS,
    redaction_keeps_content=MappingProxyType(
        {
            **{k: v for k, v in V10.redaction_keeps_content.items() if k != "m.room.create"},
            "m.room.power_levels": _LEVELS_KEPT | {"invite"},
            "m.room.redaction": frozenset({"redacts"}),
        }
    ),
    redaction_keeps_all_content=frozenset({"m.room.create"}),
    redaction_keeps_signed_invite=True,
)

V12 = _following(
    V11,
    "12",
    room_id_form=RoomIdForm.CREATE_HASH,
    rule_list="12",
    create_in_auth_events=False,
    additional_creators=True,
    infinite_creator_level=True,
    state_resolution=StateResolution.V2_1,
)

ROOM_VERSIONS: Mapping[str, RoomVersion] = MappingProxyType(
    {v.identifier: v for v in (V1, V2, V3, V4, V5, V6, V7, V8, V9, V10, V11, V12)}
)
"""Every stable room version by its identifier, oldest first."""
