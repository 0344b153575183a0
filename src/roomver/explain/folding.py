"""Which rows of a drawn graph are folded into one. `roomver.explain.drawing` says what that is."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from ..types import EventId
from .marks import PLAIN, Mark

LONG: Final = 8
"""How many events a straight run has at least, to be folded."""


@dataclass(slots=True)
class Folding:
    """Finds the runs of rows that are folded.

    Attributes:
        marks, order, parents, children: of the rows.
        shown: an event that is not folded.
    """

    marks: dict[EventId, Mark]
    order: list[EventId]
    parents: list[list[int]]
    children: list[int]
    shown: EventId | None

    def runs(self, active: Sequence[int]) -> dict[int, tuple[int, ...]]:
        """Return the rows of each run, the newest first, by the first of them."""
        found: dict[int, tuple[int, ...]] = {}
        marks, order, parents, children = self.marks, self.order, self.parents, self.children
        straight, taken = self._find_straight(), bytearray(len(order))
        together: list[int] = []
        alike = None
        for number in active:
            group = None if children[number] else self._group(number)
            if group != alike:
                self._keep(found, together)
                together, alike = [], group
            if group is not None:
                together.append(number)
            elif straight[number] and not taken[number]:
                run, mark, following = [number], marks.get(order[number]), parents[number][0]
                # Mostly neither has a mark. To compare them costs more.
                while straight[following] and (
                    (other := marks.get(order[following])) is mark or (other or PLAIN) == (mark or PLAIN)
                ):
                    run.append(following)
                    taken[following] = True
                    following = parents[following][0]
                self._keep(found, run)
        self._keep(found, together)
        return found

    def _find_straight(self) -> list[bool]:
        """Return for each row whether one edge leads to it and one on, and only its judgement is marked."""
        marks, shown = self.marks, self.shown
        return [
            number == 1 and len(above) == 1 and (one not in marks or marks[one].judged_only) and one != shown
            for one, above, number in zip(self.order, self.parents, self.children, strict=True)
        ]

    @staticmethod
    def _keep(found: dict[int, tuple[int, ...]], run: list[int]) -> None:
        if len(run) >= LONG:
            found[run[0]] = tuple(run)

    def _group(self, number: int) -> tuple[Sequence[int], Mark] | None:
        """Return what a row to which no edge leads has in common with others; None if it is not folded so.

        It is what the row follows, one row or none, and its judgement. Nothing else may be remarkable, except
        a gap before a row that follows none.
        """
        above = self.parents[number]
        if len(above) > 1 or self.order[number] == self.shown:
            return None
        mark, judged = self.marks.get(self.order[number], PLAIN), self._judged(number)
        alike = mark == (judged if above else replace(judged, missing=mark.missing))
        return (above, judged) if alike else None

    def _judged(self, number: int) -> Mark:
        mark = self.marks.get(self.order[number], PLAIN)
        return Mark(mark.judged, mark.unsure)
