"""The optional tier of the vectors: unstable and derived room versions."""

import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from command_line import run
from reference import auth, hashing, redaction, resolution

from roomver import get_room_version, parse_event
from roomver.readers.suite import load_cases, load_suite
from roomver.suite.document import Case, Outcome, compare, read_vectors, run_case
from roomver.suite.inputs import BadVectors
from roomver.suite.operations import run_operation
from roomver.versions import ROOM_VERSIONS

SUITE = Path(__file__).parents[1] / "vectors"
FOLDER = SUITE / "custom"

# Cases that the base answers in the same way: contrast, or a create event that the base would not recognise.
SAME_IN_BASE = {
    "event_format.custom.depth.greatest.v11",
    "event_format.custom.long_keys.301.v11",
    "redact.custom.topics.others.v11",
    "auth.custom.no_creators.topic.v12",
}
# For derived versions whose one change makes a rule that of another stable version: that version.
LIKE = {
    "no_knock": "6",
    "no_restricted": "7",
    "aliases": "5",
    "creator": "10",
    "strings": "9",
    "notifications": "5",
    "free_redactions": "3",
}


@cache
def cases() -> tuple[Case, ...]:
    return tuple(load_cases([FOLDER]))


def named(*operations: str) -> pytest.MarkDecorator:
    chosen = [case for case in cases() if not operations or case.operation in operations]
    return pytest.mark.parametrize("case", chosen, ids=lambda case: case.name)


@named()
def test_every_case_passes(case: Case) -> None:
    result = run_case(case)
    assert result.outcome is Outcome.PASSED, (result.got, result.reason)
    assert case.optional


@pytest.mark.parametrize(
    "case", [case for case in cases() if case.definition is not None], ids=lambda case: case.name
)
def test_the_one_change_of_a_derived_version_decides_its_cases(case: Case) -> None:
    assert case.definition is not None
    base: Any = case.definition["based_on"]
    same = compare(case, run_operation(case.operation, base, case.input)).outcome is Outcome.PASSED
    assert same == (case.name in SAME_IN_BASE)


def judged(case: Case, version: int, unstable: str = "") -> bool:
    """Tell whether the rules of the reference allow the event of a case."""
    given: Any = case.input
    events = given["events"]
    event = events[given["event"]]
    create = "$" + event.get("room_id", "!")[1:]
    # The create event is recognised by the name of its version, which is not one that the reference knows.
    known = {
        one: (
            {**pdu, "content": {**pdu["content"], "room_version": unstable or str(version)}}
            if pdu["type"] == "m.room.create" and "room_version" in pdu["content"]
            else pdu
        )
        for one, pdu in events.items()
    }
    cited = [one[0] if isinstance(one, list) else one for one in event["auth_events"]]
    decision, _ = auth.check_auth(
        auth.Given(
            version=version,
            event_id=given["event"],
            event=known[given["event"]],
            auth_events=[(one, known[one]) for one in cited],
            state={
                (known[one]["type"], known[one]["state_key"]): (one, known[one]) for one in given["state"]
            },
            named_create=(create, known[create]) if create in known else None,
            unstable=unstable,
        )
    )
    return decision == auth.ALLOW


@named("auth")
def test_the_reference_allows_what_is_expected(case: Case) -> None:
    slug = case.name.split(".")[2]
    allowed = case.expected[0].outcome["allowed"]
    if case.definition is None:
        based_on = get_room_version(case.room_version).based_on
        assert judged(case, int(based_on or ""), case.room_version) == allowed
    elif slug in LIKE:
        assert judged(case, int(LIKE[slug])) == allowed
    else:
        assert slug in ("creators", "no_creators")  # no stable version has the form of event with these rules


@named("redact", "event_id", "resolve")
def test_the_reference_computes_what_is_expected(case: Case) -> None:
    given: Any = case.input
    expected: Any = case.expected[0].outcome
    if case.operation == "resolve":
        assert case.definition is not None
        changes: Any = case.definition["changes"]
        version = get_room_version(str(case.definition["based_on"]))
        events = {one: parse_event(pdu, version, event_id=one) for one, pdu in given["events"].items()}
        states = [
            {(events[one].type, str(events[one].state_key)): one for one in ids}
            for ids in given["state_sets"]
        ]
        found = resolution.Resolution(states, events, v2_1=changes["state_resolution"] == "v2.1")
        assert sorted(found.state.values()) == expected["state"]
        assert found.mainline_order == expected["mainline_order"]
    elif case.operation == "redact" and case.definition is None:
        assert redaction.redact(given["event"], case.room_version) == expected["event"]
    elif case.operation == "redact":
        # What the definition adds to the base is added to what the base keeps.
        changes = case.definition["changes"] if case.definition else {}
        kept = redaction.redact(given["event"], str(case.definition and case.definition["based_on"]))
        event = given["event"]
        for key in changes.get("redaction_keeps", ()):
            if key in event and key not in kept:
                kept[key] = event[key]
        for key in changes.get("redaction_keeps_content", {}).get(event["type"], ()):
            kept["content"][key] = event["content"][key]
        assert kept == expected["event"]
    elif "base64" in case.name:
        assert expected["event_id"] == "$" + hashing.unpadded_base64(
            hashing.reference_hash(given["event"], "11")
        )
        assert set(expected["event_id"]) & set("+/")


