"""Making events: what is made is received as accepted, in every version."""

from random import Random
from typing import Any

import pytest
from builder import ALICE, BOB, VERSIONS, key_of, server_name, versions_from
from generator import hostile_value
from hypothesis import given
from hypothesis import strategies as st
from strategies import often

from roomver import (
    Event,
    KeyRing,
    MalformedEvent,
    MissingEvents,
    NotCanonical,
    RoomverError,
    UnknownState,
    compute_event_id,
    get_room_version,
    parse_event,
    rules,
    sign_event,
)
from roomver.hashing import compute_reference_hash
from roomver.make import Made, authoriser, find_authoriser_steps, make_steps
from roomver.receive import MemoryStore, Receipt, ReceiptStatus, receive_steps
from roomver.signing import countersign
from roomver.state import PartialState, Unknown
from roomver.steps import Current, Stored, run
from roomver.versions import EventIdForm, RoomIdForm

every_version = pytest.mark.parametrize("version", VERSIONS)
SERVERS = ("a.example", "b.example", "d.example:8448", "c.example")
RING = KeyRing.of({server: {"ed25519:1": key_of(server).verify_key} for server in SERVERS})


class Server:
    """A server in one room, which makes and receives events."""

    def __init__(self, version: str) -> None:
        self.version = get_room_version(version)
        self.store = MemoryStore(RING)
        self.room_id: str | None = None
        self.made = 0
        if self.version.room_id_form is RoomIdForm.DOMAIN:
            self.room_id = "!room:a.example"
        content: dict[str, Any] = {"room_version": version}
        if self.version.creator_in_content:
            content["creator"] = ALICE
        create = self.send("m.room.create", ALICE, content, state_key="")
        self.room_id = create.room_id
        self.create = create

    def make(self, kind: str, sender: str, content: Any = None, **options: Any) -> Made:
        self.made += 1
        if self.version.event_id_form is EventIdForm.CHOSEN:
            options.setdefault("event_id", f"$made{self.made}:{server_name(sender)}")
        options = {"room_id": self.room_id, "origin_server_ts": self.made, **options}
        key = key_of(server_name(sender))
        content = {} if content is None else content
        steps = make_steps(self.version, kind, sender, content, key=key, graph=self.store.graph, **options)
        return run(steps, self.store)

    def receive(self, event: Event | dict[str, Any]) -> Receipt:
        pdu = event.pdu if isinstance(event, Event) else event
        receipt = run(receive_steps(pdu, self.version, graph=self.store.graph), self.store)
        self.store.take(receipt)
        return receipt

    def send(self, kind: str, sender: str, content: Any = None, **options: Any) -> Event:
        """Make an event and receive it."""
        made = self.make(kind, sender, content, **options)
        assert made.event is not None, made.verdict
        assert (made.unsigned_by, made.policy_server) == ((), None)
        receipt = self.receive(made.event)
        assert receipt.status is ReceiptStatus.ACCEPTED, receipt
        assert receipt.event_id == made.event.event_id == compute_event_id(made.event)
        assert receipt.state_before == made.state_before
        assert not receipt.redacted
        return made.event

    def join(self, *users: str) -> None:
        for user in users:
            self.send("m.room.member", user, {"membership": "join"}, state_key=user)

    def state(self, name: str) -> str:
        (end,) = self.store.extremities
        return self.store.states[end][name, ""]


def public(version: str, *users: str) -> Server:
    server = Server(version)
    server.join(ALICE)
    levels = {"users": {BOB: 50} if version == "12" else {ALICE: 100, BOB: 50}, "invite": 25}
    server.send("m.room.power_levels", ALICE, levels, state_key="")
    server.send("m.room.join_rules", ALICE, {"join_rule": "public"}, state_key="")
    server.join(*users)
    return server


@every_version
def test_what_is_made_is_accepted(version: str) -> None:
    server = public(version, BOB)
    topic = server.send("m.room.topic", BOB, {"topic": "x"}, state_key="")
    message = server.send("m.room.message", ALICE, {"body": "x"})
    server.send("m.room.redaction", ALICE, {"reason": "y"}, redacts=message.event_id)
    server.send("m.room.member", ALICE, {"membership": "ban"}, state_key=BOB)
    assert server.state("m.room.topic") == topic.event_id
    assert list(message.signatures) == ["a.example"]
    refused = server.make("m.room.message", BOB, {"body": "x"})
    assert refused.event is None
    assert refused.verdict.rule is rules.SENDER_NOT_JOINED


