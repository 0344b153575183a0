"""The rooms of the database for tests: some are local, and some of them were joined at another server.

`here` is the homeserver whose database is kept, and `there` is a second Synapse. A third server is only a
signing key (remote.py).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from homeserver import Homeserver, Json, User, quote
from network import Gate
from remote import Draft, Remote, RemoteRoom, fate
from scenario_remote import MALLORY, WES, YAN, ZOE, levels, member, text, topic
from scene import CREATOR_POWER_FROM, STRICT_JSON_FROM, Scene

WAIT_SECONDS = 60
HERE_LOCALPARTS = ("alice", "bob", "carol", "frank")
NOTE = "org.roomver.note"
THERE_LOCALPARTS = ("uma", "vik", "xena", "yuri")


def wait_for(what: str, done: Callable[[], bool], seconds: float = WAIT_SECONDS) -> None:
    """Wait until a condition holds.

    Raises:
        TimeoutError: It does not hold in time.
    """
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(0.05)


@dataclass
class World:
    """Two Synapses, the gates in front of them, and the key that signs as a third server.

    Attributes:
        gate_here: the gate through which `there` reaches `here`.
        gate_there: the gate through which `here` reaches `there`.
        unexpected: what did not go as the scenario expects.
        names: what each room of the scenario is for, by room ID.
    """

    here: Homeserver
    there: Homeserver
    gate_here: Gate
    gate_there: Gate
    remote: Remote
    remote_there: Remote
    users: dict[str, User]
    unexpected: list[str] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)

    def has(self, server: Homeserver, event_id: str) -> bool:
        """Return whether a server has handled an event and has it in a room's history."""
        rows = server.query("SELECT 1 FROM events WHERE event_id = ? AND NOT outlier", event_id)
        staged = server.query("SELECT 1 FROM federation_inbound_events_staging WHERE event_id = ?", event_id)
        return bool(rows) and not staged

    def arrived(self, server: Homeserver, event_id: str) -> str:
        """Wait until a server has an event, and return the event's ID."""
        wait_for(f"{event_id} at {server.name}", lambda: self.has(server, event_id))
        return event_id

    def lose(self, room_id: str, action: Callable[[], object]) -> None:
        """Do something at `there` of which `here` does not learn.

        Each event must be lost before the next one, as `there` sends several in one transaction.
        """
        self.gate_here.lost.add(room_id)
        before = self.gate_here.dropped
        action()
        wait_for("a lost transaction", lambda: self.gate_here.dropped > before)
        self.gate_here.lost.discard(room_id)

    def expect(self, what: str, became: str, expected: str) -> None:
        """Note an outcome that is not the expected one."""
        if became != expected:
            self.unexpected.append(f"{became}, not {expected}: {what}")


def create(world: World, owner: str, name: str, number: int, invite: tuple[str, ...] = ()) -> str:
    """Create a public room and return its ID."""
    content: Json = {
        "room_version": str(number),
        "preset": "public_chat",
        "name": name,
        "invite": [world.users[localpart].id for localpart in invite],
    }
    if number >= CREATOR_POWER_FROM and "frank" in invite:
        content["creation_content"] = {"additional_creators": [world.users["frank"].id]}
    room_id: str = world.users[owner].call("POST", "/createRoom", content)["room_id"]
    world.names[room_id] = name
    return room_id


# A room that was created here.


