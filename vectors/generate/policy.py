"""Cases for check 7 on receipt: whether the policy server of a room has signed an event.

The policy server signs with a key of its own, which the ``m.room.policy`` event in the current state names.
The ID of that key is always ``ed25519:policy_server``.
"""

from collections.abc import Callable, Mapping
from typing import Any

from .constants import MEMBER, MESSAGE, POWER_LEVELS, REDACTION, TOPIC
from .independent import Object, base64, public_key, redacted, seed_of, signature, unbase64
from .rooms import ALICE, BOB, CAROL, DAN, HELLO, Room, plain_room, server_of
from .suite import SPEC, EventsFile, File
from .versions import ALL, Versions, spread

POLICY = "m.room.policy"
KEY_ID = "ed25519:policy_server"
SERVER = server_of(BOB)
SEED = seed_of(SERVER, KEY_ID)
OTHER_SEED = seed_of(SERVER, "ed25519:policy_server_before")
ENABLED = f"{SPEC}/server-server-api/#determining-if-a-policy-server-is-enabled-in-a-room"
VALID = f"{SPEC}/server-server-api/#validating-policy-server-signatures"

CONTENT: Object = {"via": SERVER, "public_keys": {"ed25519": public_key(SEED)}}


def recommend(
    room: Room, event_id: str, *, seed: str = SEED, server: str = SERVER, key_id: str = KEY_ID
) -> str:
    """Add the policy server's signature to an event of a room, and return its ID, which stays the same."""
    event = room.events[event_id]
    made = signature(redacted(event, room.version), seed)
    return sign_with(room, event_id, made, server, key_id)


def sign_with(room: Room, event_id: str, text: Any, server: str = SERVER, key_id: str = KEY_ID) -> str:
    """Put a value in the place of the policy server's signature."""
    event = room.events[event_id]
    old = event["signatures"]
    room.events[event_id] = {
        **event,
        "signatures": {**old, server: {**old.get(server, {}), key_id: text}},
    }
    return event_id


def policy_room(version: str, content: Any = CONTENT, state_key: str = "") -> Room:
    """Return a room of Alice, Bob and Carol that uses the policy server on Bob's server."""
    room = plain_room(version, joined=[BOB, CAROL])
    room.put(ALICE, POLICY, content, state_key)
    return room


class _Cases:
    """The cases of the file. Each row gets other room versions than the one before it."""

    def __init__(self, file: File) -> None:
        self.file = file
        self.rows = 0

    def case(
        self,
        slug: str,
        passes: bool,
        notes: str,
        make: Callable[[str], tuple[Room, str]],
        spec: str = VALID,
        versions: Versions = (),
    ) -> None:
        """Add a case in some room versions.

        Args:
            make: takes the room version, and returns the room and the ID of the event that is checked.
        """
        for version in versions or spread(self.rows, count=2):
            room, event_id = make(version)
            state = sorted(room.state.values())
            given = {"events": room.chain([event_id, *state]), "event": event_id, "state": state}
            self.file.add(f"policy.{slug}", version, given, {"passes": passes}, spec=spec, notes=notes)
        self.rows += 1


def message(room: Room, sender: str = CAROL) -> str:
    """Build a message."""
    return room.make(sender, MESSAGE, HELLO)


def _signed(version: str) -> tuple[Room, str]:
    room = policy_room(version)
    return room, recommend(room, message(room))


def _unsigned(version: str) -> tuple[Room, str]:
    room = policy_room(version)
    return room, message(room)


