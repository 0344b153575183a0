"""The second part of the scenario: events from a second server, forks, and events that the rules forbid."""

from typing import Any

from homeserver import Json, now_ms
from remote import REMOTE_NAME, Draft, RemoteRoom
from scene import (
    CREATE_IS_ID_FROM,
    CREATOR_POWER_FROM,
    INTEGER_LEVELS_FROM,
    KNOCK_FROM,
    RESTRICTED_FROM,
    STRICT_JSON_FROM,
    Scene,
)
from signedjson.key import encode_verify_key_base64, generate_signing_key, get_verify_key
from signedjson.sign import sign_json

MALLORY, ZOE, YAN, WES, VIC, XAN = (
    f"@{name}:{REMOTE_NAME}" for name in ("mallory", "zoe", "yan", "wes", "vic", "xan")
)
HOUR_MS = 60 * 60 * 1000


def play_remote(scene: Scene) -> None:
    """Play the second part of the scenario."""
    arrivals(scene)
    forks(scene)
    conflicts_of_power(scene)
    late_events(scene)
    forbidden(scene)
    third_party_invites(scene)
    remote_redactions(scene)
    closing(scene)


def arrivals(scene: Scene) -> None:
    """Remote users join over federation, and two of them become moderators."""
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
    """Return a text message."""
    return Draft(sender, "m.room.message", {"msgtype": "m.text", "body": body}, ts=ts)


def topic(sender: str, body: str, ts: int | None = None) -> Draft:
    """Return a topic."""
    return Draft(sender, "m.room.topic", {"topic": body}, "", ts=ts)


def member(sender: str, target: str, membership: str, **more: Any) -> Draft:
    """Return a membership."""
    return Draft(sender, "m.room.member", {"membership": membership, **more}, target)


def levels(sender: str, content: Json) -> Draft:
    """Return power levels."""
    return Draft(sender, "m.room.power_levels", content, "")


def forks(scene: Scene) -> None:
    """Set state on both sides of forks. The next local event merges each fork."""
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
    """Fork so that one side takes away the power that the other side uses."""
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
    """Return the users who are banned in the server's current state."""
    rows = scene.server.query(
        "SELECT state_key FROM current_state_events WHERE room_id = ? AND membership = 'ban'", scene.room_id
    )
    return {row[0] for row in rows}


def late_events(scene: Scene) -> None:
    """Send late events that the state at their place allows and the current state does not: soft failures."""
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
    """Send events that the rules reject, or that are dropped before."""
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
    if scene.number < CREATE_IS_ID_FROM:  # later versions do not even parse in Synapse
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
    """Send power levels above the sender's own, and malformed ones."""
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
    """Send events with wrong auth events, and events that follow rejected ones."""
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
    # The state after a rejected event is the state before it.
    far.send(text(MALLORY, "Upon a rejected event"), [scene.marks["rejected levels"]], auth)
    scene.alice.say(scene.room_id, "After the rejected events")


def _is_levels(scene: Scene, event_id: str) -> bool:
    kind: str = scene.remote.event(event_id)["type"]
    return kind == "m.room.power_levels"


def forbidden_forms(scene: Scene) -> None:
    """Send integers out of range, a wrong content hash and a wrong signature."""
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
    """Deliver a PDU and check what the server does with it."""
    became = scene.remote.deliver(event_id, pdu)
    if became != expect:
        scene.far.unexpected.append(f"v{scene.number}: {became}, not {expect}: {what}")


def third_party_invites(scene: Scene) -> None:
    """Send third-party invites. The key of the identity server is new on each run."""
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
    """Redact from the second server: own events, those of its other users, and those of the homeserver."""
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
    """Upgrade the room. A remote topic beside the tombstone leaves two forward extremities."""
    room, far = scene.room_id, scene.far
    # The server copies the topic into the new room, and fails if it is redacted.
    scene.bob.state(room, "m.room.topic", {"topic": "Last words"})
    before = far.tips()
    target = str(min(scene.number + 1, 12))
    scene.alice.call("POST", f"/rooms/{room}/upgrade", {"new_version": target})
    far.send(topic(MALLORY, "Beside the tombstone"), before)
