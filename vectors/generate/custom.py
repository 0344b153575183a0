"""The optional tier: cases of room versions that are not stable.

Some are of proposals, under the names that these give them. The others are derived: a case says which stable
version they are based on, and what changes. Each derived version changes one thing, and its cases are about
that. What is expected follows from the text of the base, and from that of a version that has what changes.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from .constants import (
    ALIASES,
    AUTHORISER,
    CREATE,
    JOIN_RULES,
    MAX_INTEGER,
    MEMBER,
    MESSAGE,
    POWER_LEVELS,
    REDACTION,
    START,
    TOPIC,
)
from .events import SERVER, key_entry, made_up_id, whole
from .independent import Object, base64, redacted, reference_digest, without
from .independent import canonical as encoded
from .rooms import ALICE, BOB, CAROL, DAN, HELLO, Room, server_of
from .scenes import Scene
from .suite import CANONICAL, ERROR, EventsFile, File, page

RESTRICTED = [{"type": "m.room_membership", "room_id": "!other:a.example.org"}]


class Custom:
    """A room version that is not stable.

    Args:
        identifier: its name.
        base: the stable version that it is based on.
        changes: what changes, as the definition of a case has it; None for a version that a proposal names.
    """

    def __init__(self, file: File, identifier: str, base: str, changes: Mapping[str, Any] | None) -> None:
        self.file = file
        self.identifier = identifier
        self.base = base
        self.changes = changes

    def room(self, content: Mapping[str, Any] | None = None, **more: Any) -> Room:
        """Return an empty room of this version, in the event format of its base."""
        return Room(self.base, {"room_version": self.identifier, **(content or {})}, **more)

    def plain(self, users: Mapping[str, Any] | None = None, **levels: Any) -> Room:
        """Return a public room with Alice, Bob and Carol."""
        room = self.room()
        room.member(ALICE, "join")
        room.power(users, **levels)
        room.join_rule("public")
        for user in (BOB, CAROL):
            room.member(user, "join")
        return room

    def case(
        self, operation: str, slug: str, given: Mapping[str, Any], expected: Mapping[str, Any], notes: str
    ) -> None:
        """Add a case."""
        section = {"redact": "redactions", "resolve": "state-resolution"}.get(
            operation, "authorization-rules" if operation == "auth" else "event-format"
        )
        case: dict[str, Any] = {
            "name": f"{operation}.custom.{slug}.v{self.base}",
            "operation": operation,
            "room_version": self.identifier,
        }
        if self.changes is not None:
            case["version"] = {"based_on": self.base, "changes": dict(self.changes)}
        case |= {
            "input": dict(given),
            "expected": dict(expected),
            "spec": CANONICAL if operation == "canonical_json" else page(self.base, section),
            "notes": notes,
        }
        self.file.cases.append(case)

    def auth(self, slug: str, room: Room, event: str, allowed: bool, notes: str) -> None:
        """Add a case of the authorisation rules, in the room's state."""
        state = sorted(room.state.values())
        given = {"events": room.chain([event, *state]), "event": event, "state": state}
        self.case("auth", slug, given, {"allowed": allowed}, notes)


def _members(file: File) -> None:
    off = {"knock": False, "knock_restricted": False}
    version = Custom(file, "org.example.no-knock", "11", off)
    room = version.plain()
    room.join_rule("knock")
    notes = "Without knocking, `knock` is not a membership. No join rule allows it."
    version.auth("no_knock", room, room.try_member(DAN, "knock"), False, notes)
    notes = "Without knocking, `knock` is not a join rule, so an invited user cannot join under it."
    room.was(DAN, "invite")
    version.auth("no_knock.join_rule", room, room.try_member(DAN, "join"), False, notes)

    off = {"restricted_joins": False, "authorising_server_signs": False, "knock_restricted": False}
    version = Custom(file, "org.example.no-restricted", "11", off)
    room = version.plain({BOB: 50})
    room.join_rule("restricted", allow=RESTRICTED)
    cited = room.select(DAN, MEMBER, {"membership": "join"}, DAN)
    event = room.try_member(DAN, "join", content={AUTHORISER: BOB}, auth=cited)
    notes = "Without restricted joins, `restricted` is not a join rule, whoever authorises the join."
    version.auth("no_restricted", room, event, False, notes)
    picked = [[CREATE, ""], [JOIN_RULES, ""], [MEMBER, DAN], [POWER_LEVELS, ""]]
    notes = "Without restricted joins, the selection does not pick the authorising user."
    pdu = room.events[event]
    version.case("auth_types", "no_restricted", {"event": pdu}, {"keys": sorted(picked)}, notes)
    notes = "Without restricted joins, the server of the authorising user need not sign."
    servers = {"servers": [server_of(DAN)]}
    version.case("required_signers", "no_restricted", {"event": pdu}, servers, notes)

    version = Custom(file, "org.example.aliases", "11", {"aliases_rule": True})
    room = version.plain()
    notes = "The rule of versions 1 to 5: the state key must be the sender's domain. Nothing else matters."
    own = room.make(CAROL, ALIASES, {"aliases": []}, server_of(CAROL))
    version.auth("aliases.own", room, own, True, notes)
    other = room.make(ALICE, ALIASES, {"aliases": []}, server_of(CAROL))
    version.auth("aliases.other", room, other, False, notes)


