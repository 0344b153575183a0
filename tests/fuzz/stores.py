"""Target: stores that lie to a resolution."""

from collections.abc import Mapping
from random import Random
from typing import Any, Final

from builder import VERSIONS
from random_forks import Fork

from roomver import Event, RoomGraph, RoomverError, resolve, resolve_steps
from roomver.resolution import run_steps
from roomver.versions import StateResolution

from . import corpus
from .promises import Invalid, answer, in_case, promised, version_in

_ALGORITHMS: Final = (None, *(algorithm.value for algorithm in StateResolution))
_LIES: Final = ("missing", "none", "wrong", "of another room", "raises", "more")


def draw_store(rng: Random) -> Any:
    """Draw a random room, and the lies that its store tells."""
    return {
        "version": rng.choice(VERSIONS),
        "seed": rng.randrange(5000),
        "length": rng.randrange(3, 25),
        "hostile": rng.random() < 0.5,
        "lies": [[rng.randrange(30), rng.choice(_LIES)] for _ in range(rng.randrange(4))],
        "graph": rng.random() < 0.4,
        "ignore": rng.random() < 0.3,
        "algorithm": rng.choice([None, *_ALGORITHMS]),
    }


class _Broken(KeyError):
    """What a store raises."""


class _LyingStore(Mapping[str, Event]):
    """A mapping that has another event, None or an exception in some places."""

    def __init__(self, events: Mapping[str, Event], lies: Mapping[str, str]) -> None:
        self.events, self.lies = events, lies

    def __iter__(self) -> Any:
        return iter(self.events)

    def __len__(self) -> int:
        return len(self.events)

    def __contains__(self, event_id: object) -> bool:
        return event_id in self.events

    def __getitem__(self, event_id: str) -> Any:
        match self.lies.get(event_id):
            case "missing":
                raise KeyError(event_id)
            case "none":
                return None
            case "wrong":
                return next(event for other, event in self.events.items() if other != event_id)
            case "of another room":
                return next(
                    iter(_fork(1, "12" if event_id.endswith(":x") else "1", 3, False).events.values())
                )
            case "raises":
                raise _Broken(event_id)
            case _:
                return self.events[event_id]


def _fork(seed: int, version: str, length: int, hostile: bool) -> Fork:
    made: Fork = corpus.fork(seed, version, max(3, min(length, 200)), hostile=hostile)
    return made


def run_store(case: Any) -> None:
    """Resolve with a store that lies to a fetcher, and with a mapping that lies."""
    version, seed = version_in(case), in_case(case, "seed", int)
    fork = _fork(seed, version, in_case(case, "length", int), in_case(case, "hostile", bool))
    ids = list(fork.events)
    lies = {}
    for one in in_case(case, "lies", list):
        if type(one) is not list or len(one) != 2 or type(one[0]) is not int or one[1] not in _LIES:
            raise Invalid("lies")
        lies[ids[one[0] % len(ids)]] = one[1]
    if case.get("algorithm") not in _ALGORITHMS:
        raise Invalid("algorithm")
    graph = None
    if case.get("graph"):
        graph = answer(lambda: RoomGraph(fork.events.values()))
        if isinstance(graph, RoomverError):
            graph = None
    options: Any = {
        "rejected": fork.rejected,
        "ignore_missing": bool(case.get("ignore")),
        "algorithm": case.get("algorithm"),
        "graph": graph,
    }
    asked = 0

    def fetch(wanted: frozenset[str]) -> Any:
        nonlocal asked
        asked += len(wanted)
        promised(bool(wanted), "no request is empty")
        promised(asked < 10 * len(ids) + 100, "no event is asked for again and again")
        found: dict[str, Any] = {}
        store = _LyingStore(fork.events, lies)
        for event_id in wanted:
            if lies.get(event_id) != "missing" and event_id in fork.events:
                found[event_id] = store[event_id]
            if lies.get(event_id) == "more":
                found.update(fork.events)
        return found

    truth = answer(lambda: resolve(fork.state_sets, fork.events, **options))
    try:
        told = answer(lambda: run_steps(resolve_steps(fork.state_sets, **options), fetch))
    except _Broken:
        told = None  # the store's own exception goes through
    except ValueError as error:
        promised("was sent" in str(error), "only a wrong event is a ValueError")
        told = None
    if not lies and type(told) is type(truth) and not isinstance(truth, RoomverError):
        promised(told.state == truth.state, "a fetcher gives what a mapping gives")
    _resolve_lying(fork, lies, options)


def _resolve_lying(fork: Fork, lies: Mapping[str, str], options: Any) -> None:
    # A mapping that lies is a caller's bug. Only the honest kinds of absence are promised to end well.
    honest = {event_id: lie for event_id, lie in lies.items() if lie in ("more",)}
    left = {
        event_id: event
        for event_id, event in fork.events.items()
        if lies.get(event_id) in (None, *honest.values())
    }
    resolved = answer(lambda: resolve(fork.state_sets, left, **{**options, "graph": None}))
    whole = answer(lambda: resolve(fork.state_sets, fork.events, **{**options, "graph": None}))
    if not options["ignore_missing"] and not isinstance(resolved, RoomverError):
        promised(
            not isinstance(whole, RoomverError) and whole.state == resolved.state,
            "more events never change a resolution",
        )
