"""Which server keys a room needs, which are known, when they are valid, and which events hang on each."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, NamedTuple, TypeAlias, cast

from ..errors import SHOWN, RoomverError
from ..event import Event
from ..findings import EventCheck
from ..keys import ALGORITHM, KeyRing, Validity, VerifyKey
from ..signature_results import POLICY_SERVER_KEY
from ..signatures import count_verified, list_required_signers
from ..types import EventId, JsonObject, JsonValue, KeyId, ServerName
from ..unpadded import encode_unpadded
from ..versions import RoomVersion

__all__ = ["Hangs", "KeyNeeds", "KnownKey", "NeededKey", "find_key_needs"]

_Key: TypeAlias = tuple[ServerName, KeyId]

_TRIED: Final = 100  # signatures, with each of different keys under one ID


class Hangs(Enum):
    """What a signature by a key is worth."""

    VERIFIED = "verified"
    UNKNOWN = "unknown key"
    LAPSED = "not known to be valid"
    """The key's ``valid_until_ts`` is before the event. A later response of the server may extend it."""
    EXPIRED = "expired"
    AHEAD = "ahead of now"
    FAILED = "does not verify"
    SPARE = "not needed"
    """It does not count, but another signature of the server verifies, and none fails."""


_OPEN: Final = frozenset({Hangs.UNKNOWN, Hangs.LAPSED})
_FINE: Final = frozenset({Hangs.VERIFIED, Hangs.SPARE})
_OF_VALIDITY: Final[Mapping[Validity, Hangs]] = {
    Validity.EXPIRED: Hangs.EXPIRED,
    Validity.AHEAD: Hangs.AHEAD,
    Validity.LAPSED: Hangs.LAPSED,
}


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key that is known.

    Attributes:
        key: the key, in unpadded base64.
        valid_until_ts, expired_ts, sources: as in `VerifyKey`.
        verifies: of different keys under one ID: how many signatures it verifies; otherwise None.
        tried: how many were tried.
    """

    key: str
    valid_until_ts: int | None
    expired_ts: int | None
    sources: tuple[str, ...]
    verifies: int | None = None
    tried: int | None = None

    def to_dict(self) -> JsonObject:
        """Return the key as a JSON object."""
        return {
            "key": self.key,
            "valid_until_ts": self.valid_until_ts,
            "expired_ts": self.expired_ts,
            "sources": [*self.sources],
            "verifies": self.verifies,
            "tried": self.tried,
        }


@dataclass(slots=True)
class NeededKey:
    """A key that events of the room are signed with, by a server that must sign them.

    Attributes:
        server, key_id: whose key, under which ID.
        known: the keys under this ID; empty if it is unknown, more than one if sources differ.
        counts: the number of signatures by what they are worth.
        events: the events whose signature is not verified, in input order, each with what it is worth.
        first, last: the earliest and the latest ``origin_server_ts`` of the events signed with it.
        in_doubt: whether two or more signatures fail with the known key and none verifies: it is probably
            not the server's. Of different keys under one ID, some verify none.
    """

    server: ServerName
    key_id: KeyId
    known: tuple[KnownKey, ...] = ()
    counts: dict[Hangs, int] = field(default_factory=dict)
    events: dict[EventId, Hangs] = field(default_factory=dict)
    first: int = 0
    last: int = 0
    in_doubt: bool = False

    def add(self, event: Event, hangs: Hangs) -> None:
        """Count a signature on an event."""
        time = event.origin_server_ts
        self.first, self.last = (min(self.first, time), max(self.last, time)) if self.counts else (time, time)
        self.counts[hangs] = self.counts.get(hangs, 0) + 1
        if hangs not in _FINE:
            self.events[event.event_id] = hangs

    @property
    def total(self) -> int:
        """The number of events that are signed with it."""
        return sum(self.counts.values())

    @property
    def open(self) -> int:
        """The number of signatures that more keys, or a later response, may decide."""
        return sum(self.counts.get(one, 0) for one in _OPEN)

    @property
    def bad(self) -> int:
        """The number of signatures that do not count, whatever more is known."""
        return self.total - self.open - sum(self.counts.get(one, 0) for one in _FINE)

    def to_dict(self) -> JsonObject:
        """Return the key as a JSON object."""
        return {
            "server": self.server,
            "key_id": self.key_id,
            "known": [one.to_dict() for one in self.known],
            "counts": {one.value: self.counts.get(one, 0) for one in Hangs},
            "events": cast(JsonValue, {event_id: one.value for event_id, one in self.events.items()}),
            "first": self.first,
            "last": self.last,
            "in_doubt": self.in_doubt,
        }


@dataclass(frozen=True, slots=True)
class KeyNeeds:
    """The keys that a room needs.

    Attributes:
        keys: the keys: those that leave most signatures open first, then those with most failures.
        unsigned: events that a server which must sign has not signed, each with these servers.
        events: the number of events that need signatures.
    """

    keys: tuple[NeededKey, ...]
    unsigned: Mapping[EventId, tuple[ServerName, ...]]
    events: int

    @property
    def unknown(self) -> tuple[NeededKey, ...]:
        """The keys of which more must be known: the unknown ones, and those that have lapsed."""
        return tuple(one for one in self.keys if one.open)

    @property
    def wrong(self) -> bool:
        """Whether a signature that is needed does not count, or is missing."""
        return bool(self.unsigned) or any(one.bad for one in self.keys)

    def to_dict(self) -> JsonObject:
        """Return the keys as a JSON object."""
        return {
            "events": self.events,
            "keys": [one.to_dict() for one in self.keys],
            "unsigned": cast(
                JsonValue, {event_id: [*servers] for event_id, servers in self.unsigned.items()}
            ),
        }


def find_key_needs(
    events: Mapping[EventId, Event],
    checks: Mapping[EventId, EventCheck],
    dropped: Iterable[tuple[Event, EventCheck]],
    keys: KeyRing,
) -> KeyNeeds:
    """Return the keys that the events of a room need.

    Args:
        events: the usable events.
        checks: the check of each by itself, with the keys that its signatures were checked with.
        dropped: events that were dropped for their signatures, each with its check.
        keys: the key ring that they were checked with.

    Cost: linear in the events. Only signatures under IDs with different keys are verified again, at most
    100 for each.
    """
    counted = _Counted(keys)
    for event_id, event in events.items():
        counted.add(event, checks[event_id])
    told = {*events}
    for event, check in dropped:
        if event.event_id not in told:
            told.add(event.event_id)
            counted.add(event, check)
    return counted.needs()


class _Unpacked(NamedTuple):
    """A PDU and its room version."""

    pdu: JsonObject
    room_version: RoomVersion


class _Counted:
    """Counts the signatures of events by key."""

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys
        self._needed: dict[_Key, NeededKey] = {}
        self._unsigned: dict[EventId, tuple[ServerName, ...]] = {}
        self._clashing: dict[_Key, list[Event]] = {(one.server, one.key_id): [] for one in keys.clashes}
        self._events = 0

    def add(self, event: Event, check: EventCheck) -> None:
        """Count the signatures of an event that it needs."""
        pdu = event.pdu  # once: in a large room it is unpacked each time
        try:
            signers = list_required_signers(_Unpacked(pdu, event.room_version))
        except RoomverError:
            return  # that the signers cannot be told is a finding of its own
        self._events += bool(signers)
        signed, lacking = pdu.get("signatures"), list[ServerName]()
        signatures: JsonObject = signed if type(signed) is dict else {}
        for server in signers:
            found = signatures.get(server)
            key_ids = [one for one in found if one.startswith(f"{ALGORITHM}:")] if type(found) is dict else []
            if not key_ids:
                lacking.append(server)
                continue
            worths = {key_id: self._worth(event, check, (server, key_id)) for key_id in key_ids}
            enough = Hangs.VERIFIED in worths.values() and Hangs.FAILED not in worths.values()
            for key_id, worth in worths.items():
                key = server, key_id
                if key not in self._needed:
                    self._needed[key] = NeededKey(server, key_id)
                # The key of a policy server is not published.
                spare = worth is Hangs.UNKNOWN and key_id == POLICY_SERVER_KEY and len(worths) > 1
                useless = worth is not Hangs.VERIFIED and (enough or spare)
                self._needed[key].add(event, Hangs.SPARE if useless else worth)
                if key in self._clashing and len(self._clashing[key]) < _TRIED:
                    self._clashing[key].append(event)
        if lacking:
            self._unsigned[event.event_id] = tuple(lacking)

    def _worth(self, event: Event, check: EventCheck, key: _Key) -> Hangs:
        """Return what a signature is worth. The check of the event has verified it if its key was valid."""
        known = self._keys.find(*key)
        if not known:
            return Hangs.UNKNOWN
        time, version = event.origin_server_ts, event.room_version
        validities = [one.validity_at(time, version, self._keys.now) for one in known]
        if Validity.VALID not in validities:
            return _OF_VALIDITY[Validity.LAPSED if Validity.LAPSED in validities else validities[0]]
        for server, key_id, good in check.keys_tried:
            if (server, key_id) == key:
                return Hangs.VERIFIED if good else Hangs.FAILED
        # The check keeps only some of the keys, and none for what is not a signature.
        valid = (one for one, found in zip(known, validities, strict=True) if found is Validity.VALID)
        good = len(check.keys_tried) >= SHOWN and any(
            count_verified([event], *key, one.key)[0] for one in valid
        )
        return Hangs.VERIFIED if good else Hangs.FAILED

    def needs(self) -> KeyNeeds:
        """Return what was counted."""
        for key, one in self._needed.items():
            signed = self._clashing.get(key)
            one.known = tuple(_known(found, one, signed) for found in self._keys.find(*key))
            verified, failed = (one.counts.get(worth, 0) for worth in (Hangs.VERIFIED, Hangs.FAILED))
            one.in_doubt = (failed > 1 and not verified) or any(found.verifies == 0 for found in one.known)
        ordered = sorted(
            self._needed.values(), key=lambda one: (-one.open, -one.bad, -one.total, one.server, one.key_id)
        )
        return KeyNeeds(tuple(ordered), self._unsigned, self._events)


def _known(found: VerifyKey, key: NeededKey, signed: list[Event] | None) -> KnownKey:
    good = tried = None
    if signed:
        good, tried = count_verified(signed, key.server, key.key_id, found.key)
    text = encode_unpadded(found.key)
    return KnownKey(text, found.valid_until_ts, found.expired_ts, found.sources, good, tried)
