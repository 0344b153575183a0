"""The authorisation rules, compared with those of the matrix-synapse wheel on random small rooms.

The rules that do not read the room state and those that do are compared separately. Every difference must be
listed in `auth_differences`; the run prints how often each was seen. ``--peer-examples`` sets the number of
cases per room version:

    pytest -m peer tests/peer/test_auth.py --peer-examples 1700

draws 20,400.
"""

import warnings
from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from builder import ALICE, BOB, Room
from random_rooms import Case, random_case
from strategies import PEER_VERSIONS, number_of

from roomver import RoomverError, check_against_state, check_auth, check_state_independent, select_auth_types

pytest.importorskip("synapse")

with warnings.catch_warnings():
    # Twisted warns about its own deprecated parts when Synapse imports it.
    warnings.simplefilter("ignore", DeprecationWarning)
    import synapse.server  # noqa: F401 - first, to break an import cycle
    from synapse import event_auth
    from synapse.api.errors import AuthError, SynapseError

from .auth_differences import ALLOW, CRASH, REJECT, UNDECIDED, Outcomes, explain
from .store import Store, finish, made, synapse_version

pytestmark = pytest.mark.peer


def _outcome(error: Exception) -> str:
    if isinstance(error, AuthError | SynapseError):
        return REJECT
    if type(error) is RuntimeError and "unknown auth event" in str(error):
        return UNDECIDED
    return CRASH


def _synapse_independent(case: Case) -> tuple[str, str]:
    store = Store(case.events.values(), case.rejected)
    running = event_auth.check_state_independent_auth_rules(store, made(case.event, case.rejected))
    try:
        finish(running)
    except Exception as error:
        return _outcome(error), _text(error)
    return ALLOW, ""


def _synapse_dependent(case: Case) -> tuple[str, str]:
    state = [made(event, case.rejected) for event in case.state.values()]
    try:
        event_auth.check_state_dependent_auth_rules(made(case.event, case.rejected), state)
    except Exception as error:
        return _outcome(error), _text(error)
    return ALLOW, ""


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".split("\n")[0]


def _ours(judge: Any) -> tuple[str, Any]:
    try:
        verdict = judge()
    except RoomverError:
        return UNDECIDED, None
    # A verdict of None leaves the decision to the state.
    return ALLOW if verdict is None or verdict.allowed else REJECT, verdict


def outcomes(case: Case) -> Iterator[Outcomes]:
    """Check a case with the library and with Synapse, in both halves."""
    ours, verdict = _ours(lambda: check_state_independent(case.event, case.events, rejected=case.rejected))
    theirs, said = _synapse_independent(case)
    final, _ = _ours(lambda: check_auth(case.event, None, case.events, rejected=case.rejected))
    yield Outcomes("independent", ours, theirs, verdict, said, final)
    # A state of another room is an error of the caller.
    if case.of_this_room and case.event.type != "m.room.create":
        ours, verdict = _ours(lambda: check_against_state(case.event, case.state))
        theirs, said = _synapse_dependent(case)
        yield Outcomes("dependent", ours, theirs, verdict, said, ours)


@pytest.fixture(scope="module")
def counts(request: pytest.FixtureRequest) -> Iterator[Counter[str]]:
    """Return counts that are printed at the end, even if pytest captures the output."""
    counter: Counter[str] = Counter()
    yield counter
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print("\nauthorisation rules, roomver and matrix-synapse:")
        for name, number in sorted(counter.items()):
            print(f"{number:8} {name}")


@pytest.mark.parametrize("version", PEER_VERSIONS)
def test_every_verdict_is_synapses_or_a_listed_difference(
    version: str, counts: Counter[str], request: pytest.FixtureRequest
) -> None:
    unlisted = []
    for number in range(request.config.getoption("--peer-examples")):
        case = random_case(Random(f"{version}/{number}"), version)
        for seen in outcomes(case):
            if seen.ours == seen.theirs:
                counts[f"same, {seen.half}: {seen.ours}"] += 1
                continue
            difference = explain(case, seen)
            if difference is None:
                unlisted.append((number, seen, case.event.pdu))
            else:
                counts[f"{difference.row}: {difference.reason} [{seen.ours}, Synapse: {seen.theirs}]"] += 1
    shown = "\n".join(f"case {version}/{number}: {seen}\n    {pdu}" for number, seen, pdu in unlisted[:10])
    assert not unlisted, f"{len(unlisted)} unlisted differences, such as\n{shown}"


@pytest.mark.parametrize("version", PEER_VERSIONS)
@pytest.mark.parametrize(
    ("level", "theirs", "said"), [(80, REJECT, "permission"), ("x", CRASH, "ValueError"), (10, ALLOW, "")]
)
def test_power_levels_under_another_state_key_are_a_listed_difference(
    version: str, level: Any, theirs: str, said: str
) -> None:
    room = Room(version)
    room.join(ALICE, BOB)
    content = {"users": {BOB: 50} if number_of(version) == 12 else {ALICE: 100, BOB: 50}}
    room.power(content)
    room.power({**content, "events": {"org.example": level}}, state_key="x")
    event = room.make_power(content, BOB, state_key="x")
    case = Case(version, event, room.events, frozenset(), room.state, of_this_room=True)
    (seen,) = (one for one in outcomes(case) if one.half == "dependent")
    assert (seen.ours, seen.theirs) == (ALLOW, theirs)
    assert said in seen.said
    difference = explain(case, seen)
    assert (difference and difference.row) == (None if theirs == ALLOW else "D46")


@pytest.mark.parametrize("version", PEER_VERSIONS)
def test_the_selection_is_synapses(version: str, request: pytest.FixtureRequest) -> None:
    theirs_by_name = synapse_version(version)
    compared = 0
    for number in range(request.config.getoption("--peer-examples")):
        case = random_case(Random(f"selection/{version}/{number}"), version)
        try:
            theirs = event_auth.auth_types_for_event(theirs_by_name, made(case.event, case.rejected))
        except (KeyError, TypeError, AttributeError):
            continue  # a malformed member event: T52 in the list of differences
        compared += 1
        ours = set(select_auth_types(case.event))
        if number_of(case.version) == 12 and case.event.type != "m.room.create":
            ours.add(("m.room.create", ""))  # which Synapse selects here, and skips elsewhere
        # A token or authoriser that is not a string names no state event. Synapse searches for it anyway.
        assert ours == {key for key in theirs if type(key[1]) is str}, case.event.pdu
    assert compared > 0