def play_local(world: World, number: int) -> None:
    """Play a room of which the database has the whole history."""
    scene = Scene(world.here, world.users, world.remote, number)
    room = scene.room_id = create(world, "alice", f"local-v{number}", number, ("bob", "frank"))
    far = scene.far = RemoteRoom(world.remote, world.here, room, str(number))
    alice, bob, carol = scene.alice, scene.bob, scene.carol
    for user in (bob, carol):
        user.room(room, "join")
    for user_id in (MALLORY, ZOE, YAN):
        world.remote.join(far, user_id)
    scene.levels(users={bob.id: 50, MALLORY: 75, YAN: 50}, events={"m.room.power_levels": 50})
    old_levels = far.tips()
    bob.redact(room, carol.say(room, "This goes"), "by a moderator")
    far.send(text(MALLORY, "Greetings from afar"))

    before = far.tips()
    alice.state(room, "m.room.topic", {"topic": "Fork 1, here"})
    far.send(topic(MALLORY, "Fork 1, there"), before)
    bob.say(room, "Merge 1: one topic against another")

    before = far.tips()
    joined = far.send(member(ZOE, ZOE, "join", displayname="Zoë"), before)
    far.send(member(MALLORY, ZOE, "ban", reason="fork 2"), before)
    bob.say(room, "Merge 2: a ban against a change of name")

    before = far.tips()
    present = scene.changed_levels()
    demotion = {**present, "users": {k: v for k, v in present["users"].items() if k != YAN}}
    far.send(topic(YAN, "Fork 3, of a moderator"), before)
    far.send(levels(MALLORY, demotion), before)
    bob.say(room, "Merge 3: a topic against its sender's demotion")

    soft = far.send(text(ZOE, "From before my ban"), [joined], expect="soft_failed")
    far.send(
        text(MALLORY, "This brings a late message back in"),
        [soft, far.tips()[0]],
        far.auth_of(text(MALLORY, ""), far.tips()[0]),
    )
    far.send(topic(YAN, "Late: I was a moderator"), old_levels, expect="soft_failed")
    far.send(text(ZOE, "Banned, and saying so"), expect="rejected")
    far.send(topic(WES, "Never joined"), expect="rejected")
    far.send(topic(YAN, "No level"), expect="rejected")
    above = {**present, "users": {**present["users"], MALLORY: 100}}
    rejected = far.send(levels(MALLORY, above), expect="rejected")
    auth = far.auth_of(text(MALLORY, ""), far.tips()[0])
    far.send(text(MALLORY, "Upon a rejected event"), [rejected], auth)
    alice.say(room, "After the rejected events")
    redaction = Draft(MALLORY, "m.room.redaction", {"reason": "from afar"}, redacts=soft)
    far.send(redaction)
    bob.redact(room, bob.state(room, "m.room.topic", {"topic": "A topic to redact"}))

    before = far.tips()
    alice.state(room, "m.room.topic", {"topic": "Here, at the end"})
    far.send(topic(MALLORY, "There, at the end"), before)
    world.unexpected += far.unexpected


# Rooms that were created there.


def history_there(world: World, name: str, number: int) -> str:
    """Create a room at the other server, with a history before anybody here joins."""
    uma, vik, xena = world.users["uma"], world.users["vik"], world.users["xena"]
    room = create(world, "uma", name, number)
    for user in (vik, xena, world.users["yuri"]):
        user.room(room, "join")
    levels_there(uma, room, users={vik.id: 50})
    vik.state(room, "m.room.topic", {"topic": "Before anybody here"})
    xena.say(room, "Soon banned")
    vik.redact(room, xena.say(room, "Soon redacted"))
    vik.room(room, "ban", user_id=xena.id, reason="made up")
    for number_of in range(3):
        uma.say(room, f"History {number_of}")
    return room


def levels_there(user: User, room_id: str, **changes: Json) -> None:
    """Change the power levels. `users` and `events` are merged."""
    content = user.get_state(room_id, "m.room.power_levels")
    for key, value in changes.items():
        content[key] = content[key] | value
    user.state(room_id, "m.room.power_levels", content)


def join_here(world: World, localpart: str, room_id: str) -> None:
    """Join a room of the other server."""
    world.users[localpart].call("POST", f"/join/{quote(room_id)}?server_name={world.there.name}")


