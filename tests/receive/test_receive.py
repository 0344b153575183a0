"""Each of the checks on receipt, and what a receipt says of it."""

import asyncio
import pickle
from collections.abc import Mapping
from typing import Any

import pytest
from builder import ALICE, BOB, CAROL, VERSIONS, Room, key_of, server_name, signed_block, versions_from
from replay.rooms import LEVELS, TOPIC, Branches, banned_beside_a_topic, base_room, ids
from unpaddedbase64 import encode_base64

from roomver import Event, KeyRing, SigningKey, VerifyKey, WrongRoom, parse_event, rules, sign_event
from roomver.errors import Lack
from roomver.findings import Finding, FindingKind
from roomver.hashing import compute_content_hash
from roomver.policy import PolicyRefusal
from roomver.receive import (
    Lacking,
    MemoryStore,
    Receipt,
    ReceiptStatus,
    receive_checked_steps,
    receive_steps,
    state_before_steps,
)
from roomver.receive import checks as receive_checks
from roomver.receive import extremities as receive_extremities
from roomver.rules import Rule, Verdict
from roomver.signature_results import POLICY_SERVER_KEY
from roomver.state import PartialState, RoomState, Unknown
from roomver.steps import Current, Stored, run, run_async
from roomver.types import EventId, StateMap

from .test_properties import checked, receive_all

every_version = pytest.mark.parametrize("version", VERSIONS)
RING = KeyRing.of(
    {server_name(user): {"ed25519:1": key_of(server_name(user)).verify_key} for user in (ALICE, BOB)}
)


def filled(room: Room) -> MemoryStore:
    """Return a store that has received all events of a room."""
    store = MemoryStore(RING)
    receipts = receive_all(store, room.events.values())
    assert {receipt.status for receipt in receipts.values()} == {ReceiptStatus.ACCEPTED}
    return store


def receive(
    store: MemoryStore, event: Event | dict[str, Any], version: Any = "11", **options: Any
) -> Receipt:
    pdu: dict[str, Any] | Event = event
    if isinstance(event, Event):
        pdu, version = event.pdu, event.room_version
        options = {"signatures": False, **options}
    return run(receive_steps(pdu, version, graph=store.graph, **options), store)


def refused_by(verdict: Verdict | None) -> Rule:
    assert verdict is not None
    assert not verdict.allowed
    return verdict.rule


def found(receipt: Receipt) -> FindingKind:
    deciding = receipt.deciding
    assert isinstance(deciding, Finding)
    return deciding.kind


# Checks 1 to 3


@pytest.fixture
def signed() -> Room:
    room = Room("11")
    room.join(ALICE)
    room.join_rule("public")
    return room


class NoKeysAsked(MemoryStore):
    def keys(self, keys: Any, /) -> KeyRing:
        raise AssertionError("no key is needed")


def test_1_a_malformed_pdu_is_dropped_and_no_key_is_asked_for(signed: Room) -> None:
    event = signed.make("m.room.message", ALICE, {})
    receipt = receive(NoKeysAsked(), {**event.pdu, "depth": -1})
    assert receipt.status is ReceiptStatus.DROPPED
    assert (receipt.event, receipt.stored, receipt.state_after) == (None, None, None)
    assert receipt.decided
    assert found(receipt) is FindingKind.MALFORMED
    assert str(receipt) == "dropped: malformed: depth: expected an integer from 0 to 2^53 - 1, found -1"


@every_version
def test_2_an_event_with_its_signatures_is_accepted(version: str) -> None:
    room = Room(version)
    room.join(ALICE)
    store = MemoryStore(RING)
    for event in room.events.values():
        receipt = receive(store, event, signatures=True)
        assert receipt.status is ReceiptStatus.ACCEPTED
        store.take(receipt)


def test_2_an_event_without_a_signature_is_dropped_and_no_key_is_asked_for(signed: Room) -> None:
    event = signed.make("m.room.message", ALICE, {})
    receipt = receive(NoKeysAsked(), {**event.pdu, "signatures": {}})
    assert receipt.status is ReceiptStatus.DROPPED
    assert found(receipt) is FindingKind.SIGNATURE_MISSING


