"""Random knowledge of a room: some keys, some events, some of the states that servers give; and less of each.

A room is played and signed by three servers. Some events are signed badly, not at all, or with a key that
expired. `Knowledge` is what a file has of it: `Knowledge.less` has less, and never anything else.
"""

from dataclasses import dataclass, replace
from random import Random
from typing import Any

from builder import key_of, server_name
from played_rooms import arrived_late, followed, played

from roomver import Event, KeyRing, SigningKey, VerifyKey, replay_room, sign_event
from roomver.check import check_event
from roomver.entry import Entry, Part, Place
from roomver.replay import Replay
from roomver.room_check import RoomCheck, check_room
from roomver.types import EventId, StateKey

SERVERS = ("a.example", "b.example", "d.example:8448")
_HERE = Place(None, "")
# `played` sends all events at the times 1 to 5.
_EXPIRED = 3

_FORMS = {
    "good": 12,
    "old": 3,
    "old and good": 2,
    "forged": 1,
    "forged old and good": 1,
    "unreadable": 1,
    "missing": 1,
    "good and forged": 1,
    "tampered": 1,
}
"""How an event is signed, each with a weight."""

Pdu = dict[str, Any]


def _signer(server: str, name: str) -> SigningKey:
    key = key_of(f"{server} {name}" if name != "1" else server)
    return replace(key, key_id=f"ed25519:{name}")


def _with_form(event: Event, form: str) -> Pdu:
    """Return the PDU of an event, signed by its sender's server in some form."""
    server, version = server_name(event.sender), event.room_version

    def signature(name: str, *, good: bool = True) -> dict[str, str]:
        signer = _signer(server, name)
        if not good:
            signer = replace(_signer("somebody else", name), key_id=signer.key_id)
        whole: Any = sign_event(dict(event.pdu), version, server, signer)
        return dict(whole["signatures"][server])

    match form:
        case "good" | "tampered":
            mine = signature("1")
        case "old":
            mine = signature("old")
        case "old and good":
            mine = {**signature("old"), **signature("1")}
        case "forged":
            mine = signature("1", good=False)
        case "forged old and good":
            mine = {**signature("old", good=False), **signature("1")}
        case "unreadable":
            mine = {"ed25519:1": "?"}
        case "good and forged":
            mine = {**signature("1"), **signature("2", good=False)}
        case _:
            mine = {}
    pdu: Pdu = {**event.pdu, "signatures": {server: mine} if mine else {}}
    if form == "tampered" and event.type != "m.room.create":  # the event ID would change with its content
        pdu["content"] = {**pdu["content"], "added": "by somebody"}
    return pdu


@dataclass(frozen=True)
class Answer:
    """A state that a server gives, as the entries of one document.

    Attributes:
        event_id: the event that it is the state before; None for the current state.
        state: the events of the state.
        chain: the events of its auth chain.
        part: what the document says about the state.
        malformed, unreadable: entries of the state that are broken.
    """

    event_id: EventId | None
    state: dict[StateKey, EventId]
    chain: tuple[EventId, ...]
    part: Part = Part.STATE
    malformed: frozenset[EventId] = frozenset()
    unreadable: frozenset[EventId] = frozenset()

    def less(self, rng: Random) -> "Answer":
        """The same answer with less in it."""
        state = dict(self.state)
        result = replace(self, chain=tuple(one for one in self.chain if rng.randrange(8)))
        match rng.randrange(6):
            case 0 if self.part is not Part.PART_OF_STATE:
                state = {
                    k: e
                    for k, e in state.items()
                    # That an entry which cannot be read is a member would be more knowledge, not less.
                    if k[0] != "m.room.member" or rng.randrange(3) or e in self.unreadable
                }
                result = replace(result, part=Part.STATE_WITHOUT_MEMBERS)
            case 1:
                state = {k: e for k, e in state.items() if rng.randrange(3)}
                result = replace(result, part=Part.PART_OF_STATE)
            case 2:
                broken = frozenset(e for e in state.values() if not rng.randrange(5))
                result = replace(result, malformed=self.malformed | broken)
            case 3 if state:
                one = rng.choice(sorted(state.values()))
                result = replace(result, unreadable=self.unreadable | {one})
            case _:
                pass
        return replace(result, state=state)

    def entries(self, pdus: dict[EventId, Pdu], number: int) -> list[Entry]:
        """Return the entries of the document."""
        found = []
        for event_id in self.state.values():
            pdu = pdus[event_id]
            if event_id in self.unreadable:
                found.append(Entry(_HERE, None, None, "not JSON", self.part, number))
            elif event_id in self.malformed:
                broken = {key: value for key, value in pdu.items() if key != "prev_events"}
                found.append(Entry(_HERE, None, broken, None, self.part, number))
            else:
                found.append(Entry(_HERE, None, pdu, None, self.part, number))
        found += [Entry(_HERE, None, pdus[one], None, Part.AUTH_CHAIN, number) for one in self.chain]
        if self.event_id is not None:
            found.append(Entry(_HERE, None, pdus[self.event_id], None, Part.JOINED, number))
        return found


