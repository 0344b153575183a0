"""For each sentence of the specification, the cases that fail if an implementation does not carry it out.

The suite ships the table as ``sentences.json``. It is made by changing a literal transcription of the
specification sentence by sentence, and running the suite against each change.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..canonical import shorten
from .inputs import BadVectors

SENTENCES_FILE = "sentences.json"
"""The name of the table in the suite."""


@dataclass(frozen=True, slots=True)
class SentenceChange:
    """A way not to carry out a sentence.

    Attributes:
        how: ``dropped``, ``inverted``, ``widened`` or ``altered``.
        detail: what is changed, if there are several changes of this kind.
        failing: the number of cases that fail.
        cases: a few of them, those that say the most first.
        disputed: whether all of these cases are disputed, so that this is another honest reading.
        reason: why no case can fail; empty if one does.
    """

    how: str
    detail: str
    failing: int
    cases: tuple[str, ...]
    disputed: bool
    reason: str

    @property
    def lacking(self) -> bool:
        """Whether a case should fail and none does."""
        return not self.failing and not self.reason


@dataclass(frozen=True, slots=True)
class SentenceRow:
    """A sentence of the specification.

    Attributes:
        identifier: the number of the rule, or a name within the text.
        what: what it says, in a few words.
        room_versions: the room versions that it is about.
        place: where the transcription carries it out.
        changes: the ways not to carry it out.
        idle: why it has none: it asks nothing of an implementation that receives events.
    """

    identifier: str
    what: str
    room_versions: tuple[str, ...]
    place: str
    changes: tuple[SentenceChange, ...]
    idle: str

    @property
    def lacking(self) -> bool:
        """Whether the sentence, or a change of it, has no case and no reason for that."""
        if self.idle:
            return False
        return not any(change.failing for change in self.changes) or any(c.lacking for c in self.changes)


@dataclass(frozen=True, slots=True)
class SentenceText:
    """A section of the specification.

    Attributes:
        identifier: its name in the table.
        title: what it is.
        spec: its address.
        sentences: its sentences, in order.
    """

    identifier: str
    title: str
    spec: str
    sentences: tuple[SentenceRow, ...]


def read_sentences(document: Any) -> list[SentenceText]:
    """Read the table.

    Raises:
        BadVectors: if it does not have the form of ``schemas/sentences.schema.json``.
    """
    try:
        return [
            SentenceText(
                text["id"], text["title"], text["spec"], tuple(_row(row) for row in text["sentences"])
            )
            for text in document["texts"]
        ]
    except (KeyError, TypeError) as error:
        raise BadVectors(SENTENCES_FILE, f"is not a table of sentences: {shorten(str(error))}") from None


def _row(row: Mapping[str, Any]) -> SentenceRow:
    changes = (
        SentenceChange(
            change["how"],
            change.get("detail", ""),
            change["failing"],
            tuple(change.get("cases", ())),
            change.get("disputed", False),
            change.get("reason", ""),
        )
        for change in row.get("changes", ())
    )
    return SentenceRow(
        row["id"],
        row["what"],
        tuple(row["room_versions"]),
        row.get("place", ""),
        tuple(changes),
        row.get("idle", ""),
    )


def list_lacking(texts: list[SentenceText]) -> Iterator[tuple[SentenceText, SentenceRow]]:
    """Yield the sentences that lack a case."""
    for text in texts:
        for row in text.sentences:
            if row.lacking:
                yield text, row
