"""The state before an event as another server gives it: its events are checked, and what is left is known.

`check_state_steps` checks the response to ``/state``; `roomver.make.check_send_join_steps` checks the one to
``/send_join`` in the same way. Each event is checked by itself (checks 1 to 3) and against its own auth
events (check 4). That the event is in the state is what the other server says: nobody else can tell.

Source: https://spec.matrix.org/latest/server-server-api/#get_matrixfederationv1stateroomid
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final, NamedTuple, NoReturn

from ..canonical import plain_object, shorten
from ..check import check_event, check_events
from ..errors import Defect, MissingEvents, listed, refuse_truth
from ..event import Event
from ..findings import EventCheck, Finding, FindingKind, Reason
from ..hashing import compute_reference_hash
from ..keys import NO_KEYS, KeyRing
from ..ordering import in_order_despite_cycles
from ..power import CREATE
from ..signature_results import SigningStatus
from ..state import PartialState, RoomState, State, Unknown
from ..steps import NeedKeys, Steps
from ..types import EventId, JsonObject, JsonValue, KeyId, RoomId, ServerName, StateKey
from ..versions import RoomVersion, version_record
from .checks import check_by_auth_events, keys_wanted
from .known import Known
from .receipt import Lacking, Receipt, ReceiptStatus, same_id_finding

MEMBERS_OMITTED: Final = "members omitted"
UNUSABLE: Final = "given events of it cannot be used"


class GivenState(NamedTuple):
    """The state before an event, from another server's response. It has no truth value: use `refused`."""

    state: State[EventId] | None
    """The state. Entries whose event is refused or undecided are unknown in it, and so are omitted members:
    it is a `roomver.PartialState` then. None if its create event is missing or unusable."""
    receipts: tuple[Receipt, ...] = ()
    """A receipt for each event of the response that the store does not have, those of auth events first.
    Store what `Receipt.stored` says. An undecided one names what it lacks. The states before these events
    are unknown."""
    defects: tuple[Defect, ...] = ()
    """Why the response must be refused."""

    @property
    def refused(self) -> bool | None:
        """Whether the response must be refused; None if that depends on what is missing."""
        if self.defects:
            return True
        return None if self.state is None else False

    @property
    def unknown_keys(self) -> tuple[tuple[ServerName, KeyId], ...]:
        """The missing keys that leave events undecided, up to 10 for each of them."""
        return tuple(dict.fromkeys(key for one in self.receipts for key in one.lacking.keys))

    @property
    def missing(self) -> tuple[EventId, ...]:
        """The auth events that are neither in the response nor in the store, sorted. They leave events
        undecided: fetch them, for example with ``/event_auth``."""
        here = {one.event_id for one in self.receipts}
        return tuple(sorted({e for one in self.receipts for e in one.lacking.auth_events if e not in here}))

    def __bool__(self) -> NoReturn:  # noqa: PLE0304 - it never returns
        refuse_truth(self, ".refused")


def check_state_steps(
    response: object, version: RoomVersion | str, *, room_id: RoomId, signatures: bool = True
) -> Steps[GivenState]:
    """Check a response to ``/state``: the state before an event, with its auth chain.

    Events that the store has are not checked again. For a response to ``/state_ids``, pass the PDUs of these
    events in the form of ``/state``.

    Source: https://spec.matrix.org/latest/server-server-api/#get_matrixfederationv1stateroomid

    Args:
        response: the body of the response, ``{"pdus": […], "auth_chain": […]}``. It is not trusted.
        version: the version of the room.
        room_id: the room ID.
        signatures: check the signatures. Leave this out only for made-up events, which have none.

    Raises:
        UnknownRoomVersion: if there is no such version.

    >>> from roomver.receive import MemoryStore
    >>> from roomver.steps import run
    >>> given = run(check_state_steps({"pdus": []}, "11", room_id="!r:a.org"), MemoryStore())
    >>> for defect in given.defects:
    ...     print(defect)
    auth_chain: expected an array, found nothing
    pdus: expected the m.room.create event of the room, found none
    """
    body = plain_object(response)
    if body is None:
        return GivenState(None, (), (Defect("", "a JSON object", shorten(response)),))
    record, known = version_record(version), Known()
    steps = check_given_steps(body, record, room_id, known, "pdus", omitted=False, signatures=signatures)
    return (yield from steps)


