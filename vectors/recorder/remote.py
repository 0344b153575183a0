"""A made-up second homeserver. It is only a key that signs requests and events.

It joins the homeserver's rooms over the federation API. Then it sends events that only another server can
send: forks, and events that the rules forbid.
"""

import json
import time
from dataclasses import dataclass
from typing import Any

from homeserver import DAY_MS, Homeserver, Json, http, made_up_key, now_ms, quote
from signedjson.key import encode_verify_key_base64, get_verify_key
from signedjson.sign import sign_json
from synapse.api.room_versions import KNOWN_ROOM_VERSIONS, EventFormatVersions, RoomVersion
from synapse.crypto.event_signing import add_hashes_and_signatures, compute_event_reference_hash
from synapse.event_auth import auth_types_for_event
from synapse.events import make_event_from_dict
from unpaddedbase64 import encode_base64

REMOTE_NAME = "remote.example"
PROCESS_SECONDS = 20

StateMap = dict[tuple[str, str], str]


@dataclass
class Draft:
    """The content of a PDU. `Remote.build` adds what depends on its place in the room's history."""

    sender: str
    kind: str
    content: Json
    state_key: str | None = None
    redacts: str | None = None
    ts: int | None = None


class Remote:
    """The made-up server, which talks to one homeserver."""

    def __init__(self, server: Homeserver) -> None:
        self.key = made_up_key(REMOTE_NAME, "a_rem1")
        self.valid_until_ts = now_ms() + DAY_MS
        self._server = server
        self._serial = 0
        self._events: dict[str, Json] = {}
        self._states: dict[str, StateMap] = {}
        server.trust(REMOTE_NAME, self.key, self.valid_until_ts)

    def published_keys(self) -> Json:
        """Return this server's keys, in the form of a recording's header."""
        verify = get_verify_key(self.key)
        value = {"key": encode_verify_key_base64(verify), "valid_until_ts": self.valid_until_ts}
        return {f"{verify.alg}:{verify.version}": value}

    def call(self, method: str, path: str, content: Json | None = None) -> Json:
        """Send a signed request below `/_matrix/federation`."""
        uri = f"/_matrix/federation{path}"
        signed: Json = {"method": method, "uri": uri, "origin": REMOTE_NAME, "destination": self._server.name}
        if content is not None:
            signed["content"] = content
        signature = sign_json(signed, REMOTE_NAME, self.key)["signatures"][REMOTE_NAME]
        ((key_id, value),) = signature.items()
        authorization = (
            f'X-Matrix origin="{REMOTE_NAME}",destination="{self._server.name}",key="{key_id}",sig="{value}"'
        )
        return http(method, self._server.base + uri, content, authorization)

    # Joins and knocks.

    def join(self, room: "RemoteRoom", user_id: str) -> str:
        """Join a room and return the ID of the join."""
        return self._handshake(room, user_id, "join", "v2")

    def knock(self, room: "RemoteRoom", user_id: str) -> str:
        """Knock on a room and return the ID of the knock."""
        return self._handshake(room, user_id, "knock", "v1")

    def _handshake(self, room: "RemoteRoom", user_id: str, action: str, send_version: str) -> str:
        where = f"{quote(room.room_id)}/{quote(user_id)}"
        template = self.call("GET", f"/v1/make_{action}/{where}?ver={room.version.identifier}")["event"]
        template["origin_server_ts"] = now_ms()
        template["origin"] = REMOTE_NAME
        event_id, pdu = self.sign(room, template)
        self.call("PUT", f"/{send_version}/send_{action}/{quote(room.room_id)}/{quote(event_id)}", pdu)
        return event_id

    # The room's history, as requested from the homeserver.

    def event(self, event_id: str) -> Json:
        """Return a PDU of the room."""
        if event_id not in self._events:
            answer = self.call("GET", f"/v1/event/{quote(event_id)}")
            self._events[event_id] = answer["pdus"][0]
        return self._events[event_id]

    def state_after(self, room: "RemoteRoom", event_id: str) -> StateMap:
        """Return the room's state after an event that the server has accepted."""
        if event_id not in self._states:
            query = f"/v1/state/{quote(room.room_id)}?event_id={quote(event_id)}"
            state = {
                (pdu["type"], pdu["state_key"]): self.id_of(room, pdu)
                for pdu in self.call("GET", query)["pdus"]
            }
            pdu = self.event(event_id)
            if "state_key" in pdu:
                state[pdu["type"], pdu["state_key"]] = event_id
            self._states[event_id] = state
        return self._states[event_id]

    def id_of(self, room: "RemoteRoom", pdu: Json) -> str:
        """Return the ID of a PDU, and store the PDU for `event`."""
        event_id: str = make_event_from_dict(pdu, room.version).event_id
        self._events[event_id] = pdu
        return event_id

    # PDUs.

    def sign(self, room: "RemoteRoom", pdu: Json) -> tuple[str, Json]:
        """Add hash and signature to a PDU, and in room versions 1 and 2 an ID. Return its ID and the PDU."""
        pdu = {k: v for k, v in pdu.items() if k not in ("hashes", "signatures", "event_id")}
        if room.old_format:
            self._serial += 1
            pdu["event_id"] = f"$v{room.version.identifier}-{self._serial:04}:{REMOTE_NAME}"
        add_hashes_and_signatures(room.version, pdu, REMOTE_NAME, self.key)
        return self.id_of(room, pdu), pdu

    def _references(self, room: "RemoteRoom", event_ids: list[str]) -> list[Any]:
        if not room.old_format:
            return list(event_ids)
        references = []
        for event_id in event_ids:
            event = make_event_from_dict(self.event(event_id), room.version)
            name, digest = compute_event_reference_hash(event)
            references.append([event_id, {name: encode_base64(digest)}])
        return references

    def build(
        self, room: "RemoteRoom", draft: Draft, prev: list[str], auth: list[str] | None = None
    ) -> tuple[str, Json]:
        """Return the ID and a signed PDU that follows `prev`.

        Its auth events come from the state there unless `auth` is given.
        """
        content = dict(draft.content)
        pdu: Json = {
            "type": draft.kind,
            "room_id": room.room_id,
            "sender": draft.sender,
            "content": content,
            "origin": REMOTE_NAME,
            "origin_server_ts": now_ms() if draft.ts is None else draft.ts,
            "depth": max(self.event(p)["depth"] for p in prev) + 1,
            "prev_events": self._references(room, prev),
        }
        if draft.state_key is not None:
            pdu["state_key"] = draft.state_key
        if draft.redacts is not None:
            place = content if room.number >= 11 else pdu
            place["redacts"] = draft.redacts
        if auth is None:
            auth = self.auth_for(room, pdu, self.state_after(room, prev[-1]))
        pdu["auth_events"] = self._references(room, auth)
        return self.sign(room, pdu)

    def auth_for(self, room: "RemoteRoom", pdu: Json, state: StateMap) -> list[str]:
        """Return the auth events of a PDU, selected from a state."""
        bare = {**pdu, "auth_events": [], "hashes": {}, "signatures": {}}
        if room.old_format:
            bare["event_id"] = f"$unnamed:{REMOTE_NAME}"
        wanted = auth_types_for_event(room.version, make_event_from_dict(bare, room.version))
        if room.number >= 12:
            wanted.discard(("m.room.create", ""))
        return [state[key] for key in sorted(wanted) if key in state]

    def deliver(self, event_id: str, pdu: Json) -> str:
        """Send a PDU, wait until the homeserver has handled it, and return its `fate`."""
        self._serial += 1
        transaction = {"origin": REMOTE_NAME, "origin_server_ts": now_ms(), "pdus": [pdu]}
        # The ID must be new each time, because the server remembers the transactions that it has answered.
        answer = self.call("PUT", f"/v1/send/{now_ms()}-{self._serial}", transaction)
        if any("error" in result for result in answer["pdus"].values()):
            return "dropped"
        deadline = time.monotonic() + PROCESS_SECONDS
        while time.monotonic() < deadline:
            staged = self._server.query(
                "SELECT 1 FROM federation_inbound_events_staging WHERE event_id = ?", event_id
            )
            if not staged:
                return fate(self._server, event_id)
            time.sleep(0.02)
        raise SystemExit(f"{event_id} was not handled within {PROCESS_SECONDS} s:\n{self._server.log_tail()}")


