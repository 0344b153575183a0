"""Verdicts of events that the rules cannot tell apart.

In a room, many users send messages while the state stays as it is. The rules read nothing of such an event
but its type, its state key, its sender and what it cites. It cites the member event of its sender, and what
it cites beside that is the same for all senders: the create event and the power levels. So the verdict on one
event is the verdict on the next, also of another sender, if three things hold:

* Both cite the same events beside the member events of their senders.
* An event that cites each of these member events for its sender was allowed. So each of them is the join of
  that user, and is in order as an auth event.
* The rules cannot tell the senders apart: neither the power levels nor the create event name them, and the
  room is open to all servers.

And where the state before an event has the entries that its auth events are, both checks read the same.
"""

from collections.abc import Collection, Container, Mapping, Sequence
from typing import Final

from ..auth import check_own_auth_events
from ..errors import UnknownState
from ..event import Event
from ..power import CREATE, POWER_LEVELS, creators_of, power_levels_of
from ..rules import Verdict
from ..selection import select_auth_types
from ..types import EventId, RoomId, StateKey, StateMap, UserId
from ..versions import RoomVersion

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
# How many verdicts are kept, and how many joins.
_KEPT: Final = 4_096
_JOINS_KEPT: Final = 65_536


class Entries:
    """Entries that the rules read.

    Attributes:
        read: each key that the rules may read, and the event that is its entry; None if there is none.
        group: a group of states that have these entries; None if none is known.
    """

    __slots__ = ("group", "read")

    def __init__(self, read: Sequence[tuple[StateKey, EventId | None]]) -> None:
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


class _Everyone(Container[UserId]):
    """All users: where the rules tell servers apart, they may tell any two users apart."""

    def __contains__(self, user: object) -> bool:
        return True


class _Common(Entries):
    """The entries that events of many senders cite: all but the member events of the senders.

    Attributes:
        create: the create event.
        users, creators: the users whom the rules may tell apart from others.
        verdicts: what the rules say of events that cite these, by type, state key and sender; the sender is
            None for all whom the rules do not tell apart. Each of them is allowed.
    """

    __slots__ = ("create", "creators", "users", "verdicts")

    def __init__(self, create: Event, power_levels: Event | None) -> None:
        levels = None if power_levels is None else power_levels.event_id
        super().__init__([(CREATE, create.event_id), (POWER_LEVELS, levels)])
        self.create: EventId = create.event_id
        self.creators: Collection[UserId] = creators_of(create)
        self.users: Container[UserId] = ()
        if create.content.get("m.federate") is False:
            self.users = _Everyone()
        elif power_levels is not None:
            self.users = power_levels_of(power_levels).users
        self.verdicts: dict[tuple[str, str | None, UserId | None], Verdict] = {}


class Allowed:
    """That an event's auth events allow it, and the entries that the rules read of them.

    Attributes:
        verdict: the verdict.
        entries: the entries, or those that other events cite too.
        own: the other entry then: the member event of the sender.
    """

    __slots__ = ("entries", "own", "verdict")

    def __init__(
        self, verdict: Verdict, entries: Entries, own: tuple[StateKey, EventId] | None = None
    ) -> None:
        self.verdict: Verdict = verdict
        self.entries: Entries = entries
        self.own: tuple[StateKey, EventId] | None = own

    def are_in(self, state: StateMap[EventId], group: int) -> bool:
        """Tell whether a state is known to have the same entries: see `Entries.are_in`."""
        if not self.entries.are_in(state, group):
            return False
        return self.own is None or _has(state, *self.own)


