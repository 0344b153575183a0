"""The operation ``time`` of ``roomver vectors serve``: how long a resolution takes, for benchmarks.

No case has this operation, because its output depends on the machine. ``vectors/FORMAT.md`` defines it under
"Timing".
"""

import gc
from time import perf_counter, process_time
from typing import Any

from ... import __version__
from ...canonical import shorten
from ...errors import RoomverError
from ...event import remember
from ...resolution import RoomGraph, RoomState, resolve
from ...suite.inputs import BadVectors, read_events, read_rejected, read_states
from ...suite.operations import OPERATIONS, check_keys, error_code
from ...types import EventId, JsonObject, StateKey, StateMap
from ...versions import RoomVersion, StateResolution, get_room_version

_NOT_OFFERED = frozenset({"cached", "split"})  # modes of other programs: see FORMAT.md


class Timer:
    """Measures resolutions. It keeps the last one, which a request can have measured again."""

    def __init__(self) -> None:
        self._problem: _Problem | None = None

    def run(self, version: str, request: JsonObject) -> JsonObject:
        """Return the output for one request.

        Raises:
            RoomverError: if the input is invalid or cannot be resolved.
        """
        runs = request.get("runs")
        if type(runs) is not int or not 0 < runs < 10**9:
            raise BadVectors("input.runs", f"must be a positive integer, not {shorten(runs)}")
        if request.keys() == {"again", "runs"} and request["again"] is True:
            if self._problem is None:
                raise BadVectors("input.again", "nothing was measured before")
            return self._problem.run(runs)
        _check_request(request)
        case_input: Any = request["input"]
        self._problem = None  # frees the memory of the last problem before the next is read
        self._problem = _Problem(
            case_input, request.get("changes"), get_room_version(version), str(request["mode"])
        )
        return self._problem.run(runs)


def _check_request(request: JsonObject) -> None:
    if request.keys() - {"changes"} != {"operation", "input", "runs", "mode"}:
        raise BadVectors("input", "must have operation, input, runs and mode; or again and runs")
    if request["operation"] != "resolve":
        raise BadVectors("input.operation", f"must be resolve, not {shorten(request['operation'])}")
    if request["mode"] not in ("warm", "cold", "kept"):
        raise BadVectors("input.mode", f"must be warm, cold or kept, not {shorten(request['mode'])}")
    if type(request["input"]) is not dict:
        raise BadVectors("input.input", f"must be an object, not {shorten(request['input'])}")
    check_keys(request["input"], OPERATIONS["resolve"], "input.input")


class _Problem:
    """A resolution whose input has been read. The clock starts after that."""

    def __init__(self, case_input: JsonObject, changes: Any, version: RoomVersion, mode: str) -> None:
        self._events = read_events(case_input, version)
        dicts = read_states(case_input, self._events)
        kept = RoomState.sharing(dicts) if mode == "kept" else None
        self._states: list[StateMap[EventId]] = [*(dicts if kept is None else kept)]
        self._add_changed(changes)
        self._sharing = kept is not None and all(
            isinstance(state, RoomState) and state.shares_with(kept[0]) for state in self._states
        )
        self._rejected = read_rejected(case_input)
        self._by_graph = version.state_resolution is not StateResolution.V1
        self._graph = self._graph_of_all() if mode != "cold" else None

    def _add_changed(self, changes: Any) -> None:
        """Add the states that are described by their difference from the first state."""
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
                # A replaced entry keeps its position, as it does in a state that a server updates.
                added = {keys[event_id]: event_id for event_id in change["add"]}
                removed = {keys[event_id]: event_id for event_id in change["remove"]}
                if len(removed) < len(change["remove"]) or not removed.items() <= first.items():
                    raise KeyError("it removes an entry that the state does not have")
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
        """Drop what a run has cached in the events, so that the next run starts from parsed events."""
        for event in self._events.values():
            remember(event, None)

    def run(self, runs: int) -> JsonObject:
        seconds: list[Any] = []
        cpu_seconds: list[Any] = []
        resolved: StateMap[EventId] = {}
        # The garbage of the input and of other requests is not part of a resolution. What a resolution leaves
        # behind is: the collector runs as it does in a program that uses roomver.
        gc.collect()
        for _ in range(runs):
            if self._graph is None:
                self._forget()
            cpu, began = process_time(), perf_counter()
            graph = self._graph if self._graph is not None else self._graph_of_all()
            found = resolve(self._states, self._events, graph=graph, rejected=self._rejected).state
            seconds.append(perf_counter() - began)
            cpu_seconds.append(process_time() - cpu)
            resolved = found  # and the last one is dropped, off the clock
        state: list[Any] = sorted(resolved.values())
        return {
            "seconds": seconds,
            "cpu_seconds": cpu_seconds,
            "state": state,
            "implementation": f"roomver {__version__}",
            "given": self._prepared(),
        }

    def _prepared(self) -> list[Any]:
        """Return what was ready before the clock started."""
        if self._graph is None:
            return []
        prepared = ["graph of auth events", "power levels that earlier runs read"]
        if self._sharing:
            prepared.append("states that share equal entries")
        return [*prepared]


def answer_timing(timer: Timer, version: str, request: JsonObject) -> JsonObject:
    """Answer a request for the operation ``time``, as `run_operation` answers the others."""
    mode = request.get("mode")
    if type(mode) is str and mode in _NOT_OFFERED:
        return {"unsupported": True}
    try:
        return timer.run(version, request)
    except RoomverError as error:
        return {"error": error_code(error), "message": str(error)}
