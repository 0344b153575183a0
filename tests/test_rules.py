"""The table of rules, compared with the specification's lists in ``data/auth_rules.txt``."""

import ast
import copy
import pickle
import re
from pathlib import Path
from typing import NamedTuple

import pytest
from builder import ALICE, BOB, VERSIONS, Room

from roomver import Verdict, get_room_version, rules
from roomver.rules import RULE_LISTS, RULES, Decision, Rule, list_rules
from roomver.versions import V1, V11, V12

_HERE = Path(__file__).parent
_AUTH = Path(rules.__file__).parent / "auth"

# Rules that no check in auth/ decides by, with the reason.
_NOT_IN_AUTH = {
    # Signatures are verified before the rules are checked. The check of signatures cites this rule.
    "member.authoriser_signature",
}

_OF_MSC3757 = {"state_key.of_no_user", "state_key.suffix", "state_key.owner", "state_key.length"}

_DECISIONS = {"allow": Decision.ALLOW, "reject": Decision.REJECT, "iff": Decision.EITHER}


class Leaf(NamedTuple):
    """One deciding rule of a list."""

    number: str
    decision: Decision
    name: str


def read_structure(text: str) -> dict[str, list[Leaf]]:
    """Return the deciding rules of each list, numbered by counting."""
    lists: dict[str, list[Leaf]] = {}
    leaves: list[Leaf] = []
    counts: list[int] = []
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        if line.startswith("list "):
            leaves = lists[line.removeprefix("list ")] = []
            counts = []
            continue
        depth, odd = divmod(len(line) - len(line.lstrip(" ")), 2)
        assert not odd, line
        assert depth <= len(counts), f"deeper than its parent by more than one step: {line}"
        counts = [*counts[: depth + 1], 0] if depth == len(counts) else counts[: depth + 1]
        counts[depth] += 1
        leaf = re.fullmatch(r" *(allow|reject|iff): [^\[]+  \[([a-z_.]+)\]", line)
        if leaf is not None:
            number = ".".join(map(str, counts))
            leaves.append(Leaf(number, _DECISIONS[leaf[1]], leaf[2]))
        else:
            assert re.fullmatch(r" *[^\[\]:]+", line), line
    return lists


STRUCTURE = read_structure((_HERE / "data" / "auth_rules.txt").read_text(encoding="utf-8"))


def test_the_structure_has_a_list_for_each_version_that_changed_it() -> None:
    assert list(STRUCTURE) == list(RULE_LISTS)
    assert {get_room_version(v).rule_list for v in VERSIONS} == set(RULE_LISTS)
    assert [len(leaves) for leaves in STRUCTURE.values()] == [59, 56, 53, 57, 61, 63, 62, 64]


def _number(leaf: Leaf) -> str:
    return leaf.number


@pytest.mark.parametrize("rule_list", RULE_LISTS)
def test_the_rules_of_a_list_have_its_numbers_decisions_and_names(rule_list: str) -> None:
    version = get_room_version(rule_list)
    ours = [Leaf(str(rule.number(version)), rule.decision, rule.name) for rule in list_rules(version)]
    expected = STRUCTURE[rule_list]
    assert sorted(ours, key=_number) == sorted(expected, key=_number)
    assert len({leaf.number for leaf in ours}) == len(ours)


@pytest.mark.parametrize("rule_list", RULE_LISTS)
def test_rules_of_a_version_are_in_the_order_of_their_numbers(rule_list: str) -> None:
    assert [rule.name for rule in list_rules(get_room_version(rule_list))] == [
        leaf.name for leaf in STRUCTURE[rule_list]
    ]


def test_versions_that_share_a_list_share_its_rules() -> None:
    for identifier in VERSIONS:
        version = get_room_version(identifier)
        assert list_rules(version) == list_rules(get_room_version(version.rule_list))


def test_every_rule_is_in_some_list() -> None:
    named = {leaf.name for leaves in STRUCTURE.values() for leaf in leaves}
    assert set(RULES) - named == {name for name, rule in RULES.items() if rule.url} == _OF_MSC3757
    assert all(rule.numbers for rule in RULES.values())


