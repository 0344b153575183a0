"""Which server keys a room needs, and which events hang on each."""

from random import Random

import pytest
from builder import ALICE, BOB, Room, key_of, versions_from
from command_line import public_room

from roomver import Event
from roomver.entry import Entry, Place
from roomver.explain.keys import Hangs, KeyNeeds, find_key_needs
from roomver.findings import EventCheck
from roomver.keys import KeyRing, VerifyKey
from roomver.room_check import check_room
from roomver.signature_results import SigningStatus


def needs_of(room: Room, ring: KeyRing) -> tuple[KeyNeeds, dict[SigningStatus, int]]:
    """Return the keys that a room needs, and how many events have each signing status."""
    dropped: list[tuple[Event, EventCheck]] = []

    def keep(_: Entry, check: EventCheck) -> None:
        if check.event is not None and check.usable is None:
            dropped.append((check.event, check))

    entries = [Entry(Place(n, ""), one.event_id, one.pdu) for n, one in enumerate(room.events.values(), 1)]
    found = check_room(entries, room.version.identifier, keys=ring, on_check=keep)
    gathered = found.gathered
    needs = find_key_needs(gathered.events, gathered.checks, dropped, ring)
    return needs, dict(found.summary.signatures)


def ring_of(**keys: VerifyKey) -> KeyRing:
    return KeyRing.of({f"{name}.example": {"ed25519:1": key} for name, key in keys.items()}, source="here")


def test_a_key_that_is_missing_names_the_events_that_wait_for_it() -> None:
    room = public_room("11")
    message = room.add("m.room.message", BOB, {"body": "x"})
    needs, statuses = needs_of(room, ring_of(a=key_of("a.example").verify_key))
    (missing,) = needs.unknown
    assert (missing.server, missing.key_id, missing.known) == ("b.example", "ed25519:1", ())
    assert message.event_id in missing.events
    assert missing.open == statuses[SigningStatus.KEY_UNKNOWN]
    assert not needs.wrong


def test_a_wrong_key_is_in_doubt_and_its_events_are_named() -> None:
    room = public_room("11")
    room.add("m.room.message", BOB, {"body": "x"})
    ring = ring_of(a=key_of("a.example").verify_key, b=key_of("elsewhere").verify_key)
    needs, statuses = needs_of(room, ring)
    first = needs.keys[0]
    assert (first.server, first.in_doubt, first.bad) == ("b.example", True, statuses[SigningStatus.INVALID])
    assert needs.wrong


def test_of_two_keys_under_one_id_the_one_that_verifies_nothing_is_in_doubt() -> None:
    room = public_room("11")
    both = ring_of(a=key_of("a.example").verify_key, b=key_of("b.example").verify_key) | ring_of(
        a=key_of("elsewhere").verify_key
    )
    needs, _ = needs_of(room, both)
    (one,) = [one for one in needs.keys if one.server == "a.example"]
    assert one.in_doubt
    assert sorted(key.verifies or 0 for key in one.known)[0] == 0
    assert one.bad == one.open == 0


def test_a_server_that_has_not_signed_is_named() -> None:
    room = public_room("11")
    message = room.add("m.room.message", ALICE, {"body": "x"})
    pdu = {**message.pdu, "signatures": {}}
    entries = [Entry(Place(n, ""), one.event_id, one.pdu) for n, one in enumerate(room.events.values(), 1)]
    entries[-1] = Entry(Place(99, ""), message.event_id, pdu)
    dropped: list[tuple[Event, EventCheck]] = []
    ring = ring_of(a=key_of("a.example").verify_key, b=key_of("b.example").verify_key)

    def keep(_: Entry, check: EventCheck) -> None:
        if check.event is not None and check.findings:
            dropped.append((check.event, check))

    found = check_room(entries, "11", keys=ring, on_check=keep)
    needs = find_key_needs(found.gathered.events, found.gathered.checks, dropped, ring)
    assert needs.unsigned == {message.event_id: ("a.example",)}


@pytest.mark.parametrize("version", versions_from(1))
def test_the_numbers_are_those_of_the_checks_whatever_keys_are_known(version: str) -> None:
    for seed in range(8):
        rng = Random(f"{version}/{seed}")
        room = public_room(version)
        for _ in range(6):
            sender = rng.choice([ALICE, BOB])
            room.add("m.room.message", sender, {"body": "x"}, origin_server_ts=rng.randrange(9))
        ring = KeyRing()
        for name in ("a", "b"):
            for _ in range(rng.randrange(3)):
                raw = key_of(rng.choice([f"{name}.example", "elsewhere"])).verify_key.key
                until, expired = (rng.choice([None, None, 4]) for _ in range(2))
                ring |= ring_of(**{name: VerifyKey(raw, until, expired)})
        needs, statuses = needs_of(room, ring)
        hanging = [(e, why) for one in needs.keys for e, why in one.events.items()]
        waiting = {e for e, why in hanging if why in (Hangs.UNKNOWN, Hangs.LAPSED)}
        bad = {e for e, why in hanging if e not in waiting} | {*needs.unsigned}
        assert len(waiting - bad) == statuses.get(SigningStatus.KEY_UNKNOWN, 0)
        assert len(bad) == sum(statuses.get(one, 0) for one in (SigningStatus.INVALID, SigningStatus.MISSING))
        assert needs.wrong == bool(bad)