def _signatures(cases: _Cases) -> None:
    cases.case("signed", True, "The policy server has signed the event.", _signed, versions=ALL)
    cases.case("not_signed", False, "The policy server has not signed the event.", _unsigned, versions=ALL)

    def with_text(text: Any) -> Callable[[str], tuple[Room, str]]:
        def make(version: str) -> tuple[Room, str]:
            room, event_id = _signed(version)
            good = room.events[event_id]["signatures"][SERVER][KEY_ID]
            return room, sign_with(room, event_id, text(good))

        return make

    for slug, text, notes in (
        ("empty", lambda _: "", "The signature is an empty string."),
        ("truncated", lambda good: good[:-2], "The signature lacks its last byte."),
        ("one_bit", _one_bit, "One bit of the signature is wrong."),
        ("of_other_event", _of_other_event, "The signature is that of another event."),
    ):
        cases.case(f"signature.{slug}", False, notes, with_text(text))

    def signed_as(**how: Any) -> Callable[[str], tuple[Room, str]]:
        def make(version: str) -> tuple[Room, str]:
            room = policy_room(version)
            return room, recommend(room, message(room), **how)

        return make

    notes = "The signature is made with a key that m.room.policy no longer names."
    cases.case("other_key", False, notes, signed_as(seed=OTHER_SEED))
    notes = "The key is right, but its ID must be ed25519:policy_server."
    cases.case("other_key_id", False, notes, signed_as(key_id="ed25519:1"))
    notes = "The signature is under the name of another server."
    cases.case("other_server", False, notes, signed_as(server="x.example.org"))
    notes = (
        "The key that the server publishes for its events does not count, although its signature is valid."
    )
    cases.case(
        "published_key", False, notes, signed_as(seed=seed_of(SERVER, "ed25519:1"), key_id="ed25519:1")
    )

    def by_bob(also: bool) -> Callable[[str], tuple[Room, str]]:
        def make(version: str) -> tuple[Room, str]:
            room = policy_room(version)
            event_id = message(room, BOB)
            return room, recommend(room, event_id) if also else event_id

        return make

    notes = "The sender is on the policy server's own server: the event needs the signatures of both keys."
    cases.case("own_server.signed", True, notes, by_bob(also=True))
    notes = (
        "The sender is on the policy server's own server. The usual signature of its server is not enough."
    )
    cases.case("own_server.not_signed", False, notes, by_bob(also=False))

    def changed(change: Callable[[Object, str], Object]) -> Callable[[str], tuple[Room, str]]:
        def make(version: str) -> tuple[Room, str]:
            room, event_id = _signed(version)
            room.events[event_id] = change(room.events[event_id], version)
            return room, event_id

        return make

    notes = "The signature covers the redacted form, so a redacted copy has it too."
    cases.case("redacted", True, notes, changed(redacted))
    notes = "`unsigned` is not signed."
    cases.case("unsigned_added", True, notes, changed(lambda pdu, _: {**pdu, "unsigned": {"age": 7}}))
    notes = "`hashes` is signed and was changed."
    hashes = {"hashes": {"sha256": base64(bytes(32))}}
    cases.case("hashes_changed", False, notes, changed(lambda pdu, _: {**pdu, **hashes}))


def _one_bit(good: str) -> str:
    raw = bytearray(unbase64(good))
    raw[0] ^= 1
    return base64(bytes(raw))


def _of_other_event(_: str) -> str:
    return signature({"type": "x"}, SEED)


def _kinds(cases: _Cases) -> None:
    """Which events need the signature: all but one kind."""

    def sent(
        sender: str, kind: str, content: Any, state_key: str | None, signed: bool = False
    ) -> Callable[[str], tuple[Room, str]]:
        def make(version: str) -> tuple[Room, str]:
            room = policy_room(version)
            event_id = room.make(sender, kind, content, state_key)
            return room, recommend(room, event_id) if signed else event_id

        return make

    new = {"via": "x.example.org", "public_keys": {"ed25519": public_key(OTHER_SEED)}}
    notes = "The event that names the policy server needs no signature, so a room can always change it."
    cases.case("kind.policy", True, notes, sent(ALICE, POLICY, new, ""), versions=ALL)
    notes = "Only the empty state key is exempt."
    cases.case("kind.policy_other_key", False, notes, sent(ALICE, POLICY, new, "x"))
    notes = "A message of the type m.room.policy is not exempt."
    cases.case("kind.policy_message", False, notes, sent(ALICE, POLICY, new, None))
    notes = "The type that the proposal used before it was accepted is not exempt."
    cases.case("kind.policy_unstable", False, notes, sent(ALICE, "org.matrix.msc4284.policy", new, ""))
    notes = "State events need the signature too."
    cases.case("kind.state", False, notes, sent(ALICE, TOPIC, {"topic": "x"}, ""))
    cases.case("kind.state.signed", True, notes, sent(ALICE, TOPIC, {"topic": "x"}, "", signed=True))
    notes = "Member events need the signature too: a join, a leave, a ban."
    cases.case("kind.join", False, notes, sent(DAN, MEMBER, {"membership": "join"}, DAN))
    cases.case("kind.join.signed", True, notes, sent(DAN, MEMBER, {"membership": "join"}, DAN, signed=True))
    cases.case("kind.leave", False, notes, sent(CAROL, MEMBER, {"membership": "leave"}, CAROL))
    cases.case("kind.ban", False, notes, sent(ALICE, MEMBER, {"membership": "ban"}, CAROL))
    notes = "Power levels need the signature too."
    levels = {"users": {CAROL: 50}}
    cases.case("kind.power_levels", False, notes, sent(ALICE, POWER_LEVELS, levels, ""))
    notes = "Redactions need the signature too."
    cases.case("kind.redaction", False, notes, sent(ALICE, REDACTION, {"redacts": "$x"}, None))


