"""The split into unconflicted and conflicted state, compared with its definition."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from roomver.resolution import split_states
from roomver.types import StateKey

State = dict[StateKey, str]

_KEYS = st.tuples(st.sampled_from(["a", "b"]), st.sampled_from(["", "x", "y"]))
_STATES = st.lists(st.dictionaries(_KEYS, st.sampled_from("123"), max_size=6), min_size=1, max_size=5)


def by_definition(states: list[State]) -> dict[StateKey, dict[str, int]]:
    """Return the events of each conflicted key, with the bits of the states that have them."""
    keys = {key for state in states for key in state}
    conflicted = {}
    for key in sorted(keys):
        if len({state.get(key) for state in states}) > 1:
            found = sorted({state[key] for state in states if key in state})
            conflicted[key] = {
                event_id: sum(1 << i for i, state in enumerate(states) if state.get(key) == event_id)
                for event_id in found
            }
    return conflicted


def _own(states: list[State]) -> list[State]:
    """Give each key its own events, as in a room."""
    return [{key: f"{key}{event}" for key, event in state.items()} for state in states]


@given(_STATES)
def test_a_key_is_conflicted_unless_every_state_has_the_same_event(drawn: list[State]) -> None:
    states = _own(drawn)
    split = split_states(states)
    assert split.conflicted == by_definition(states)
    assert list(split.conflicted) == sorted(split.conflicted)
    assert all(list(masks) == sorted(masks) for masks in split.conflicted.values())
    agreed = {key: event for key, event in states[0].items() if key not in split.conflicted}
    assert split.unconflicted == agreed


def _changed(room: State, rng: Random) -> State:
    """Draw a state that another server may have. Entries are changed, removed or inserted, some strings are
    equal but not identical, and the end may be in another order."""
    entries = [(key, (event + " ")[:-1] if rng.random() < 0.1 else event) for key, event in room.items()]
    for _ in range(rng.randrange(6)):
        place = rng.randrange(len(entries)) if entries else 0
        match rng.randrange(4):
            case 0 if entries:
                key = entries[place][0]
                entries[place] = (key, f"{key}new{rng.random()}")
            case 1 if entries:
                entries.pop(place)
            case 2:
                key = ("new", str(rng.randrange(8)))
                if all(known != key for known, _ in entries):
                    entries.insert(place, (key, f"{key}{rng.randrange(2)}"))
            case 3 if rng.random() < 0.3:
                tail = entries[place:]
                rng.shuffle(tail)
                entries[place:] = tail
    return dict(entries)


@given(st.randoms(use_true_random=False), st.sampled_from([1, 40, 900, 3000]))
def test_large_states_that_are_nearly_the_same_are_split_by_the_definition(rng: Random, size: int) -> None:
    room = {("m.room.member", f"@{number}:x"): f"${number}" for number in range(size)}
    states = [room, *(_changed(room, rng) for _ in range(3)), room]
    rng.shuffle(states)
    assert split_states(states).conflicted == by_definition(states)


def test_states_with_a_key_in_the_place_of_another_are_split_by_the_definition() -> None:
    room = {("m.room.member", f"@{number}:x"): f"${number}" for number in range(2000)}
    other = {("new", "") if key[1] == "@7:x" else key: f"{event}" for key, event in room.items()}
    other["new", ""] = "$new"
    del other["m.room.member", "@9:x"]
    other["newer", ""] = "$newer"
    for states in ([room, other], [other, room], [room, other, room]):
        assert split_states(states).conflicted == by_definition(states)


def test_an_entry_of_one_state_far_from_the_beginning_of_large_states() -> None:
    room = {("m.room.member", f"@{number}:x"): f"${number}" for number in range(3000)}
    entries = list(room.items())
    added = dict([*entries[:500], (("new", ""), "$new"), *entries[500:]])
    removed = dict([*entries[:500], *entries[501:]])
    for states in ([room, added], [added, room], [room, removed], [removed, room], [added, removed, room]):
        assert split_states(states).conflicted == by_definition(states)
