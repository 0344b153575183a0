"""Scenes for the cases of state resolution: rooms whose events have labels.

The notes of a case name the events by their labels: C is the create event, MA the creator's join. The states
to resolve and the expected outcome are strings of labels.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from .constants import JOIN_RULES, MEMBER, POWER_LEVELS, START, TOPIC
from .rooms import ALICE, BOB, CAROL, Room
from .suite import ERROR, File, either, page

DAVE = "@dave:d.example.org"
EVE = "@eve:e.example.org"

_SORTED = (
    "state",
    "conflicted",
    "auth_difference",
    "conflicted_subgraph",
    "full_conflicted",
    "partial_state",
)
_ORDERED = ("power_order", "mainline_order")


class Scene:
    """A room whose events have labels. `ALICE` creates it (C) and joins it (MA).

    Args:
        version: the room version.
    """

    def __init__(self, version: str) -> None:
        self.version = version
        self.number = int(version)
        self.room = Room(version)
        self.ids: dict[str, str] = {"C": self.room.create}
        self._last = "C"
        self.member("MA", ALICE, "join", 2)

    def put(
        self,
        label: str,
        kind: str,
        content: Any,
        ts: int,
        *cited: str,
        sender: str = ALICE,
        state_key: str | None = "",
        depth: int = 0,
    ) -> None:
        """Add an event.

        Args:
            ts: its time, in seconds after `START`.
            cited: the labels of its auth events. Up to version 11 the create event is added.
            depth: its depth, for a case that depends on it.
        """
        auth = [*(["C"] if self.number <= 11 else []), *cited]
        top: dict[str, Any] = {"origin_server_ts": START + 1000 * ts}
        if depth:
            top["depth"] = depth
        auth_ids = [self.ids[one] for one in auth]
        self.ids[label] = self.room.make(
            sender, kind, content, state_key, auth=auth_ids, prev=[self.ids[self._last]], top=top
        )
        self._last = label

    def levels(
        self, label: str, ts: int, *cited: str, sender: str = ALICE, depth: int = 0, **users: int
    ) -> None:
        """Add power levels. The keywords are first letters of users; for the creator see `Room.levels`."""
        named = {_USERS[letter]: level for letter, level in users.items()}
        content = self.room.levels(named)
        by = ("MA",) if sender == ALICE else ()
        self.put(label, POWER_LEVELS, content, ts, *cited, *by, sender=sender, depth=depth)

    def rule(self, label: str, rule: str, ts: int, *cited: str, sender: str = ALICE, depth: int = 0) -> None:
        """Add a join rule."""
        by = ("MA",) if sender == ALICE else ()
        self.put(label, JOIN_RULES, {"join_rule": rule}, ts, *cited, *by, sender=sender, depth=depth)

    def member(
        self,
        label: str,
        user: str,
        membership: str,
        ts: int,
        *cited: str,
        sender: str | None = None,
        depth: int = 0,
        **more: Any,
    ) -> None:
        """Add a member event, sent by the user unless a sender is named."""
        content = {"membership": membership, **more}
        by = ("MA",) if sender == ALICE and user != ALICE else ()
        self.put(
            label,
            MEMBER,
            content,
            ts,
            *cited,
            *by,
            sender=sender or user,
            state_key=user,
            depth=depth,
        )

    def topic(self, label: str, ts: int, *cited: str, sender: str = ALICE, depth: int = 0) -> None:
        """Add a topic whose text is its label."""
        by = ("MA",) if sender == ALICE else ()
        self.put(label, TOPIC, {"topic": label}, ts, *cited, *by, sender=sender, depth=depth)

    def given(self, sets: Sequence[str], rejected: str = "", as_written: bool = False) -> dict[str, Any]:
        """Return the input of a case. Each state is sorted by event ID, or kept ``as_written``."""
        labels = [one.split() for one in sets]
        roots = [self.ids[label] for one in labels for label in one] + [self.ids[r] for r in rejected.split()]
        states = [[self.ids[label] for label in one] for one in labels]
        found: dict[str, Any] = {
            "events": self.room.chain(roots),
            "state_sets": [ids if as_written else sorted(ids) for ids in states],
        }
        if rejected:
            found["rejected"] = sorted(self.ids[label] for label in rejected.split())
        return found

    def expected(self, outcome: Mapping[str, str]) -> dict[str, Any]:
        """Return the outcome of a case, with event IDs in place of labels."""
        found: dict[str, Any] = {}
        for key, labels in outcome.items():
            ids = [self.ids[label] for label in labels.split()]
            assert key in _SORTED or key in _ORDERED, key
            found[key] = sorted(ids) if key in _SORTED else ids
        return found


_USERS = {"b": BOB, "c": CAROL, "d": DAVE, "e": EVE}


def with_bob(version: str, level: int = 50) -> Scene:
    """Return a public room in which Bob has a level. Its events are C, MA, P0, JR and MB."""
    scene = Scene(version)
    scene.levels("P0", 3, b=level)
    scene.rule("JR", "public", 4, "P0")
    scene.member("MB", BOB, "join", 5, "P0", "JR")
    return scene


class Scenes:
    """The cases of one file, made of scenes.

    Args:
        file: the file for the cases.
        disputed: the file for the cases that accept several outcomes.
    """

    def __init__(self, file: File, disputed: File | None = None) -> None:
        self.file = file
        self.disputed_file = disputed

    def case(
        self,
        name: str,
        scene: Scene,
        sets: list[str],
        notes: str,
        rejected: str = "",
        as_written: bool = False,
        **outcome: str,
    ) -> None:
        """Add a case. The states and the outcome are strings of labels."""
        given = scene.given(sets, rejected, as_written)
        self._add(self.file, name, scene.version, given, scene.expected(outcome), notes)

    def disputed(
        self,
        name: str,
        scene: Scene,
        sets: list[str],
        notes: str,
        *outcomes: tuple[dict[str, str] | None, str],
        rejected: str = "",
    ) -> None:
        """Add a case that accepts several outcomes.

        Args:
            outcomes: each as strings of labels, or None for an error, with its reason.
        """
        assert self.disputed_file is not None
        accepted = [(ERROR if one is None else scene.expected(one), reason) for one, reason in outcomes]
        given = scene.given(sets, rejected)
        self._add(self.disputed_file, name, scene.version, given, either(*accepted), notes)

    @staticmethod
    def _add(file: File, name: str, version: str, given: Any, expected: Any, notes: str) -> None:
        spec = page(version, "state-resolution")
        file.add(f"resolve.{name}", version, given, expected, spec=spec, notes=notes)