class _Part(NamedTuple):
    """An event of a response."""

    check: EventCheck
    key: StateKey | None
    """The key of the state that it is given for; None for an event of the auth chain."""


def check_given_steps(  # noqa: PLR0913 - each is a part of a response
    body: JsonObject,
    version: RoomVersion,
    room_id: RoomId,
    known: Known,
    state: str,
    *,
    omitted: bool,
    signatures: bool,
) -> Steps[GivenState]:
    """Check the state and the auth chain of a response.

    Args:
        body: the response.
        version, room_id: of the room.
        known: what has been fetched. The decided events of the response are added.
        state: the name of the array with the state.
        omitted: whether members were left out of the state.
        signatures: whether signatures are checked.
    """
    chain, entries = body.get("auth_chain"), body.get(state)
    defects = [
        Defect(name, "an array", shorten(found) if name in body else "nothing")
        for name, found in (("auth_chain", chain), (state, entries))
        if type(found) is not list
    ]
    values = chain if type(chain) is list else []
    keys: list[StateKey | None] = [None] * len(values)
    if type(entries) is list:
        values, keys = [*values, *entries], [*keys, *map(_key_of, entries)]
    parts = yield from _checked(values, keys, version, room_id, known, signatures=signatures)
    receipts = yield from _decided(parts, known)
    given, unusable = _state_of(parts, known)
    create_id = given.get(CREATE)
    if create_id is not None:
        defects += _wrong_creates(create_id, known, version)
    elif not _may_have_create(parts, receipts):
        found = "one that is refused" if CREATE in unusable else "none"
        defects.append(Defect(state, "the m.room.create event of the room", found))
    if create_id is None or defects:
        return GivenState(None, tuple(receipts), tuple(defects))
    unknown = [Unknown(UNUSABLE, keys=frozenset(unusable))] if unusable else []
    if omitted:
        unknown.append(Unknown.members(MEMBERS_OMITTED))
    whole: State[EventId] = RoomState(given)
    return GivenState(PartialState(whole, unknown) if unknown else whole, tuple(receipts))


def _key_of(value: object) -> StateKey | None:
    """Return the key of the state that a PDU is given for, even if the PDU is malformed otherwise."""
    fields = plain_object(value) or {}
    kind, state_key = fields.get("type"), fields.get("state_key")
    return (kind, state_key) if type(kind) is str and type(state_key) is str else None


def _checked(
    values: Sequence[JsonValue],
    keys: Sequence[StateKey | None],
    version: RoomVersion,
    room_id: RoomId,
    known: Known,
    *,
    signatures: bool,
) -> Steps[list[_Part]]:
    """Check events by themselves. Those that the store has are not verified again."""
    ring: KeyRing | None = NO_KEYS if signatures else None
    checks = [*check_events(((value, None) for value in values), version, keys=ring)]
    ids = [one.usable.event_id for one in checks if one.usable is not None]
    yield from known.fetch(ids)
    stored = {**known.events}
    wanted = frozenset(key for one in checks if one.event_id not in stored for key in keys_wanted(one))
    if wanted:
        ring = yield NeedKeys(wanted)
        assert ring is not None
        checks = [
            check_event(value, version, keys=ring) if _waits(one) and one.event_id not in stored else one
            for value, one in zip(values, checks, strict=True)
        ]
    first: dict[EventId, Event] = {}
    parts = []
    for check, key in zip(checks, keys, strict=True):
        event = check.usable
        fault = None
        if event is not None:
            other = stored.get(event.event_id) or first.setdefault(event.event_id, event)
            fault = _fault_of(event, room_id, other)
        if fault is not None:
            check = check._replace(event=None, findings=(*check.findings, fault))  # noqa: PLW2901
        parts.append(_Part(check, key))
    return parts


