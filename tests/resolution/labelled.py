"""Small rooms whose events have IDs by label, the same in several room versions."""

from typing import Any

from builder import versions_from
from random_forks import hash_id, hostile_event

from roomver import Event, RoomGraph, get_room_version, resolve
from roomver.resolution import Resolution

ALICE = "@a:x"
BOB = "@b:x"
CAROL = "@c:x"
GREATEST = 2**53 - 1
LATER = versions_from(2)
BEFORE_12 = versions_from(2, 11)


class Room:
    """A room whose events have labels. `ALICE` creates it with the event C and joins it with MA."""

    def __init__(self, version: str) -> None:
        self.version = get_room_version(version)
        self.creators_are_above_all = version == "12"
        self.events: dict[str, Event] = {}
        self.labels: dict[str, str] = {}
        self.room_id = "!" + self.id("C")[1:] if self.creators_are_above_all else "!r:x"
        self.put("C", "m.room.create", 1, content={"room_version": version, "creator": ALICE}, base=())
        self.put("MA", "m.room.member", 2, state_key=ALICE, content={"membership": "join"}, base=("C",))

    def id(self, label: str) -> str:
        return f"${label}:x" if self.version.references_carry_hashes else hash_id(label)

    def put(  # noqa: PLR0913 - each is a part of an event
        self,
        label: str,
        kind: str,
        ts: int,
        *cited: str,
        sender: str = ALICE,
        state_key: str | None = "",
        content: dict[str, Any] | None = None,
        base: tuple[str, ...] | None = None,
        depth: int = 1,
    ) -> Event:
        """Add an event. It cites C, in version 12 through its room ID, and MA if Alice sends it."""
        if base is None:
            base = ("C", "MA") if sender == ALICE else ("C",)
        auth = [self.id(one) for one in (*base, *cited) if one != "C" or not self.creators_are_above_all]
        event = hostile_event(
            self.version,
            self.id(label),
            self.room_id,
            kind,
            sender,
            state_key,
            {} if content is None else content,
            auth,
            # A creator's first join follows the create event and nothing else.
            prev=(self.id("C"),) if label == "MA" else (),
            timestamp=ts,
            depth=depth,
        )
        self.events[event.event_id] = event
        self.labels[event.event_id] = label
        return event

    def levels(self, label: str, ts: int, *cited: str, sender: str = ALICE, **users: int) -> Event:
        """Add power levels. They list Alice, except in version 12, where a creator must not be listed."""
        content: dict[str, Any] = {"users": {f"@{name}:x": level for name, level in users.items()}}
        if not self.creators_are_above_all:
            content["users"] = {ALICE: 100, **content["users"]}
        return self.put(label, "m.room.power_levels", ts, *cited, sender=sender, content=content)

    def rule(self, label: str, rule: str, ts: int, *cited: str, sender: str = ALICE, depth: int = 1) -> Event:
        content = {"join_rule": rule}
        return self.put(label, "m.room.join_rules", ts, *cited, sender=sender, content=content, depth=depth)

    def member(
        self,
        label: str,
        user: str,
        membership: Any,
        ts: int,
        *cited: str,
        sender: str | None = None,
        depth: int = 1,
    ) -> Event:
        content = {"membership": membership}
        by = user if sender is None else sender
        return self.put(
            label, "m.room.member", ts, *cited, sender=by, state_key=user, content=content, depth=depth
        )

    def topic(self, label: str, ts: int, *cited: str, sender: str = ALICE, depth: int = 1) -> Event:
        return self.put(label, "m.room.topic", ts, *cited, sender=sender, depth=depth)

    def state(self, labels: str) -> dict[tuple[str, str], str]:
        state = {}
        for label in labels.split():
            event = self.events[self.id(label)]
            assert event.state_key is not None
            state[event.type, event.state_key] = event.event_id
        return state

    def resolve(self, *states: str, **options: Any) -> Resolution:
        """Resolve states given as labels. Assert that a graph and the order of states change nothing."""
        sets = [self.state(labels) for labels in states]
        resolution = resolve(sets, self.events, trace=True, **options)
        if "graph" not in options:
            graph = RoomGraph(self.events.values())
            assert resolve(sets, self.events, graph=graph, trace=True, **options) == resolution
        assert resolve(sets[::-1], self.events, **options).state == resolution.state
        return resolution

    def of(self, resolution: Resolution) -> set[str]:
        """Return the labels of a resolved state."""
        return set(self.named(resolution.state.values()))

    def named(self, event_ids: Any) -> list[str]:
        return [self.labels[event_id] for event_id in event_ids]