def test_2_an_event_whose_key_is_unknown_waits_for_it(signed: Room) -> None:
    store = filled(signed)
    store.ring = KeyRing()
    event = signed.make("m.room.message", ALICE, {})
    receipt = receive(store, event.pdu)
    assert receipt.status is ReceiptStatus.UNDECIDED
    assert receipt.lacking == Lacking(keys=(("a.example", "ed25519:1"),))
    assert str(receipt) == "undecided: missing: keys a.example ed25519:1"
    assert (receipt.deciding, receipt.stored) == (None, None)
    store.take(receipt)
    assert event.event_id not in store.stored
    store.ring = RING
    assert receive(store, event.pdu).status is ReceiptStatus.ACCEPTED


def test_2_all_keys_are_asked_for_and_only_those_of_servers_that_must_sign(signed: Room) -> None:
    event = signed.make("m.room.message", ALICE, {})
    mine = {f"ed25519:{number}": "A" * 86 for number in range(20)} | {"rot13:1": "x"}
    pdu = {**event.pdu, "signatures": {"a.example": mine, "b.example": mine}}
    asked = []

    class Asked(MemoryStore):
        def keys(self, keys: Any, /) -> KeyRing:
            asked.append(keys)
            return KeyRing()

    assert len(receive(Asked(), pdu).lacking.keys) == 10
    assert asked == [{("a.example", f"ed25519:{number}") for number in range(20)}]


def test_2_a_forged_event_is_dropped(signed: Room) -> None:
    store = filled(signed)
    other = VerifyKey(key_of("someone else").verify_key.key)
    store.ring = KeyRing.of({"a.example": {"ed25519:1": other}})
    receipt = receive(store, signed.make("m.room.message", ALICE, {}).pdu)
    assert receipt.status is ReceiptStatus.DROPPED
    assert found(receipt) is FindingKind.SIGNATURE


def test_2_a_third_party_invite_needs_no_key(signed: Room) -> None:
    offer = {"public_key": encode_base64(key_of("id.one").verify_key.key), "display_name": "x"}
    signed.add("m.room.third_party_invite", ALICE, offer, state_key="token")
    store = filled(signed)
    invite = {"display_name": "x", "signed": signed_block(BOB, "token", "id.one")}
    event = signed.make_member(BOB, "invite", by=ALICE, more={"third_party_invite": invite})
    ring, store.ring = store.ring, KeyRing()
    receipt = receive(store, {**event.pdu, "signatures": {}})
    assert ring is RING
    assert receipt.status is ReceiptStatus.ACCEPTED


@every_version
def test_3_an_event_whose_content_was_changed_is_redacted(version: str) -> None:
    room = Room(version)
    room.join(ALICE)
    store = filled(room)
    event = room.make("m.room.topic", ALICE, {"topic": "x"}, state_key="")
    receipt = receive(store, {**event.pdu, "content": {"topic": "y"}}, version)
    assert receipt.status is ReceiptStatus.ACCEPTED
    assert receipt.redacted
    assert receipt.event is not None
    assert (receipt.event.content, receipt.event_id) == ({}, event.event_id)
    assert receipt.delta == {TOPIC: event.event_id}
    assert not receive(store, event.pdu, version).redacted


def test_3_an_event_that_waits_for_a_key_is_not_redacted(signed: Room) -> None:
    store = MemoryStore(KeyRing(required=True))
    receipt = receive(store, signed.make("m.room.message", ALICE, {"body": "x"}).pdu)
    assert receipt.status is ReceiptStatus.UNDECIDED
    assert not receipt.redacted


def test_the_claimed_id_must_be_the_event_id(signed: Room) -> None:
    event = signed.make("m.room.message", ALICE, {})
    receipt = receive(NoKeysAsked(), event.pdu, claimed_id="$other")
    assert receipt.status is ReceiptStatus.DROPPED
    assert found(receipt) is FindingKind.EVENT_ID


# Check 4


