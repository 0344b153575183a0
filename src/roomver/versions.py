"""The differences between the room versions, as data.

Each room version is one frozen record, written as its changes from the previous version. This module
holds data only. A module that implements an algorithm reads the record to choose a branch.

Source: https://spec.matrix.org/latest/rooms/
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from types import MappingProxyType

from .errors import UnknownRoomVersion

__all__ = ["ROOM_VERSIONS", "EventIdForm", "RoomIdForm", "RoomVersion", "StateResolution", "get_room_version"]


class StateResolution(Enum):
    """The algorithm that resolves the states of a room's forks into one.

    From ``V2`` on, a key that only some of the states have is in conflict. ``V2_1`` adds the
    conflicted state subgraph to the full conflicted set. Its iterative auth checks start from an empty
    state; those of ``V2`` start from the unconflicted state map.
    """

    V1 = "v1"
    V2 = "v2"
    V2_1 = "v2.1"


class EventIdForm(Enum):
    """The form of an event ID."""

    CHOSEN = "$opaque:domain"
    """The sending server chooses it, and the event carries it."""
    HASH = "$ + reference hash, base64"
    """The reference hash in the standard alphabet, which contains ``/`` and ``+``."""
    URLSAFE_HASH = "$ + reference hash, URL-safe base64"
    """The reference hash in the URL-safe alphabet, which contains ``_`` and ``-``."""


class RoomIdForm(Enum):
    """The form of a room ID."""

    DOMAIN = "!opaque:domain"
    """Every event carries it. In a create event it must be on the sender's server."""
    CREATE_HASH = "! + reference hash of the create event"
    """It is derived from the create event, which must not carry it. In every other event it must name an
    accepted create event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomVersion:
    """One room version. It has one field per difference between versions."""

    identifier: str
    """The name in a create event's ``content.room_version``. It is opaque text, not a number."""

    # The event and its identifiers
    event_id_form: EventIdForm
    references_carry_hashes: bool
    """``prev_events`` and ``auth_events`` hold pairs ``[event_id, {"sha256": …}]`` instead of IDs."""
    room_id_form: RoomIdForm
    strict_canonical_json: bool
    """Events must not contain floats, or integers outside ±(2^53 - 1)."""
    max_depth: int
    """The greatest ``depth``, inclusive."""
    redacts_in_content: bool
    """A redaction names its target in ``content.redacts`` instead of the top-level ``redacts``."""

    # Signatures
    event_id_server_signs: bool
    """The server in the event ID must sign, as well as the sender's server."""
    authorising_server_signs: bool
    """The server of ``join_authorised_via_users_server`` must sign a restricted join."""
    key_validity_enforced: bool
    """A signing key must be valid at the event's ``origin_server_ts``."""

    # Redaction
    redaction_keeps: frozenset[str]
    """The top-level keys that redaction keeps."""
    redaction_keeps_content: Mapping[str, frozenset[str]]
    """The ``content`` keys that redaction keeps, by event type."""
    redaction_keeps_all_content: frozenset[str]
    """The event types whose whole ``content`` redaction keeps."""
    redaction_keeps_signed_invite: bool
    """Redaction keeps ``third_party_invite.signed`` of a member event."""

    # Power levels
    float_power_levels: bool
    """A power level may be a float, and its fraction is dropped."""
    string_power_levels: bool
    """A power level may be a string of decimal digits."""
    power_level_types_checked: bool
    """The rules require integers in the seven named levels, ``events`` and ``notifications``."""
    notification_levels_checked: bool
    """The rules on changed power levels check ``notifications`` as they check ``events``."""

    # Authorisation rules
    rule_list: str
    """The room version that introduced the list of rules that this version uses."""
    aliases_rule: bool
    """``m.room.aliases`` has a rule of its own, before the rule on membership."""
    redaction_rule: bool
    """True: the rules check redactions. False: a redaction is checked when it is applied."""
    knock: bool
    """Membership ``knock`` and join rule ``knock`` exist."""
    restricted_joins: bool
    """Join rule ``restricted`` exists."""
    knock_restricted: bool
    """Join rule ``knock_restricted`` exists."""
    creator_in_content: bool
    """The create event must have ``content.creator``, which names the creator."""
    create_in_auth_events: bool
    """True: ``auth_events`` must include the create event. False: they must not."""
    additional_creators: bool
    """``content.additional_creators`` names more creators, and the rules check its form."""
    infinite_creator_level: bool
    """Creators have an infinite power level and must not be listed in ``users``."""

    # State resolution
    state_resolution: StateResolution

    def __str__(self) -> str:
        return self.identifier

    # Mappings have no hash. Two records with the same identifier would be a mistake.
    def __hash__(self) -> int:
        return hash(self.identifier)

    # A record is looked up, not rebuilt: code compares records with `is`, and a copy would differ.
    def __reduce__(self) -> tuple[Callable[[str], "RoomVersion"], tuple[str]]:
        return get_room_version, (self.identifier,)


