"""The vectors of the authorisation rules: each case is what it says, and together they cover the rules."""

import json
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from nacl.signing import VerifyKey

from roomver import check_auth, encode_canonical, get_room_version, parse_event
from roomver.cli import main
from roomver.readers.suite import load_cases
from roomver.rules import RULES, Decision, list_rules
from roomver.suite.coverage import coverage_report, measure_coverage
from roomver.suite.document import Case, run_case
from roomver.suite.operations import run_operation
from roomver.versions import ROOM_VERSIONS

ROOT = Path(__file__).parents[1]
SUITE = ROOT / "vectors"

# The generators are not part of the package. Only they know the twins of the cases.
sys.path.insert(0, str(ROOT))
from vectors.generate.auth import files, made  # noqa: E402 (the path comes first)
from vectors.generate.auth_cases import Made  # noqa: E402
from vectors.generate.auth_numbers import RULE_NUMBERS  # noqa: E402
from vectors.generate.independent import content_hash, public_key, seed_of, unbase64  # noqa: E402
from vectors.generate.rooms import ROOM_KEY_ID, essence  # noqa: E402
from vectors.generate.suite import Kind, settled, write  # noqa: E402

ANSWERS = {"auth": "allowed", "verify_signatures": "valid", "redaction_applies": "applies"}


@cache
def cases() -> tuple[Case, ...]:
    return tuple(load_cases([SUITE / "auth", *sorted((SUITE / "disputed").glob("*auth*.json"))]))


@cache
def by_name() -> dict[str, Made]:
    return {case.name: case for case in made()}


def answer(case: Made) -> Any:
    return case.expected.get(ANSWERS.get(case.operation, ""))


def test_every_case_is_as_expected() -> None:
    for case in cases():
        result = run_case(case)
        assert result.outcome.value == "passed", (case.name, result.got, result.reason)


def test_the_files_are_what_the_generators_write(tmp_path: Path) -> None:
    for file in settled(files()):
        write(file, tmp_path)
        written = (tmp_path / file.path).read_bytes()
        assert (SUITE / file.path).read_bytes() == written, f"{file.path}: run python -m vectors.generate"
    assert {case.name for case in cases()} == by_name().keys()


def test_coverage_is_complete() -> None:
    assert [row for row in measure_coverage(cases()) if row.lacking] == []


@pytest.mark.parametrize("version", ROOM_VERSIONS)
def test_rule_numbers_are_those_of_the_specification(version: str) -> None:
    known = {
        rule.name: rule.number(get_room_version(version)) for rule in list_rules(get_room_version(version))
    }
    assert known == RULE_NUMBERS[version]


def test_the_rule_of_a_case_is_the_one_that_decides() -> None:
    counted = 0
    for case in cases():
        if case.operation != "auth" or not case.rule:
            continue
        got = run_operation("auth", case.room_version, case.input)
        if "malformed" in got:
            assert case.rule == "1.2", case.name  # rule 1.2 of version 12, which the format forestalls
            continue
        assert got["rule"] == case.rule, (case.name, got)
        counted += 1
    assert counted > 3000


def test_every_auth_case_but_the_named_ones_has_a_rule() -> None:
    silent = {case.name.split(".", 2)[2] for case in cases() if case.operation == "auth" and not case.rule}
    assert silent == {
        # They cannot be decided:
        "auth_events.unknown",
        "room_id.unknown",
        # no rule speaks of them:
        *(f"power_levels.values.unchecked_{at}" for at in ("ban", "kick", "state_default", "invite")),
        "power_levels.values.unchecked_events",
        "power_levels.values.unchecked_events_level",
        # and this is not an event:
        "power_levels.values.float_malformed",
    }


def test_a_rejecting_case_has_an_accepting_twin() -> None:
    alone = set()
    for case in made():
        if answer(case) is not False or case.operation == "redaction_applies":
            assert not case.twin, case.name
        elif case.twin:
            twin = by_name()[case.twin]
            assert answer(twin) is True, case.name
            assert (twin.version, twin.operation) == (case.version, case.operation), case.name
        else:
            alone.add(case.name)
    # A room ID that names a member event cannot be repaired: no such room exists.
    assert alone == {"auth.v12.room_id.member"}


def test_a_twin_is_of_the_same_type_and_membership() -> None:
    # Repairing an event does not change its kind, unless its membership or its state key is the fault.
    for case in made():
        faults_of_kind = ("member.unknown", "member.malformed")
        if case.twin and case.operation == "auth" and case.rule_name not in faults_of_kind:
            assert kind(case) == kind(by_name()[case.twin]), case.name


def kind(case: Made) -> tuple[str, Any]:
    event = case.input["events"][case.input["event"]]
    return event["type"], event["content"].get("membership")


def whole_events() -> Iterator[tuple[Made, str, dict[str, Any]]]:
    for case in made():
        for event_id, pdu in case.input.get("events", {}).items():
            yield case, event_id, pdu


