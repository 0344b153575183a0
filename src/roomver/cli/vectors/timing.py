"""The operation ``time`` of ``roomver vectors serve``: how long resolutions take, for benchmarks.

It is no operation of the suite: what it answers depends on the machine and the moment.
"""

import gc
from time import perf_counter
from typing import Any

from ... import __version__
from ...canonical import shorten
from ...errors import RoomverError
from ...event import remember
from ...resolution import RoomGraph, RoomState, resolve
from ...suite.operations import (
    OPERATIONS,
    BadVectors,
    check_keys,
    error_code,
    events_of,
    rejected_of,
    states_of,
)
from ...types import EventId, JsonObject, StateKey, StateMap
from ...versions import RoomVersion, StateResolution, get_room_version


class Timer:
    """Measures a resolution, and the same again when asked to.

    Source: ``vectors/FORMAT.md``, "Timing".
    """

    def __init__(self) -> None:
        self._problem: _Problem | None = None

    def run(self, version: str, given: JsonObject) -> JsonObject:
        """Return the output of one request.

        Raises:
            RoomverError: if the input is none, or cannot be resolved.
        """
        runs = given.get("runs")
        if type(runs) is not int or not 0 < runs < 10**9:
            raise BadVectors("input.runs", f"must be a positive integer, is {shorten(runs)}")
        if given.keys() == {"again", "runs"} and given["again"] is True:
            if self._problem is None:
                raise BadVectors("input.again", "nothing was measured before")
            return self._problem.run(runs)
        if given.keys() - {"changes"} != {"operation", "input", "runs", "mode"}:
            raise BadVectors("input", "must have operation, input, runs and mode; or again and runs")
        if given["operation"] != "resolve":
            raise BadVectors("input.operation", f"must be resolve, is {shorten(given['operation'])}")
        if given["mode"] not in ("warm", "cold", "kept"):
            raise BadVectors("input.mode", f"must be warm, cold or kept, is {shorten(given['mode'])}")
        if type(given["input"]) is not dict:
            raise BadVectors("input.input", f"must be an object, is {shorten(given['input'])}")
        check_keys(given["input"], OPERATIONS["resolve"], "input.input")
        self._problem = None  # the last one need not be held beside the next
        self._problem = _Problem(
            given["input"], given.get("changes"), get_room_version(version), str(given["mode"])
        )
        return self._problem.run(runs)


class _Problem:
    """A resolution with everything read that it takes."""

    def __init__(self, given: JsonObject, changes: Any, version: RoomVersion, mode: str) -> None:
        self._events = events_of(given, version)
        dicts = states_of(given, self._events)
        kept = RoomState.sharing(dicts) if mode == "kept" else None
        self._states: list[StateMap[EventId]] = [*(dicts if kept is None else kept)]
        self._add_changed(changes)
        self._sharing = kept is not None and all(
            isinstance(state, RoomState) and state.shares_with(kept[0]) for state in self._states
        )
        self._rejected = rejected_of(given)
        self._by_graph = version.state_resolution is not StateResolution.V1
        self._graph = self._graph_of_all() if mode != "cold" else None

    def _add_changed(self, changes: Any) -> None:
        """Add the states that are given by how they differ from the first."""
        if changes is None:
            return
        if type(changes) is not list or not self._states:
            raise BadVectors("input.changes", "must be an array, and there must be a first state")
        first = self._states[0]
        keys: dict[EventId, StateKey] = {
            event_id: (event.type, event.state_key)
            for event_id, event in self._events.items()
            if event.state_key is not None
        }
        for number, change in enumerate(changes):
            try:
                # What takes a place stands in its place, as in a state that a server goes on with.
                added = {keys[event_id]: event_id for event_id in change["add"]}
                removed = {keys[event_id]: event_id for event_id in change["remove"]}
                if len(removed) < len(change["remove"]) or not removed.items() <= first.items():
                    raise KeyError("it removes what is not there")
            except (KeyError, TypeError) as error:
                raise BadVectors(
                    f"input.changes[{number}]", f"does not fit the first state: {error}"
                ) from None
            if isinstance(first, RoomState):
                self._states.append(first.changed({**dict.fromkeys(removed), **added}))
            else:
                state = {**first, **added}
                for key in removed.keys() - added.keys():
                    del state[key]
                self._states.append(state)

    def _graph_of_all(self) -> RoomGraph | None:
        return RoomGraph(self._events.values()) if self._by_graph else None

    def _forget(self) -> None:
        """Make events as they are when they have just been parsed: what one run read in them is not ready
        for the next."""
        for event in self._events.values():
            remember(event, None)

    def run(self, runs: int) -> JsonObject:
        seconds: list[Any] = []
        resolved: StateMap[EventId] = {}
        gc.collect()
        gc.disable()  # it runs between measurements, as in `timeit`
        try:
            for _ in range(runs):
                if self._graph is None:
                    self._forget()
                began = perf_counter()
                graph = self._graph if self._graph is not None else self._graph_of_all()
                resolved = resolve(self._states, self._events, graph=graph, rejected=self._rejected).state
                seconds.append(perf_counter() - began)
        finally:
            gc.enable()
        state: list[Any] = sorted(resolved.values())
        given: list[Any] = ["graph of auth events"] if self._graph is not None else []
        return {
            "seconds": seconds,
            "state": state,
            "implementation": f"roomver {__version__}",
            "given": given + ["states that share what is alike"] * self._sharing,
        }


def timed(timer: Timer, version: str, given: JsonObject) -> JsonObject:
    """Answer a request of the operation ``time`` as `run_operation` answers the others."""
    try:
        return timer.run(version, given)
    except RoomverError as error:
        return {"error": error_code(error), "message": str(error)}
