"""``python -m tests.sentences``: name a case for each sentence of the authorisation rules.

The sentences are those of `reference.auth`, which follows the specification's lists: a rule is a condition
and a consequence. Each rule of each list is changed in two ways. It is *dropped*, so that its condition never
holds; and it is applied *wider*, so that its condition always holds. A case must then have another outcome.

Two kinds of rules need another change:

- "Otherwise" always holds. If it decides, dropping it means that it decides the opposite.
- "Allow if and only if" always decides. Applied wider, it always allows.

The rule on the authorising user's signature is checked with cases of ``verify_signatures``.

The table is ``tests/data/sentences.json``. A change without a case must be explained in `SILENT`. The parts
of a sentence are not in the table: `mutation.auto` changes each operator and constant of the library.
"""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from nacl.exceptions import CryptoError  # noqa: E402 - the path comes first
from nacl.signing import VerifyKey  # noqa: E402
from reference import auth as reference  # noqa: E402
from reference import canonical, redaction  # noqa: E402

from roomver.readers.suite import load_cases  # noqa: E402
from roomver.suite.document import Case  # noqa: E402
from vectors.generate.auth_numbers import RULE_NUMBERS  # noqa: E402

TABLE = ROOT / "tests" / "data" / "sentences.json"

LISTS: Mapping[str, tuple[str, ...]] = {
    "1": ("1", "2"),
    "3": ("3", "4", "5"),
    "6": ("6",),
    "7": ("7",),
    "8": ("8", "9"),
    "10": ("10",),
    "11": ("11",),
    "12": ("12",),
}
"""The room versions of each list of rules. A list has the name of its first version."""

CHANGES = ("dropped", "wider")

SIGNATURE = "member.authoriser_signature"

_NO_VALUE = "Later rules compare the missing value with something, and refuse the event too."
SILENT: Mapping[tuple[str, str], tuple[tuple[str, ...], str]] = {
    ("aliases.no_state_key", "dropped"): (
        ("1", "3"),
        "The next rule refuses the event: the sender's domain is not equal to a missing state key.",
    ),
    ("member.invite.third_party.not_signed", "dropped"): (tuple(LISTS), _NO_VALUE),
    ("member.invite.third_party.incomplete", "dropped"): (tuple(LISTS), _NO_VALUE),
    ("member.invite.third_party.no_event", "dropped"): (tuple(LISTS), _NO_VALUE),
    ("power_levels.first", "dropped"): (
        ("12",),
        "Without power levels in the state only creators reach the rule, and no level is above theirs.",
    ),
}
"""The changes that no case can notice, with their lists and the reason.

A case still notices an implementation that decides the opposite, and the table names it.
"""


@dataclass(frozen=True)
class Judged:
    """A case of the operation ``auth``, read for the transcription.

    Attributes:
        reached: the numbers of the rules that it reaches.
    """

    name: str
    version: str
    given: reference.Given
    allowed: bool
    reached: set[str] = field(default_factory=set)


def judged_cases() -> list[Judged]:
    """Return the undisputed cases that the rules decide."""
    found = []
    for case in _auth_cases():
        outcome = case.expected[0].outcome
        given = _given(case)
        if case.disputed or "allowed" not in outcome or given is None:
            continue
        one = Judged(case.name, case.room_version, given, outcome["allowed"] is True)
        allowed = decide(reference.Rules(given).all_rules(), note=one.reached.add)
        assert allowed is one.allowed, f"the transcription decides {case.name} in another way"
        found.append(one)
    return found


@cache
def _auth_cases() -> list[Case]:
    return [case for case in load_cases([ROOT / "vectors" / "auth"]) if case.operation == "auth"]


def _given(case: Case) -> reference.Given | None:
    """Return what the rules look at; None if the case is about an event that is malformed or missing."""
    version = int(case.room_version)
    events: Any = case.input["events"]
    event_id: Any = case.input["event"]
    event = events[event_id]
    if not isinstance(event["content"], dict) or case.name.endswith("float_malformed"):
        return None
    cited = [one[0] if version <= 2 else one for one in event["auth_events"]]
    wanted = [*cited, *(["$" + event["room_id"][1:]] if version >= 12 and "room_id" in event else [])]
    if any(one not in events for one in wanted):
        return None
    known = [(one, events[one]) for one in wanted]
    ids: Any = case.input.get("state")
    pairs = known if ids is None else [(one, events[one]) for one in ids]
    state = {(pdu["type"], pdu["state_key"]): (one, pdu) for one, pdu in pairs if "state_key" in pdu}
    rejected: Any = case.input.get("rejected", [])
    return reference.Given(
        version,
        event_id,
        event,
        known[: len(cited)],
        state,
        known[-1] if known else None,
        frozenset(rejected),
    )


def decide(
    rules: Any, changed: str = "", how: str = "", *, note: Callable[[str], None] | None = None
) -> bool:
    """Decide by a list of rules, of which one may be changed.

    Args:
        rules: as `reference.Rules.all_rules` returns them.
        changed: the number of the changed rule.
        how: one of `CHANGES`, or ``opposite``.
        note: takes the number of each rule that is reached.

    Returns:
        Whether the event is allowed. It is not, if no rule decides.
    """
    return _decide(rules, "", changed, how, note) is True


