"""A Synapse module: it tells the server where the other made-up server is, and answers what it believes.

Synapse loads it as its configuration says. `GET /_roomver/rooms` then answers with the facts of all rooms,
which come from Synapse's own storage functions.
"""

from typing import Any

from synapse.http.federation.well_known_resolver import WellKnownLookupResult, WellKnownResolver
from synapse.http.server import DirectServeJsonResource
from synapse.module_api import ModuleApi
from synapse.storage.databases.main.events_worker import EventRedactBehaviour

Json = dict[str, Any]
PATH = "/_roomver/rooms"
NOWHERE = "127.0.0.1:1"


class Probe:
    """The module. `config` maps server names to the host and port of their gates."""

    def __init__(self, config: dict[str, str], api: ModuleApi) -> None:
        async def get_well_known(_: object, server_name: bytes) -> WellKnownLookupResult:
            return WellKnownLookupResult(config.get(server_name.decode(), NOWHERE).encode())

        WellKnownResolver.get_well_known = get_well_known
        api.register_web_resource(PATH, Facts(api._hs))


class Facts(DirectServeJsonResource):  # type: ignore[misc] # Synapse is not read by mypy
    """Answers with what the server believes about each of its rooms."""

    def __init__(self, hs: Any) -> None:
        super().__init__(clock=hs.get_clock())
        self._store = hs.get_datastores().main
        self._storage = hs.get_storage_controllers().state

    async def _async_render_GET(self, _: object) -> tuple[int, Json]:
        room_ids = await self._column("rooms", {}, "room_id")
        return 200, {room_id: await self._room(room_id) for room_id in sorted(room_ids)}

    async def _column(self, table: str, where: Json, column: str) -> list[Any]:
        found = await self._store.db_pool.simple_select_onecol(table, where, column)
        return list(found)

    async def _room(self, room_id: str) -> Json:
        store = self._store
        event_ids = sorted(await self._column("events", {"room_id": room_id}, "event_id"))
        events = {
            event_id: await store.get_event(
                event_id, redact_behaviour=EventRedactBehaviour.redact, allow_rejected=True
            )
            for event_id in event_ids
        }
        event_ids.sort(key=lambda e: events[e].internal_metadata.stream_ordering)
        outliers = [e for e in event_ids if events[e].internal_metadata.is_outlier()]
        inside = [e for e in event_ids if e not in set(outliers)]
        partial = await store.get_partial_state_events(event_ids)
        states = await self._storage.get_state_ids_for_events(inside, await_full_state=False)
        current = await store.get_partial_current_state_ids(room_id)
        joined = await store.get_users_in_room(room_id)
        return {
            "room_version": await store.get_room_version_id(room_id),
            "partial_state": await store.is_partial_state_room(room_id),
            "joined_members": sorted(joined),
            "forward_extremities": sorted(await store.get_latest_event_ids_in_room(room_id)),
            "current_state": sorted(current.values()),
            "events": event_ids,
            "outliers": sorted(outliers),
            "rejected": {e: events[e].rejected_reason for e in event_ids if events[e].rejected_reason},
            "soft_failed": sorted(e for e in event_ids if events[e].internal_metadata.is_soft_failed()),
            "redacted_by": {
                e: [event.internal_metadata.redacted_by]
                for e, event in events.items()
                if event.internal_metadata.redacted_by is not None
            },
            "partial_state_events": sorted(e for e, flag in partial.items() if flag),
            "missing_prev_events": await self._missing(events, inside),
            "states": {e: sorted(state.values()) for e, state in states.items()},
        }

    async def _missing(self, events: dict[str, Any], inside: list[str]) -> Json:
        """Return the prev events that the server does not have in the history, by the event they precede."""
        missing = {}
        for event_id in inside:
            prev = events[event_id].prev_event_ids()
            seen = await self._store.have_events_in_timeline(prev)
            if absent := sorted(set(prev) - seen):
                missing[event_id] = absent
        return missing
