"""Random rooms whose history has forked, for the tests that compare two resolutions of them.

`likely_fork` plays a room: users join, are kicked and banned, levels and join rules change, on several
branches at once. Every event is allowed where it was sent, except for a few that are kept as rejected.
`hostile_fork` follows only the event format: events cite any others. The states to resolve are those of the
branches. Some have entries that are outdated or missing, as the states of real servers do.

Everything is drawn from one `random.Random`, so a seed determines a fork, and hypothesis can shrink it.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from builder import ALICE, BOB, CAROL, DAVE, Content, Room, State, server_name
from strategies import number_of
from unpaddedbase64 import encode_base64

from roomver import Event, check_against_state, check_auth, parse_event
from roomver.versions import RoomVersion, get_room_version

EVE = "@eve:a.example:443"
FRANK = "@frank:b.example"
USERS = [ALICE, BOB, CAROL, DAVE, EVE, FRANK]
LEVELS = [0, 0, 25, 50, 50, 75, 99, 100, 100]
PLACES = [("m.room.topic", ""), ("m.room.name", ""), ("x.thing", "a"), ("x.thing", "b"), ("x.mine", "")]

StateIds = dict[tuple[str, str], str]


@dataclass
class Fork:
    """Some states of a room, with the events to resolve them.

    Attributes:
        version: the identifier of the room version.
        events: all events of the room, by ID.
        state_sets: the states, of event IDs.
        rejected: the IDs of rejected events.
    """

    version: str
    events: dict[str, Event]
    state_sets: list[StateIds]
    rejected: frozenset[str] = frozenset()

    @property
    def number(self) -> int:
        return number_of(self.version)


@dataclass
class _Branch:
    state: State
    last: Event | None
    history: list[State] = field(default_factory=list)


def likely_fork(rng: Random, version: str, length: int = 20) -> Fork:
    """Play a room of a version. After the first few events it has about `length` more."""
    return _Play(rng, version).fork(length)


def owned_fork(version: str) -> Fork:
    """Return a fork in a room with owned state keys: Bob sets what Carol owns while he loses his level."""
    room = Room(version, signed=False)
    room.join(ALICE)
    levels: Content = {"users": {ALICE: 100, BOB: 50}, "state_default": 0}
    room.power(levels)
    room.join_rule("public")
    room.join(BOB, CAROL)
    before, last = dict(room.state), room.last
    room.power({**levels, "users": {ALICE: 100}})
    demoted = dict(room.state)
    room.state, room.last = before, last
    room.add("x.owned", BOB, {}, state_key=f"{CAROL}_x")
    room.add("x.owned", BOB, {}, state_key=f"{BOB}_x")
    states = [{key: one.event_id for key, one in state.items()} for state in (demoted, room.state)]
    return Fork(version, room.events, states)


class _Play:
    def __init__(self, rng: Random, version: str) -> None:
        self.rng = rng
        self.number = number_of(version)  # the differences between versions are written out here
        content: Content = {"room_version": version}
        if self.number <= 10:
            content["creator"] = ALICE
        self.creators = [ALICE] if self.number >= 12 else []
        if self.number >= 12 and self.chance(30):
            content["additional_creators"] = [BOB]
            self.creators.append(BOB)
        self.room = Room(version, content=content, signed=False)
        self.rejected: set[str] = set()
        self.made = 0
        # Every event of a key, to take outdated ones from.
        self.older: dict[tuple[str, str], list[Event]] = {}

    def chance(self, percent: int) -> bool:
        return self.rng.randrange(100) < percent

    # The room

    def fork(self, length: int) -> Fork:
        rng, room = self.rng, self.room
        branch = _Branch(dict(room.state), room.last)
        self.send(branch, "m.room.member", ALICE, {"membership": "join"}, ALICE)
        if self.chance(90):
            users: Content = {ALICE: 100, BOB: rng.choice(LEVELS), CAROL: rng.choice(LEVELS)}
            self.send(branch, "m.room.power_levels", ALICE, {"users": self.without_creators(users)}, "")
        if self.chance(90):
            rule = rng.choice(["public"] * 5 + ["invite", "knock", "restricted"])
            self.send(branch, "m.room.join_rules", ALICE, {"join_rule": rule}, "")
        for user in [BOB, CAROL, DAVE]:
            self.send(branch, "m.room.member", user, {"membership": "join"}, user)
        branches = [branch]
        for _ in range(length):
            branch = rng.choice(branches)
            what = rng.randrange(100)
            if what < 18 and len(branches) < 7:
                branches.append(_Branch(dict(branch.state), branch.last, list(branch.history)))
            elif what < 22 and len(branches) > 1:
                # A server takes over the state that another one sent it.
                other = rng.choice(branches)
                branch.history.append(branch.state)
                branch.state = {**branch.state, **other.state}
            else:
                self.act(branch)
        return Fork(room.version.identifier, room.events, self.state_sets(branches), frozenset(self.rejected))

    def send(
        self,
        branch: _Branch,
        kind: str,
        sender: str,
        content: Content,
        state_key: str,
        keep_refused: bool = False,
    ) -> bool:
        """Send an event on a branch if the rules allow it there, and tell whether it was sent."""
        rng, room = self.rng, self.room
        self.made += 1
        room.state, room.last = branch.state, branch.last
        if branch.history and self.chance(12):
            # Its server has not seen everything: it cites an event that has been replaced.
            old = rng.choice(branch.history)
            if self.chance(60):
                key = rng.choice(sorted(old))
                old = {**branch.state, key: old[key]}
            room.state = old
        fields: dict[str, Any] = {
            "origin_server_ts": rng.choice([1, 2, 3, 4, 5, 5, 5, 6, 7, rng.randrange(50)]),
            "depth": rng.choice([1, 2, 3, self.made, self.made, self.made]),
        }
        if self.number <= 2:
            fields["event_id"] = f"${rng.randrange(1000):03}x{self.made}:{server_name(sender)}"
        event = room.make(kind, sender, content, state_key=state_key, **fields)
        allowed = (
            check_auth(event, None, room.events, rejected=self.rejected).allowed
            and check_against_state(event, branch.state).allowed
        )
        if not (allowed or keep_refused):
            return False
        if not allowed:
            self.rejected.add(event.event_id)
        room.events[event.event_id] = event
        branch.history.append(branch.state)
        branch.state = {**branch.state, (kind, state_key): event}
        branch.last = event
        self.older.setdefault((kind, state_key), []).append(event)
        return True

    def act(self, branch: _Branch) -> None:
        """Let a user send some event. Try up to eight times until one is allowed."""
        for _ in range(8):
            if self.send(branch, *self.draw(branch), keep_refused=self.chance(3)):
                return

    def draw(self, branch: _Branch) -> tuple[str, str, Content, str]:
        rng = self.rng
        joined = [u for u in USERS if self.membership(branch, u) == "join"] or USERS
        sender = rng.choice(joined)
        what = rng.randrange(100)
        if what < 45:
            return self.draw_member(branch, sender)
        if what < 65:
            return "m.room.power_levels", sender, self.draw_levels(branch), ""
        if what < 74:
            rules = ["public", "public", "invite", "knock", "restricted", "knock_restricted", "private"]
            return "m.room.join_rules", sender, {"join_rule": rng.choice(rules)}, ""
        if what < 76:
            return "m.room.third_party_invite", sender, {"public_key": "x"}, rng.choice(["t", "u"])
        if what < 79:
            kind = rng.choice(["m.room.power_levels", "m.room.join_rules"])
            return kind, sender, self.draw_levels(branch), "x"
        if what < 82:
            return "x.mine", sender, {"n": self.made}, sender
        if self.room.version.owned_state_keys and what < 92:
            state_key = rng.choice([sender, *USERS]) + rng.choice(["", "_d", "_e"])
            return "x.mine", sender, {"n": self.made}, state_key
        kind, state_key = rng.choice(PLACES)
        return kind, sender, {"n": self.made}, state_key

    def draw_member(self, branch: _Branch, sender: str) -> tuple[str, str, Content, str]:
        rng = self.rng
        what = rng.randrange(100)
        user = rng.choice(USERS)
        content: Content = {"membership": "join", "n": self.made}
        if what < 45:
            if self.chance(30):
                content["join_authorised_via_users_server"] = rng.choice(USERS)
            return "m.room.member", user, content, user
        content["membership"] = rng.choice(["leave", "ban", "invite", "leave", "ban", "invite", "knock"])
        if content["membership"] == "knock" or (content["membership"] == "leave" and self.chance(40)):
            return "m.room.member", user, content, user
        return "m.room.member", sender, content, user

    def draw_levels(self, branch: _Branch) -> Content:
        rng = self.rng
        current = branch.state.get(("m.room.power_levels", ""))
        content: Content = {} if current is None else dict(current.content)
        users = content.get("users")
        content["users"] = dict(users) if isinstance(users, dict) else {}
        what = rng.randrange(10)
        if what < 6:
            content["users"][rng.choice(USERS)] = self.level()
        elif what < 7 and content["users"]:
            content["users"].pop(rng.choice(sorted(content["users"])))
        elif what < 9:
            content[rng.choice(["users_default", "state_default", "ban", "kick", "invite"])] = self.level()
        else:
            content["events"] = {rng.choice(["m.room.topic", "m.room.name", "x.thing"]): self.level()}
        content["users"] = self.without_creators(content["users"])
        return content

    def level(self) -> Any:
        level = self.rng.choice(LEVELS)
        if self.number <= 9 and self.chance(5):
            return str(level)
        if self.number <= 5 and self.chance(5):
            return level + 0.5
        return level

    def without_creators(self, users: Content) -> Content:
        return {user: level for user, level in users.items() if user not in self.creators}

    def membership(self, branch: _Branch, user: str) -> Any:
        member = branch.state.get(("m.room.member", user))
        return None if member is None else member.content.get("membership")

    # The states to resolve

    def state_sets(self, branches: list[_Branch]) -> list[StateIds]:
        rng = self.rng
        sets = []
        for _ in range(rng.choice([2, 2, 2, 3, 3, 4, 5, 6])):
            branch = rng.choice(branches)
            state = rng.choice(branch.history) if branch.history and self.chance(15) else branch.state
            ids = {key: event.event_id for key, event in state.items()}
            if self.chance(20):
                for key in rng.sample(sorted(self.older), min(len(self.older), rng.randrange(1, 4))):
                    if key in ids:
                        ids[key] = rng.choice(self.older[key]).event_id
            if self.chance(15):
                for key in rng.sample(sorted(ids), min(len(ids), rng.randrange(1, 4))):
                    # Without a create event every event is refused.
                    if key[0] != "m.room.create" or self.chance(10):
                        ids.pop(key, None)
            if self.chance(2):
                ids = {}
            sets.append(ids)
        return sets


# Hostile rooms

_HOSTILE_USERS = ["@a:x", "@b:x", "@c:y"]
_HOSTILE_KINDS = [
    "m.room.power_levels",
    "m.room.power_levels",
    "m.room.power_levels",
    "m.room.join_rules",
    "m.room.member",
    "m.room.member",
    "m.room.member",
    "m.room.member",
    "m.room.topic",
    "m.room.third_party_invite",
    "m.room.create",
]


def hash_id(label: str) -> str:
    """Return an event ID in the form of a hash, always the same for a label."""
    digest = hashlib.sha256(label.encode()).digest()
    return "$" + encode_base64(digest, urlsafe=True)


def hostile_event(  # noqa: PLR0913, PLR0917 - each is a part of an event
    version: RoomVersion,
    event_id: str,
    room_id: str,
    kind: str,
    sender: str,
    state_key: str | None,
    content: Content,
    auth: list[str],
    *,
    prev: tuple[str, ...] = (),
    timestamp: int = 0,
    depth: int = 1,
) -> Event:
    """Return an event with any ID and any auth events."""
    pdu: Content = {
        "type": kind,
        "sender": sender,
        "content": content,
        "depth": depth,
        "origin_server_ts": timestamp,
        "hashes": {"sha256": ""},
        "prev_events": [[one, {}] for one in prev] if version.references_carry_hashes else list(prev),
        "auth_events": [[cited, {}] for cited in auth] if version.references_carry_hashes else auth,
    }
    if state_key is not None:
        pdu["state_key"] = state_key
    if number_of(version.identifier) != 12 or kind != "m.room.create" or state_key != "":
        pdu["room_id"] = room_id
    if version.references_carry_hashes:
        return parse_event({**pdu, "event_id": event_id}, version)
    return parse_event(pdu, version, event_id=event_id)


def citing(event: Event, auth: list[str], *, prev: tuple[str, ...] = (), depth: int = 1) -> Event:
    """Return a copy of an event, under the same ID, with other auth events and prev events."""
    return hostile_event(
        event.room_version,
        event.event_id,
        event.room_id,
        event.type,
        event.sender,
        event.state_key,
        event.content,
        auth,
        prev=prev,
        timestamp=event.origin_server_ts,
        depth=depth,
    )


def hostile_fork(rng: Random, version: str, length: int = 12) -> Fork:
    """Draw a room in which events cite any others."""
    record = get_room_version(version)
    order = list(range(100, 100 + length))
    rng.shuffle(order)

    def name(number: int) -> str:
        if record.references_carry_hashes:
            return f"${order[number]}:x"
        return hash_id(f"{order[number]}")

    room_id = "!" + name(0)[1:] if number_of(version) == 12 else "!r:x"
    create: Content = {"room_version": version, "creator": "@a:x"}
    if rng.randrange(3) == 0:
        create["additional_creators"] = rng.choice([["@b:x"], "@b:x", [5, "@c:y"]])
    events = [hostile_event(record, name(0), room_id, "m.room.create", "@a:x", "", create, [])]
    for number in range(1, length):
        kind = rng.choice(_HOSTILE_KINDS)
        sender = rng.choice(_HOSTILE_USERS)
        state_key: str | None = ""
        content: Content = {}
        if kind == "m.room.member":
            state_key = sender if rng.randrange(2) else rng.choice(_HOSTILE_USERS)
            content["membership"] = rng.choice(["join", "join", "join", "leave", "ban", "invite", None])
            if rng.randrange(6) == 0:
                content["join_authorised_via_users_server"] = rng.choice(_HOSTILE_USERS)
        elif kind == "m.room.power_levels":
            levels = {user: rng.choice([0, 50, 100]) for user in _HOSTILE_USERS if rng.randrange(2)}
            content["users"] = levels if rng.randrange(12) else rng.choice([None, [], {"@a:x": "x"}])
            if rng.randrange(6) == 0:
                content["users_default"] = rng.choice([50, "50", None, 2**53 - 1])
        elif kind == "m.room.join_rules":
            content["join_rule"] = rng.choice(["public", "public", "invite", "restricted", 5])
        elif kind == "m.room.create":
            content = {"room_version": version, "creator": "@b:x"}
            # In version 12 a second create event belongs to another room.
            state_key = "x" if number_of(version) == 12 else ""
        if rng.randrange(12) == 0:
            state_key = rng.choice([None, "x"])
        cited = [name(0)] if rng.randrange(10) and number_of(version) != 12 else []
        cited += [name(rng.randrange(number)) for _ in range(rng.choice([0, 1, 2, 2, 3, 3, 4]))]
        if rng.randrange(15) == 0:
            cited.append(name(number - 1))
        events.append(
            hostile_event(
                record,
                name(number),
                room_id,
                kind,
                sender,
                state_key,
                content,
                cited,
                timestamp=rng.randrange(4),
                depth=rng.randrange(1, 5),
            )
        )
    of_room = [event for event in events if event.room_id == room_id]
    by_key: dict[tuple[str, str], list[Event]] = {}
    for event in of_room:
        if event.state_key is not None:
            by_key.setdefault((event.type, event.state_key), []).append(event)
    sets = []
    agreed = {key: rng.choice(found) for key, found in by_key.items() if rng.randrange(2)}
    for _ in range(rng.choice([2, 2, 2, 3, 3, 4, 6])):
        state = {key: event.event_id for key, event in agreed.items()}
        for key, found in by_key.items():
            what = rng.randrange(8)
            if what < 3:
                state[key] = rng.choice(found).event_id
            elif what < 4:
                state.pop(key, None)
        sets.append(state)
    rejected = {e.event_id for e in of_room if rng.randrange(10) == 0} if rng.randrange(2) else set()
    return Fork(version, {e.event_id: e for e in of_room}, sets, frozenset(rejected))


def shuffled_mapping(rng: Random, mapping: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return the same mapping in another order."""
    items = list(mapping.items())
    rng.shuffle(items)
    return dict(items)