def _decide(
    rules: Any, prefix: str, changed: str, how: str, note: Callable[[str], None] | None
) -> bool | None:
    for place, (condition, decision) in enumerate(rules, 1):
        number, consequence = f"{prefix}{place}", decision
        if note is not None:
            note(number)
        is_changed = number == changed
        if is_changed and how == "opposite" and isinstance(decision, str):
            consequence = reference.REJECT if decision == reference.ALLOW else reference.ALLOW
        elif is_changed and how == "dropped":
            continue
        is_wide = is_changed and how == "wider"
        if consequence == reference.ALLOW_IF_AND_ONLY_IF:
            outcome = is_wide or condition()
            if outcome is not None:
                return outcome is True
        elif is_wide or condition():
            if isinstance(consequence, str):
                return consequence == reference.ALLOW
            inner = _decide(consequence, f"{number}.", changed, how, note)
            if inner is not None:
                return inner
    return None


def rules_of(name: str) -> dict[str, str]:
    """Return the kind of each rule of a list, by its number.

    The kinds are ``otherwise`` for a decision without a condition, ``group`` for rules without a condition,
    and ``rule``.
    """
    event = {"type": "", "sender": "@a:x", "content": {}, "prev_events": [], "room_id": "!r:x"}
    given = reference.Given(int(LISTS[name][0]), "", event)

    def walk(rules: Any, prefix: str) -> Iterator[tuple[str, str]]:
        for place, (condition, consequence) in enumerate(rules, 1):
            number = f"{prefix}{place}"
            is_list = isinstance(consequence, list)
            unconditional = "group" if is_list else "otherwise"
            yield number, unconditional if condition is reference.otherwise else "rule"
            if is_list:
                yield from walk(consequence, f"{number}.")

    return dict(walk(reference.Rules(given).all_rules(), ""))


def whole_rules(cases: list[Judged]) -> dict[str, dict[str, dict[str, str]]]:
    """Return, for each list and each of its rules, a case that notices each change of the rule."""
    found: dict[str, dict[str, dict[str, str]]] = {}
    for name, versions in LISTS.items():
        names = {number: rule for rule, number in RULE_NUMBERS[versions[0]].items()}
        mine = [case for case in cases if case.version in versions]
        rows = found[name] = {}
        for number, kind in rules_of(name).items():
            rule = names.get(number, "")
            row = rows[number] = {"rule": rule} if rule else {}
            for how in changes_of(kind):
                if how == "dropped" and is_signature_rule(name, number):
                    row[how] = next(
                        case.name for case in signature_cases() if needs_authoriser(case, versions)
                    )
                    continue
                change = "opposite" if is_silent(name, rule, how) else how
                case = next((one for one in mine if notices_rule(one, number, change, kind)), None)
                if case is not None:
                    row[change] = case.name
    return found


def changes_of(kind: str) -> tuple[str, ...]:
    """Return the changes of a rule. What always holds cannot be applied more widely."""
    return CHANGES if kind == "rule" else CHANGES[:1]


def is_silent(name: str, rule: str, how: str) -> bool:
    """Tell whether `SILENT` explains that no case of a list notices a change."""
    return name in SILENT.get((rule, how), ((), ""))[0]


def notices_rule(case: Judged, number: str, how: str, kind: str) -> bool:
    """Tell whether a case has another outcome if a rule is changed."""
    if number not in case.reached:
        return False
    change = "opposite" if kind == "otherwise" else how
    try:
        return decide(reference.Rules(case.given).all_rules(), number, change) is not case.allowed
    except (KeyError, TypeError, AttributeError, AssertionError):
        return False  # the rules below the changed one are about other events


def is_signature_rule(name: str, number: str) -> bool:
    """Tell whether a rule is the one on the authorising user's signature, or the one around it."""
    whole = RULE_NUMBERS[LISTS[name][0]].get(SIGNATURE)
    return whole is not None and number in (whole, whole.rpartition(".")[0])


@cache
def signature_cases() -> list[Case]:
    """Return the cases on the authorising user's signature."""
    path = ROOT / "vectors" / "auth" / "authoriser_signature.json"
    return load_cases([path])


def needs_authoriser(case: Case, versions: tuple[str, ...]) -> bool:
    """Tell whether a case is refused only because the authorising user's server did not sign."""
    if case.room_version not in versions or case.expected[0].outcome != {"valid": False}:
        return False
    given: Any = case.input
    pdu = given["event"]
    servers = {reference.domain(pdu["sender"])}
    assert reference.domain(pdu["content"]["join_authorised_via_users_server"]) not in servers
    return all(_is_signed(pdu, case.room_version, server, given["keys"]) for server in servers)


def _is_signed(pdu: Any, version: str, server: str, keys: Any) -> bool:
    """Tell whether a server signed the redacted form of an event."""
    covered = redaction.redact(pdu, version)
    message = canonical.value({k: v for k, v in covered.items() if k not in ("signatures", "unsigned")})
    for key_id, text in pdu["signatures"].get(server, {}).items():
        raw = reference.decode_base64(keys[server][key_id]["key"])
        signature = reference.decode_base64(text)
        assert raw is not None
        try:
            VerifyKey(raw).verify(message.encode(), signature)
        except CryptoError:
            continue
        return True
    return False


def main() -> None:
    """Write the table."""
    cases = judged_cases()
    table = {
        "title": "For each sentence of the authorisation rules, a case that fails if it is changed",
        "rules": whole_rules(cases),
    }
    TABLE.write_text(json.dumps(table, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