@every_version
def test_4_an_event_is_rejected_by_its_auth_events(version: str) -> None:
    room = base_room(version)
    store = filled(room)
    auth = [room.state[key] for key in [LEVELS, *([] if version == "12" else [("m.room.create", "")])]]
    event = room.make("m.room.topic", BOB, {}, state_key="", auth=auth)
    receipt = receive(store, event)
    assert receipt.status is ReceiptStatus.REJECTED
    assert refused_by(receipt.by_auth_events) is rules.SENDER_NOT_JOINED
    assert receipt.deciding is receipt.by_auth_events
    assert (receipt.by_state, receipt.by_current, receipt.forward_extremities) == (None, None, None)
    assert receipt.stored == Stored(event, rejected=True)
    # "The state used in the checks should be calculated as normal, except not updating with the rejected
    # event where it is a state event."
    assert receipt.delta == {}
    assert receipt.state_after == receipt.state_before == ids(room.state)
    store.take(receipt)
    assert store.states[event.event_id] == ids(room.state)
    # "Subsequent events from other servers that reference rejected events should be allowed if they still
    # pass the auth rules."
    after = room.make("m.room.message", BOB, {}, prev=[event])
    later = receive(store, after)
    assert later.status is ReceiptStatus.ACCEPTED
    assert later.forward_extremities == frozenset([after.event_id])
    citing = room.make("m.room.message", BOB, {}, auth=[*auth, room.state["m.room.member", BOB], event])
    assert receive(store, citing).status is ReceiptStatus.REJECTED


@every_version
def test_4_an_event_waits_for_its_auth_events(version: str) -> None:
    room = base_room(version)
    store = filled(room)
    member = room.make_member(CAROL, "join", more={"displayname": "x"})
    room.take(member)
    event = room.add("m.room.message", CAROL, {})
    receipt = receive(store, event)
    assert receipt.status is ReceiptStatus.UNDECIDED
    assert receipt.by_auth_events is None
    # What else is missing is named at once.
    assert receipt.lacking == Lacking(auth_events=(member.event_id,), prev_events=(member.event_id,))
    assert str(receipt.lacking) == f"auth events {member.event_id}; prev events {member.event_id}"
    store.take(receive(store, member))
    assert receive(store, event).status is ReceiptStatus.ACCEPTED


def test_4_an_auth_event_of_another_room_version_is_of_another_room() -> None:
    room, other = base_room("11"), base_room("10")
    store = filled(room)
    strange = other.state["m.room.member", BOB]
    store.stored[strange.event_id] = Stored(strange)
    auth = [room.create, room.state[LEVELS], strange]
    receipt = receive(store, room.make("m.room.message", BOB, {}, auth=auth))
    assert receipt.status is ReceiptStatus.REJECTED
    assert refused_by(receipt.by_auth_events) is rules.AUTH_EVENTS_OTHER_ROOM


def test_4_a_rejected_event_names_the_prev_events_before_which_nothing_is_known() -> None:
    room = base_room("11")
    store = filled(room)
    missing = room.make("m.room.message", ALICE, {})
    event = room.make("m.room.message", BOB, {}, auth=[room.create], prev=[missing])
    receipt = receive(store, event)
    assert receipt.status is ReceiptStatus.REJECTED
    assert (receipt.state_before, receipt.state_after) == (None, None)
    assert receipt.lacking == Lacking(prev_events=(missing.event_id,))
    store.take(receipt)
    assert event.event_id in store.stored
    assert event.event_id not in store.states


@pytest.mark.parametrize("where", ["auth", "prev"])
def test_an_event_that_cites_itself_is_rejected(where: str) -> None:
    room = base_room("1")
    store = filled(room)
    own = "$itself:a.example"
    event = room.make("m.room.message", ALICE, {}, **{where: [room.create, own]}, event_id=own)
    receipt = receive(store, event)
    assert receipt.status is ReceiptStatus.REJECTED
    assert receipt.cites_itself
    assert str(receipt) == "rejected: it cites itself"
    assert receipt.deciding is None
    store.take(receipt)
    assert store.stored[own].rejected


# Check 5


@every_version
def test_5_an_event_is_rejected_by_the_state_before_it(version: str) -> None:
    room = base_room(version)
    joined = room.state["m.room.member", BOB]
    room.member(BOB, "ban", by=ALICE)
    store = filled(room)
    room.state["m.room.member", BOB] = joined
    receipt = receive(store, room.make("m.room.message", BOB, {}))
    assert receipt.status is ReceiptStatus.REJECTED
    assert receipt.by_auth_events is not None
    assert receipt.by_auth_events.allowed
    assert refused_by(receipt.by_state) is rules.SENDER_NOT_JOINED
    assert receipt.deciding is receipt.by_state


@every_version
def test_5_an_event_waits_for_its_prev_events(version: str) -> None:
    room = base_room(version)
    store = filled(room)
    missing = room.make("m.room.message", ALICE, {})
    event = room.make("m.room.message", ALICE, {"n": 1}, prev=[missing, room.last or ""])
    receipt = receive(store, event)
    assert receipt.status is ReceiptStatus.UNDECIDED
    assert receipt.by_auth_events is not None
    assert receipt.lacking == Lacking(prev_events=(missing.event_id,))
    store.take(receive(store, missing))
    assert receive(store, event).status is ReceiptStatus.ACCEPTED


