"""A made-up server with a room of its own: it answers the example server, and sends it a script of events.

It is the library itself over memory, so what it has of the room is what is right.
"""

import json
import threading
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

from unpaddedbase64 import encode_base64

from roomver import Event, JsonObject, SigningKey, encode_canonical, sign_json
from roomver.make import make_steps, template_steps
from roomver.receive import MemoryStore, ReceiptStatus, receive_steps, state_before_steps
from roomver.steps import run

from .link import Json, http, quote

NAME = "crafted.example"
KEY = SigningKey.from_seed("ed25519:crafted", "C" * 43)
ALICE, BOB, CAROL = (f"@{name}:{NAME}" for name in ("alice", "bob", "carol"))
FUTURE = 4_102_444_800_000
JOINED = 1_700_000_900_000
FEDERATION = "/_matrix/federation"


class Script:
    """The events of a room, made before any of them is sent.

    Attributes:
        begun: the events that make the room, in order.
        events: those that follow, parents first: forks, bans, late messages that are soft-failed, redactions,
            changes of power levels.
    """

    def __init__(self, version: str) -> None:
        self.version = version
        self.begun: list[Event] = []
        self.events: list[Event] = []
        self.store = MemoryStore()
        self._time = 1_700_000_000_000
        self._into = self.begun
        first = {} if version == "12" else {"room_id": f"!crafted:{NAME}"}
        create = self._make("m.room.create", ALICE, {"room_version": version, "creator": ALICE}, "", **first)
        self.room_id: str = create.room_id
        self._say_state("m.room.member", ALICE, {"membership": "join"}, ALICE)
        levels: Json = {"users": {} if version == "12" else {ALICE: 100}, "events": {"m.room.topic": 0}}
        self._say_state("m.room.power_levels", ALICE, levels)
        self._say_state("m.room.join_rules", ALICE, {"join_rule": "public"})
        for user in (BOB, CAROL):
            self._say_state("m.room.member", user, {"membership": "join"}, user)
        self._into = self.events
        self._tell(levels)

    def _tell(self, levels: Json) -> None:
        """Make the rest."""
        root = self._message(BOB, "The forks begin here")
        bans = self._say_state("m.room.member", ALICE, {"membership": "ban"}, BOB, after=[root])
        # Of the branch of a user who is banned on the other one.
        spoken = [root]
        for number in range(4):
            spoken.append(self._message(BOB, f"Unaware {number}", after=[spoken[-1]]))
        topic = self._say_state("m.room.topic", BOB, {"topic": "Mine"}, after=[spoken[-1]])
        named = self._say_state("m.room.name", ALICE, {"name": "A name"}, after=[bans])
        merged = self._message(ALICE, "Both branches", after=[topic, named])
        last = [merged]
        users = {} if self.version == "12" else {ALICE: 100}
        for number in range(4):
            left = self._say_state("m.room.topic", CAROL, {"topic": f"Left {number}"}, after=last)
            raised = {**levels, "users": {**users, CAROL: 10 * number}}
            right = self._say_state("m.room.power_levels", ALICE, raised, after=last)
            other = self._say_state("m.room.topic", ALICE, {"topic": f"Right {number}"}, after=[right])
            last = [self._message(CAROL, f"Round {number}", after=[left, other])]
        self._redact(ALICE, last[0], after=last)
        leaves = self._say_state("m.room.member", CAROL, {"membership": "leave"}, CAROL, after=last)
        self._message(CAROL, "Before I left", after=last)
        back = self._say_state("m.room.member", CAROL, {"membership": "join"}, CAROL, after=[leaves])
        self._message(CAROL, "I am back", after=[back])

    def _make(self, kind: str, user: str, content: Json, state_key: str | None, **options: Any) -> Event:
        self._time += 1000
        if self.version in ("1", "2"):
            options["event_id"] = f"$crafted{self._time}:{NAME}"
        steps = make_steps(
            self.version, kind, user, content,
            state_key=state_key, origin_server_ts=self._time, key=KEY, graph=self.store.graph, **options,
        )  # fmt: skip
        made = run(steps, self.store)
        assert made.event is not None, made.verdict
        # The author of the script is not bound by the order in which others receive it.
        later = self._into is self.events
        received = receive_steps(
            made.event.pdu, self.version, from_history=later, graph=self.store.graph, signatures=False
        )
        self.store.take(run(received, self.store))
        self._into.append(made.event)
        return made.event

    def _after(self, after: Iterable[Event]) -> Json:
        event_ids = [event.event_id for event in after]
        return {"room_id": self.room_id} | ({"prev_events": event_ids} if event_ids else {})

    def _message(self, user: str, body: str, after: Iterable[Event] = ()) -> Event:
        return self._make("m.room.message", user, {"body": body}, None, **self._after(after))

    def _redact(self, user: str, target: Event, after: Iterable[Event]) -> Event:
        return self._make("m.room.redaction", user, {}, None, redacts=target.event_id, **self._after(after))

    def _say_state(
        self, kind: str, user: str, content: Json, state_key: str = "", after: Iterable[Event] = ()
    ) -> Event:
        return self._make(kind, user, content, state_key, **self._after(after))


