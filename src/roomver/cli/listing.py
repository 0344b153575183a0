"""The list of events with findings in the report of ``roomver check``: its first entries, and which to fold.

If a key is probably wrong, it makes findings of many events that say the same. They are told as one.
"""

from collections import Counter
from collections.abc import Collection, Iterator
from typing import NamedTuple, TypeAlias

from ..errors import counted
from ..findings import EventCheck, FindingKind
from ..types import KeyId, ServerName

MOST_EVENTS = 100  # events with findings that are listed per file
MOST_UNDECIDED = 10  # undecided events among them: one missing event can leave a whole room undecided

Keys: TypeAlias = frozenset[tuple[ServerName, KeyId]]
"""The keys that make an event's only findings: its signatures do not verify with them."""


def failed_keys(check: EventCheck) -> Keys | None:
    """Return the keys that make the only findings of an event; None if it has others."""
    failed = frozenset((server, key_id) for server, key_id, verifies in check.keys_tried if not verifies)
    if not failed or any(one.kind is not FindingKind.SIGNATURE for one in check.findings):
        return None
    return failed


class _Listed(NamedTuple):
    text: str
    failed: Keys | None
    undecided: bool


class Listing:
    """The events of one file with findings or notes, in the order in which they are added."""

    def __init__(self) -> None:
        self._kept: list[_Listed] = []
        self._failed: Counter[Keys] = Counter()
        self._undecided = self._others = 0

    def wants(self, failed: Keys | None, *, undecided: bool) -> bool:
        """Count one event, and tell whether it may be listed.

        Args:
            failed: see `failed_keys`.
            undecided: whether its only findings are that something is missing.
        """
        if failed is not None:
            self._failed[failed] += 1
            return self._failed[failed] <= MOST_EVENTS
        if undecided:
            self._undecided += 1
            return self._undecided <= MOST_UNDECIDED
        self._others += 1
        return self._others <= MOST_EVENTS

    def add(self, text: str, failed: Keys | None, *, undecided: bool) -> None:
        """Keep the text of an event that may be listed. Arguments are those of `wants`."""
        self._kept.append(_Listed(text, failed, undecided))

    def more_undecided(self, *, in_doubt: bool) -> int:
        """Return how many undecided events are not listed.

        Args:
            in_doubt: whether a key is probably wrong: none of them is listed then.
        """
        return self._undecided if in_doubt else max(0, self._undecided - MOST_UNDECIDED)

    def texts(self, doubted: Collection[tuple[ServerName, KeyId]]) -> Iterator[str]:
        """Yield what is listed.

        Args:
            doubted: the keys that are probably wrong.
        """
        told: set[Keys] = set()
        left = MOST_EVENTS
        for text, failed, undecided in self._kept:
            if failed is not None and failed.issubset(doubted):
                if failed not in told:
                    told.add(failed)
                    yield text
                    if more := self._failed[failed] - 1:
                        events = counted(more, "more event", "more events")
                        yield f"\n{events} with the same finding, by the same key: --all lists them\n"
            elif left and not (undecided and doubted):
                left -= 1
                yield text
        whole = sum(n for failed, n in self._failed.items() if failed not in told) + self._others
        whole += 0 if doubted else min(self._undecided, MOST_UNDECIDED)
        if more := whole - (MOST_EVENTS - left):
            events = counted(more, "more event", "more events")
            yield f"\n{events} with findings or notes: --all lists them\n"
