"""A restricted join on one branch of a room, and what was of the user on the other."""

import builder

from roomver import Event
from roomver.types import EventId, StateKey


def authorised_join(version: str) -> tuple[builder.Room, Event, list[dict[StateKey, EventId]]]:
    """Return a room, Carol's join, and the states of two branches.

    On one branch Carol was invited and left. On the other, Bob authorised her join, later.
    """
    room = builder.Room(version, signed=False)
    room.join(builder.ALICE)
    room.power({"users": {builder.BOB: 100} if version == "12" else {builder.ALICE: 100, builder.BOB: 100}})
    room.join_rule("public")
    room.join(builder.BOB)
    room.join_rule("restricted")
    before = dict(room.state)
    room.member(builder.CAROL, "invite", by=builder.ALICE)
    room.member(builder.CAROL, "leave", depth=5)
    states = [{key: event.event_id for key, event in room.state.items()}]
    room.state = before
    more = {"join_authorised_via_users_server": builder.BOB}
    joined = room.member(builder.CAROL, "join", more=more, depth=9)
    states.append({key: event.event_id for key, event in room.state.items()})
    return room, joined, states
