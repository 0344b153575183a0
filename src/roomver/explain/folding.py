"""The runs of rows in a drawn graph that are folded into one row each, for `roomver.explain.drawing`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from ..types import EventId
from .marks import PLAIN, Mark

LONG: Final = 8
"""How many events a run must have to be folded."""


@dataclass(slots=True)
class Folding:
    """Finds the runs of rows that are folded.

    Attributes:
        marks: the events with marks, each to its mark.
        order: the event of each row.
        parents: for each row, the numbers of the rows below it that it follows.
        children: for each row, how many rows follow it.
        shown: an event that is not folded; None if there is none.
    """

    marks: dict[EventId, Mark]
    order: list[EventId]
    parents: list[list[int]]
    children: list[int]
    shown: EventId | None

    def runs(self, active: Sequence[int]) -> dict[int, tuple[int, ...]]:
        """Return runs: the number of the first row to the numbers of all rows, newest first."""
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
                # Usually neither has a mark, and comparing marks takes longer than `is`.
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
        """Return for each row whether one row is above and one below it, and only its judgement is marked."""
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
        """Return what a row that no row follows shares with the rest of its run; None if it is not folded.

        This is the row that it follows, if any, and its judgement. It must have no other mark. A row that
        follows no row may also have a gap before it.
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