def fate(server: Homeserver, event_id: str) -> str:
    """Return what the homeserver did with an event: accepted, soft_failed, rejected or dropped."""
    if server.query("SELECT 1 FROM rejections WHERE event_id = ?", event_id):
        return "rejected"
    rows = server.query("SELECT internal_metadata FROM event_json WHERE event_id = ?", event_id)
    if not rows:
        return "dropped"
    return "soft_failed" if json.loads(rows[0][0]).get("soft_failed") else "accepted"


class RemoteRoom:
    """A room in which the made-up server participates."""

    def __init__(self, remote: Remote, server: Homeserver, room_id: str, version: str) -> None:
        self.remote = remote
        self.room_id = room_id
        self.version: RoomVersion = KNOWN_ROOM_VERSIONS[version]
        self.number = int(version)
        self.old_format = self.version.event_format == EventFormatVersions.ROOM_V1_V2
        self.unexpected: list[str] = []
        self._server = server

    def tips(self) -> list[str]:
        """Return the IDs of the forward extremities, sorted."""
        rows = self._server.query(
            "SELECT event_id FROM event_forward_extremities WHERE room_id = ?", self.room_id
        )
        return sorted(row[0] for row in rows)

    def send(
        self,
        draft: Draft,
        prev: list[str] | None = None,
        auth: list[str] | None = None,
        expect: str = "accepted",
    ) -> str:
        """Build and deliver a PDU, and return its ID.

        It follows the forward extremities unless `prev` is given.
        """
        event_id, pdu = self.remote.build(self, draft, prev or self.tips(), auth)
        became = self.remote.deliver(event_id, pdu)
        if became != expect:
            what = f"{draft.kind} of {draft.sender} {draft.content}"
            self.unexpected.append(f"v{self.number}: {became}, not {expect}: {what}")
        return event_id

    def auth_of(self, draft: Draft, after: str) -> list[str]:
        """Return the auth events that a draft would have after an event."""
        pdu: Json = {
            "type": draft.kind, "sender": draft.sender, "content": draft.content, "room_id": self.room_id,
            "prev_events": [], "depth": 1, "origin_server_ts": 1,
        }  # fmt: skip
        if draft.state_key is not None:
            pdu["state_key"] = draft.state_key
        return self.remote.auth_for(self, pdu, self.remote.state_after(self, after))
