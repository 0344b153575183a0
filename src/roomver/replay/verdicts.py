"""Verdicts of events that the rules cannot tell apart.

In a room, the same users send messages while the state stays as it is. The rules read nothing of such an
event but its type, its sender, its state key and what it cites, so the verdict on one is the verdict on the
next. And where the state before an event has the entries that its auth events are, both checks read the same.
"""

from collections.abc import Container, Mapping, Sequence
from typing import Final

from ..auth import check_own_auth_events
from ..errors import UnknownState
from ..event import Event
from ..power import CREATE
from ..rules import Verdict
from ..selection import select_auth_types
from ..types import EventId, StateKey, StateMap

# The types whose rules read more of an event: a branch of the rules is theirs, in one version or another.
_READ_WHOLE: Final = frozenset(
    {
        "m.room.create",
        "m.room.aliases",
        "m.room.member",
        "m.room.third_party_invite",
        "m.room.power_levels",
        "m.room.redaction",
    }
)
_KEPT: Final = 4_096


class Allowed:
    """That an event's auth events allow it, and the entries that the rules read of them.

    Attributes:
        verdict: the verdict.
        read: each key that the rules may read, and the auth event that is its entry; None if there is none.
        group: a group of states that have these entries; None if none is known.
    """

    __slots__ = ("group", "read", "verdict")

    def __init__(self, verdict: Verdict, read: Sequence[tuple[StateKey, EventId | None]]) -> None:
        self.verdict: Verdict = verdict
        self.read: Sequence[tuple[StateKey, EventId | None]] = read
        self.group: int | None = None

    def are_in(self, state: StateMap[EventId], group: int) -> bool:
        """Tell whether a state is known to have the same entries, so that the same verdict follows from it.

        Args:
            state: the state.
            group: its group. States of one group are equal.
        """
        if group == self.group:
            return True
        try:
            for key, event_id in self.read:
                if state.get(key) != event_id:
                    return False
        except UnknownState:
            return False
        self.group = group
        return True


class AuthVerdicts:
    """Checks events against their auth events (check 4), and keeps what allows the next ones too.

    Args:
        events: those that may be cited.
        rejected: the rejected ones. Whether an event is rejected must be known before it is cited.
    """

    def __init__(self, events: Mapping[EventId, Event], rejected: Container[EventId]) -> None:
        self._events = events
        self._rejected = rejected
        self._kept: dict[tuple[object, ...], Allowed] = {}

    def check(self, event: Event) -> Verdict | Allowed:
        """Check an event. Arguments, errors and verdict are those of `roomver.check_auth`.

        Returns:
            The verdict if the event is refused; otherwise the verdict with what it was read from.
        """
        kind = event.type
        if kind in _READ_WHOLE:
            return self._check(event)
        alike = (kind, event.sender, event.state_key, event.room_id, event.auth_event_ids)
        kept = self._kept.get(alike)
        if kept is not None:
            return kept
        found = self._check(event)
        if isinstance(found, Allowed) and not found.verdict.detail:
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            self._kept[alike] = found
        return found

    def _check(self, event: Event) -> Verdict | Allowed:
        verdict, state = check_own_auth_events(event, self._events, rejected=self._rejected)
        if not verdict.allowed:
            return verdict
        if not state:
            return Allowed(verdict, ())  # the rules on create events read none
        read: list[tuple[StateKey, EventId | None]] = []
        for key in {CREATE, *select_auth_types(event)}:
            entry = state.get(key)
            read.append((key, None if entry is None else entry.event_id))
        return Allowed(verdict, read)