@every_version
def test_5_the_states_after_several_prev_events_are_resolved(version: str) -> None:
    room = base_room(version)
    _, topic, merge = banned_beside_a_topic(room)
    store = MemoryStore()
    receipts = receive_all(store, room.events.values())
    # The topic arrives after the ban.
    assert receipts[topic.event_id].status is ReceiptStatus.SOFT_FAILED
    assert receipts[merge.event_id].status is ReceiptStatus.ACCEPTED
    before = receipts[merge.event_id].state_before
    assert before is not None
    # "In the original version of the algorithm `C` would be in the resolved state, whereas in latter versions
    # the algorithm tries to prioritise the ban over the topic change."
    assert before.get(TOPIC) == (topic.event_id if version == "1" else None)
    assert store.extremities == {merge.event_id}


MEMBERS = [Unknown.members()]


@every_version
def test_5_an_unknown_entry_that_the_check_reads_leaves_the_event_undecided(version: str) -> None:
    room = base_room(version)
    store = filled(room)
    whole = ids(room.state)
    bob = ("m.room.member", BOB)
    known = {key: event_id for key, event_id in whole.items() if key != bob}
    event = room.make("m.room.message", BOB, {})
    receipt = receive(store, event, state_before=PartialState(known, MEMBERS))
    assert receipt.status is ReceiptStatus.UNDECIDED
    assert receipt.lacking == Lacking(entries=(bob,), why="members omitted")
    assert "state entries m.room.member '@bob:b.example'" in str(receipt)
    # Another user's entry is not read.
    alice = room.make("m.room.message", ALICE, {})
    told = receive(store, alice, state_before=PartialState(known, MEMBERS))
    assert told.status is ReceiptStatus.ACCEPTED
    assert isinstance(told.state_after, PartialState)
    # More is known later.
    assert receive(store, event, state_before=whole).status is ReceiptStatus.ACCEPTED


def test_5_an_event_of_the_state_that_is_missing_leaves_the_event_undecided() -> None:
    room = base_room("11")
    store = filled(room)
    levels = room.state[LEVELS].event_id
    newer = {**ids(room.state), LEVELS: "$newer"}
    receipt = receive(store, room.make("m.room.message", BOB, {}), state_before=newer)
    assert receipt.status is ReceiptStatus.UNDECIDED
    assert receipt.lacking == Lacking(events=("$newer",))
    assert str(receipt.lacking) == "events $newer"
    assert levels in store.stored


def test_a_given_state_never_has_the_event_itself() -> None:
    room = base_room("11")
    store = filled(room)
    event = room.make("m.room.topic", ALICE, {"topic": "x"}, state_key="")
    after = {**ids(room.state), TOPIC: event.event_id}
    receipt = receive(store, event, state_before=after)
    assert isinstance(receipt.state_before, PartialState)
    assert receipt.state_before.why_unknown(TOPIC) is not None
    assert receipt.state_after == after
    join = room.make_member(CAROL, "join", more={"displayname": "x"})
    mine = {**ids(room.state), ("m.room.member", CAROL): join.event_id}
    assert receive(store, join, state_before=RoomState(mine)).status is ReceiptStatus.UNDECIDED


@every_version
def test_the_create_event_of_another_room_is_an_error(version: str) -> None:
    room = base_room(version)
    other = Room(version, name="other", signed=False, creator="@eve:e.example")
    store = filled(room)
    # The rules on create events read no state, so they would allow it.
    with pytest.raises(WrongRoom):
        receive(store, other.create)
    assert receive(MemoryStore(), other.create).status is ReceiptStatus.ACCEPTED


def test_a_state_of_another_room_is_an_error() -> None:
    room, other = base_room("11"), Room("11", name="other", signed=False)
    store = filled(room)
    store.stored[other.create.event_id] = Stored(other.create)
    with pytest.raises(WrongRoom):
        receive(store, room.make("m.room.message", BOB, {}), state_before=ids(other.state))


# States that cannot be resolved


