"""Make the rooms to measure: from a seed, with genuine event IDs, at any size.

Each shape has the events of a room and the states to resolve:

* ``hq``: a large public room (323,368 members, 713 server_acl, 22 power_levels, 14 join_rules, 169
  other state events) with two branches of 50 state events each;
* ``early``: the same room with a fork among its first 10,000 members; the fork is the same in every room with
  at least that many members, so growth can be measured with one fork;
* ``merge``: many states of one old room that differ in a few places (359 states over 108,480 distinct
  state events, about 102,500 entries each), room version 5;
* ``storm``: a version 1 room, 8 states, 5,552 conflicted events;
* ``busy``: a room of 30,000 events with two long branches;
* ``deep``: power levels that were changed 100,000 times;
* ``wide``: 20 forward extremities over 10,000 members;
* ``toy``: 10 events, 3 conflicts;
* ``history``: a whole room with its prev events, for a replay; it has no states.

`pdus` makes single events, for questions about single events.

The signatures and content hashes in the events are placeholders, because nothing here checks them.
"""

from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import roomver
from roomver.types import EventId, StateKey, StateMap

State = dict[StateKey, EventId]
_HASHES = {"sha256": "A" * 43}
CREATOR = "@creator:hq.example"


@dataclass
class Shape:
    """A room to resolve: its events, parents first, and the states to merge."""

    name: str
    version: str
    events: dict[EventId, roomver.Event]
    state_sets: Sequence[StateMap[EventId]]

    def build_graph(self) -> roomver.RoomGraph:
        """Return a new graph of all events."""
        graph = roomver.RoomGraph()
        for event in self.events.values():
            graph.add(event)
        return graph


class Builder:
    """Make the events of one room; select their auth events from a state, as servers do."""

    def __init__(self, version: str) -> None:
        self.version = roomver.get_room_version(version)
        self.events: dict[EventId, roomver.Event] = {}
        self.state: State = {}
        self.room_id: str | None = None if version == "12" else "!room:hq.example"
        self._now = 1_700_000_000_000
        self._number = 0
        content: dict[str, Any] = {"room_version": version}
        if self.version.creator_in_content:
            content["creator"] = CREATOR
        create = self.add("m.room.create", CREATOR, content, "")
        self.room_id = self.events[create].room_id
        self.add("m.room.member", CREATOR, {"membership": "join"}, CREATOR)

    def add(  # noqa: PLR0913 - the fields of an event, by keyword
        self,
        kind: str,
        sender: str,
        content: dict[str, Any],
        state_key: str | None = None,
        *,
        state: State | None = None,
        timestamp: int | None = None,
        depth: int | None = None,
        prev: list[EventId] | None = None,
    ) -> EventId:
        """Add an event and return its ID.

        The auth events selection picks its auth events from `state`, the current state by default. If the
        event has a state key, it becomes an entry of that state.
        """
        current = self.state if state is None else state
        self._now += 1000
        self._number += 1
        pdu: dict[str, Any] = {
            "type": kind,
            "sender": sender,
            "content": content,
            "depth": self._number if depth is None else depth,
            "origin_server_ts": self._now if timestamp is None else timestamp,
            "prev_events": prev or [],
            "auth_events": [],
            "hashes": _HASHES,
            "signatures": {},
        }
        if state_key is not None:
            pdu["state_key"] = state_key
        if self.room_id is not None:
            pdu["room_id"] = self.room_id
        chosen = self.version.references_carry_hashes
        if chosen:
            pdu["event_id"] = f"${self._number}:hq.example"
        if kind != "m.room.create":
            # The selection looks only at the event, which need not cite anything yet.
            keys = roomver.select_auth_types(roomver.parse_event(pdu, self.version, event_id="$"))
            cited = sorted(current[key] for key in keys if key in current)
            pdu["auth_events"] = [[e, {}] for e in cited] if chosen else cited
        event = roomver.parse_event(pdu, self.version)
        self.events[event.event_id] = event
        if state_key is not None:
            current[(kind, state_key)] = event.event_id
        return event.event_id

    def power(self, users: dict[str, int], state: State | None = None, **levels: Any) -> EventId:
        """Add power levels sent by the creator."""
        listed = users if self.version.infinite_creator_level else {CREATOR: 100, **users}
        return self.add("m.room.power_levels", CREATOR, {"users": listed, **levels}, "", state=state)

    def shape(self, name: str, state_sets: Sequence[State]) -> Shape:
        """Return the room as a shape."""
        return Shape(name, self.version.identifier, self.events, state_sets)


