"""Made-up names for what an event says: users, servers, rooms, types, texts and keys.

Each name always has the same made-up name, and different names have different ones. What the authorisation
rules compare stays as it is: whether an identifier is valid, its server, power levels, memberships and join
rules. Nothing here knows a graph: `.events` gives the IDs of events.
"""

from collections.abc import Collection, Iterator
from hashlib import sha256
from typing import Final

from ..identifiers import MAX_AFTER_OWNER, MAX_BYTES, byte_length, is_server_name, is_user_id, split_owner
from ..keys import ALGORITHM, SigningKey
from ..power import DEFAULTS, read_level
from ..signature_results import POLICY_SERVER_KEY
from ..types import EventId, JsonObject, JsonValue, KeyId, RoomId, ServerName, StateKey
from ..unpadded import decode_unpadded, encode_unpadded
from ..versions import V9, EventIdForm, RoomIdForm, RoomVersion, is_known

__all__ = ["Names", "digest", "keys_in", "signing_key"]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Everything in these lists is a word of the specification, which says nothing of a room.
TYPES: Final = frozenset(
    f"m.{name}"
    for name in _words(
        "call.answer call.candidates call.hangup call.invite call.member call.negotiate call.notify"
        " call.reject key.verification.accept key.verification.cancel key.verification.done"
        " key.verification.key key.verification.mac key.verification.ready key.verification.request"
        " key.verification.start poll.end"
        " poll.response poll.start policy.rule.room policy.rule.server policy.rule.user reaction"
        " room.aliases room.avatar room.canonical_alias room.create room.encrypted room.encryption"
        " room.guest_access room.history_visibility room.join_rules room.member room.message"
        " room.message.feedback room.name room.pinned_events room.policy room.power_levels room.redaction"
        " room.retention room.server_acl room.third_party_invite room.tombstone room.topic space.child"
        " space.parent sticker"
    )
)
KEYS: Final = _words(
    "additional_creators age age_ts algorithm alias aliases allow allow_ip_literals alt_aliases auth_events"
    " avatar_url body canonical content creator deny depth destinations device_id display_name displayname"
    " ed25519 event_id events file filename format formatted_body from guest_access hashes"
    " history_visibility info is_direct is_falling_back join_authorised_via_users_server join_rule key"
    " key_validity_url keys m.federate m.in_reply_to m.mentions m.relates_to m.topic membership msgtype mxid"
    " name new_content notifications order origin origin_server_ts outlier pinned predecessor prev_content"
    " prev_events prev_sender prev_state public_key public_keys reason recommendation redacted_because"
    " redacts rel_type replaces_state replacement_room room room_id room_version rotation_period_ms"
    " rotation_period_msgs sender sender_key session_id sha256 signatures signed size state_key suggested"
    " third_party_invite token topic transaction_id type unsigned url user_ids users via"
).union(DEFAULTS)
# Values of some keys that are kept.
WORDS: Final = {
    "membership": frozenset({"join", "invite", "leave", "ban", "knock"}),
    "join_rule": frozenset({"public", "invite", "knock", "private", "restricted", "knock_restricted"}),
    "history_visibility": frozenset({"invited", "joined", "shared", "world_readable"}),
    "guest_access": frozenset({"can_join", "forbidden"}),
    "algorithm": frozenset({"m.megolm.v1.aes-sha2", "m.olm.v1.curve25519-aes-sha2"}),
    "msgtype": frozenset(
        f"m.{name}" for name in ("audio", "emote", "file", "image", "location", "notice", "text", "video")
    ),
    "rel_type": frozenset({"m.annotation", "m.reference", "m.replace", "m.thread"}),
    "type": frozenset({"m.room_membership", "m.space"}) | TYPES,
    "recommendation": frozenset({"m.ban"}),
}


def digest(text: str) -> bytes:
    """Return 32 bytes that are the same for the same text."""
    return sha256(f"roomver, made up: {text}".encode()).digest()


def signing_key(name: str, key_id: KeyId = f"{ALGORITHM}:1") -> SigningKey:
    """Return the signing key that belongs to a made-up name. Its seed is derived from the name."""
    return SigningKey.from_seed(key_id, encode_unpadded(digest(f"key of {name}")))