@pytest.mark.parametrize(
    ("version", "name", "number"),
    [
        # As the rendered page numbers them. Its source has 3.5 for the first and a second 10.10.
        ("12", "auth_events.other_room", "3.4"),
        ("12", "power_levels.allowed", "10.11"),
        # Numbers that the pages mention.
        ("12", "power_levels.creator_listed", "10.4"),
        ("12", "auth_events.not_selected", "3.2"),
        ("6", "power_levels.events_current", "9.4.1"),
        ("6", "power_levels.events_new", "9.5.1"),
        ("2", "redaction.level", "11.1"),
    ],
)
def test_numbers_that_are_known_from_elsewhere(version: str, name: str, number: str) -> None:
    assert RULES[name].number(get_room_version(version)) == number


def test_every_rule_is_used_by_a_check() -> None:
    constants = {name: value.name for name, value in vars(rules).items() if isinstance(value, Rule)}
    assert sorted(constants.values()) == sorted(RULES)
    used = set()
    for path in _AUTH.glob("*.py"):
        imported = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == "rules":
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.Name) and node.id in constants:
                assert node.id in imported, f"{path.name} uses {node.id} without importing it"
                used.add(constants[node.id])
    assert set(RULES) - used == _NOT_IN_AUTH


def test_a_rule_has_a_name_and_two_sentences() -> None:
    for rule in RULES.values():
        assert re.fullmatch(r"[a-z_]+(\.[a-z_]+)*", rule.name)
        assert rule.acceptance != rule.refusal
        for sentence in (rule.acceptance, rule.refusal):
            # It follows a citation and may be followed by what was compared.
            assert re.fullmatch(r"[a-z][^\n.]*[^\n. ]", sentence), rule
        assert str(rule) == rule.name
        assert repr(rule) == f"<Rule {rule.name}>"


def test_a_rule_survives_copying_and_pickling_as_the_same_object() -> None:
    rule = rules.JOIN_PUBLIC
    assert pickle.loads(pickle.dumps(rule)) is rule
    assert copy.deepcopy(rule) is rule
    assert copy.copy(rule) is rule


def test_a_rule_has_no_number_in_a_version_without_it() -> None:
    assert rules.REDACTION_LEVEL.number(V1) == "11.1"
    assert rules.REDACTION_LEVEL.number(V12) is None


def test_a_verdict_has_no_truth_value() -> None:
    for allowed in (True, False):
        verdict = Verdict(allowed, rules.OTHERWISE, V11, {})
        assert verdict.allowed is allowed
        for asked in (bool, lambda verdict: verdict or None, lambda verdict: all([verdict])):
            with pytest.raises(TypeError, match=r"a Verdict has no truth value: use \.allowed"):
                asked(verdict)


def test_the_rules_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        RULES["otherwise"] = rules.CREATE_ALLOWED  # type: ignore[index]


def test_a_verdict_cites_its_rule_and_what_was_compared() -> None:
    verdict = Verdict(False, rules.JOIN_SENDER_IS_TARGET, V12, {"sender": "@a:x", "target": "@b:x"})
    assert str(verdict) == (
        "v12 rule 5.3.2 (member.join.sender_is_target): the sender tries to make another user join"
        " (sender @a:x, target @b:x)"
    )
    assert verdict.number == "5.3.2"
    assert verdict.url == "https://spec.matrix.org/latest/rooms/v12/#authorisation-rules"
    assert verdict.to_dict() == {
        "allowed": False,
        "rule": "5.3.2",
        "name": "member.join.sender_is_target",
        "reason": "the sender tries to make another user join",
        "room_version": "12",
        "detail": {"sender": "@a:x", "target": "@b:x"},
        "url": "https://spec.matrix.org/latest/rooms/v12/#authorisation-rules",
    }


def test_a_verdict_without_details_says_what_decided() -> None:
    assert (
        str(Verdict(True, rules.OTHERWISE, V11, {})) == "v11 rule 10 (otherwise): no rule rejects the event"
    )


def test_a_creators_level_is_the_text_infinite() -> None:
    room = Room("12", content={"room_version": "12", "additional_creators": [BOB]})
    room.join(ALICE)
    verdict = room.against_state(room.make_member(BOB, "leave", by=ALICE))
    detail = verdict.to_dict()["detail"]
    assert isinstance(detail, dict)
    assert detail["sender_level"] == detail["target_level"] == "infinite"
    assert "sender level infinite" in str(verdict)


def test_a_detail_of_another_type_becomes_text() -> None:
    verdict = Verdict(False, rules.OTHERWISE, V11, {"n": 5, "t": True, "none": None, "list": ["a"], "f": 0.5})
    assert verdict.to_dict()["detail"] == {"n": 5, "t": True, "none": None, "list": "['a']", "f": "0.5"}
