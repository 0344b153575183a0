"""Random forks of every room version, and what the definitions make of them.

There are two kinds of rooms. In likely forks, events are allowed where they are sent. In hostile forks,
events cite anything.
"""

from collections.abc import Iterable
from random import Random
from typing import Any

from builder import VERSIONS
from hypothesis import strategies as st
from random_forks import Fork, hostile_fork, likely_fork
from reference import resolution as reference

from roomver import Event, MissingEvents, RoomGraph, resolve
from roomver.resolution import Resolution

versions = st.sampled_from(VERSIONS)


@st.composite
def likely_forks(draw: st.DrawFn, versions: st.SearchStrategy[str] = versions) -> Fork:
    version, seed, length = draw(versions), draw(st.integers(0, 2**32)), draw(st.integers(0, 40))
    return likely_fork(Random(f"{version}/{seed}"), version, length)


@st.composite
def hostile_forks(draw: st.DrawFn, versions: st.SearchStrategy[str] = versions) -> Fork:
    version, length = draw(versions), draw(st.integers(1, 12))
    return hostile_fork(draw(st.randoms(use_true_random=False)), version, length)


forks = likely_forks() | hostile_forks()
later = st.sampled_from(VERSIONS[1:])
later_forks = likely_forks(later) | hostile_forks(later)


class Expected:
    """What the reference makes of a fork: the steps and the state, or for version 1 only the state."""

    def __init__(self, fork: Fork, *, skip_rejected: bool = False, **options: Any) -> None:
        self.steps: reference.Resolution | None = None
        self.events = fork.events
        if fork.version == "1":
            skipped = fork.rejected if skip_rejected else ()
            self.state = reference.resolve_v1(fork.state_sets, fork.events, skipped)
            return
        self.steps = reference.Resolution(
            fork.state_sets,
            fork.events,
            v2_1=fork.version == "12",
            rejected=fork.rejected,
            skip_rejected=skip_rejected,
            **options,
        )
        self.state = self.steps.state


def resolve_fork(fork: Fork, **options: Any) -> Resolution:
    return resolve(fork.state_sets, fork.events, **{"rejected": fork.rejected, **options})


def graph_of(fork: Fork, order: Iterable[Event] | None = None) -> RoomGraph:
    """Return the graph of a whole room, to which events are added one by one. An event whose parents are
    missing is tried again later."""
    graph = RoomGraph()
    left = list(fork.events.values() if order is None else order)
    while left:
        for event in left:
            try:
                graph.add(event)
            except MissingEvents:
                continue
        left = [event for event in left if event.event_id not in graph]
    return graph


def assert_same(resolution: Resolution, expected: Expected) -> None:
    """Assert that the state and every intermediate result of a traced resolution are as expected."""
    assert resolution.state == expected.state
    wanted, steps = expected.steps, resolution.steps
    assert steps is not None
    if wanted is None:  # version 1
        return
    if not wanted.conflicted:
        assert steps.conflicted == {}
        assert steps.checks == []
        return
    assert steps.unconflicted == wanted.unconflicted
    conflicted = {e for by_id in steps.conflicted.values() for e in by_id}
    # The trace also lists conflicted events that are missing. They are not checked.
    assert conflicted & expected.events.keys() == wanted.conflicted
    assert steps.auth_difference == wanted.auth_difference
    assert steps.conflicted_subgraph == wanted.subgraph
    assert steps.full_conflicted_set == wanted.full_conflicted_set
    assert list(steps.power_order) == wanted.power_order
    assert steps.partial_state == wanted.partial_state
    assert list(steps.mainline) == wanted.mainline
    assert list(steps.mainline_order) == wanted.mainline_order
    assert [(check.event_id, check.accepted) for check in steps.checks] == wanted.checks


def cited_by(fork: Fork, event_id: str) -> list[str]:
    return reference.auth_events(fork.events[event_id], fork.events)
