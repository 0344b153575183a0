"""How another implementation resolves the merges of a room: the same as roomver, or otherwise."""

from dataclasses import dataclass
from typing import Final

from ...errors import RoomverError
from ...explain.cutting import Cut
from ...explain.shrinking import replayed
from ...suite.capture import capture_resolution
from ...suite.document import Case
from ...types import EventId
from .implementation import Implementation, NoAnswer

_MOST: Final = 64  # merges of one room that are asked about


@dataclass(frozen=True, slots=True)
class ImplementationDiffers:
    """Another implementation resolves a merge of the room otherwise than roomver, or fails to.

    Attributes:
        implementation: the program.
    """

    implementation: Implementation
    needs: frozenset[EventId] = frozenset()

    def holds(self, cut: Cut) -> bool:
        """Tell whether there is such a merge. The newest ones are tried first."""
        room = replayed(cut, soft_failure=False)
        for merge in room.merges[: -_MOST - 1 : -1]:
            try:
                captured = capture_resolution(room, merge.event_id)
            except RoomverError:
                continue  # roomver does not know the result either
            case = Case("merge", captured.operation, captured.version.identifier, captured.to_input(), ())
            try:
                output = self.implementation.ask(case)
            except NoAnswer:
                return True
            if not output.get("unsupported") and output.get("state") != captured.expected["state"]:
                return True
        return False
