"""The state that an event was tried on in a state resolution, rebuilt from the trace of the resolution.

A trace has the verdict of each check, and not the state that the rules read. That state follows from the
checks before it. A rebuilt state counts only if the rules say the same about the event again.
"""

from collections.abc import Container, Mapping

from ..auth import check_against_state
from ..errors import RoomverError
from ..event import Event
from ..power import CREATE
from ..resolution import Check, Trace
from ..selection import select_auth_types
from ..types import EventId, StateKey
from ..versions import StateResolution

__all__ = ["TriedStates"]

_PASSES = ("m.room.power_levels", "m.room.join_rules", "m.room.member", "rest")


class TriedStates:
    """The states of the checks of one resolution.

    Args:
        steps: the trace.
        events: event ID to event.
        rejected: the rejected events.
    """

    def __init__(self, steps: Trace, events: Mapping[EventId, Event], rejected: Container[EventId]) -> None:
        self.steps = steps
        self.events = events
        self.rejected = rejected
        # Key to the places and events of the accepted checks, in order.
        self._accepted: dict[StateKey, list[tuple[int, Check]]] = {}
        self._places: dict[EventId, int] = {}
        for place, check in enumerate(steps.checks):
            self._places.setdefault(check.event_id, place)
            if check.accepted:
                self._accepted.setdefault(check.key, []).append((place, check))

    def check_of(self, event_id: EventId) -> Check | None:
        """Return the first check of an event; None if it was not tried."""
        place = self._places.get(event_id)
        return None if place is None else self.steps.checks[place]

    def is_later(self, check: Check, event_id: EventId) -> bool:
        """Tell whether a check was made after that of an event, and not in the same pass of version 1."""
        other = self.check_of(event_id)
        if other is None or self._places[check.event_id] < self._places[event_id]:
            return False
        return self.steps.algorithm is not StateResolution.V1 or check.phase != other.phase

    def state_of(self, check: Check) -> dict[StateKey, Event] | None:
        """Return the part of the state that the rules read in a check.

        None if it cannot be rebuilt: then the rules would say something else, or the check was made without
        the rules.
        """
        subject = self.events.get(check.event_id)
        if subject is None or check.verdict is None:
            return None
        keys = {CREATE, *select_auth_types(subject)}
        place = self._places[check.event_id]
        found: dict[StateKey, Event] = {}
        for key in keys:
            event_id = self._entry(key, place, check)
            if event_id is None and self.steps.algorithm is not StateResolution.V1:
                event_id = self._own(subject, key)
            if event_id is not None and event_id in self.events:
                found[key] = self.events[event_id]
        try:
            same = check_against_state(subject, found) == check.verdict
        except RoomverError:
            return None
        return found if same else None

    def _entry(self, key: StateKey, place: int, check: Check) -> EventId | None:
        """Return the event of a key in the state that is being built."""
        version_1 = self.steps.algorithm is StateResolution.V1
        for at, accepted in reversed(self._accepted.get(key, [])):
            if at < place and (not version_1 or _is_seen(accepted, check)):
                return accepted.event_id
        if self.steps.algorithm is StateResolution.V2_1:
            return None
        return self.steps.unconflicted.get(key)

    def _own(self, subject: Event, key: StateKey) -> EventId | None:
        """Return the event of a key among an event's own auth events, where the state has none."""
        for event_id in subject.auth_parents:
            one = self.events.get(event_id)
            if one is not None and (one.type, one.state_key) == key and event_id not in self.rejected:
                return event_id
        return None


def _is_seen(accepted: Check, check: Check) -> bool:
    """Tell whether a check of version 1's algorithm sees what an earlier check accepted.

    The results of a pass are in the state when it ends. In the first three passes, a check also sees the
    last event that was accepted for its own key.
    """
    if accepted.key == check.key:
        return check.phase != "rest"
    return _PASSES.index(accepted.phase) < _PASSES.index(check.phase)