def _user(number: int) -> str:
    return f"@user{number}:server{number % 977}.example"


def hq(version: str = "11", scale: float = 1.0, seed: int = 1, among: int | None = None) -> Shape:
    """Make a large public room with a short fork.

    `scale` multiplies the members and the history. With `among`, the fork draws members only from the first
    `among` of them.
    """
    rng = Random(seed)
    room = Builder(version)
    counts = {"members": 323_368, "server_acl": 713, "power_levels": 22, "join_rules": 14, "other": 169}
    steps = [kind for kind, count in counts.items() for _ in range(max(2, round(count * scale)))]
    rng.shuffle(steps)
    admins = [_user(10_000_000 + i) for i in range(20)]
    room.power(dict.fromkeys(admins, 50))
    room.add("m.room.join_rules", CREATOR, {"join_rule": "public"}, "")
    for admin in admins:
        room.add("m.room.member", admin, {"membership": "join"}, admin)
    members = 0
    for number, step in enumerate(steps):
        if step == "members":
            user = _user(members)
            members += 1
            room.add("m.room.member", user, {"membership": "join", "displayname": user[1:9]}, user)
        elif step == "server_acl":
            room.add("m.room.server_acl", rng.choice(admins), {"deny": [f"bad{number}.example"]}, "")
        elif step == "power_levels":
            room.power(dict.fromkeys(admins, 50), events={"m.room.topic": number % 50})
        elif step == "join_rules":
            room.add("m.room.join_rules", CREATOR, {"join_rule": "public", "n": number}, "")
        else:
            room.add("org.example.setting", CREATOR, {"n": number}, f"setting{number}")
    if among is not None:
        rng, members = Random(seed), min(among, members)
    state_sets = []
    for branch in range(2):
        state = dict(room.state)
        for number in range(50):
            admin = admins[(number + branch) % len(admins)]
            pick = number % 10
            if pick == 0:
                room.add("m.room.server_acl", admin, {"deny": [f"{branch}"], "n": number}, "", state=state)
            elif pick == 1:
                room.power(dict.fromkeys(admins, 50), state, kick=40 + branch, ban=number)
            elif pick == 2:
                room.add("m.room.topic", admin, {"topic": f"{branch} {number}"}, "", state=state)
            elif pick == 3:
                target = _user(rng.randrange(members))
                room.add("m.room.member", admin, {"membership": "ban"}, target, state=state)
            else:
                user = _user(rng.randrange(members))
                if room.events[state[("m.room.member", user)]].content["membership"] == "join":
                    content = {"membership": "join", "displayname": f"{branch} {number}"}
                    room.add("m.room.member", user, content, user, state=state)
        state_sets.append(state)
    return room.shape("hq", state_sets)


def early(version: str = "11", scale: float = 1.0) -> Shape:
    """Make `hq` with a fork among its first 10,000 members; larger rooms have the same fork."""
    return hq(version, scale, among=10_000)