def forked(version: str = "11", policy: bool = False) -> tuple[Room, MemoryStore, list[Event]]:
    """Two topics on two branches, and before them perhaps an event that turns policy servers off."""
    room = base_room(version)
    if policy:
        room.add("m.room.policy", ALICE, {}, state_key="")
    fork = Branches(room)
    topics = []
    for number in range(2):
        fork.branch()
        topics.append(room.add("m.room.topic", ALICE, {"topic": f"{number}"}, state_key=""))
        fork.end()
    fork.branch()
    return room, filled(room), topics


def test_what_the_states_agree_on_is_known_even_if_they_cannot_be_resolved() -> None:
    room, store, topics = forked()
    del store.stored[topics[0].event_id]
    event = room.make("m.room.message", ALICE, {}, prev=topics)
    receipt = receive(store, event)
    assert receipt.lacking.events == (topics[0].event_id,)
    assert isinstance(receipt.state_before, PartialState)
    assert receipt.state_before.known == ids(room.state)
    assert receipt.state_before.why_unknown(TOPIC) is not None
    # The sender's membership is not in question. But the room may use a policy server.
    assert receipt.by_current is not None
    assert receipt.by_current.allowed
    assert receipt.status is ReceiptStatus.UNDECIDED
    assert receipt.lacking.entries == (("m.room.policy", ""),)
    late = receive(store, event, from_history=True)
    assert late.status is ReceiptStatus.ACCEPTED
    assert late.lacking == Lacking(events=(topics[0].event_id,))


def test_states_that_are_known_in_part_are_merged_as_far_as_they_agree() -> None:
    room, store, topics = forked()
    for topic in topics:
        store.states[topic.event_id] = PartialState(store.states[topic.event_id], [Unknown.members()])
    event = room.make("m.room.message", ALICE, {}, prev=topics)
    receipt = receive(store, event, from_history=True)
    assert isinstance(receipt.state_before, PartialState)
    assert receipt.state_before.known == ids(room.state)
    assert receipt.status is ReceiptStatus.ACCEPTED
    assert receipt.lacking == Lacking()


@pytest.mark.parametrize("lack", Lack)
def test_what_would_tell_an_unknown_entry_is_kept(lack: Lack) -> None:
    room, store, topics = forked()
    bob = Unknown("told by nobody", keys=frozenset([("m.room.member", BOB)]), lack=lack)
    known = {key: e for key, e in ids(room.state).items() if key not in bob.keys}
    first, second = (event.event_id for event in topics)
    store.states[first] = PartialState({**known, TOPIC: first}, [bob])
    merge = room.make("m.room.message", ALICE, {}, prev=topics)
    before = receive(store, merge, from_history=True).state_before
    assert isinstance(before, PartialState)
    assert {one.lack for one in before.unknown} == {lack}
    receipt = receive(store, room.make("m.room.message", BOB, {}, prev=topics[:1]))
    assert receipt.status is ReceiptStatus.UNDECIDED
    assert (receipt.lacking.why, receipt.lacking.lack) == ("told by nobody", lack)
    del store.stored[second]
    store.states[first] = RoomState({**ids(room.state), TOPIC: first})
    before = receive(store, merge, from_history=True).state_before
    assert isinstance(before, PartialState)
    assert {one.lack for one in before.unknown} == {Lack.MISSING}


@every_version
def test_a_rejected_event_of_the_history_replaces_no_extremity(version: str) -> None:
    room = base_room(version)
    store = filled(room)
    last = room.last
    assert last is not None
    rejected = room.make("m.room.message", "@nobody:n.example", {})
    follows = room.make("m.room.message", ALICE, {}, prev=[rejected])
    both = frozenset([last.event_id, follows.event_id])
    for from_history, ends in ((True, both), (False, both - {last.event_id})):
        receipt = receive(store, rejected, from_history=from_history)
        assert (receipt.status, receipt.from_history) == (ReceiptStatus.REJECTED, from_history)
        assert receipt.stored == Stored(rejected, rejected=True, from_history=from_history)
        store.take(receipt)
        assert receive(store, follows).forward_extremities == ends


def test_the_current_state_is_the_state_before_an_event_that_follows_all_extremities() -> None:
    room, store, topics = forked()
    assert store.extremities == {topic.event_id for topic in topics}
    merged = receive(store, room.make("m.room.message", ALICE, {}, prev=topics)).state_before
    assert run(state_before_steps(store.extremities), store).state == merged
    assert run(state_before_steps([]), store).state == {}


