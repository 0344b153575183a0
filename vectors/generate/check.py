"""Cases of ``check``: a whole room, replayed from its create event to its forward extremities."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from .auth_numbers import RULE_NUMBERS
from .constants import MESSAGE, NAME, POWER_LEVELS, POWER_LEVELS_KEY, TOPIC
from .independent import public_key, seed_of
from .rooms import ALICE, BOB, CAROL, HELLO, MALLORY, ROOM_KEY_ID, Room, plain_room, server_of
from .suite import SPEC, EventsFile, File
from .versions import ALL

CHECKS = f"{SPEC}/server-server-api/#checks-performed-on-receipt-of-a-pdu"


def files() -> Iterator[File]:
    """Yield the vector file."""
    file = EventsFile(
        "resolution/rooms.json", "Whole rooms: which events are rejected, and the state at the end"
    )
    for version in ALL:
        _plain(file, version)
        _rejected(file, version)
        _forked(file, version)
        _merged(file, version)
        _signatures(file, version)
    yield file


def _add(
    file: File, name: str, room: Room, state: list[str], notes: str, rejected: Any = None, keys: Any = None
) -> None:
    given: dict[str, Any] = {"events": room.events, **({"keys": keys} if keys else {})}
    expected = {"rejected": rejected or {}, "state": sorted(state)}
    file.add(f"check.{name}", room.version, given, expected, spec=CHECKS, notes=notes)


def _room(version: str) -> Room:
    room = plain_room(version, {BOB: 50}, joined=[BOB])
    room.put(ALICE, TOPIC, {"topic": "one"}, "")
    return room


def _plain(file: File, version: str) -> None:
    room = _room(version)
    room.put(BOB, MESSAGE, HELLO)
    _add(file, "plain", room, list(room.state.values()), "Every event is accepted.")


def _rejected(file: File, version: str) -> None:
    room = _room(version)
    state = list(room.state.values())
    before = list(room.heads)
    refused = room.make(BOB, POWER_LEVELS, room.levels({BOB: 100}), "")
    usual = room.select(ALICE, TOPIC, {}, "")
    citing = room.make(
        ALICE,
        TOPIC,
        {"topic": "two"},
        "",
        auth=[refused if one == room.state[POWER_LEVELS_KEY] else one for one in usual],
        prev=before,
    )
    stranger = room.make(MALLORY, MESSAGE, HELLO, prev=[refused])
    numbers = RULE_NUMBERS[version]
    _add(
        file,
        "rejected",
        room,
        state,
        "Bob raises his own level above what he has. A topic cites that event, and a stranger sends a"
        " message after it. All three are rejected.",
        {
            refused: numbers["power_levels.users_new"],
            citing: numbers["auth_events.rejected"],
            stranger: numbers["sender.not_joined"],
        },
    )


def _forked(file: File, version: str) -> None:
    room = _room(version)
    fork, heads = dict(room.state), list(room.heads)
    topic = room.put(BOB, TOPIC, {"topic": "two"}, "")
    room.state, room.heads = dict(fork), heads
    demoted = room.power()
    room.heads = [topic, demoted]
    room.state = dict(fork)
    late = room.make(BOB, NAME, {"name": "Vectors"}, "")
    state = [one for key, one in fork.items() if key != POWER_LEVELS_KEY] + [demoted]
    if version == "1":
        notes = (
            "Bob sets a topic on one branch while another branch removes his power. Of the two topics, the"
            " deepest one that is allowed stays; it is Alice's. Bob's name for the room after the merge is"
            " rejected."
        )
    else:
        notes = (
            "Bob sets a topic on one branch while another branch removes his power, and the topic goes back"
            " to Alice's. Bob's name for the room follows both branches. Its own auth events allow it, but"
            " the state before it does not."
        )
    rejected = {late: RULE_NUMBERS[version]["required_level"]}
    _add(file, "forked", room, state, notes, rejected)


def _merged(file: File, version: str) -> None:
    room = _room(version)
    heads = list(room.heads)
    topic = room.put(BOB, TOPIC, {"topic": "two"}, "")
    room.heads = heads
    name = room.put(ALICE, NAME, {"name": "Vectors"}, "")
    room.heads = [topic, name]
    room.put(BOB, MESSAGE, HELLO)
    notes = "A topic and a name are on two branches, and a message follows both. The state has both."
    _add(file, "merged", room, list(room.state.values()), notes)


def _signatures(file: File, version: str) -> None:
    room = _room(version)
    room.member(CAROL, "join")
    state = list(room.state.values())
    servers = sorted({server_of(user) for user in (ALICE, BOB, CAROL)})
    keys = {server: {ROOM_KEY_ID: {"key": public_key(seed_of(server, ROOM_KEY_ID))}} for server in servers}
    forged = room.make(BOB, TOPIC, {"topic": "forged"}, "")
    pdu = deepcopy(room.events[forged])
    other = room.events[room.make(BOB, TOPIC, {"topic": "another"}, "")]
    del room.events[list(room.events)[-1]]
    pdu["signatures"] = other["signatures"]
    room.events[forged] = pdu
    notes = "The topic has the signature of another event, so it is dropped as if it had never arrived."
    _add(file, "signature", room, state, notes, {forged: True}, keys)
