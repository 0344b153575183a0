"""Invites: the state that goes with them, and the check where they arrive.

Source: https://spec.matrix.org/latest/server-server-api/#inviting-to-a-room
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple, NoReturn, cast

from ..canonical import join_path, plain_object, shorten
from ..check import check_event
from ..errors import Defect, MalformedEvent, refuse_truth
from ..event import Event
from ..findings import EventCheck
from ..identifiers import server_of
from ..keys import NO_KEYS, KeyRing
from ..pdu import copied
from ..power import CREATE
from ..receive.checks import keys_wanted
from ..receive.known import Known
from ..resolution import RoomGraph
from ..signature_results import SigningStatus
from ..state import entries_of
from ..steps import NeedKeys, Steps
from ..types import EventId, JsonObject, JsonValue, KeyId, RoomId, ServerName, StateKey
from ..versions import RoomIdForm, RoomVersion, version_record
from .authoriser import current_state
from .handshake import below

# "Stripped state should contain some or all of the following state events".
STRIPPED: Final[tuple[StateKey, ...]] = (
    CREATE,
    ("m.room.name", ""),
    ("m.room.avatar", ""),
    ("m.room.topic", ""),
    ("m.room.join_rules", ""),
    ("m.room.canonical_alias", ""),
    ("m.room.encryption", ""),
)
# At most this many entries of someone else's invite are looked at.
_MOST_ENTRIES: Final = 100


def stripped_state_steps(*, graph: RoomGraph | None = None) -> Steps[list[JsonObject]]:
    """Return the state events that identify a room, as PDUs, the create event first.

    They are the ``invite_room_state`` of an invite and the ``knock_room_state`` of the response to a knock.

    Source: https://spec.matrix.org/latest/client-server-api/#stripped-state; "All events listed MUST
    additionally be formatted according to the room version specification."

    Args:
        graph: the room's graph, as in `roomver.make.make_steps`.

    Raises:
        MissingEvents: naming events that the store does not have, or after which it has no state.
    """
    known = Known()
    entries = entries_of((yield from current_state(known, graph)))
    # "MUST contain the `m.room.create` event for the room." Of the others, an unknown one may be left out.
    found = [entries[key] for key in STRIPPED if key in entries]
    yield from known.need(found)
    return [cast(JsonObject, copied(known.events[event_id].pdu)) for event_id in found]


class InviteCheck(NamedTuple):
    """An invite from another server, and what is wrong with it. It has no truth value: use `refused`."""

    event: Event | None
    """The invite; None if it cannot be used. If its content hash does not match, it is the redacted form."""
    version: RoomVersion
    """The version of the room."""
    state: tuple[Event, ...] = ()
    """The usable events of ``invite_room_state``."""
    defects: tuple[Defect, ...] = ()
    """What is wrong with the invite: do not sign it."""
    state_defects: tuple[Defect, ...] = ()
    """What is wrong with ``invite_room_state``."""
    unknown_keys: tuple[tuple[ServerName, KeyId], ...] = ()
    """Keys that are missing to check signatures, up to 10 of each event. The invite is undecided then."""

    @property
    def refused(self) -> bool | None:
        """Whether the invite must be refused; None if that depends on missing keys.

        "While migrating, servers SHOULD warn about invites which fail the validation rather than error in
        room versions 1 through 11. All invites to other room versions which fail validation SHOULD result in
        an error." So defects of the state count only in rooms whose ID is the hash of the create event.
        """
        if self.defects or (self.state_defects and self.version.room_id_form is RoomIdForm.CREATE_HASH):
            return True
        return None if self.unknown_keys else False

    def __bool__(self) -> NoReturn:  # noqa: PLE0304 - it never returns
        refuse_truth(self, ".refused")


def check_invite_steps(
    body: object,
    *,
    room_id: RoomId,
    origin: ServerName,
    server: ServerName,
    versions: Iterable[RoomVersion | str],
    event_id: EventId | None = None,
) -> Steps[InviteCheck]:
    """Check an invite on the server of the invited user, which need not be in the room.

    It asks for keys only. If `InviteCheck.refused` is False, sign the invite with
    `roomver.signing.countersign` and return ``{"event": …}``.

    Source: https://spec.matrix.org/latest/server-server-api/#put_matrixfederationv2inviteroomideventid

    Args:
        body: the body of the request to ``PUT /_matrix/federation/v2/invite``.
        room_id, event_id: as in the path.
        origin: the server that sent the request.
        server: the server that received it.
        versions: the room versions that this server supports.

    Raises:
        MalformedEvent: if the body is not an object, or its room version is not one of these
            (``M_INCOMPATIBLE_ROOM_VERSION``).
        UnknownRoomVersion: if `versions` has an unknown one.
    """
    fields = plain_object(body)
    if fields is None:
        raise MalformedEvent([Defect("", "a JSON object", shorten(body))], "any")
    named = fields.get("room_version")
    record = next((one for one in map(version_record, versions) if one.identifier == named), None)
    if record is None:
        expected = "a room version that is supported"
        raise MalformedEvent([Defect("room_version", expected, shorten(named))], shorten(named))
    (invite,), stripped = yield from check_stripped(
        [fields.get("event")], fields, "invite_room_state", record, room_id
    )
    defects = defects_of(invite, "event")
    event = invite.usable
    if event is not None:
        defects += _not_an_invite(event, room_id, origin, server, event_id)
    return InviteCheck(
        None if defects else event,
        record,
        stripped.events,
        tuple(defects),
        stripped.defects,
        tuple(dict.fromkeys((*invite.unknown_keys, *stripped.unknown_keys))),
    )


class StrippedState(NamedTuple):
    """The stripped state of an invite or of a knock, checked."""

    events: tuple[Event, ...]
    """The usable events."""
    defects: tuple[Defect, ...]
    """What is wrong with the others."""
    unknown_keys: tuple[tuple[ServerName, KeyId], ...]
    """Keys that are missing to check signatures, up to 10 of each event."""


def check_stripped(
    alone: list[JsonValue], body: Mapping[str, JsonValue], name: str, version: RoomVersion, room_id: RoomId
) -> Steps[tuple[list[EventCheck], StrippedState]]:
    """Check events by themselves, and the stripped state of a room.

    Args:
        alone: PDUs to check.
        body: what has the stripped state.
        name: the name of the array with it.
        version, room_id: of the room.
    """
    entries = body.get(name, [])
    listed = entries if type(entries) is list else []
    values = [*alone, *listed[:_MOST_ENTRIES]]
    checks = yield from _verified(values, version)
    defects: list[Defect] = []
    state = []
    if type(entries) is not list:
        defects.append(Defect(name, "an array", shorten(entries)))
    if len(listed) > _MOST_ENTRIES:
        defects.append(Defect(name, f"at most {_MOST_ENTRIES} events", f"{len(listed)} events"))
    for number, check in enumerate(checks[len(alone) :]):
        path = join_path(name, number)
        # "One or more entries in `invite_room_state` are not formatted according to the room's version. One
        # or more events fails a signature check."
        found = defects_of(check, path)
        one = check.usable
        # "One or more events does not reside in the same room as the invite. Note: Some room versions may
        # require calculating the room ID for an event rather than relying on the presence of `room_id`."
        if one is not None and one.room_id != room_id:
            found.append(Defect(below(path, "room_id"), shorten(room_id), shorten(one.room_id)))
        if one is not None and not found:
            state.append(one)
        defects += found
    # "The `m.room.create` event is missing from `invite_room_state`."
    if not any((one.type, one.state_key) == CREATE for one in state):
        defects.append(Defect(name, "the m.room.create event of the room", "none"))
    unknown = tuple(dict.fromkeys(key for check in checks[len(alone) :] for key in check.unknown_keys))
    return checks[: len(alone)], StrippedState(tuple(state), tuple(defects), unknown)


def _verified(values: list[JsonValue], version: RoomVersion) -> Steps[list[EventCheck]]:
    """Check events by themselves, with the keys that they need."""
    checks = [check_event(value, version, keys=NO_KEYS) for value in values]
    wanted = frozenset(key for check in checks for key in keys_wanted(check))
    if not wanted:
        return checks
    ring: KeyRing = yield NeedKeys(wanted)
    return [
        check_event(value, version, keys=ring) if check.signatures is SigningStatus.KEY_UNKNOWN else check
        for value, check in zip(values, checks, strict=True)
    ]


def defects_of(check: EventCheck, path: str) -> list[Defect]:
    """Return why an event cannot be used."""
    if check.usable is not None:
        return []
    return [
        Defect(below(path, reason.path), "an event with valid signatures", reason.text)
        for finding in check.findings
        for reason in finding.reasons
    ]


# "Servers MUST apply certain validation to ensure they don't accidentally sign non-invite events from a
# malicious server. […] The invite event fails a signature check. The event type is not `m.room.member`. The
# `membership` field inside the event content is not `invite`. The event sender is not a user ID on the origin
# server. The `state_key` is not a user ID on the receiving server."
def _not_an_invite(
    event: Event, room_id: RoomId, origin: ServerName, server: ServerName, event_id: EventId | None
) -> list[Defect]:
    """Return what is not as it is in an invite from one server to another."""
    membership = event.content.get("membership")
    target = event.state_key or ""
    holds = (
        ("type", event.type == "m.room.member", "m.room.member", event.type),
        ("content.membership", membership == "invite", "invite", membership),
        ("sender", server_of(event.sender) == origin, f"a user of {origin}", event.sender),
        ("state_key", ":" in target and server_of(target) == server, f"a user of {server}", target),
        ("room_id", event.room_id == room_id, room_id, event.room_id),
        ("event_id", event_id in (None, event.event_id), event_id or "", event.event_id),
    )
    return [
        Defect(below("event", path), expected, shorten(found))
        for path, good, expected, found in holds
        if not good
    ]
