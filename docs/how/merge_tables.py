"""Tables of a merge in Markdown: the states, the sets, the orders and the checks of the algorithms.

The steps come from the trace of a resolution. What a trace does not have, such as the events that a sort
could have taken next, is found here and compared with the trace.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import inf

from roomver.auth import check_against_state, state_of_auth_events
from roomver.cli.people import time_text
from roomver.event import Event
from roomver.power import CREATE, POWER_LEVELS, Levels
from roomver.resolution import Check
from roomver.selection import list_auth_types
from roomver.types import EventId, StateKey

from .merges import ALGORITHMS, Merge
from .words import first_name, levels_of, words_of

_STATES = "ABCD"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [f"| {' | '.join(heads)} |", f"| {' | '.join('---' for _ in heads)} |"]
    lines += [f"| {' | '.join(one.replace('|', chr(92) + '|') for one in row)} |" for row in rows]
    return "\n".join(lines)


def named(merge: Merge, event_id: EventId | None) -> str:
    """Return the label of an event in bold, or a dash."""
    return "—" if event_id is None else f"**{merge.names[event_id]}**"


def time_of(event: Event) -> str:
    """Return the time of day that an event's server claims, in UTC."""
    return time_text(event.origin_server_ts)[11:19]


def key_words(key: StateKey) -> str:
    """Return a key of a state, as the pages write it."""
    kind, state_key = key
    return f"`{kind}`, {first_name(state_key)}" if state_key else f"`{kind}`"


def event_table(merge: Merge) -> str:
    """Return the state events of a merge, with their auth events."""
    rows = []
    for event_id in merge.state_events():
        event = merge.events[event_id]
        cited = " ".join(merge.names[one] for one in event.auth_event_ids) or "—"
        rows.append((named(merge, event_id), f"`{merge.short(event_id)}`", words_of(event), cited))
    return table(("Label", "Event ID", "What happens", "Auth events"), rows)


def state_table(merge: Merge) -> str:
    """Return the states that are merged, key by key, and which keys are in conflict."""
    keys: dict[StateKey, None] = {}
    for event_id in merge.state_events():
        event = merge.events[event_id]
        key = (event.type, event.state_key or "")
        if any(key in state for state in merge.states):
            keys[key] = None
    conflicted = set(merge.keys())
    rows = [
        (
            key_words(key),
            *(named(merge, state.get(key)) for state in merge.states),
            "yes" if key in conflicted else "",
        )
        for key in keys
    ]
    heads = ("Key", *(f"State {_STATES[number]}" for number in range(len(merge.states))), "In conflict")
    return table(heads, rows)


def result_table(merge: Merge, only: Sequence[str] = ALGORITHMS) -> str:
    """Return the event that each key in conflict has afterwards, by algorithm."""
    states = {one: merge.resolved(one).state for one in only}
    keys = merge.keys()
    for state in states.values():
        keys += [key for key in state if key not in keys and any(key not in one for one in merge.states)]
    rows = [
        (
            key_words(key),
            *(named(merge, state.get(key)) for state in merge.states),
            *(_result(merge, states[one].get(key)) for one in only),
        )
        for key in keys
    ]
    heads = (
        "Key",
        *(f"State {_STATES[number]}" for number in range(len(merge.states))),
        *(f"Version {one[1:]}" for one in only),
    )
    return table(heads, rows)


def _result(merge: Merge, event_id: EventId | None) -> str:
    if event_id is None:
        return "— (nothing)"
    return f"{named(merge, event_id)} ({words_of(merge.events[event_id])})"


def check_table(merge: Merge, algorithm: str) -> str:
    """Return the checks of a resolution in their order: what each read, its verdict and what it changed.

    Raises:
        AssertionError: if an event, checked against what the table names, gets another verdict.
    """
    steps = merge.steps(algorithm)
    state = dict(steps.unconflicted) if algorithm == "v2" else {}
    rows = []
    for number, check in enumerate(steps.checks, 1):
        event = merge.events[check.event_id]
        row = [str(number), _list_of(check), f"{named(merge, check.event_id)} {words_of(event)}"]
        if algorithm != "v1":
            held, own = _read(merge, event, state)
            read = {key: merge.events[one] for key, one in {**held, **own}.items()}
            assert check.verdict == check_against_state(event, read)
            own_words = f"*own auth events*: {names_in(merge, own.values())}" if own else ""
            row.append("; ".join(filter(None, (names_in(merge, held.values()) if held else "", own_words))))
        rows.append([*row, _verdict(merge, check), _change(merge, check)])
        if check.accepted:
            state[check.key] = check.event_id
    reads = () if algorithm == "v1" else ("Checked against",)
    return table(("Step", "Pass" if algorithm == "v1" else "List", "Event", *reads, "Verdict", "State"), rows)


def _list_of(check: Check) -> str:
    return {"power": "power events", "mainline": "the rest"}.get(check.phase, f"`{check.phase}`")


def _read(
    merge: Merge, event: Event, state: Mapping[StateKey, EventId]
) -> tuple[dict[StateKey, EventId], dict[StateKey, EventId]]:
    """Return what the rules read from the state, and what they read from the event's own auth events."""
    own = {
        (other.type, other.state_key): one
        for one in event.auth_parents
        if (other := merge.events[one]).state_key is not None and one not in merge.rejected
    }
    held, lent = {}, {}
    for key in dict.fromkeys([CREATE, *sorted(list_auth_types(event))]):
        if key in state:
            held[key] = state[key]
        elif key in own:
            lent[key] = own[key]
    return held, lent


