"""More keys, more events and more of the given states together: more is decided, and nothing is reversed.

A room whose events are signed well, badly, or not at all is checked as a command checks it, with less and
less knowledge. See `SigningStatus` for what the specification itself reverses.
"""

from collections import Counter
from dataclasses import replace
from random import Random

from builder import VERSIONS
from hypothesis import example, given
from hypothesis import strategies as st
from played_rooms import agree, agree_on_state, arrived_late, followed
from random_knowledge import Knowledge, as_used, drawn_knowledge
from strategies import seldom

from roomver import Event, UnknownState, Verdict, check_against_state, replay_room, verify_signatures
from roomver.replay import Replay, Status
from roomver.room_check import RoomCheck
from roomver.signature_results import SignatureReport, SignatureStatus, SigningStatus
from roomver.state import EventsOf, PartialState, entries_of
from roomver.types import EventId, StateMap

DROPPED = (SigningStatus.INVALID, SigningStatus.MISSING)
FAILS = (SignatureStatus.FAILED, SignatureStatus.UNREADABLE)


def reports(known: Knowledge) -> dict[EventId, SignatureReport]:
    return {
        event_id: verify_signatures(pdu, known.ring, known.version) for event_id, pdu in known.pdus.items()
    }


def signatures_agree(less: Knowledge, more: Knowledge) -> set[EventId]:
    """More keys reverse no decided signature, with one exception. Return the events dropped only with more.

    "Any unknown keys are ignored": an event that was valid by one key is invalid if a signature by another
    key, which was ignored, fails.
    """
    dropped = set()
    before, after = reports(less), reports(more)
    for event_id, old in before.items():
        new = after[event_id]
        if old.status is SigningStatus.KEY_UNKNOWN:
            assert new.status is not SigningStatus.MISSING
        elif old.status is SigningStatus.VALID and new.status is SigningStatus.INVALID:
            open_then = {(s.server, r.key_id) for s in old.servers for r in s.signatures if r.status.open}
            fail_now = {(s.server, r.key_id) for s in new.servers for r in s.signatures if r.status in FAILS}
            assert open_then & fail_now
        else:
            assert new.status is old.status
        if new.status in DROPPED and old.status not in DROPPED:
            dropped.add(event_id)
    return dropped


def arranged(less: Knowledge, more: Knowledge) -> tuple[Knowledge, Knowledge]:
    """Two knowledges of the same room, so that their ends can be compared.

    What is missing is found by the events that follow it, and arrives just before these. See `played_rooms`.
    """
    dropped = {event_id for event_id, report in reports(more).items() if report.status in DROPPED}
    events = [as_used(pdu, more.version) for e, pdu in more.pdus.items() if e not in dropped]
    found = {*followed(replay_room(events))}
    gone = (less.gone & more.gone) | (less.gone & found)
    order = [event.event_id for event in arrived_late(events, set(less.gone & found))]
    assert {*order} == more.pdus.keys() - dropped
    pdus = {event_id: more.pdus[event_id] for event_id in [*order, *sorted(dropped)]}
    return replace(less, pdus=pdus, gone=gone), replace(more, pdus=pdus)


def after(found: RoomCheck, some: set[EventId]) -> set[EventId]:
    """Return the events that come after one of some events, by prev events, auth events or a given state."""
    gathered, reached = found.gathered, set(some)
    for _ in gathered.events:
        more = set()
        for event_id, event in gathered.events.items():
            held = entries_of(gathered.given.get(event_id, {})).values()
            before = {*event.prev_event_ids, *event.auth_parents, *held, *gathered.accepted.get(event_id, ())}
            if before & reached and event_id not in reached:
                more.add(event_id)
        if not more:
            break
        reached |= more
    return reached


def neither_reverses(one: RoomCheck, other: RoomCheck) -> None:
    """What both have decided, they have decided alike."""
    for event_id, outcome in one.replay.outcomes.items():
        outcome_there = other.replay.outcomes.get(event_id)
        if outcome_there is None:
            continue
        if Status.UNDECIDED not in (outcome.status, outcome_there.status):
            assert outcome.status is outcome_there.status, event_id
        for verdict, there in (
            (outcome.by_auth_events, outcome_there.by_auth_events),
            (outcome.by_state, outcome_there.by_state),
        ):
            assert None in (verdict, there) or verdict == there, event_id
        for state_at in ("state_before", "state_after"):
            both_know(getattr(one.replay, state_at)(event_id), getattr(other.replay, state_at)(event_id))


def in_same_order(one: RoomCheck, other: RoomCheck) -> bool:
    """The order of arrival decides what is soft-failed. A missing event may arrive later, in an answer."""
    both = one.replay.outcomes.keys() & other.replay.outcomes.keys()
    orders = [[e for e in found.replay.order if e in both] for found in (one, other)]
    return orders[0] == orders[1]