def merge(version: str = "5", scale: float = 1.0, seed: int = 2) -> Shape:
    """Make many states of one old room, each with up to twenty changes of its own."""
    rng = Random(seed)
    room = Builder(version)
    members, states = max(50, round(100_400 * scale)), max(4, round(359 * scale))
    admins = [_user(10_000_000 + i) for i in range(40)]
    room.power(dict.fromkeys(admins, 50))
    room.add("m.room.join_rules", CREATOR, {"join_rule": "public"}, "")
    for admin in admins:
        room.add("m.room.member", admin, {"membership": "join"}, admin)
    for number in range(max(20, round(2_000 * scale))):
        room.add("org.example.setting", rng.choice(admins), {"n": number}, f"setting{number}")
    for number in range(members):
        user = _user(number)
        if number % 3 == 0:
            # Two in three entries of the auth chains are in no state: invites before the join.
            room.add("m.room.member", rng.choice(admins), {"membership": "invite"}, user)
            room.add("m.room.member", user, {"membership": "join"}, user)
        else:
            room.add("m.room.member", user, {"membership": "join"}, user)
        if number % 5_000 == 0:
            room.power(dict.fromkeys(admins, 50), events={"m.room.topic": number % 50})
    base = room.state
    state_sets = []
    for index in range(states):
        state = dict(base)
        for change in range(max(3, round(17 * rng.random() + 3))):
            admin = rng.choice(admins)
            user = _user(rng.randrange(members))
            if change == 0 and index % 40 == 0:
                room.power(dict.fromkeys(admins, 50), state, kick=41 + index % 9)
            elif change % 4 == 1:
                room.add("m.room.member", admin, {"membership": "ban", "n": index}, user, state=state)
            elif change % 4 == 2:
                room.add("org.example.setting", admin, {"n": index}, f"setting{change}", state=state)
            else:
                content = {"membership": "join", "displayname": f"{index} {change}"}
                room.add("m.room.member", user, content, user, state=state)
        state_sets.append(state)
    return room.shape("merge", state_sets)


def storm(version: str = "1", scale: float = 1.0, seed: int = 3) -> Shape:
    """Make eight states that disagree about nearly every member."""
    rng = Random(seed)
    room = Builder(version)
    room.power({})
    room.add("m.room.join_rules", CREATOR, {"join_rule": "public"}, "")
    members = max(5, round(694 * scale))
    state_sets = []
    for branch in range(8):
        state = dict(room.state)
        for number in range(members):
            user = _user(number)
            content = {"membership": "join", "displayname": f"{branch}"}
            depth = 10 + rng.randrange(50)
            room.add("m.room.member", user, content, user, state=state, depth=depth)
        state_sets.append(state)
    return room.shape("storm", state_sets)