def play_late(world: World, number: int) -> None:
    """Join late with the whole state, then miss history twice, and fetch some of it."""
    room = history_there(world, f"late-v{number}", number)
    here, there, users = world.here, world.there, world.users
    alice, bob, uma, vik = users["alice"], users["bob"], users["uma"], users["vik"]
    world.gate_there.whole_joins.add(room)
    join_here(world, "alice", room)
    world.arrived(here, uma.say(room, "Welcome"))
    world.arrived(there, alice.say(room, "Thanks"))
    join_here(world, "bob", room)

    # A gap: the newest event of get_missing_events comes, the state before it is fetched.
    world.gate_there.missing_limit = 2
    world.lose(room, lambda: vik.state(room, "m.room.topic", {"topic": "Not seen here"}))
    for number_of in range(3):
        world.lose(room, partial(uma.say, room, f"Lost {number_of}"))
    world.arrived(here, uma.say(room, "After the first gap"))

    # A gap beside an event of this server: a fork of which one side is bridged.
    world.lose(room, lambda: levels_there(uma, room, events={"m.room.topic": 60}))
    world.lose(room, lambda: users["yuri"].room(room, "leave"))
    said = alice.say(room, "Said in ignorance of new levels")
    world.arrived(there, said)
    for number_of in range(2):
        world.lose(room, partial(uma.say, room, f"Lost again {number_of}"))
    world.arrived(here, uma.say(room, "After the second gap"))

    # A fork without a gap. The limit stays, or the answer would also have the lost events.
    world.gate_there.missing_limit = 1
    world.lose(room, lambda: uma.state(room, "m.room.topic", {"topic": "Fork, there"}))
    world.arrived(there, bob.say(room, "Fork, here"))
    world.arrived(here, uma.say(room, "Merge"))
    world.gate_there.missing_limit = None

    strangers(world, room, number)
    alice.redact(room, said, "taken back")
    if number != 1:
        # Parts of the missing history are fetched.
        world.gate_there.backfill_limit = 1
        alice.call("GET", f"/rooms/{quote(room)}/messages?dir=b&limit=100")
        world.gate_there.backfill_limit = None


def strangers(world: World, room: str, number: int) -> None:
    """Have the third server's events rejected and soft-failed in a room that was joined late."""
    far = RemoteRoom(world.remote, world.here, room, str(number))
    for user_id in (MALLORY, ZOE):
        joined = world.remote.join(far, user_id)
        world.arrived(world.there, joined)
    before = [far.send(text(ZOE, "Hello"))]
    world.users["uma"].room(room, "ban", user_id=ZOE, reason="made up")
    banned = "SELECT 1 FROM current_state_events WHERE room_id = ? AND state_key = ? AND membership = 'ban'"
    wait_for("the ban", lambda: bool(world.here.query(banned, room, ZOE)))
    far.send(text(ZOE, "From before my ban"), before, expect="soft_failed")
    far.send(text(ZOE, "Banned, and saying so"), expect="rejected")
    far.send(topic(MALLORY, "No level"), expect="rejected")
    far.send(text(MALLORY, "Allowed"))
    world.users["alice"].say(room, "After the strangers")
    world.unexpected += far.unexpected


def play_partial(world: World, number: int, *, finish: bool) -> None:
    """Join with partial state, receive events, and finish the resync or not."""
    name = f"{'finished' if finish else 'partial'}-v{number}"
    room = history_there(world, name, number)
    here, there, users = world.here, world.there, world.users
    alice, uma, vik, yuri = users["alice"], users["uma"], users["vik"], users["yuri"]
    # The join's answer omits memberships. It has Zoë's join, as an auth event of her note, and not her ban.
    far = RemoteRoom(world.remote_there, there, room, str(number))
    for user_id in (ZOE, MALLORY):
        world.remote_there.join(far, user_id)
    levels_there(uma, room, events={NOTE: 0})
    far.send(Draft(ZOE, NOTE, {"note": "made up"}, ""))
    stale = far.auth_of(text(ZOE, ""), far.tips()[0])
    uma.room(room, "ban", user_id=ZOE, reason="made up")
    world.unexpected += far.unexpected

    if finish:
        world.gate_there.released.clear()
    else:
        world.gate_there.stateless.add(room)
    join_here(world, "alice", room)
    if not is_partial(world, room):
        world.unexpected.append(f"{name}: the join is not partial")
    world.arrived(here, uma.say(room, "Welcome"))
    world.arrived(there, alice.say(room, "Thanks"))
    world.arrived(here, yuri.say(room, "By a member whom the join did not name"))
    world.arrived(here, vik.state(room, "m.room.topic", {"topic": "By a moderator not named"}))
    alice.state(room, "m.room.member", {"membership": "join", "displayname": "Alice P."}, alice.id)
    banned = world.remote_there.build(far, text(ZOE, "Banned, and saying so"), far.tips(), stale)
    world.expect(f"{name}: banned, before the resync", world.remote.deliver(*banned), "accepted")
    no_level = world.remote_there.build(far, topic(ZOE, "No level"), far.tips(), stale)
    world.expect(f"{name}: no level", world.remote.deliver(*no_level), "rejected")
    world.arrived(here, vik.say(room, "After them"))
    yuri.room(room, "leave")
    world.arrived(here, uma.say(room, "After a leave"))
    alice.say(room, "At the end")
    if finish:
        world.gate_there.released.set()
        wait_for("the resync", lambda: not is_partial(world, room))
        world.expect(f"{name}: banned, after the resync", fate(here, banned[0]), "rejected")
        world.arrived(here, uma.say(room, "After the resync"))
    elif not is_partial(world, room):
        world.unexpected.append(f"{name}: the resync is finished")


