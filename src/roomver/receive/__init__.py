"""Receive an event: the seven checks on receipt of a PDU, without I/O.

`receive_steps` asks for what the checks need and returns a `Receipt`: what becomes of the event, the result
of each check, and what to store. Nothing is stored or fetched here. `roomver.steps` has the drivers, and says
what a store must answer. `roomver.replay` makes checks 4 to 7 for all events of a room at once.

Source: https://spec.matrix.org/latest/server-server-api/#checks-performed-on-receipt-of-a-pdu
"""

from dataclasses import replace

from ..errors import MissingEvents, UnknownState
from ..event import Event
from ..findings import EventCheck
from ..resolution import RoomGraph
from ..signature_results import SigningStatus
from ..state import (
    PartialState,
    RoomState,
    State,
    Unknown,
    changed_entries,
    entries_of,
    known_in_part,
    unknown_of,
)
from ..steps import Current, NeedCurrent, Steps
from ..types import EventId, StateMap
from ..versions import RoomVersion, version_record
from .checks import check_alone, check_by_auth_events, check_by_policy_server, check_by_state
from .extremities import extremities_after
from .given import GivenState, check_state_steps
from .known import Known
from .memory import MemoryStore
from .receipt import Lacking, Receipt, ReceiptStatus
from .redaction import check_redaction_steps
from .states import StateBefore, merged_before, state_before_steps

__all__ = [
    "GivenState",
    "Lacking",
    "MemoryStore",
    "Receipt",
    "ReceiptStatus",
    "StateBefore",
    "check_redaction_steps",
    "check_state_steps",
    "receive_checked_steps",
    "receive_steps",
    "state_before_steps",
]


def receive_steps(  # noqa: PLR0913 - all but two are keyword-only options
    pdu: object,
    version: RoomVersion | str,
    *,
    claimed_id: EventId | None = None,
    state_before: StateMap[EventId] | None = None,
    from_history: bool = False,
    graph: RoomGraph | None = None,
    signatures: bool = True,
) -> Steps[Receipt]:
    """Receive an event: apply the seven checks, and tell what becomes of it.

    This is a generator: run it with `roomver.steps.run` or `roomver.steps.run_async`. Receive an event only
    if the store does not have it yet, and one event of a room at a time: each changes what the next is
    checked against. Nothing is decided by what is unknown. If the event is undecided, `Receipt.lacking` names
    what is missing; receive it again once there is more. More knowledge reverses no decision.

    Source: https://spec.matrix.org/latest/server-server-api/#checks-performed-on-receipt-of-a-pdu

    Args:
        pdu: the PDU as it is on the wire. Any value has an answer. It is for the caller to find the room by
            ``room_id``, or for a create event of version 12 by its event ID.
        version: the version of its room.
        claimed_id: the event ID by which the caller asked for it, if any.
        state_before: the state before the event, if another server has told it; it may be a
            `roomver.PartialState`. The states after the prev events are then not asked for. Its events must
            be in the store.
        from_history: whether the server fetched the event from the history of the room, after later ones.
            Such an event is not checked against the current state, and is never a forward extremity.
        graph: the room's graph, if the caller keeps one; `roomver.RoomGraph` says which events to add. It
            changes no result. Without it, a merge of states fetches the auth chains of the events that they
            do not agree on.
        signatures: check the signatures. Leave this out only for made-up events, which have none.

    Returns:
        The receipt.

    Raises:
        UnknownRoomVersion: if there is no such version.
        WrongRoom: if a state is of another room than the event, or has events of several rooms.
        CyclicGraph: if stored events cite each other.
        ValueError: if an event is sent under the ID of another event.

    Cost: that of `roomver.check.check_event`, up to twice; three checks of rules; and, if the states after
    the prev events or the forward extremities do not agree, that of a resolution.

    >>> from roomver.steps import Current, run
    >>> class Empty:
    ...     def current(self):
    ...         return Current([])
    >>> create = {
    ...     "type": "m.room.create", "state_key": "", "sender": "@alice:example.org", "depth": 1,
    ...     "content": {"room_version": "12"}, "prev_events": [], "auth_events": [],
    ...     "origin_server_ts": 1, "hashes": {"sha256": "8yPz8sLyK6o+02vh1DWgsaJjfSl7cIaLUou8XIV5gak"},
    ... }
    >>> print(run(receive_steps(create, "12"), Empty()))
    dropped: signature-missing: signatures["example.org"]: example.org must sign, but its signature is missing
    >>> receipt = run(receive_steps(create, "12", signatures=False), Empty())
    >>> receipt.status.value, receipt.redacted, receipt.forward_extremities == {receipt.event_id}
    ('accepted', False, True)
    """
    # "Whenever a server receives an event from a remote server, the receiving server must ensure that the
    # event: […]" Each check has its sentence in `checks`.
    check = yield from check_alone(pdu, version_record(version), claimed_id, signatures)
    return (
        yield from receive_checked_steps(
            check, state_before=state_before, from_history=from_history, graph=graph
        )
    )