def _creators(file: File) -> None:
    on = {"infinite_creator_level": True, "additional_creators": True}
    version = Custom(file, "org.example.creators", "11", on)
    room = version.room({"additional_creators": [BOB]})
    room.member(ALICE, "join")
    levels = {"users": {CAROL: 100}, "events": {POWER_LEVELS: 100}, "state_default": MAX_INTEGER}
    room.put(ALICE, POWER_LEVELS, levels, "")
    room.join_rule("public")
    for user in (BOB, CAROL):
        room.member(user, "join")
    notes = "The additional creator Bob has an infinite level. It is more than any level that an event needs."
    version.auth("creators.topic", room, room.make(BOB, TOPIC, {"topic": "x"}, ""), True, notes)
    notes = "Power levels must not list a creator."
    event = room.make(CAROL, POWER_LEVELS, {**levels, "users": {CAROL: 100, BOB: 100}}, "")
    version.auth("creators.listed", room, event, False, notes)

    off = {"infinite_creator_level": False, "additional_creators": False}
    version = Custom(file, "org.example.no-creators", "12", off)
    room = version.room({"additional_creators": 5})
    room.member(ALICE, "join")
    room.put(ALICE, POWER_LEVELS, {"users": {BOB: 100}}, "")
    notes = "Creators have no level of their own once there are power levels, which do not list Alice."
    version.auth("no_creators.topic", room, room.make(ALICE, TOPIC, {"topic": "x"}, ""), False, notes)
    notes = "No rule reads `additional_creators`."
    version.auth("no_creators.create", room, room.create, True, notes)

    version = Custom(file, "org.example.creator", "11", {"creator_in_content": True})
    room = version.room({"creator": BOB})
    room.member(BOB, "join")
    room.put(BOB, JOIN_RULES, {"join_rule": "public"}, "")
    room.member(ALICE, "join")
    notes = (
        "The creator is the user in the content of the create event, and has level 100 without power levels."
    )
    version.auth("creator.named", room, room.make(BOB, TOPIC, {"topic": "x"}, ""), True, notes)
    version.auth("creator.sender", room, room.make(ALICE, TOPIC, {"topic": "x"}, ""), False, notes)
    alone = version.room(without=["room_version"])
    notes = "As in versions 1 to 10, a create event without `creator` is rejected."
    version.auth("creator.absent", alone, alone.create, False, notes)


def _levels(file: File) -> None:
    changes = {"power_level_types_checked": False, "string_power_levels": True}
    version = Custom(file, "org.example.strings", "11", changes)
    room = version.plain({BOB: "60"}, state_default="50")
    notes = "A string is a level, as in versions 1 to 9."
    version.auth("strings.topic", room, room.make(BOB, TOPIC, {"topic": "x"}, ""), True, notes)
    event = room.make(ALICE, POWER_LEVELS, room.levels({BOB: "5"}), "")
    version.auth("strings.levels", room, event, True, notes)

    version = Custom(file, "org.example.notifications", "9", {"notification_levels_checked": False})
    room = version.plain({BOB: 50})
    event = room.make(BOB, POWER_LEVELS, {**room.levels({BOB: 50}), "notifications": {"room": 99}}, "")
    notes = "As in versions 1 to 5, anyone who may change power levels may set `notifications` to any level."
    version.auth("notifications", room, event, True, notes)

    version = Custom(file, "org.example.free-redactions", "2", {"redaction_rule": False})
    room = version.plain()
    target = room.put(BOB, MESSAGE, HELLO)
    event = room.make(CAROL, REDACTION, {}, top={"redacts": target})
    notes = "As from version 3 on, no rule rejects a redaction of another server's event."
    version.auth("free_redactions", room, event, True, notes)

    version = Custom(file, "org.example.redacts-on-top", "11", {"redacts_in_content": False})
    room = version.plain()
    first, second = room.put(BOB, MESSAGE, HELLO), room.put(BOB, MESSAGE, HELLO)
    event = room.make(ALICE, REDACTION, {"redacts": first}, top={"redacts": second})
    state = sorted(room.state.values())
    notes = "The target is in `redacts` at the top level, as in versions 1 to 10."
    for slug, target, applies in (("content", first, False), ("top", second, True)):
        events = room.chain([event, target, *state])
        given = {"events": events, "redaction": event, "target": target, "state": state}
        version.case("redaction_applies", f"redacts_on_top.{slug}", given, {"applies": applies}, notes)