@dataclass(frozen=True)
class Knowledge:
    """What is known of a room.

    Attributes:
        version: the room version.
        pdus: event ID to PDU, in order of arrival; the same for more and less knowledge.
        gone: the events that the file does not have, unless an answer has them.
        answers: the states that servers give.
        keys: server name to key ID to key.
        now: the time, or None.
    """

    version: str
    pdus: dict[EventId, Pdu]
    gone: frozenset[EventId]
    answers: tuple[Answer, ...]
    keys: dict[str, dict[str, VerifyKey]]
    now: int | None

    @property
    def ring(self) -> KeyRing:
        """The known keys."""
        return KeyRing.of(self.keys, now=self.now)

    def with_fewer_keys(self, rng: Random) -> "Knowledge":
        """The same with some of the keys, or what a server said about a key earlier."""
        keys: dict[str, dict[str, VerifyKey]] = {}
        for server, by_id in self.keys.items():
            for key_id, key in by_id.items():
                if rng.randrange(3):
                    until = key.valid_until_ts
                    earlier = replace(key, valid_until_ts=until - 2) if until and rng.randrange(2) else key
                    keys.setdefault(server, {})[key_id] = earlier
        return replace(self, keys=keys)

    def with_less_state(self, rng: Random) -> "Knowledge":
        """The same with less in some of the answers, or without some of them."""
        kept = [one for one in self.answers if rng.randrange(5)]
        return replace(self, answers=tuple(one.less(rng) if rng.randrange(3) else one for one in kept))

    def without(self, gone: frozenset[EventId]) -> "Knowledge":
        """The same without some events."""
        return replace(self, gone=self.gone | gone)

    def check(self, **options: Any) -> RoomCheck:
        """Check a room of which this is known."""
        entries = [
            Entry(_HERE, None, pdu) for event_id, pdu in self.pdus.items() if event_id not in self.gone
        ]
        for number, answer in enumerate(self.answers, 1):
            entries += answer.entries(self.pdus, number)
        return check_room(entries, self.version, keys=self.ring, **options)


def drawn_knowledge(
    rng: Random, version: str, *, badly_signed: bool = True, soft_failure: bool = True
) -> Knowledge:
    """Draw a room, and all that may be known of it.

    Args:
        rng: the room is drawn from it.
        version: the room version.
        badly_signed: some events are signed badly.
        soft_failure: the servers soft-fail events, so these are not in the current states that they give.
    """
    plain = played(rng, version, rng.randrange(3, 26), odd=rng.random() < 0.4)
    bad = rng.random() < 0.75 and badly_signed
    forms = rng.choices([*_FORMS], [*_FORMS.values()], k=len(plain)) if bad else ["good"] * len(plain)
    pdus = {event.event_id: _with_form(event, form) for event, form in zip(plain, forms, strict=True)}
    events = [as_used(pdu, version) for pdu in pdus.values()]
    whole = replay_room(events, soft_failure=soft_failure)
    gone: set[EventId] = set()
    if rng.randrange(2):
        some = followed(whole)
        gone = set(rng.sample(some, min(len(some), rng.choice([1, 1, 2, 3]))))
        events = arrived_late(events, gone)
        whole = replay_room(events, soft_failure=soft_failure)
        pdus = {event.event_id: pdus[event.event_id] for event in events}
    keys: dict[str, dict[str, VerifyKey]] = {}
    for server in SERVERS:
        until = rng.choice([None, None, 5, 3])
        keys[server] = {
            "ed25519:1": replace(_signer(server, "1").verify_key, valid_until_ts=until),
            "ed25519:2": _signer(server, "2").verify_key,
            "ed25519:old": replace(_signer(server, "old").verify_key, expired_ts=_EXPIRED),
        }
    now = rng.choice([None, None, 10])
    return Knowledge(version, pdus, frozenset(gone), _answers(rng, whole, gone), keys, now)


def as_used(pdu: Pdu, version: str) -> Event:
    """Return the event that a server uses, if it does not look at the signatures."""
    event = check_event(pdu, version, keys=None).event
    assert event is not None
    return event


def _answers(rng: Random, whole: Replay, gone: set[EventId]) -> tuple[Answer, ...]:
    good = [e for e in whole.order[1:] if whole.outcomes[e].accepted and e not in gone]
    chosen = rng.sample(good, min(len(good), rng.choice([0, 1, 1, 2, 3])))
    after_a_gap = [e for e in good if gone.intersection(whole.events[e].prev_event_ids) and e not in chosen]
    chosen += after_a_gap if rng.randrange(3) else []
    answers = []
    for event_id in chosen:
        state = whole.state_before(event_id) or {}
        answers.append(Answer(event_id, dict(state), _chain(whole, state)))
    if not rng.randrange(6):
        current = whole.current_state or {}
        answers.append(Answer(None, dict(current), _chain(whole, current)))
    return tuple(answers)


def _chain(whole: Replay, state: Any) -> tuple[EventId, ...]:
    found: dict[EventId, None] = {}
    todo = [*state.values()]
    while todo:
        for one in whole.events[todo.pop()].auth_event_ids:
            if one not in found and one in whole.events:
                found[one] = None
                todo.append(one)
    return tuple(found)