def is_partial(world: World, room_id: str) -> bool:
    """Return whether `here` has the room with partial state."""
    return bool(world.here.query("SELECT 1 FROM partial_state_rooms WHERE room_id = ?", room_id))


def play_others(world: World) -> None:
    """Leave rooms of the other server that nobody here is in: left, only invited to, and turned down."""
    uma, carol = world.users["uma"], world.users["carol"]
    room = history_there(world, "left-v10", 10)
    world.gate_there.whole_joins.add(room)
    join_here(world, "carol", room)
    world.arrived(world.here, uma.say(room, "Welcome"))
    carol.room(room, "leave")
    for name in ("invited-v11", "turned-down-v12"):
        room = create(world, "uma", name, int(name.rpartition("v")[2]), ("carol",))
        wait_for("the invite", partial(invited, world, carol, room))
        if name.startswith("turned"):
            carol.room(room, "leave")


def invited(world: World, user: User, room_id: str) -> bool:
    """Return whether `here` knows of an invite."""
    rows = world.here.query(
        "SELECT 1 FROM local_current_membership WHERE room_id = ? AND user_id = ? AND membership = 'invite'",
        room_id,
        user.id,
    )
    return bool(rows)


def play_odd(world: World, number: int) -> None:
    """Play a room with values that databases may store in different ways."""
    alice = world.users["alice"]
    room = create(world, "alice", f"odd-v{number}", number)
    far = RemoteRoom(world.remote, world.here, room, str(number))
    world.remote.join(far, MALLORY)
    world.remote.join(far, ZOE)
    levels_here = alice.get_state(room, "m.room.power_levels")
    levels_here["users"][MALLORY] = 50
    alice.state(room, "m.room.power_levels", levels_here)
    far.send(text(MALLORY, "A zero \0, a backslash \\u0000, a line\u2028end, \N{GRINNING FACE}"))
    alice.state(room, "m.room.name", {"name": "odd\0name"})
    far.send(member(ZOE, ZOE, "join", displayname="Z\0e", reason="\0"))
    # Keys differ if only their case differs.
    for key in ("Key", "KEY", "key", 'a "quoted" \\key\\', "%s ?", "\N{GRINNING FACE}" * 60):
        far.send(Draft(MALLORY, NOTE, {"key": key, "Key": 1, "key\0": 2}, key))
        far.send(Draft(MALLORY, NOTE.upper(), {"key": key}, key))
    far.send(topic(ZOE, "\0"), expect="rejected")
    # PostgreSQL has no text with a zero in it, so Synapse fails to store the event.
    takes_zero = world.here.stores[0].takes_zero
    far.send(Draft(MALLORY, NOTE, {}, "with \0"), expect="accepted" if takes_zero else "dropped")
    if number < STRICT_JSON_FROM:
        far.send(Draft(MALLORY, "org.roomver.event", {"big": 2**53, "small": -(2**63)}))
    before = far.tips()
    alice.state(room, NOTE, {"side": "here\0"}, "key")
    far.send(Draft(MALLORY, NOTE, {"side": "there\0"}, "key"), before)
    alice.say(room, "Merge")
    world.unexpected += far.unexpected


def play_purged(world: World) -> None:
    """Purge the oldest history of a local room: its events are gone, and the states that they led to stay."""
    alice, bob = world.users["alice"], world.users["bob"]
    room = create(world, "alice", "purged-v9", 9)
    bob.room(room, "join")
    oldest = bob.say(room, "The oldest")
    for said in range(4):
        bob.say(room, f"Old {said}")
        alice.state(room, "m.room.topic", {"topic": f"Old topic {said}"})
    kept = bob.say(room, "Kept")
    bob.say(room, "New")
    path = f"/_synapse/admin/v1/purge_history/{quote(room)}"
    alice.admin("POST", path, {"purge_up_to_event_id": kept, "delete_local_events": True})
    first = "SELECT 1 FROM events WHERE event_id = ?"
    wait_for("the purge", lambda: not world.here.query(first, oldest))
