"""Draft an event: everything in it but the content hash and the signature, and whether the room allows it."""

from collections.abc import Collection, Mapping
from typing import NamedTuple, cast

from ..canonical import plain_object, shorten
from ..errors import Defect, MalformedEvent, MissingEvents
from ..event import MAX_PREV_EVENTS, Event, parse_event
from ..hashing import compute_reference_hash
from ..pdu import scanned_copy
from ..policy import PolicyServer
from ..power import CREATE
from ..receive.checks import check_by_auth_events, check_by_policy_server, check_by_state
from ..receive.known import Known
from ..receive.states import StateBefore, merged_before
from ..resolution import RoomGraph
from ..rules import Verdict
from ..selection import select_auth_types
from ..state import RoomState, State
from ..steps import Current, NeedCurrent, Steps
from ..types import EventId, JsonObject, JsonValue, RoomId, UserId
from ..versions import EventIdForm, RoomIdForm, RoomVersion

# An unsigned PDU has no content hash yet, and the event format requires one.
_NO_HASH: JsonObject = {"sha256": ""}


class Wanted(NamedTuple):
    """What an event is to be."""

    type: str
    sender: UserId
    content: Mapping[str, object]
    state_key: str | None
    room_id: RoomId | None
    origin_server_ts: int
    event_id: EventId | None = None
    redacts: EventId | None = None


class Draft(NamedTuple):
    """An unsigned event, and whether it may be sent."""

    pdu: JsonObject
    verdict: Verdict
    state: State[EventId]
    """The state before the event."""
    policy_server: PolicyServer | None
    """The policy server of the room, if it must sign the event."""


def draft(
    wanted: Wanted,
    version: RoomVersion,
    prev_events: Collection[EventId] | None,
    graph: RoomGraph | None,
) -> Steps[Draft]:
    """Draft an event that follows the forward extremities, or other events.

    The arguments and errors are those of `roomver.make.make_steps`.
    """
    known = Known()
    pdu = _begun(wanted, version)
    if (wanted.type, wanted.state_key) == CREATE:
        prev, state = list[EventId](), cast("State[EventId]", RoomState())
    else:
        prev, state = yield from _place(prev_events, known, graph)
    previous = [known.events[event_id] for event_id in prev]
    # "The maximum depth of the `prev_events`, plus one. […] If the room's depth is already at the limit, the
    # depth must be set to the limit."
    pdu["depth"] = min(1 + max((event.depth for event in previous), default=0), version.max_depth)
    pdu["prev_events"] = _references(previous, version)
    # "The `auth_events` for the `m.room.create` event in a room is empty; for other events, it should be the
    # following subset of the room state: […]"
    unselected = parse_event({**pdu, "hashes": _NO_HASH, "auth_events": []}, version)
    # Sorted, because set order varies between runs.
    selected = [state.get(key) for key in sorted(select_auth_types(unselected))]
    auth_ids = [event_id for event_id in selected if event_id is not None]
    yield from known.need(auth_ids)
    pdu["auth_events"] = _references([known.events[event_id] for event_id in auth_ids], version)
    event = parse_event({**pdu, "hashes": _NO_HASH}, version)
    verdict = yield from check_by_auth_events(event, known)
    policy_server = None
    if verdict.allowed:
        verdict = yield from check_by_state(event, state, known)
    if verdict.allowed:
        # Nobody has signed the event yet, so the policy server has not.
        refusal = yield from check_by_policy_server(event, state, known)
        policy_server = None if refusal is None else refusal.server
    return Draft(pdu, verdict, state, policy_server)


def _begun(wanted: Wanted, version: RoomVersion) -> JsonObject:
    """Return the part of a PDU that does not depend on its place in the room."""
    content = plain_object(wanted.content)
    if content is None:
        raise MalformedEvent([Defect("content", "an object", shorten(wanted.content))], version.identifier)
    content = scanned_copy(content, strict=version.strict_canonical_json, path="content")
    defect = _misplaced(wanted, version)
    if defect is not None:
        raise MalformedEvent([defect], version.identifier)
    pdu: JsonObject = {
        "type": wanted.type,
        "sender": wanted.sender,
        "content": content,
        "origin_server_ts": wanted.origin_server_ts,
    }
    if wanted.state_key is not None:
        pdu["state_key"] = wanted.state_key
    if wanted.room_id is not None:
        pdu["room_id"] = wanted.room_id
    if version.event_id_form is EventIdForm.CHOSEN:
        pdu["event_id"] = wanted.event_id
    if wanted.redacts is not None:
        # "Moving the `redacts` property to `content`" (version 11).
        (content if version.redacts_in_content else pdu)["redacts"] = wanted.redacts
    if (wanted.type, wanted.state_key) == CREATE:
        # Without `room_version` the room would be of version 1, whatever the format of its events.
        named = content.get("room_version", "1")
        if named != version.identifier:
            expected = f'"{version.identifier}"'
            found = shorten(named) if "room_version" in content else 'nothing, which stands for "1"'
            raise MalformedEvent([Defect("content.room_version", expected, found)], version.identifier)
    return pdu


def _misplaced(wanted: Wanted, version: RoomVersion) -> Defect | None:
    """Return what the event format leaves to the rules, and what can only be a mistake of the caller."""
    if wanted.redacts is not None and wanted.type != "m.room.redaction":
        return Defect("type", '"m.room.redaction", because it redacts an event', shorten(wanted.type))
    room_id = wanted.room_id
    if version.room_id_form is RoomIdForm.CREATE_HASH and type(room_id) is str and ":" in room_id:
        # The create event that it names can never be found.
        expected = f"the room ID of a room of version {version}, which has no server name"
        return Defect("room_id", expected, shorten(room_id))
    return None


# "The sending server should populate this field with all of the events in the room for which it has not yet
# seen a child - thus demonstrating that the event comes after all other known events."
def _place(
    prev_events: Collection[EventId] | None, known: Known, graph: RoomGraph | None
) -> Steps[tuple[list[EventId], State[EventId]]]:
    """Return the prev events of a new event, sorted, and the state before it."""
    current: Current | None = None
    if prev_events is None:
        current = yield NeedCurrent()
        prev_events = current.extremities
    prev = sorted(set(prev_events))
    yield from known.need(prev)
    if current is not None and len(prev) > MAX_PREV_EVENTS:
        # "Must contain less than or equal to 20 events." The others stay forward extremities.
        prev.sort(key=lambda event_id: (-known.events[event_id].depth, event_id))
        prev, current = sorted(prev[:MAX_PREV_EVENTS]), None
    # "If an event is rejected it should neither be relayed to clients nor be included as a prev event in any
    # new events generated by the server." "When an event is "soft failed" it should not be […] referenced by
    # new events created by the homeserver".
    refused = [one for one in prev if one in known.rejected or one in known.soft_failed]
    if refused:
        raise ValueError(f"no new event may follow {refused[0]}: it was rejected or soft-failed")
    if current is not None and current.state is not None:
        state = current.state
        return prev, state if isinstance(state, State) else RoomState(state)
    before: StateBefore = yield from merged_before(prev, known, graph)
    if before.missing or before.state is None:
        raise MissingEvents(before.missing, "the states before the event")
    return prev, before.state


def _references(events: Collection[Event], version: RoomVersion) -> list[JsonValue]:
    """Return references to events, as the room version has them."""
    if not version.references_carry_hashes:
        return [event.event_id for event in events]
    return [[event.event_id, {"sha256": compute_reference_hash(event)}] for event in events]