def _enabled(cases: _Cases) -> None:
    """Whether the room uses a policy server at all. The events are not signed by one."""

    def case(slug: str, passes: bool, notes: str, content: Any, versions: Versions = ()) -> None:
        def make(version: str) -> tuple[Room, str]:
            room = policy_room(version, content)
            return room, message(room)

        cases.case(f"content.{slug}", passes, notes, make, ENABLED, versions)

    def none(version: str) -> tuple[Room, str]:
        room = plain_room(version, joined=[BOB, CAROL])
        return room, message(room)

    def under_a_key(version: str) -> tuple[Room, str]:
        room = policy_room(version, state_key="x")
        return room, message(room)

    cases.case("no_policy", True, "The room has no m.room.policy event.", none, ENABLED, ALL)
    notes = "Only the m.room.policy event with the empty state key counts."
    cases.case("policy_under_a_key", True, notes, under_a_key, ENABLED)
    keys = CONTENT["public_keys"]
    case("empty", True, "An empty content disables the policy server.", {})
    for label, via in (("absent", None), ("number", 5), ("array", [SERVER]), ("object", {"name": SERVER})):
        content: Mapping[str, Any] = {"public_keys": keys, **({} if via is None else {"via": via})}
        case(f"via_{label}", True, "Without a string in `via` the event is not valid.", content)
    case("via_null", True, "Without a string in `via` the event is not valid.", {**CONTENT, "via": None})
    for label, value in (("null", None), ("array", [keys["ed25519"]]), ("string", keys["ed25519"])):
        notes = "Without an object in `public_keys` the event is not valid."
        case(f"public_keys_{label}", True, notes, {**CONTENT, "public_keys": value})
    notes = "Without an object in `public_keys` the event is not valid."
    case("public_keys_absent", True, notes, {"via": SERVER})
    notes = "The key of the proposal, `public_key`, has no meaning."
    case("public_key", True, notes, {"via": SERVER, "public_key": keys["ed25519"]})
    for label, value in (("absent", {}), ("number", {"ed25519": 5}), ("null", {"ed25519": None})):
        notes = "Without a string for `ed25519` the event is not valid."
        case(f"ed25519_{label}", True, notes, {**CONTENT, "public_keys": value})
    notes = "Other algorithms are not supported, so the event needs a key for ed25519."
    case("other_algorithm", True, notes, {**CONTENT, "public_keys": {"rsa": keys["ed25519"]}})
    notes = "A string is enough for the event to be valid. If it is not a key, no signature can be."
    for label, text in (("short", base64(bytes(31))), ("no_base64", "@"), ("empty", "")):
        case(f"key_{label}", False, notes, {**CONTENT, "public_keys": {"ed25519": text}})
    notes = "Further keys of the content change nothing."
    more = {**CONTENT, "public_keys": {**keys, "rsa": "x"}, "org.example.key": 1}
    case("more", False, notes, more)


def _joined(cases: _Cases) -> None:
    """Whether the policy server has a joined user in the room."""

    def room_of(make: Callable[[Room], None], via: str = SERVER) -> Callable[[str], tuple[Room, str]]:
        def built(version: str) -> tuple[Room, str]:
            room = plain_room(version, joined=[CAROL])
            make(room)
            room.put(ALICE, POLICY, {**CONTENT, "via": via}, "")
            return room, message(room)

        return built

    notes = "A policy server without a joined user in the room is not used."
    never = "No user of the policy server was ever in the room, so it is not used."
    cases.case("joined.never", True, never, room_of(lambda room: None), ENABLED, ALL)
    for membership in ("leave", "invite", "ban"):
        cases.case(
            f"joined.{membership}",
            True,
            notes,
            room_of(lambda room, before=membership: room.was(BOB, before)),  # type: ignore[misc]
            ENABLED,
        )

    def another(room: Room) -> None:
        room.was(BOB, "leave")
        room.member(f"@erin:{SERVER}", "join")

    cases.case("joined.another", False, "Any joined user of the server will do.", room_of(another), ENABLED)
    with_port = f"@erin:{SERVER}:8448"
    notes = "The port is a part of the server's name: the joined user is on another server."
    cases.case("joined.port", True, notes, room_of(lambda room: _join(room, with_port)), ENABLED)
    notes = "The port is a part of the server's name."
    cases.case(
        "joined.same_port",
        False,
        notes,
        room_of(lambda room: _join(room, with_port), via=f"{SERVER}:8448"),
        ENABLED,
    )

    def replaced(version: str) -> tuple[Room, str]:
        room = policy_room(version, {**CONTENT, "public_keys": {"ed25519": public_key(OTHER_SEED)}})
        room.put(ALICE, POLICY, CONTENT, "")
        return room, recommend(room, message(room), seed=OTHER_SEED)

    def disabled(version: str) -> tuple[Room, str]:
        room = policy_room(version)
        room.put(ALICE, POLICY, {}, "")
        return room, message(room)

    notes = "The key was replaced. Only the one in the current state counts."
    cases.case("replaced", False, notes, replaced)
    notes = "The policy server was disabled. Only the event in the current state counts."
    cases.case("disabled", True, notes, disabled, ENABLED)


def _join(room: Room, user: str) -> None:
    room.member(user, "join")


def files() -> list[File]:
    """Return the files of this area."""
    file = EventsFile("receipt/policy.json", "Policy servers: check 7 on receipt of an event")
    cases = _Cases(file)
    _signatures(cases)
    _kinds(cases)
    _enabled(cases)
    _joined(cases)
    return [file]
