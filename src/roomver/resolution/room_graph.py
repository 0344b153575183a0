"""`RoomGraph`: the events of one room as a graph of auth events, kept from one resolution to the next."""

from collections.abc import Callable, Collection, Iterable, Mapping

from ..errors import WrongRoom
from ..event import Event
from ..graph import Dag
from ..types import EventId


class RoomGraph:
    """The auth events of one room's events, for auth differences and conflicted subgraphs.

    Keep one for a room, add each accepted event to it, and hand it to every `resolve`: the cost of a
    resolution then follows the disagreement and not the size of the room. Only IDs are kept, no
    events. Rejected events may be added too.

    An event's ``depth`` is its sender's claim and is not looked at: the order is that of the auth
    events themselves.

    Cost: `add` is amortised constant in each auth event; below 200 bytes an event.

    >>> graph = RoomGraph()
    >>> len(graph)
    0
    """

    __slots__ = ("_dag", "_room")

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self._dag = Dag()
        self._room: tuple[str, str] | None = None
        self.add_all(events)

    def __len__(self) -> int:
        return len(self._dag)

    def __contains__(self, event_id: object) -> bool:
        return event_id in self._dag

    def add(self, event: Event) -> None:
        """Add an event whose auth events have been added; one that is there already changes nothing.

        Raises:
            MissingEvents: naming the auth events that are not in the graph.
            CyclicGraph: if the event cites itself.
            WrongRoom: if it is of another room than the others.
        """
        room = self._same_room(event, self._room)
        # No state holds a message, and nothing may cite one: a search for what states share need not
        # look at them, and there are more of them than of all others.
        self._dag.add(event.event_id, event.auth_parents, leaf=event.state_key is None)
        self._room = room

    def add_all(self, events: Iterable[Event]) -> None:
        """Add events in any order: each auth event must be among them or in the graph.

        Raises:
            MissingEvents: naming all auth events that are in neither; nothing has been added then.
            CyclicGraph: naming the events that cite each other; nothing has been added then.
            WrongRoom: if they are not all of one room.
        """
        parents_of = {}
        leaves = set()
        room = self._room
        for event in events:
            room = self._same_room(event, room)
            parents_of[event.event_id] = event.auth_parents
            if event.state_key is None:
                leaves.add(event.event_id)
        self._dag.extend(parents_of, leaves)
        self._room = room

    def extend(self, parents_of: Mapping[EventId, Collection[EventId]]) -> None:
        """Add events by ID alone, in any order, with what they rest on; for one who keeps no events.

        Raises:
            MissingEvents: naming all parents that are neither given nor in the graph.
            CyclicGraph: naming the events that cite each other.
        """
        self._dag.extend(parents_of)

    @staticmethod
    def _same_room(event: Event, known: tuple[str, str] | None) -> tuple[str, str]:
        room = (event.room_id, event.room_version.identifier)
        if known is not None and room != known:
            raise WrongRoom(
                f"{event.event_id} is of room {room[0]}, version {room[1]}; the graph is of room"
                f" {known[0]}, version {known[1]}"
            )
        return room

    def auth_difference(
        self,
        masks: Mapping[EventId, int],
        full: int,
        is_shared: Callable[[EventId], bool],
    ) -> set[EventId]:
        """Return the auth difference of several room states.

        Source: https://spec.matrix.org/latest/rooms/v12/#definitions, "Auth difference". The auth chain
        of a state takes in the state's own events: read without them, an event in every state could
        become part of the full conflicted set. Synapse reads it so as well.

        Args:
            masks: each event that is in some states but not all: the bits of the states it is in.
            full: the bits of all states.
            is_shared: whether an event is in all states.

        Raises:
            MissingEvents: naming the events that are not in the graph.

        Cost: see `roomver.graph.Dag.difference`.
        """
        dag = self._dag
        keys = dag.keys
        nodes = dict(zip(dag.nodes(masks), masks.values(), strict=True))
        return {keys[node] for node in dag.difference(nodes, full, lambda node: is_shared(keys[node]))}

    def conflicted_subgraph(self, conflicted: Collection[EventId]) -> set[EventId]:
        """Return the conflicted state subgraph: what lies on a path of auth events between two
        conflicted events, and these themselves.

        Source: https://spec.matrix.org/latest/rooms/v12/#definitions, "Conflicted state subgraph"

        Raises:
            MissingEvents: naming the events that are not in the graph.
        """
        dag = self._dag
        return {dag.keys[node] for node in dag.between(dag.nodes(conflicted))}
