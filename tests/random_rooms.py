"""Random small rooms with an event to check in each, for tests that compare two implementations.

A room here is only a room state. Its events are well formed, but the rules may not allow them. Values are
close to where verdicts change: levels around every threshold, members in every membership, every join rule,
auth events with one event too many or too few. Everything is drawn from one `random.Random`, so a seed
determines a case, and hypothesis can shrink it.
"""

from dataclasses import dataclass
from random import Random
from typing import Any

from builder import ALICE, BOB, CAROL, DAVE, Content, Room, State, public_key, server_name, signed_block
from strategies import OWNED_KEY_VERSIONS, number_of

from roomver import Event

EVE = "@eve:a.example:443"
USERS = [ALICE, BOB, CAROL, DAVE, EVE]
MEMBERSHIPS = ["join", "invite", "leave", "ban", "knock"]
JOIN_RULES = ["public", "invite", "knock", "restricted", "restricted", "knock_restricted", "private", "foo"]
ODD_VALUES: list[Any] = [None, True, False, 0, 5, "", "foo", [], {}, ["join"], {"a": 1}]
LEVELS = [-1, 0, 1, 25, 49, 50, 51, 75, 99, 100, 101, 2**53 - 1]
NAMED = ["users_default", "events_default", "state_default", "ban", "redact", "kick", "invite"]
TOKENS = ["token", "other", "@token:x"]
SIGNERS = ["id.one", "id.two", "id.three"]
TYPES = [
    "m.room.topic",
    "m.room.message",
    "m.room.power_levels",
    "m.room.join_rules",
    "m.room.redaction",
    "m.room.third_party_invite",
    "m.room.aliases",
    "m.room.encrypted",
]


@dataclass
class Case:
    """One event to check.

    Attributes:
        version: the identifier of the room version.
        event: the event.
        events: where its auth events and its create event are looked up.
        rejected: the IDs of those that were rejected.
        state: the room state to check it against.
        of_this_room: whether the event is of the room that the state is of.
    """

    version: str
    event: Event
    events: dict[str, Event]
    rejected: frozenset[str]
    state: State
    of_this_room: bool


def random_case(rng: Random, version: str) -> Case:
    """Draw a case of a room version."""
    return _Drawing(rng, version).case()


