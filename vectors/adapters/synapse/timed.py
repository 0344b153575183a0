"""The operation `time`: how long Synapse takes to resolve, for benchmarks."""

import gc
from collections.abc import Mapping
from time import perf_counter, process_time
from typing import Any

from room import Store, difference_of, resolved, states_of
from support import Outcome, Unsupported, made_all
from synapse import __version__

MODES = ("warm", "cold", "cached")


class _Timed:
    """A resolution whose input has been read, so that it can be run many times."""

    def __init__(self, given: Outcome, version: str) -> None:
        self.version = version
        self.events = made_all(given["input"], version)
        self.states = states_of(given["input"], self.events)
        keys = {i: (event.type, event.state_key) for i, event in self.events.items() if event.is_state()}
        for change in given.get("changes", []):
            state = self.states[0].copy()
            for event_id in change["remove"]:
                del state[keys[event_id]]
            added = [self.events[event_id] for event_id in change["add"]]
            state.update(((event.type, event.state_key), event.event_id) for event in added)
            self.states.append(state)
        if not self.states:
            raise ValueError("there is no state")
        self.ready = self._difference() if given["mode"] != "cold" and version != "1" else None
        # A server keeps the resolutions of conflicts, by a digest of what determines them.
        self.conflicts: dict[bytes, Any] | None = {} if given["mode"] == "cached" else None
        if self.conflicts is not None:
            self._resolved()

    def _difference(self) -> Any:
        states = self.states
        conflicted = None
        if self.version == "12":
            found = [(key, state.get(key)) for key in set().union(*states) for state in states]
            agreed = set.intersection(*[set(state.items()) for state in states])
            conflicted = {event_id for key, event_id in found if event_id and (key, event_id) not in agreed}
        return difference_of(self.events, [set(state.values()) for state in states], conflicted)

    def _resolved(self) -> Mapping[tuple[str, str], str]:
        store = Store(self.events, self.ready)
        return resolved(self.states, self.events, store, self.version, self.conflicts)

    def run(self, runs: int) -> Outcome:
        seconds, cpu_seconds = [], []
        state: Mapping[tuple[str, str], str] = {}
        gc.collect()
        # As in a server of Synapse, which turns the collector off and calls it itself now and then.
        gc.disable()
        for _ in range(runs):
            cpu, start = process_time(), perf_counter()
            found = self._resolved()
            seconds.append(perf_counter() - start)
            cpu_seconds.append(process_time() - cpu)
            state = found  # and the last one is dropped, off the clock
        gc.enable()
        return {
            "seconds": seconds,
            "cpu_seconds": cpu_seconds,
            "state": sorted(state.values()),
            "implementation": f"matrix-synapse {__version__}",
            "given": self._given(),
        }

    def _given(self) -> list[str]:
        handed = ["auth difference"] if self.ready is not None else []
        if self.ready is not None and self.ready.conflicted_subgraph is not None:
            handed.append("conflicted subgraph")
        return [*handed, "the resolution of the conflict"] if self.conflicts else handed


_last: list[_Timed] = []


def timed(given: Outcome, version: str) -> Outcome:
    if not given.get("again"):
        known = given["operation"] == "resolve" and given["mode"] in MODES
        if not known or (given["mode"] == "cached" and version == "1"):
            raise Unsupported
        _last.clear()
        _last.append(_Timed(given, version))
    return _last[0].run(given["runs"])
