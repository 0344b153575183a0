"""Cases for the authorisation rules on a room state that is known in part.

Such a state is what a server has after a join whose response leaves out members, or beside a gap in its
history. What is unknown decides nothing: it may be there or not. So an event is undecided if the rules
need an unknown entry before they decide. A test fills in the unknown entries in several ways: they give both
answers where a case is undecided, and always the same answer where it is decided.
"""

from collections.abc import Callable
from typing import Any

from .constants import AUTHORISER, JOIN_RULES, MEMBER, MESSAGE, POWER_LEVELS, TOPIC
from .rooms import ALICE, BOB, CAROL, DAN, HELLO, MALLORY, Room, plain_room
from .suite import EventsFile, File, page
from .versions import ALL, Versions, since, spread

MEMBERS: tuple[str, None] = (MEMBER, None)
"""The members that the state does not list are unknown."""

Hidden = tuple[str | None, str | None]


class _Cases:
    def __init__(self, file: File) -> None:
        self.file = file
        self.rows = 0

    def case(
        self,
        slug: str,
        answer: bool | None,
        notes: str,
        make: Callable[[str], tuple[Room, str]],
        *unknown: Hidden,
        known: tuple[str, ...] = (),
        among: Versions = ALL,
        versions: Versions = (),
    ) -> None:
        """Add a case in some room versions.

        Args:
            answer: whether the event is allowed; None if it is undecided.
            make: takes the room version, and returns the room and the event that is checked.
            unknown: what is taken out of the room's state: a key, or the keys of a type.
            known: the users whose member events stay in the state nevertheless.
            among: the room versions to choose from.
            versions: all of the room versions that get the case; empty for a few of `among`.
        """
        for version in versions or spread(self.rows, among, 2):
            room, event = make(version)
            state = {
                key: one
                for key, one in room.state.items()
                if not any(kind == key[0] and name in (None, key[1]) for kind, name in unknown)
                or (key[0] == MEMBER and key[1] in known)
            }
            given = {
                "events": room.chain([event, *state.values()]),
                "event": event,
                "state": sorted(state.values()),
                "unknown": [list(one) for one in unknown],
            }
            outcome = {"undecided": True} if answer is None else {"allowed": answer}
            spec = page(version, "authorization-rules")
            self.file.add(f"auth_partial_state.{slug}", version, given, outcome, spec=spec, notes=notes)
        self.rows += 1


def _room(version: str, **named: Any) -> Room:
    """Return a public room of Alice, Bob with level 50, and Carol."""
    return plain_room(version, {BOB: 50}, joined=[BOB, CAROL], **named)


def _sent(
    sender: str, kind: str, content: Any, state_key: str | None = None, **named: Any
) -> Callable[[str], tuple[Room, str]]:
    def make(version: str) -> tuple[Room, str]:
        room = _room(version, **named)
        return room, room.make(sender, kind, content, state_key)

    return make


def _members(cases: _Cases) -> None:
    message = _sent(BOB, MESSAGE, HELLO)
    notes = "Members were left out, but the sender is among those that are known. No rule needs the others."
    cases.case("sender.known", True, notes, message, MEMBERS, known=(BOB,), versions=ALL)
    notes = "The sender is among the members that were left out: it may be joined, banned or absent."
    cases.case("sender.unknown", None, notes, message, MEMBERS, known=(ALICE,), versions=ALL)
    notes = "Only the sender's member event is unknown."
    cases.case("sender.unknown_alone", None, notes, message, (MEMBER, BOB))
    notes = "Another user's member event is unknown. This sender is known not to be in the room."
    cases.case("sender.absent", False, notes, _sent(MALLORY, MESSAGE, HELLO), (MEMBER, BOB))

    def invite(version: str) -> tuple[Room, str]:
        room = _room(version)
        return room, room.try_member(DAN, "invite", ALICE)

    notes = "The target of an invite may be joined or banned."
    cases.case("invite.target_unknown", None, notes, invite, MEMBERS, known=(ALICE,))
    notes = "The sender of the invite is unknown."
    cases.case("invite.sender_unknown", None, notes, invite, (MEMBER, ALICE))
    notes = "The sender of the invite is known, and so is that its target was never in the room."
    cases.case("invite.known", True, notes, invite, (MEMBER, BOB))

    def ban(version: str) -> tuple[Room, str]:
        room = _room(version)
        return room, room.try_member(CAROL, "ban", BOB)

    notes = "A ban depends on the levels of sender and target, and on the sender's membership alone."
    cases.case("ban.target_unknown", True, notes, ban, (MEMBER, CAROL))
    cases.case("ban.sender_unknown", None, "The sender of the ban is unknown.", ban, (MEMBER, BOB))

    def join(version: str) -> tuple[Room, str]:
        room = _room(version)
        return room, room.try_member(DAN, "join")

    notes = "The user who joins may be banned."
    cases.case("join.user_unknown", None, notes, join, MEMBERS, known=(ALICE, BOB))
    notes = "The members that are unknown are other users."
    cases.case("join.others_unknown", True, notes, join, (MEMBER, BOB), (MEMBER, CAROL))


