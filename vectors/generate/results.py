"""Write the pages on the answers of other implementations.

``python -m vectors.generate.results RESULTS.json...`` reads the results that `roomver vectors run --json`
printed. It writes the answers of each implementation to the disputed cases, and how many implementations
agree on the other cases, to ``results/answers.json``, and then writes the pages:

- ``disputed/README.md``: each disputed question of ``results/questions.json``, with those answers;
- ``results/judgements.md``: why implementations fail cases, from ``results/judgements.json``.

Without arguments it writes only the pages. Questions and judgements are written by hand.
"""

import json
import sys
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from .bugs import thread_name

NONE = "none of these"
NOT_OFFERED = "does not offer this"

_BRIEF = 40  # characters of an outcome that the page on disputed questions shows

_KINDS = {
    "departs": "*Departs*: the specification decides, and the implementation answers otherwise.",
    "reading": "*Reading*: the specification can be read this way as well as our way.",
    "elsewhere": "*Elsewhere*: a server checks it, but not in the function that the adapter calls.",
}


def answers(results: Sequence[Mapping[str, Any]], disputed: Sequence[str]) -> dict[str, Any]:
    """Return which of the accepted outcomes each implementation gives to each case.

    Returns:
        ``{"date", "implementations": [...], "undisputed": as `agreement` returns it, "answers": {name:
        [index, "other" or None, ...]}}``: "other" is an outcome that the case does not accept; None means
        that the operation is not offered.
    """
    by_name = [{case["name"]: case for case in one["cases"]} for one in results]
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "implementations": [one["implementation"] for one in results],
        "undisputed": agreement(by_name, frozenset(disputed)),
        "answers": {name: [_answer(cases.get(name)) for cases in by_name] for name in disputed},
    }


def agreement(by_name: Sequence[Mapping[str, Mapping[str, Any]]], disputed: frozenset[str]) -> dict[str, Any]:
    """Return how many implementations agree with the suite on the cases that are not disputed.

    Args:
        by_name: for each implementation its results, by the name of the case.
        disputed: the names of the disputed cases.

    Returns:
        ``{"offered": {number of implementations: number of cases that so many offer to answer},
        "confirmed": {number of implementations: number of cases that so many pass},
        "unconfirmed": [the cases that at least two offer, and fewer than two pass]}``
    """
    offered: dict[str, int] = {}
    confirmed: dict[str, int] = {}
    unconfirmed = []
    for name in dict.fromkeys(name for cases in by_name for name in cases if name not in disputed):
        outcomes = [cases[name]["outcome"] for cases in by_name if name in cases]
        passed = outcomes.count("passed")
        offering = passed + outcomes.count("failed")
        offered[str(offering)] = offered.get(str(offering), 0) + 1
        confirmed[str(passed)] = confirmed.get(str(passed), 0) + 1
        if passed < 2 <= offering:
            unconfirmed.append(name)
    return {
        "offered": dict(sorted(offered.items())),
        "confirmed": dict(sorted(confirmed.items())),
        "unconfirmed": unconfirmed,
    }


def _answer(case: Mapping[str, Any] | None) -> int | str | None:
    if case is None or case["outcome"] == "unsupported":
        return None
    if case["outcome"] == "failed":
        return "other"
    accepted: int = case["accepted"]
    return accepted


def questions_page(
    questions: Mapping[str, Any], seen: Mapping[str, Any], cases: Mapping[str, Mapping[str, Any]]
) -> str:
    """Return the page on disputed questions as Markdown.

    Args:
        questions: as in ``results/questions.json``.
        seen: as `answers` returns it.
        cases: the disputed cases of the suite, by name.
    """
    lines = [
        "# Where honest readings differ",
        "",
        f"These are the answers of {', '.join(seen['implementations'])} and roomver on {seen['date']}.",
        "Each question lists its cases, the outcomes that they accept with the implementations that gave",
        "them, and the threads that we found. A number in brackets counts cases. `*` in the name of a case",
        "matches any text. This page is generated from [questions.json](../results/questions.json) and",
        "[answers.json](../results/answers.json).",
    ]
    for question in questions["questions"]:
        lines += ["", f"## {question['question']}", "", question["specification"], ""]
        names = [name for name in cases if matches(question["cases"], name)]
        lines += [f"{_count(len(names))}: {', '.join(f'`{pattern}`' for pattern in question['cases'])}.", ""]
        if question["roomver"]:
            lines += [f"roomver {question['roomver']}.", ""]
        for reason, givers in _outcomes(names, seen, cases).items():
            lines.append(f"- {reason}: {'; '.join(givers)}")
        threads = question["threads"]
        if threads:
            lines += ["", f"Threads: {', '.join(f'[{thread_name(one)}]({one})' for one in threads)}"]
    return "\n".join(lines) + "\n"


