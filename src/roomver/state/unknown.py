"""`Unknown`: which entries of a room state are unknown, and why; also as JSON, for a store."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from ..canonical import join_path, shorten
from ..errors import Lack, NotCanonical, counted, listed
from ..types import EventId, JsonObject, JsonValue, StateKey

_LACKS: Final = {lack.value: lack for lack in Lack}
_KEYS: Final = ("keys", "absent")


@dataclass(frozen=True, slots=True)
class Unknown:
    """Which entries of a room state are unknown, and why.

    A key that has an entry in the state is known. Any other key is unknown if its type is one of `types`, or
    if it is one of `keys`.

    The identity of the object matters. If two states share it, then every key that neither of them has is
    unknown in the same way: both have the same event for it, or neither has one. So make one `Unknown` for
    each state that you receive, and derive later states with `PartialState.changed`.

    Attributes:
        reason: why they are unknown, in a few words, such as ``members omitted``.
        types: the event types whose keys are unknown; None stands for all types.
        keys: single keys that are unknown.
        event_id: the event that the reason speaks of, in a replay: the undecided event, the event that the
            state is given for, or the event before which states could not be merged.
        lack: what would tell them.
        absent: keys of these types that are known to have no entry.
    """

    reason: str
    types: frozenset[str] | None = frozenset()
    keys: frozenset[StateKey] = frozenset()
    event_id: EventId | None = field(default=None, compare=False)
    lack: Lack = Lack.STATE
    absent: frozenset[StateKey] = frozenset()

    @classmethod
    def everything(cls, reason: str, event_id: EventId | None = None, lack: Lack = Lack.STATE) -> "Unknown":
        """Say that every key without an entry is unknown."""
        return cls(reason, None, event_id=event_id, lack=lack)

    @classmethod
    def members(cls, reason: str = "members omitted", *, absent: Iterable[StateKey] = ()) -> "Unknown":
        """Say that every user without a member event may have one, except at the keys in `absent`."""
        return cls(reason, frozenset({"m.room.member"}), absent=frozenset(absent))

    def covers(self, key: StateKey) -> bool:
        """Tell whether a key without an entry is unknown."""
        if key in self.absent:
            return False
        return self.types is None or key[0] in self.types or key in self.keys

    def may_hold(self, kind: str | None, state_key: str | None) -> bool:
        """Tell whether an entry of a type, or with a state key, may be unknown. None stands for any."""
        if self.types is None or (kind is None and self.types) or kind in self.types:
            return True
        return any(kind in (None, k) and state_key in (None, s) for k, s in self.keys)

    def narrowed(self, others: Iterable["Unknown"]) -> "Unknown":
        """Return what is unknown by this and by one of the others too."""
        types: set[str] = set()
        keys: set[StateKey] = set()
        every = False
        for other in others:
            if self.types is None or other.types is None:
                either = other.types if self.types is None else self.types
                every = every or either is None
                types.update(either or ())
            else:
                types.update(self.types & other.types)
            keys.update(key for key in self.keys if other.covers(key))
            keys.update(key for key in other.keys if self.covers(key))
        return replace(self, types=None if every else frozenset(types), keys=frozenset(keys))

    def renewed(self) -> "Unknown":
        """Return an equal object with an identity of its own."""
        return replace(self)

    def to_dict(self) -> JsonObject:
        """Return the values as JSON values, from which `from_dict` makes an equal object.

        ``types`` is None if all types are unknown. ``absent`` is left out if it is empty, and ``lack`` if it
        is `Lack.STATE`.
        """
        found: JsonObject = {
            "reason": self.reason,
            "types": None if self.types is None else [*sorted(self.types)],
            "keys": [[*key] for key in sorted(self.keys)],
        }
        if self.absent:
            found["absent"] = [[*key] for key in sorted(self.absent)]
        if self.lack is not Lack.STATE:
            found["lack"] = self.lack.value
        return found

    @classmethod
    def from_dict(cls, value: JsonValue, *, path: str = "") -> "Unknown":
        """Return what `to_dict` wrote, as a new object with an identity of its own.

        Args:
            value: the JSON value. Any value has an answer.
            path: where the value is, for the error.

        Raises:
            NotCanonical: naming the place, if something is not as `to_dict` writes it. Nothing is left out
                silently, because that would make it known.

        >>> Unknown.from_dict(Unknown.members().to_dict()) == Unknown.members()
        True
        """
        if type(value) is not dict:
            raise NotCanonical(path, f"expected an object, found {shorten(value)}")
        reason, types, lack = value.get("reason"), value.get("types", []), value.get("lack", Lack.STATE.value)
        if type(reason) is not str:
            raise NotCanonical(join_path(path, "reason"), f"expected a string, found {shorten(reason)}")
        if type(lack) is not str or lack not in _LACKS:
            raise NotCanonical(
                join_path(path, "lack"), f"expected {listed([*_LACKS])}, found {shorten(lack)}"
            )
        kinds = None if types is None else frozenset(_types(types, join_path(path, "types")))
        keys, absent = (frozenset(_keys(value.get(name, []), join_path(path, name))) for name in _KEYS)
        return cls(reason, kinds, keys, lack=_LACKS[lack], absent=absent)

    def __str__(self) -> str:
        if self.types is None:
            return f"all other entries ({self.reason})"
        names = [f"{kind} entries" for kind in sorted(self.types)]
        names += [f"{kind} {state_key!r}" for kind, state_key in sorted(self.keys)[:10]]
        if len(self.keys) > 10:
            names.append(counted(len(self.keys) - 10, "more entry", "more entries"))
        return f"{', '.join(names)} ({self.reason})"


def _types(value: JsonValue, path: str) -> Iterator[str]:
    for index, one in enumerate(_array(value, path, "event types")):
        if type(one) is not str:
            raise NotCanonical(join_path(path, index), f"expected an event type, found {shorten(one)}")
        yield one


def _keys(value: JsonValue, path: str) -> Iterator[StateKey]:
    for index, pair in enumerate(_array(value, path, "pairs")):
        kind, state_key = pair if type(pair) is list and len(pair) == 2 else (None, None)
        if type(kind) is not str or type(state_key) is not str:
            reason = f"expected a pair of an event type and a state key, found {shorten(pair)}"
            raise NotCanonical(join_path(path, index), reason)
        yield kind, state_key


def _array(value: JsonValue, path: str, of: str) -> list[JsonValue]:
    if type(value) is not list:
        raise NotCanonical(path, f"expected an array of {of}, found {shorten(value)}")
    return value
