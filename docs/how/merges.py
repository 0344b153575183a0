"""Merges that the pages show: of a small room, or of a case of the vectors, resolved by each algorithm.

Nothing about Matrix is computed here. The events come from the recordings and the suite, the steps from
`roomver.resolution`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from roomver.cli.loading import load_room
from roomver.cli.people import ShortIds
from roomver.event import Event
from roomver.readers.suite import load_suite
from roomver.resolution import Resolution, Trace, resolve
from roomver.resolution.mainlines import first_power_levels
from roomver.suite.inputs import read_events, read_rejected, read_states
from roomver.types import EventId, StateKey, StateMap
from roomver.versions import StateResolution, get_room_version
from vectors.generate import resolution_classics, resolution_corners, resolution_readings, resolution_v1
from vectors.generate.scenes import Scene, Scenes
from vectors.generate.suite import EventsFile

from .small_rooms import small_rooms

ALGORITHMS = tuple(one.value for one in StateResolution)


@dataclass(frozen=True)
class Merge:
    """States of a room that are to be merged, and the events that the page names.

    Attributes:
        events: the events, each after its auth events.
        names: the label of each event.
        states: the states to merge.
        rejected: the events that were rejected on receipt.
    """

    events: Mapping[EventId, Event]
    names: Mapping[EventId, str]
    states: Sequence[StateMap[EventId]]
    rejected: frozenset[EventId] = frozenset()

    @property
    def ids(self) -> Mapping[str, EventId]:
        """The ID of each label."""
        return {name: event_id for event_id, name in self.names.items()}

    def short(self, event_id: EventId) -> str:
        """Return an ID, as short as the commands print it."""
        return ShortIds(self.events)(event_id)

    def resolved(self, algorithm: str) -> Resolution:
        """Resolve the states by an algorithm, with its steps."""
        return resolve(self.states, self.events, rejected=self.rejected, algorithm=algorithm, trace=True)

    def steps(self, algorithm: str) -> Trace:
        """Return the steps of a resolution."""
        steps = self.resolved(algorithm).steps
        assert steps is not None
        return steps

    def state_events(self) -> list[EventId]:
        """Return the state events of the states and of their auth chains, oldest first."""
        wanted: set[EventId] = set()
        todo = [one for state in self.states for one in state.values()]
        while todo:
            one = todo.pop()
            if one not in wanted:
                wanted.add(one)
                todo += self.events[one].auth_parents
        return [one for one in self.events if one in wanted]

    def mainline_path(self, event_id: EventId, mainline: Sequence[EventId]) -> list[EventId]:
        """Return the power levels that an event cites, those that they cite, and so on.

        The path ends at the first ones of the mainline; if there are none, where no power levels are cited.
        """
        path: list[EventId] = []
        current = first_power_levels(self.events[event_id].auth_event_ids, self.events)
        while current is not None:
            path.append(current)
            if current in mainline:
                break
            current = first_power_levels(self.events[current].auth_event_ids, self.events)
        return path

    def keys(self) -> list[StateKey]:
        """Return the keys on which the states differ, in the order of the events."""
        found: dict[StateKey, None] = {}
        for event_id in self.events:
            event = self.events[event_id]
            if event.state_key is not None:
                key = (event.type, event.state_key)
                if len({state.get(key) for state in self.states}) > 1:
                    found[key] = None
        return list(found)


@cache
def room_merge(room: str, label: str) -> Merge:
    """Return the merge before an event of a small room, which is read and replayed as commands do it."""
    small = small_rooms()[room]
    loaded = load_room(str(small.path), None, None)
    states = loaded.replay.states_met(small.labels[label])
    names = {event_id: name for name, event_id in small.labels.items()}
    events = sorted(loaded.events.values(), key=lambda event: event.origin_server_ts)
    return Merge({event.event_id: event for event in events}, names, list(states.values()))


@cache
def case_merge(name: str) -> Merge:
    """Return the merge of a case of the vectors, with the labels that its notes use."""
    (case,) = (one for one in load_suite() if one.name == name)
    version = get_room_version(case.room_version)
    events = read_events(case.input, version)
    names = {event_id: label for label, event_id in _labels()[name].items() if event_id in events}
    ordered = {event_id: events[event_id] for event_id in names}
    return Merge(ordered, names, read_states(case.input, events), read_rejected(case.input))


class _Labelled(Scenes):
    """Takes the labels of the cases instead of writing them."""

    def __init__(self) -> None:
        super().__init__(EventsFile("", ""), EventsFile("", ""))
        self.labels: dict[str, dict[str, EventId]] = {}

    def case(self, name: str, scene: Scene, *args: Any, **more: Any) -> None:
        self.labels[f"resolve.{name}.v{scene.version}"] = dict(scene.ids)

    def disputed(self, name: str, scene: Scene, *args: Any, **more: Any) -> None:
        self.labels[f"resolve.{name}.v{scene.version}"] = dict(scene.ids)


@cache
def _labels() -> Mapping[str, Mapping[str, EventId]]:
    book = _Labelled()
    for version in ("11", "12"):
        resolution_classics.cases(book, version)
        resolution_readings.cases(book, version)
    resolution_corners.cases(book)
    resolution_v1.cases(book)
    return book.labels
