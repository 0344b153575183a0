"""What all rooms come to together: counts, and the few rooms that a person looks at first."""

from collections import Counter
from heapq import heappush, heappushpop
from itertools import count
from typing import Any, Final, cast

from ...types import JsonObject, JsonValue
from .worker import Answer

STATUS: Final = (
    "ok",
    "findings",
    "undecided",
    "unreadable",
    "crashed",
    "empty",
    "joining",
    "invited",
    "knocked",
    "not-in-room",
    "no-room",
)
"""What a room may come to, in the order in which they are told."""

NOT_JOINED: Final = ("joining", "invited", "knocked", "not-in-room")
"""Rooms that the server is not, or not yet, in. They are undecided for that, whatever anybody does, so they
are outside the exit code: otherwise it would be 3 for ever."""


class _Most:
    """The answers with the greatest values, at most some of them."""

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._heap: list[tuple[float, int, Answer]] = []
        self._numbers = count(0, -1)  # of equal ones, the first stays
        self.number: int = 0

    def add(self, value: float, answer: Answer) -> None:
        """Add an answer whose value is not zero."""
        if not value:
            return
        self.number += 1
        one = (value, next(self._numbers), answer)
        if self._most is None or len(self._heap) < self._most:
            heappush(self._heap, one)
        else:
            heappushpop(self._heap, one)

    @property
    def answers(self) -> list[Answer]:
        """The answers, the greatest first."""
        return [answer for *_, answer in sorted(self._heap, key=lambda one: one[:2], reverse=True)]


class Totals:
    """What the answers so far come to.

    Args:
        most: how many rooms each list has at most; None for all.
    """

    def __init__(self, most: int | None) -> None:
        self.rooms: int = 0
        self.events: int = 0
        self.status: Counter[str] = Counter()
        self.kinds: Counter[str] = Counter()
        self.rooms_by_kind: Counter[str] = Counter()
        self.resets: Counter[str] = Counter()
        self.disagreements: Counter[str] = Counter()
        self.unchecked: Counter[str] = Counter()
        self.codes: set[int] = set()
        self.lists: dict[str, _Most] = {
            name: _Most(most)
            for name in (
                "no_room",
                "unintended",
                "not_read",
                "findings",
                "undecided",
                "disagreements",
                "resets",
                "slowest",
                "not_joined",
            )
        }

    def add(self, answer: Answer) -> None:
        """Count one more room."""
        one = cast("dict[str, Any]", answer)
        self.status[one["status"]] += 1
        if one["status"] == "no-room":
            self.lists["no_room"].add(1, answer)
            return
        self.rooms += 1
        if one["status"] not in NOT_JOINED:
            self.codes.add(one["code"])
        self.kinds.update(one["kinds"])
        self.rooms_by_kind.update(dict.fromkeys(one["kinds"], 1))
        if one["resets"]:
            self.resets.update(
                rooms=1,
                resets=one["resets"],
                ok=one["status"] == "ok",
                unintended_rooms=int(one["resets_unintended"] > 0),
                unintended=one["resets_unintended"],
                unclassified=one["resets_unclassified"],
            )
        differ = one["disagreements"]
        if any(differ.values()):
            self.disagreements.update({"rooms": 1, **differ})
        if unknown := one["signatures"]["key_unknown"]:
            self.unchecked.update(rooms=1, events=unknown)
        unread = one["status"] in ("unreadable", "crashed")
        if not unread:
            self.events += one["events"] or 0
        self.lists["not_read"].add(unread, answer)
        self.lists["unintended"].add(one["resets_unintended"], answer)
        # A room whose only findings are resets is in the list of these.
        other = one["bad"] or differ["state"] or one["contradictions"] or not one["resets_unintended"]
        self.lists["findings"].add(one["status"] == "findings" and other and max(1, one["bad"]), answer)
        self.lists["undecided"].add(one["status"] == "undecided" and max(1, one["undecided"]), answer)
        self.lists["disagreements"].add(sum(differ.values()), answer)
        self.lists["resets"].add(0 if one["resets_unintended"] else one["resets"], answer)
        self.lists["not_joined"].add(one["status"] in NOT_JOINED and (one["events"] or 1), answer)
        self.lists["slowest"].add(one["seconds"] or 0, answer)

    @property
    def code(self) -> int:
        """The exit code: that of the worst room that the server is in, in the order of `roomver check`.

        2 if there is no room, and 3 if the server is in none of them.
        """
        if not self.rooms and self.status["no-room"]:
            return 2
        if self.rooms and not self.codes:
            return 3
        return next(code for code in (2, 1, 3, 0) if code in self.codes or not code)

    def data(self) -> JsonObject:
        """Return all as a JSON object."""
        kinds: JsonObject = {
            kind: {"events": number, "rooms": self.rooms_by_kind[kind]}
            for kind, number in sorted(self.kinds.items())
        }
        lists: JsonObject = {name: cast(JsonValue, most.answers) for name, most in self.lists.items()}
        return {
            "rooms": self.rooms,
            "events": self.events,
            "code": self.code,
            "status": {name: self.status[name] for name in STATUS},
            "kinds": kinds,
            "signatures_unchecked": {name: self.unchecked[name] for name in ("rooms", "events")},
            "resets": {
                name: self.resets[name]
                for name in ("rooms", "resets", "unintended_rooms", "unintended", "unclassified")
            },
            "disagreements": {
                name: self.disagreements[name] for name in ("rooms", "events", "state", "extremities")
            },
            "lists": lists,
        }
