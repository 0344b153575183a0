"""Columns of numbers: values that are kept once, and the numbers that stand for them.

A page about 100,000 events repeats the same types, senders, rules and levels. Each value gets a number in the
order in which it comes up, so the same room gives the same numbers.
"""

from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeVar

V = TypeVar("V", bound=Hashable)
R = TypeVar("R")


class Table(Generic[V]):
    """Values by number.

    >>> table = Table[str]()
    >>> table("a"), table("b"), table("a"), table.values
    (0, 1, 0, ['a', 'b'])
    """

    __slots__ = ("_numbers", "values")

    def __init__(self, values: Iterable[V] = ()) -> None:
        self.values: list[V] = list(dict.fromkeys(values))
        self._numbers = {value: number for number, value in enumerate(self.values)}

    def __call__(self, value: V) -> int:
        """Return the number of a value. A new one gets the next number."""
        number = self._numbers.get(value)
        if number is None:
            number = self._numbers[value] = len(self.values)
            self.values.append(value)
        return number

    def find(self, value: V) -> int | None:
        """Return the number of a value; None if it has none."""
        return self._numbers.get(value)

    def __len__(self) -> int:
        return len(self.values)

    def rows(self, make: Callable[[V], R]) -> list[R]:
        """Return what is made of each value, by number."""
        return [make(value) for value in self.values]
