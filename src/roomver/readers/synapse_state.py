"""The states in a Synapse database: state groups. `synapse_gaps` has what they tell about a room.

A state group is a room state, kept as changes from another group. Groups may be many and large. So only the
groups that are asked for are made, and they share what they have in common.

Checked with Synapse 1.163.2: the group of an accepted state event is the state after it, also if the event
is soft-failed; the group of any other event is the state before it. The group before the create event is
empty, and the group after it derives from that one.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise
from typing import Final, NamedTuple

from ..event import Event
from ..power import CREATE
from ..resolution import RoomState
from ..state import Unknown, known_in_part
from ..state_document import NOT_USABLE
from ..types import EventId, RoomId, StateKey, StateMap
from .database import AT_ONCE, Database, number_of, rows_among, text_of

_WHOLE_AT_ONCE: Final = 16
"""How many groups that are kept in whole one query asks for. Their states are in memory together."""
_LONGEST_LINE: Final = 128
"""How many groups are followed one by one. Synapse keeps a group in whole after at most 100."""

# Stands in a state for the event of a lost key.
_LOST: Final = "lost"


@dataclass(slots=True)
class _Group:
    """One state group, without the changes.

    Attributes:
        made_for: the event that the server made it for.
        parent: the group that it is kept as changes from; None if it is kept in whole.
        fault: why its state is unknown; empty if it is known.
    """

    made_for: EventId | None = None
    parent: int | None = None
    fault: str = ""


class GroupState(NamedTuple):
    """The state of a group.

    Attributes:
        entries: its entries.
        lost: the keys whose event is not among the usable events of the room, as a state, so that states
            share them. They have no entry in `entries`.
        has_members: whether it has had members since it had more than the create event.
    """

    entries: RoomState
    lost: RoomState
    has_members: bool = True

    def as_map(self, *more: Unknown) -> StateMap[EventId]:
        """Return the state, as far as it is known."""
        unknown = [*more]
        if not self.has_members:
            # The creator joined before anything else happened.
            unknown.append(Unknown.members("no member is in the state"))
        if self.lost:
            unknown.append(Unknown(NOT_USABLE, keys=frozenset(self.lost)))
        return known_in_part(self.entries, unknown)


@dataclass(slots=True)
class StateGroups:
    """The state groups of one room.

    Attributes:
        database: to read from.
        room_id: of the room.
        events: the usable events of the room, by ID.
    """

    database: Database
    room_id: RoomId
    events: Mapping[EventId, Event]
    _known: dict[int, _Group] = field(default_factory=dict)

    def look_up(self, numbers: Iterable[int]) -> None:
        """Read which groups some groups derive from, down to those that are kept in whole.

        Cost: linear in the number of these groups. Each is read once, so a cycle ends. Synapse keeps lines
        of at most 100 groups. Where one is longer, all groups of the room are read at once, so that the
        number of queries is bounded.
        """
        todo = [number for number in dict.fromkeys(numbers) if number not in self._known]
        for _ in range(_LONGEST_LINE):
            if not todo:
                return
            self._read(todo)
            todo = self._unread(todo)
        if todo:
            rows = self.database.rows("SELECT id FROM state_groups WHERE room_id = ?", self.room_id)
            of_room = {number for (raw,) in rows if (number := number_of(raw)) is not None}
            self._read(sorted(of_room.union(todo)))
            self.look_up(self._unread([*self._known]))

    def _unread(self, numbers: Iterable[int]) -> list[int]:
        """Return the groups that some groups derive from and that have not been read."""
        parents = {parent for number in numbers if (parent := self._known[number].parent) is not None}
        return sorted(parents - self._known.keys())

    def _read(self, numbers: Collection[int]) -> None:
        """Read some groups, and the groups that they derive from.

        No join: without an index, or with wrong statistics, it would go through a table for each row.
        """
        self._known.update((number, _Group(fault=f"state group {number} is missing")) for number in numbers)
        sql = "SELECT id, room_id, event_id FROM state_groups WHERE id"
        for raw, room, made_for in rows_among(self.database, sql, numbers):
            if (number := number_of(raw)) is not None:
                fault = "" if text_of(room) == self.room_id else f"state group {number} is of another room"
                self._known[number] = _Group(text_of(made_for), None, fault)
        sql = "SELECT state_group, prev_state_group FROM state_group_edges WHERE state_group"
        rows = rows_among(self.database, sql, numbers)
        edges: dict[int, set[int | None]] = {}
        for raw, prev in rows:
            if (number := number_of(raw)) is not None and number in self._known:
                edges.setdefault(number, set()).add(number_of(prev))
        for number, parents in edges.items():
            group, parent = self._known[number], parents.pop()
            if group.fault:
                continue
            if parents or parent is None:
                group.fault = f"state group {number} derives from no group, or from several"
            else:
                group.parent = parent

    def parent(self, number: int) -> int | None:
        """Return the group that a group is kept as changes from; None if it is kept in whole or unknown."""
        return self._known[number].parent

    def made_for(self, number: int) -> EventId | None:
        """Return the event that a group was made for; None if that is unknown."""
        return self._known[number].made_for

    def make_only_own(self, made: Mapping[int, tuple[StateKey, EventId]]) -> set[int]:
        """Return the groups whose only change is the given one: a key and its event."""
        found = set()
        todo = iter(made)
        while some := list(islice(todo, AT_ONCE)):
            by_group = self._changes(some)
            found |= {number for number in some if by_group.get(number) == dict([made[number]])}
        return found

    def _changes(self, numbers: Sequence[int]) -> dict[int, dict[StateKey, EventId | None]]:
        """Return the own changes of groups; None stands for an event that is not among the usable ones."""
        found: dict[int, dict[StateKey, EventId | None]] = {}
        sql = "SELECT state_group, type, state_key, event_id FROM state_groups_state WHERE state_group"
        rows = rows_among(self.database, sql, numbers)
        for raw, kind, state_key, event_id in rows:
            number, key = number_of(raw), (text_of(kind), text_of(state_key))
            if number is None:
                continue
            if key[0] is None or key[1] is None:
                # Any key may be meant.
                self._known[number].fault = f"state group {number} has a row without a key"
                continue
            event = self.events.get(text_of(event_id) or "")
            usable = event is not None and (event.type, event.state_key) == key
            changes = found.setdefault(number, {})
            changes[key[0], key[1]] = event.event_id if usable and event is not None else None
        return found

    def states(self, numbers: Iterable[int]) -> dict[int, GroupState | str]:
        """Return the states of groups; for a group whose state is unknown, the reason.

        Cost: each change on the way to these groups is read once. A group that several others derive from is
        kept while they are made.
        """
        wanted = dict.fromkeys(numbers)
        self.look_up(wanted)
        ways = {number: self._way(number) for number in wanted}
        children: dict[int, set[int]] = {}
        for way in ways.values():
            if not isinstance(way, str):
                for parent, child in pairwise(way):
                    children.setdefault(parent, set()).add(child)
        made: dict[int, GroupState | str] = {}
        trunk: RoomState | None = None
        ahead = _Ahead(self, [number for way in ways.values() if not isinstance(way, str) for number in way])
        for way in ways.values():
            if isinstance(way, str):
                continue
            # Groups from which nothing else branches off are passed over: only their changes count.
            passed: list[int] = []
            last: GroupState | str | None = None
            for number in way:
                if number in made:
                    last, passed = made[number], []
                    continue
                passed.append(number)
                if number in wanted or number == way[0] or len(children.get(number, ())) > 1:
                    last = made[number] = self._made(last, passed, trunk, ahead)
                    passed = []
                    if trunk is None and isinstance(last, GroupState):
                        trunk = last.entries
        states = {number: way if isinstance(way := ways[number], str) else made[number] for number in wanted}
        for number, state in states.items():
            if not isinstance(state, str) and not state.entries and not state.lost:
                states[number] = f"state group {number} has no entries"
        return states

    def _way(self, number: int) -> list[int] | str:
        """Return the groups from one that is kept in whole to a group, or why there is no such way."""
        way: list[int] = []
        seen: set[int] = set()
        at: int | None = number
        while at is not None:
            if at in seen:
                return f"state group {at} derives from itself"
            group = self._known[at]
            if group.fault:
                return group.fault
            seen.add(at)
            way.append(at)
            at = group.parent
        return way[::-1]

    def _made(
        self, base: GroupState | str | None, passed: Sequence[int], trunk: RoomState | None, ahead: "_Ahead"
    ) -> GroupState | str:
        """Return the state after the changes of some groups, each derived from the one before it."""
        if isinstance(base, str):
            return base
        changes: dict[StateKey, EventId | None] = {}
        # The keys so far, as long as they are at most that of the create event.
        early: set[StateKey] | None = set()
        has_members = True
        if base is not None:
            has_members = base.has_members
            early = {*base.entries, *base.lost} if len(base.entries) + len(base.lost) < 2 else None
        for number in passed:
            own = ahead.take(number)
            changes.update(own)
            if fault := self._known[number].fault:
                return fault
            if early is None or not own:
                continue
            early |= own.keys()
            if CREATE not in early:
                # Without its edge, a group's changes look like a whole state.
                return f"state group {number} derives from no group and has no create event"
            if len(early) > 1:
                has_members = any(kind == "m.room.member" for kind, _ in early)
                early = None
        lost = {key: _LOST if event_id is None else None for key, event_id in changes.items()}
        if base is not None:
            return GroupState(base.entries.changed(changes), base.lost.changed(lost), has_members)
        entries = {key: event_id for key, event_id in changes.items() if event_id is not None}
        whole = RoomState(entries) if trunk is None else RoomState.sharing([trunk, entries])[1]
        return GroupState(whole, RoomState().changed(lost), has_members)


class _Ahead:
    """The changes of groups, which are read some groups at a time, in the order in which they are used.

    Without an index, each query goes through the whole table. So one reads many groups: changes are few in
    a group that derives from another. A group that is kept in whole may have many.
    """

    def __init__(self, groups: StateGroups, order: Iterable[int]) -> None:
        self._groups = groups
        self._order = [*dict.fromkeys(order)]
        self._places = {number: place for place, number in enumerate(self._order)}
        self._held: dict[int, dict[StateKey, EventId | None]] = {}
        self._read = 0  # how many of the groups have been read

    def take(self, number: int) -> dict[StateKey, EventId | None]:
        """Return the changes of a group, and let them go. Each group is taken at most once, in order."""
        place = self._places[number]
        if place >= self._read:
            some, left = [], AT_ONCE
            for one in self._order[place : place + AT_ONCE]:
                some.append(one)
                left -= 1 if self._groups.parent(one) is not None else AT_ONCE // _WHOLE_AT_ONCE
                if left <= 0:
                    break
            self._held = self._groups._changes(some)
            self._read = place + len(some)
        return self._held.pop(number, {})