@every_version
def test_its_place_and_its_auth_events_are_those_of_the_room(version: str) -> None:
    server = public(version, BOB)
    (before,) = server.store.extremities
    event = server.send("m.room.message", BOB, {"body": "x"})
    assert event.prev_event_ids == (before,)
    assert event.depth == server.store.stored[before].event.depth + 1
    state = server.store.states[before]
    keys = [("m.room.member", BOB), ("m.room.power_levels", "")]
    keys += [] if version == "12" else [("m.room.create", "")]
    assert event.auth_event_ids == tuple(state[key] for key in sorted(keys))
    references: Any = event.pdu["prev_events"]
    (reference,) = references
    if version in ("1", "2"):
        stored = server.store.stored[before].event
        assert reference == [before, {"sha256": compute_reference_hash(stored)}]
    else:
        assert reference == before
    assert ("room_id" in server.create.pdu) is (version != "12")


@pytest.mark.parametrize("version", ["1", "5", "6", "12"])
def test_the_depth_stops_at_the_limit(version: str) -> None:
    server = public(version)
    most = server.version.max_depth
    (before,) = server.store.extremities
    stored = server.store.stored[before].event
    deep = parse_event({**stored.pdu, "depth": most}, version, event_id=before)
    server.store.stored[before] = Stored(deep)
    made = server.make("m.room.message", ALICE)
    assert made.event is not None
    assert made.event.depth == most


@every_version
def test_a_redaction_names_its_target_where_the_version_has_it(version: str) -> None:
    server = public(version)
    event = server.send("m.room.redaction", ALICE, {}, redacts=server.create.event_id)
    assert event.redacts == server.create.event_id
    assert ("redacts" in event.content) is (int(version) >= 11)
    assert ("redacts" in event.pdu) is (int(version) < 11)


@pytest.mark.parametrize("version", ["1", "2"])
def test_an_event_id_that_is_in_use_makes_no_event(version: str) -> None:
    """Stored under this ID, the new event would replace the other one."""
    server = Server(version)
    (create,) = server.store.stored
    for state_key in (None, ""):
        with pytest.raises(ValueError, match=f'the event ID "\\{create}" is in use: draw another one'):
            server.make("m.room.topic", ALICE, event_id=create, state_key=state_key)
    with pytest.raises(MalformedEvent, match="event_id: expected an event ID"):
        server.make("m.room.member", ALICE, {"membership": "join"}, event_id=None, state_key=ALICE)


@every_version
def test_only_a_redaction_redacts(version: str) -> None:
    server = public(version)
    with pytest.raises(
        MalformedEvent, match=r'type: expected "m\.room\.redaction", .* found "m\.room\.message"'
    ):
        server.make("m.room.message", ALICE, {"body": "x"}, redacts=server.create.event_id)


def test_a_room_id_of_another_version_is_named() -> None:
    """Otherwise an event would be missing that no room can have."""
    server = public("12")
    expected = "room_id: expected the room ID of a room of version 12, which has no server name"
    with pytest.raises(MalformedEvent, match=expected):
        server.make("m.room.message", ALICE, {"body": "x"}, room_id="!r:a.example")


def test_a_create_event_without_a_version_is_of_version_1() -> None:
    key = key_of("a.example")
    steps = make_steps(
        "11", "m.room.create", ALICE, {}, state_key="", room_id="!r:a.example", origin_server_ts=1, key=key
    )
    with pytest.raises(
        MalformedEvent, match='room_version: expected "11", found nothing, which stands for "1"'
    ):
        run(steps, MemoryStore())


@pytest.mark.parametrize(
    ("content", "path"),
    [({"x": 1.5}, "content.x"), ({"@a:x": {"y": 1.5}}, 'content["@a:x"].y'), ({1: 2}, "content")],
)
def test_the_place_of_what_cannot_be_encoded_is_named(content: Any, path: str) -> None:
    server = public("11")
    with pytest.raises(NotCanonical) as caught:
        server.make("m.room.message", ALICE, content)
    assert caught.value.path == path


def test_the_content_is_copied() -> None:
    server = public("11")
    inner: list[Any] = []
    event = server.send("x.thing", ALICE, {"a": inner}, state_key="")
    inner.append(1)
    assert event.content == {"a": []}


def test_an_event_follows_all_extremities_and_resolves_their_states() -> None:
    server = public("11", BOB)
    (fork,) = server.store.extremities
    topics = [
        server.make("m.room.topic", ALICE, {"topic": side}, state_key="", prev_events=[fork]) for side in "ab"
    ]
    for made in topics:
        assert made.event is not None
        assert server.receive(made.event).status is ReceiptStatus.ACCEPTED
    ends = server.store.extremities
    assert len(ends) == 2
    merge = server.send("m.room.message", BOB)
    assert merge.prev_event_ids == tuple(sorted(ends))
    assert server.store.extremities == {merge.event_id}


