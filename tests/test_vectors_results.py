"""Results of other implementations: every failure is judged, every disputed case has a question, and the
pages are current."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from roomver.cli.vectors.report import find_cases
from roomver.readers.suite import load_cases, load_suite
from roomver.suite.document import run_case
from vectors.generate.report import relink
from vectors.generate.results import (
    agreement,
    answers,
    disputed_cases,
    judgements_page,
    matches,
    questions_page,
)

SUITE = Path(__file__).parents[1] / "vectors"


@cache
def read(name: str) -> Any:
    return json.loads((SUITE / name).read_text(encoding="utf-8"))


@cache
def failures() -> dict[str, list[str]]:
    """Return the failed cases of the committed report, by implementation."""
    found: dict[str, list[str]] = {}
    names: list[str] = []
    for line in (SUITE / "results" / "report.md").read_text(encoding="utf-8").splitlines():
        heading = re.fullmatch(r"## Failed: (.*)", line)
        if heading:
            names = found.setdefault(heading[1], [])
        elif case := re.match(r"- \[?`([^`]+)`", line):
            names.append(case[1])
    return found


def test_the_links_of_the_report_lead_to_the_cases() -> None:
    places = {
        name: f"../{file.relative_to(SUITE)}#L{line}" for name, (file, line) in find_cases(SUITE).items()
    }
    markdown, html = ((SUITE / "results" / f"report.{kind}").read_text("utf-8") for kind in ("md", "html"))
    links = re.findall(r"\[`([^`]+)`\]\(([^)]+)\)", markdown)
    of_html = [(name, address) for address, name in re.findall(r'href="(\.[^"]+)"><code>(.*?)</', html)]
    assert sorted(links) == sorted(of_html)
    assert len(links) > 1000
    assert [name for name, address in links if places[name] != address] == [], (
        "run python -m vectors.generate"
    )


def test_the_generators_move_the_links(tmp_path: Path) -> None:
    (tmp_path / "auth").mkdir()
    (tmp_path / "results").mkdir()
    (tmp_path / "auth" / "x.json").write_text(
        '{\n "format": "roomver-vectors/2",\n "cases": [\n  {\n   "name": "auth.v1.x",\n'
    )
    # A report has the names of the cases, and is not where they are.
    report = '{\n "report_format": "roomver-report/1",\n "failures": [\n  {\n   "name": "auth.v1.x",\n'
    (tmp_path / "results" / "report.json").write_text(report)
    assert find_cases(tmp_path) == {"auth.v1.x": (tmp_path / "auth" / "x.json", 5)}
    pages = [tmp_path / "results" / f"report.{kind}" for kind in ("md", "html")]
    old = (
        "- [`auth.v1.x`](../auth/old.json#L9): [`gone`](../a.json#L1)\n",
        ('<a href="../auth/old.json#L9"><code>auth.v1.x</code></a><a href="#0-auth">3</a>\n'),
    )
    for page, text in zip(pages, old, strict=True):
        page.write_text(text)
    relink(tmp_path)
    for page, text in zip(pages, old, strict=True):
        assert page.read_text() == text.replace("auth/old.json#L9", "auth/x.json#L5")


def judged(implementation: str) -> list[Any]:
    (entry,) = [
        one
        for one in read("results/judgements.json")["implementations"]
        if implementation.startswith(one["name"])
    ]
    judgements: list[Any] = entry["judgements"]
    return judgements


@pytest.mark.parametrize("implementation", failures())
def test_every_failure_is_judged_and_every_judgement_has_a_failure(implementation: str) -> None:
    names = failures()[implementation]
    assert len(names) > 100
    judgements = judged(implementation)
    patterns = [pattern for entry in judgements for pattern in entry["cases"]]
    assert [name for name in names if not matches(patterns, name)] == []
    assert [pattern for pattern in patterns if not any(matches([pattern], name) for name in names)] == []
    assert {entry["kind"] for entry in judgements} <= {"departs", "reading", "elsewhere"}
    assert all(entry["does"] and entry["specification"] for entry in judgements)


def test_a_case_that_two_offer_and_fewer_than_two_confirm_is_disputed() -> None:
    # The exception is the only case of a rule of version 11.
    assert read("results/answers.json")["undisputed"]["unconfirmed"] == [
        "auth.v11.create.room_version.unknown"
    ]


def test_the_numbers_of_undisputed_cases_match_the_failures() -> None:
    kept, disputed = read("results/answers.json")["undisputed"], disputed_cases(SUITE).keys()
    undisputed = [case.name for case in load_suite() if case.name not in disputed]
    # Cases may have been added since the adapters ran.
    assert 7000 < sum(kept["offered"].values()) == sum(kept["confirmed"].values()) <= len(undisputed)
    answered = sum(int(number) * cases for number, cases in kept["offered"].items())
    passed = sum(int(number) * cases for number, cases in kept["confirmed"].items())
    failed = [name for names in failures().values() for name in names if name not in disputed]
    assert answered - passed == len(failed)
    page = (SUITE / "results" / "README.md").read_text(encoding="utf-8")
    for cases in (
        sum(kept["offered"].values()) - kept["offered"]["0"],
        sum(cases for number, cases in kept["offered"].items() if int(number) >= 2),
        kept["confirmed"]["5"],
    ):
        assert f"{cases:,}" in page, cases


def test_agreement_counts_the_implementations_that_offer_and_that_pass() -> None:
    def results(**outcomes: str) -> dict[str, dict[str, str]]:
        return {name: {"outcome": outcome} for name, outcome in outcomes.items()}

    found = agreement(
        [
            results(a="passed", b="passed", c="failed", d="passed", e="unsupported"),
            results(a="passed", b="failed", c="failed", d="passed", e="unsupported"),
            results(a="failed", b="unsupported", c="unsupported", d="passed", e="unsupported"),
        ],
        frozenset("d"),
    )
    assert found == {
        "offered": {"0": 1, "2": 2, "3": 1},
        "confirmed": {"0": 2, "1": 1, "2": 1},
        "unconfirmed": ["b", "c"],
    }


def test_every_disputed_case_has_one_question() -> None:
    questions = read("results/questions.json")["questions"]
    cases = disputed_cases(SUITE)
    for name in cases:
        asked = [question["id"] for question in questions if matches(question["cases"], name)]
        assert len(asked) == 1, (name, asked)
    patterns = [pattern for question in questions for pattern in question["cases"]]
    assert [pattern for pattern in patterns if not any(matches([pattern], name) for name in cases)] == []


def test_the_answers_match_the_disputed_cases() -> None:
    kept, cases = read("results/answers.json"), disputed_cases(SUITE)
    assert list(kept["answers"]) == list(cases)
    assert kept["implementations"] == list(failures())
    for name, given in kept["answers"].items():
        assert len(given) == len(kept["implementations"])
        allowed = {None, "other", *range(len(cases[name]["expected"]))}
        assert set(given) <= allowed, name
        for who, answer in zip(kept["implementations"], given, strict=True):
            assert (answer == "other") == (name in failures()[who]), (who, name)


@pytest.mark.parametrize(
    ("name", "index"),
    [("Synapse", 0), ("ruma", 1), ("gomatrixserverlib", 2), ("mautrix-go", 3), ("rezzy", 4)],
    ids=str,
)
def test_an_implementation_named_in_a_reason_gave_that_outcome(name: str, index: int) -> None:
    kept = read("results/answers.json")["answers"]
    named = 0
    for case, document in disputed_cases(SUITE).items():
        for number, outcome in enumerate(document["expected"]):
            if re.search(rf"\b{name}\b", outcome["reason"]) and kept[case][index] is not None:
                named += 1
                assert kept[case][index] == number, (case, outcome["reason"])
    assert named > 10


def test_the_first_outcome_of_a_disputed_case_is_roomvers() -> None:
    cases = [case for case in load_cases([SUITE / "disputed"]) if len(case.expected) > 1]
    assert len(cases) > 500
    assert [case.name for case in cases if run_case(case).accepted != 0] == []


def test_the_pages_are_generated_from_the_data() -> None:
    page = questions_page(read("results/questions.json"), read("results/answers.json"), disputed_cases(SUITE))
    assert (SUITE / "disputed" / "README.md").read_text(encoding="utf-8") == page
    page = judgements_page(read("results/judgements.json"))
    assert (SUITE / "results" / "judgements.md").read_text(encoding="utf-8") == page


def test_an_answer_is_the_outcome_that_was_accepted() -> None:
    def results(who: str, *cases: dict[str, Any]) -> dict[str, Any]:
        return {"implementation": who, "cases": list(cases)}

    mine = results(
        "mine", {"name": "a", "outcome": "passed", "accepted": 1}, {"name": "b", "outcome": "failed"}
    )
    theirs = results("theirs", {"name": "a", "outcome": "unsupported"})
    kept = answers([mine, theirs], ["a", "b"])
    assert kept["implementations"] == ["mine", "theirs"]
    assert kept["answers"] == {"a": [1, None], "b": ["other", None]}
