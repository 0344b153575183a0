"""The events of an anonymised room: each made anew after its parents, hashed, and signed as it was.

`.names` makes up what they say. IDs break ties in state resolution, so the new ones keep the order of the old
ones where that can matter (`.ties`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, cast

from ..entry import Entry
from ..errors import MalformedEvent
from ..event import Event, parse_event
from ..event_format import find_defects
from ..hashing import (
    HashCheck,
    check_content_hash,
    content_digest,
    essential_bytes,
    event_id_of_bytes,
    signed_bytes,
)
from ..identifiers import server_of
from ..keys import ALGORITHM, KeyRing, SigningKey
from ..recording import Recording
from ..signature_results import POLICY_SERVER_KEY
from ..signatures import verify_bytes
from ..types import EventId, JsonObject, JsonValue, ServerName
from ..unpadded import decode_unpadded, encode_unpadded
from ..versions import EventIdForm, RoomVersion
from .names import Names, digest, keys_in, signing_key
from .ties import find_places, fraction_of, make_times, sha1_fraction

__all__ = ["Making", "Source"]

_MOST_TRIED: Final = 32  # public keys that are tried for a signature inside an event
_NONCE: Final = "org.example.nonce"


@dataclass(slots=True)
class Source:
    """A room that is being anonymised.

    Attributes:
        recording: the room.
        events: for each entry, its event; None if it is malformed or not an event.
        copies: event ID to its events: more than one if some are redacted.
        intact: the IDs of the events of which there is a copy whose content hash matches.
        offers: token to the public keys of the invites with it, each with the event that gives it.
        policies: server to the keys that make it a policy server.
    """

    recording: Recording
    events: list[Event | None] = field(default_factory=list)
    copies: dict[EventId, list[Event]] = field(default_factory=dict)
    intact: set[EventId] = field(default_factory=set)
    offers: dict[str, list[tuple[EventId, bytes]]] = field(default_factory=dict)
    policies: dict[ServerName, list[bytes]] = field(default_factory=dict)

    def read(self) -> None:
        """Read the entries."""
        version = self.recording.version
        for entry in self.recording.entries:
            event = None
            if type(entry.pdu) is dict:
                try:
                    event = parse_event(entry.pdu, version)
                except MalformedEvent:
                    event = None
            self.events.append(event)
            if event is None:
                continue
            self.copies.setdefault(event.event_id, []).append(event)
            if check_content_hash(event) is HashCheck.INTACT:
                self.intact.add(event.event_id)
            if event.type == "m.room.third_party_invite" and event.state_key is not None:
                keys = ((event.event_id, raw) for raw in keys_in(event.content))
                self.offers.setdefault(event.state_key, []).extend(keys)
            if event.type == "m.room.policy" and type(via := event.content.get("via")) is str:
                self.policies.setdefault(via, []).extend(keys_in(event.content))

    def servers(self) -> Iterable[ServerName]:
        """Yield the names of servers, some of them several times."""
        yield from self.recording.keys.keys
        for copies in self.copies.values():
            for event in copies:
                yield server_of(event.sender)
                if event.state_key is not None:
                    yield server_of(event.state_key)
                yield server_of(event.room_id)
                yield from event.signatures
                yield from (server_of(one) for one in event.auth_event_ids)

    def parents(self, event_id: EventId) -> Iterable[EventId]:
        """Yield the events that an event cites in what its ID covers, as far as they are here."""
        version = self.recording.version
        for event in self.copies[event_id]:
            yield from (one for one in (*event.prev_event_ids, *event.auth_parents) if one in self.copies)
            covered = version.redacts_in_content or event_id in self.intact
            chosen = version.event_id_form is EventIdForm.CHOSEN
            if covered and not chosen and event.redacts is not None and event.redacts in self.copies:
                yield event.redacts


class Making:
    """A room that is being made up.

    Attributes:
        time: takes a time and returns the made-up one.
    """

    def __init__(self, source: Source, names: Names) -> None:
        self._source = source
        self._names = names
        self._version: RoomVersion = source.recording.version
        self._ring: KeyRing = source.recording.keys
        self.time: Callable[[int], int] = make_times(
            (event.origin_server_ts for copies in source.copies.values() for event in copies), self._version
        )
        self._references: dict[EventId, str] = {}
        self._signing: dict[tuple[str, str, int], SigningKey] = {}
        # The new content hash of each event, by its ID and its old content hash. All its copies have it.
        self._hashes: dict[tuple[EventId, str], tuple[str, int]] = {}
        self._places = find_places(source.copies, self._version)
        self._tries = 50 * len(source.copies) + 10_000
        self._of_text: Mapping[str, Callable[[str], str]] = {
            "type": names.type,
            "state_key": names.state_text,
            "sender": names.user,
            "room_id": names.room,
            "event_id": names.event,
            "redacts": names.event,
        }

    def make(self, order: Sequence[EventId]) -> tuple[list[Entry], int]:
        """Make the events, parents first.

        Returns:
            The entries in the order of the source, and the number of those that are left out.
        """
        made: dict[int, JsonObject] = {}
        if self._version.event_id_form is EventIdForm.CHOSEN:
            self._names.events.update(self._chosen_ids())
        for event_id in order:
            copies = self._source.copies[event_id]
            # The one whose content hash matches comes first: it makes the hash that the others have.
            for event in sorted(copies, key=lambda one: check_content_hash(one) is not HashCheck.INTACT):
                made[id(event)] = self._event(event)
        entries = []
        left_out = 0
        for entry, source in zip(self._source.recording.entries, self._source.events, strict=True):
            if entry.error is not None:
                entries.append(self._entry(entry, None))
                continue
            try:
                pdu = self._malformed(entry.pdu) if source is None else made[id(source)]
            except RecursionError:
                left_out += 1
                continue
            if bool(find_defects(pdu, self._version)) is not (source is None):
                left_out += 1
            else:
                entries.append(self._entry(entry, pdu))
        return entries, left_out

    def _entry(self, entry: Entry, pdu: JsonValue) -> Entry:
        def named(event_id: EventId | None) -> EventId | None:
            return None if event_id is None else self._names.event(event_id)

        room_id = entry.claimed_room_id
        return Entry(
            entry.place,
            named(entry.claimed_id),
            pdu,
            carried_id=named(entry.carried_id),
            claimed_room_id=None if room_id is None else self._names.room(room_id),
        )

    # Events

    def _event(self, event: Event) -> JsonObject:
        """Make an event anew, and note its ID."""
        event_id, chosen = event.event_id, self._version.event_id_form is EventIdForm.CHOSEN
        new = self._fields(event.pdu, event)
        hashes = cast(JsonObject, self._names.value({k: v for k, v in event.hashes.items() if k != "sha256"}))
        checked = check_content_hash(event)
        known = self._hashes.get((event_id, str(event.hashes.get("sha256"))))
        if known is not None:
            content_hash, nonce = known
            new["hashes"] = {**hashes, "sha256": content_hash}
            if checked is HashCheck.INTACT and nonce:
                new[_NONCE] = nonce
        else:
            self._hash(event, new, hashes, checked)
        essential = essential_bytes(new, self._version)
        if "signatures" in event.pdu:
            new["signatures"] = self._signatures(event, essential)
        if not chosen:
            self._names.events[event_id] = event_id_of_bytes(essential, self._version)
        self._references.setdefault(event_id, encode_unpadded(sha256(essential).digest()))
        return new

    def _hash(self, event: Event, new: JsonObject, hashes: JsonObject, checked: HashCheck) -> None:
        """Set the content hash of an event, so that its ID is in order with those of the same time."""
        number = len(self._hashes)
        chosen = self._version.event_id_form is EventIdForm.CHOSEN
        place = None if chosen else self._places.get(event.event_id)
        for nonce in range(max(1, self._tries)):
            if checked is HashCheck.INTACT:
                if nonce:
                    new[_NONCE] = nonce
                new.pop("hashes", None)
                content_hash = encode_unpadded(content_digest(new))
            elif checked is HashCheck.MISMATCH:
                content_hash = encode_unpadded(digest(f"content of {number}, {nonce}"))
            else:
                content_hash = f"unreadable {number}, {nonce}"
            new["hashes"] = {**hashes, "sha256": content_hash}
            self._hashes[event.event_id, str(event.hashes.get("sha256"))] = content_hash, nonce
            if place is None:
                return
            self._tries -= 1
            made = event_id_of_bytes(essential_bytes(new, self._version), self._version)
            if place.holds(fraction_of(made, self._version)):
                return

    def _chosen_ids(self) -> dict[EventId, EventId]:
        """Return made-up IDs in the same order, for room versions in which servers choose them."""
        ordered = sorted(self._source.copies)
        width = len(str(len(ordered)))
        found = {}
        for number, event_id in enumerate(ordered):
            server = self._names.server(server_of(event_id))
            place = self._places.get(event_id)
            for nonce in range(max(1, self._tries)):
                made = f"$event{number:0{width}}{f'-{nonce}' if nonce else ''}:{server}"
                if place is None:
                    break
                self._tries -= 1
                if place.holds(sha1_fraction(made)):
                    break
            found[event_id] = made
        return found

    def _fields(self, pdu: JsonObject, event: Event | None) -> JsonObject:
        """Return an event without hashes, signatures and unsigned data. Without `event` it is malformed."""
        kind = pdu.get("type")
        new: JsonObject = {}
        for name, value in pdu.items():
            if name not in ("hashes", "signatures", "unsigned"):
                new[self._names.key(name)] = self._field(name, value, kind, event)
        return new

    def _field(self, name: str, value: JsonValue, kind: JsonValue, event: Event | None) -> JsonValue:
        names = self._names
        if type(value) is str and name in self._of_text:
            return self._of_text[name](value)
        if type(value) is int and name == "depth":
            return value
        if type(value) is int and name == "origin_server_ts":
            return self.time(value)
        if type(value) is list and name in ("prev_events", "auth_events"):
            return [self._reference(one) for one in value]
        if type(value) is dict and name == "content":
            content = names.content(kind, value)
            invite = value.get("third_party_invite")
            if (
                kind == "m.room.member"
                and type(invite) is dict
                and type(invite.get("signed")) is dict
                and event
            ):
                signed = self._signed(cast(JsonObject, invite["signed"]), event)
                cast(JsonObject, content["third_party_invite"])["signed"] = signed
            return content
        return names.value(value, name)

    def _reference(self, cited: JsonValue) -> JsonValue:
        if type(cited) is str:
            return self._names.event(cited)
        if (
            type(cited) is not list
            or len(cited) != 2
            or type(cited[0]) is not str
            or type(cited[1]) is not dict
        ):
            return self._names.value(cited)
        event_id = self._names.event(cited[0])
        known = self._references.get(cited[0]) or encode_unpadded(digest(f"hash of {event_id}"))
        return [
            event_id,
            {
                self._names.key(name): known if name == "sha256" and value else self._names.value(value)
                for name, value in cited[1].items()
            },
        ]

    def _malformed(self, pdu: JsonValue) -> JsonValue:
        """Return what takes the place of an entry that is not an event."""
        if type(pdu) is not dict:
            return self._names.value(pdu)
        new = self._fields(pdu, None)
        for name in ("hashes", "signatures"):
            if name in pdu:
                new[name] = self._names.value(pdu[name])
        return new

    # Signatures

    def _signatures(self, event: Event, essential: bytes) -> JsonObject:
        """Sign an event wherever it was signed, validly or not."""
        names, old = self._names, essential_bytes(event.pdu, self._version)

        def signed(server: ServerName, key_id: str, text: str) -> str:
            if key_id == POLICY_SERVER_KEY and server in self._source.policies:
                keys = self._source.policies[server]
                return self._signature(text, [(key, names.secret_of) for key in keys], old, essential)
            known = self._ring.find(server, key_id)
            if not known and key_id.startswith(f"{ALGORITHM}:") and _signature_of(text):
                # Nobody knows whether it is valid. The new key is not published, so nobody will.
                return encode_unpadded(self.key(server, key_id, 0).sign(essential))
            keys_of = {key.key: number for number, key in enumerate(known)}
            pairs = [(raw, lambda raw: self.key(server, key_id, keys_of[raw])) for raw in keys_of]
            return self._signature(text, pairs, old, essential)

        return {
            names.server(server): {
                names.key_id(key_id): signed(server, key_id, cast(str, text))
                for key_id, text in by_id.items()
            }
            for server, by_id in cast(dict[str, JsonObject], event.signatures).items()
        }

    def _signature(
        self,
        text: str,
        keys: Sequence[tuple[bytes, Callable[[bytes], SigningKey]]],
        old: bytes,
        new: bytes,
    ) -> str:
        """Return a signature by the new key for the old one that verifies it; an invalid one if none does."""
        raw = _signature_of(text)
        if raw is None:
            return self._names.text(text)
        for key, secret_of in keys[-_MOST_TRIED:]:
            if verify_bytes(key, old, raw):
                return encode_unpadded(secret_of(key).sign(new))
        return encode_unpadded(digest("an invalid signature") * 2)

    def _signed(self, block: JsonObject, event: Event) -> JsonObject:
        """Make the block anew that an identity server signed in a third-party invite."""
        names = self._names
        new: JsonObject = {
            names.key(name): names.value(value, name) for name, value in block.items() if name != "signatures"
        }
        if "signatures" not in block:
            return new
        old, message = signed_bytes(block), signed_bytes(new)
        token = block.get("token")
        offers = self._source.offers.get(token, ()) if type(token) is str else ()
        # Those of the invite that the event cites are tried first, so they come last.
        cited = sorted(offers, key=lambda offer: offer[0] in event.auth_event_ids)
        keys = [(raw, names.secret_of) for raw in dict.fromkeys(raw for _, raw in cited[-_MOST_TRIED:])]
        by_server = block["signatures"]
        if type(by_server) is not dict:
            new["signatures"] = names.value(by_server)
            return new
        new["signatures"] = {
            names.server(server): {
                names.key_id(key_id): self._signature(text, keys, old, message)
                if type(text) is str and key_id.startswith(f"{ALGORITHM}:")
                else names.value(text)
                for key_id, text in by_key.items()
            }
            if type(by_key) is dict
            else names.value(by_key)
            for server, by_key in by_server.items()
        }
        return new

    def key(self, server: ServerName, key_id: str, number: int) -> SigningKey:
        """Return the made-up key of a server; there are several if different ones have the same ID."""
        place = (self._names.server(server), self._names.key_id(key_id), number)
        if place not in self._signing:
            more = f" {number}" if number else ""
            self._signing[place] = signing_key(f"{place[0]} {place[1]}{more}", place[1])
        return self._signing[place]


def _signature_of(text: str) -> bytes | None:
    raw = decode_unpadded(text)
    return raw if raw is not None and len(raw) == 64 else None