def _events(file: File) -> None:
    """One event alone: redaction, ID, format, signatures."""
    version = Custom(
        file, "org.example.topics", "11", {"redaction_keeps_content": {TOPIC: ["topic", "m.topic"]}}
    )
    event = whole("11", TOPIC, {"topic": "About", "m.topic": {}, "more": 1}, state_key="")
    result = {**redacted(event, "11"), "content": {"topic": "About", "m.topic": {}}}
    notes = "Redaction keeps two keys of topics, and so the event ID covers them."
    version.case("redact", "topics", {"event": event}, {"event": result}, notes)
    digest = sha256(encoded(without(result, "signatures"))).digest()
    name = "$" + base64(digest).replace("+", "-").replace("/", "_")
    version.case("event_id", "topics", {"event": event}, {"event_id": name}, notes)
    other = whole("11", "m.room.name", {"name": "Room", "topic": "x"}, state_key="")
    notes = "Other event types stay as they are in the base."
    version.case("redact", "topics.others", {"event": other}, {"event": redacted(other, "11")}, notes)

    keeps = sorted({*redacted(event, "11"), "event_id", "origin"})
    version = Custom(file, "org.example.origin", "11", {"redaction_keeps": keeps})
    event = whole("11", MESSAGE, {"body": "x"}, origin=SERVER, membership="join")
    result = {**redacted(event, "11"), "origin": SERVER}
    notes = "Redaction keeps the top-level key `origin`."
    version.case("redact", "origin", {"event": event}, {"event": result}, notes)

    version = Custom(file, "org.example.base64", "11", {"event_id_form": "hash"})
    event = _with_odd_letters("11")
    name = "$" + base64(reference_digest(event, "11"))
    notes = "Event IDs use the standard alphabet of base64, as in version 3."
    version.case("event_id", "base64", {"event": event}, {"event_id": name}, notes)

    version = Custom(file, "org.example.depth", "11", {"max_depth": 2**31 - 1})
    notes = "The greatest depth is 2^31 - 1."
    for slug, depth in (("greatest", 2**31 - 1), ("above", 2**31)):
        event = whole("11", depth=depth)
        valid = {"valid": depth < 2**31}
        version.case("event_format", f"depth.{slug}", {"event": event}, valid, notes)

    version = Custom(file, "org.example.long-keys", "11", {"max_state_key_bytes": 300})
    notes = "A state key has at most 300 bytes."
    for length in (300, 301):
        event = whole("11", TOPIC, {}, state_key="x" * length)
        valid = {"valid": length == 300}
        version.case("event_format", f"long_keys.{length}", {"event": event}, valid, notes)

    version = Custom(file, "org.example.lenient", "11", {"strict_canonical_json": False})
    text, canonical = '{"b": 1.5, "a": 9007199254740993}', '{"a":9007199254740993,"b":1.5}'
    notes = "Fractions and large integers are canonical JSON, as in versions 1 to 5."
    version.case("canonical_json", "lenient", {"json": text}, {"canonical": canonical}, notes)
    changes = {"strict_canonical_json": True, "float_power_levels": False, "max_depth": MAX_INTEGER}
    version = Custom(file, "org.example.strict", "5", changes)
    notes = "Fractions are not canonical JSON, as from version 6 on."
    version.case("canonical_json", "strict", {"json": '{"a": 1.5}'}, ERROR, notes)

    version = Custom(file, "org.example.any-time", "11", {"key_validity_enforced": False})
    table = {SERVER: {"ed25519:a_1": key_entry(valid_until=START - 1)}}
    notes = "The time until which a key is valid does not matter, as in versions 1 to 4."
    version.case(
        "verify_signatures", "any_time", {"event": whole("11"), "keys": table}, {"valid": True}, notes
    )


def _with_odd_letters(version: str) -> Object:
    """Return an event whose reference hash has ``+`` or ``/`` in base64."""
    for depth in range(1, 100):
        event = whole(version, depth=depth)
        if set("+/") & set(base64(reference_digest(event, version))):
            return event
    raise AssertionError("no such event")


