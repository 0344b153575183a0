"""How long does one authorisation check take in a room with 100 users in its power levels, on a warm
interpreter, beside Synapse's state-dependent check?

`check_auth` applies all rules. `check_against_state` applies only the rules that look at the state, as
Synapse's function does. Events and state are already parsed.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import roomver
from roomver.types import StateKey

from . import synapse
from .measure import Contender, Goal, Row
from .run import Run
from .shapes import CREATOR, Builder

VERSION = "11"
FULL = "roomver check_auth"
STATE = "roomver check_against_state"
THEIRS = "Synapse"

GOALS = [
    Goal("join", f"{FULL} seconds", "s", at_most=10e-6),
    Goal("join", f"{THEIRS} / {FULL}", "x", at_least=5),
]


def ask(run: Run) -> Iterator[Row]:
    """Check one event of each kind."""
    events, state, subjects = room()
    for subject, event in subjects.items():
        contenders: list[Contender[bool]] = [
            Contender(FULL, partial(_full, event, state, events)),
            Contender(STATE, partial(_against_state, event, state)),
        ]
        if synapse.installed():
            make = synapse.parser(VERSION)
            selected = sorted(roomver.select_auth_types(event))
            theirs = [make(state[key].pdu) for key in selected if key in state]
            check = synapse.module("event_auth").check_state_dependent_auth_rules
            contenders.append(Contender(THEIRS, partial(_by_synapse, check, make(event.pdu), theirs)))
        row = run.compare(subject, contenders, full=not run.quick, note="seconds per check")
        if not synapse.installed():
            row.skipped[THEIRS] = synapse.HOW_TO_INSTALL
        yield row


def room() -> tuple[dict[str, roomver.Event], dict[StateKey, roomver.Event], dict[str, roomver.Event]]:
    """Return the events of a room, its state, and the events to check by kind."""
    builder = Builder(VERSION)
    users = [f"@user{number}:server{number}.example" for number in range(100)]
    builder.power(dict.fromkeys(users, 50))
    builder.add("m.room.join_rules", CREATOR, {"join_rule": "public"}, "")
    for user in users[:3]:
        builder.add("m.room.member", user, {"membership": "join"}, user)
    state = {key: builder.events[event_id] for key, event_id in builder.state.items()}
    guest = "@guest:elsewhere.example"
    levels = dict.fromkeys(users, 50)

    def made(kind: str, sender: str, content: dict[str, Any], state_key: str | None = None) -> roomver.Event:
        return builder.events[builder.add(kind, sender, content, state_key, state=dict(builder.state))]

    subjects = {
        "join": made("m.room.member", guest, {"membership": "join"}, guest),
        "message": made("m.room.message", users[0], {"body": "hello"}),
        "ban": made("m.room.member", users[0], {"membership": "ban"}, guest),
        "power levels": made(
            "m.room.power_levels", CREATOR, {"users": {CREATOR: 100, **levels, guest: 1}}, ""
        ),
    }
    return builder.events, state, subjects


def _full(event: roomver.Event, state: Any, events: Any) -> bool:
    return roomver.check_auth(event, state, events).allowed


def _against_state(event: roomver.Event, state: Any) -> bool:
    return roomver.check_against_state(event, state).allowed


def _by_synapse(check: Any, event: Any, state: list[Any]) -> bool:
    check(event, state)  # raises if the event is not allowed
    return True