class Names:
    """The made-up names of one room.

    Attributes:
        events: event ID to new event ID. `.events` fills it in.
        known: the IDs of the events that have a new ID, or will have one.
        keys: public keys that events give, each with its made-up key.
    """

    def __init__(
        self, version: RoomVersion, servers: Collection[ServerName], known: Collection[EventId]
    ) -> None:
        self.events: dict[EventId, EventId] = {}
        self.known: frozenset[EventId] = frozenset(known)
        self.keys: dict[bytes, SigningKey] = {}
        self._version = version
        self._server_names = frozenset(servers)
        self._tables: dict[str, dict[str, str]] = {}

    def _made(self, table: str, name: str, form: str) -> str:
        """Return the made-up name of a name; ``#`` in the form of a new one is its number."""
        names = self._tables.setdefault(table, {})
        if name not in names:
            names[name] = form.replace("#", str(len(names) + 1))
        return names[name]

    # Identifiers

    def server(self, name: ServerName) -> ServerName:
        """Return a server name; one that is not valid stays so."""
        if not name:
            return name
        return self._made("server", name, "server#.example" if is_server_name(name) else "odd server #")

    def user(self, name: str) -> str:
        """Return a user ID; one that is not valid stays so, on the same server."""
        localpart, colon, server = name.partition(":")
        if is_user_id(name):
            return self._made("user", name, f"@user#:{self.server(server)}")
        sigil = "@" if name.startswith("@") else ""
        if not colon:
            return self._made("user", name, f"{sigil}odd#") if localpart else ""
        nul = "" if server and not is_server_name(server) else "\0"
        return self._made("user", name, f"{sigil}odd#{nul}:{self.server(server)}")

    def room(self, name: RoomId) -> RoomId:
        """Return a room ID. One without a server name is derived from the ID of a create event."""
        _, colon, server = name.partition(":")
        if self._version.room_id_form is RoomIdForm.CREATE_HASH and not colon:
            return "!" + self.event("$" + name[1:])[1:]
        if not colon:
            return "!" + encode_unpadded(digest(self._made("room", name, "room #")), urlsafe=True)
        return self._made("room", name, f"!room#:{self.server(server)}")

    def event(self, name: EventId) -> EventId:
        """Return an event ID; a made-up one if there is no such event, or none yet."""
        if name in self.events:
            return self.events[name]
        _, colon, server = name.partition(":")
        table = "later" if name in self.known else "missing"
        if colon or self._version.event_id_form is EventIdForm.CHOSEN:
            return self._made(table, name, f"${table}#{colon}{self.server(server)}")
        urlsafe = self._version.event_id_form is EventIdForm.URLSAFE_HASH
        return "$" + encode_unpadded(digest(self._made(table, name, f"{table} #")), urlsafe=urlsafe)

    def type(self, name: str) -> str:
        """Return an event type."""
        return name if name in TYPES or not name else self._made("type", name, "org.example.type#")

    def state_key(self, key: StateKey) -> StateKey:
        """Return the key of an entry in a state."""
        return self.type(key[0]), self.state_text(key[1])

    def state_text(self, text: str) -> str:
        """Return a state key. It keeps its owner, and stays too long if it is, where a rule looks at them."""
        if not self._version.owned_state_keys:
            return self.text(text)
        owner, rest = split_owner(text)
        if not rest or not (owner == "" or is_user_id(owner)):
            return self.text(text)
        most = MAX_AFTER_OWNER if owner else MAX_BYTES
        made = "_" + self._made("text", rest, "text#") if owner else self.text(rest)
        return (self.user(owner) if owner else "") + made.ljust(
            most + 1 if byte_length(rest) > most else 0, "x"
        )

    def key_id(self, name: KeyId) -> KeyId:
        """Return a key ID of the same algorithm, if that is the known one."""
        if name == POLICY_SERVER_KEY:
            return name
        known = name.startswith(f"{ALGORITHM}:")
        return self._made("key ID", name, f"{ALGORITHM}:k#" if known else "other:k#")

    def public_key(self, text: str) -> str:
        """Return a public key in base64; a text that is not one stays so."""
        raw = decode_unpadded(text)
        if raw is None or len(raw) != 32:
            return self.text(text)
        return encode_unpadded(self.secret_of(raw).verify_key.key)

    def secret_of(self, raw: bytes) -> SigningKey:
        """Return the made-up key that takes the place of a public key."""
        if raw not in self.keys:
            self.keys[raw] = signing_key(f"public key {len(self.keys) + 1}")
        return self.keys[raw]

    # Other values

    def text(self, text: str) -> str:
        """Return a text: an identifier if it is one, or words without a sense."""
        if not text:
            return text
        if text[0] == "@":
            return self.user(text)
        if text[0] == "!":
            return self.room(text)
        if text[0] == "$":
            return self.event(text)
        if text in self._server_names:
            return self.server(text)
        return self._made("text", text, "text#")

    def key(self, name: str) -> str:
        """Return the key of an object."""
        if name in KEYS or not name:
            return name
        return self.text(name) if name[0] in "@!$" else self._made("key", name, "key#")

    def value(self, value: JsonValue, key: str = "") -> JsonValue:
        """Return any value, with the same structure. Numbers become 0; booleans and null are kept.

        Args:
            value: the value.
            key: the key that it has.

        Raises:
            RecursionError: if it is nested much deeper than an event may be.
        """
        if type(value) is str:
            is_kept = value in WORDS.get(key, ()) or (key == "room_version" and self._is_version(value))
            return value if is_kept else self.text(value)
        if type(value) is dict:
            return {self.key(name): self.value(item, name) for name, item in value.items()}
        if type(value) is list:
            return [self.value(item) for item in value]
        return value if value is None or type(value) is bool else 0

    def _is_version(self, name: str) -> bool:
        return name == self._version.identifier or is_known(name)

    def level(self, value: JsonValue) -> JsonValue:
        """Return a power level, which is kept; what is not one in any room version becomes something else."""
        if type(value) in (int, float) or (type(value) is str and read_level(value, V9) is not None):
            return value
        return self.value(value)

    def content(self, kind: JsonValue, content: JsonObject) -> JsonObject:
        """Return the content of an event, but for the ``signed`` block of a third-party invite."""
        result: JsonObject = {}
        for name, value in content.items():
            result[self.key(name)] = self._field(kind, name, value)
        return result

    def _field(self, kind: JsonValue, name: str, value: JsonValue) -> JsonValue:
        if kind == "m.room.power_levels":
            return self._power(name, value)
        if kind == "m.room.create" and name == "creator" and type(value) is str:
            return self.user(value)
        if kind == "m.room.redaction" and name == "redacts" and type(value) is str:
            return self.event(value)
        if kind == "m.room.policy" and name == "via" and type(value) is str:
            return self.server(value)
        if kind in ("m.room.third_party_invite", "m.room.policy"):
            return self._public_keys(name, value)
        return self.value(value, name)

    def _power(self, name: str, value: JsonValue) -> JsonValue:
        if type(value) is dict:
            if name == "users":
                return {self.text(user): self.level(level) for user, level in value.items()}
            if name == "events":
                return {self.type(kind): self.level(level) for kind, level in value.items()}
            if name == "notifications":
                return {self.key(what): self.level(level) for what, level in value.items()}
        return self.level(value) if name in DEFAULTS else self.value(value, name)

    def _public_keys(self, name: str, value: JsonValue) -> JsonValue:
        if name in ("public_key", "ed25519") and type(value) is str:
            return self.public_key(value)
        if name == "public_keys" and type(value) is dict:
            return {self.key(key): self._public_keys(key, item) for key, item in value.items()}
        if name == "public_keys" and type(value) is list:
            return [
                {self.key(key): self._public_keys(key, item) for key, item in one.items()}
                if type(one) is dict
                else self.value(one)
                for one in value
            ]
        return self.value(value, name)


def keys_in(content: JsonObject) -> Iterator[bytes]:
    """Yield the public keys that the content of a third-party invite or a policy event gives."""
    listed = content.get("public_keys")
    texts = [content.get("public_key")]
    if type(listed) is list:
        texts += [one.get("public_key") for one in listed if type(one) is dict]
    elif type(listed) is dict:
        texts.append(listed.get("ed25519"))
    for text in texts:
        raw = decode_unpadded(text) if type(text) is str else None
        if raw is not None and len(raw) == 32:
            yield raw
