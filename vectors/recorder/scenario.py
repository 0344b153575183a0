"""The scenario that is played in each room, and its first part: the users of one server.

The second part, with a second server, is in scenario_remote.py.
"""

from homeserver import Json
from remote import RemoteRoom
from scenario_remote import play_remote
from scene import (
    CREATOR_POWER_FROM,
    KNOCK_FROM,
    KNOCK_RESTRICTED_FROM,
    RESTRICTED_FROM,
    STRICT_JSON_FROM,
    Scene,
)


def play(scene: Scene) -> None:
    """Play the whole scenario."""
    open_room(scene)
    settings(scene)
    memberships(scene)
    power(scene)
    if scene.number >= KNOCK_FROM:
        knocks(scene)
    if scene.number >= RESTRICTED_FROM:
        restricted(scene)
    oddities(scene)
    redactions(scene)
    play_remote(scene)


def open_room(scene: Scene) -> None:
    """Create the room. If the version has restricted joins, also create the room that lets users in."""
    alice, version = scene.alice, str(scene.number)
    creation: Json = {"org.roomver.made_up": True}
    if scene.number >= CREATOR_POWER_FROM:
        creation["additional_creators"] = [scene.frank.id]
    scene.room_id = alice.call("POST", "/createRoom", {
        "room_version": version,
        "preset": "private_chat",
        "name": f"Room of version {version}",
        "room_alias_name": f"room-v{version}",
        "creation_content": creation,
        "invite": [scene.bob.id],
        "initial_state": [{"type": "m.room.guest_access", "content": {"guest_access": "can_join"}}],
    })["room_id"]  # fmt: skip
    if scene.number >= RESTRICTED_FROM:
        scene.lounge_id = alice.call(
            "POST", "/createRoom", {"room_version": version, "preset": "public_chat", "name": "Lounge"}
        )["room_id"]
    scene.far = RemoteRoom(scene.remote, scene.server, scene.room_id, version)


def settings(scene: Scene) -> None:
    """Set the state that describes the room."""
    room, alice = scene.room_id, scene.alice
    scene.bob.room(room, "join")
    alice.state(room, "m.room.topic", {"topic": "Made-up talk"})
    alice.state(room, "m.room.name", {"name": "A second name"})
    for visibility in ("world_readable", "shared"):
        alice.state(room, "m.room.history_visibility", {"history_visibility": visibility})
    alice.state(room, "m.room.guest_access", {"guest_access": "forbidden"})
    alias = f"#room-v{scene.number}:hs.example"
    alice.state(room, "m.room.canonical_alias", {"alias": alias, "alt_aliases": [alias]})
    alice.state(
        room, "m.room.server_acl", {"allow": ["*"], "allow_ip_literals": False, "deny": ["*.evil.example"]}
    )
    if scene.number < STRICT_JSON_FROM:
        scene.attempt("m.room.aliases", alice, "m.room.aliases", {"aliases": [alias]}, "hs.example")


def memberships(scene: Scene) -> None:
    """Change memberships in each way that every version has."""
    room, alice = scene.room_id, scene.alice
    alice.room(room, "invite", user_id=scene.carol.id)
    scene.carol.room(room, "leave", reason="no, thanks")
    alice.room(room, "invite", user_id=scene.carol.id, reason="please")
    alice.room(room, "kick", user_id=scene.carol.id, reason="invitation withdrawn")
    scene.rule("public")
    for name in ("carol", "dave", "frank"):
        scene.users[name].room(room, "join")
    scene.dave.state(room, "m.room.member", {"membership": "join", "displayname": "Dävé 🎈"}, scene.dave.id)
    scene.marks["dave says"] = scene.dave.say(room, "Hello")
    scene.dave.room(room, "leave")
    scene.dave.room(room, "join")
    alice.room(room, "kick", user_id=scene.dave.id, reason="too loud")
    alice.room(room, "ban", user_id=scene.dave.id, reason="still too loud")
    alice.room(room, "unban", user_id=scene.dave.id)
    scene.dave.room(room, "join")
    scene.rule("invite")