def test_setups_are_valid() -> None:
    # Every event has the ID under which it is listed. The rules allow every event against its own auth
    # events, except the event of the case and those listed as rejected.
    seen: dict[tuple[str, str], bool] = {}
    for case in made():
        given = case.input
        if case.operation != "auth" or case.odd or "error" in case.expected:
            continue
        pdus = {i: pdu for i, pdu in given["events"].items() if i != given["event"]}
        events = {i: parse_event(pdu, case.version) for i, pdu in pdus.items()}
        for event_id, event in events.items():
            if event_id in given.get("rejected", ()):
                continue
            key = (case.version, event_id)
            if key not in seen:
                assert event.event_id == event_id, case.name
                seen[key] = check_auth(event, None, events).allowed
            assert seen[key], (case.name, event_id)
    assert len(seen) > 2000


def test_events_are_signed_and_hashed() -> None:
    seen = set()
    for case, event_id, pdu in whole_events():
        if (case.version, event_id) in seen or case.name.endswith("float_malformed"):
            continue
        seen.add((case.version, event_id))
        assert pdu["hashes"]["sha256"] == content_hash(pdu), (case.name, event_id)
        core = {k: v for k, v in essence(pdu, case.version).items() if k not in ("signatures", "unsigned")}
        message = encode_canonical(core, strict=False)
        assert pdu["sender"].split(":", 1)[1] in pdu["signatures"]
        for server, by_key in pdu["signatures"].items():
            key = VerifyKey(unbase64(public_key(seed_of(server, ROOM_KEY_ID))))
            key.verify(message, unbase64(by_key[ROOM_KEY_ID]))


def test_disputed_cases_say_so() -> None:
    for case in made():
        known = case.disputed is not None and case.disputed.kind is Kind.DIFFER
        assert known == case.notes.startswith("Disputed:"), case.name


# The commands


def test_vectors_coverage() -> None:
    result = CliRunner().invoke(main, ["vectors", "coverage"])
    assert result.exit_code == 0, result.output
    assert "member.authoriser_signature" in result.output
    assert "0 without a case" in result.output
    result = CliRunner().invoke(main, ["vectors", "coverage", "--json"])
    assert json.loads(result.output) == coverage_report(measure_coverage(load_cases([SUITE])))


def test_vectors_coverage_fails_where_a_rule_has_no_case() -> None:
    result = CliRunner().invoke(main, ["vectors", "coverage", str(SUITE / "auth" / "create.json")])
    assert result.exit_code == 1
    assert "v12 rule 5.5.1 (member.leave.self): no accepting and no rejecting case" in result.output
    report = json.loads(
        CliRunner()
        .invoke(main, ["vectors", "coverage", "--json", str(SUITE / "auth" / "create.json")])
        .output
    )
    assert report["complete"] is False
    assert report["room_versions"]["12"]["5.5.1"]["lacking"] == ["accepting", "rejecting"]
    assert report["room_versions"]["12"]["1.1"]["lacking"] == []


def test_rules() -> None:
    result = CliRunner().invoke(main, ["rules", "--room-version", "12"])
    assert result.exit_code == 0, result.output
    assert "10.11" in result.output
    assert "member.leave.self" in result.output
    everything = json.loads(CliRunner().invoke(main, ["rules", "--json"]).output)
    assert [rule["name"] for rule in everything] == list(RULES)
    of_12 = json.loads(CliRunner().invoke(main, ["rules", "--room-version", "12", "--json"]).output)
    assert {rule["name"]: rule["number"] for rule in of_12} == RULE_NUMBERS["12"]
    assert CliRunner().invoke(main, ["rules"]).output.count("\n") > len(RULES)
    assert CliRunner().invoke(main, ["rules", "--room-version", "13"]).exit_code == 2


def test_every_sentence_of_a_rule_is_given_for_its_own_decision_and_for_no_other() -> None:
    said: dict[tuple[str, bool], set[str]] = {}
    for case in cases():
        if case.operation != "auth":
            continue
        output = run_operation("auth", case.room_version, case.input)
        if "rule" in output:
            cited, _, told = str(output["detail"]).partition("): ")
            said.setdefault((cited.partition(" (")[2], output["allowed"] is True), set()).add(told)
    # No vector is of an unstable version, so none is decided by a rule of a proposal.
    for rule in (one for one in RULES.values() if not one.url):
        for allowed, sentence in ((True, rule.acceptance), (False, rule.refusal)):
            decides = rule.decision in (Decision.EITHER, Decision.ALLOW if allowed else Decision.REJECT)
            told_by = said.get((rule.name, allowed), set())
            # The signature is checked before the rules are asked.
            assert bool(told_by) is (decides and rule.name != "member.authoriser_signature"), rule
            for told in told_by:
                assert told == sentence or told.startswith(f"{sentence} ("), (rule, told)