def receive_checked_steps(
    check: EventCheck,
    *,
    state_before: StateMap[EventId] | None = None,
    from_history: bool = False,
    graph: RoomGraph | None = None,
) -> Steps[Receipt]:
    """Receive an event of which checks 1 to 3 were made: apply checks 4 to 7.

    A server that checks the signatures of many events at once, or in other processes, uses this after
    `roomver.check.check_events`. The other arguments and the errors are those of `receive_steps`.

    Args:
        check: the result of checks 1 to 3. If its signatures were not checked, they count as valid.
    """
    event = check.usable
    if event is None:
        return Receipt(status=ReceiptStatus.DROPPED, check=check)
    if check.signatures is SigningStatus.KEY_UNKNOWN:
        return Receipt(status=ReceiptStatus.UNDECIDED, check=check, lacking=Lacking(keys=check.unknown_keys))
    # The specification is silent. No server accepts such an event, since it can never have the event first.
    if event.event_id in event.auth_parents or event.event_id in event.prev_event_ids:
        return Receipt(
            status=ReceiptStatus.REJECTED, check=check, from_history=from_history, cites_itself=True
        )

    known = Known()
    receipt = Receipt(status=ReceiptStatus.UNDECIDED, check=check, from_history=from_history)
    try:
        verdict = yield from check_by_auth_events(event, known)
        receipt = replace(receipt, by_auth_events=verdict)
    except MissingEvents as error:
        receipt = replace(receipt, lacking=Lacking(auth_events=error.event_ids))
    # The state before a rejected event is wanted too: it is the state after it, and others may follow it.
    before = yield from _before(event, state_before, known, graph)
    receipt = replace(receipt, state_before=before.state, lacking=_with_missing(receipt.lacking, before))
    if receipt.by_auth_events is None:
        return receipt
    if not receipt.by_auth_events.allowed:
        return replace(receipt, status=ReceiptStatus.REJECTED)
    if before.state is None:
        return receipt
    try:
        by_state = yield from check_by_state(event, before.state, known)
    except (MissingEvents, UnknownState) as error:
        return replace(receipt, lacking=_with_error(receipt.lacking, error))
    receipt = replace(receipt, by_state=by_state)
    if not by_state.allowed:
        return replace(receipt, status=ReceiptStatus.REJECTED)
    if not from_history:
        receipt = yield from _now(receipt, event, None if state_before is not None else before, known, graph)
        if receipt.status is ReceiptStatus.UNDECIDED:
            return receipt
    else:
        receipt = replace(receipt, status=ReceiptStatus.ACCEPTED)
    # "Soft failed events are otherwise handled as usual."
    if event.state_key is not None:
        receipt = replace(receipt, delta={(event.type, event.state_key): event.event_id})
    return receipt


def _before(
    event: Event, given: StateMap[EventId] | None, known: Known, graph: RoomGraph | None
) -> Steps[StateBefore]:
    """Return the state before an event: the given one, or the one that its prev events lead to."""
    if given is None:
        return (yield from merged_before(event.prev_event_ids, known, graph))
    entries, unknown = entries_of(given), unknown_of(given)
    key = (event.type, event.state_key or "")
    if entries.get(key) == event.event_id:
        # It is the state after the event. What the event replaced is unknown.
        entries = changed_entries(entries, {key: None})
        unknown = (*unknown, Unknown("the given state has the event itself", keys=frozenset([key])))
    state = known_in_part(entries if isinstance(entries, RoomState) else RoomState(entries), unknown)
    assert isinstance(state, State)
    return StateBefore(state)


# "When the homeserver receives a new event over federation it should also check whether the event passes auth
# checks based on the current state of the room (as well as based on the state at the event)."
def _now(
    receipt: Receipt, event: Event, before: StateBefore | None, known: Known, graph: RoomGraph | None
) -> Steps[Receipt]:
    """Apply checks 6 and 7 to an event that passes the others, and find the new forward extremities.

    Args:
        receipt: with the results of the other checks.
        event: the event.
        before: the state before it, if it is the one that its prev events lead to; otherwise None.
        known: what has been fetched.
        graph: the room's graph.
    """
    current: Current = yield NeedCurrent()
    extremities = frozenset(current.extremities)
    state: StateMap[EventId] | None = None
    if not extremities:
        # The specification is silent. The first event of a room meets no current state.
        return replace(
            receipt, status=ReceiptStatus.ACCEPTED, forward_extremities=frozenset([event.event_id])
        )
    # A kept state that is known in part may stand for more than the state before the event.
    kept = isinstance(current.state, PartialState)
    if before is not None and not kept and extremities == set(event.prev_event_ids):
        state = before.state
        by_current = receipt.by_state
    else:
        state, by_current = current.state, None
        if state is None:
            found = yield from merged_before(extremities, known, graph)
            state = found.state
            if found.missing:
                receipt = replace(receipt, lacking=_with_missing(receipt.lacking, found, current=True))
            if state is None:
                return receipt
    assert state is not None
    try:
        if by_current is None:
            by_current = yield from check_by_state(event, state, known)
        receipt = replace(receipt, by_current=by_current)
        if by_current.allowed:
            refusal = yield from check_by_policy_server(event, state, known)
            receipt = replace(receipt, refusal=refusal)
    except (MissingEvents, UnknownState) as error:
        return replace(receipt, lacking=_with_error(receipt.lacking, error))
    if not by_current.allowed or receipt.refusal is not None:
        return replace(receipt, status=ReceiptStatus.SOFT_FAILED)
    ends = yield from extremities_after(event, extremities, known)
    return replace(receipt, status=ReceiptStatus.ACCEPTED, forward_extremities=ends)


def _with_missing(lacking: Lacking, found: StateBefore, *, current: bool = False) -> Lacking:
    """Add what a state lacks."""
    if found.state is not None:
        return lacking._replace(events=tuple(sorted({*lacking.events, *found.missing})))
    if current:
        return lacking._replace(current=found.missing)
    return lacking._replace(prev_events=found.missing)


def _with_error(lacking: Lacking, error: MissingEvents | UnknownState) -> Lacking:
    """Add what a check lacks."""
    if isinstance(error, UnknownState):
        return lacking._replace(entries=error.keys, why=error.reason, lack=error.lack)
    return lacking._replace(events=tuple(sorted({*lacking.events, *error.event_ids})))
