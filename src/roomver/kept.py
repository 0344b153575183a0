"""Places and checks by event ID, for millions of events.

Most events of a file differ from their neighbours only in a number, and most checks only in the event ID. So
what they have in common is kept once, and the values are made anew when they are asked for.
"""

from collections.abc import Iterator, MutableMapping
from typing import Any, Final, Generic, TypeVar

from .canonical import join_path
from .entry import Place
from .findings import EventCheck
from .types import EventId

__all__ = ["KeptChecks", "KeptPlaces"]

_SERIES: Final = 1024  # at most: the paths come from the input, which may have any number of them
_SHARED: Final = 8192  # likewise


V = TypeVar("V")
H = TypeVar("H")


class _Kept(MutableMapping[EventId, V], Generic[V, H]):
    """A mapping whose values are made of what is held for them."""

    __slots__ = ("_held", "_unread")

    _unread: list[Any]

    def __init__(self) -> None:
        self._held: dict[EventId, H] = {}

    def __getattr__(self, name: str) -> Any:
        # Python calls this while a slot is empty, as after unpickling. Few commands read this slot.
        if name != "_held":
            raise AttributeError(name)
        self._held = dict(zip(*self._unread, strict=True))
        del self._unread
        return self._held

    def __getstate__(self) -> tuple[list[EventId], list[H], dict[str, Any]]:
        return [*self._held], [*self._held.values()], {name: getattr(self, name) for name in self.__slots__}

    def __setstate__(self, state: tuple[list[EventId], list[H], dict[str, Any]]) -> None:
        *self._unread, more = state
        for name, value in more.items():
            setattr(self, name, value)

    def __delitem__(self, event_id: EventId) -> None:
        del self._held[event_id]

    def __contains__(self, event_id: object) -> bool:
        return event_id in self._held

    def __iter__(self) -> Iterator[EventId]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)


class KeptPlaces(_Kept[Place, int | Place]):
    """A mapping from event ID to a place in the input, in the order in which they were added."""

    __slots__ = ("_numbers", "_series")

    def __init__(self) -> None:
        super().__init__()
        # The places of one array, or the lines of one file, are a series. A place is kept as its number in
        # the series, times `_SERIES`, plus the number of the series; or else as it is.
        self._series: list[tuple[str | None, str | None]] = []
        self._numbers: dict[tuple[str | None, str | None], int] = {}

    def __setitem__(self, event_id: EventId, place: Place) -> None:
        self._held[event_id] = self._packed(place)

    def _packed(self, place: Place) -> int | Place:
        line, path, file = place
        array: str | None = None
        index = line
        if path:
            array, _, rest = path.rpartition("[")
            digits = rest.removesuffix("]")
            if line is not None or not digits.isdecimal() or join_path(array, int(digits)) != path:
                return place
            index = int(digits)
        if index is None:
            return place
        series = (file, array)
        number = self._numbers.get(series)
        if number is None:
            number = len(self._series)
            if number == _SERIES:
                return place
            self._numbers[series] = number
            self._series.append(series)
        return index * _SERIES + number

    def __getitem__(self, event_id: EventId) -> Place:
        held = self._held[event_id]
        if isinstance(held, Place):
            return held
        index, number = divmod(held, _SERIES)
        file, array = self._series[number]
        return Place(index, "", file) if array is None else Place(None, join_path(array, index), file)


class KeptChecks(_Kept[EventCheck, EventCheck]):
    """A mapping from event ID to the check of the event by itself, in the order in which they were added.

    The checks do not hold the events.
    """

    __slots__ = ("_last", "_shared")

    def __init__(self) -> None:
        super().__init__()
        # The checks are held without their event IDs.
        self._shared: dict[EventCheck, EventCheck] = {}
        self._last = EventCheck(None, None, ())

    def __setitem__(self, event_id: EventId, check: EventCheck) -> None:
        if check[2:] == self._last[2:]:  # nearly always: only the event and its ID differ
            self._held[event_id] = self._last
            return
        bare = check._replace(event_id=None, event=None)
        if not bare.findings and not bare.notes:
            if len(self._shared) < _SHARED:
                bare = self._shared.setdefault(bare, bare)
            else:
                bare = self._shared.get(bare, bare)
        self._last = bare
        self._held[event_id] = bare

    def __getitem__(self, event_id: EventId) -> EventCheck:
        return self._held[event_id]._replace(event_id=event_id)
