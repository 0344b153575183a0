"""Each sentence of the specification has a case that fails if the sentence is not carried out.

`sentences` makes the changes. ``python -m tests.sentences`` writes the cases into ``vectors/sentences.json``.
"""

import json
from functools import cache
from typing import Any

import pytest
import reference.auth
from jsonschema import Draft202012Validator
from sentences import ROOT, TABLE, mutated, records, table
from sentences.answers import prepared_cases
from sentences.records import ALTERED, DROPPED, Change, Sentence, rule_changes
from sentences.rules import LISTS
from sentences.spec import TEXTS, VERSIONS, read_inventory

from roomver.readers.suite import load_cases
from vectors.generate.auth_numbers import RULE_NUMBERS


@cache
def content() -> dict[str, Any]:
    read: dict[str, Any] = json.loads(TABLE.read_text(encoding="utf-8"))
    return read


def rows() -> list[tuple[str, dict[str, Any]]]:
    return [(text["id"], row) for text in content()["texts"] for row in text["sentences"]]


# The declarations


def test_the_sentences_of_the_specification_are_declared_and_no_others() -> None:
    listed = {(text, identifier) for text, found in read_inventory().items() for identifier in found}
    assert set(table.by_place()) == listed
    assert len(listed) > 1300
    assert list(read_inventory()) == list(TEXTS)


def test_every_room_version_has_each_area() -> None:
    areas: dict[str, list[str]] = {}
    for name, text in TEXTS.items():
        if name not in ("auth.notes", "format.notes"):
            areas.setdefault(name.partition(".")[0], []).extend(text.pages)
    for area in ("auth", "redaction", "format", "canonical", "ids", "resolution", "sizes", "selection"):
        assert areas[area] == list(VERSIONS), area


@pytest.mark.parametrize("name", LISTS)
def test_the_lists_have_the_rules_of_the_suite_under_their_numbers(name: str) -> None:
    numbers = {number for number in read_inventory()[name] if "note" not in number}
    assert set(RULE_NUMBERS[LISTS[name]].values()) <= numbers
    # The others introduce rules, or say where keys are.
    others = numbers - set(RULE_NUMBERS[LISTS[name]].values())
    keys = RULE_NUMBERS[LISTS[name]]["member.invite.third_party.signed"]
    assert all(
        any(one.startswith(f"{number}.") for one in numbers) or number.startswith(f"{keys}.")
        for number in others
    )


def test_each_place_is_in_the_reference_once() -> None:
    places = {(change.module, change.scope, change.old): change for change in table.changes_of()}
    assert len(places) > 300
    for change in places.values():
        change.reached_by()  # an error shows what stands there now


def test_a_sentence_that_asks_for_nothing_says_why_and_has_no_changes() -> None:
    for sentence in table.sentences():
        assert sentence.what
        assert bool(sentence.idle) != bool(sentence.changes), sentence.what


# The reference


def test_the_unchanged_reference_fails_no_case() -> None:
    assert len(prepared_cases()) > 7500
    assert mutated.run_changed(None, prepared_cases()) == mutated.Noticed([], broken=False)


def test_a_change_stays_in_the_changed_modules() -> None:
    change = Change(DROPPED, "auth.py", "domain", 'identifier.split(":", 1)[1]', '"x"')
    assert mutated.load(change)["auth"].domain("@a:b") == "x"
    assert mutated.load()["auth"].domain("@a:b") == reference.auth.domain("@a:b") == "b"


def test_a_case_without_an_outcome_is_not_one_that_fails() -> None:
    case = next(case for case in prepared_cases() if case.operation == "redact")
    for new in ("raise KeyError('x')", "while True:\n    pass"):
        old = "keys, types = PAGES[version]"
        change = Change(DROPPED, "redaction.py", "redact", old, f"{new}\n{old}")
        assert mutated.run_changed(change, [case]) == mutated.Noticed([], broken=True)


def test_the_changes_of_a_rule() -> None:
    def news(rule: str) -> list[tuple[str, str]]:
        return [(change.how, change.new) for change in rule_changes("x", rule)]

    assert news("(lambda: a == 1, REJECT)")[:3] == [
        ("dropped", "(lambda: False, REJECT)"),
        ("inverted", "(lambda: a == 1, ALLOW)"),
        ("widened", "(lambda: True, REJECT)"),
    ]
    assert ("altered", "(lambda: a != 1, REJECT)") in news("(lambda: a == 1, REJECT)")
    assert news("(lambda: a, self.rules())")[1] == ("inverted", "(lambda: not (a), self.rules())")
    assert news("(otherwise, REJECT)") == [
        ("dropped", "(lambda: False, REJECT)"),
        ("inverted", "(otherwise, ALLOW)"),
    ]
    assert [how for how, _ in news("(lambda: a, ALLOW_IF_AND_ONLY_IF)")] == ["dropped", "inverted", "widened"]


