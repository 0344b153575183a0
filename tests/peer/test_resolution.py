"""State resolution, compared with that of the matrix-synapse wheel on random forks.

Rejected events are skipped, as in Synapse. The resolved states must be equal, or differ as
`resolution_differences` lists; the run prints how often each difference was seen. ``--peer-examples`` sets
the number of forks, over all room versions:

    pytest -m peer tests/peer/test_resolution.py --peer-examples 5000
"""

import warnings
from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from builder import ALICE, BOB, VERSIONS, Room, public_key, signed_block, versions_from
from random_forks import Fork, likely_fork, owned_fork
from reference import resolution as reference
from strategies import OWNED_KEY_VERSIONS, PEER_VERSIONS
from test_vectors_resolution import cases, loaded

from roomver import RoomGraph, resolve

pytest.importorskip("synapse")

with warnings.catch_warnings():
    # Twisted warns about its own deprecated parts when Synapse imports it.
    warnings.simplefilter("ignore", DeprecationWarning)
    import synapse.server  # noqa: F401 - first, to break an import cycle
    from synapse.state import v1, v2
    from synapse.storage.databases.main.event_federation import StateDifference

from .resolution_differences import explain
from .store import Store, finish, synapse_version

pytestmark = pytest.mark.peer


class _Store(Store):
    """Also what Synapse's resolution reads, computed by the definitions, and a clock that never waits."""

    def __init__(self, fork: Fork) -> None:
        super().__init__(fork.events.values(), fork.rejected)
        self.fork = fork

    async def get_auth_chain_difference(
        self, room_id: str, state_sets: list[set[str]], conflicted: set[str] | None, _additional: Any
    ) -> Any:
        del room_id
        states = [{("", event_id): event_id for event_id in ids} for ids in state_sets]
        difference = reference.auth_difference(states, self.fork.events)
        subgraph = None
        if conflicted is not None:
            subgraph = reference.conflicted_state_subgraph_by_chains(conflicted, self.fork.events)
        return StateDifference(difference, subgraph)

    async def sleep(self, _duration: object) -> None:
        pass


def synapse_resolves(fork: Fork) -> dict[tuple[str, str], str] | Exception:
    """Return the state to which Synapse resolves a fork, or the error that it raises."""
    store = _Store(fork)
    version = synapse_version(fork.version)
    room_id = next(iter(fork.events.values())).room_id
    states = [dict(state) for state in fork.state_sets]
    try:
        if fork.version == "1":
            return dict(
                finish(v1.resolve_events_with_store(room_id, version, states, None, store.get_events))
            )
        running = v2.resolve_events_with_store(store, room_id, version, states, None, store)
        return dict(finish(running))
    except Exception as error:
        return error


@pytest.fixture(scope="module")
def counts(request: pytest.FixtureRequest) -> Iterator[Counter[str]]:
    """Return counts that are printed at the end, even if pytest captures the output."""
    counter: Counter[str] = Counter()
    yield counter
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print("\nstate resolution, roomver and matrix-synapse:")
        for name, number in sorted(counter.items()):
            print(f"{number:8} {name}")


