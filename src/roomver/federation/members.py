"""The current state of a room, and which servers have members in it.

Other servers are told of a room, and say something about it, only if they are in it.
"""

from collections.abc import Mapping

from ..errors import MissingEvents
from ..identifiers import server_of
from ..receive import state_before_steps
from ..state import State, entries_of, unknown_of
from ..steps import Current, NeedCurrent, NeedEvents, Stored
from ..types import EventId, ServerName, StateMap
from .needs import FederationSteps, LocalRoom


def servers_steps(state: StateMap[EventId], room: LocalRoom) -> FederationSteps[frozenset[ServerName]]:
    """Return the servers with a joined user in a state, this one included.

    If members are unknown, the servers that the response to the join named are added.
    """
    members = frozenset(one for key, one in entries_of(state).items() if key[0] == "m.room.member")
    events: Mapping[EventId, Stored] = yield NeedEvents(members)
    joined = {
        server_of(one.event.sender)
        for one in events.values()
        if one.event.content.get("membership") == "join"
    }
    return frozenset(joined | room.servers if unknown_of(state) else joined)


def current_state_steps(room: LocalRoom) -> FederationSteps[State[EventId]]:
    """Return the current state of a room; the empty state if nothing of it is stored.

    Raises:
        MissingEvents: naming the events that leave it unknown.
    """
    current: Current = yield NeedCurrent()
    found = yield from state_before_steps(current.extremities, graph=room.graph)
    if found.state is None:
        raise MissingEvents(found.missing, "the current state")
    return found.state


def current_servers_steps(room: LocalRoom) -> FederationSteps[frozenset[ServerName]]:
    """Return the servers with a joined user in the current state of a room, as `servers_steps` does."""
    return (yield from servers_steps((yield from current_state_steps(room)), room))


def is_here_steps(server: ServerName, room: LocalRoom) -> FederationSteps[bool]:
    """Tell whether a server has a joined user in the current state of a room: see `servers_steps`.

    Of the members, only those of the server are fetched.

    Raises:
        MissingEvents: as in `current_state_steps`.
    """
    state = yield from current_state_steps(room)
    members = frozenset(
        event_id
        for (kind, user), event_id in entries_of(state).items()
        if kind == "m.room.member" and server_of(user) == server
    )
    events: Mapping[EventId, Stored] = yield NeedEvents(members)
    if any(one.event.content.get("membership") == "join" for one in events.values()):
        return True
    return bool(unknown_of(state)) and server in room.servers


def may_tell_steps(server: ServerName, room: LocalRoom) -> FederationSteps[bool]:
    """Tell whether a server has a say in what the state was: not if it has left, or was never here."""
    try:
        return (yield from is_here_steps(server, room))
    except MissingEvents:
        return False
