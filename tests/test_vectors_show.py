"""What ``roomver vectors show`` prints of a case, and the request that it can print instead."""

import json
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
from command_line import run as call

from roomver.cli.vectors.difference import difference_lines
from roomver.readers.suite import load_suite
from roomver.suite.document import FORMAT, Case, compare


def suite_case(name: str) -> Case:
    return next(one for one in load_suite() if one.name == name)


def test_the_bytes_that_are_hashed_are_never_cut(tmp_path: Path) -> None:
    event = {"type": "m.room.message", "content": {"body": "x" * 50_000}, "hashes": {}}
    one = {
        "name": "a",
        "operation": "content_hash",
        "room_version": "11",
        "input": {"event": event},
        "expected": {"sha256": "y"},
    }
    file = tmp_path / "v.json"
    file.write_text(json.dumps({"format": FORMAT, "title": "Made up", "cases": [one]}))
    shown = call("vectors", "show", "a", str(file)).stdout
    (line,) = re.findall(r"SHA-256 of 50,0[0-9]+ bytes: (.*)", shown)
    assert json.loads(line)["content"] == event["content"]
    assert max(map(len, shown.partition("step by step")[0].splitlines())) < 1_100, "other lines are cut"


@pytest.mark.parametrize(
    ("version", "absent"),
    [
        (
            "1",
            {
                "auth_difference",
                "power_order",
                "mainline_order",
                "auth difference",
                "power events",
                "mainline,",
                "conflicted_subgraph",
                "conflicted state subgraph",
            },
        ),
        ("5", {"conflicted_subgraph", "conflicted state subgraph"}),
        ("12", set()),
    ],
)
def test_steps_that_an_algorithm_does_not_have_are_left_out(version: str, absent: set[str]) -> None:
    name = next(one.name for one in load_suite() if (one.operation, one.room_version) == ("resolve", version))
    shown = call("vectors", "show", name).stdout.partition("\nroomver passed\n")[2]
    names = {"auth_difference", "conflicted_subgraph", "power_order", "mainline_order"}
    titles = {"auth difference", "power events", "mainline,", "conflicted state subgraph"}
    found = {one for one in names | titles if re.search(rf"^ *{one}\b", shown.replace(", in", ""), re.M)}
    found |= {"mainline,"} if "\nmainline, newest" in shown else set()
    assert found == (names | titles) - absent


def test_states_are_shown_in_the_order_of_the_numbers() -> None:
    shown = call("vectors", "show", "resolve.topic_against_ban.v11").stdout
    sets = re.findall(r"^  (?:state\S*|conflicted|auth_difference|full_conflicted) (\[.*\])$", shown, re.M)
    assert len(sets) >= 5
    for one in sets:
        numbers = [int(number) for number in re.findall(r"\d+", one)]
        assert numbers == sorted(numbers)


def test_the_create_event_is_named_that_no_event_cites() -> None:
    for version, named in (("11", False), ("12", True)):
        shown = call("vectors", "show", f"auth.v{version}.auth_events.plain").stdout
        assert ("\ncreate event: [1], by the room ID\n" in shown) is named


# The request


def test_the_request_of_a_case_is_answered_by_an_adapter() -> None:
    done = call("vectors", "show", "content_hash.plain.v11", "--request")
    request = json.loads(done.stdout)
    assert done.stdout.count("\n") == 1
    assert request == {
        "id": 1,
        "operation": "content_hash",
        "room_version": "11",
        "input": suite_case("content_hash.plain.v11").input,
    }
    assert call("vectors", "show", "content_hash.plain.v11", "--request", "--json").exit_code == 2
    custom = next(one for one in load_suite(optional=True) if one.definition is not None)
    request = json.loads(call("vectors", "show", custom.name, "--request").stdout)
    assert request["version"] == custom.definition


def test_a_failure_names_the_request_and_the_program() -> None:
    answer = "{'id': json.loads(line)['id'], 'output': {'sha256': 'x'}}"
    code = f"import json, sys\nfor line in sys.stdin: print(json.dumps({answer}), flush=True)"
    command = shlex.join([sys.executable, "-c", code])
    options = ("--impl", command, "--case", "content_hash.plain.v11")
    done = call("vectors", "run", *options, "--diff")
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("  try: ")]
    assert line.startswith("  try: roomver vectors show content_hash.plain.v11 --request | ")
    assert "  try: " not in call("vectors", "run", *options).stdout


# Events in a difference


def test_events_in_a_difference_can_be_told_apart() -> None:
    one = suite_case("resolve.topic_against_ban.v11")
    events: Any = one.input["events"]
    lines = list(difference_lines(compare(one, {"state": [*events]})))
    assert lines[0] == "state: 2 entries are wrong"
    numbers = [int(re.findall(r"\[(\d+)\]", line)[0]) for line in lines[1:]]
    assert numbers == sorted(numbers)
    for line in lines[1:]:
        (begin,) = re.findall(r"\((\$.{8})…\)$", line)
        (event_id,) = [event_id for event_id in events if event_id.startswith(begin)]
        assert json.dumps(events[event_id]["content"])[:20] in line


def test_failures_on_the_same_events_with_other_ids_are_printed_once() -> None:
    # Its answer is all events.
    answer = "{'id': r['id'], 'output': {'state': sorted(r['input']['events'])}}"
    code = (
        f"import json, sys\nfor line in sys.stdin:\n r = json.loads(line)\n"
        f" print(json.dumps({answer}), flush=True)"
    )
    command = shlex.join([sys.executable, "-c", code])
    for more in ((), ("--diff",)):
        glob = "resolve.chain_through_the_unconflicted.*"
        done = call("vectors", "run", "--impl", command, "--name", "mine", "--case", glob, *more)
        heads = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
        assert len(heads) == 2, "version 12 has notes of its own"
        assert "In the differences, - is expected and missing" in done.stdout or not more
