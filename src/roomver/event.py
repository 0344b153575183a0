"""`Event`, a slotted read-only view of one PDU, and the checks of its format.

An `Event` exists only for a PDU that has the format of its room version, so that the modules above
may rely on it: the types of the top-level keys, the grammar of the identifiers, the sizes. What is
inside ``content`` is anything that canonical JSON allows.

Source: https://spec.matrix.org/latest/rooms/v12/#event-format, and the same section of the page of
each other room version; sizes in https://spec.matrix.org/latest/client-server-api/#size-limits
"""

from typing import Any, Final, NoReturn, cast

from canonicaljson import encode_canonical_json

from .canonical import join_path, load_json, scan, shorten
from .errors import Defect, MalformedEvent, NotCanonical
from .hashing import essential_bytes, event_id_of_bytes
from .identifiers import fits, is_chosen_event_id, is_domain_room_id, is_hash_room_id, is_user_id
from .types import EventId, JsonObject, JsonValue, RoomId, UserId
from .versions import EventIdForm, RoomIdForm, RoomVersion, get_room_version, version_record

MAX_EVENT_BYTES: Final = 65536
"""The longest canonical JSON of an event, signatures included: this many bytes are still allowed."""
MAX_PREV_EVENTS: Final = 20
MAX_AUTH_EVENTS: Final = 10
_INT64: Final = 2**63


class _Fields:
    """The slots of an `Event` while it is being built."""

    __slots__ = (
        "_event_id",
        "_memo",
        "_room_id",
        "auth_event_ids",
        "content",
        "depth",
        "origin_server_ts",
        "pdu",
        "prev_event_ids",
        "redacts",
        "room_version",
        "sender",
        "state_key",
        "type",
    )

    _event_id: EventId | None
    _memo: Any
    _room_id: RoomId | None
    auth_event_ids: tuple[EventId, ...]
    content: JsonObject
    depth: int
    origin_server_ts: int
    pdu: JsonObject
    prev_event_ids: tuple[EventId, ...]
    redacts: EventId | None
    room_version: RoomVersion
    sender: UserId
    state_key: str | None
    type: str


class Event(_Fields):
    """One event: a read-only view of a PDU that has the format of its room version.

    Made by `parse_event` alone. It holds on to the PDU it was given and does not copy it: whoever
    changes that object afterwards breaks the event.

    Attributes:
        pdu: the PDU as it is on the wire.
        room_version: the record of its room version.
        type, sender, content, origin_server_ts, depth: as in the PDU.
        state_key: None if the PDU has none: the event is then no state event.
        prev_event_ids, auth_event_ids: in the PDU's order; without the hashes that versions 1 and 2
            put beside them, which nobody checks.
        redacts: the target of a redaction, from where the room version keeps it; None if it is not
            there or no string. Only for events of type ``m.room.redaction``.
    """

    __slots__ = ()

    def __new__(cls) -> NoReturn:
        raise TypeError("an Event is made by parse_event")

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"an Event is read-only: {name}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"an Event is read-only: {name}")

    @property
    def event_id(self) -> EventId:
        """The event ID: from version 3 on the reference hash, computed once when first asked for."""
        known = self._event_id
        if known is None:
            known = event_id_of_bytes(essential_bytes(self.pdu, self.room_version), self.room_version)
            _set_event_id(self, known)
        return known

    @property
    def room_id(self) -> RoomId:
        """The room ID: of a version 12 create event derived from its event ID, otherwise the PDU's."""
        known = self._room_id
        if known is None:
            known = "!" + self.event_id[1:]
            _set_room_id(self, known)
        return known

    @property
    def hashes(self) -> JsonObject:
        """The ``hashes`` of the PDU: at least ``sha256``."""
        return cast(JsonObject, self.pdu["hashes"])

    @property
    def signatures(self) -> JsonObject:
        """The ``signatures`` of the PDU, ``{}`` if it has none: server to key ID to signature."""
        return cast(JsonObject, self.pdu.get("signatures", {}))

    @property
    def unsigned(self) -> JsonObject:
        """The ``unsigned`` of the PDU, ``{}`` if it has none."""
        return cast(JsonObject, self.pdu.get("unsigned", {}))

    def __repr__(self) -> str:
        key = "" if self.state_key is None else f" state_key={shorten(self.state_key)}"
        kind = shorten(self.type)
        return f"<Event {self.event_id} v{self.room_version} {kind}{key} by {shorten(self.sender)}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self.pdu, self.room_version.identifier, self._event_id)


# A property may fill its slot, past the read-only __setattr__.
_set_event_id = vars(_Fields)["_event_id"].__set__
_set_room_id = vars(_Fields)["_room_id"].__set__
remember = vars(_Fields)["_memo"].__set__
"""``remember(event, value)`` keeps one derived value with an event, for the module that owns its type
(`power` keeps parsed power levels with the event they come from)."""