def test_an_event_sent_under_another_id_is_an_error() -> None:
    room = base_room("11")
    store = filled(room)

    class Liar(MemoryStore):
        def events(self, event_ids: frozenset[EventId], /) -> Mapping[EventId, Stored]:
            return dict.fromkeys(event_ids, Stored(room.create))

    with pytest.raises(ValueError, match="was sent"):
        run(receive_checked_steps(checked(room.make("m.room.message", BOB, {}))), Liar())
    assert store.stored


# Checks 6 and 7


@every_version
def test_6_an_event_that_the_current_state_refuses_is_soft_failed(version: str) -> None:
    room = base_room(version)
    before, last = dict(room.state), room.last
    ban = room.member(BOB, "ban", by=ALICE)
    store = filled(room)
    room.state, room.last = before, last
    event = room.make("m.room.topic", BOB, {}, state_key="")
    receipt = receive(store, event)
    assert receipt.status is ReceiptStatus.SOFT_FAILED
    assert refused_by(receipt.by_current) is rules.SENDER_NOT_JOINED
    assert receipt.deciding is receipt.by_current
    assert receipt.stored == Stored(event, soft_failed=True)
    assert receipt.forward_extremities is None
    # "Soft failed events participate in state resolution as normal".
    assert receipt.delta == {TOPIC: event.event_id}
    store.take(receipt)
    assert store.extremities == {ban.event_id}
    assert store.states[event.event_id][TOPIC] == event.event_id
    # From the history, it is not compared with what came later.
    late = receive(store, event, from_history=True)
    assert late.status is ReceiptStatus.ACCEPTED
    assert (late.by_current, late.forward_extremities) == (None, None)


class KeepsCurrent(MemoryStore):
    """A store that keeps a current state."""

    state: StateMap[EventId] | None = None

    def current(self) -> Current:
        return Current(sorted(self.extremities), self.state)


def with_current(room: Room, state: StateMap[EventId] | None) -> KeepsCurrent:
    store = KeepsCurrent(RING)
    receive_all(store, room.events.values())
    store.extremities = frozenset(["$end"])
    store.state = state
    return store


def test_6_the_current_state_that_the_store_keeps_is_used() -> None:
    room = base_room("11")
    event = room.make("m.room.message", BOB, {})
    assert receive(with_current(room, ids(room.state)), event).status is ReceiptStatus.ACCEPTED
    left = {**ids(room.state), ("m.room.member", BOB): room.state["m.room.member", CAROL].event_id}
    assert receive(with_current(room, left), event).status is ReceiptStatus.ACCEPTED
    del left["m.room.member", BOB]
    assert receive(with_current(room, left), event).status is ReceiptStatus.SOFT_FAILED


def test_6_an_unknown_current_state_leaves_the_event_undecided() -> None:
    room = base_room("11")
    event = room.make("m.room.message", BOB, {})
    receipt = receive(with_current(room, None), event)
    assert receipt.status is ReceiptStatus.UNDECIDED
    assert receipt.by_state is not None
    assert receipt.by_state.allowed
    assert receipt.lacking == Lacking(current=("$end",))
    assert str(receipt) == "undecided: missing: states after forward extremities $end"
    known = {key: e for key, e in ids(room.state).items() if key[0] != "m.room.member"}
    receipt = receive(with_current(room, PartialState(known, MEMBERS)), event)
    assert receipt.status is ReceiptStatus.UNDECIDED
    assert receipt.lacking == Lacking(entries=(("m.room.member", BOB),), why="members omitted")
    receipt = receive(with_current(room, {**ids(room.state), LEVELS: "$newer"}), event)
    assert receipt.lacking == Lacking(events=("$newer",))


def test_6_what_a_current_state_lacks_is_named_even_if_it_is_not_needed() -> None:
    room, store, topics = forked(policy=True)
    del store.stored[topics[0].event_id]
    receipt = receive(store, room.make("m.room.message", ALICE, {}, prev=[topics[1]]))
    assert receipt.status is ReceiptStatus.ACCEPTED
    assert receipt.lacking == Lacking(events=(topics[0].event_id,))


POLICY_SERVER = server_name(BOB)
POLICY_KEY = SigningKey.from_seed(POLICY_SERVER_KEY, encode_base64(b"the secret of a policy server !!"))
POLICY = {"via": POLICY_SERVER, "public_keys": {"ed25519": encode_base64(POLICY_KEY.verify_key.key)}}