def _outcomes(
    names: Sequence[str], seen: Mapping[str, Any], cases: Mapping[str, Mapping[str, Any]]
) -> dict[str, list[str]]:
    """Return the implementations that gave each outcome, by its reason, with the number of cases."""
    found: dict[str, dict[str, int]] = {}
    values: dict[str, set[str]] = {}
    for name in names:
        reasons = [one["reason"] for one in cases[name]["expected"]]
        for one in cases[name]["expected"]:
            found.setdefault(one["reason"], {})
            values.setdefault(one["reason"], set()).add(_brief(one["outcome"]))
        for who, answer in zip(seen["implementations"], seen["answers"][name], strict=True):
            reason = NOT_OFFERED if answer is None else NONE if answer == "other" else reasons[answer]
            by = found.setdefault(reason, {})
            by[who] = by.get(who, 0) + 1
        # The first outcome is this project's.
        found[reasons[0]]["roomver"] = found[reasons[0]].get("roomver", 0) + 1
    whole = len(names)
    told = {}
    for reason in sorted(found, key=lambda one: (one in (NONE, NOT_OFFERED), one == NOT_OFFERED)):
        givers = [who if count == whole else f"{who} ({count})" for who, count in found[reason].items()]
        told[f"{reason}{_common(values.get(reason, ()))}"] = givers or ["none of them"]
    return told


def _brief(outcome: Mapping[str, Any]) -> str:
    """Return an outcome of one short value as text; empty if it is longer."""
    if "error" in outcome:
        return "an error"
    text = ", ".join(f"{key}: {json.dumps(value)}" for key, value in outcome.items())
    return f"`{text}`" if len(text) <= _BRIEF else ""


def _common(values: Collection[str]) -> str:
    """Return the outcome that all cases of a reason have, in brackets; empty if they differ."""
    (one,) = values if len(values) == 1 else ("",)
    return f" ({one})" if one else ""


def judgements_page(judgements: Mapping[str, Any]) -> str:
    """Return the page on failed cases as Markdown.

    Args:
        judgements: as in ``results/judgements.json``.
    """
    lines = [
        "# What we make of the failures",
        "",
        "This page has every failed case of [report.md](report.md), grouped by the reason for the failure.",
        "Quoted words are from the specification. `*` in the name of a case matches any text.",
        "",
        *(f"- {text}" for text in _KINDS.values()),
    ]
    for one in judgements["implementations"]:
        lines += ["", f"## {one['name']}", "", "| Cases | Judgement | What it does | The specification |"]
        lines.append("| --- | --- | --- | --- |")
        for entry in one["judgements"]:
            cases = ", ".join(f"`{pattern}`" for pattern in entry["cases"])
            lines.append(f"| {cases} | {entry['kind']} | {entry['does']} | {entry['specification']} |")
    return "\n".join(lines) + "\n"


def matches(patterns: Sequence[str], name: str) -> bool:
    """Return whether a pattern matches the name of a case."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _count(number: int) -> str:
    return f"{number} case{'' if number == 1 else 's'}"


def disputed_cases(folder: Path) -> dict[str, Any]:
    """Return the disputed cases of a folder of vectors, by name."""
    files = sorted((folder / "disputed").glob("*.json"))
    return {case["name"]: case for file in files for case in _read(file)["cases"]}


def write(folder: Path) -> None:
    """Write the pages of a folder of vectors."""
    questions, seen = (_read(folder / "results" / name) for name in ("questions.json", "answers.json"))
    page = questions_page(questions, seen, disputed_cases(folder))
    (folder / "disputed" / "README.md").write_text(page, encoding="utf-8")
    page = judgements_page(_read(folder / "results" / "judgements.json"))
    (folder / "results" / "judgements.md").write_text(page, encoding="utf-8")


def _read(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))


def main(paths: Sequence[str]) -> None:
    """Write the answers from the given files of results, if any, and the pages."""
    folder = Path(__file__).parents[1]
    if paths:
        kept = answers([_read(Path(path)) for path in paths], list(disputed_cases(folder)))
        cases = ",\n".join(
            f"  {json.dumps(name)}: {json.dumps(one)}" for name, one in kept["answers"].items()
        )
        head = json.dumps({key: kept[key] for key in ("date", "implementations", "undisputed")}, indent=1)[
            :-2
        ]
        (folder / "results" / "answers.json").write_text(
            f'{head},\n "answers": {{\n{cases}\n }}\n}}\n', "utf-8"
        )
    write(folder)


if __name__ == "__main__":
    main(sys.argv[1:])
