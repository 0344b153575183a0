"""What each source of a room adds to it, and where the sources contradict each other, as plain data.

`roomver.merging` finds it. `roomver.cli` puts it into words.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple, TypeAlias

from .entry import GivenIds
from .event import Event
from .keys import NO_KEYS, KeyRing
from .known_states import Beliefs, FindStates
from .types import EventId, KeyId, ServerName, StateKey, StateMap

__all__ = [
    "Contribution",
    "Difference",
    "DifferenceKind",
    "DifferingEntry",
    "Matter",
    "Origin",
    "Saying",
]

MAX_ENTRIES: Final = 100
"""How many differing entries of one state are kept."""


class Matter(Enum):
    """What a source may tell of a room beside its events. The values are stable."""

    ORDER = "order of arrival"
    REJECTED = "rejected events"
    SOFT_FAILED = "soft-failed events"
    CURRENT_STATE = "current state"
    EXTREMITIES = "forward extremities"
    STATES = "states at gaps"
    KEYS = "keys"


StatesAt: TypeAlias = Callable[
    [Collection[EventId], Mapping[EventId, Event]], Mapping[EventId, StateMap[EventId]]
]


@dataclass(frozen=True, slots=True)
class Origin:
    """One of the sources that a room is read from, and what it knows beside its events.

    Attributes:
        name: what messages call it.
        what: what it is, such as ``a recording``.
        keys: the verify keys that it gives.
        beliefs: what its server decided; None if it does not say.
        find_states: called with the usable events of all sources, for what its server knows beside them.
        states_at: called with events before which another source gives a state, and with the usable events of
            all sources, for the states that its server had there.
        state_ids: the current states that it gives as event IDs.
        in_order: whether its events are in the order in which its server received them.
        has_room: whether it has the room.
    """

    name: str
    what: str
    keys: KeyRing = NO_KEYS
    beliefs: Beliefs | None = None
    find_states: FindStates | None = None
    states_at: StatesAt | None = None
    state_ids: Sequence[GivenIds] = ()
    in_order: bool = False
    has_room: bool = True


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one source adds to the sources before it.

    Attributes:
        name, what, has_room: as in `Origin`.
        events: how many usable events it has.
        added: how many of these no earlier source has.
        repeated: how many of these an earlier source has.
        dropped: how many of its entries a server must drop.
        keys: how many keys it has, by server, key ID and key.
        keys_added: how many of these no earlier source has.
        states: how many states before events it gives.
        states_added: how many of these are before events for which no earlier source gives one.
        current: whether it gives the current state.
        rejected, soft_failed: how many events its server rejected and soft-failed; None if it does not say.
        cannot_tell: what it does not tell.
        other_rooms: how many of its entries are of other rooms. They are left out, and not counted above.
    """

    name: str
    what: str
    has_room: bool
    events: int
    added: int
    repeated: int
    dropped: int
    keys: int
    keys_added: int
    states: int
    states_added: int
    current: bool
    rejected: int | None
    soft_failed: int | None
    cannot_tell: tuple[Matter, ...]
    other_rooms: int = 0


class DifferenceKind(Enum):
    """The kinds of differences between sources. The values are stable, so programs may match on them."""

    CONTENT = "content"
    """Two events have the same event ID and different contents. Only the senders of versions 1 and 2 choose
    event IDs."""
    ALTERED = "altered"
    """A copy of an event does not match its content hash; another one does, or is redacted."""
    REJECTED = "rejected"
    """One server rejected an event that another one accepted."""
    STATE_BEFORE = "state-before"
    """The states before one event are different."""
    CURRENT_STATE = "current-state"
    """The current states are different, and the forward extremities are the same."""
    KEY = "key"
    """A server has different keys under one key ID."""
    REDACTED = "redacted"
    """One copy of an event is redacted, and another one is whole."""
    SOFT_FAILED = "soft-failed"
    """Only one server soft-failed an event that another one accepted. The order of arrival may explain it."""
    MOMENT = "moment"
    """The current states are different, and nothing tells whether they are of one moment."""
    EXTREMITIES = "extremities"
    """The forward extremities are different. One server may have received more than the other."""

    @property
    def contradicts(self) -> bool:
        """Whether both sources cannot be right."""
        return self not in (
            DifferenceKind.REDACTED,
            DifferenceKind.SOFT_FAILED,
            DifferenceKind.MOMENT,
            DifferenceKind.EXTREMITIES,
        )


class Saying(NamedTuple):
    """What one source says."""

    source: str
    """What messages call the source."""
    place: str | None
    """Where it says so, if that is one place."""
    text: str


class DifferingEntry(NamedTuple):
    """One entry on which states differ."""

    key: StateKey
    says: tuple[tuple[str, EventId | None], ...]
    """The event ID in each state that tells one, by the name of the state; None if the key is absent."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A point on which sources differ.

    Attributes:
        kind: its kind.
        says: what each source says.
        event_id: the event that it is about; None if it is about the room or a key.
        server, key_id: the key that it is about.
        entries: the entries on which the states differ, sorted; at most `MAX_ENTRIES`.
        more_entries: how many there are beyond these.
    """

    kind: DifferenceKind
    says: tuple[Saying, ...]
    event_id: EventId | None = None
    server: ServerName | None = None
    key_id: KeyId | None = None
    entries: tuple[DifferingEntry, ...] = ()
    more_entries: int = 0