def ends_agree(one: Replay, other: Replay) -> None:
    """What both know of the current state and of the ends is the same."""
    if one.extremities_known and other.extremities_known:
        assert one.forward_extremities == other.forward_extremities
    both_know(one.current_state, other.current_state)
    for event_id in one.outcomes.keys() & other.outcomes.keys():
        allowed = {one.current_check(event_id).allowed, other.current_check(event_id).allowed}
        assert not {True, False} <= allowed, event_id


def both_know(one: StateMap[EventId] | None, other: StateMap[EventId] | None) -> None:
    """The entries that are known in both of two states are the same in both."""
    if one is None or other is None:
        return
    for key in {*entries_of(one), *entries_of(other)}:
        if not any(isinstance(state, PartialState) and state.why_unknown(key) for state in (one, other)):
            assert one.get(key) == other.get(key), key


def verdict_on(event: Event, state: StateMap[EventId], found: RoomCheck) -> Verdict | None:
    try:
        return check_against_state(event, EventsOf(state, found.gathered.events))
    except UnknownState:
        return None


def decides_more(less: Knowledge, more: Knowledge, **options: bool) -> tuple[RoomCheck, RoomCheck]:
    """Check a room with less and with more knowledge; the second reverses nothing of the first."""
    dropped = signatures_agree(less, more)
    if not dropped:
        less, more = arranged(less, more)
    few, many = less.check(**options), more.check(**options)
    assert few.gathered.events.keys() - dropped <= many.gathered.events.keys()
    assert not dropped & many.gathered.events.keys()
    neither_reverses(few, many)
    if not dropped:
        # A given current state is used as it is. It does not tell which of its events are ends.
        given = [found.gathered.current for found in (few, many)]
        comparable = in_same_order(few, many)
        agree(few.replay, many.replay, ends=comparable and given[0] == given[1])
        if comparable:
            ends_agree(few.replay, many.replay)
        for event_id, state in few.gathered.given.items():
            agree_on_state(state, many.gathered.given[event_id])
            for event in few.gathered.events.values():
                verdict = verdict_on(event, state, few)
                assert verdict in (None, verdict_on(event, many.gathered.given[event_id], many))
        return few, many
    # An event with an unchecked signature is taken as it is. If it turns out to be forged, it is dropped, and
    # what comes after it may become undecided. So may its auth events, if a given state vouched for them only
    # because it has that event. Nothing else may.
    vouched = few.replay.outliers - many.replay.outliers
    touched = after(few, dropped | vouched)
    for event_id, outcome in few.replay.outcomes.items():
        if event_id not in touched and outcome.status is not Status.UNDECIDED:
            assert many.replay.outcomes[event_id].status is outcome.status, event_id
    return few, many


# Each example checks ten rooms.
@seldom
@given(st.sampled_from(VERSIONS), st.integers(0, 2**32), st.booleans())
# Less knowledge is never that an entry which cannot be read is a member.
@example(version="5", seed=817029, soft_failure=False)
# The current state that a server gives has no soft-failed events, unless servers soft-fail none.
@example(version="8", seed=27493137, soft_failure=False)
def test_more_keys_events_and_states_together_reverse_nothing(
    version: str, seed: int, soft_failure: bool
) -> None:
    run(version, seed, soft_failure)


def test_a_good_share_is_decided_dropped_and_known_in_part() -> None:
    """Otherwise, the property proves nothing."""
    undecided, dropped, in_part, statuses = 0, 0, 0, Counter[Status]()
    comparable = []
    for seed in range(24):
        for few, many in run(VERSIONS[seed % 12], seed, soft_failure=True):
            comparable.append(in_same_order(few, many))
            statuses.update(outcome.status for outcome in few.replay.outcomes.values())
            dropped += len(few.gathered.events.keys() - many.gathered.events.keys())
            in_part += sum(isinstance(state, PartialState) for state in few.gathered.given.values())
            undecided += sum(
                outcome.status is Status.UNDECIDED
                and many.replay.outcomes[event_id].status is not Status.UNDECIDED
                for event_id, outcome in few.replay.outcomes.items()
                if event_id in many.replay.outcomes
            )
    decided = statuses.total() - statuses[Status.UNDECIDED]
    assert decided > statuses.total() / 3
    assert statuses[Status.REJECTED_BY_AUTH_EVENTS] + statuses[Status.REJECTED_BY_STATE] > decided / 20
    assert comparable.count(True) > len(comparable) / 2
    assert min(undecided, dropped, in_part) > 20


def run(version: str, seed: int, soft_failure: bool) -> list[tuple[RoomCheck, RoomCheck]]:
    """Draw knowledge of a room and less and less of it, and compare; return the checks of each pair."""
    rng = Random(f"{version}/{seed}")
    whole = drawn_knowledge(rng, version, soft_failure=soft_failure)
    most = replace(whole, gone=frozenset())
    some = whole.with_less_state(rng)
    if rng.randrange(3):
        some = some.with_fewer_keys(rng)
    least = some.with_fewer_keys(rng).with_less_state(rng)
    pairs = ((most, whole), (most, some), (whole, some), (some, least), (most, least))
    return [decides_more(less, more, soft_failure=soft_failure) for more, less in pairs]
