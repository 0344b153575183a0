"""What is played in each room: first among the users of one server, then with a second server."""

import copy
from dataclasses import dataclass, field
from typing import Any

from homeserver import Homeserver, HttpError, Json, User, now_ms
from remote import REMOTE_NAME, Draft, Remote, RemoteRoom
from signedjson.key import encode_verify_key_base64, generate_signing_key, get_verify_key
from signedjson.sign import sign_json

LOCALPARTS = ("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi")
MALLORY, ZOE, YAN, WES, VIC, XAN = (
    f"@{name}:{REMOTE_NAME}" for name in ("mallory", "zoe", "yan", "wes", "vic", "xan")
)
HOUR_MS = 60 * 60 * 1000

KNOCK_FROM = 7
RESTRICTED_FROM = 8
KNOCK_RESTRICTED_FROM = 10
STRICT_JSON_FROM = 6
INTEGER_LEVELS_FROM = 10
CREATOR_POWER_FROM = 12
CREATE_IS_ID_FROM = 12


@dataclass
class Scene:
    """One room under way."""

    server: Homeserver
    users: dict[str, User]
    remote: Remote
    number: int
    room_id: str = ""
    lounge_id: str = ""
    marks: dict[str, str] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)

    def __getattr__(self, name: str) -> User:
        try:
            return self.users[name]
        except KeyError:
            raise AttributeError(name) from None

    def __post_init__(self) -> None:
        self.far: RemoteRoom = None  # type: ignore[assignment] # there is none before the room

    def levels(self, by: str = "alice", **changes: Any) -> str:
        """Send power levels: the present ones with changes; `users` and `events` are merged."""
        content = self.changed_levels(**changes)
        return self.users[by].state(self.room_id, "m.room.power_levels", content)

    def changed_levels(self, **changes: Any) -> Json:
        """The present power levels with changes; a value of None removes the name."""
        content = copy.deepcopy(self.alice.get_state(self.room_id, "m.room.power_levels"))
        for key, value in changes.items():
            if isinstance(value, dict) and isinstance(content.get(key), dict):
                merged = content[key] | value
                content[key] = {name: level for name, level in merged.items() if level is not None}
            else:
                content[key] = value
        return content

    def rule(self, join_rule: str, by: str = "alice") -> str:
        """Change who may join."""
        content: Json = {"join_rule": join_rule}
        if "restricted" in join_rule:
            content["allow"] = [{"type": "m.room_membership", "room_id": self.lounge_id}]
        return self.users[by].state(self.room_id, "m.room.join_rules", content)

    def attempt(self, what: str, user: User, kind: str, content: Json, state_key: str = "") -> str | None:
        """Send a state event that the server may refuse its own users."""
        try:
            return user.state(self.room_id, kind, content, state_key)
        except HttpError as error:
            self.refused.append(f"v{self.number}: {what}: {error.body.get('error')}")
            return None


def play(scene: Scene) -> None:
    """The whole scenario."""
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
    arrivals(scene)
    forks(scene)
    conflicts_of_power(scene)
    late_events(scene)
    forbidden(scene)
    third_party_invites(scene)
    remote_redactions(scene)
    closing(scene)


# Among the users of one server.


def open_room(scene: Scene) -> None:
    """The room and, where joins can be restricted, the other room that lets people in."""
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
    """The state that describes the room."""
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
    """Each way in and out that every version has."""
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
    """Promotions, demotions and thresholds."""
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
        # Above every level that can be given, without a place among the users.
        scene.levels("frank", events={"m.room.tombstone": 150})


def knocks(scene: Scene) -> None:
    """A knock that is answered, one that is taken back, one that is turned down."""
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
    """Joins of those who are in the other room."""
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
    """State and messages with awkward JSON in them."""
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
    """Redactions by authors and by moderators, of messages and of state."""
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


# With the second server.


