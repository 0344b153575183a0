"""The vectors of state resolution, compared with the transcription of the definitions."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from reference import resolution as reference

from roomver import Event, get_room_version, parse_event, resolve
from roomver.readers.suite import load_cases
from roomver.suite.document import Case
from roomver.versions import ROOM_VERSIONS

SUITE = Path(__file__).parents[1] / "vectors"


@cache
def cases() -> tuple[Case, ...]:
    return tuple(
        case for case in load_cases([SUITE / "resolution", SUITE / "disputed"]) if case.operation == "resolve"
    )


def loaded(case: Case) -> tuple[dict[str, Event], list[dict[tuple[str, str], str]]]:
    """Return the events of a case and its states."""
    version = get_room_version(case.room_version)
    given: Any = case.input
    events = {i: parse_event(pdu, version, event_id=i) for i, pdu in given["events"].items()}
    states = []
    for ids in given["state_sets"]:
        state = {}
        for one in ids:
            event = events[one]
            assert event.state_key is not None
            state[event.type, event.state_key] = one
        states.append(state)
    return events, states


@pytest.mark.parametrize("name", [case.name for case in cases()])
def test_the_reference_gives_what_is_expected(name: str) -> None:
    (case,) = [one for one in cases() if one.name == name]
    expected = case.expected[0].outcome  # the first outcome of a disputed case is the library's
    events, states = loaded(case)
    if "error" in expected:
        # No event of the cycle comes first.
        with pytest.raises(ValueError, match=r"min\(\) .*empty"):
            reference.Resolution(states, events, v2_1=case.room_version == "12")
        return
    if not states:
        assert expected == {"state": []}
        return
    if case.room_version == "1":
        assert sorted(reference.resolve_v1(states, events).values()) == expected["state"]
        return
    given: Any = case.input
    found = reference.Resolution(
        states, events, v2_1=case.room_version == "12", rejected=given.get("rejected", ())
    )
    answers = {
        "state": sorted(found.state.values()),
        "conflicted": sorted(found.conflicted),
        "auth_difference": sorted(found.auth_difference),
        "conflicted_subgraph": sorted(found.subgraph),
        "power_order": found.power_order,
        "mainline_order": found.mainline_order,
        "partial_state": sorted(found.partial_state.values()),
    }
    assert {key: answers[key] for key in expected} == expected


@pytest.mark.parametrize("version", list(ROOM_VERSIONS)[1:])
def test_auth_chains_without_the_events_of_the_state_give_the_other_outcome(version: str) -> None:
    (case,) = [one for one in cases() if one.name == f"resolve.chains_with_their_states.v{version}"]
    events, states = loaded(case)

    def above(event_ids: Iterable[str]) -> set[str]:
        """Return the auth chains of events, which have the events themselves only if others cite them."""
        parents = {parent for one in event_ids for parent in events[one].auth_event_ids}
        return parents | above(parents) if parents else parents

    chains = [above(state.values()) for state in states]
    difference = set().union(*chains) - chains[0].intersection(*chains)
    found = resolve(states, events, auth_difference=difference, conflicted_subgraph=())
    assert sorted(found.state.values()) == case.expected[1].outcome["state"]
    assert case.expected[1].outcome["state"] != case.expected[0].outcome["state"]


def test_the_events_are_genuine() -> None:
    for case in cases():
        if case.room_version in ("1", "2"):
            continue
        given: Any = case.input
        for event_id, pdu in given["events"].items():
            assert parse_event(pdu, case.room_version).event_id == event_id, case.name


def test_every_version_has_the_scenes() -> None:
    by_version: dict[str, set[str]] = {}
    for case in cases():
        by_version.setdefault(case.room_version, set()).add(case.name.rpartition(".")[0])
    # Restricted joins came with version 8. Only versions 1 and 2 can have events on a cycle.
    some = {"resolve.restricted_joins", "resolve.restricted_joins.unauthorised", "resolve.circle"}
    # In version 12 no event cites the create event. Hundreds of events in one version are enough.
    some |= {"resolve.corner.no_create", "resolve.corner.wide"}
    # Only version 12 has a conflicted state subgraph.
    some |= {"resolve.subgraph.two_steps"}
    later = [names - some for version, names in by_version.items() if version != "1"]
    assert all(names == later[0] for names in later)
    assert (len(later), len(later[0]) > 20, len(by_version["1"]) > 10) == (11, True, True)