def test_only_cases_that_reach_a_changed_rule_are_run() -> None:
    ban = '(lambda: self.membership(self.sender) == "ban", REJECT)'
    change = Change(DROPPED, "auth.py", "Rules.join_rules", ban, "(lambda: False, REJECT)")
    some = mutated.cases_for(change, VERSIONS)
    names = {case.name for case in some}
    assert 100 < len(some) < len(prepared_cases()) / 4
    failing = mutated.run_changed(change, prepared_cases()).failing
    assert failing
    assert set(failing) <= names


# The table


def test_no_sentence_is_without_a_case() -> None:
    assert list(table.empty(content())) == []
    assert list(table.outdated(content())) == []


def test_the_table_has_the_sentences_and_changes_of_the_declarations() -> None:
    listed = read_inventory()
    assert [(text, row["id"]) for text, row in rows()] == [
        (text, identifier) for text, found in listed.items() for identifier in found
    ], "run python -m tests.sentences"
    for text, row in rows():
        sentence = table.by_place()[text, row["id"]]
        versions = sentence.about or listed[text][row["id"]]
        assert (row["what"], tuple(row["room_versions"])) == (sentence.what, versions), (text, row["id"])
        assert row.get("idle", "") == sentence.idle
        if sentence.idle:
            continue
        assert row["place"] == table.place_of(sentence)
        made = [(change["how"], change.get("detail", "")) for change in row["changes"]]
        declared = [(change.how, change.detail) for change in sentence.changes_in(text)]
        assert made == [one for one in declared if one in made], (text, row["id"])
        # Only changes that were made by rule and break the code may be left out.
        assert {how for how, detail in declared if (how, detail) not in made} <= {ALTERED}


def test_the_named_cases_exist_and_are_of_the_sentences_versions() -> None:
    cases = {case.name: case for case in load_cases([ROOT / "vectors"])}
    named = 0
    for text, row in rows():
        for change in row.get("changes", ()):
            for name in change.get("cases", ()):
                assert cases[name].room_version in row["room_versions"], (text, row["id"], name)
                named += 1
            if "disputed" in change:
                assert all(cases[name].disputed for name in change["cases"])
    assert named > 5000


def sample() -> list[tuple[str, Sentence, Change]]:
    """Return one change of each text, another one for each number of changes."""
    found = []
    for name in TEXTS:
        mine = [
            (sentence, change)
            for identifier in read_inventory()[name]
            for sentence in [table.by_place()[name, identifier]]
            for change in sentence.changes_in(name)
        ]
        sentence, change = mine[len(table.sentences()) % len(mine)]
        found.append((name, sentence, change))
    return found


@pytest.mark.parametrize(("text", "sentence", "change"), sample(), ids=lambda one: str(one)[:20])
def test_a_sample_of_the_table_is_what_the_suite_gives_now(
    text: str, sentence: Sentence, change: Change
) -> None:
    (row,) = [row for name, row in rows() if (name, row["id"]) == (text, sentence.at[text])]
    noticed = mutated.run_changed(change, mutated.cases_for(change, row["room_versions"]))
    kept = [
        one for one in row["changes"] if (one["how"], one.get("detail", "")) == (change.how, change.detail)
    ]
    if not kept:
        assert noticed.broken
        assert not noticed.failing
        return
    assert kept[0]["failing"] == len(noticed.failing), "run python -m tests.sentences"
    assert set(kept[0].get("cases", ())) <= set(noticed.failing)


def test_the_table_follows_its_schema_and_is_written_as_it_is_read() -> None:
    schema = json.loads((ROOT / "vectors" / "schemas" / "sentences.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    validator.validate(content())
    assert TABLE.read_text(encoding="utf-8") == table.as_text(content())
    changes: list[dict[str, Any]] = [{"how": "forgotten"}, {"failing": 0}, {"cases": []}, {"reason": "x"}]
    for change in changes:
        broken = json.loads(TABLE.read_text(encoding="utf-8"))
        broken["texts"][0]["sentences"][0]["changes"][0].update(change)
        assert not validator.is_valid(broken), change


def test_a_change_without_a_case_needs_a_reason() -> None:
    sentence = {"id": "1", "what": "x", "changes": [{"how": "dropped", "failing": 0}]}
    given = {"texts": [{"id": "auth.v1", "sentences": [sentence]}]}
    assert list(table.empty(given)) == ["auth.v1 1: no case at all: x", "auth.v1 1: dropped : no case"]
    sentence["changes"] = [{"how": "dropped", "failing": 0, "reason": "y"}]
    assert list(table.empty(given)) == ["auth.v1 1: no case at all: x"]
    assert records.HOWS == ("dropped", "inverted", "widened", "altered")