def arrivals(scene: Scene) -> None:
    """Remote users join by handshake; two of them become moderators."""
    far, remote = scene.far, scene.remote
    remote.join(far, MALLORY)
    remote.join(far, ZOE)
    if scene.number >= RESTRICTED_FROM:
        remote.join(RemoteRoom(remote, scene.server, scene.lounge_id, str(scene.number)), YAN)
        scene.rule("restricted")
        remote.join(far, YAN)
    else:
        remote.join(far, YAN)
    if scene.number >= KNOCK_FROM:
        scene.rule("knock")
        remote.knock(far, WES)
        scene.bob.room(scene.room_id, "kick", user_id=WES, reason="turned down")
        scene.rule("public")
    scene.levels(users={MALLORY: 75, YAN: 50}, events={"m.room.power_levels": 50})
    far.send(text(MALLORY, "Greetings from afar"))


def text(sender: str, body: str, ts: int | None = None) -> Draft:
    """A message."""
    return Draft(sender, "m.room.message", {"msgtype": "m.text", "body": body}, ts=ts)


def topic(sender: str, body: str, ts: int | None = None) -> Draft:
    """A topic."""
    return Draft(sender, "m.room.topic", {"topic": body}, "", ts=ts)


def member(sender: str, target: str, membership: str, **more: Any) -> Draft:
    """A membership."""
    return Draft(sender, "m.room.member", {"membership": membership, **more}, target)


def levels(sender: str, content: Json) -> Draft:
    """Power levels."""
    return Draft(sender, "m.room.power_levels", content, "")


def forks(scene: Scene) -> None:
    """State set on both sides of a fork, each merged by the next local event."""
    room, far, alice, bob = scene.room_id, scene.far, scene.alice, scene.bob

    before = far.tips()
    alice.state(room, "m.room.topic", {"topic": "Fork 1, here"})
    far.send(topic(MALLORY, "Fork 1, there"), before)
    bob.say(room, "Merge 1: one topic against another")

    before, ts = far.tips(), now_ms()
    for sender in (MALLORY, YAN):
        far.send(topic(sender, f"Fork 2, {sender}", ts), before)
    bob.say(room, "Merge 2: two topics of the same millisecond")

    before = far.tips()
    alice.say(room, "Fork 3, here")
    far.send(member(ZOE, ZOE, "join", displayname="Zoë"), before)
    scene.marks["zoe joined"] = far.send(member(ZOE, ZOE, "join", displayname="Zoë Z."), before)
    scene.marks["ban"] = far.send(member(MALLORY, ZOE, "ban", reason="fork 3"), before)
    bob.say(room, "Merge 3: a ban against two changes of name")

    before = far.tips()
    scene.levels(notifications={"room": 45})
    bob.state(room, "m.room.topic", {"topic": "Fork 4, here, after new levels"})
    far.send(topic(MALLORY, "Fork 4, there, under the old levels, but later", now_ms() + HOUR_MS), before)
    bob.say(room, "Merge 4: the line of power levels against the clock")

    before = far.tips()
    scene.dave.state(room, "org.roomver.custom", {"owner": "dave, fork 5"}, scene.dave.id)
    first = far.send(Draft(MALLORY, "m.room.name", {"name": "Fork 5"}, ""), before)
    second = far.send(member(MALLORY, scene.dave.id, "leave", reason="fork 5"), [first])
    far.send(text(MALLORY, "The end of a branch of three"), [second])
    scene.carol.say(room, "Merge 5: a kick against what was said beside it")
    scene.dave.room(room, "join")