def _resolution(file: File) -> None:
    """The scene of which the algorithms of version 2 and of version 12 differ in the outcome."""
    for identifier, base, algorithm in (
        ("org.example.resolution-2-1", "11", "v2.1"),
        ("org.example.resolution-2", "12", "v2"),
    ):
        version = Custom(file, identifier, base, {"state_resolution": algorithm})
        newest = algorithm == "v2.1"
        scene = Scene(base)
        scene.levels("P1", 3)
        scene.levels("P2", 4, "P1")
        scene.topic("Ta", 100, "P1")
        scene.topic("Tb", 50, "P2")
        notes = (
            "The first auth checks start from an empty state. The mainline is empty, so time orders them."
            if newest
            else "The mainline starts at P2, which both states have. Tb cites P2, so it comes after Ta."
        )
        expected = scene.expected(
            {
                "state": "C MA P2 Ta" if newest else "C MA P2 Tb",
                "mainline_order": "Tb Ta" if newest else "Ta Tb",
            }
        )
        slug = f"resolution.{algorithm.replace('.', '_')}"
        version.case("resolve", slug, scene.given(["C MA P2 Ta", "C MA P2 Tb"]), expected, notes)


def _proposals(file: File) -> None:
    version = Custom(file, "org.matrix.msc3757.11", "11", None)
    room = version.plain({ALICE: 100, BOB: 50}, events={"org.example.thing": 0})

    def owned(slug: str, sender: str, key: str, allowed: bool, notes: str) -> None:
        event = room.make(sender, "org.example.thing", {}, key)
        version.auth(f"msc3757.{slug}", room, event, allowed, notes)

    owned("own", CAROL, CAROL, True, "A state key that is the sender's ID.")
    notes = "A state key that begins with the sender's ID and `_` belongs to the sender."
    owned("own_suffix", CAROL, f"{CAROL}_1", True, notes)
    notes = "A user with a higher level may set another user's state key."
    owned("lower", BOB, f"{CAROL}_1", True, notes)
    notes = "A state key of a user with a level as high as the sender's."
    owned("equal", CAROL, "@dan:a.example.org_1", False, notes)
    owned("higher", CAROL, f"{BOB}_1", False, "A state key of a user with a higher level.")
    owned("no_user", ALICE, "@", False, "A state key that begins with `@` but not with a user ID.")
    owned("other_suffix", CAROL, f"{CAROL}x", False, "The ID in this state key is of another user.")
    notes = "What follows the user ID has 256 bytes, which is as long as it may be."
    owned("suffix.256", CAROL, f"{CAROL}_{'x' * 255}", True, notes)
    owned("suffix.257", CAROL, f"{CAROL}_{'x' * 256}", False, "What follows the user ID has 257 bytes.")
    notes = "A state key without an owner has 255 bytes, which is as long as it may be."
    owned("no_owner.255", CAROL, "x" * 255, True, notes)
    owned("no_owner.256", CAROL, "x" * 256, False, "A state key without an owner has 256 bytes.")

    version = Custom(file, "org.matrix.msc3389.10", "10", None)
    relation = {"rel_type": "m.thread", "event_id": made_up_id("10", "x"), "key": "y"}
    event = whole("10", MESSAGE, {"body": "x", "m.relates_to": relation})
    kept = {key: relation[key] for key in ("rel_type", "event_id")}
    result = {**redacted(event, "10"), "content": {"m.relates_to": kept}}
    notes = "Redaction keeps `rel_type` and `event_id` of a relation."
    version.case("redact", "msc3389", {"event": event}, {"event": result}, notes)
    for slug, odd, notes in (
        ("emptied", {"key": "y"}, "Nothing of the relation is kept, so redaction removes it."),
        ("no_object", "rel_type", "A relation that is not an object is removed."),
    ):
        event = whole("10", MESSAGE, {"body": "x", "m.relates_to": odd})
        result = {**redacted(event, "10"), "content": {}}
        version.case("redact", f"msc3389.{slug}", {"event": event}, {"event": result}, notes)

    version = Custom(file, "org.matrix.msc2870", "11", None)
    acl = {"allow": ["*"], "deny": ["x"], "allow_ip_literals": False}
    event = whole("11", "m.room.server_acl", {**acl, "more": 1}, state_key="")
    result = {**redacted(event, "11"), "content": acl}
    notes = "Redaction keeps the three keys of `m.room.server_acl`."
    version.case("redact", "msc2870", {"event": event}, {"event": result}, notes)

    version = Custom(file, "org.matrix.hydra.11", "12", None)
    room = version.room({"additional_creators": [BOB]})
    room.member(ALICE, "join")
    room.put(ALICE, POWER_LEVELS, {"state_default": MAX_INTEGER}, "")
    room.join_rule("public")
    room.member(BOB, "join")
    notes = "Version 12 was tried under this name: an additional creator has an infinite level."
    version.auth("hydra", room, room.make(BOB, TOPIC, {"topic": "x"}, ""), True, notes)


def files() -> list[File]:
    """Return the files of this area."""
    file = EventsFile("custom/custom.json", "Unstable and derived room versions: the optional tier")
    _members(file)
    _creators(file)
    _levels(file)
    _events(file)
    _resolution(file)
    _proposals(file)
    return [file]
