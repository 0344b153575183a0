"""Write documents on what other implementations answer, and on how this project judges it.

``python -m vectors.generate.results RESULTS.json...`` reads results that ``roomver vectors run --json``
wrote. It stores each implementation's answers to the disputed cases in ``results/answers.json``, and writes
these documents:

- ``disputed/README.md``: the disputed questions of ``results/questions.json``, with those answers;
- ``results/judgements.md``: the ways in which implementations fail cases, from
  ``results/judgements.json``.

Questions and judgements are written by hand.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from .bugs import thread_name

NONE = "none of these"
NOT_OFFERED = "does not offer this"

_KINDS = {
    "departs": "*Departs*: the specification decides, and the implementation answers otherwise.",
    "reading": "*Reading*: it can be held as well as ours.",
    "elsewhere": "*Elsewhere*: its servers look at it, but not in the function that is asked.",
}


def answers(results: Sequence[Mapping[str, Any]], disputed: Sequence[str]) -> dict[str, Any]:
    """Return which of the accepted outcomes each implementation gives, by case.

    Returns:
        ``{"date", "implementations": [...], "answers": {name: [index, "other" or null, ...]}}``. "other" is
        an outcome that the case does not accept. null means that the operation is not offered.
    """
    known = [{case["name"]: case for case in one["cases"]} for one in results]
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "implementations": [one["implementation"] for one in results],
        "answers": {name: [_answer(cases.get(name)) for cases in known] for name in disputed},
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
    """Return the document on disputed questions, as Markdown.

    Args:
        questions: as in ``results/questions.json``.
        seen: as `answers` returns it.
        cases: the disputed cases of the suite, by name.
    """
    lines = [
        "# Where honest readings differ",
        "",
        f"What {', '.join(seen['implementations'])} and roomver answered on {seen['date']}. Each question has"
        " its cases, the outcomes that",
        "they accept with who gave them, and the threads in which it is discussed, where we found any. `*`"
        " in a name of a case stands for",
        "anything. This page is written from [questions.json](../results/questions.json) and"
        " [answers.json](../results/answers.json).",
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
    """Return who gave each outcome, by its reason, with the number of cases if it is not all of them."""
    found: dict[str, dict[str, int]] = {}
    for name in names:
        reasons = [one["reason"] for one in cases[name]["expected"]]
        for reason in reasons:
            found.setdefault(reason, {})
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
        told[reason] = givers or ["nobody of these"]
    return told


def judgements_page(judgements: Mapping[str, Any]) -> str:
    """Return the document on failed cases, as Markdown.

    Args:
        judgements: as in ``results/judgements.json``.
    """
    lines = [
        "# What we make of the failures",
        "",
        "Every failed case of [report.md](report.md) is here, by what makes it fail. Words between quotation"
        " marks are the specification's.",
        "`*` in a name of a case stands for anything.",
        "",
        *(f"- {text}" for text in _KINDS.values()),
    ]
    for one in judgements["implementations"]:
        lines += ["", f"## {one['name']}", "", "| Cases | | What it does | The specification |"]
        lines.append("| --- | --- | --- | --- |")
        for entry in one["judgements"]:
            cases = ", ".join(f"`{pattern}`" for pattern in entry["cases"])
            lines.append(f"| {cases} | {entry['kind']} | {entry['does']} | {entry['specification']} |")
    return "\n".join(lines) + "\n"


def matches(patterns: Sequence[str], name: str) -> bool:
    """Tell whether one of the patterns matches the name of a case."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _count(number: int) -> str:
    return f"{number} case{'' if number == 1 else 's'}"


def disputed_cases(folder: Path) -> dict[str, Any]:
    """Return the disputed cases of a folder of vectors, by name."""
    files = sorted((folder / "disputed").glob("*.json"))
    return {case["name"]: case for file in files for case in _read(file)["cases"]}


def write(folder: Path) -> None:
    """Write the documents of a folder of vectors."""
    questions, seen = (_read(folder / "results" / name) for name in ("questions.json", "answers.json"))
    page = questions_page(questions, seen, disputed_cases(folder))
    (folder / "disputed" / "README.md").write_text(page, encoding="utf-8")
    page = judgements_page(_read(folder / "results" / "judgements.json"))
    (folder / "results" / "judgements.md").write_text(page, encoding="utf-8")


def _read(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))


def main(paths: Sequence[str]) -> None:
    """Store the answers of some results, and write the documents."""
    folder = Path(__file__).parents[1]
    if paths:
        kept = answers([_read(Path(path)) for path in paths], list(disputed_cases(folder)))
        cases = ",\n".join(
            f"  {json.dumps(name)}: {json.dumps(one)}" for name, one in kept["answers"].items()
        )
        head = json.dumps({key: kept[key] for key in ("date", "implementations")}, indent=1)[:-2]
        (folder / "results" / "answers.json").write_text(
            f'{head},\n "answers": {{\n{cases}\n }}\n}}\n', "utf-8"
        )
    write(folder)


if __name__ == "__main__":
    main(sys.argv[1:])
