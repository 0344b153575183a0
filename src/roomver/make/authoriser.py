"""Find a user who can authorise a restricted join.

Source: https://spec.matrix.org/latest/server-server-api/#restricted-rooms
"""

from typing import Final

from ..errors import MissingEvents
from ..identifiers import server_of
from ..policy import is_joined_from
from ..power import CREATE, POWER_LEVELS, Levels
from ..receive.known import Known
from ..receive.states import merged_before
from ..resolution import RoomGraph
from ..state import entries_of
from ..steps import Current, NeedCurrent, Steps
from ..types import EventId, ServerName, StateMap, UserId

# How many member events are fetched at a time.
_BATCH: Final = 64


# "`M_UNABLE_TO_GRANT_JOIN` […] is typically because the resident server can see that the joining user
# satisfies one of the conditions, though the resident server would be unable to meet the auth rules governing
# `join_authorised_via_users_server` on the resulting `m.room.member` event."
def find_authoriser_steps(server: ServerName, *, graph: RoomGraph | None = None) -> Steps[UserId | None]:
    """Return a joined user of a server who may invite others, to authorise a restricted join.

    Whether the joining user satisfies a condition of the join rules is for the caller to check.

    Args:
        server: the server's name.
        graph: the room's graph, as in `roomver.make.make_steps`.

    Returns:
        The user with the highest level, the first by user ID among equals; None if no user of the server can.

    Raises:
        MissingEvents: naming events that the store does not have.
        UnknownState: if the current state is known in part, and the power levels are unknown in it.
    """
    known = Known()
    state = yield from current_state(known, graph)
    found = [state.get(key) for key in (CREATE, POWER_LEVELS)]
    yield from known.need(event_id for event_id in found if event_id is not None)
    create, power_levels = (None if one is None else known.events[one] for one in found)
    levels = Levels(create, power_levels)
    invite = levels.named("invite")
    entries = entries_of(state)
    users = [
        user
        for kind, user in entries
        if kind == "m.room.member"
        and ":" in user
        and server_of(user) == server
        and levels.user(user) >= invite
    ]
    users.sort(key=lambda user: (-levels.user(user), user))
    for start in range(0, len(users), _BATCH):
        batch = users[start : start + _BATCH]
        yield from known.need(entries["m.room.member", user] for user in batch)
        for user in batch:
            if is_joined_from(known.events[entries["m.room.member", user]], server):
                return user
    return None


def current_state(known: Known, graph: RoomGraph | None) -> Steps[StateMap[EventId]]:
    """Return the current state of the room.

    Raises:
        MissingEvents: naming the events that leave it unknown.
    """
    current: Current = yield NeedCurrent()
    if current.state is not None:
        return current.state
    found = yield from merged_before(current.extremities, known, graph)
    if found.state is None or found.missing:
        raise MissingEvents(found.missing, "the current state")
    return found.state