def test_of_more_than_20_extremities_the_deepest_are_followed() -> None:
    server = public("11")
    (fork,) = server.store.extremities
    for number in range(23):
        made = server.make("m.room.message", ALICE, {"n": number}, prev_events=[fork])
        assert made.event is not None
        server.receive(made.event)
    deeper = server.make("m.room.message", ALICE, {"n": -1}, prev_events=[min(server.store.extremities)])
    assert deeper.event is not None
    server.receive(deeper.event)
    before = server.store.extremities
    assert len(before) == 23
    event = server.send("m.room.message", ALICE, {"n": 23})
    assert len(event.prev_event_ids) == 20
    assert deeper.event.event_id in event.prev_event_ids
    assert server.store.extremities == before - set(event.prev_event_ids) | {event.event_id}


class WithState(MemoryStore):
    """A store that keeps a current state."""

    state: Any = None

    def current(self) -> Current:
        return Current(self.extremities, self.state)


def test_the_current_state_that_the_store_keeps_is_used() -> None:
    server = public("11")
    (end,) = server.store.extremities
    store = WithState(RING)
    store.stored, store.extremities, store.graph = (
        server.store.stored,
        server.store.extremities,
        server.store.graph,
    )
    for state in (server.store.states[end], dict(server.store.states[end])):
        store.state = state
        server.store = store
        assert server.make("m.room.message", ALICE).state_before == state
    known = {key: e for key, e in store.state.items() if key[0] != "m.room.member"}
    store.state = PartialState(known, [Unknown.members()])
    with pytest.raises(UnknownState):
        server.make("m.room.message", ALICE)


def test_what_is_missing_is_named() -> None:
    server = public("11")
    (end,) = server.store.extremities
    with pytest.raises(MissingEvents) as caught:
        server.make("m.room.message", ALICE, prev_events=["$no"])
    assert caught.value.event_ids == ("$no",)
    state = server.store.states.pop(end)
    with pytest.raises(MissingEvents) as caught:
        server.make("m.room.message", ALICE)
    assert caught.value.event_ids == (end,)
    server.store.states[end] = state
    levels = state["m.room.power_levels", ""]
    del server.store.stored[levels]
    with pytest.raises(MissingEvents) as caught:
        server.make("m.room.message", ALICE)
    assert caught.value.event_ids == (levels,)


@pytest.mark.parametrize("how", [{"rejected": True}, {"soft_failed": True}])
def test_no_event_follows_a_refused_one(how: Any) -> None:
    server = public("11")
    (end,) = server.store.extremities
    server.store.stored[end] = Stored(server.store.stored[end].event, **how)
    with pytest.raises(ValueError, match="rejected or soft-failed"):
        server.make("m.room.message", ALICE, prev_events=[end])


@every_version
def test_a_create_event_makes_a_room_of_its_version(version: str) -> None:
    server = Server.__new__(Server)
    server.version, server.store, server.made = get_room_version(version), MemoryStore(RING), 0
    server.room_id = None if version == "12" else "!room:a.example"
    other = "11" if version == "12" else "12"
    with pytest.raises(MalformedEvent, match=r"content\.room_version"):
        server.make("m.room.create", ALICE, {"creator": ALICE, "room_version": other}, state_key="")
    if version == "1":
        assert server.make("m.room.create", ALICE, {"creator": ALICE}, state_key="").event is not None
    else:
        with pytest.raises(MalformedEvent, match=r"content\.room_version"):
            server.make("m.room.create", ALICE, {"creator": ALICE}, state_key="")
    if version not in ("11", "12"):
        refused = server.make("m.room.create", ALICE, {"room_version": version}, state_key="")
        assert refused.event is None
        assert refused.verdict.rule is rules.CREATE_NO_CREATOR


def test_a_made_event_has_no_truth_value() -> None:
    with pytest.raises(TypeError, match=r"use \.event"):
        bool(public("11").make("m.room.message", ALICE))


# Restricted joins


