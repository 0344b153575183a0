"""Properties of the replay of random rooms."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import resolution as reference
from strategies import often

from roomver import Event, MissingEvents, replay_room
from roomver.replay import Status
from roomver.state import PartialState, entries_of

from .rooms import hostile_rooms, in_whole, merged_rooms


@often
@given(merged_rooms(), st.booleans())
def test_states_and_resets_match_the_definitions(events: list[Event], soft_failure: bool) -> None:
    """Resolve each state with the reference; find resets by looking back from every side of a merge."""
    replayed = replay_room(events, soft_failure=soft_failure)
    by_id = replayed.events
    parents: dict[str, set[str]] = {}
    expected = set()
    in_part = set()
    for event_id in replayed.order:
        event = by_id[event_id]
        prev = dict.fromkeys(event.prev_event_ids)
        parents[event_id] = {event_id}.union(*(parents.get(one, ()) for one in prev))
        states = {one: replayed.state_after(one) if one in by_id else None for one in prev}
        before = replayed.state_before(event_id)
        if None in states.values():
            assert before is None
            continue
        if any(isinstance(state, PartialState) for state in states.values()):
            assert isinstance(before, PartialState)
            in_part.add(event_id)
            continue
        known = {one: in_whole(state) for one, state in states.items()}
        version = event.room_version.identifier
        if version == "1":
            resolved = reference.resolve_v1(list(known.values()), by_id)
        else:
            resolved = reference.Resolution(
                list(known.values()), by_id, v2_1=version == "12", rejected=replayed.rejected
            ).state
        assert before == resolved
        keys = {key for state in known.values() for key in state}
        for key in keys:
            sides = {one: state.get(key) for one, state in known.items()}
            now = resolved.get(key)
            for one, value in sides.items():
                if value not in {None, now} and len(set(sides.values())) > 1:
                    had = now is None or now in parents[one]
                    replaced = replayed.state_before(str(value))
                    if isinstance(replaced, PartialState) and replaced.why_unknown(key) is not None:
                        replaced = None
                    if had and replaced is not None:
                        expected.add((event_id, key, value, now))
    found = {
        (r.merge, r.key, r.lost, r.restored)
        for r in replayed.resets()
        if r.merge is not None and r.merge not in in_part
    }
    assert found == expected


@often
@given(hostile_rooms() | merged_rooms(), st.booleans(), st.booleans())
def test_a_replay_of_any_events_ends_and_its_parts_agree(
    events: list[Event], skip_rejected: bool, in_order: bool
) -> None:
    if in_order:
        events = sorted(events, key=lambda event: event.depth)
    replayed = replay_room(events, skip_rejected=skip_rejected)
    assert replayed.outcomes.keys() == {event.event_id for event in events}
    assert set(replayed.forward_extremities) <= replayed.outcomes.keys() - replayed.rejected
    assert replayed.rejected >= {e for e, o in replayed.outcomes.items() if o.status is Status.CYCLIC}
    for event in events:
        before, after = replayed.state_before(event.event_id), replayed.state_after(event.event_id)
        outcome = replayed.outcomes[event.event_id]
        assert (before is None) == (after is None)
        if after is not None and outcome.status is Status.UNDECIDED and event.state_key is not None:
            assert isinstance(after, PartialState)
            assert after.why_unknown((event.type, event.state_key)) is not None
        known = isinstance(before, dict) and outcome.status is not Status.UNDECIDED
        lacking = set(replayed.lacking(event.event_id))
        if outcome.status is not Status.CYCLIC:
            assert bool(lacking) == (not known)
        assert all(
            lack in replayed.missing or replayed.outcomes[lack].status is Status.CYCLIC for lack in lacking
        )
        if before is not None and after is not None and outcome.accepted:
            assert not entries_of(before).keys() - entries_of(after).keys()
    for merge in replayed.merges:
        if merge.event_id is not None:
            resolved = replayed.resolution_at(merge.event_id).state
            before = replayed.state_before(merge.event_id)
            assert before is not None
            assert entries_of(resolved) == entries_of(before)
    for reset in replayed.resets():
        assert reset.lost != reset.restored
    if any(replayed.state_after(end) is None for end in replayed.forward_extremities):
        assert replayed.current_state is None
    if not replayed.missing and Status.CYCLIC not in {o.status for o in replayed.outcomes.values()}:
        assert replayed.current_state is not None
    if isinstance(replayed.current_state, PartialState):
        assert replayed.lacking(None)
    elif replayed.current_state is not None:
        assert replayed.lacking(None) == []
        assert replayed.resolution_at(None).state == replayed.current_state
    else:
        with pytest.raises(MissingEvents) as caught:
            replayed.resolution_at(None)
        assert list(caught.value.event_ids) == replayed.lacking(None) != []
