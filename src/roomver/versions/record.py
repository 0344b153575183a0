"""`RoomVersion`, the record of one room version. The module holds data only.

A module that implements an algorithm reads the record to choose a branch.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Final

from ..errors import BadRoomVersion
from .checks import find_faults
from .forms import EventIdForm, RoomIdForm, StateResolution


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, weakref_slot=True)
class RoomVersion:
    """One room version. It has one field per difference between versions.

    `get_room_version` returns the records that this package has, and `derive` makes others. Records with the
    same fields are equal, however they were made. A record is checked when it is made.

    Raises:
        ValueError: a `roomver.errors.BadRoomVersion`, naming the fields that have another type, or those that
            contradict each other.
    """

    identifier: str
    """The name in a create event's ``content.room_version``. It is opaque text, not a number."""
    based_on: str | None
    """The identifier of the version that it was derived from; None for a stable version."""
    page_url: str
    """The address of its page, as in ``https://spec.matrix.org/latest/rooms/v12/``. A verdict cites it."""

    # The event and its identifiers
    event_id_form: EventIdForm
    references_carry_hashes: bool
    """``prev_events`` and ``auth_events`` hold pairs ``[event_id, {"sha256": …}]`` instead of IDs."""
    room_id_form: RoomIdForm
    strict_canonical_json: bool
    """Events must not contain floats, or integers outside ±(2^53 - 1)."""
    max_depth: int
    """The maximum ``depth``, inclusive: 2^n - 1."""
    max_state_key_bytes: int
    """The maximum length of a state key, in bytes of UTF-8."""
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
    redaction_keeps_relation: bool
    """Redaction keeps ``m.relates_to.rel_type`` and ``m.relates_to.event_id`` of any event. (MSC3389)"""

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
    """The room version that introduced the list of rules whose numbers this version uses, in `RULE_LISTS`.

    Which rules exist follows from the other fields. A rule that the list does not have is cited by its name.
    """
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
    owned_state_keys: bool
    """A state key that is a user ID, or begins with one and ``_``, belongs to that user. Users with a higher
    level may set it too. False: a state key that begins with ``@`` must be the sender. (MSC3757)
    """

    # State resolution
    state_resolution: StateResolution

    def __post_init__(self) -> None:
        faults = find_faults(self)
        if faults:
            raise BadRoomVersion(self.identifier, faults)

    @staticmethod
    def derive(identifier: str, /, base: "RoomVersion | str", **changes: object) -> "RoomVersion":
        """Return a new room version, as its changes from another one.

        Pass the record wherever a room version is taken. Nothing finds it by its identifier.

        Args:
            identifier: the name of the version; none that this package has.
            base: the version to begin with, or its identifier.
            changes: fields with their new values. A set may be any collection of strings. What takes one of
                a few forms may be a text: ``"v2.1"`` for `StateResolution`; ``"chosen"``, ``"hash"`` or
                ``"urlsafe_hash"`` for `EventIdForm`; ``"domain"`` or ``"create_hash"`` for `RoomIdForm`. In
                ``redaction_keeps_content`` only the event types that are named change; a type with no keys
                is left out.

        Raises:
            ValueError: a `roomver.errors.BadRoomVersion`, naming the fields that are unknown, have another
                type, or contradict each other.
            UnknownRoomVersion: if there is no such base.

        >>> version = RoomVersion.derive(
        ...     "org.example.acl", base="12", redaction_keeps_content={"m.room.server_acl": ["allow", "deny"]}
        ... )
        >>> sorted(version.redaction_keeps_content["m.room.server_acl"])
        ['allow', 'deny']
        >>> version.create_in_auth_events, version.based_on
        (False, '12')
        >>> RoomVersion.derive("org.x", base="7", knock_restricted=True)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        roomver.errors.BadRoomVersion: room version org.x: knock_restricted needs restricted_joins: ...
        """
        from .lookup import derived  # noqa: PLC0415 - it imports this module

        return derived(identifier, base, changes)

    @property
    def label(self) -> str:
        """The name in messages: ``v12``, or an identifier that does not begin with a digit as it is."""
        return f"v{self.identifier}" if self.identifier[:1].isdigit() else self.identifier

    def __str__(self) -> str:
        return self.identifier

    def __eq__(self, other: object) -> bool:
        # Nearly always it is the same object: `lookup` keeps one object per value.
        if self is other:
            return True
        return values_of(self) == values_of(other) if isinstance(other, RoomVersion) else NotImplemented

    # Mappings have no hash.
    def __hash__(self) -> int:
        return hash(self.identifier)

    # A shipped record is looked up. Another one is pickled by its value, so that any process can read it.
    def __reduce__(self) -> tuple[Callable[..., "RoomVersion"], tuple[object, ...]]:
        from .lookup import reduced  # noqa: PLC0415 - it imports this module

        return reduced(self)


FIELDS: Final[tuple[str, ...]] = tuple(field.name for field in fields(RoomVersion))
"""The names of all fields."""

values_of: Callable[[RoomVersion], tuple[object, ...]] = attrgetter(*FIELDS)
"""Return the values of all fields, in order."""