def _verdict(merge: Merge, check: Check) -> str:
    if check.verdict is None:
        return "taken without a check"
    verdict = check.verdict
    shown = {
        key.replace("_", " "): _value(merge, value)
        for key, value in verdict.detail.items()
        if not key.endswith("_from") and key not in ("target", "lacking")
    }
    detail = ", ".join(f"{key} {value}" for key, value in shown.items())
    word = "allowed" if verdict.allowed else "**refused**"
    return f"{word}, rule {verdict.number}: {verdict.reason}{f' ({detail})' if detail else ''}"


def _value(merge: Merge, value: object) -> str:
    if isinstance(value, str) and value in merge.names:
        return merge.names[value]
    if isinstance(value, str) and value.startswith("@"):
        return first_name(value)
    return str(value)


def _change(merge: Merge, check: Check) -> str:
    if not check.accepted:
        return "unchanged"
    if check.replaced is not None and check.replaced != check.event_id:
        return f"{named(merge, check.event_id)} replaces {named(merge, check.replaced)}"
    return f"adds {named(merge, check.event_id)}"


def order_table(merge: Merge, algorithm: str) -> str:
    """Return how the reverse topological power ordering comes about: the candidates of each step.

    Raises:
        AssertionError: if the order is not that of the trace.
    """
    order = merge.steps(algorithm).power_order
    events = merge.events
    cited = {one: {parent for parent in events[one].auth_parents if parent in order} for one in order}

    def rank(event_id: EventId) -> tuple[float, int, EventId]:
        return -sender_level(merge, event_id), events[event_id].origin_server_ts, event_id

    rows: list[tuple[str, ...]] = []
    done: list[EventId] = []
    while len(done) < len(order):
        ready = sorted((one for one in order if one not in done and cited[one] <= {*done}), key=rank)
        waiting = [one for one in order if one not in done and one not in ready]
        rows.append(
            (
                str(len(rows) + 1),
                named(merge, ready[0]),
                ", ".join(_candidate(merge, one) for one in ready),
                ", ".join(_waiting(merge, one, cited[one].difference(done)) for one in waiting) or "—",
            )
        )
        done.append(ready[0])
    assert tuple(done) == order
    return table(("Step", "Taken", "Candidates, smallest first", "Still waiting"), rows)


def _waiting(merge: Merge, event_id: EventId, wanted: set[EventId]) -> str:
    names = ", ".join(merge.names[one] for one in merge.events if one in wanted)
    return f"{merge.names[event_id]} (for {names})"


def _candidate(merge: Merge, event_id: EventId) -> str:
    event = merge.events[event_id]
    level = sender_level(merge, event_id)
    shown = "∞" if level == inf else level
    return f"{merge.names[event_id]} ({first_name(event.sender)} {shown}, {time_of(event)})"


def sender_level(merge: Merge, event_id: EventId) -> float:
    """Return the level of an event's sender by the event's own auth events."""
    event = merge.events[event_id]
    state = state_of_auth_events(event, merge.events)
    return Levels(state.get(CREATE), state.get(POWER_LEVELS)).user(event.sender)


def mainline_table(merge: Merge, algorithm: str) -> str:
    """Return how the mainline ordering comes about: each event's path of power levels, and its position.

    Raises:
        AssertionError: if the order is not that of the trace.
    """
    steps = merge.steps(algorithm)
    events, mainline = merge.events, steps.mainline
    rows, ranks = [], []
    for event_id in steps.mainline_order:
        path = merge.mainline_path(event_id, mainline)
        found = bool(path) and path[-1] in mainline
        position = mainline.index(path[-1]) if found else inf
        ranks.append((-position, events[event_id].origin_server_ts, event_id))
        rows.append(
            (
                f"{named(merge, event_id)} {words_of(events[event_id])}",
                " → ".join(merge.names[one] for one in path) or "none",
                str(position) if found else "∞",
                time_of(events[event_id]),
            )
        )
    assert ranks == sorted(ranks)
    return table(("Event, in order", "Power levels that it cites", "Position", "Time"), rows)


def mainline_words(merge: Merge, algorithm: str) -> str:
    """Return the mainline as a list of its power levels, newest first."""
    mainline = merge.steps(algorithm).mainline
    if not mainline:
        return "The mainline is empty."
    listed = [
        f"{number}. {named(merge, one)} `{merge.short(one)}`: {levels_of(merge.events[one])}"
        for number, one in enumerate(mainline)
    ]
    return "\n".join(listed)


def names_in(merge: Merge, some: Iterable[EventId]) -> str:
    """Return the labels of events, in the order of the events."""
    wanted = set(some)
    return ", ".join(named(merge, one) for one in merge.events if one in wanted) or "nothing"


def sets_table(merge: Merge, algorithm: str) -> str:
    """Return the sets of the algorithm, each with its events."""
    steps = merge.steps(algorithm)
    conflicted = {one for masks in steps.conflicted.values() for one in masks}
    rows = [
        ("Unconflicted state map", names_in(merge, steps.unconflicted.values())),
        ("Conflicted state set", names_in(merge, conflicted)),
        ("Auth difference", names_in(merge, steps.auth_difference)),
    ]
    if algorithm == "v2.1":
        rows.append(("Conflicted state subgraph", names_in(merge, steps.conflicted_subgraph)))
    rows.append(("Full conflicted set", names_in(merge, steps.full_conflicted_set)))
    return table(("Set", "Events"), rows)