def power(scene: Scene) -> None:
    """Change power levels: promotions, demotions and required levels."""
    room, bob, carol, dave = scene.room_id, scene.bob, scene.carol, scene.dave
    scene.marks["old levels"] = scene.levels(users={bob.id: 50, carol.id: 75})
    strings = {"ban": "50", "users": {scene.alice.id: "100"}}
    if scene.number < STRICT_JSON_FROM:
        scene.attempt("levels as strings", scene.alice, "m.room.power_levels", strings)
    scene.levels(events={"m.room.power_levels": 50, "org.roomver.custom": 0})
    scene.levels("bob", users={dave.id: 25}, events={"m.room.name": 50})
    bob.room(room, "kick", user_id=dave.id)
    bob.room(room, "invite", user_id=dave.id)
    dave.room(room, "join")
    scene.levels("carol", users={carol.id: 40})
    scene.levels(
        ban=60, kick=40, redact=45, invite=10, state_default=45, notifications={"room": 60}, users_default=5
    )
    carol.room(room, "kick", user_id=dave.id)
    scene.levels("bob", users={bob.id: 49})
    scene.levels(
        ban=50, kick=50, redact=50, invite=0, state_default=50, users_default=0,
        users={bob.id: 80, carol.id: None, dave.id: None}, notifications={"room": 50},
    )  # fmt: skip
    scene.rule("public")
    dave.room(room, "join")
    if scene.number >= CREATOR_POWER_FROM:
        # A level that only a creator reaches. Creators are not listed in `users`.
        scene.levels("frank", events={"m.room.tombstone": 150})


def knocks(scene: Scene) -> None:
    """Knock three times: one knock is accepted, one withdrawn, one rejected."""
    room, alice = scene.room_id, scene.alice
    scene.rule("knock")
    scene.erin.knock(room, "let me in")
    alice.room(room, "invite", user_id=scene.erin.id)
    scene.erin.room(room, "join")
    scene.grace.knock(room, "me too")
    scene.grace.room(room, "leave")
    scene.heidi.knock(room, "and me")
    scene.bob.room(room, "kick", user_id=scene.heidi.id, reason="no")
    scene.erin.room(room, "leave")


def restricted(scene: Scene) -> None:
    """Join under restricted join rules."""
    room = scene.room_id
    for name in ("erin", "grace"):
        scene.users[name].room(scene.lounge_id, "join")
    scene.rule("restricted")
    scene.erin.room(room, "join")
    if scene.number < KNOCK_RESTRICTED_FROM:
        scene.grace.room(room, "join")
        return
    scene.rule("knock_restricted")
    scene.grace.room(room, "join")
    scene.heidi.knock(room, "not in the lounge")
    scene.alice.room(room, "invite", user_id=scene.heidi.id)
    scene.heidi.room(room, "join")


def oddities(scene: Scene) -> None:
    """Send state and messages that contain unusual JSON."""
    room, alice = scene.room_id, scene.alice
    nested = {
        "ключ": "значение", "日本": ["一", "二", {"三": None}], "🎈": True, "\uffff": "after the surrogates?",
        "": "empty name", "a": {"b": {"c": [[], {}, [0, -1, 2**53 - 1, -(2**53) + 1]]}},
        "controls": "\u0000\u0001\b\f\n\r\t\u001f\u007f\u0085\u2028\\\"/", "combining": "e\u0301 é",
        "false": False,
    }  # fmt: skip
    scene.marks["custom"] = alice.state(room, "org.roomver.custom", nested, "ключ 🎈/..")
    alice.state(room, "org.roomver.custom", {}, "")
    scene.dave.state(room, "org.roomver.custom", {"owner": "dave"}, scene.dave.id)
    invite = {
        "display_name": "v...@mail.example",
        "key_validity_url": "https://identity.example/valid",
        "public_key": "a" * 43,
        "public_keys": [{"public_key": "b" * 43, "key_validity_url": "https://identity.example/valid"}],
    }
    alice.state(room, "m.room.third_party_invite", invite, "token-of-alice")
    scene.bob.send(room, {"weird": [None, {"x": ""}]}, "org.roomver.event")
    scene.carol.send(room, {"m.relates_to": {"rel_type": "m.annotation", "key": "👍",
                     "event_id": scene.marks["dave says"]}}, "m.reaction")  # fmt: skip


def redactions(scene: Scene) -> None:
    """Redact messages and state, as their author and as a moderator."""
    room, alice, bob, carol = scene.room_id, scene.alice, scene.bob, scene.carol
    bob.redact(room, bob.say(room, "I take this back"), "by its author")
    bob.redact(room, carol.say(room, "This goes"), "by a moderator")
    carol.redact(room, carol.say(room, "Mine goes too"))
    alice.redact(room, scene.marks["custom"])
    topic = bob.state(room, "m.room.topic", {"topic": "A topic to redact"})
    redaction = bob.redact(room, topic)
    alice.redact(room, redaction, "a redaction redacted")
    member = scene.dave.state(
        room, "m.room.member", {"membership": "join", "displayname": "gone soon"}, scene.dave.id
    )
    bob.redact(room, member)
    alice.redact(room, scene.rule("public"))
    alice.redact(room, scene.levels(notifications={"room": 40}))
