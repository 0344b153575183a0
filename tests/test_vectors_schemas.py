"""The vector files and the protocol against their schemas; skipped where jsonschema is not installed."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from roomver.cli.implementation import serve
from roomver.operations import OPERATIONS
from roomver.vectors import is_vectors

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


def test_every_vector_file_has_the_format() -> None:
    found = documents()
    assert found
    for file, document in found:
        errors = [
            f"{error.json_path}: {error.message[:200]}"
            for error in validator("vector-file").iter_errors(document)
        ]
        assert errors == [], file


def test_schema_and_package_know_the_same_operations() -> None:
    defined = validator("vector-file").schema["$defs"]
    known = {name.removesuffix("_input") for name in defined if name.endswith("_input")}
    assert OPERATIONS.keys() <= known
    for name, operation in OPERATIONS.items():
        given = defined[f"{name}_input"]
        assert operation.needs == set(given.get("required", ())), name
        assert operation.needs | operation.may_have == given["properties"].keys(), name
        assert operation.answers == defined[f"{name}_outcome"]["anyOf"][1]["properties"].keys(), name


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
def test_the_schema_refuses(change: dict[str, Any]) -> None:
    case = {"name": "x", "operation": "canonical_json", "room_version": "1", "input": {"json": "1"}}
    whole = {
        "format": "roomver-vectors/1",
        "title": "One",
        "cases": [{**case, "expected": {"canonical": "1"}}],
    }
    assert validator("vector-file").is_valid(whole)
    whole["cases"] = [{**case, "expected": {"canonical": "1"}, **change}]
    assert not validator("vector-file").is_valid(whole)


def test_the_protocol_has_its_schema() -> None:
    request = {"id": 1, "operation": "canonical_json", "room_version": "11", "input": {"json": "1"}}
    requests = [request, {**request, "operation": "fly"}, {**request, "input": {"json": "NaN"}}]
    for line in requests:
        assert validator("protocol").is_valid(line)
    for answer in serve(json.dumps(line).encode() for line in requests):
        assert validator("protocol").is_valid(json.loads(answer)), answer
    assert not validator("protocol").is_valid({"id": 1, "output": {}, "error": "x"})
