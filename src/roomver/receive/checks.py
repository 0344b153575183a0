"""Checks 1 to 7 on receipt of a PDU, as steps. Each fetches what the rules of another module read.

Source: https://spec.matrix.org/latest/server-server-api/#checks-performed-on-receipt-of-a-pdu
"""

from typing import Final

from ..auth import check_against_state, check_auth
from ..check import check_event
from ..errors import MissingEvents, WrongRoom
from ..event import Event
from ..findings import EventCheck
from ..identifiers import server_of
from ..keys import NO_KEYS
from ..policy import POLICY, PolicyRefusal, check_policy_signature, find_joined_user, named_policy_server
from ..power import CREATE
from ..rules import AUTH_EVENTS_OTHER_ROOM, Verdict
from ..selection import select_auth_types
from ..signature_results import SigningStatus
from ..signatures import verify_signatures
from ..state import EventsOf, entries_of, unknown_of
from ..steps import NeedKeys, Steps
from ..types import EventId, KeyId, ServerName, StateMap
from ..versions import RoomVersion
from .known import Known

# How many member events are fetched at a time to find a joined user of a policy server.
_BATCH: Final = 64


# "1. Is a valid event, otherwise it is dropped. For an event to be valid, it must comply with the event
#     format of that room version.
#  2. Passes signature checks, otherwise it is dropped.
#  3. Passes hash checks, otherwise it is redacted before being processed further."
def check_alone(
    pdu: object, version: RoomVersion, claimed_id: EventId | None, signatures: bool
) -> Steps[EventCheck]:
    """Check an event by itself (checks 1 to 3). Ask for keys only if it is an event that has signatures."""
    if not signatures:
        return check_event(pdu, version, claimed_id=claimed_id, keys=None)
    check = check_event(pdu, version, claimed_id=claimed_id, keys=NO_KEYS)
    wanted = keys_wanted(check)
    if not wanted:
        return check
    keys = yield NeedKeys(wanted)
    return check_event(pdu, version, claimed_id=claimed_id, keys=keys)


def keys_wanted(check: EventCheck) -> frozenset[tuple[ServerName, KeyId]]:
    """Return all keys that the signatures of an event need. It was checked without any keys.

    `EventCheck.unknown_keys` has only the first few.
    """
    event = check.usable
    if event is None or check.signatures is not SigningStatus.KEY_UNKNOWN:
        return frozenset()
    servers = verify_signatures(event, NO_KEYS).servers
    return frozenset((one.server, key_id) for one in servers for key_id in one.unknown_keys)


# "4. Passes authorisation rules based on the event's auth events, otherwise it is rejected."
def check_by_auth_events(event: Event, known: Known) -> Steps[Verdict]:
    """Check an event against its own auth events (check 4).

    Raises:
        MissingEvents: naming all auth events that the store does not have.
    """
    if event.type != "m.room.create":
        yield from known.need(event.auth_parents)
    try:
        return check_auth(event, None, known.events, rejected=known.rejected)
    except WrongRoom as error:
        # An auth event of another room version is of another room.
        return Verdict(False, AUTH_EVENTS_OTHER_ROOM, event.room_version, {"why": error.detail})


# "5. Passes authorisation rules based on the state before the event, otherwise it is rejected.
#  6. Passes authorisation rules based on the current state of the room, otherwise it is "soft failed"."
def check_by_state(event: Event, state: StateMap[EventId], known: Known) -> Steps[Verdict]:
    """Check an event against a room state (checks 5 and 6).

    Raises:
        MissingEvents: naming the events of the state that the check reads and the store does not have.
        UnknownState: if the state is known in part, and the check reads what is unknown.
        WrongRoom: if the state is of another room.
    """
    entries = entries_of(state)
    ids = (entries.get(key) for key in sorted({CREATE, *select_auth_types(event)}))
    yield from known.fetch(event_id for event_id in ids if event_id is not None)
    # The rules on create events read no state, so they would take that of another room into this one.
    create = known.events.get(entries.get(CREATE, ""))
    if create is not None and create.room_id != event.room_id:
        raise WrongRoom(f"{event.event_id} is in room {event.room_id}; the state is from {create.room_id}")
    return check_against_state(event, EventsOf(state, known.events))


# "7. Is validated by the Policy Server, if the room is using a Policy Server, otherwise it is "soft failed"."
def check_by_policy_server(
    event: Event, state: StateMap[EventId], known: Known
) -> Steps[PolicyRefusal | None]:
    """Check that the policy server of the room has signed an event (check 7), in the current state.

    The result is that of `roomver.policy.check_policy`, which needs every event of the state.

    Raises:
        MissingEvents: naming events of the state that the check reads and the store does not have.
        UnknownState: if the state is known in part, and the check reads what is unknown.
    """
    if (event.type, event.state_key) == POLICY:
        return None
    policy_id: EventId | None = state.get(POLICY)
    if policy_id is None:
        return None
    yield from known.need([policy_id])
    server = named_policy_server(known.events[policy_id])
    refusal = None if server is None else check_policy_signature(event, server)
    if server is None or refusal is None:
        return None
    # "The server name denoted by the `m.room.policy` state event's `via` has at least one joined user in the
    # room in *current state*."
    entries = entries_of(state)
    users = sorted(
        key
        for key in entries
        if key[0] == "m.room.member" and ":" in key[1] and server_of(key[1]) == server.name
    )
    members = [entries[key] for key in users]
    missing: list[EventId] = []
    for start in range(0, len(members), _BATCH):
        batch = members[start : start + _BATCH]
        yield from known.fetch(batch)
        here = [known.events[one] for one in batch if one in known.events]
        if find_joined_user(server.name, here, ()) is not None:
            return refusal
        missing += [one for one in batch if one not in known.events]
    if missing:
        raise MissingEvents(missing)
    find_joined_user(server.name, (), unknown_of(state))  # raises if an unknown entry may be a joined user
    return None
