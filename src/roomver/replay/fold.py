"""The fold: go through the events in order and compute the verdicts and the states of each.

This module has more than 400 lines: an event's verdict and the states around it are made in one pass.

How it works:

* *Order.* Parents come before children: prev events, auth events, and the events of a given state, if prev
  events are missing (`Bridging`).
  Events on a cycle are rejected first and left out. Otherwise input order is kept: a parent that comes later
  in the input is put just before the first event that needs it.
* *State before an event.* It is the merge of the states after the prev events. States are `RoomState`s,
  which share structure, so that equal entries of two branches are not compared. A state leaves memory when
  the last event that follows it has been folded; `Replay` can rebuild it, because every state also has a
  number, its *group*, under which its changes from another group are kept.
* *Merge.* States that do not agree are split and resolved by `resolve_split`, against the room's `RoomGraph`,
  which grows with the fold. Events that follow the same branches have the same merge: the last few are kept.
* *Verdicts.* An event is checked against its auth events first, and against the state before it if those
  allow it. What is unknown leaves it undecided: a missing or undecided auth event, an unknown state, or an
  unknown key of the state. Outliers are the exception (`Fold._judge`). An undecided event is never accepted.
* *Unknown states.* If a prev event is missing, the state before an event is unknown (a *gap*), and so are
  the states after it, up to the next given state.
* *Given states.* After missing prev events, a given state is believed: nothing else tells. If the prev events
  are known, the given state and the state over them tell each other's unknown entries, and where they differ,
  the entries are unknown (`agree`, `Replay.contradicted`). So a given state that is wrong reverses nothing
  that the events decide: what a contradiction made unknown, no other given state tells (`Fold._doubt`).
* *States known in part* (`PartialState`). A given state may be one. After an undecided state event, its key
  is unknown. A merge is decided only if more knowledge could not change it (`resolve`). If it is not decided,
  the entries on which all states agree are known after it.
* *More knowledge* decides more, and reverses nothing: every rule above makes an answer unknown if an unknown
  value could change it. After missing events this holds as long as given states are true. One that has an
  event which the server that gave it cannot have accepted is believed until the event's own history is known.
* *Resets.* At each merge, a key was reset if the merged state has a value that one side had already
  replaced (`Resets`).
* *Ends.* The forward extremities and the soft-failed events are found as the events arrive (`Ends`).
"""

from collections import Counter, OrderedDict
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Final, cast

from ..auth import check_against_state
from ..errors import SHOWN, Lack, MissingEvents, UnknownState
from ..event import Event
from ..power import CREATE
from ..resolution import KnownEvents, Mainlines, Problem, RoomState, Split, resolve_split, split_states
from ..selection import select_auth_types
from ..state import (
    EventsOf,
    PartialState,
    Unknown,
    changed_entries,
    entries_of,
    known_in_part,
    lack_of,
    unknown_of,
)
from ..state.room_state import changes_between
from ..types import EventId, StateKey, StateMap
from ..versions import StateResolution
from .bridging import Bridging, find_bridging
from .causes import MERGED, SEVERAL_UNDECIDED, UNDECIDED
from .given import VOUCHED_AND_REFUSED, Filled, agree
from .groups import SharedStates
from .order import find_order, find_outliers
from .outcome import Decisions, KnownRejected, Outcome, Status
from .resets import RESETS_KEPT, Resets
from .result import Merge, Replay, Reset
from .states import Grouped
from .verdicts import Allowed, AuthVerdicts

# How many merges are kept for other events that follow the same branches.
_MERGES_KEPT: Final = 16


# The most reasons that a state known in part may have. Beyond that, every key without an entry is unknown.
_REASONS_KEPT: Final = 16


def why_undecided(error: MissingEvents) -> list[Unknown]:
    """Say why a merge is undecided: a given state holds undecided events."""
    return [
        Unknown.everything("events of the branches are undecided", one)
        for one in error.event_ids[:_REASONS_KEPT]
    ]


@dataclass(slots=True)
class Merged:
    """A merge of states, kept for other events that follow the same branches."""

    split: Split | None
    """None if the merge is undecided."""
    groups: list[int]
    """The groups of the states, in the order of the states."""
    resolved: dict[StateKey, EventId | None]
    after: Grouped
    parents: frozenset[EventId] = frozenset()
    resets: list[Reset] | None = field(default_factory=list)