def parse_event(
    pdu: JsonObject | str | bytes,
    version: RoomVersion | str,
    *,
    event_id: EventId | None = None,
    unique_keys: bool = False,
    lenient_identifiers: bool = False,
) -> Event:
    """Return the `Event` of a PDU, if it has the format of its room version.

    Source: https://spec.matrix.org/latest/server-server-api/#checks-performed-on-receipt-of-a-pdu,
    check 1.

    Args:
        pdu: a JSON object as it is on the wire, or its text (UTF-8 if bytes). An object is not copied.
        version: the version of the room it is in; nothing in the PDU says so.
        event_id: the ID under which the caller already knows the event, which is then believed
            and not computed. For versions 3 and later; earlier events carry theirs.
        unique_keys: refuse text in which an object has a key twice, instead of taking the last.
        lenient_identifiers: take as sender and room ID any text with a ``:``, as Synapse does.

    Raises:
        MalformedEvent: with every defect that was found.
        UnknownRoomVersion: if there is no such version.

    Cost: one visit to each value in the PDU. Hashes are computed when `Event.event_id` is asked for.

    >>> try:
    ...     parse_event('{"type": "m.room.message", "content": []}', "11")
    ... except MalformedEvent as error:
    ...     for defect in error.defects:
    ...         print(defect)
    content: expected an object, found []
    sender: expected a user ID, found nothing
    room_id: expected a room ID, found nothing
    depth: expected an integer from 0 to 2^53 - 1, found nothing
    origin_server_ts: expected a 64-bit integer, found nothing
    hashes: expected an object, found nothing
    prev_events: expected an array, found nothing
    auth_events: expected an array, found nothing
    """
    known = version_record(version)
    if type(pdu) is not dict:
        if not isinstance(pdu, str | bytes):
            raise MalformedEvent([Defect("", "a JSON object", shorten(pdu))], known.identifier)
        try:
            pdu = cast(JsonObject, load_json(pdu, unique_keys=unique_keys))
        except NotCanonical as error:
            raise MalformedEvent([Defect(error.path, "JSON", error.reason)], known.identifier) from None
        if type(pdu) is not dict:
            raise MalformedEvent([Defect("", "a JSON object", shorten(pdu))], known.identifier)
    defects = find_defects(pdu, known, lenient_identifiers=lenient_identifiers)
    if defects:
        raise MalformedEvent(defects, known.identifier)
    return _build(pdu, known, event_id)


def _build(pdu: JsonObject, version: RoomVersion, event_id: EventId | None) -> Event:
    # The fields are set on the writable base and the class is changed last: a plain store for each
    # slot, where going round the read-only __setattr__ would cost a call for each. Events are made
    # by the million.
    fields: Any = _Fields()
    fields.pdu = pdu
    fields.room_version = version
    fields.type = kind = pdu["type"]
    fields.state_key = pdu.get("state_key")
    fields.sender = pdu["sender"]
    fields.content = content = pdu["content"]
    fields.origin_server_ts = pdu["origin_server_ts"]
    fields.depth = pdu["depth"]
    previous: Any = pdu["prev_events"]
    authorising: Any = pdu["auth_events"]
    if version.references_carry_hashes:
        fields.prev_event_ids = tuple([reference[0] for reference in previous])
        fields.auth_event_ids = tuple([reference[0] for reference in authorising])
    else:
        fields.prev_event_ids = tuple(previous)
        fields.auth_event_ids = tuple(authorising)
    fields.redacts = None
    if kind == "m.room.redaction":
        target = content.get("redacts") if version.redacts_in_content else pdu.get("redacts")  # type: ignore[union-attr]
        if type(target) is str:
            fields.redacts = target
    fields._event_id = pdu["event_id"] if version.event_id_form is EventIdForm.CHOSEN else event_id
    fields._room_id = pdu.get("room_id")
    fields._memo = None
    fields.__class__ = Event
    return cast(Event, fields)


def _restore(pdu: JsonObject, version: str, event_id: EventId | None) -> Event:
    # Unpickling: the PDU was checked when the event was made.
    return _build(pdu, get_room_version(version), event_id)