_KEEPS_ALWAYS = frozenset(
    {
        "event_id",
        "type",
        "room_id",
        "sender",
        "state_key",
        "content",
        "hashes",
        "signatures",
        "depth",
        "prev_events",
        "auth_events",
        "origin_server_ts",
    }
)

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

V1 = RoomVersion(
    identifier="1",
    event_id_form=EventIdForm.CHOSEN,
    references_carry_hashes=True,
    room_id_form=RoomIdForm.DOMAIN,
    strict_canonical_json=False,
    max_depth=2**63 - 1,
    redacts_in_content=False,
    event_id_server_signs=True,
    authorising_server_signs=False,
    key_validity_enforced=False,
    redaction_keeps=_KEEPS_ALWAYS | {"origin", "membership", "prev_state"},
    redaction_keeps_content=_CONTENT_KEPT_V1,
    redaction_keeps_all_content=frozenset(),
    redaction_keeps_signed_invite=False,
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
    state_resolution=StateResolution.V1,
)

V2 = replace(
    V1,
    identifier="2",
    state_resolution=StateResolution.V2,
)

V3 = replace(
    V2,
    identifier="3",
    event_id_form=EventIdForm.HASH,
    references_carry_hashes=False,
    event_id_server_signs=False,
    rule_list="3",
    redaction_rule=False,
)

V4 = replace(V3, identifier="4", event_id_form=EventIdForm.URLSAFE_HASH)

V5 = replace(V4, identifier="5", key_validity_enforced=True)

V6 = replace(
    V5,
    identifier="6",
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

V7 = replace(V6, identifier="7", rule_list="7", knock=True)

V8 = replace(
    V7,
    identifier="8",
    rule_list="8",
    restricted_joins=True,
    authorising_server_signs=True,
    redaction_keeps_content=MappingProxyType(
        {**V7.redaction_keeps_content, "m.room.join_rules": frozenset({"join_rule", "allow"})}
    ),
)

V9 = replace(
    V8,
    identifier="9",
    redaction_keeps_content=MappingProxyType(
        {
            **V8.redaction_keeps_content,
            "m.room.member": frozenset({"membership", "join_authorised_via_users_server"}),
        }
    ),
)

V10 = replace(
    V9,
    identifier="10",
    string_power_levels=False,
    power_level_types_checked=True,
    rule_list="10",
    knock_restricted=True,
)

V11 = replace(
    V10,
    identifier="11",
    redacts_in_content=True,
    rule_list="11",
    creator_in_content=False,
    redaction_keeps=_KEEPS_ALWAYS,
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

V12 = replace(
    V11,
    identifier="12",
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
"""Every known room version by its identifier, oldest first."""


def get_room_version(identifier: str) -> RoomVersion:
    """Return the record of the room version with this identifier.

    Args:
        identifier: as in ``content.room_version`` of a create event. Nothing is guessed: an integer,
            or a version that this package does not know, is an error.

    Raises:
        UnknownRoomVersion: with the identifiers that are known.

    >>> get_room_version("11").redacts_in_content
    True
    >>> get_room_version("13")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    roomver.errors.UnknownRoomVersion: unknown room version '13'; known versions: 1, 2, ..., 11, 12
    """
    # The type check comes first because JSON may be unhashable.
    if type(identifier) is str and identifier in ROOM_VERSIONS:
        return ROOM_VERSIONS[identifier]
    raise UnknownRoomVersion(identifier, ROOM_VERSIONS)


def version_record(version: RoomVersion | str) -> RoomVersion:
    """Return the record of a room version, which may be passed as its identifier.

    Raises:
        UnknownRoomVersion: if there is no such version.
    """
    return version if isinstance(version, RoomVersion) else get_room_version(version)