@pytest.mark.parametrize("version", versions_from(8))
def test_a_restricted_join_is_authorised_and_signed_by_the_other_server(version: str) -> None:
    server = public(version, BOB)
    server.send("m.room.join_rules", ALICE, {"join_rule": "restricted", "allow": []}, state_key="")
    user = "@carol:c.example"
    refused = server.make("m.room.member", user, {"membership": "join"}, state_key=user)
    assert refused.event is None
    content = {"membership": "join", "join_authorised_via_users_server": BOB}
    made = server.make("m.room.member", user, content, state_key=user)
    assert made.event is not None
    assert made.unsigned_by == ("b.example",)
    assert server.receive(made.event).status is ReceiptStatus.DROPPED
    signed = countersign(made.event.pdu, version, "b.example", key_of("b.example"))
    assert {**signed, "signatures": None} == {**made.event.pdu, "signatures": None}
    assert server.receive(signed).status is ReceiptStatus.ACCEPTED


def test_an_authoriser_is_joined_and_may_invite(monkeypatch: pytest.MonkeyPatch) -> None:
    server = public("11", BOB)

    def found(name: str) -> str | None:
        return run(find_authoriser_steps(name, graph=server.store.graph), server.store)

    assert found("b.example") == BOB
    assert found("a.example") == ALICE
    assert found("z.example") is None
    server.join("@carol:a.example", "@a:c.example")
    assert found("a.example") == ALICE
    assert found("c.example") is None  # its level is too low
    levels = {"users": {ALICE: 100, BOB: 50, "@carol:a.example": 50}}
    server.send("m.room.power_levels", ALICE, levels, state_key="")
    server.send("m.room.member", ALICE, {"membership": "leave"}, state_key=ALICE)
    assert found("a.example") == "@carol:a.example"
    assert found("c.example") == "@a:c.example"  # anyone may invite by default
    monkeypatch.setattr(authoriser, "_BATCH", 1)
    assert found("a.example") == "@carol:a.example"  # Alice is asked about first
    empty = MemoryStore()
    assert run(find_authoriser_steps("a.example"), empty) is None
    (end,) = server.store.extremities
    server.store.states.pop(end)
    with pytest.raises(MissingEvents):
        found("a.example")


def test_the_kept_current_state_tells_an_authoriser() -> None:
    server = public("12", BOB)
    (end,) = server.store.extremities
    store = WithState(RING)
    store.stored, store.extremities, store.state = (
        server.store.stored,
        frozenset(["$x"]),
        server.store.states[end],
    )
    assert run(find_authoriser_steps("a.example"), store) == ALICE


# Policy servers


def test_the_policy_server_that_must_sign_is_named() -> None:
    server = public("11", BOB)
    content = {"via": "b.example", "public_keys": {"ed25519": "A" * 43}}
    server.send("m.room.policy", ALICE, content, state_key="")
    made = server.make("m.room.message", ALICE)
    assert made.policy_server is not None
    assert made.policy_server.name == "b.example"
    assert server.make("m.room.policy", ALICE, {}, state_key="").policy_server is None


# Any input


@often
@given(st.integers(0, 2**32), st.sampled_from(VERSIONS))
def test_any_values_make_an_event_or_an_error_of_the_library(seed: int, version: str) -> None:
    rng = Random(f"{version}/{seed}")
    server = _SERVERS.setdefault(version, public(version, BOB))
    values: dict[str, Any] = {"kind": "x.thing", "sender": ALICE, "content": {}, "state_key": ""}
    for name in rng.sample(
        ["kind", "sender", "content", "state_key", "room_id", "origin_server_ts", "redacts"], 2
    ):
        values[name] = hostile_value(rng)
    kind, sender, content = (values.pop(name) for name in ("kind", "sender", "content"))
    options: dict[str, Any] = {"room_id": server.room_id, "origin_server_ts": 5, **values}
    if server.version.event_id_form is EventIdForm.CHOSEN:
        options["event_id"] = "$any:a.example"
    try:
        made = run(
            make_steps(version, kind, sender, content, key=key_of("a.example"), **options), server.store
        )
    except RoomverError:
        return
    if made.event is not None:
        receipt = run(receive_steps(made.event.pdu, version, graph=server.store.graph), server.store)
        assert receipt.status is ReceiptStatus.ACCEPTED


_SERVERS: dict[str, Server] = {}


def test_countersigning_adds_to_the_signatures_and_nothing_else() -> None:
    server = public("11")
    event = server.send("m.room.message", ALICE, {"body": "x"})
    tampered = {**event.pdu, "content": {"body": "y"}}
    again = countersign(tampered, "11", "b.example", key_of("b.example"))
    assert again["hashes"] == event.hashes
    assert sign_event(tampered, "11", "b.example", key_of("b.example"))["hashes"] != event.hashes
    signatures: Any = again["signatures"]
    assert {*signatures} == {"a.example", "b.example"}