@pytest.mark.parametrize("version", PEER_VERSIONS)
def test_every_fork_resolves_as_synapse_resolves_it(
    version: str, counts: Counter[str], request: pytest.FixtureRequest
) -> None:
    unlisted = []
    examples = request.config.getoption("--peer-examples")
    for number in range(-(-examples // len(PEER_VERSIONS))):
        fork = likely_fork(Random(f"{version}/{number}"), version, 10 + number % 50)
        theirs = synapse_resolves(fork)
        ours = resolve(fork.state_sets, fork.events, rejected=fork.rejected, skip_rejected=True, trace=True)
        again = resolve(
            fork.state_sets,
            fork.events,
            rejected=fork.rejected,
            skip_rejected=True,
            graph=RoomGraph(fork.events.values()),
        )
        assert again.state == ours.state
        if ours.steps is not None and ours.steps.conflicted:
            counts["forks in conflict"] += 1
        if ours.state == theirs:
            counts["same"] += 1
        else:
            difference = explain(fork, ours, theirs)
            if difference is None:
                unlisted.append((number, theirs, ours.state))
            else:
                counts[f"{difference.row}: {difference.reason}"] += 1
        if fork.version != "1" and not isinstance(theirs, Exception):
            by_specification = resolve(fork.state_sets, fork.events, rejected=fork.rejected)
            if by_specification.state != ours.state:
                counts["D52: rejected events are checked again by the specification, skipped by Synapse"] += 1
    shown = "\n".join(
        f"fork {version}/{number}: Synapse {_unlike(theirs, ours)}" for number, theirs, ours in unlisted[:10]
    )
    assert not unlisted, f"{len(unlisted)} unlisted differences, such as\n{shown}"


def _invited_twice(room: Room, **more: Any) -> Fork:
    """Return a fork at two invites of Bob."""
    states = []
    for number in (1, 2):
        event = room.make_member(BOB, "invite", by=ALICE, more={"n": number, **more}, prev=[room.last or ""])
        room.events[event.event_id] = event
        state = {**room.state, ("m.room.member", BOB): event}
        states.append({key: one.event_id for key, one in state.items()})
    return Fork(room.version.identifier, room.events, states)


def _row(fork: Fork) -> str | None:
    ours = resolve(fork.state_sets, fork.events, rejected=fork.rejected, skip_rejected=True, trace=True)
    theirs = synapse_resolves(fork)
    assert ours.state != theirs
    difference = explain(fork, ours, theirs)
    return difference and difference.row


@pytest.mark.parametrize("version", versions_from(2))
def test_a_room_that_is_closed_to_other_servers_is_a_listed_difference(version: str) -> None:
    content: dict[str, Any] = {"room_version": version, "m.federate": False}
    room = Room(version, content=content | ({"creator": ALICE} if int(version) <= 10 else {}))
    room.join(ALICE)
    assert _row(_invited_twice(room)) == "D24"


@pytest.mark.parametrize("version", versions_from(2))
def test_a_signature_behind_one_that_fails_is_a_listed_difference(version: str) -> None:
    room = Room(version)
    room.join(ALICE)
    room.add("m.room.third_party_invite", ALICE, {"public_key": public_key("z")}, state_key="token")
    signed = signed_block(BOB, "token", "y", "z")
    assert _row(_invited_twice(room, third_party_invite={"display_name": "b", "signed": signed})) == "D34"


@pytest.mark.parametrize("version", VERSIONS)
def test_the_vectors_resolve_as_synapse_resolves_them(version: str) -> None:
    # Cases with rejected events are skipped: there Synapse departs from the specification, as their notes
    # say. So are cases with cycles, which Synapse's store would not hold.
    count = 0
    for case in cases():
        if case.room_version != version or "rejected" in case.input or "error" in case.expected[0].outcome:
            continue
        events, states = loaded(case)
        if len(states) < 2:
            continue
        theirs = synapse_resolves(Fork(version, events, states))
        if case.name == f"resolve.malformed_member.v{version}":
            assert isinstance(theirs, KeyError), "Synapse has fixed its lookup of an absent membership"
            continue
        if case.name == f"resolve.corner.message_cited.v{version}":
            assert isinstance(theirs, AttributeError), "Synapse has fixed its lookup of an absent state key"
            continue
        assert not isinstance(theirs, Exception), f"{case.name}: {theirs}"
        assert sorted(theirs.values()) == case.expected[0].outcome["state"], case.name
        count += 1
    assert count > 10


@pytest.mark.parametrize("version", OWNED_KEY_VERSIONS)
def test_the_owner_of_a_state_key_counts_in_a_resolution(version: str) -> None:
    fork = owned_fork(version)
    assert synapse_resolves(fork) == resolve(fork.state_sets, fork.events).state


def _unlike(theirs: Any, ours: Any) -> str:
    if isinstance(theirs, Exception):
        return f"raises {type(theirs).__name__}: {theirs}"
    keys = sorted(key for key in {*theirs, *ours} if theirs.get(key) != ours.get(key))
    return "; ".join(f"{key}: {theirs.get(key)}, roomver {ours.get(key)}" for key in keys)
