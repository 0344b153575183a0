"""Rooms in the order of arrival, told as a tale: its events have labels, and so have the expected outcomes.

C is the create event, MA, MB and MC are the joins of Alice, Bob and Carol, P are the power levels (Bob has
50), JR is the join rule (public). The label of a later event is in its content: of a message as its body, of
a topic as its text, of a membership as its reason.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from .constants import JOIN_RULES, MEMBER, MESSAGE, POWER_LEVELS, TOPIC, Key
from .rooms import ALICE, BOB, CAROL, Room
from .suite import SPEC, File
from .versions import ALL, Versions, spread

SOFT = f"{SPEC}/server-server-api/#soft-failure"
BASE = "C MA P JR MB MC"


class Place(NamedTuple):
    """A place in the graph to which a tale can go back."""

    heads: list[str]
    state: dict[Key, str]


class Tale:
    """A room whose events have labels.

    Attributes:
        ids: the event IDs, by label.
        order: the labels in the order of arrival, which is that of the telling unless a case changes it.
    """

    def __init__(self, version: str, **levels: Any) -> None:
        self.version = version
        self.number = int(version)
        self.room = Room(version)
        self.ids: dict[str, str] = {"C": self.room.create}
        self.order = ["C"]
        self.member("MA", ALICE, "join")
        self.levels("P", {BOB: 50, **levels})
        self.put("JR", ALICE, JOIN_RULES, {"join_rule": "public"}, "")
        self.member("MB", BOB, "join")
        self.member("MC", CAROL, "join")

    def put(
        self, label: str, sender: str, kind: str, content: Any, state_key: str | None = None, **more: Any
    ) -> str:
        """Send an event after the last one."""
        self.ids[label] = self.room.put(sender, kind, content, state_key, **more)
        self.order.append(label)
        return self.ids[label]

    def member(self, label: str, user: str, membership: str, sender: str = "") -> None:
        """Send a member event."""
        # The base events are those of other files, which the archive of the suite then holds once.
        content = {"membership": membership, **({} if label in BASE.split() else {"reason": label})}
        self.put(label, sender or user, MEMBER, content, user)

    def message(self, label: str, sender: str) -> None:
        """Send a message."""
        self.put(label, sender, MESSAGE, {"body": label, "msgtype": "m.text"})

    def topic(self, label: str, sender: str) -> None:
        """Send a topic."""
        self.put(label, sender, TOPIC, {"topic": label}, "")

    def levels(self, label: str, users: Mapping[str, Any], sender: str = ALICE) -> None:
        """Send power levels."""
        self.put(label, sender, POWER_LEVELS, self.room.levels(users), "")

    def here(self) -> Place:
        """Return the place after the last event."""
        return Place(list(self.room.heads), dict(self.room.state))

    def back(self, place: Place) -> None:
        """Go on from an earlier place. What was sent since is on another branch."""
        self.room.heads, self.room.state = list(place.heads), dict(place.state)

    def merge(self, *places: Place, state: Place) -> None:
        """Go on after several places, with the state of one of them for the auth events."""
        self.room.heads = [head for place in places for head in place.heads]
        self.room.state = dict(state.state)


class TaleCases:
    """Adds the cases of a file."""

    def __init__(self, file: File) -> None:
        self.file = file
        self.rows = 0

    def versions(self, among: Versions = ALL, count: int = 3) -> Versions:
        """Return the room versions of the next case, other ones each time."""
        self.rows += 1
        return spread(self.rows, among, count)

    def case(
        self,
        slug: str,
        tale: Tale,
        notes: str,
        *,
        state: str,
        ends: str = "",
        order: str = "",
        spec: str = SOFT,
        given: Mapping[str, Any] | None = None,
        keys: Mapping[str, Any] | None = None,
        held: Sequence[str] = (),
        pdus: Mapping[str, Any] | None = None,
        **outcomes: str,
    ) -> None:
        """Add a case.

        Args:
            state: the labels of the current state.
            ends: the labels of the forward extremities; empty if the case does not compare them.
            order: the labels in the order of arrival; by default that of the telling.
            given: the states that are given, by label.
            keys: verify keys.
            held: the labels of the events that do not arrive: the server has them.
            pdus: what arrives in the place of an event, by its label. Its key may not be its ID.
            outcomes: what becomes of the events that are not accepted, by label.
        """
        labels = order.split() or [one for one in tale.order if one not in held]
        events = {tale.ids[one]: tale.room.events[tale.ids[one]] for one in [*held, *labels]}
        for label, pdu in (pdus or {}).items():
            events[tale.ids[label]] = pdu
        found: dict[str, Any] = {"events": events, "order": [tale.ids[one] for one in labels]}
        if keys is not None:
            found["keys"] = keys
        if given is not None:
            found["given"] = given
        expected: dict[str, Any] = {
            "outcomes": {tale.ids[one]: outcomes.get(one, "accepted") for one in labels},
            "state": sorted(tale.ids[one] for one in state.split()),
        }
        if ends:
            expected["forward_extremities"] = sorted(tale.ids[one] for one in ends.split())
        self.file.add(f"receive.{slug}", tale.version, found, expected, spec=spec, notes=notes)