class Peer:
    """The server. As a context manager it listens on 127.0.0.1.

    Args:
        script: its room.
        other, other_name: the address of the example server, and its name.

    Attributes:
        other: this address.
        store: what it has of the room: what was made before, what it has sent, and what it has received.
        got: the IDs of the events that the example server has sent.
    """

    def __init__(self, script: Script, other: str, other_name: str) -> None:
        self.script = script
        self.version = script.version
        self.store = MemoryStore()
        self.got: list[str] = []
        self.other, self._other_name = other, other_name
        self._lock = threading.Lock()
        self._serial = 0
        for event in script.begun:
            self.take(event.pdu)
        peer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                answer = peer.answer(self.path, json.loads(body) if body else {})
                content = json.dumps({"errcode": "M_NOT_FOUND"} if answer is None else answer).encode()
                self.send_response(404 if answer is None else 200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except ConnectionError:
                    self.close_connection = True  # the other server was killed

            do_GET = do_PUT = do_POST = _answer  # the names that the base class looks up

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.base = f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def again(self) -> "Peer":
        """Return a server that knows the same, to listen after this one."""
        peer = Peer(self.script, self.other, self._other_name)
        peer.store = self.store
        return peer

    def take(self, pdu: object) -> str:
        """Receive an event, and return its ID."""
        with self._lock:
            steps = receive_steps(pdu, self.version, graph=self.store.graph, signatures=False)
            receipt = run(steps, self.store)
            event = receipt.event
            assert event is not None, receipt
            if event.event_id not in self.store.stored:
                assert receipt.status is not ReceiptStatus.UNDECIDED, receipt
                self.store.take(receipt)
            return event.event_id

    def make(self, user: str, body: str) -> Event:
        """Make a message that follows all that it has."""
        self._serial += 1
        options = {"event_id": f"$last{self._serial}:{NAME}"} if self.version in ("1", "2") else {}
        with self._lock:
            steps = make_steps(
                self.version, "m.room.message", user, {"body": body}, room_id=self.script.room_id,
                origin_server_ts=1_760_000_000_000 + self._serial, key=KEY, graph=self.store.graph, **options,
            )  # fmt: skip
            made = run(steps, self.store)
        assert made.event is not None, made.verdict
        self.take(made.event.pdu)
        return made.event

    def current_state(self) -> dict[tuple[str, str], str]:
        """Return the current state."""
        with self._lock:
            found = run(state_before_steps(self.store.extremities, graph=self.store.graph), self.store)
        assert found.state is not None
        return dict(found.state)

    # Requests of its own.

    def call(self, method: str, path: str, content: Json | None = None) -> Json:
        """Send a signed request to the example server."""
        request: JsonObject = {"method": method, "uri": path, "origin": NAME, "destination": self._other_name}
        if content is not None:
            request["content"] = content
        signature = encode_base64(KEY.sign(encode_canonical(request)))
        header = f'X-Matrix origin="{NAME}",destination="{self._other_name}",'
        header += f'key="{KEY.key_id}",sig="{signature}"'
        return http(method, self.other + path, content, header)

    def send(self, transaction: str, events: Iterable[Event]) -> dict[str, Json]:
        """Send a transaction, and return the result of each of its events."""
        pdus = [event.pdu for event in events]
        content = {"origin": NAME, "origin_server_ts": 1_700_000_000_000, "pdus": pdus}
        results: dict[str, Json] = self.call("PUT", f"{FEDERATION}/v1/send/{transaction}", content)["pdus"]
        return results

    def state_ids(self, event_id: str) -> set[str]:
        """Return the state before an event, as the example server tells it."""
        where = f"{quote(self.script.room_id)}?event_id={quote(event_id)}"
        return set(self.call("GET", f"{FEDERATION}/v1/state_ids/{where}")["pdu_ids"])

    # Answers.

    def answer(self, path: str, body: Json) -> Json | None:
        """Return the answer to a request of the example server; None for what is not here."""
        address = urlsplit(path)
        parts = [unquote(part) for part in address.path.split("/")][2:]
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        match parts:
            case ["key", "v2", "server"]:
                keys = {KEY.key_id: {"key": encode_base64(KEY.verify_key.key)}}
                document = {"server_name": NAME, "valid_until_ts": FUTURE, "verify_keys": keys}
                return dict(sign_json({**document, "old_verify_keys": {}}, NAME, KEY))
            case ["federation", "v1", "make_join", room_id, user]:
                steps = template_steps(
                    self.version, "join", user,
                    room_id=room_id, server=NAME, origin_server_ts=JOINED, graph=self.store.graph,
                )  # fmt: skip
                with self._lock:
                    return dict(run(steps, self.store).response or {})
            case ["federation", "v2", "send_join", _, _]:
                return self._joined(body)
            case ["federation", "v1", "send", _]:
                event_ids = [self.take(pdu) for pdu in body["pdus"]]
                self.got += event_ids
                return {"pdus": {event_id: {} for event_id in event_ids}}
            case ["federation", "v1", "event", event_id] if event_id in self.store.stored:
                return {
                    "origin": NAME,
                    "origin_server_ts": 1,
                    "pdus": [self.store.stored[event_id].event.pdu],
                }
            case ["federation", "v1", "get_missing_events", _]:
                return {"events": [event.pdu for event in self._missing(body)]}
            case ["federation", "v1", "state_ids", _]:
                state, chain = self._state_before(query["event_id"])
                lists = {"pdu_ids": state, "auth_chain_ids": chain}
                return {name: [one.event_id for one in events] for name, events in lists.items()}
            case ["federation", "v1", "event_auth", _, event_id] if event_id in self.store.stored:
                return {"auth_chain": [one.pdu for one in self._chain([self.store.stored[event_id].event])]}
        return None

    def _joined(self, pdu: Json) -> Json:
        event_id = self.take(pdu)
        state, chain = self._state_before(event_id)
        return {
            "origin": NAME,
            "event": self.store.stored[event_id].event.pdu,
            "state": [event.pdu for event in state],
            "auth_chain": [event.pdu for event in chain],
            "members_omitted": False,
        }

    def _state_before(self, event_id: str) -> tuple[list[Event], list[Event]]:
        """Return the events of the state before an event, and of their auth chains."""
        with self._lock:
            event = self.store.stored[event_id].event
            receipt = run(
                receive_steps(event.pdu, self.version, graph=self.store.graph, signatures=False), self.store
            )
            assert receipt.state_before is not None
            state = [self.store.stored[one].event for one in receipt.state_before.values()]
        return state, self._chain(state)

    def _chain(self, events: Iterable[Event]) -> list[Event]:
        return self._walk(
            [parent for event in events for parent in event.auth_parents], lambda event: event.auth_parents
        )

    def _missing(self, body: Json) -> list[Event]:
        """Return the events before some events, earliest first."""
        latest = [self.store.stored[one].event for one in body["latest_events"] if one in self.store.stored]
        begin = [parent for event in latest for parent in event.prev_event_ids]
        found = self._walk(begin, lambda event: event.prev_event_ids, set(body["earliest_events"]))
        return found[: body.get("limit", 10)][::-1]

    def _walk(
        self, begin: Iterable[str], parents: Callable[[Event], Iterable[str]], stop: Iterable[str] = ()
    ) -> list[Event]:
        """Return the events from some events on, along parents, nearest first."""
        seen, found, todo = set(stop), list[Event](), [*begin]
        while todo:
            nearest = [one for one in dict.fromkeys(todo) if one not in seen and one in self.store.stored]
            seen.update(nearest)
            found += [self.store.stored[one].event for one in nearest]
            todo = [parent for one in nearest for parent in parents(self.store.stored[one].event)]
        return found
