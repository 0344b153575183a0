"""Who takes part in a room: its members with their levels, and its servers with their keys and signatures."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..event import Event
from ..identifiers import server_of
from ..power import CREATE, POWER_LEVELS, Levels
from ..room_check import RoomCheck
from ..signature_results import SigningStatus
from ..state import entries_of
from ..types import EventId, KeyId, ServerName, UserId


class Member(NamedTuple):
    """A user with a member event in the current state.

    Attributes:
        user: the user ID.
        event_id: the member event.
        membership: the membership; empty if the event does not have one.
        level: the power level: an integer or ``infinite``; None if it is unknown.
    """

    user: UserId
    event_id: EventId
    membership: str
    level: int | str | None


class UsedKey(NamedTuple):
    """A key that signatures of a server name.

    Attributes:
        key_id: its ID.
        verified, failed: how many signatures verify and fail with it.
        needed: how many events need it, if it is unknown.
    """

    key_id: KeyId
    verified: int
    failed: int
    needed: int


@dataclass(frozen=True, slots=True)
class Server:
    """A server whose users sent events, or that signed some.

    Attributes:
        name: its name.
        events: how many usable events its users sent.
        signatures: how many of them have which result, by the value of `SigningStatus`. Those whose
            signatures were not checked are not counted.
        joined: how many of its users are joined; None if the current state is unknown.
        keys: its keys, sorted.
    """

    name: ServerName
    events: int
    signatures: dict[str, int]
    joined: int | None
    keys: tuple[UsedKey, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the server as JSON values."""
        return {
            "name": self.name,
            "events": self.events,
            "signatures": self.signatures,
            "joined": self.joined,
            "keys": [list(key) for key in self.keys],
        }


def members_of(found: RoomCheck) -> list[Member]:
    """Return the members in the current state, as far as it is known. Joined ones come first."""
    state = found.replay.current_state
    if state is None:
        return []
    entries, events = entries_of(state), found.replay.events
    create = events.get(entries.get(CREATE, ""))
    power = events.get(entries.get(POWER_LEVELS, ""))
    # Without a power-levels event the defaults hold, unless that event is merely unknown.
    known = state is entries or power is not None
    levels = Levels(create, power)
    members = []
    for (kind, user), event_id in entries.items():
        if kind == "m.room.member":
            level = levels.user(user) if known else None
            named = level if level is None or type(level) is int else "infinite"
            members.append(Member(user, event_id, _membership(events[event_id]), named))
    return sorted(members, key=_rank)


_ORDER = ("join", "invite", "knock", "ban", "leave")


def _rank(member: Member) -> tuple[int, float, UserId]:
    level = member.level
    height = 0.0 if level is None else float("inf") if isinstance(level, str) else level
    place = _ORDER.index(member.membership) if member.membership in _ORDER else len(_ORDER)
    return place, -height, member.user


def _membership(event: Event) -> str:
    membership = event.content.get("membership")
    return membership if type(membership) is str else ""


def servers_of(found: RoomCheck, members: Iterable[Member]) -> list[Server]:
    """Return the servers of a room, those with the most events first."""
    events: Counter[ServerName] = Counter()
    results: dict[ServerName, Counter[SigningStatus]] = {}
    by_sender: dict[UserId, ServerName] = {}
    for event_id, event in found.gathered.events.items():
        name = by_sender.get(event.sender)
        if name is None:
            name = by_sender[event.sender] = server_of(event.sender)
        events[name] += 1
        signatures = found.gathered.checks[event_id].signatures
        if signatures is not None:
            results.setdefault(name, Counter())[signatures] += 1
    known = found.replay.current_state is not None
    joined = Counter(server_of(member.user) for member in members if member.membership == "join")
    keys: dict[ServerName, dict[KeyId, list[int]]] = {}
    summary = found.summary
    for (name, key_id, good), number in summary.keys_tried.items():
        keys.setdefault(name, {}).setdefault(key_id, [0, 0, 0])[0 if good else 1] += number
    for (name, key_id), number in summary.unknown_keys.items():
        keys.setdefault(name, {}).setdefault(key_id, [0, 0, 0])[2] += number
    servers = [
        Server(
            name,
            events[name],
            {status.value: n for status, n in sorted(results.get(name, {}).items(), key=_by_value)},
            joined[name] if known else None,
            tuple(UsedKey(key_id, *numbers) for key_id, numbers in sorted(keys.get(name, {}).items())),
        )
        for name in {*events, *keys, *joined}
    ]
    return sorted(servers, key=lambda one: (-one.events, one.name))


def _by_value(item: tuple[SigningStatus, int]) -> str:
    return item[0].value