class Fold:
    """The state of a running fold, which is not needed afterwards."""

    def __init__(  # noqa: PLR0913 - all but three are options by keyword
        self,
        result: Replay,
        given: Mapping[EventId, StateMap[EventId]],
        current: StateMap[EventId] | None,
        *,
        accepted: Mapping[EventId | None, Collection[EventId]],
        algorithm: StateResolution | None = None,
        decisions: Decisions | None = None,
        resets: bool = True,
        followed: Collection[EventId] = frozenset(),
        other_rooms: Mapping[EventId, Event] | None = None,
    ) -> None:
        self.result = result
        self.events: Mapping[EventId, Event] = result.events
        # The events that may be cited. One of another room only makes the rules refuse what cites it.
        self.cited: Mapping[EventId, Event] = (
            {**other_rooms, **result.events} if other_rooms else result.events
        )
        # Without those that tell no more than the prev events, once these are known.
        self.given: dict[EventId, StateMap[EventId]] = {**given}
        result._given = self.given
        # The given states that are used alone, because prev events are missing.
        self.bridges: dict[EventId, StateMap[EventId]] = {}
        # By group: what a given state told of a state that is otherwise computed.
        self.filled: dict[int, Filled] = {}
        # The events before which the state is believed: a given state tells of it, or of one that it derives
        # from.
        self.believed: set[EventId] = set()
        # The events around which given states contradict each other or the events, and those based on them.
        self.doubted: set[EventId] = set()
        result._bridges = self.bridges
        self.current = result._given_current = current
        self.skip_rejected: bool = result._skip_rejected
        self.algorithm: StateResolution | None = algorithm
        result._algorithm = algorithm
        self.decisions: Decisions | None = None if decisions is None else decisions.frozen()
        result._decisions = self.decisions
        self.rejected: set[EventId] = set()
        self.undecided: set[EventId] = set()
        self.auth_verdicts: AuthVerdicts = AuthVerdicts(self.cited, self.rejected)
        self.places: dict[EventId, int] = {}
        self.resets: Resets | None = Resets(self.events, self.places, self.bridges) if resets else None
        self.mainlines: Mainlines = Mainlines(self.events)
        self.shared: SharedStates = SharedStates()
        # The last merges, by the groups of the states that were merged.
        self.merged: OrderedDict[tuple[int, ...], Merged] = OrderedDict()
        # What the merges have cost: a unit for each state, and for each event of a conflicted key.
        self.merges_cost: int = 0
        # Event ID to the state after it and its group, while a later event still needs it.
        self.states: dict[EventId, Grouped] = {}
        self.followers: dict[EventId, int] = {}
        # More events that come before an event that a state is given for.
        self.answered: dict[EventId | None, frozenset[EventId]] = {
            event_id: frozenset(one for one in answer if one in self.events and one != event_id)
            for event_id, answer in accepted.items()
        }
        stated = [
            [one for one in entries_of(state).values() if one != event_id]
            for event_id, state in given.items()
        ]
        now: Collection[EventId] = () if current is None else entries_of(current).values()
        # The events that count as accepted where nothing decides.
        self.vouched: frozenset[EventId] = find_outliers(self.events, [*stated, now, *self.answered.values()])
        result.outliers = self.vouched
        # Also the events that a state or an answer itself is given for: the joins that a server let in.
        self.others_vouched: frozenset[EventId] = frozenset(
            one for answer in accepted.values() for one in answer if one not in self.vouched
        )
        base, cyclic = find_order(self.events, {})
        self.bridging: Bridging = find_bridging(base, self.events, given, self.answered)
        needed = self.bridging.states
        self.ordered: tuple[list[EventId], tuple[EventId, ...]] = (
            find_order(self.events, needed) if needed else (base, cyclic)
        )
        of_events = [answer for event_id, answer in self.answered.items() if event_id is not None]
        # Those that come before an event in particular. Nothing but a state or an answer that bridges a gap
        # tells this of an event before which the state is known.
        unplaced = find_outliers(self.events, [*stated, *of_events]) - self.bridging.told
        bridged = [*needed.values(), *self.bridging.answers.values()]
        self.placed_outliers: frozenset[EventId] = unplaced | find_outliers(self.events, bridged)
        self.outliers: frozenset[EventId] = self.placed_outliers | find_outliers(
            self.events, [now, self.answered.get(None, ())]
        )
        result._groups.append((-1, ()))
        self.nothing: Grouped = (RoomState(), 0)
        # The result of `find_followed` for an earlier fold of the same room.
        self.followed = followed

    def begin(self) -> list[EventId]:
        """Find the order of the events, parents first, and return it."""
        order, cyclic = self.ordered
        for event_id in cyclic:
            self.rejected.add(event_id)
            self.result.outcomes[event_id] = Outcome(event_id, Status.CYCLIC)
        self.result.order = order
        self.places.update(zip(order, range(len(order)), strict=True))
        followed = [self.events[event_id].prev_event_ids for event_id in order]
        once = chain.from_iterable(ids if len(ids) == 1 else set(ids) for ids in followed)
        self.followers = Counter(filter(self.places.__contains__, once))
        return order

    def step(self, event_id: EventId, event: Event) -> tuple[Outcome, Grouped | None, Grouped | None]:
        """Take the next event of the order. Return its outcome, and the states before and after it."""
        if self.believed or self.doubted or self.given:
            self._doubt(event)
        before = self._state_before(event_id, event)
        outcome = self.result.outcomes[event_id] = self._judge(event_id, event, before)
        return outcome, before, self._fold(event_id, event, outcome, before)

    def _fold(
        self, event_id: EventId, event: Event, outcome: Outcome, before: Grouped | None
    ) -> Grouped | None:
        """Take an event into the room, and return the state after it; None if that is unknown."""
        status = outcome.status
        if status is Status.UNDECIDED:
            self.undecided.add(event_id)
        elif status is not Status.ACCEPTED:
            self.rejected.add(event_id)
        if event.state_key is not None and status is not Status.UNDECIDED:
            graph = self.result.graph
            parents = event.auth_parents
            if all(parent in graph for parent in parents):
                graph.add(event)
            else:
                # It cites messages or events on a cycle, so no state event can be based on it.
                graph.extend({event_id: [parent for parent in parents if parent in graph]})
        if before is None:
            return None
        self.result._before[event_id] = before[1]
        after = before
        if event.state_key is not None:
            key = (event.type, event.state_key)
            if status is Status.ACCEPTED:
                state = before[0]
                # What it replaced may be unknown. Then no reset is seen here.
                if self.resets is not None and (
                    type(state) is RoomState or not unknown_of(state) or key in entries_of(state)
                ):
                    self.resets.note(event_id, entries_of(state).get(key))
                after = self._changed(before, {key: event_id})
                self._still_filled(before, after, key)
            elif status is Status.UNDECIDED:
                after = self._forgetting(before, key, event_id, outcome.lack)
        self.result._after[event_id] = after[1]
        if event_id in self.followers:
            self.states[event_id] = after
        return after

    def _changed(self, state: Grouped, changes: Mapping[StateKey, EventId | None]) -> Grouped:
        """Return a state with some entries changed, and keep it as a group."""
        return self._kept(state[0].changed(changes), state[1], changes)

    def _kept(
        self, state: StateMap[EventId], base: int, changes: Mapping[StateKey, EventId | None]
    ) -> Grouped:
        """Keep a state as a group: by its changes from another group, and by what is unknown in it."""
        groups = self.result._groups
        groups.append((base, tuple(changes.items())))
        group = len(groups) - 1
        unknown = unknown_of(state)
        if unknown:
            self.result._unknown[group] = unknown
        return cast(Grouped, (state, group))

    def _forgetting(self, before: Grouped, key: StateKey, event_id: EventId, lack: Lack) -> Grouped:
        """Return the state after an undecided state event: its key is unknown, everything else as before."""
        state, group = before
        unknown = (
            *unknown_of(state),
            Unknown(UNDECIDED, keys=frozenset([key]), event_id=event_id, lack=lack),
        )
        if len(unknown) > _REASONS_KEPT:
            unknown = (Unknown.everything(SEVERAL_UNDECIDED, event_id, lack_of(unknown)),)
        changes: dict[StateKey, EventId | None] = {key: None}
        after = self._kept(
            known_in_part(changed_entries(entries_of(state), changes), unknown), group, changes
        )
        if len(unknown) > len(unknown_of(state)):
            self._still_filled(before, after, key)
        return after

    def _still_filled(self, before: Grouped, after: Grouped, key: StateKey) -> None:
        """Note what a given state told of the state after an event for a key."""
        if before[1] in self.filled:
            self.filled[after[1]] = self.filled[before[1]].replaced(key)

    def _state_before(self, event_id: EventId, event: Event) -> Grouped | None:
        """Return the state before an event, resolved over its prev events; None if it is unknown."""
        parents = event.prev_event_ids
        if len(parents) == 1:
            state = self._state_after(parents[0])
            if state is not None and event_id not in self.given:
                return state
            states, missing = ({}, [*parents]) if state is None else ({parents[0]: state}, [])
        else:
            states, missing = {}, []
            for parent in dict.fromkeys(parents):
                state = self._state_after(parent)
                if state is None:
                    missing.append(parent)
                else:
                    states[parent] = state
        given = self.given.get(event_id)
        if not missing:
            computed = self.merge(event_id, states)
            return computed if given is None else self._agreed(event_id, given, computed)
        if given is not None:
            return self._bridged(event_id, given)
        ids = event.prev_event_ids
        self.result.gaps[event_id] = ids if len(missing) == len(ids) else tuple(missing)
        return None

    def _state_after(self, event_id: EventId) -> Grouped | None:
        """Return the state after an event, for an event that follows it; None if it is unknown."""
        followers = self.followers
        left = followers.get(event_id, 0) - 1
        if left > 0:
            followers[event_id] = left
            return self.states.get(event_id)
        return self.states.pop(event_id, None)  # no other event needs it

    def _doubt(self, event: Event) -> None:
        """Note whether the state before an event is believed, and whether something is contradicted there.

        What is unknown because of a contradiction, no given state must tell: the one that is wrong would tell
        what it made unknown.
        """
        if not (self.believed or self.doubted or event.event_id in self.given):
            return
        given = self.given.get(event.event_id, {})
        if self.believed and not self.believed.isdisjoint(event.prev_event_ids):
            self.believed.add(event.event_id)
        if any(one.lack is Lack.AGREEMENT for one in unknown_of(given)) or (
            self.doubted
            and not self.doubted.isdisjoint(
                (*event.prev_event_ids, *event.auth_event_ids, *entries_of(given).values())
            )
        ):
            self.doubted.add(event.event_id)

    def _bridged(self, event_id: EventId, given: StateMap[EventId]) -> Grouped:
        """Return a given state whose prev events do not tell it."""
        self.bridges[event_id] = given
        self.believed.add(event_id)
        state = self._without_own(event_id, given)
        entries = entries_of(state)
        own = entries if isinstance(entries, RoomState) else RoomState(entries)
        base, changes = self.shared.place(own, len(self.result._groups))
        return self._kept(known_in_part(own, unknown_of(state)), base, changes)

    def _agreed(self, event_id: EventId, given: StateMap[EventId], computed: Grouped) -> Grouped:
        """Return what a given state and the state over the prev events tell together."""
        state, group = computed
        adds = event_id not in self.doubted
        together, contested = agree(event_id, self._without_own(event_id, given), state, adds=adds)
        if together is state:
            del self.given[event_id]
            return computed
        self.believed.add(event_id)
        if contested:
            self.doubted.add(event_id)
            self.result.contradicted[event_id] = (*contested[:SHOWN],)
        entries = entries_of(together)
        if not entries:
            return self._kept(together, -1, {})
        added = changes_between(entries_of(state), entries)
        found = self._kept(together, group, added)
        if not contested:
            self.filled[found[1]] = Filled(frozenset(added), unknown_of(state), len(unknown_of(together)))
        return found

    def _without_own(self, event_id: EventId, given: StateMap[EventId]) -> StateMap[EventId]:
        """Return a given state in which the key of the event itself is unknown, if it has the event."""
        # The same object may be given for two events: their unknown entries may still differ.
        unknown, entries = [replace(one, event_id=event_id) for one in unknown_of(given)], entries_of(given)
        event = self.events[event_id]
        key = (event.type, event.state_key or "")
        if entries.get(key) == event_id:
            why = "the state before an event has the event itself"
            unknown.append(Unknown(why, keys=frozenset([key]), event_id=event_id))
            entries = changed_entries(entries, {key: None})
        return known_in_part(entries, unknown)

    def merge(self, event_id: EventId | None, states: Mapping[EventId, Grouped]) -> Grouped:
        """Merge the states after some events, and record the merge and its resets if they do not agree.

        Args:
            event_id: the event before which they are merged; None for the forward extremities.
            states: the events, each with the state after it.
        """
        if len(states) == 1:
            (alone,) = states.values()
            return alone
        distinct = list({state[1]: state for state in states.values()}.values())
        if not distinct:
            return self.nothing
        if len(distinct) == 1:
            return distinct[0]
        merged = self.merged_for(event_id, distinct)
        if merged.split is not None and merged.split.conflicted:
            self.result.merges.append(Merge.of(event_id, tuple(states), merged.split))
            if merged.parents != states.keys():
                merged.parents = frozenset(states)
                by_group: dict[int, list[EventId]] = {}
                for parent, (_, group) in states.items():
                    by_group.setdefault(group, []).append(parent)
                parents = [by_group[group] for group in merged.groups]
                merged.resets = self.resets_at(merged.split, merged.resolved, parents)
            self.note_resets(event_id, merged.resets)
        return merged.after

    def merged_for(self, event_id: EventId | None, distinct: Sequence[Grouped]) -> Merged:
        """Merge distinct states. Many events may follow the same branches. Their states are merged once."""
        groups = tuple(sorted(group for _, group in distinct))
        merged = self.merged.get(groups)
        if merged is None:
            merged = self.merged[groups] = self._merged(event_id, distinct)
            if len(self.merged) > _MERGES_KEPT:
                self.merged.popitem(last=False)
        return merged

    def _merged(self, event_id: EventId | None, distinct: Sequence[Grouped]) -> Merged:
        states = [state for state, _ in distinct]
        groups = [group for _, group in distinct]
        first = distinct[0]
        self.merges_cost += len(states)
        try:
            split = split_states(states)
            self.merges_cost += sum(map(len, split.conflicted.values()))
            resolved = self.resolved(split, len(distinct), self.algorithm)
        except (UnknownState, MissingEvents) as error:
            computed = self._merged_as_computed(distinct)
            if computed is not None:
                return Merged(None, groups, {}, computed)
            if isinstance(error, MissingEvents):
                unknown = why_undecided(error)
            else:
                unknown = [Unknown.everything(MERGED, event_id, error.lack)]
            # No algorithm changes an entry that all branches agree on.
            split = split_states([entries_of(state) for state in states])
            lost: dict[StateKey, EventId | None] = dict.fromkeys(split.conflicted)
            return Merged(None, groups, {}, self._kept(PartialState(split.agreed(), unknown), first[1], lost))
        # A merge often ends in one of the states. If it is kept under the same group, the next merge with the
        # same branch is the same merge.
        for state, group in distinct:
            if all(state.get(key) == value for key, value in resolved.items()):
                return Merged(split, groups, resolved, (state, group))
        after = self._changed(first, {k: v for k, v in resolved.items() if first[0].get(k) != v})
        return Merged(split, groups, resolved, after)

    def _merged_as_computed(self, distinct: Sequence[Grouped]) -> Grouped | None:
        """Merge states without what given states told of them; None if they told nothing, or if it fails."""
        if not any(group in self.filled for _, group in distinct):
            return None
        bare = [
            self.filled[group].taken_from(state) if group in self.filled else state
            for state, group in distinct
        ]
        try:
            split = split_states(bare)
            resolved = self.resolved(split, len(distinct), self.algorithm)
        except (UnknownState, MissingEvents):
            return None
        # No algorithm changes an entry that all branches agree on.
        told = {
            key: entries_of(distinct[0][0]).get(key)
            for _, g in distinct
            if g in self.filled
            for key in self.filled[g].keys
        }
        agreed = {key: e for key, e in told.items() if all(entries_of(s).get(key) == e for s, _ in distinct)}
        changes = {**resolved, **{key: e for key, e in agreed.items() if e is not None}}
        entries = changed_entries(entries_of(bare[0]), changes)
        first, group = distinct[0]
        return self._kept(
            known_in_part(entries, split.unknown), group, changes_between(entries_of(first), entries)
        )

    def resolved(
        self, split: Split, count: int, algorithm: StateResolution | None
    ) -> dict[StateKey, EventId | None]:
        """Resolve states; return the resolved event, or None, of each key that is conflicted or new."""
        problem = Problem(
            split=split,
            states=count,
            known=KnownEvents(self.events, ignore_missing=False),
            algorithm=algorithm,
            graph=self.result.graph,
            rejected=KnownRejected(self.rejected, self.undecided),
            skip_rejected=self.skip_rejected,
            mainlines=self.mainlines,
        )
        steps = resolve_split(problem)
        try:
            wanted = next(steps)
            raise MissingEvents(wanted)
        except StopIteration as done:
            return {**dict.fromkeys(split.conflicted), **done.value}

    def resets_at(
        self,
        split: Split,
        resolved: Mapping[StateKey, EventId | None],
        parents: Sequence[Collection[EventId]],
    ) -> list[Reset] | None:
        """Return the resets of a merge; None if they are not sought, or not all of them are kept."""

        def by_v2_1() -> Mapping[StateKey, EventId | None] | None:
            # A given state may hold an undecided event that version 1's algorithm did not ask for.
            with suppress(MissingEvents, UnknownState):
                return self.resolved(split, len(parents), StateResolution.V2_1)
            return None

        if self.resets is None:
            return []
        folded = len(self.result.outcomes) - len(self.ordered[1])
        return self.resets.find(split, resolved, parents, by_v2_1, folded)

    def note_resets(self, event_id: EventId | None, found: list[Reset] | None) -> None:
        """Record the resets of a merge."""
        if found is None or len(self.result._resets) + len(found) > RESETS_KEPT + len(self.events):
            self.result.unsought.append(event_id)
        else:
            self.result._resets += [reset._replace(merge=event_id) for reset in found]

    def _judge(self, event_id: EventId, event: Event, before: Grouped | None) -> Outcome:
        outcome = self._checked(event_id, event, before)
        if self.decisions is None or not self.decisions.made_for(event_id):
            return outcome
        outcome.ours = outcome.status
        rejected = event_id in self.decisions.rejected
        outcome.status = Status.REJECTED_AS_RECORDED if rejected else Status.ACCEPTED
        return outcome

    def _checked(self, event_id: EventId, event: Event, before: Grouped | None) -> Outcome:
        """Check an event against its auth events and the state before it.

        A server that gives a state has accepted the events of that state and of its auth chain. So such an
        event counts as accepted where the state before it cannot tell, if its auth events allow it. If a
        given state refuses it, two servers contradict each other.
        """
        if before is not None:
            kept = self.auth_verdicts.in_both(event, *before)
            if kept is not None:
                return Outcome(event_id, Status.ACCEPTED, kept, kept)
        # An undecided auth event has not been accepted, and may still be rejected.
        undecided = self.undecided and [one for one in event.auth_event_ids if one in self.undecided]
        try:
            if undecided and event.type != "m.room.create":  # the rules on create events read none
                raise MissingEvents(undecided)
            found = self.auth_verdicts.check(event)
        except MissingEvents as error:
            return Outcome(event_id, Status.UNDECIDED, missing=error.event_ids)
        if not isinstance(found, Allowed):
            return Outcome(event_id, Status.REJECTED_BY_AUTH_EVENTS, found)
        by_auth_events = found.verdict
        vouched = event_id in self.vouched or event_id in self.others_vouched
        # What a contradiction made unknown, nobody's word decides.
        status = Status.ACCEPTED if vouched and event_id not in self.doubted else Status.UNDECIDED
        if before is None:
            return Outcome(event_id, status, by_auth_events)
        if found.are_in(*before):
            return Outcome(event_id, Status.ACCEPTED, by_auth_events, by_auth_events)
        try:
            by_state = self.auth_verdicts.shared(check_against_state(event, EventsOf(before[0], self.events)))
        except UnknownState as error:
            keys = self._unknown_keys(event, before[0])
            return Outcome(
                event_id, status, by_auth_events, unknown=keys, why_unknown=error.reason, lack=error.lack
            )
        if vouched and not by_state.allowed and event_id in self.believed:
            # The decision of the server that is followed settles it: its own states are no less true for it.
            if self.decisions is None or not self.decisions.made_for(event_id):
                self.doubted.add(event_id)
            keys = tuple(sorted({CREATE, *select_auth_types(event)}))
            why, lack = f"{VOUCHED_AND_REFUSED}: {by_state}", Lack.AGREEMENT
            return Outcome(
                event_id, Status.UNDECIDED, by_auth_events, unknown=keys, why_unknown=why, lack=lack
            )
        status = Status.ACCEPTED if by_state.allowed else Status.REJECTED_BY_STATE
        return Outcome(event_id, status, by_auth_events, by_state)

    @staticmethod
    def _unknown_keys(event: Event, state: StateMap[EventId]) -> tuple[StateKey, ...]:
        """Return the unknown keys among those that the check of an event may read, sorted."""
        keys = sorted({CREATE, *select_auth_types(event)})
        return tuple(key for key in keys if isinstance(state, PartialState) and state.why_unknown(key))