def with_policy(version: str = "11", content: Any = POLICY) -> tuple[Room, MemoryStore]:
    room = base_room(version)
    room.add("m.room.policy", ALICE, content, state_key="")
    return room, filled(room)


@every_version
def test_7_an_event_that_the_policy_server_has_not_signed_is_soft_failed(version: str) -> None:
    room, store = with_policy(version)
    event = room.make("m.room.message", ALICE, {})
    receipt = receive(store, event)
    assert receipt.status is ReceiptStatus.SOFT_FAILED
    assert isinstance(receipt.refusal, PolicyRefusal)
    assert receipt.deciding is receipt.refusal
    assert receipt.by_current is not None
    assert receipt.by_current.allowed
    pdu = sign_event(event.pdu, version, POLICY_SERVER, POLICY_KEY)
    assert receive(store, parse_event(pdu, version)).status is ReceiptStatus.ACCEPTED


@pytest.mark.parametrize("content", [{}, {"via": POLICY_SERVER}, {**POLICY, "via": "z.example"}])
def test_7_a_room_may_use_no_policy_server(content: Any) -> None:
    room, store = with_policy(content=content)
    assert receive(store, room.make("m.room.message", ALICE, {})).status is ReceiptStatus.ACCEPTED


def test_7_the_policy_event_itself_needs_no_signature() -> None:
    room, store = with_policy()
    assert (
        receive(store, room.make("m.room.policy", ALICE, {}, state_key="")).status is ReceiptStatus.ACCEPTED
    )
    other = room.make("m.room.policy", ALICE, {}, state_key="x")
    assert receive(store, other).status is ReceiptStatus.SOFT_FAILED


def test_7_users_who_are_not_joined_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receive_checks, "_BATCH", 2)
    room = base_room("11")
    for number in range(5):
        user = f"@{number}:z.example"
        room.join(user)
        room.member(user, "leave")
    room.add("m.room.policy", ALICE, {**POLICY, "via": "z.example"}, state_key="")
    store = filled(room)
    event = room.make("m.room.message", ALICE, {})
    assert receive(store, event).status is ReceiptStatus.ACCEPTED
    members = {key: e.event_id for key, e in room.state.items() if key[1].endswith("z.example")}
    # The member event of one of them is missing.
    lost = members["m.room.member", "@3:z.example"]
    kept = store.stored.pop(lost)
    receipt = receive(store, event)
    assert receipt.status is ReceiptStatus.UNDECIDED
    assert receipt.lacking == Lacking(events=(lost,))
    store.stored[lost] = kept
    # Any user may be joined if members are unknown.
    store.states[room.last.event_id if room.last else ""] = PartialState(ids(room.state), MEMBERS)
    receipt = receive(store, event)
    assert receipt.status is ReceiptStatus.UNDECIDED
    assert receipt.lacking.entries == ()
    assert receipt.lacking.why.startswith('it may have a joined user of "z.example"')
    assert "part of a state" in str(receipt.lacking)
    # If one is joined, it does not matter what is missing.
    room.join("@4:z.example")
    assert room.last is not None
    store.stored[room.last.event_id] = Stored(room.last)
    store.states[room.last.event_id] = RoomState(ids(room.state))
    store.extremities = frozenset([room.last.event_id])
    del store.stored[lost]
    assert receive(store, room.make("m.room.message", ALICE, {})).status is ReceiptStatus.SOFT_FAILED


def test_7_a_policy_event_that_is_missing_leaves_the_event_undecided() -> None:
    room, store = with_policy()
    policy = room.state["m.room.policy", ""].event_id
    del store.stored[policy]
    receipt = receive(store, room.make("m.room.message", ALICE, {}))
    assert receipt.status is ReceiptStatus.UNDECIDED
    assert receipt.lacking == Lacking(events=(policy,))


# Forward extremities


@every_version
def test_an_event_takes_the_place_of_the_extremities_that_it_follows(version: str) -> None:
    room, store, topics = forked(version)
    one = room.make("m.room.message", ALICE, {}, prev=[topics[0]])
    receipt = receive(store, one)
    assert receipt.forward_extremities == frozenset([one.event_id, topics[1].event_id])
    both = room.make("m.room.message", ALICE, {}, prev=topics)
    assert receive(store, both).forward_extremities == frozenset([both.event_id])
    neither = room.make("m.room.message", ALICE, {}, prev=[room.create], auth=[])
    assert receive(store, neither).forward_extremities is None


