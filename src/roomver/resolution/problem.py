"""The input of one resolution, in one value."""

from collections.abc import Collection, Container
from dataclasses import dataclass

from ..types import EventId
from ..versions import StateResolution
from .mainlines import Mainlines
from .need import KnownEvents
from .room_graph import RoomGraph
from .split import Split
from .trace import Trace


@dataclass(slots=True, kw_only=True)
class Problem:
    """What to resolve, and how.

    Attributes:
        split: the states, split.
        states: the number of states.
        known: the events that are known.
        algorithm: the algorithm to use instead of the room version's.
        graph: the room's graph, if the caller keeps one.
        auth_difference, conflicted_subgraph: precomputed sets, if the caller has them.
        rejected: the IDs of rejected events, as far as the caller passes them in; `is_rejected` has them all.
        skip_rejected: leave out rejected events, as Synapse does, instead of checking them again.
        mainlines: the power levels of the room, if the caller keeps them from one resolution to the next.
        trace: collects the intermediate results; None without tracing.
    """

    split: Split
    states: int
    known: KnownEvents
    algorithm: StateResolution | None = None
    graph: RoomGraph | None = None
    auth_difference: Collection[EventId] | None = None
    conflicted_subgraph: Collection[EventId] | None = None
    rejected: Container[EventId] = frozenset()
    skip_rejected: bool = False
    mainlines: Mainlines | None = None
    trace: Trace | None = None

    def is_rejected(self, event_id: EventId) -> bool:
        """Tell whether an event was rejected, as the caller or the store says."""
        return event_id in self.rejected or event_id in self.known.rejected

    def skips(self, event_id: EventId) -> bool:
        """Tell whether an event is left out because it was rejected."""
        return self.skip_rejected and self.is_rejected(event_id)
