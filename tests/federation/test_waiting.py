"""What the events that wait cost: how often each is received again."""

from typing import Any

import pytest

from roomver import Event, EventId, JsonObject
from roomver.federation import FederationSteps, LocalRoom, receiving, take_steps
from roomver.receive import Receipt

from .test_attacks import crafted, named
from .test_federation import BOB, MEMBER, every_version, joined
from .two_servers import Memory, Server

LEVELS = ("m.room.power_levels", "")


def message(server: Server, there: Memory, version: str, prev: EventId) -> Event:
    """Return a message of Bob that follows an event."""
    return crafted(
        server, there, version, type="m.room.message", sender=BOB, prev_events=[prev],
        auth_events=named(there, version, LEVELS, (MEMBER, BOB)),
    )  # fmt: skip


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch) -> list[JsonObject]:
    """Return the list to which each PDU is added when it is received, for the first time or again."""
    seen: list[JsonObject] = []
    attempt = receiving.attempt

    def counted(pdu: JsonObject, room: LocalRoom, **options: Any) -> FederationSteps[Receipt]:
        seen.append(pdu)
        return attempt(pdu, room, **options)

    monkeypatch.setattr(receiving, "attempt", counted)
    return seen


@every_version
def test_a_chain_that_comes_newest_first_is_received_again_once(
    version: str, attempts: list[JsonObject]
) -> None:
    a, b, room_id = joined(version)
    here, there = a.rooms[room_id], b.rooms[room_id]
    vars(a)["ask"] = lambda _: None
    (end,) = there.extremities
    chain = [message(b, there, version, end)]
    for _ in range(60):
        chain.append(message(b, there, version, chain[-1].event_id))
    for event in chain[:0:-1]:
        a.run(room_id, take_steps(event.pdu, here.room, "b.org"))
    assert len(here.waits) == 60
    attempts.clear()
    a.run(room_id, take_steps(chain[0].pdu, here.room, "b.org"))
    assert not here.waits
    assert here.extremities == {chain[-1].event_id}
    assert len(attempts) == len(chain)