def busy(version: str = "11", scale: float = 1.0, seed: int = 4) -> Shape:
    """Make two long branches, so that a large part of the room is in conflict."""
    rng = Random(seed)
    room = Builder(version)
    admins = [_user(10_000_000 + i) for i in range(10)]
    room.power(dict.fromkeys(admins, 50))
    room.add("m.room.join_rules", CREATOR, {"join_rule": "public"}, "")
    for admin in admins:
        room.add("m.room.member", admin, {"membership": "join"}, admin)
    total = max(100, round(30_000 * scale))
    for number in range(total // 3):
        user = _user(number)
        room.add("m.room.member", user, {"membership": "join"}, user)
    state_sets = []
    for branch in range(2):
        state = dict(room.state)
        for number in range(total // 3):
            user = _user(rng.randrange(total // 3))
            admin = rng.choice(admins)
            pick = rng.random()
            if pick < 0.02:
                room.power(dict.fromkeys(admins, 50), state, kick=rng.randrange(50))
            elif pick < 0.1:
                room.add("m.room.member", admin, {"membership": "leave"}, user, state=state)
            elif pick < 0.3:
                room.add("org.example.setting", admin, {"n": number}, f"setting{number % 500}", state=state)
            else:
                content = {"membership": "join", "displayname": f"{branch} {number}"}
                room.add("m.room.member", user, content, user, state=state)
        state_sets.append(state)
    return room.shape("busy", state_sets)


def deep(version: str = "11", scale: float = 1.0, seed: int = 5) -> Shape:
    """Make a long chain of power levels, forked at the start."""
    room = Builder(version)
    room.power({})
    first = dict(room.state)
    for number in range(max(10, round(100_000 * scale))):
        room.power({}, kick=number % 50)
    second = first
    room.add("m.room.topic", CREATOR, {"topic": "old"}, "", state=second)
    room.add("m.room.topic", CREATOR, {"topic": "new"}, "")
    del seed
    return room.shape("deep", [dict(room.state), second])


def wide(version: str = "11", scale: float = 1.0, seed: int = 6) -> Shape:
    """Make twenty forward extremities over many members."""
    rng = Random(seed)
    room = Builder(version)
    admins = [_user(10_000_000 + i) for i in range(20)]
    room.power(dict.fromkeys(admins, 50))
    room.add("m.room.join_rules", CREATOR, {"join_rule": "public"}, "")
    for admin in admins:
        room.add("m.room.member", admin, {"membership": "join"}, admin)
    members = max(20, round(10_000 * scale))
    for number in range(members):
        room.add("m.room.member", _user(number), {"membership": "join"}, _user(number))
    state_sets = []
    for branch in range(20):
        state = dict(room.state)
        for number in range(10):
            user = _user(rng.randrange(members))
            content = {"membership": "join", "displayname": f"{branch} {number}"}
            room.add("m.room.member", user, content, user, state=state)
        room.add("m.room.topic", admins[branch], {"topic": f"{branch}"}, "", state=state)
        state_sets.append(state)
    return room.shape("wide", state_sets)


def toy(version: str = "11", scale: float = 1.0, seed: int = 7) -> Shape:
    """Make ten events with three conflicts."""
    del scale, seed
    room = Builder(version)
    bob = "@bob:hq.example"
    room.power({bob: 50})
    room.add("m.room.join_rules", CREATOR, {"join_rule": "public"}, "")
    room.add("m.room.member", bob, {"membership": "join"}, bob)
    one, other = dict(room.state), dict(room.state)
    room.power({bob: 0}, one)
    room.add("m.room.topic", CREATOR, {"topic": "one"}, "", state=one)
    room.add("m.room.topic", bob, {"topic": "other"}, "", state=other)
    room.add("m.room.join_rules", bob, {"join_rule": "invite"}, "", state=other)
    room.add("m.room.name", bob, {"name": "other"}, "", state=other)
    return room.shape("toy", [one, other])


def history(version: str = "11", scale: float = 1.0, seed: int = 8) -> Shape:
    """Make a whole room with its prev events: 100,000 events, 20,000 members, 2,000 forks; no states."""
    rng = Random(seed)
    room = Builder(version)
    total, members, forks = round(100_000 * scale), round(20_000 * scale), round(2_000 * scale)
    first, second = list(room.events)
    room.events = {first: room.events[first]}
    room.state = {("m.room.create", ""): first}
    del second
    head = room.add("m.room.member", CREATOR, {"membership": "join"}, CREATOR, prev=[first])
    moderators = [_user(number) for number in range(10)]
    levels = {CREATOR: 100, **dict.fromkeys(moderators, 50)}
    if room.version.infinite_creator_level:
        del levels[CREATOR]
    head = room.add("m.room.power_levels", CREATOR, {"users": levels}, "", prev=[head])
    head = room.add("m.room.join_rules", CREATOR, {"join_rule": "public"}, "", prev=[head])
    joined = 0

    def step(state: State, head: EventId) -> EventId:
        nonlocal joined
        pick = rng.random()
        if joined < members and (joined < 10 or pick < 1.1 * members / total):
            user = _user(joined)
            joined += 1
            return room.add("m.room.member", user, {"membership": "join"}, user, state=state, prev=[head])
        user = _user(rng.randrange(joined))
        if ("m.room.member", user) not in state or pick < 0.7:
            user = CREATOR
        if pick > 0.97:
            moderator = rng.choice(moderators)
            return room.add("m.room.topic", moderator, {"topic": str(pick)}, "", state=state, prev=[head])
        return room.add("m.room.message", user, {"body": str(pick)}, state=state, prev=[head])

    while len(room.events) < total:
        if joined > 20 and len(room.events) % max(1, total // max(1, forks)) < 3:
            # A fork: two branches of a few events, and an event that merges them.
            other_state, other_head = dict(room.state), head
            for _ in range(3):
                head = step(room.state, head)
                other_head = step(other_state, other_head)
            for key, event_id in other_state.items():
                room.state.setdefault(key, event_id)
            head = room.add("m.room.message", CREATOR, {"body": "both"}, prev=[head, other_head])
        else:
            head = step(room.state, head)
    return room.shape("history", [])


def pdus(version: str = "11", count: int = 300_000, seed: int = 10) -> list[dict[str, Any]]:
    """Make PDUs of the kinds and sizes that are common in a busy public room.

    They cite events that do not exist. Their hashes and signatures have the right format but are not genuine.
    """
    rng = Random(seed)
    pairs = roomver.get_room_version(version).references_carry_hashes
    room = "!room:hq.example"
    users = [_user(number) for number in range(max(10, count // 20))]
    words = ["lorem", "ipsum", "dolor", "sit", "amet", "größer", "été", "consectetur", "🙂", "elit"]

    def text(length: int) -> str:
        return " ".join(rng.choices(words, k=length))

    def token(size: int) -> str:
        return urlsafe_b64encode(rng.randbytes(size)).decode().rstrip("=")

    def references(number: int) -> list[Any]:
        if pairs:
            return [[f"${rng.randrange(10**12)}:hq.example", {"sha256": token(32)}] for _ in range(number)]
        return ["$" + token(32) for _ in range(number)]

    def content_of(kind: str, user: str) -> dict[str, Any]:
        match kind:
            case "m.room.member":
                return {
                    "membership": rng.choice(["join", "join", "join", "leave", "invite"]),
                    "displayname": user[1:9],
                    "avatar_url": f"mxc://hq.example/{token(18)}",
                }
            case "m.reaction":
                relation = {"rel_type": "m.annotation", "event_id": references(1)[0], "key": "👍"}
                return {"m.relates_to": relation}
            case "m.room.redaction":
                return {"redacts": "$" + token(32), "reason": text(3)}
            case "m.room.power_levels":
                listed = {_user(rng.randrange(10**6)): 50 for _ in range(40)}
                return {"users": listed, "events": {"m.room.name": 50, "m.room.topic": 50}, "ban": 50}
            case "m.room.topic":
                return {"topic": text(8)}
        content: dict[str, Any] = {"msgtype": "m.text", "body": text(rng.randrange(3, 30))}
        if rng.random() < 0.3:
            content["format"] = "org.matrix.custom.html"
            content["formatted_body"] = f"<p>{text(rng.randrange(3, 30))}</p>"
        if rng.random() < 0.2:
            content["m.relates_to"] = {"m.in_reply_to": {"event_id": "$" + token(32)}}
        return content

    kinds = {
        "m.room.message": 60,
        "m.room.member": 22,
        "m.reaction": 12,
        "m.room.redaction": 4,
        "m.room.topic": 1,
        "m.room.power_levels": 1,
    }
    result = []
    for number, kind in enumerate(rng.choices(list(kinds), list(kinds.values()), k=count)):
        user = rng.choice(users)
        pdu: dict[str, Any] = {
            "type": kind,
            "sender": user,
            "room_id": room,
            "content": content_of(kind, user),
            "depth": 1000 + number,
            "origin_server_ts": 1_700_000_000_000 + 1000 * number,
            "prev_events": references(1 if rng.random() < 0.9 else 2),
            "auth_events": references(3),
            "hashes": {"sha256": b64encode(rng.randbytes(32)).decode().rstrip("=")},
            "signatures": {
                user.partition(":")[2]: {"ed25519:a_key": b64encode(rng.randbytes(64)).decode().rstrip("=")}
            },
            "unsigned": {"age": rng.randrange(10**6)},
        }
        if kind == "m.room.member":
            pdu["state_key"] = user
        elif kind in ("m.room.topic", "m.room.power_levels"):
            pdu["state_key"] = ""
        if pairs:
            pdu["event_id"] = f"${number}:hq.example"
        result.append(pdu)
    return result


SHAPES: dict[str, Callable[..., Shape]] = {
    "toy": toy,
    "hq": hq,
    "early": early,
    "merge": merge,
    "storm": storm,
    "busy": busy,
    "deep": deep,
    "wide": wide,
    "history": history,
}