class _Drawing:
    def __init__(self, rng: Random, version: str) -> None:
        self.rng = rng
        self.number = number_of(version)  # the differences between versions are written out here
        self.version = version
        self.additional: list[str] = []
        self.room = Room(version, content=self.create_content(), signed=False)
        self.create = self.room.create

    def chance(self, percent: int) -> bool:
        return self.rng.randrange(100) < percent

    def level(self) -> Any:
        """Draw a level, mostly one that is valid in the version."""
        level = self.rng.choice(LEVELS)
        if self.number <= 9 and self.chance(10):
            return self.rng.choice([f"{level}", f" {level} ", f"+0{level}" if level >= 0 else f"-00{-level}"])
        if self.number <= 5 and self.chance(10):
            return level + self.rng.choice([0.0, 0.5, 0.999]) if abs(level) < 1000 else level
        return level

    def odd_level(self) -> Any:
        """Draw a value that is not a level in this version, or on which implementations disagree."""
        odd: list[Any] = [
            None,
            True,
            False,
            [],
            {},
            "",
            "abc",
            "1_0",
            "\u0663\u0660",
            "50.5",
            "1e2",
            "0x10",
            "- 5",
            "--5",
        ]
        if self.number <= 5:
            odd += [1e300]
        if self.number >= 10:
            odd += ["50", " 50 ", "-1"]
        return self.rng.choice(odd)

    # The room state

    def create_content(self) -> Content:
        content: Content = {"room_version": self.version}
        if self.number <= 10:
            content["creator"] = ALICE
            if self.chance(15):
                content["creator"] = self.rng.choice([BOB, CAROL, None, 5, "foo"])
        elif self.chance(10):
            content["creator"] = BOB
        if self.chance(25):
            content["m.federate"] = self.rng.choice([True, False, False, False, None, 0, "false", []])
        if self.chance(30):
            self.additional = self.rng.choice([[BOB], [CAROL, CAROL], [DAVE, ALICE], []])
            content["additional_creators"] = list(self.additional)
        if self.number < 12:
            self.additional = []
        elif self.chance(2):
            content["room_version"] = "11"
        return content

    def power_content(self, odd: bool) -> Content:
        content: Content = {}
        for name in NAMED:
            if self.chance(45):
                content[name] = self.level()
        if self.chance(85):
            content["users"] = {user: self.level() for user in USERS if self.chance(50)}
            if self.number >= 12 and not self.chance(5):
                for creator in [ALICE, *self.additional]:
                    content["users"].pop(creator, None)
        if self.chance(60):
            content["events"] = {kind: self.level() for kind in TYPES if self.chance(25)}
        if self.chance(30):
            content["notifications"] = {key: self.level() for key in ("room", "other") if self.chance(70)}
        if odd:
            self.spoil(content)
        return content

    def spoil(self, content: Content) -> None:
        """Put something invalid into the content of a power-levels event."""
        place = self.rng.choice([*NAMED, "users", "events", "notifications", "user ID"])
        if place == "user ID":
            odd_id = self.rng.choice(["foo", "@foo", "@:a.example", "@a:", "@a:b c", "", "@a\0:b.example"])
            content.setdefault("users", {})[odd_id] = 1
        elif place in NAMED:
            content[place] = self.odd_level()
        elif self.chance(30):
            content[place] = self.rng.choice([None, [], "x", 5, [1]])
        else:
            key = {"users": BOB, "events": "m.room.topic", "notifications": "room"}[place]
            content.setdefault(place, {})[key] = self.odd_level()

    def offer_content(self) -> Content:
        """Draw the content of a third-party-invite event."""
        content: Content = {"display_name": "x"}
        if self.chance(60):
            content["public_key"] = self.public_key()
        if self.chance(60):
            keys: list[Any] = [{"public_key": self.public_key()} for _ in range(self.rng.randrange(3))]
            if self.chance(5):
                keys.append(self.rng.choice([None, 5, {}, {"public_key": 5}]))
            content["public_keys"] = keys
        if self.chance(3):
            content["public_keys"] = self.rng.choice([None, {}, "x"])
        return content

    def public_key(self) -> Any:
        if self.chance(5):
            return self.rng.choice(["", "AAAA", "!", 5, None, public_key("id.one") + "=", "A" * 43])
        return public_key(self.rng.choice(SIGNERS))

    def membership(self) -> Any:
        return self.rng.choice(MEMBERSHIPS)

    def furnish(self) -> None:
        """Fill the state with everything that the rules read."""
        room = self.room
        if self.chance(80):
            room.power(self.power_content(odd=self.chance(4)), auth=[self.create])
        if self.chance(85):
            rule = self.rng.choice(JOIN_RULES)
            content: Content = {"join_rule": self.rng.choice(ODD_VALUES) if self.chance(4) else rule}
            room.add(
                "m.room.join_rules",
                ALICE,
                {} if self.chance(3) else content,
                state_key="",
                auth=[self.create],
            )
        for user in USERS:
            if self.chance(82):
                membership: Any = "join" if self.chance(60) else self.membership()
                content = {"membership": self.rng.choice(ODD_VALUES) if self.chance(2) else membership}
                room.add("m.room.member", user, content, state_key=user, auth=[self.create])
        for token in TOKENS:
            if self.chance(60):
                room.add(
                    "m.room.third_party_invite",
                    self.rng.choice([ALICE, BOB]),
                    self.offer_content(),
                    state_key=token,
                    auth=[self.create],
                )

    # The event

    def case(self) -> Case:
        self.furnish()
        room = self.room
        kind = self.rng.randrange(100)
        before = room.last
        if kind < 50:
            event = self.member_event()
        elif kind < 70:
            event = self.power_event()
        elif kind < 75:
            event = self.create_event()
        else:
            event = self.other_event()
        room.last = before
        rejected: set[str] = set()
        events = dict(room.events)
        of_this_room = event.type == "m.room.create" or event.room_id == room.room_id
        event = self.with_auth_events(event, events, rejected)
        if self.chance(4) and event.auth_event_ids:
            rejected.add(self.rng.choice(event.auth_event_ids))
        if self.number >= 12 and self.chance(2):
            rejected.add(self.create.event_id)
        state = dict(room.state)
        if self.chance(40):
            known = [events[i] for i in event.auth_event_ids if i in events]
            known.append(self.create)
            state = {(e.type, e.state_key): e for e in known if e.state_key is not None and self.here(e)}
        if self.chance(2):
            state.pop(("m.room.create", ""), None)
        return Case(self.version, event, events, frozenset(rejected), state, of_this_room)

    def user(self) -> str:
        """Draw a user, mostly one that is in the room."""
        joined = [u for u in USERS if self.membership_of(u) == "join"]
        return self.rng.choice(joined if joined and self.chance(60) else USERS)

    def membership_of(self, user: str) -> Any:
        member = self.room.state.get(("m.room.member", user))
        return None if member is None else member.content.get("membership")

    def here(self, event: Event) -> bool:
        return event.room_id == self.room.room_id

    def member_event(self) -> Event:
        rng = self.rng
        membership: Any = rng.choice(
            ["join", "join", "join", "invite", "invite", "leave", "leave", "ban", "knock"]
        )
        sender = rng.choice(USERS) if membership in ("join", "knock") else self.user()
        own = {"join": 90, "knock": 90, "leave": 40}.get(membership, 5)
        target = sender if self.chance(own) else rng.choice(USERS)
        content: Content = {"membership": membership}
        options: dict[str, Any] = {"state_key": target}
        if membership == "join":
            if self.chance(50):
                content["join_authorised_via_users_server"] = self.user()
            elif self.chance(6):
                content["join_authorised_via_users_server"] = rng.choice(ODD_VALUES)
            if self.chance(15):
                target = rng.choice([ALICE, ALICE, BOB])
                sender = target if self.chance(70) else sender
                options["state_key"] = target
                options["prev"] = rng.choice([[self.create], [self.create], [self.create, self.create], []])
        if self.chance(45 if membership == "invite" else 3):
            content["third_party_invite"] = self.third_party_invite(target)
            sender = rng.choice([ALICE, BOB])
        if self.chance(2):
            content["membership"] = rng.choice(ODD_VALUES)
        if self.chance(1):
            del content["membership"]
        if self.chance(1):
            options["state_key"] = rng.choice([None, "", "foo", "@foo"])
        return self.make("m.room.member", sender, content, **options)

    def third_party_invite(self, target: str) -> Any:
        rng = self.rng
        if self.chance(8):
            return rng.choice(
                [None, {}, {"signed": None}, {"signed": {}}, {"signed": {"mxid": target}}, "x", []]
            )
        token: Any = rng.choice(TOKENS) if self.chance(95) else rng.choice(["unknown", 5, None, [], {}])
        mxid: Any = target if self.chance(92) else rng.choice([BOB, None, 5])
        signers = [rng.choice(SIGNERS) for _ in range(rng.choice([0, 1, 1, 1, 2, 2, 3]))]
        more: Content = {"sender": "x"} if self.chance(15) else {}
        block = signed_block(mxid, token, *signers, **more)
        if self.chance(12):
            self.tamper(block)
        return {"display_name": "x", "signed": block}

    def tamper(self, block: Content) -> None:
        rng = self.rng
        what = rng.randrange(6)
        signatures: Content = block.get("signatures", {})
        if what == 0:
            block["added"] = 1
        elif what == 1:
            del block[rng.choice(["mxid", "token"])]
        elif what == 2:
            block["signatures"] = rng.choice([None, {}, [], {"id.one": None}, {"id.one": {"ed25519:1": 5}}])
        elif what == 3:
            signatures["id.zero"] = {
                rng.choice(["ed25519:1", "rot13:1", "x"]): rng.choice(["A" * 86, "!", ""])
            }
        elif what == 4:
            # Under another server name and key ID, which are only labels.
            block["signatures"] = {
                f"label.{server}": {f"ed25519:{n}": text for n, text in enumerate(by_key.values())}
                for server, by_key in signatures.items()
            }
        else:
            block["unsigned"] = {"x": 1}

    def power_event(self) -> Event:
        rng = self.rng
        current = self.room.state.get(("m.room.power_levels", ""))
        if current is None or self.chance(15):
            content = self.power_content(odd=self.chance(20))
        else:
            content = {k: dict(v) if type(v) is dict else v for k, v in current.content.items()}
            for _ in range(rng.choice([0, 1, 1, 1, 2, 3])):
                self.alter(content)
            if self.chance(8):
                self.spoil(content)
        sender = self.user()
        state_key = "" if self.chance(95) else rng.choice([None, "x", sender, BOB])
        return self.make("m.room.power_levels", sender, content, state_key=state_key)

    def alter(self, content: Content) -> None:
        """Add, change or remove one level."""
        rng = self.rng
        owner: Any = content
        name = rng.choice([*NAMED, *["users", "events"] * 4, "notifications"])
        if name not in NAMED:
            owner = content.setdefault(name, {})
            keys = {"users": USERS, "events": TYPES, "notifications": ["room", "other"]}[name]
            name = rng.choice(keys)
            if keys is USERS and self.number >= 12 and not self.chance(5):
                name = EVE
        if type(owner) is not dict:
            return
        current = owner.get(name)
        if self.chance(25):
            owner.pop(name, None)
        elif type(current) is int and self.chance(30):
            same: list[Any] = [current + 1, current - 1]
            if self.number <= 9:
                same.append(str(current))
            if self.number <= 5 and abs(current) < 1000:
                same.append(float(current))
            owner[name] = rng.choice(same)
            if type(owner[name]) is int and abs(owner[name]) >= 2**53:
                owner[name] = current
        else:
            owner[name] = self.level()

    def create_event(self) -> Event:
        rng = self.rng
        content: Content = {"room_version": self.version, "creator": ALICE}
        options: dict[str, Any] = {"state_key": "", "auth": [], "prev": []}
        sender = ALICE
        what = rng.choice([0, 1, 2, 3, 4, 5, 6, 7] if self.number < 12 else [0, 3, 4, 5, 6, 6, 6, 7])
        if what == 0:
            content["room_version"] = rng.choice(["1", "12", "99", "", None, 1, [], {}])
        elif what == 1:
            content.pop(rng.choice(["room_version", "creator"]))
        elif what == 2:
            content["creator"] = rng.choice(ODD_VALUES)
        elif what == 3:
            sender = rng.choice(USERS)
        elif what == 4:
            options["prev"] = [self.create]
        elif what == 5:
            options["state_key"] = rng.choice([None, "x", ALICE])
        elif what == 6:
            users: list[Any] = [
                ALICE,
                BOB,
                "@:b.example",
                "@b",
                "b:b.example",
                "@a:b$",
                "",
                42,
                None,
                "@" + "a" * 255 + ":b",
            ]
            chosen: Any = [rng.choice(users) for _ in range(rng.randrange(3))]
            content["additional_creators"] = chosen if self.chance(80) else rng.choice(ODD_VALUES)
        return self.make("m.room.create", sender, content, **options)

    def other_event(self) -> Event:
        rng = self.rng
        kind = rng.choice([*TYPES, "m.room.redaction"])
        sender = self.user()
        keys = ["", "", sender, BOB, "@foo", "x", server_name(sender), "b.example"]
        state_key: Any = rng.choice(keys)
        options: dict[str, Any] = {}
        if kind in ("m.room.message", "m.room.redaction", "m.room.encrypted"):
            state_key = state_key if self.chance(10) else None
        elif self.chance(10):
            state_key = None
        if kind == "m.room.third_party_invite":
            state_key = rng.choice(TOKENS)
        elif self.version in OWNED_KEY_VERSIONS and state_key is not None and self.chance(70):
            state_key = self.owned_state_key(sender)
        if kind == "m.room.redaction":
            here = f"$x:{server_name(sender)}"
            options["redacts"] = rng.choice(
                [here, here, here, "$x:b.example", "$x", "", self.create.event_id, None, 5, []]
            )
        return self.make(kind, sender, {}, state_key=state_key, **options)

    def owned_state_key(self, sender: str) -> str:
        """Draw a state key that has an owner, or that is just too long or malformed to have one."""
        rng = self.rng
        odd = ["@b", "@b:", "@b:x y", "b:x", "@\0:x", "@\u00e9_:x"]
        owner = rng.choice([*USERS, *USERS, sender, sender, *odd])
        if self.chance(8):
            return rng.choice(["x" * 255, "x" * 256, "x" * 511, "\u00e9" * 127, "\u00e9" * 128])
        rest = rng.choice(["", "_", "_device", "_a_b:c", "_@b", ":80", ".evil.example_x", "-x"])
        if self.chance(15):
            rest = "_" + rng.choice(["x" * 255, "x" * 256, "\u00e9" * 127 + "x", "\u00e9" * 128])
        return owner + rest

    def make(self, kind: str, sender: str, content: Content, **options: Any) -> Event:
        if self.number >= 12 and kind != "m.room.create" and self.chance(3):
            # A room ID that names another event or a missing one.
            others = [e.event_id for e in self.room.events.values()]
            options["room_id"] = "!" + self.rng.choice([*others, "$unknown"])[1:]
        return self.room.make(kind, sender, content, **options)

    def with_auth_events(self, event: Event, events: dict[str, Event], rejected: set[str]) -> Event:
        """Return the event, sometimes with other auth events than the selected ones."""
        rng = self.rng
        if event.type == "m.room.create" or not self.chance(30):
            return event
        cited: list[Event | str] = [events[i] for i in event.auth_event_ids if i in events]
        what = rng.randrange(9)
        at = rng.randrange(len(cited) + 1)
        if what <= 1 and cited:
            del cited[rng.randrange(len(cited))]
        elif what == 2:
            cited.insert(at, rng.choice(list(self.room.state.values())))
        elif what == 3 and cited:
            cited.insert(at, rng.choice(cited))
        elif what == 4:
            # Another event with a selected key.
            user = rng.choice([event.sender, event.state_key or event.sender])
            if user in USERS:
                other = self.room.make_member(user, self.membership(), auth=[self.create])
                events[other.event_id] = other
                cited.insert(at, other)
        elif what == 5:
            elsewhere = Room(self.version, name="elsewhere", creator=CAROL, signed=False)
            other = rng.choice([elsewhere.create, elsewhere.make_member(event.sender, "join")])
            events[other.event_id] = other
            key = (other.type, other.state_key)
            cited = [*(c for c in cited if not isinstance(c, str) and (c.type, c.state_key) != key), other]
        elif what == 6:
            message = self.room.make("m.room.message", ALICE, auth=[self.create])
            events[message.event_id] = message
            cited.insert(at, message)
        elif what == 7:
            cited.insert(at, self.create)
        else:
            cited.insert(at, "$unknown:a.example")
        fields: Content = {k: v for k, v in event.pdu.items() if k not in ("hashes", "auth_events")}
        options: dict[str, Any] = {"auth": cited, **fields}
        for name in ("type", "sender", "content", "state_key"):
            options.pop(name, None)
        prev = options.pop("prev_events")
        return self.room.make(
            event.type,
            event.sender,
            event.content,
            state_key=event.state_key,
            prev=[p[0] if type(p) is list else p for p in prev],
            **options,
        )
