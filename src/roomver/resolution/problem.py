"""One resolution's input, gathered: what is to be resolved, and how."""

from collections.abc import Collection, Container
from dataclasses import dataclass

from ..types import EventId
from ..versions import StateResolution
from .need import KnownEvents
from .room_graph import RoomGraph
from .split import Split
from .trace import Trace


@dataclass(slots=True)
class Problem:
    """What is to be resolved, and how.

    Attributes:
        split: the states.
        states: how many there are.
        algorithm: another one than the room version's.
        graph: the room's graph, if the caller keeps one.
        auth_difference, conflicted_subgraph: if the caller has them from an index of its own.
        rejected: the IDs of events that were rejected.
        skip_rejected: leave out rejected events, as Synapse does, instead of trying them again.
        known: the events.
        trace: filled, if there is one.
    """

    split: Split
    states: int
    algorithm: StateResolution | None
    graph: RoomGraph | None
    auth_difference: Collection[EventId] | None
    conflicted_subgraph: Collection[EventId] | None
    rejected: Container[EventId]
    skip_rejected: bool
    known: KnownEvents
    trace: Trace | None
