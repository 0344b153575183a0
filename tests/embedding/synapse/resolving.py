"""Time the resolution of a big room inside Synapse: with its own state resolution, and with roomver's.

Not imported: trial.py loads it, in a process with Synapse's package ``tests``. From there comes a homeserver
with a database in memory (SQLite), whose reactor runs as fast as it is turned.

The room is stored through Synapse's storage. Its events are stored as outliers, as in a join; that also
builds Synapse's index of the auth chains. Each state to resolve becomes a state group, as a change of what
all states share, with a message that has this state. What is timed is what Synapse does for an event that
follows all of these messages, `StateHandler.resolve_state_groups_for_events`: it reads the states and
resolves them.
"""

import gc
import json
import time
from collections.abc import Awaitable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final, TypeVar

from synapse.api.room_versions import KNOWN_ROOM_VERSIONS
from synapse.config.homeserver import HomeServerConfig
from synapse.events import make_event_from_dict
from synapse.events.snapshot import EventContext
from synapse.logging.context import LoggingContext
from synapse.util.caches.lrucache import LruCache
from twisted.internet.defer import ensureDeferred

T = TypeVar("T")

CACHES: Final = ("cold", "warm", "again")
"""What Synapse has in memory when the clock starts: nothing; events, states and index; and also what it keeps
of resolutions, except the resolution of the same state groups."""

# Synapse's default is 10K. Here the events of a room fit.
EVENTS_CACHED: Final = "100K"
_BATCH: Final = 500


class Server:
    """A homeserver of Synapse with one big room."""

    def __init__(self, room: dict[str, Any]) -> None:
        # Not the package in which this file is.
        harness, utils = import_module("tests.server"), import_module("tests.utils")
        options = utils.default_config(server_name="test") | {"event_cache_size": EVENTS_CACHED}
        config = HomeServerConfig()
        config.parse_config_dict(options, "", "")
        self.server = harness.setup_test_homeserver(cleanup_func=lambda _: None, config=config)
        self.storage = self.server.get_storage_controllers()
        self.version = KNOWN_ROOM_VERSIONS[room["version"]]
        self.room_id = room["room_id"]
        main = self.server.get_datastores().main
        self.wait(main.store_room(self.room_id, room["creator"], False, self.version))
        self._store(room["events"], self._outlier)
        self.ends = self._store_states([{(k, s): e for k, s, e in state} for state in room["states"]], room)

    def wait(self, work: Awaitable[T]) -> T:
        """Turn the reactor until something is done."""

        async def logged() -> T:
            with LoggingContext(name="work", server_name="test"):
                return await work

        deferred = ensureDeferred(logged())
        while not deferred.called:
            self.server.get_reactor().advance(0)
        found: list[T] = []
        deferred.addCallback(found.append)
        # A failure stays in the deferred.
        if not found:
            deferred.result.raiseException()
        return found[0]

    def _outlier(self, pdu: dict[str, Any]) -> tuple[Any, Any]:
        event = make_event_from_dict(pdu, self.version)
        event.internal_metadata.outlier = True
        return event, EventContext.for_outlier(self.storage)

    def _store(self, pdus: Sequence[dict[str, Any]], place: Any) -> list[str]:
        """Store events, each with what `place` makes of it, and return their IDs."""
        stored = []
        for start in range(0, len(pdus), _BATCH):
            pairs = [place(pdu) for pdu in pdus[start : start + _BATCH]]
            self.wait(self.storage.persistence.persist_events(pairs, backfilled=True))
            stored += [event.event_id for event, _ in pairs]
        return stored

    def _store_states(self, states: list[dict[tuple[str, str], str]], room: dict[str, Any]) -> list[str]:
        """Store states as changes of what they share, with a message after each; return these."""
        groups = self.server.get_datastores().state
        shared = {key: e for key, e in states[0].items() if all(one.get(key) == e for one in states)}
        last = room["events"][-1]["depth"]
        create = next(iter(states[0].values()))
        base = self.wait(groups.store_state_group(create, self.room_id, None, None, shared))
        ends = []
        for number, state in enumerate(states):
            change = {key: e for key, e in state.items() if shared.get(key) != e}
            group = self.wait(groups.store_state_group(create, self.room_id, base, change, None))

            def place(pdu: dict[str, Any], group: int = group) -> tuple[Any, Any]:
                return make_event_from_dict(pdu, self.version), EventContext.with_state(
                    storage=self.storage,
                    state_group=group,
                    state_group_before_event=group,
                    state_delta_due_to_event={},
                    partial_state=False,
                    state_group_deltas={},
                )

            ends += self._store([{**room["message"], "depth": last + 1 + number}], place)
        return ends

    def forget(self, caches: str) -> None:
        """Empty caches, so that they are as `CACHES` says."""
        resolver = self.server.get_state_resolution_handler()
        resolver._state_cache._cache.clear()
        if caches != "again":
            resolver._conflict_resolution_cache._cache.clear()
        if caches == "cold":
            for cache in [one for one in gc.get_objects() if isinstance(one, LruCache)]:
                cache.clear()
        gc.collect()

    def resolve(self) -> dict[tuple[str, str], str]:
        """Resolve the states after all ends of the room."""
        entry = self.wait(
            self.server.get_state_handler().resolve_state_groups_for_events(self.room_id, self.ends)
        )
        # Synapse may keep the result as a change of one of the states. The caller needs all of it.
        return dict(self.wait(entry.get_state(self.storage.state)))


def rounds_of(server: Server, shim: Any, rounds: int) -> Iterator[tuple[str, dict[str, float], bool]]:
    """Yield the CPU seconds of single rounds, by who resolves, and whether the states were the same."""
    for caches in CACHES:
        for number in range(rounds + 1):
            seconds, states = {}, []
            for name in ("synapse", "roomver"):
                restore = shim.install(compare_ids=False) if name == "roomver" else None
                server.forget(caches)
                gc.disable()
                start = time.process_time()
                states.append(server.resolve())
                seconds[name] = time.process_time() - start
                gc.enable()
                if restore is not None:
                    restore()
            if number:  # The first round fills caches and warms up.
                yield caches, seconds, states[0] == states[1]


def measure(room_file: str, results: str, rounds: int, shim: Any) -> None:
    """Store the room in a file in a homeserver, time its resolution, and write what each round took."""
    room = json.loads(Path(room_file).read_text())
    start = time.process_time()
    server = Server(room)
    built = time.process_time() - start
    found: list[dict[str, Any]] = [
        {"caches": caches, "seconds": seconds, "same": same}
        for caches, seconds, same in rounds_of(server, shim, rounds)
    ]
    Path(results).write_text(json.dumps({"built": built, "rounds": found, "calls": dict(shim.CALLS)}))
