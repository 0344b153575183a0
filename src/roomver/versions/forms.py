"""What a field of a room version can be, if it is more than a yes or no: closed sets of values."""

from enum import Enum


class StateResolution(Enum):
    """The algorithm that resolves the states of a room's forks into one.

    From ``V2`` on, a key that only some of the states have is in conflict. ``V2_1`` adds the
    conflicted state subgraph to the full conflicted set. Its iterative auth checks start from an empty
    state; those of ``V2`` start from the unconflicted state map.
    """

    V1 = "v1"
    V2 = "v2"
    V2_1 = "v2.1"


class EventIdForm(Enum):
    """The form of an event ID."""

    CHOSEN = "$opaque:domain"
    """The sending server chooses it, and the event carries it."""
    HASH = "$ + reference hash, base64"
    """The reference hash in the standard alphabet, which contains ``/`` and ``+``."""
    URLSAFE_HASH = "$ + reference hash, URL-safe base64"
    """The reference hash in the URL-safe alphabet, which contains ``_`` and ``-``."""


class RoomIdForm(Enum):
    """The form of a room ID."""

    DOMAIN = "!opaque:domain"
    """Every event carries it. In a create event it must be on the sender's server."""
    CREATE_HASH = "! + reference hash of the create event"
    """It is derived from the create event, which must not carry it. In every other event it must name an
    accepted create event."""