class AuthVerdicts:
    """Checks events against their auth events (check 4), and keeps what allows the next ones too.

    Args:
        events: those that may be cited.
        rejected: the rejected ones. Whether an event is rejected must be known before it is cited.
    """

    def __init__(self, events: Mapping[EventId, Event], rejected: Container[EventId]) -> None:
        self._events = events
        self._rejected = rejected
        self._equal: dict[str, Verdict] = {}
        # All that is kept is of one room: that of the first event that was kept.
        self._room_id: RoomId | None = None
        self._version: RoomVersion | None = None
        # The joins that were cited by their users, and what else these events cited.
        self._joined: dict[EventId, UserId] = {}
        self._common: dict[tuple[EventId, ...], _Common] = {}
        self._kept = 0

    def shared(self, verdict: Verdict) -> Verdict:
        """Return an equal verdict that other events have too, if it says nothing about its event."""
        return verdict if verdict.detail else self._equal.setdefault(verdict.rule.name, verdict)

    def in_both(self, event: Event, state: StateMap[EventId], group: int) -> Verdict | None:
        """Return the verdict on an event by its auth events and by a state, if it is allowed and kept.

        This may be called without a look at undecided auth events, unlike `check`: whatever is kept was cited
        by an event that `check` allowed, so it was not undecided then, and no status changes afterwards.

        Args:
            event: the event.
            state: the state before it.
            group: the group of the state.

        Returns:
            The verdict of both checks; None if `check` and `Allowed.are_in` have to tell.
        """
        found = self._find(event)
        if found is None:
            return None
        verdict, common, member = found
        if common.group != group and not common.are_in(state, group):
            return None
        return verdict if _has(state, ("m.room.member", event.sender), member) else None

    def check(self, event: Event) -> Verdict | Allowed:
        """Check an event. Arguments, errors and verdict are those of `roomver.check_auth`.

        None of its auth events may be undecided, unless it is a create event.

        Returns:
            The verdict if the event is refused; otherwise the verdict with what it was read from.
        """
        found = self._find(event)
        if found is not None:
            verdict, common, member = found
            return Allowed(verdict, common, (("m.room.member", event.sender), member))
        verdict, state = check_own_auth_events(event, self._events, rejected=self._rejected)
        verdict = self.shared(verdict)
        if not verdict.allowed:
            return verdict
        if not state:
            return Allowed(verdict, Entries(()))  # the rules on create events read none
        self._keep(event, verdict, state)
        read: list[tuple[StateKey, EventId | None]] = []
        for key in {CREATE, *select_auth_types(event)}:
            entry = state.get(key)
            read.append((key, None if entry is None else entry.event_id))
        return Allowed(verdict, Entries(read))

    def _find(self, event: Event) -> tuple[Verdict, _Common, EventId] | None:
        """Return the verdict that is kept for an event, with the entries that it was read from."""
        cited, sender = event.auth_event_ids, event.sender
        joined = self._joined
        for member in cited:
            if joined.get(member) == sender:
                break
        else:
            return None
        place = cited.index(member)
        common = self._common.get(cited[:place] + cited[place + 1 :])
        if common is None or common.create in self._rejected:
            return None
        who = sender if sender in common.users or sender in common.creators else None
        verdict = common.verdicts.get((event.type, event.state_key, who))
        if verdict is None or event.room_version is not self._version or event.room_id != self._room_id:
            return None
        return verdict, common, member

    def _keep(self, event: Event, verdict: Verdict, state: Mapping[StateKey, Event]) -> None:
        """Keep a verdict that allows an event, for events that the rules cannot tell from it.

        The rules compare a state key that begins with ``@`` with the sender.
        """
        key = event.state_key
        if event.type in _READ_WHOLE or verdict.detail or (key is not None and key.startswith("@")):
            return
        if self._version is None:
            self._room_id, self._version = event.room_id, event.room_version
        elif event.room_version is not self._version or event.room_id != self._room_id:
            return
        if self._kept >= _KEPT:
            self._common.clear()
            self._kept = 0
        if len(self._joined) >= _JOINS_KEPT:
            self._joined.clear()
        cited, sender = event.auth_event_ids, event.sender
        member = state["m.room.member", sender].event_id  # nobody else may send such an event
        self._joined[member] = sender
        place = cited.index(member)
        rest = cited[:place] + cited[place + 1 :]
        common = self._common.get(rest)
        if common is None:
            common = self._common[rest] = _Common(state[CREATE], state.get(POWER_LEVELS))
        who = sender if sender in common.users or sender in common.creators else None
        common.verdicts[event.type, key, who] = verdict
        self._kept += 1


def _has(state: StateMap[EventId], key: StateKey, event_id: EventId) -> bool:
    """Tell whether a state is known to have an event for a key."""
    try:
        return state.get(key) == event_id
    except UnknownState:
        return False
