"""How the output for a failed case differs from what the case expects, as lines of text.

Nothing is compared here that `roomver.suite.document` does not compare. Events have the numbers that
``roomver vectors show`` gives them.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from ...canonical import join_path
from ...errors import counted
from ...suite.document import STEPS, CaseResult, fits, same
from ...types import EventId, JsonObject, JsonValue
from ..fitted import cut_to
from .numbering import event_words, numbers_of, order_events

_MOST: Final = 20  # lines for one outcome
_WHOLE: Final = 60  # characters of a text that is shown whole
_AROUND: Final = 20  # characters before the place where two texts part
_AFTER: Final = 40  # characters after it
_CONTENT: Final = 40  # characters of the content of an event
_ID: Final = 10  # characters of the ID of an event
_TEXTS: Final = frozenset({"canonical"})  # keys whose values are texts to compare character by character
_BY_EVENT: Final = frozenset({"rejected", "outcomes"})  # keys whose values are objects by event ID


def difference_lines(result: CaseResult, *, ids: bool = True) -> Iterator[str]:
    """Yield how the output of a failed case differs from each outcome that the case accepts.

    Yields nothing if there is no output, or if the output meets the outcome and the case failed for another
    reason.

    Args:
        result: the failed case.
        ids: name the beginning of the ID of each event. Without it, the lines of cases whose events differ
            in their IDs alone are the same.
    """
    if result.got is None:
        return
    names = _Names(result.case.input.get("events"), ids=ids)
    several = result.case.disputed
    for number, one in enumerate(result.case.expected, 1):
        if several:
            yield f"from outcome {number} of {len(result.case.expected)}, {one.reason}:"
        lines = names.outcome(result.got, one.outcome)
        indent = "  " if several else ""
        yield from (f"{indent}{line}" for line in islice(lines, _MOST))
        if more := sum(1 for _ in lines):
            yield f"{indent}and {counted(more, 'more difference', 'more differences')}"


def signed(line: str) -> bool:
    """Tell whether a line names an entry that is missing or not expected, with ``-`` or ``+``."""
    return line.lstrip().startswith(("- ", "+ "))


def named_event(events: JsonValue, event_id: JsonValue) -> str | None:
    """Return the number, type, sender and content of an event; None if it is not one of the events."""
    names = _Names(events)
    return names.entry(event_id) if type(event_id) is str and event_id in names.numbers else None


class _Names:
    """Names the events of a case."""

    def __init__(self, events: JsonValue, *, ids: bool = True) -> None:
        self.events: JsonObject = events if type(events) is dict else {}
        order = order_events(self.events)[0]
        self.numbers: Mapping[EventId, str] = numbers_of(order)
        self.ranks = {event_id: rank for rank, event_id in enumerate(order)}
        self.ids = ids

    def entry(self, value: JsonValue) -> str:
        """Return an entry of an array in one line: an event in words, anything else as JSON."""
        if type(value) is str and value in self.numbers:
            pdu = self.events[value]
            content = pdu.get("content") if type(pdu) is dict else None
            words = f" {cut_to(_key(content), _CONTENT)}" if content else ""
            named = f" ({cut_to(value, _ID)})" if self.ids else ""
            return f"{self.numbers[value]} {event_words(pdu)}{words}{named}"
        return _json(value)

    def _rank(self, value: JsonValue) -> int:
        return self.ranks.get(value, len(self.ranks)) if type(value) is str else len(self.ranks)

    def _number(self, value: JsonValue) -> str:
        return self.numbers.get(value, _json(value)) if type(value) is str else _json(value)

    def outcome(self, got: JsonObject, expected: JsonObject) -> Iterator[str]:
        """Yield how an output differs from an outcome."""
        if "error" in expected or "error" in got:
            if ("error" in got) is not ("error" in expected) or expected["error"] not in (True, got["error"]):
                yield f"expected {_kind_or_json(expected)}, got {_kind_or_json(got)}"
            return
        for key, value in expected.items():
            if key not in got:
                if key not in STEPS:
                    bare = type(value) is dict and bool(got.keys() & value.keys())
                    hint = f"; the output must be wrapped in {key}" if bare else ""
                    yield f"{key}: missing, expected {self._value(value)}{hint}"
            elif not fits(key, got[key], value):
                yield from self._field(key, got[key], value, rules=key == "rejected")

    def _field(self, path: str, got: JsonValue, expected: JsonValue, *, rules: bool = False) -> Iterator[str]:
        """Yield how two different values differ. With `rules`, an expected true stands for any rule."""
        if type(got) is dict and type(expected) is dict:
            yield from self._object(path, got, expected, rules=rules)
        elif type(got) is list and type(expected) is list:
            yield from self._array(path, got, expected)
        elif (
            type(got) is str
            and type(expected) is str
            and (path in _TEXTS or max(len(got), len(expected)) > _WHOLE)
        ):
            yield from _texts(path, got, expected)
        else:
            yield f"{path}: expected {self._value(expected)}, got {self._value(got)}"

    def _object(self, path: str, got: JsonObject, expected: JsonObject, *, rules: bool) -> Iterator[str]:
        for key in sorted(got.keys() | expected.keys()):
            is_event = path in _BY_EVENT and key in self.numbers
            name = f"{path} of {self.entry(key)}" if is_event else join_path(path, key)
            if key not in got:
                any_rule = rules and expected[key] is True
                yield f"{name}: missing, expected {'any rule' if any_rule else self._value(expected[key])}"
            elif key not in expected:
                yield f"{name}: not expected, got {self._value(got[key])}"
            elif not same(got[key], expected[key]) and not (rules and expected[key] is True):
                yield from self._field(name, got[key], expected[key])

    def _array(self, path: str, got: Sequence[JsonValue], expected: Sequence[JsonValue]) -> Iterator[str]:
        # As text, because an entry may be an object, which cannot be counted.
        have, want = (Counter(map(_key, entries)) for entries in (got, expected))
        missing, wrong = want - have, have - want
        if not missing and not wrong:
            if list(expected) == sorted(expected, key=str):
                yield f"{path}: the entries are right, but not in the expected order, which is sorted"
                return
            yield f"{path}: the entries are right, in another order"
            yield f"  expected {' '.join(map(self._number, expected))}"
            yield f"  got      {' '.join(map(self._number, got))}"
            return
        counts = (
            (missing.total(), "entry is missing", "entries are missing"),
            (wrong.total(), "entry is wrong", "entries are wrong"),
        )
        yield f"{path}: {', '.join(counted(number, one, more) for number, one, more in counts if number)}"
        for sign, entries, left in (("-", expected, missing), ("+", got, wrong)):
            for entry in sorted(entries, key=self._rank):
                if left[_key(entry)] > 0:
                    left[_key(entry)] -= 1
                    yield f"  {sign} {self.entry(entry)}"

    def _value(self, value: JsonValue) -> str:
        return self._number(value) if type(value) is str else _json(value)


def _texts(path: str, got: str, expected: str) -> Iterator[str]:
    pairs = enumerate(zip(got, expected, strict=False))
    at = next((n for n, (one, other) in pairs if one != other), min(len(got), len(expected)))
    if at == len(got):
        left = len(expected) - at
        yield f"{path}: {counted(left, 'character is', 'characters are')} missing at the end"
    elif at == len(expected):
        more = len(got) - at
        yield f"{path}: {counted(more, 'character', 'characters')} too many at the end"
    else:
        yield f"{path}: the texts differ from character {at + 1:,} on"
    for word, text in (("expected", expected), ("got     ", got)):
        start, end = max(0, at - _AROUND), at + _AFTER
        yield f"  {word} {'…' if start else ''}{text[start:end]}{'…' if end < len(text) else ''}"


def _kind(outcome: JsonObject) -> str:
    error = outcome.get("error")
    if error is None:
        return "an output"
    return "an error" if error is True else f"the error {error}"


def _kind_or_json(got: JsonObject) -> str:
    if "error" not in got:
        return _json(got)
    message = got.get("message")
    return _kind(got) + (f": {message}" if type(message) is str else "")


def _key(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _json(value: Any) -> str:
    text = _key(value)
    return text if len(text) <= 4 * _WHOLE else f"{text[: 4 * _WHOLE]}… ({len(text):,} characters)"