def test_the_tier_is_run_only_if_it_is_asked_for() -> None:
    assert not [case for case in load_suite() if case.optional]
    every = load_suite(optional=True)
    assert {case.name for case in every if case.optional} == {case.name for case in cases()}
    assert {case.name for case in load_cases([SUITE], optional=True)} == {case.name for case in every}
    required = run("vectors", "run", "--operation", "redact", "--room-version", "11", "--json")
    assert not [one for one in json.loads(required.stdout)["cases"] if ".custom." in one["name"]]
    more = run("vectors", "run", "--optional", "--case", "redact.custom.*", "--json")
    assert more.exit_code == 0
    found = json.loads(more.stdout)
    assert found["passed"] == len([case for case in cases() if case.operation == "redact"])
    # They are run without being asked for if no other cases are named.
    alone = run("vectors", "run", str(FOLDER))
    assert alone.exit_code == 0
    assert "other" in alone.stdout.split()
    assert f"{len(cases())} cases, {len(cases())} passed" in alone.stdout


def test_a_case_of_the_tier_is_shown_with_its_definition() -> None:
    done = run("vectors", "show", "redact.custom.topics.v11")
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[1] == "redact, room version org.example.topics"
    assert lines[2] == 'based on 11: {"redaction_keeps_content": {"m.room.topic": ["topic", "m.topic"]}}'
    document = json.loads(run("vectors", "show", "redact.custom.topics.v11", "--json").stdout)
    assert document["version"]["based_on"] == "11"
    listed = run("vectors", "list", "--optional", "--case", "redact.custom.*")
    assert "org.example.topics" in listed.stdout
    # There are no others of these names, so they need not be asked for.
    assert run("vectors", "list", "--case", "redact.custom.*").stdout == listed.stdout
    assert "custom" not in run("vectors", "list", "--case", "redact.*").stdout


def test_a_program_gets_the_definition_with_the_request(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import json, sys\n"
        "for line in sys.stdin:\n"
        "    asked = json.loads(line)\n"
        "    known = asked.get('version', {}).get('changes') == {'max_depth': 2147483647}\n"
        "    answer = {'output': {'valid': asked['input']['event']['depth'] < 2**31}}\n"
        "    told = answer if known else {'unsupported': True}\n"
        "    print(json.dumps({'id': asked['id'], **told}), flush=True)\n"
    )
    command = f"{sys.executable} {program}"
    done = run("vectors", "run", "--impl", command, "--operation", "event_format", str(FOLDER), "--json")
    found = json.loads(done.stdout)
    assert (found["passed"], found["failed"]) == (2, 0)
    assert found["unsupported"] == len([c for c in cases() if c.operation == "event_format"]) - 2
    served = run("vectors", "run", "--impl", f"{sys.executable} -m roomver vectors serve", str(FOLDER))
    assert served.exit_code == 0, served.output


def document(**changes: Any) -> dict[str, Any]:
    case: dict[str, Any] = {
        "name": "x",
        "operation": "canonical_json",
        "room_version": "org.example.x",
        "version": {"based_on": "11", "changes": {"strict_canonical_json": False}},
        "input": {"json": "1.5"},
        "expected": {"canonical": "1.5"},
    }
    case |= changes
    case = {key: value for key, value in case.items() if value is not None}
    return {"format": "roomver-vectors/2", "title": "X", "cases": [case]}


def test_a_definition_is_read() -> None:
    (case,) = read_vectors(document())
    assert run_case(case).outcome is Outcome.PASSED


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"version": None}, "unknown room version"),
        ({"room_version": 11}, "unknown room version 11"),
        ({"version": []}, "must be an object with based_on and changes"),
        ({"version": {"based_on": "11"}}, "must be an object with based_on and changes"),
        ({"version": {"based_on": 11, "changes": {}}}, "based_on must be a string"),
        ({"version": {"based_on": "11", "changes": []}}, "based_on must be a string, and changes an object"),
        ({"version": {"based_on": "13", "changes": {}}}, "unknown room version '13'"),
        ({"version": {"based_on": "11", "changes": {"knok": True}}}, "not a field; did you mean knock?"),
        ({"version": {"based_on": "11", "changes": {"knock": 1}}}, "knock"),
        ({"room_version": "11"}, "roomver has a room version 11"),
    ],
)
def test_a_wrong_definition_is_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(BadVectors, match="version") as refused:
        read_vectors(document(**changes))
    assert told in str(refused.value)


def test_the_format_names_every_field_of_the_tier() -> None:
    text = (SUITE / "FORMAT.md").read_text(encoding="utf-8")
    part = text.partition("## The optional tier")[2].partition("\n## ")[0]
    definitions: list[Any] = [case.definition for case in cases() if case.definition]
    used = {field for one in definitions for field in one["changes"]}
    assert len(used) > 15
    assert [field for field in sorted(used) if f"`{field}`" not in part] == []
    assert {one["based_on"] for one in definitions} <= set(ROOM_VERSIONS)