def conflicts_of_power(scene: Scene) -> None:
    """Forks where one side takes from the other the right to what it does."""
    room, far, bob = scene.room_id, scene.far, scene.bob

    before = far.tips()
    present = scene.changed_levels()
    demotion = {**present, "users": {k: v for k, v in present["users"].items() if k != YAN}}
    far.send(topic(YAN, "Fork 6, of a moderator"), before)
    far.send(levels(MALLORY, demotion), before)
    bob.say(room, "Merge 6: a topic against its sender's demotion")
    scene.levels(users={YAN: 50})

    before = far.tips()
    there = scene.changed_levels(kick=45, users={scene.carol.id: 10})
    scene.levels(ban=55, users={scene.dave.id: 20})
    far.send(levels(MALLORY, there), before)
    bob.say(room, "Merge 7: power levels against power levels")
    scene.levels(ban=50, kick=50, users={scene.carol.id: None, scene.dave.id: None})

    before = far.tips()
    far.send(member(WES, WES, "join"), before)
    far.send(Draft(MALLORY, "m.room.join_rules", {"join_rule": "invite"}, ""), before)
    bob.say(room, "Merge 8: a join against the rule that forbids it")
    scene.rule("public")

    before = far.tips()
    far.send(member(YAN, scene.carol.id, "ban", reason="fork 9"), before)
    far.send(member(MALLORY, YAN, "leave", reason="fork 9"), before)
    scene.alice.say(room, "Merge 9: a ban against the kick of who bans")
    if scene.carol.id in banned(scene):
        scene.alice.room(room, "unban", user_id=scene.carol.id)
        scene.carol.room(room, "join")
    far.send(member(YAN, YAN, "join"))


def banned(scene: Scene) -> set[str]:
    """The users that the server holds for banned now."""
    rows = scene.server.query(
        "SELECT state_key FROM current_state_events WHERE room_id = ? AND membership = 'ban'", scene.room_id
    )
    return {row[0] for row in rows}


def late_events(scene: Scene) -> None:
    """Events that were allowed where they stand and are not any more: they fail softly."""
    room, far, alice = scene.room_id, scene.far, scene.alice

    soft = far.send(text(ZOE, "From before my ban"), [scene.marks["zoe joined"]], expect="soft_failed")
    far.send(text(MALLORY, "This brings a late message back in"), [soft, far.tips()[0]],
             far.auth_of(text(MALLORY, ""), far.tips()[0]))  # fmt: skip
    alice.say(room, "After the first late event")

    before = far.tips()
    scene.levels(users={YAN: 0})
    soft = far.send(topic(YAN, "Late: I was a moderator"), before, expect="soft_failed")
    far.send(text(MALLORY, "This brings a late topic back in"), [soft, far.tips()[0]],
             far.auth_of(text(MALLORY, ""), far.tips()[0]))  # fmt: skip
    alice.say(room, "After the second late event")
    scene.levels(users={YAN: 50})

    before = far.tips()
    scene.rule("invite")
    far.send(member(XAN, XAN, "join"), before, expect="soft_failed")
    scene.rule("public")

    before = far.tips()
    alice.room(room, "ban", user_id=YAN, reason="late")
    late = far.send(member(YAN, YAN, "join", displayname="Late Yan"), before, expect="soft_failed")
    far.send(text(YAN, "Upon a late event"), [late], expect="soft_failed")
    alice.room(room, "unban", user_id=YAN)
    far.send(member(YAN, YAN, "join", displayname="Yan again"))
    scene.levels("alice", users={YAN: 50})


def forbidden(scene: Scene) -> None:
    """Events that the rules reject, or that never get as far."""
    far, alice_id, bob_id = scene.far, scene.alice.id, scene.bob.id
    present = scene.changed_levels()

    def no(draft: Draft, **more: Any) -> str:
        return far.send(draft, expect=more.pop("expect", "rejected"), **more)

    no(text(ZOE, "Banned, and saying so"))
    stale = far.auth_of(text(ZOE, ""), scene.marks["zoe joined"])
    no(text(ZOE, "Banned, under the auth events of before"), auth=stale)
    no(member(ZOE, ZOE, "join"))
    no(member(ZOE, ZOE, "leave"))
    no(text(XAN, "Never joined"))
    no(topic(WES, "No member, no level"))
    far.send(member(WES, WES, "join"))
    no(topic(WES, "No level"))
    no(member(WES, scene.dave.id, "leave"))
    no(member(YAN, MALLORY, "ban"))
    no(member(MALLORY, alice_id, "ban"))
    no(member(MALLORY, bob_id, "leave"))
    if scene.number >= CREATOR_POWER_FROM:
        no(member(MALLORY, scene.frank.id, "leave"))
    no(member(MALLORY, XAN, "join"))
    no(member(MALLORY, scene.carol.id, "invite"))
    no(member(MALLORY, ZOE, "invite"))
    no(member(MALLORY, MALLORY, "dance"))
    no(Draft(YAN, "org.roomver.custom", {"owner": "not yan"}, MALLORY))
    if scene.number < CREATE_IS_ID_FROM:  # Synapse does not even parse it, later
        no(Draft(YAN, "m.room.create", {"creator": YAN, "room_version": str(scene.number)}, ""))
    if scene.number >= KNOCK_FROM:
        no(member(XAN, XAN, "knock"))
    if scene.number < STRICT_JSON_FROM:
        aliases = {"aliases": [f"#made-up:{REMOTE_NAME}"]}
        far.send(Draft(ZOE, "m.room.aliases", aliases, REMOTE_NAME))
        no(Draft(MALLORY, "m.room.aliases", aliases, "hs.example"))
    forbidden_levels(scene, present)
    forbidden_references(scene)
    forbidden_forms(scene)