def test_rejected_events_are_walked_through_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    room = base_room("11")
    store = filled(room)
    (end,) = store.extremities
    last = room.last
    assert last is not None
    for number in range(4):
        last = room.make("m.room.message", "@x:z.example", {"n": number}, prev=[last])
        receipt = receive(store, last)
        assert receipt.status is ReceiptStatus.REJECTED
        store.take(receipt)
    event = room.make("m.room.message", ALICE, {}, prev=[last])
    assert receive(store, event).forward_extremities == frozenset([event.event_id])
    monkeypatch.setattr(receive_extremities, "_MOST_PASSED", 3)
    assert receive(store, event).forward_extremities == frozenset([event.event_id, end])


# Receipts


def test_a_receipt_has_no_truth_value_and_can_be_pickled() -> None:
    room = base_room("11")
    store = filled(room)
    receipt = receive(store, room.make("m.room.message", ALICE, {}))
    with pytest.raises(TypeError, match=r"use \.status"):
        bool(receipt)
    assert str(receipt).startswith("accepted: v11 rule ")
    copy = pickle.loads(pickle.dumps(receipt))
    assert copy.status is receipt.status
    assert copy.event == receipt.event
    assert copy.state_before == receipt.state_before


def test_a_memory_store_does_not_replace_an_event_by_another_one_with_its_id() -> None:
    """In versions 1 and 2 the sender's server chooses the ID."""
    room = Room("1", signed=False)
    room.join(ALICE)
    store = MemoryStore()
    for event in room.events.values():
        store.take(run(receive_steps(event.pdu, "1", signatures=False), store))
    *_, last = room.events.values()
    receipt = run(receive_steps(last.pdu, "1", signatures=False), store)
    store.take(receipt)
    pdu = {**last.pdu, "origin_server_ts": 7, "prev_events": []}
    pdu["hashes"] = {"sha256": compute_content_hash(pdu, "1")}
    with pytest.raises(ValueError, match="another event is stored under the ID"):
        store.take(run(receive_steps(pdu, "1", signatures=False), store))
    assert store.stored[last.event_id].event.pdu == last.pdu


def test_a_message_leaves_the_state_object_as_it_is() -> None:
    room = base_room("11")
    store = filled(room)
    receipt = receive(store, room.make("m.room.message", ALICE, {}))
    assert (
        receipt.state_after is receipt.state_before is store.states[room.last.event_id if room.last else ""]
    )


def test_nothing_lacks_is_empty_text() -> None:
    assert not str(Lacking())


@pytest.mark.parametrize("version", versions_from(8))
def test_a_restricted_join_needs_both_signatures(version: str) -> None:
    room = Room(version)
    room.join(ALICE)
    room.join_rule("restricted")
    store = filled(room)
    more = {"join_authorised_via_users_server": ALICE}
    event = room.make_member(BOB, "join", more=more)
    receipt = receive(store, event.pdu, version)
    assert receipt.status is ReceiptStatus.DROPPED
    assert found(receipt) is FindingKind.SIGNATURE_MISSING
    both = sign_event(event.pdu, version, "a.example", key_of("a.example"))
    assert receive(store, both, version).status is ReceiptStatus.ACCEPTED


def test_a_store_that_is_awaited_gets_the_same_receipts() -> None:
    room = base_room("11")
    banned_beside_a_topic(room)
    store, other = MemoryStore(), MemoryStore()

    class Awaited:
        async def events(self, event_ids: frozenset[EventId]) -> Mapping[EventId, Stored]:
            return other.events(event_ids)

        async def keys(self, keys: Any) -> KeyRing:
            return other.keys(keys)

        async def states_after(self, event_ids: frozenset[EventId]) -> Mapping[EventId, StateMap[EventId]]:
            return other.states_after(event_ids)

        async def current(self) -> Current:
            return other.current()

    async def all_of_them() -> dict[EventId, Receipt]:
        receipts = {}
        for event in room.events.values():
            steps = receive_steps(event.pdu, "11", graph=other.graph, signatures=False)
            receipt = await run_async(steps, Awaited(), executor=asyncio.to_thread)
            receipts[event.event_id] = receipt
            other.take(receipt)
        return receipts

    assert asyncio.run(all_of_them()) == receive_all(store, room.events.values())
