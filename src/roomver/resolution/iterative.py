"""The iterative auth checks: try sorted events one by one on the state that is being built.

Two parts. `_StateView` is the room state as the checks see it: the state that resolution starts from, with
the events accepted so far on top. `iterative_auth_checks` is the loop, which asks for missing events.
"""

from collections.abc import Collection, Iterable, Mapping

from ..auth import check_against_state
from ..event import Event
from ..power import CREATE
from ..selection import select_auth_types
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

    def find(self, unread: Iterable[StateKey]) -> dict[StateKey, EventId]:
        """Return the event IDs of keys that are read for the first time. A key without one is absent."""
        found: dict[StateKey, EventId] = {}
        changes, base, absent = self._changes, self._base, self.absent
        for key in unread:
            if key not in absent:
                event_id = changes.get(key) or base.get(key)
                if event_id is None:
                    absent.add(key)
                else:
                    found[key] = event_id
        return found

    def read(self, event_ids: Mapping[StateKey, EventId]) -> None:
        """Read the events of keys. Record a key as absent if its event is missing or skipped as rejected."""
        events, skips = self._known.events, self._problem.skips
        found = []
        for key, event_id in event_ids.items():
            event = events.get(event_id)
            if event is None or skips(event_id):
                self.absent.add(key)
            else:
                found.append(event_id)
                self.events[key] = event
        self._known.check_room(found)

    def completed_for(self, event: Event, keys: Collection[StateKey]) -> dict[StateKey, Event]:
        """Return the events of keys, with the event's own auth events where the state has none."""
        # In version 12 the create event counts as an auth event.
        events, is_rejected = self._known.events, self._problem.is_rejected
        result: dict[StateKey, Event] = {}
        for parent in event.auth_parents:
            other = events.get(parent)
            if other is not None and other.state_key is not None and not is_rejected(parent):
                result.setdefault((other.type, other.state_key), other)
        state = self.events
        result.update((key, state[key]) for key in keys if key in state)
        return result

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
    for event_id in order:
        if skip_rejected and problem.is_rejected(event_id):
            continue
        event = known.events[event_id]
        state_key = event.state_key
        # The list has state events only. A message gets here if an event cites it against the rules.
        if state_key is None:
            continue
        keys: Collection[StateKey] = select_auth_types(event)
        if not event.room_version.create_in_auth_events:
            keys = {CREATE, *keys}
        seen = state
        unread = [key for key in keys if key not in state]
        if unread:
            event_ids = view.find(unread)
            if event_ids:
                if known.lacks(event_ids.values()):
                    yield from known.need(event_ids.values())
                view.read(event_ids)
            if not absent.isdisjoint(unread):
                seen = view.completed_for(event, keys)
        verdict = check_against_state(event, seen)
        key = (event.type, state_key)
        if trace is not None:
            replaced = view.event_id(key) if verdict.allowed else None
            trace.checks.append(Check(event_id, key, phase, verdict, verdict.allowed, replaced))
        if verdict.allowed:
            view.accept(key, event_id, event)