def forbidden_levels(scene: Scene, present: Json) -> None:
    """Power levels beyond the sender's own, or out of form."""
    far = scene.far
    users = present["users"]

    def no(content: Json, sender: str = MALLORY, expect: str = "rejected") -> str:
        return far.send(levels(sender, content), expect=expect)

    scene.marks["rejected levels"] = no({**present, "users": {**users, MALLORY: 100}})
    no({**present, "users": {**users, WES: 76}})
    no({**present, "users": {**users, scene.bob.id: 0}})
    no({**present, "users": {**users, MALLORY: 0}}, YAN)
    no({**present, "ban": 76})
    no({**present, "events": {**present["events"], "m.room.tombstone": 0}})
    strings = {**present, "kick": "50", "ban": " 50 ", "users": {**users, YAN: "50"}}
    not_ids = {**present, "users": {**users, "not a user ID": 0}}
    if scene.number < INTEGER_LEVELS_FROM:
        far.send(levels(MALLORY, strings))
        far.send(topic(YAN, "By a level that is a string"))
        far.send(levels(MALLORY, present))
    else:
        no(strings, expect="dropped")
    no(not_ids, expect="dropped")
    if scene.number >= CREATOR_POWER_FROM:
        no({**present, "users": {**users, scene.alice.id: 75}}, expect="dropped")
        no({**present, "users": {**users, scene.frank.id: 75}}, expect="dropped")


def forbidden_references(scene: Scene) -> None:
    """Auth events that do not belong, and events that build on rejected ones."""
    far = scene.far
    tip = far.tips()
    draft = text(MALLORY, "With odd auth events")
    auth = far.auth_of(draft, tip[0])
    a_topic = scene.remote.state_after(far, tip[0])["m.room.topic", ""]
    far.send(draft, tip, [*auth, a_topic], "rejected")
    far.send(draft, tip, [*auth, scene.marks["old levels"]], "rejected")
    without = [event_id for event_id in auth if scene.remote.event(event_id)["type"] != "m.room.member"]
    far.send(draft, tip, without, "rejected")
    old = [scene.marks["rejected levels"] if _is_levels(scene, a) else a for a in auth]
    far.send(draft, tip, old, "rejected")
    if scene.number >= CREATE_IS_ID_FROM:
        create_id = "$" + scene.room_id[1:]
        far.send(draft, tip, [create_id, *auth], "dropped")
    else:
        far.send(
            draft, tip, [a for a in auth if scene.remote.event(a)["type"] != "m.room.create"], "rejected"
        )
    # After a rejected event the state is what it was before it.
    far.send(text(MALLORY, "Upon a rejected event"), [scene.marks["rejected levels"]], auth)
    scene.alice.say(scene.room_id, "After the rejected events")


def _is_levels(scene: Scene, event_id: str) -> bool:
    kind: str = scene.remote.event(event_id)["type"]
    return kind == "m.room.power_levels"


