"""Run the suite against every change of the reference, and make ``vectors/sentences.json`` of the results."""

import json
import multiprocessing
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from . import (
    TABLE,
    formats,
    formats_beside,
    notes,
    notes_levels,
    redactions,
    resolutions,
    resolutions_checks,
    resolutions_orders,
    resolutions_sets,
    rules,
    rules_levels,
    rules_members,
)
from .answers import prepared_cases
from .mutated import Noticed, cases_for, reached, run_changed
from .records import ALTERED, Change, Sentence
from .spec import TEXTS, read_inventory

_PARTS = (
    rules,
    rules_members,
    rules_levels,
    notes,
    notes_levels,
    redactions,
    formats,
    formats_beside,
    resolutions,
    resolutions_sets,
    resolutions_orders,
    resolutions_checks,
)

SHOWN = 3
"""How many of the cases that fail are named. The others are counted."""


@cache
def sentences() -> tuple[Sentence, ...]:
    """Return the declared sentences."""
    return tuple(sentence for part in _PARTS for sentence in part.sentences())


@cache
def by_place() -> Mapping[tuple[str, str], Sentence]:
    """Return the declared sentences by text and identifier."""
    found: dict[tuple[str, str], Sentence] = {}
    for sentence in sentences():
        for text, identifier in sentence.at.items():
            if (text, identifier) in found:
                raise ValueError(f"{text} {identifier} is declared twice: {sentence.what}")
            found[text, identifier] = sentence
    return found


def changes_of(texts: tuple[str, ...] = ("",)) -> list[Change]:
    """Return every change of some texts once, in order.

    Args:
        texts: how their names begin; by default all.
    """
    return list(
        {
            change.key: change
            for sentence in sentences()
            if any(text.startswith(texts) for text in sentence.at)
            for change in sentence.changes
        }.values()
    )


@cache
def _versions() -> Mapping[tuple[str, str, str, str], frozenset[str]]:
    """Return the room versions of the sentences that have each change, by its key."""
    found: dict[tuple[str, str, str, str], set[str]] = {}
    listed = read_inventory()
    for sentence in sentences():
        mine = {*sentence.about}.union(*(listed[text][one] for text, one in sentence.at.items()))
        for change in sentence.changes:
            found.setdefault(change.key, set()).update(mine)
    return {key: frozenset(versions) for key, versions in found.items()}


def _noticed(change: Change) -> Noticed:
    return run_changed(change, cases_for(change, _versions()[change.key]))


Results = Mapping[tuple[str, str, str, str], Noticed]


def run(wanted: Iterable[Change], workers: int = 1) -> dict[tuple[str, str, str, str], Noticed]:
    """Return what each change does to the suite, by the key of the change."""
    listed = list(wanted)
    reached(), _versions()  # before the processes start
    if workers == 1:
        return {change.key: _noticed(change) for change in listed}
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        return dict(zip((one.key for one in listed), pool.map(_noticed, listed, chunksize=4), strict=True))


class Rows:
    """The rows of the table.

    Args:
        noticed: as `run` returns it.
    """

    def __init__(self, noticed: Results) -> None:
        self.noticed = noticed
        self.cases = {case.name: case for case in prepared_cases()}
        often: Counter[str] = Counter()
        for one in noticed.values():
            often.update(one.failing)
        # A case that few changes fail says the most about one of them.
        self.rank = {
            name: (self.cases[name].disputed, count, place)
            for place, (name, count) in enumerate((name, often[name]) for name in self.cases if often[name])
        }

    def change(self, change: Change, versions: Sequence[str], reason: str) -> dict[str, Any]:
        """Return what the table says of a change in some room versions."""
        names = [name for name in self.noticed[change.key].failing if self.cases[name].version in versions]
        row: dict[str, Any] = {"how": change.how}
        if change.detail:
            row["detail"] = change.detail
        row["failing"] = len(names)
        if names:
            row["cases"] = sorted(names, key=self.rank.__getitem__)[:SHOWN]
            if all(self.cases[name].disputed for name in names):
                row["disputed"] = True
        elif reason:
            row["reason"] = reason
        return row

    def sentence(self, text: str, identifier: str, versions: Sequence[str]) -> dict[str, Any]:
        """Return the row of a sentence."""
        sentence = by_place()[text, identifier]
        versions = sentence.about or versions
        row: dict[str, Any] = {"id": identifier, "what": sentence.what, "room_versions": list(versions)}
        if sentence.idle:
            row["idle"] = sentence.idle
            return row
        row["place"] = place_of(sentence)
        rows = [
            (change, self.change(change, versions, sentence.reason(change, text)))
            for change in sentence.changes_in(text)
        ]
        # A small change that was made by rule and only breaks the code is not a change of the sentence.
        row["changes"] = [
            made
            for change, made in rows
            if made["failing"] or change.how != ALTERED or not self.noticed[change.key].broken
        ]
        return row


