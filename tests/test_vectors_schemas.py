"""The vector files and the protocol, validated by their schemas; skipped without jsonschema."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from roomver.cli.vectors.results import results_document
from roomver.cli.vectors.serve import answer_requests
from roomver.readers.suite import load_cases
from roomver.suite.document import is_vectors, run_case
from roomver.suite.operations import OPERATIONS

SUITE = Path(__file__).parents[1] / "vectors"

jsonschema = pytest.importorskip("jsonschema")


@cache
def validator(name: str) -> Any:
    schema = json.loads((SUITE / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def documents() -> list[tuple[Path, Any]]:
    read = [(file, json.loads(file.read_text(encoding="utf-8"))) for file in sorted(SUITE.rglob("*.json"))]
    return [(file, document) for file, document in read if is_vectors(document)]


def test_every_vector_file_follows_the_schema() -> None:
    found = documents()
    assert found
    for file, document in found:
        errors = [
            f"{error.json_path}: {error.message[:200]}"
            for error in validator("vector-file").iter_errors(document)
        ]
        assert errors == [], file


def test_the_schema_and_the_package_have_the_same_operations() -> None:
    defined = validator("vector-file").schema["$defs"]
    known = {name.removesuffix("_input") for name in defined if name.endswith("_input")}
    assert OPERATIONS.keys() <= known
    for name, operation in OPERATIONS.items():
        given = defined[f"{name}_input"]
        assert operation.required == set(given.get("required", ())), name
        assert operation.required | operation.optional == given["properties"].keys(), name
        assert operation.output_keys == defined[f"{name}_outcome"]["anyOf"][1]["properties"].keys(), name


@pytest.mark.parametrize(
    "change",
    [
        {"name": "a b"},
        {"operation": "fly"},
        {"room_version": 1},
        {"input": {}},
        {"input": {"json": "1", "more": 1}},
        {"expected": {"valid": True}},
        {"expected": {}},
        {"expected": {"error": False}},
        {"expected": [{"outcome": {"error": True}, "reason": "x"}]},
        {"more": 1},
    ],
)
def test_the_schema_refuses_invalid_cases(change: dict[str, Any]) -> None:
    case = {"name": "x", "operation": "canonical_json", "room_version": "1", "input": {"json": "1"}}
    whole = {
        "format": "roomver-vectors/2",
        "title": "One",
        "cases": [{**case, "expected": {"canonical": "1"}}],
    }
    assert validator("vector-file").is_valid(whole)
    whole["cases"] = [{**case, "expected": {"canonical": "1"}, **change}]
    assert not validator("vector-file").is_valid(whole)


def test_the_protocol_follows_its_schema() -> None:
    request = {"id": 1, "operation": "canonical_json", "room_version": "11", "input": {"json": "1"}}
    requests = [request, {**request, "operation": "fly"}, {**request, "input": {"json": "NaN"}}]
    for line in requests:
        assert validator("protocol").is_valid(line)
    for answer in answer_requests(json.dumps(line).encode() for line in requests):
        assert validator("protocol").is_valid(json.loads(answer)), answer
    assert not validator("protocol").is_valid({"id": 1, "output": {}, "error": "x"})


def _timed(operation: str, given: dict[str, Any], version: str = "11") -> dict[str, Any]:
    return {"id": 1, "operation": operation, "room_version": version, "input": given}


def test_a_request_for_time_is_answered_and_follows_the_schema() -> None:
    case = next(c for c in load_cases([SUITE]) if c.name == "resolve.topic_against_ban.v11")
    first = {"operation": "resolve", "input": case.input, "runs": 2, "mode": "warm"}
    states: Any = case.input["state_sets"]
    gone = [one for one in states[0] if one not in states[1]]
    new = [one for one in states[1] if one not in states[0]]
    changed = {**case.input, "state_sets": states[:1]}
    requests = [
        _timed("time", first),
        _timed("time", {"again": True, "runs": 3}),
        _timed("time", {**first, "mode": "cold", "runs": 1}),
        _timed("time", {**first, "input": changed, "changes": [{"remove": gone, "add": new}]}),
        _timed("time", {**first, "mode": "kept", "runs": 1}),
    ]
    for line in requests:
        assert validator("protocol").is_valid(line)
    answers = [json.loads(line) for line in answer_requests(json.dumps(line).encode() for line in requests)]
    output = jsonschema.Draft202012Validator(
        {**validator("protocol").schema, "anyOf": [{"$ref": "#/$defs/time_output"}]}
    )
    for answer, runs in zip(answers, (2, 3, 1, 2, 1), strict=True):
        assert validator("protocol").is_valid(answer)
        assert output.is_valid(answer["output"]), answer
        assert len(answer["output"]["seconds"]) == len(answer["output"]["cpu_seconds"]) == runs
        assert answer["output"]["state"] == case.expected[0].outcome["state"]
    warm = ["graph of auth events", "power levels that earlier runs read"]
    assert [answer["output"]["given"] for answer in answers] == [
        warm,
        warm,
        [],
        warm,
        [*warm, "states that share equal entries"],
    ]


@pytest.mark.parametrize("mode", ["cached", "split"])
def test_a_mode_of_other_programs_is_in_the_schema_and_unsupported_here(mode: str) -> None:
    request = _timed("time", {"operation": "resolve", "input": {}, "runs": 1, "mode": mode})
    (answer,) = answer_requests([json.dumps(request).encode()])
    assert json.loads(answer) == {"id": request["id"], "unsupported": True}
    given: dict[str, Any] = {"events": {}, "state_sets": []}
    assert validator("protocol").is_valid(
        _timed("time", {"operation": "resolve", "input": given, "runs": 1, "mode": mode})
    )


@pytest.mark.parametrize(
    "change",
    [
        {"runs": 0},
        {"runs": True},
        {"mode": "hot"},
        {"operation": "auth"},
        {"input": []},
        {"more": 1},
        {"again": True},
        {"changes": [{"remove": []}]},
        {"changes": {}},
    ],
)
def test_an_invalid_request_for_time_is_an_error(change: dict[str, Any]) -> None:
    given = {"operation": "resolve", "input": {"events": {}, "state_sets": [[]]}, "runs": 1, "mode": "warm"}
    good, bad = _timed("time", given), _timed("time", {**given, **change})
    assert validator("protocol").is_valid(good)
    assert not validator("protocol").is_valid(bad)
    answers = [
        json.loads(line) for line in answer_requests([json.dumps(good).encode(), json.dumps(bad).encode()])
    ]
    assert answers[0]["output"]["state"] == []
    assert answers[1]["error"] == "bad_vectors", answers[1]
    (alone,) = answer_requests([json.dumps(_timed("time", {"again": True, "runs": 1})).encode()])
    assert json.loads(alone)["error"] == "bad_vectors"


def test_results_follow_their_schema() -> None:
    cases = [case for case in load_cases([SUITE]) if case.room_version == "1"][:200]
    wrong = replace(cases[0], expected=(replace(cases[0].expected[0], outcome={"sha256": "x"}),))
    results = [run_case(case) for case in [*cases, wrong]]
    document = results_document(results, "x")
    assert document["failed"] == 1
    assert validator("results").is_valid(document)
    assert validator("results").is_valid(results_document(results, "x", {wrong.name}))
    for change in ({"format": "x"}, {"passed": -1}, {"more": 1}, {"cases": [{"name": "x"}]}):
        assert not validator("results").is_valid({**document, **change})