def _fault_of(event: Event, room_id: RoomId, other: Event) -> Finding | None:
    """Return why an event cannot be of the room, or be what its ID stands for."""
    if event.room_id != room_id:
        text = f"{shorten(event.room_id, 300)}, not {shorten(room_id, 300)}"
        return Finding(FindingKind.OTHER_ROOM, (Reason("room_id", text),))
    if other is not event and compute_reference_hash(other) != compute_reference_hash(event):
        return same_id_finding(event.event_id)
    return None


def _waits(check: EventCheck) -> bool:
    return check.usable is not None and check.signatures is SigningStatus.KEY_UNKNOWN


def _decided(parts: Iterable[_Part], known: Known) -> Steps[list[Receipt]]:
    """Check events against their own auth events (check 4), parents first, and add the decided ones."""
    receipts: list[Receipt] = []
    events: dict[EventId, EventCheck] = {}
    parents: dict[EventId, tuple[EventId, ...]] = {}
    for check, _ in parts:
        event = check.usable
        if event is None:
            receipts.append(Receipt(status=ReceiptStatus.DROPPED, check=check))
        elif event.event_id not in known.events and event.event_id not in events:
            events[event.event_id], parents[event.event_id] = check, event.auth_parents
    yield from known.fetch(one for cited in parents.values() for one in cited if one not in events)
    # Events on a cycle, which is possible in versions 1 and 2, come first. None of them can have all of its
    # auth events, and neither can the events that follow them.
    for event_id in in_order_despite_cycles(parents):
        receipt = yield from _by_auth_events(events[event_id], known)
        receipts.append(receipt)
        if receipt.stored is not None:
            known.add(receipt.stored)
    return receipts


def _by_auth_events(check: EventCheck, known: Known) -> Steps[Receipt]:
    """Check an event against its own auth events."""
    receipt = Receipt(status=ReceiptStatus.UNDECIDED, check=check)
    event = check.usable
    assert event is not None
    if _waits(check):
        return replace(receipt, lacking=Lacking(keys=check.unknown_keys))
    if event.event_id in event.auth_parents or event.event_id in event.prev_event_ids:
        return replace(receipt, status=ReceiptStatus.REJECTED, cites_itself=True)
    try:
        verdict = yield from check_by_auth_events(event, known)
    except MissingEvents as error:
        return replace(receipt, lacking=Lacking(auth_events=error.event_ids))
    status = ReceiptStatus.ACCEPTED if verdict.allowed else ReceiptStatus.REJECTED
    return replace(receipt, status=status, by_auth_events=verdict)


def _state_of(parts: Iterable[_Part], known: Known) -> tuple[dict[StateKey, EventId], set[StateKey]]:
    """Return the state of the accepted events, and the keys whose event cannot be used."""
    given: dict[StateKey, EventId] = {}
    unusable: set[StateKey] = set()
    for check, key in parts:
        event_id = check.event_id if check.usable is not None else None
        if key is None:
            continue
        usable = event_id in known.events and event_id not in known.rejected
        if not usable or given.setdefault(key, str(event_id)) != event_id:
            unusable.add(key)
    return {key: event_id for key, event_id in given.items() if key not in unusable}, unusable


def _may_have_create(parts: Iterable[_Part], receipts: Iterable[Receipt]) -> bool:
    """Tell whether the create event of a state is undecided."""
    undecided = {one.event_id for one in receipts if one.status is ReceiptStatus.UNDECIDED}
    return any(part.key == CREATE and part.check.event_id in undecided for part in parts)


def _wrong_creates(create_id: EventId, known: Known, version: RoomVersion) -> list[Defect]:
    """Return what is wrong with the create events of a response."""
    named = known.events[create_id].content.get("room_version", "1")
    defects = []
    if named != version.identifier:
        defects.append(Defect("m.room.create: content.room_version", f'"{version}"', shorten(named)))
    others = [
        event_id
        for event_id, event in known.events.items()
        if (event.type, event.state_key) == CREATE and event_id not in known.rejected | {create_id}
    ]
    if others:
        defects.append(Defect("auth_chain", "one create event", f"{create_id} and {listed(sorted(others))}"))
    return defects
