"""``roomver rules``: the authorisation rules, with their numbers."""

import json
from typing import Any

import click
from rich import box
from rich.table import Table

from ..rules import RULES, Decision, Rule, list_rules
from ..versions import ROOM_VERSIONS, RoomVersion
from .common import example
from .tables import print_table
from .version_options import room_version_option


@click.command(short_help="Print the authorisation rules.", epilog=example("roomver rules --room-version 12"))
@room_version_option("Only the rules of this room version, by their numbers there.", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def rules(version: RoomVersion | None, as_json: bool) -> None:
    """Print the authorisation rules: number, name, what each decides, and when.

    Without --room-version, every rule is printed once, with its number in each list of rules. The twelve
    stable room versions share eight lists. A rule without a number is only in unstable versions.

    Exit code: 0 printed, 2 usage error.
    """
    chosen = list(RULES.values()) if version is None else list_rules(version)
    if as_json:
        click.echo(json.dumps([_plain(rule, version) for rule in chosen], indent=2, ensure_ascii=False))
        return
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    lists = _lists() if version is None else {"number": version}
    for title in lists:
        table.add_column(title, no_wrap=True)
    for title in ("rule", "decides", "when"):
        table.add_column(title, no_wrap=title == "rule")
    for rule in chosen:
        numbers = [rule.number(of) or "-" for of in lists.values()]
        table.add_row(*numbers, rule.name, rule.decision.value, _when(rule))
    print_table(table, heading=len(lists))


def _lists() -> dict[str, RoomVersion]:
    """Map a title such as ``v3-5``, which names the room versions that share a list, to the first of them."""
    shared: dict[str, list[str]] = {}
    for name, version in ROOM_VERSIONS.items():
        shared.setdefault(version.rule_list, []).append(name)
    return {
        f"v{'-'.join(dict.fromkeys((names[0], names[-1])))}": ROOM_VERSIONS[of]
        for of, names in shared.items()
    }


def _when(rule: Rule) -> str:
    """Say when the rule decides."""
    match rule.decision:
        case Decision.ALLOW:
            return rule.acceptance
        case Decision.REJECT:
            return rule.refusal
        case Decision.EITHER:
            return f"allow if and only if {rule.acceptance}"


def _plain(rule: Rule, version: RoomVersion | None) -> dict[str, Any]:
    plain: dict[str, Any] = {"name": rule.name, "decision": rule.decision.value}
    plain |= {"acceptance": rule.acceptance, "refusal": rule.refusal}
    if version is not None:
        return {"number": rule.number(version), **plain}
    numbers = {name: rule.number(known) for name, known in ROOM_VERSIONS.items()}
    return {**plain, "numbers": {name: number for name, number in numbers.items() if number is not None}}
