"""``roomver vectors coverage --sentences``: the cases that fail if a sentence is not carried out."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any, Final

import click

from ...errors import counted
from ...readers import InputError
from ...readers.suite import read_suite_files
from ...suite.document import Case
from ...suite.sentences import (
    SENTENCES_FILE,
    SentenceChange,
    SentenceRow,
    SentenceText,
    list_lacking,
    read_sentences,
)
from .selection import read_cases

_WIDTH: Final = 80
_INDENT: Final = "    "


def print_sentences(paths: Sequence[Path], room_versions: Sequence[str], *, as_json: bool) -> bool:
    """Print the table of sentences.

    Args:
        paths: a folder that has the table, or none for the suite that ships with roomver.
        room_versions: print only the sentences of these versions; empty for all.
        as_json: print the document instead.

    Returns:
        Whether every sentence has its cases, and these cases exist.

    Raises:
        InputError: if the table cannot be read.
    """
    document = _document(paths)
    texts = read_sentences(document)
    lacking = list(list_lacking(texts))
    gone = _gone(texts, read_cases(paths))
    if as_json:
        click.echo(json.dumps({"complete": not (lacking or gone), **document}, indent=1, ensure_ascii=False))
        return not (lacking or gone)
    for text in texts:
        rows = [row for row in text.sentences if not room_versions or {*room_versions} & {*row.room_versions}]
        if rows:
            click.echo("\n".join([text.title, text.spec, *_lines(rows), ""]))
    for text, row in lacking:
        click.echo(f"{text.identifier} {row.identifier}: a case is missing")
    for name in gone:
        click.echo(f"{name}: there is no such case")
    click.echo("\n".join(_summary(texts, len(lacking))))
    return not (lacking or gone)


def _document(paths: Sequence[Path]) -> dict[str, Any]:
    if len(paths) > 1 or any(not path.is_dir() for path in paths):
        raise click.UsageError("--sentences takes one folder of a suite at most")
    where = str(paths[0] / SENTENCES_FILE) if paths else SENTENCES_FILE
    if paths:
        content: bytes | None = (paths[0] / SENTENCES_FILE).read_bytes()
    else:
        content = next((read for name, read in read_suite_files() if name == SENTENCES_FILE), None)
    if content is None:
        raise InputError(where, "is not in the suite")
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError(where, f"is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise InputError(where, "is not an object")
    return document


def _gone(texts: Sequence[SentenceText], cases: Sequence[Case]) -> list[str]:
    """Return the cases that the table names and the suite does not have."""
    names = {case.name for case in cases}
    named = (
        name for text in texts for row in text.sentences for change in row.changes for name in change.cases
    )
    return [name for name in dict.fromkeys(named) if name not in names]


def _lines(rows: Sequence[SentenceRow]) -> Iterator[str]:
    for row in rows:
        head = f"  {row.identifier}  {row.what}"
        yield fill(head, _WIDTH, subsequent_indent=_INDENT)
        if row.idle:
            yield fill(f"no case: {row.idle}", _WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT)
        for change in row.changes:
            yield from _change(change)


def _change(change: SentenceChange) -> Iterator[str]:
    label = f"{change.how}: {change.detail}" if change.detail else change.how
    yield fill(label, _WIDTH, initial_indent=_INDENT, subsequent_indent=f"{_INDENT}  ")
    if change.cases:
        more = change.failing - 1
        others = f" and {more:,} more" if more else ""
        disputed = " (disputed)" if change.disputed else ""
        name = change.cases[0]
        indent = f"{_INDENT}  "
        line = f"{indent}{name}{others}{disputed}"
        if len(line) <= _WIDTH:
            yield line
        else:
            yield from (f"{indent}{name}", f"{indent} {others}{disputed}")
    else:
        reason = f"no case: {change.reason}" if change.reason else "NO CASE"
        yield fill(reason, _WIDTH, initial_indent=f"{_INDENT}  ", subsequent_indent=f"{_INDENT}  ")


def _summary(texts: Sequence[SentenceText], lacking: int) -> Iterator[str]:
    rows = [row for text in texts for row in text.sentences]
    idle = sum(bool(row.idle) for row in rows)
    changes = [change for row in rows for change in row.changes]
    caught = sum(bool(change.failing) for change in changes)
    disputed = sum(change.disputed for change in changes)
    listed = counted(len(rows), "sentence", "sentences")
    yield f"{listed} in {len(texts)} texts, {idle} of which ask for nothing"
    yield (
        f"{counted(len(changes), 'change', 'changes')} of the others: {caught} fail a case,"
        f" {disputed} of which only disputed ones"
    )
    yield f"{counted(lacking, 'sentence', 'sentences')} without a case"