def _other_entries(cases: _Cases) -> None:
    rules, levels = (JOIN_RULES, ""), (POWER_LEVELS, "")

    def join(version: str) -> tuple[Room, str]:
        room = _room(version)
        return room, room.try_member(DAN, "join")

    cases.case("join.rules_unknown", None, "The join rule is unknown.", join, rules)

    def banned(version: str) -> tuple[Room, str]:
        room = _room(version)
        room.was(DAN, "ban")
        return room, room.try_member(DAN, "join")

    notes = "A banned user is rejected before the join rule matters, so it may be unknown."
    cases.case("join.banned", False, notes, banned, rules)
    notes = "A user who joins for another is rejected before any entry of the state matters."
    for_other = _sent(BOB, MEMBER, {"membership": "join"}, DAN)
    cases.case("join.for_other", False, notes, for_other, rules, MEMBERS)

    topic = _sent(BOB, TOPIC, {"topic": "Vectors"}, "")
    cases.case("levels.unknown", None, "The power levels are unknown.", topic, levels, versions=ALL)
    notes = "A sender who is not in the room is rejected before the power levels matter."
    cases.case("levels.sender_absent", False, notes, _sent(MALLORY, MESSAGE, HELLO), levels)
    notes = "Power levels are compared with the previous ones, which are unknown."
    change = _sent(BOB, POWER_LEVELS, {"users": {BOB: 50}, "ban": 60}, "")
    cases.case("levels.previous_unknown", None, notes, change, levels)
    notes = "No rule reads the entries that are unknown."
    cases.case("others_unknown", True, notes, topic, ("m.room.name", ""), (TOPIC, ""), versions=ALL)
    notes = "Any entry that the state does not list is unknown. It lists all that the rules read."
    cases.case("all_others_unknown", True, notes, topic, (None, None), (MEMBER, CAROL), rules)

    def closed(version: str) -> tuple[Room, str]:
        room = Room(version, {"m.federate": False})
        room.member(ALICE, "join")
        room.power()
        room.join_rule("public")
        return room, room.make(BOB, MESSAGE, HELLO)

    notes = "The room is closed to other servers, whatever the sender's membership is."
    cases.case("closed_room", False, notes, closed, MEMBERS, levels)

    def twice(version: str) -> tuple[Room, str]:
        room = _room(version)
        cited = room.select(BOB, MESSAGE, HELLO, None)
        return room, room.make(BOB, MESSAGE, HELLO, auth=[*cited, cited[-1]])

    notes = "The rules on auth events reject the event, whatever the state is."
    cases.case("auth_events_twice", False, notes, twice, MEMBERS, levels)


def _restricted(cases: _Cases) -> None:
    def restricted(version: str) -> tuple[Room, str]:
        room = _room(version)
        allow = [{"type": "m.room_membership", "room_id": "!other:a.example.org"}]
        room.join_rule("restricted", allow=allow)
        return room, room.try_member(DAN, "join", content={AUTHORISER: BOB})

    among = since("8")
    notes = "Whether the authorising user is joined is unknown."
    cases.case("restricted.authoriser_unknown", None, notes, restricted, (MEMBER, BOB), among=among)
    notes = "Whether the authorising user may invite is unknown."
    cases.case("restricted.levels_unknown", None, notes, restricted, (POWER_LEVELS, ""), among=among)
    notes = "The authorising user, the levels and the user who joins are known."
    cases.case("restricted.known", True, notes, restricted, (MEMBER, CAROL), among=among)

    def knock(version: str) -> tuple[Room, str]:
        room = _room(version)
        room.join_rule("knock")
        return room, room.try_member(DAN, "knock")

    among = since("7")
    cases.case("knock.rules_unknown", None, "The join rule is unknown.", knock, (JOIN_RULES, ""), among=among)
    notes = "The user who knocks may be joined or banned."
    cases.case("knock.user_unknown", None, notes, knock, MEMBERS, known=(ALICE,), among=among)


def files() -> list[File]:
    """Return the files of this area."""
    file = EventsFile("receipt/partial_state.json", "Authorisation rules on a state that is known in part")
    cases = _Cases(file)
    _members(cases)
    _other_entries(cases)
    _restricted(cases)
    return [file]