def find_defects(pdu: JsonValue, version: RoomVersion, *, lenient_identifiers: bool = False) -> list[Defect]:
    """Return everything that is wrong with the format of a PDU; nothing if it is well formed.

    The whole of check 1 on receipt of a PDU is here, in one list, in one order.
    """
    if type(pdu) is not dict:
        return [Defect("", "a JSON object", shorten(pdu))]
    found: list[Defect] = []
    get = pdu.get

    try:
        bound = scan(pdu, strict=version.strict_canonical_json)
    except NotCanonical as error:
        found.append(Defect(error.path, "canonical JSON", error.reason))
    else:
        # The bound spares nearly every event the encoding.
        if bound > MAX_EVENT_BYTES and (size := len(encode_canonical_json(pdu))) > MAX_EVENT_BYTES:
            found.append(Defect("", f"at most {MAX_EVENT_BYTES} bytes of canonical JSON", f"{size} bytes"))

    kind = get("type")
    if type(kind) is not str:
        found.append(_defect(pdu, "type", "a string"))
    elif not fits(kind):
        found.append(_too_long("type", kind))
    content = get("content")
    if type(content) is not dict:
        found.append(_defect(pdu, "content", "an object"))
    if "state_key" in pdu:
        state_key = pdu["state_key"]
        if type(state_key) is not str:
            found.append(_defect(pdu, "state_key", "a string, or no such key"))
        elif not fits(state_key):
            found.append(_too_long("state_key", state_key))

    sender = get("sender")
    if type(sender) is not str or not (is_user_id(sender) or (lenient_identifiers and _lenient(sender))):
        found.append(_defect(pdu, "sender", "a user ID"))
    _check_room_id(pdu, version, lenient_identifiers, found)

    depth = get("depth")
    if type(depth) is not int or not 0 <= depth <= version.max_depth:
        exponent = version.max_depth.bit_length()
        found.append(_defect(pdu, "depth", f"an integer from 0 to 2^{exponent} - 1"))
    timestamp = get("origin_server_ts")
    # Negative is odd but an integer all the same: Synapse takes it, others do not.
    if type(timestamp) is not int or not -_INT64 <= timestamp < _INT64:
        found.append(_defect(pdu, "origin_server_ts", "a 64-bit integer"))

    hashes = get("hashes")
    if type(hashes) is not dict:
        found.append(_defect(pdu, "hashes", "an object"))
    elif type(hashes.get("sha256")) is not str:
        found.append(_defect(hashes, "sha256", "a string", "hashes"))
    if "signatures" in pdu:
        _check_signatures(pdu, found)
    if "unsigned" in pdu and type(pdu["unsigned"]) is not dict:
        found.append(_defect(pdu, "unsigned", "an object, or no such key"))

    _check_references(pdu, "prev_events", MAX_PREV_EVENTS, version, found)
    _check_references(pdu, "auth_events", MAX_AUTH_EVENTS, version, found)
    if version.event_id_form is EventIdForm.CHOSEN:
        chosen = get("event_id")
        if type(chosen) is not str or not is_chosen_event_id(chosen):
            found.append(_defect(pdu, "event_id", "an event ID with a server name"))
    elif "event_id" in pdu:
        # Synapse refuses it, ruma hashes it, gomatrixserverlib strips it: three different events.
        found.append(_defect(pdu, "event_id", "no such key: the ID is the reference hash"))
    return found


def _check_room_id(pdu: JsonObject, version: RoomVersion, lenient: bool, found: list[Defect]) -> None:
    room_id = pdu.get("room_id")
    if version.room_id_form is RoomIdForm.DOMAIN:
        if type(room_id) is not str or not (is_domain_room_id(room_id) or (lenient and _lenient(room_id))):
            found.append(_defect(pdu, "room_id", "a room ID"))
    elif pdu.get("type") == "m.room.create" and pdu.get("state_key") == "":
        if "room_id" in pdu:
            found.append(_defect(pdu, "room_id", "no such key: the ID is derived from this event's"))
    elif type(room_id) is not str or not is_hash_room_id(room_id):
        found.append(_defect(pdu, "room_id", "a room ID"))


def _check_signatures(pdu: JsonObject, found: list[Defect]) -> None:
    signatures = pdu["signatures"]
    if type(signatures) is not dict:
        found.append(_defect(pdu, "signatures", "an object"))
        return
    for server, by_key in signatures.items():
        if type(by_key) is not dict:
            found.append(_defect(signatures, server, "an object", "signatures"))
            continue
        for key_id, signature in by_key.items():
            if type(signature) is not str:
                found.append(_defect(by_key, key_id, "a string", join_path("signatures", server)))


def _check_references(
    pdu: JsonObject, name: str, most: int, version: RoomVersion, found: list[Defect]
) -> None:
    references = pdu.get(name)
    if type(references) is not list:
        found.append(_defect(pdu, name, "an array"))
        return
    if len(references) > most:
        found.append(Defect(name, f"at most {most} events", f"{len(references)} events"))
    for index, reference in enumerate(references):
        if version.references_carry_hashes:
            # What the hash object holds nobody checks, and real rooms have empty ones.
            if not (
                type(reference) is list
                and len(reference) == 2
                and type(reference[0]) is str
                and type(reference[1]) is dict
            ):
                expected = "a pair of an event ID and an object of hashes"
                found.append(Defect(f"{name}[{index}]", expected, shorten(reference)))
        elif type(reference) is not str:
            found.append(Defect(f"{name}[{index}]", "an event ID", shorten(reference)))


def _lenient(identifier: str) -> bool:
    return ":" in identifier and fits(identifier)


def _defect(owner: JsonObject, key: str, expected: str, path: str = "") -> Defect:
    found = shorten(owner[key]) if key in owner else "nothing"
    return Defect(join_path(path, key), expected, found)


def _too_long(path: str, text: str) -> Defect:
    length = len(text.encode("utf-8", "surrogatepass"))
    return Defect(path, "at most 255 bytes", f"{length} bytes")