def place_of(sentence: Sentence) -> str:
    """Return where the reference carries out a sentence."""
    first = sentence.changes[0]
    return f"{first.module} {first.scope}"


def table(noticed: Results, texts: tuple[str, ...] = ("",)) -> dict[str, Any]:
    """Return the content of the file, or only some texts of it."""
    rows = Rows(noticed)
    return {
        "title": "For each sentence of the specification, the cases that fail if it is not carried out",
        "texts": [
            {
                "id": name,
                "title": TEXTS[name].title,
                "spec": TEXTS[name].url,
                "sentences": [
                    rows.sentence(name, identifier, versions) for identifier, versions in listed.items()
                ],
            }
            for name, listed in read_inventory().items()
            if name.startswith(texts)
        ],
    }


def as_text(content: Mapping[str, Any]) -> str:
    """Return the text of the file: a line for each change."""
    lines = ["{", f' "title": {_line(content["title"])},', ' "texts": [']
    for at, text in enumerate(content["texts"]):
        lines.append("  {")
        lines += [f'   "{key}": {_line(text[key])},' for key in ("id", "title", "spec")]
        lines.append('   "sentences": [')
        lines.append(",\n".join(_sentence(row) for row in text["sentences"]))
        lines += ["   ]", "  }," if at + 1 < len(content["texts"]) else "  }"]
    return "\n".join([*lines, " ]", "}"]) + "\n"


def _sentence(row: Mapping[str, Any]) -> str:
    head = ", ".join(f"{_line(key)}: {_line(row[key])}" for key in row if key != "changes")
    if "changes" not in row:
        return f"    {{{head}}}"
    below = ",\n".join(f"     {_line(change)}" for change in row["changes"])
    return f'    {{{head}, "changes": [\n{below}\n    ]}}'


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def empty(content: Mapping[str, Any]) -> Iterator[str]:
    """Yield what lacks a case and has no reason for that: sentences, and single changes."""
    for text in content["texts"]:
        for row in text["sentences"]:
            if "idle" in row:
                continue
            where = f"{text['id']} {row['id']}"
            if not any(change["failing"] for change in row["changes"]):
                yield f"{where}: no case at all: {row['what']}"
            for change in row["changes"]:
                if not change["failing"] and "reason" not in change:
                    yield f"{where}: {change['how']} {change.get('detail', '')}: no case"


def outdated(content: Mapping[str, Any]) -> Iterator[str]:
    """Yield the explanations of a declaration that explain nothing: cases notice the changes."""
    for text in content["texts"]:
        for row in text["sentences"]:
            sentence = by_place()[text["id"], row["id"]]
            used = {change["reason"] for change in row.get("changes", ()) if "reason" in change}
            for label, reason in sentence.silent.items():
                if text["id"] in sentence.silent_in.get(label, (text["id"],)) and reason not in used:
                    yield f"{text['id']} {row['id']}: {label}: explained, but a case notices it"


def write(workers: int) -> dict[str, Any]:
    """Compute and write the file, and return its content."""
    content = table(run(changes_of(), workers))
    TABLE.write_text(as_text(content), encoding="utf-8")
    return content
