"""The iterative auth checks: try sorted events one by one on the state that is being built.

Two parts. `_StateView` is the room state as the checks see it: the state that resolution starts from, with
the events accepted so far on top. `iterative_auth_checks` is the loop, which asks for missing events.
"""

from collections.abc import Collection, Iterable, Mapping

from ..auth import Checker, check_against_state
from ..event import Event
from ..power import CREATE
from ..selection import SHARED_KEYS, list_auth_types, selects_only_sender
from ..types import EventId, StateKey
from .need import Steps
from .problem import Problem
from .split import Split
from .trace import Check


class _StateView:
    """The state that the checks see, read key by key.

    A check reads a few keys. The event of each key is looked up once and stays in `events`: one dict that
    grows, instead of a new one per check, saves 10 % of a resolution that is mostly checks.

    Attributes:
        events: the event of each key that was read and has one.
        absent: the keys that were read and had no event.
    """

    __slots__ = ("_base", "_changes", "_known", "_problem", "absent", "events")

    def __init__(self, base: Split, changes: dict[StateKey, EventId], problem: Problem) -> None:
        self._base = base
        self._changes = changes
        self._known = problem.known
        self._problem = problem
        self.events: dict[StateKey, Event] = {}
        self.absent: set[StateKey] = set()

    def event_id(self, key: StateKey) -> EventId | None:
        """Return the ID of the event of a key, whether it has been read or not."""
        return self._changes.get(key) or self._base.get(key)

    def read(self, unread: Iterable[StateKey]) -> Collection[EventId]:
        """Look up keys that have not been read, or were absent. Return the IDs of events that are not known.

        If events are not known, nothing has been read: call it again when they are. A key is absent if the
        state has no event for it, or if the event is missing or skipped as rejected.
        """
        known, changes, base, absent = self._known, self._changes, self._base, self.absent
        events = known.events
        found: dict[StateKey, EventId] = {}
        unknown = []
        for key in unread:
            if key not in absent:
                event_id = changes.get(key) or base.get(key)
                if event_id is None:
                    absent.add(key)
                elif event_id in events:
                    found[key] = event_id
                elif event_id in known.lost:
                    absent.add(key)
                else:
                    unknown.append(event_id)
        if found and not unknown:
            self._put(found)
        return unknown

    def _put(self, event_ids: Mapping[StateKey, EventId]) -> None:
        known, skip_rejected = self._known, self._problem.skip_rejected
        found = []
        for key, event_id in event_ids.items():
            event = known.events.get(event_id)
            if event is None or (skip_rejected and self._problem.is_rejected(event_id)):
                self.absent.add(key)
            else:
                self.events[key] = event
                found.append(event_id)
        known.check_room(found)

    def lend(self, event: Event) -> list[StateKey]:
        """Put the event's own auth events into `events` where the state has none, and return their keys.

        They are in it for one check: `take_back` removes them. A new dict for each check took three times
        as long.
        """
        # In version 12 the create event counts as an auth event.
        known, is_rejected, state = self._known.events, self._problem.is_rejected, self.events
        lent = []
        for parent in event.auth_parents:
            other = known.get(parent)
            if other is not None and other.state_key is not None:
                key = (other.type, other.state_key)
                if key not in state and not is_rejected(parent):
                    state[key] = other
                    lent.append(key)
        return lent

    def take_back(self, keys: Iterable[StateKey]) -> None:
        """Remove the events that `lend` put in."""
        for key in keys:
            del self.events[key]

    def accept(self, key: StateKey, event_id: EventId, event: Event) -> None:
        """Put an event into the state."""
        self._changes[key] = event_id
        self.events[key] = event


# "Iterative auth checks. The iterative auth checks algorithm takes as input an initial room state and a
# sorted list of state events, and constructs a new room state by iterating through the event list and
# applying the state event to the room state if the state event is allowed by the authorisation rules.
# If the state event is not allowed by the authorisation rules, then the event is ignored.
# If a (event_type, state_key) key that is required for checking the authorisation rules is not present
# in the state, then the appropriate state event from the event's auth_events
# is used if the auth event is not rejected."
#
# "Rejected auth events are deliberately excluded from use in the iterative auth checks,
# as auth events aren't re-authed (although non-auth events are) during the iterative auth checks."
def iterative_auth_checks(
    order: Iterable[EventId],
    phase: str,
    base: Split,
    changes: dict[StateKey, EventId],
    problem: Problem,
) -> Steps[None]:
    """Check each event against the state, and put it into the state if the rules allow it.

    Source: https://spec.matrix.org/latest/rooms/v12/#definitions, "Iterative auth checks", and
    https://spec.matrix.org/latest/rooms/v12/#rejected-events

    Args:
        order: the sorted list of events.
        phase: the name of this list in the trace.
        base: the initial room state: its unconflicted state map.
        changes: the entries of the new room state that differ from `base`; accepted events are added.
        problem: the resolution that this is part of.
    """
    known, trace = problem.known, problem.trace
    skip_rejected = problem.skip_rejected
    # Invariant: the view shows `base` with `changes` on top. Its two collections stay the same objects, so
    # that a check which reads nothing new costs no call.
    view = _StateView(base, changes, problem)
    state, absent = view.events, view.absent
    checker = Checker(state)
    # Whether the keys that events share have been read and have events. Then most checks need one more key.
    shared_read = False
    for event_id in order:
        if skip_rejected and problem.is_rejected(event_id):
            continue
        event = known.events[event_id]
        state_key = event.state_key
        # The list has state events only. A message gets here if an event cites it against the rules.
        if state_key is None:
            continue
        lent: Collection[StateKey] = ()
        if not shared_read or ("m.room.member", event.sender) not in state or not selects_only_sender(event):
            keys = list_auth_types(event)
            if not event.room_version.create_in_auth_events:
                keys.append(CREATE)
            unread = [key for key in keys if key not in state]
            if unread:
                if not absent.issuperset(unread):
                    while unknown := view.read(unread):
                        yield from known.need(unknown)
                    shared_read = all(key in state for key in SHARED_KEYS)
                if not absent.isdisjoint(unread):
                    lent = view.lend(event)
        key = (event.type, state_key)
        allowed = checker.allows(event)
        if trace is not None:
            verdict = check_against_state(event, state)
            replaced = view.event_id(key) if allowed else None
            trace.checks.append(Check(event_id, key, phase, verdict, allowed, replaced))
        if lent:
            view.take_back(lent)
        if allowed:
            view.accept(key, event_id, event)