def forbidden_forms(scene: Scene) -> None:
    """Integers beyond JSON's safe range; a wrong content hash; a wrong signature."""
    far, remote = scene.far, scene.remote
    big = Draft(MALLORY, "org.roomver.event", {"big": 2**53, "small": -(2**53)})
    far.send(big, expect="dropped" if scene.number >= STRICT_JSON_FROM else "accepted")

    event_id, pdu = remote.build(far, text(MALLORY, "As it was hashed"), far.tips())
    pdu["content"] = {"msgtype": "m.text", "body": "Changed afterwards"}
    expect_fate(scene, event_id, pdu, "accepted", "changed content")

    event_id, pdu = remote.build(far, topic(MALLORY, "As it was signed"), far.tips())
    ((key_id, value),) = pdu["signatures"][REMOTE_NAME].items()
    pdu["signatures"][REMOTE_NAME][key_id] = ("A" if value[0] != "A" else "B") + value[1:]
    expect_fate(scene, event_id, pdu, "dropped", "changed signature")
    scene.alice.say(scene.room_id, "After the malformed events")


def expect_fate(scene: Scene, event_id: str, pdu: Json, expect: str, what: str) -> None:
    """Deliver a PDU made by hand."""
    became = scene.remote.deliver(event_id, pdu)
    if became != expect:
        scene.far.unexpected.append(f"v{scene.number}: {became}, not {expect}: {what}")


def third_party_invites(scene: Scene) -> None:
    """Invitations by way of an identity server; its key is made up anew."""
    far = scene.far
    key, wrong = generate_signing_key("0"), generate_signing_key("0")
    public = encode_verify_key_base64(get_verify_key(key))
    url = "https://identity.example/valid"
    offer = {"display_name": "v...", "key_validity_url": url, "public_key": public,
             "public_keys": [{"public_key": public, "key_validity_url": url}]}  # fmt: skip
    far.send(Draft(MALLORY, "m.room.third_party_invite", offer, "token-of-mallory"))

    def invite(sender: str, target: str, token: str, signer: Any = key, mxid: str | None = None) -> Draft:
        signed = sign_json({"mxid": mxid or target, "token": token}, "identity.example", signer)
        return member(sender, target, "invite", third_party_invite={"display_name": "v...", "signed": signed})

    far.send(invite(MALLORY, VIC, "token-of-mallory", wrong), expect="rejected")
    far.send(invite(MALLORY, VIC, "token-of-nobody"), expect="rejected")
    far.send(invite(MALLORY, VIC, "token-of-mallory", mxid=XAN), expect="rejected")
    far.send(invite(YAN, VIC, "token-of-mallory"), expect="rejected")
    far.send(invite(MALLORY, ZOE, "token-of-mallory"), expect="rejected")
    scene.rule("invite")
    far.send(invite(MALLORY, VIC, "token-of-mallory"))
    far.send(member(VIC, VIC, "join"))


def remote_redactions(scene: Scene) -> None:
    """Redactions from afar: of one's own, of a neighbour's, of another server's events."""
    room, far = scene.room_id, scene.far

    def redact(sender: str, event_id: str, expect: str = "accepted") -> str:
        draft = Draft(sender, "m.room.redaction", {"reason": f"by {sender}"}, redacts=event_id)
        return far.send(draft, expect=expect)

    redact(WES, far.send(text(WES, "My own")))
    redact(WES, far.send(text(YAN, "A neighbour's")))
    scene.marks["kept"] = scene.carol.say(room, "Another server's, no moderator")
    redact(WES, scene.marks["kept"], "rejected" if scene.far.old_format else "accepted")
    redact(YAN, scene.carol.say(room, "Another server's, by a moderator"))
    redact(YAN, far.send(topic(MALLORY, "A topic to redact from afar")))
    far.send(member(VIC, VIC, "leave"))


def closing(scene: Scene) -> None:
    """The room is replaced; a remote topic beside that leaves two forward extremities."""
    room, far = scene.room_id, scene.far
    # The server copies the topic into the new room, and fails over a redacted one.
    scene.bob.state(room, "m.room.topic", {"topic": "Last words"})
    before = far.tips()
    target = str(min(scene.number + 1, 12))
    scene.alice.call("POST", f"/rooms/{room}/upgrade", {"new_version": target})
    far.send(topic(MALLORY, "Beside the tombstone"), before)
