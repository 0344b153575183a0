"""Target: rooms in part. More events, states and keys decide more, and reverse nothing."""

from functools import lru_cache
from itertools import pairwise
from random import Random
from typing import Any

from builder import ALICE, BOB, CAROL, DAVE, VERSIONS, key_of, public_key, server_name
from played_rooms import Part, agree, arrived_late, followed, parts, played, same_as_reference

from roomver import Event, KeyRing, replay_room, sign_event
from roomver.entry import Entry, Place
from roomver.keys import read_key_table
from roomver.replay import Decisions
from roomver.room_check import RoomCheck, check_room
from roomver.versions import StateResolution

from .promises import Invalid, in_case, promised, version_in

_SERVERS = sorted({server_name(user) for user in (ALICE, BOB, CAROL, DAVE)})
_ALGORITHMS = [None, *(algorithm.value for algorithm in StateResolution)]


def draw_room(rng: Random) -> Any:
    """Draw a random room, what is missing of it, and what is known about it."""
    length = rng.randrange(3, 36)

    def numbers(*counts: int) -> list[int]:
        return [rng.randrange(length + 6) for _ in range(rng.choice(counts))]

    return {
        "version": rng.choice(VERSIONS),
        "seed": rng.randrange(10**6),
        "length": length,
        "odd": rng.random() < 0.4,
        "gone": numbers(0, 0, 1, 2, 8),
        "restrictions": numbers(0, 0, 1, 2),
        "unheard": rng.random() < 0.2,
        "given": rng.randrange(10**6),
        "soft_failure": rng.random() < 0.8,
        "shuffled": rng.random() < 0.3,
        "algorithm": rng.choice(_ALGORITHMS if rng.random() < 0.3 else [None]),
        "rejected": numbers(0, 1, 3),
        "soft_failed": numbers(0, 1, 3),
        "keys": [server for server in _SERVERS if rng.random() < 0.6] if rng.random() < 0.3 else None,
        "forged": numbers(0, 1, 3),
    }


@lru_cache(64)
def _played(seed: int, version: str, length: int, odd: bool, signed: bool) -> list[Event]:
    return played(Random(f"{seed}/{version}"), version, length, odd=odd, signed=signed)


def run_room(case: Any) -> None:
    """Replay a room whole and in part, by the rules and by a server's decisions; check it with some keys."""
    version, seed, given = version_in(case), in_case(case, "seed", int), in_case(case, "given", int)
    length, odd = max(0, min(in_case(case, "length", int), 60)), in_case(case, "odd", bool)
    soft_failure, algorithm = in_case(case, "soft_failure", bool), case.get("algorithm")
    if algorithm not in _ALGORITHMS:
        raise Invalid("algorithm")
    events = _played(seed, version, length, odd, signed=False)
    same_as_reference(events)
    decisions = Decisions({*_chosen(case, "rejected", events)}, {*_chosen(case, "soft_failed", events)})
    restricting = [event for event in events if event.content.get("membership") in ("ban", "leave")]
    chosen = {*_chosen(case, "gone", events), *_chosen(case, "restrictions", restricting)}
    unheard = in_case(case, "unheard", bool)
    every: tuple[dict[str, Any], ...] = (
        {"soft_failure": soft_failure, "algorithm": algorithm},
        {"decisions": decisions, "algorithm": algorithm},
    )
    for options in every:
        # What is missing is found by its followers, unless the case is about missing events that have none.
        gone = chosen if unheard else chosen & {*followed(replay_room(events, **options))}
        arrived = arrived_late(events, gone)
        whole = replay_room(arrived, **options)
        rng = Random(given)
        some = parts(rng, arrived, whole, gone)
        replays = [part.replay(**options) for part in some]
        for more, less in pairwise(replays):
            agree(less, more, ends=not unheard)
        agree(replays[-1], replays[0], ends=not unheard)
        if in_case(case, "shuffled", bool):
            in_any_order = {**options, "soft_failure": False}
            shuffled = _shuffled(rng, some[-1]).replay(**in_any_order)
            agree(shuffled, some[0].replay(**in_any_order), ends=not unheard)
    if case.get("keys") is not None:
        servers = [one for one in in_case(case, "keys", list) if one in _SERVERS]
        signed = _played(seed, version, length, odd, signed=True)
        _keys_decide_more(signed, {*_chosen(case, "forged", signed)}, servers)


def _chosen(case: Any, name: str, events: list[Event]) -> list[str]:
    """Return the IDs of the events that a part of a case names by numbers."""
    numbers = [one for one in in_case(case, name, list) if type(one) is int]
    return [events[one % len(events)].event_id for one in numbers] if events else []


def _shuffled(rng: Random, part: Part) -> Part:
    return Part(rng.sample(part.events, len(part.events)), part.given, part.accepted)


def _ring(servers: list[str]) -> KeyRing:
    return read_key_table({server: {"ed25519:1": {"key": public_key(server)}} for server in servers})


def _keys_decide_more(events: list[Event], forged: set[str], servers: list[str]) -> None:
    """More keys may decide a signature that was open, and reverse none. A forged event is dropped then.

    A room without its forged events is a part of the same room with them.
    """
    entries = []
    for number, event in enumerate(events, 1):
        pdu: Any = event.pdu
        if event.event_id in forged:
            server = server_name(event.sender)
            pdu = {key: value for key, value in pdu.items() if key != "signatures"}
            pdu = sign_event(pdu, event.room_version, server, key_of("somebody else"))
        entries.append(Entry(Place(number, ""), event.event_id, pdu))
    version = events[0].room_version
    checks = [check_room(entries, version, keys=_ring(ring)) for ring in ([], servers, _SERVERS)]
    for less, more in pairwise(checks):
        _check_decides_more(less, more)
    _check_decides_more(checks[0], checks[2])
    promised(checks[0].gathered.left_out == {}, "no event is dropped because a key is unknown")
    promised({*checks[2].gathered.left_out} == forged, "all forged events are dropped, and no others")


def _check_decides_more(less: RoomCheck, more: RoomCheck) -> None:
    for event_id, finding in less.gathered.left_out.items():
        promised(more.gathered.left_out.get(event_id) == finding, "what is dropped stays dropped")
    if less.gathered.events:
        for event_id, check in more.gathered.checks.items():
            before = less.gathered.checks[event_id].signatures
            promised(before is None or not before.decided or before is check.signatures, "a verdict stays")
    for event_id in more.gathered.left_out.keys() - less.gathered.left_out.keys():
        signatures = less.gathered.checks[event_id].signatures
        promised(signatures is not None and not signatures.decided, "a decided signature stays")
    if more.gathered.events:
        agree(more.replay, less.replay, ends=False)
