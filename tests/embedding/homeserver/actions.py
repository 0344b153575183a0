"""Random actions on two servers whose link is cut and healed: `python -m tests.embedding.homeserver.actions`.

A real Synapse and the example server share a room. Their users act at random, while the link between the
servers is cut and healed at random. At the end it is healed, and both servers must be in the same state.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from .compared import differences
from .drawn import START, Action, Dice, with_action
from .example import Example, ExampleSide
from .link import Homeserver, HttpError, Json, Link, settings
from .sides import Side, StateKey, SynapseSide

VERSIONS = ("1", "3", "6", "9", "10", "11", "12")
SYNAPSE_NAME = "big.example"
OTHER_NAME = "small.example"
# The chances that the link is cut or healed before an action.
CUT = 0.04
HEAL = 0.06
SETTLE_SECONDS = 40
LEAST_DONE = 0.4
# After how many actions the states are asked for again, and among how many events one is redacted.
REFRESH = 10
RECENT = 20


@dataclass
class Played:
    """What became of one room.

    Attributes:
        version: its version.
        done, refused: how many actions of each kind were done and refused.
        cuts: how often the link was cut.
        events: how many events it has.
        merges: how many of them follow more than one event.
        rejected, soft_failed: how many events the first and the second server rejected and soft-failed.
        seconds: how long it took.
        wrong: what is not as it must be.
    """

    version: str
    done: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    cuts: int = 0
    events: int = 0
    merges: int = 0
    rejected: tuple[int, int] = (0, 0)
    soft_failed: tuple[int, int] = (0, 0)
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)

    @property
    def share(self) -> float:
        """The share of the actions that were done."""
        return self.done.total() / max(1, self.done.total() + self.refused.total())

    def __str__(self) -> str:
        what = f"version {self.version}: {self.done.total()} actions done, {self.refused.total()} refused"
        what += f", {self.cuts} cuts, {self.events} events, {self.merges} merges"
        what += f", rejected {self.rejected[0]}+{self.rejected[1]}"
        what += f", soft-failed {self.soft_failed[0]}+{self.soft_failed[1]}, {self.seconds:.0f} s"
        return "\n".join([what, *(f"    {line}" for line in self.wrong)])


class World:
    """Two servers, and the link between them."""

    def __init__(self, sides: tuple[Side, Side], link: Link) -> None:
        self.sides = sides
        self.link = link

    def logs(self) -> str:
        """Return the last lines that both servers printed."""
        return "\n".join(f"{side.name}:\n{side.log_tail()}" for side in self.sides)

    def play(self, seed: int, actions: int) -> Played:
        """Play one room, and compare what the two servers have of it at the end."""
        begun = time.monotonic()
        version = VERSIONS[seed % len(VERSIONS)]
        played = Played(version)
        # The first user of each server is its anchor. The servers make the rooms in turn.
        sides = self.sides if seed % 2 else self.sides[::-1]
        for side in self.sides:
            side.register([f"{name}{seed}" for name in ("anchor", "bob", "carol", "dan")])
        anchors = [side.users[0] for side in self.sides]
        everyone = [user for side in self.sides for user in side.users]
        room_id = self._begin(sides, played, anchors)
        dice = Dice(seed, anchors, everyone)
        cuts = random.Random(f"cuts {seed}")  # apart, so that a seed has the same cuts in every run
        recent: dict[str, list[str]] = {side.name: [] for side in sides}
        states: dict[str, Mapping[StateKey, Json]] = {}
        for number in range(actions):
            if cuts.random() < (HEAL if self.link.is_cut() else CUT):
                played.cuts += not self.link.is_cut()
                self.link.heal() if self.link.is_cut() else self.link.cut()
            side = dice.random.choice(self.sides)
            if number % REFRESH == 0:
                states = {one.name: one.contents(room_id) for one in sides}
            action = dice.draw(side, states[side.name], recent[side.name][-RECENT:])
            try:
                event_id = _perform(side, room_id, action)
            except HttpError as error:
                if error.status not in (400, 403, 404, 500, 502):
                    raise
                played.refused[action.what] += 1
            else:
                played.done[action.what] += 1
                states[side.name] = with_action(states[side.name], action)
                recent[side.name] += [event_id] if event_id else []
        self._settle(room_id, played)
        first, second = (side.facts(room_id) for side in self.sides)
        played.events = len(first.pdus)
        played.merges = sum(len(pdu["prev_events"]) > 1 for pdu in first.pdus.values())
        played.rejected = len(first.rejected), len(second.rejected)
        played.soft_failed = len(first.soft_failed), len(second.soft_failed)
        played.wrong += differences(version, first, second)
        if played.share < LEAST_DONE:
            played.wrong.append(f"only {played.share:.0%} of the actions were done: {played.refused}")
        played.seconds = time.monotonic() - begun
        return played

    def _begin(self, sides: tuple[Side, Side], played: Played, anchors: list[str]) -> str:
        """Make a room with the anchors and some others in it."""
        self.link.heal()
        maker, other = sides
        # The creator of a room of version 12 may not be among the users of the power levels.
        named = [user for user in anchors if played.version != "12" or user not in maker.users]
        levels = {**START, "users": dict.fromkeys(named, 100)}
        room_id = maker.make_room(maker.users[0], played.version, levels)
        other.join(room_id, other.users[0], maker.name)
        for side in sides:
            for user in side.users[1:3]:
                side.join(room_id, user)
        self._settle(room_id, played)
        assert not played.wrong, "\n".join([*played.wrong, self.logs()])
        return room_id

    def _settle(self, room_id: str, played: Played) -> None:
        """Heal the link, and let both servers send until they have merged all branches."""
        self.link.heal()
        deadline = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < deadline:
            # The second first: in a catch-up, Synapse waits for that.
            for side, other in (self.sides[::-1], self.sides):
                body = {"msgtype": "m.text", "body": "Do you hear me?"}
                event_id = side.send(room_id, side.users[0], "m.room.message", body)
                while not other.has(room_id, event_id):
                    if time.monotonic() > deadline:
                        played.wrong.append(f"{other.name} has not got {event_id} of {side.name}")
                        return
                    time.sleep(0.02)
            first, second = (side.facts(room_id) for side in self.sides)
            if len(first.extremities) == 1 and first.extremities == second.extremities:
                return
        played.wrong.append(f"the servers have not settled within {SETTLE_SECONDS} s")


def _perform(side: Side, room_id: str, action: Action) -> str | None:
    """Do what was drawn. Return the ID of the event, if it was sent as such."""
    match action.what:
        case "join":
            side.join(room_id, action.user)
            return None
        case "leave" | "invite" | "kick" | "ban" | "unban":
            side.member(room_id, action.user, action.target, action.what)
            return None
        case "redact":
            return side.redact(room_id, action.user, action.target)
        case _:
            return side.send(room_id, action.user, action.kind, action.content, action.state_key)


@contextmanager
def two_synapses(folder: Path, *, catch_up: bool = False) -> Iterator[World]:
    """Start two Synapses: to see that two servers that are surely alike pass."""
    first, second = Homeserver(SYNAPSE_NAME, "a_big1"), Homeserver(OTHER_NAME, "a_sml1")
    with Link(first.base, second.base, folder, (True, True)) as link:
        first.extra = second.extra = settings(
            {SYNAPSE_NAME: link.to_first, OTHER_NAME: link.to_second}, catch_up=catch_up
        )
        with first, second:
            yield World((SynapseSide(first), SynapseSide(second)), link)


@contextmanager
def synapse_and_example(folder: Path, *, catch_up: bool = False) -> Iterator[World]:
    """Start a Synapse and the example server. `catch_up` is as in `settings`."""
    synapse = Homeserver(SYNAPSE_NAME, "a_big1")
    example = Example(OTHER_NAME, folder / "example.db")
    with Link(synapse.base, example.base, folder) as link:
        synapse.extra = settings({OTHER_NAME: link.to_second}, catch_up=catch_up)
        example.peers = {SYNAPSE_NAME: f"http://{link.to_first}"}
        with synapse, example:
            yield World((SynapseSide(synapse), ExampleSide(example)), link)


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="how many rooms (default: 20)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (default: 0)")
    parser.add_argument("--actions", type=int, default=1000, help="actions in each (default: 1000)")
    parser.add_argument("--synapses", action="store_true", help="two Synapses, without the example server")
    parser.add_argument(
        "--catch-up", action="store_true", help="Synapse sends only the newest event after a cut"
    )
    arguments = parser.parse_args()
    failed = 0
    servers = two_synapses if arguments.synapses else synapse_and_example
    with tempfile.TemporaryDirectory() as folder, servers(Path(folder), catch_up=arguments.catch_up) as world:
        for seed in range(arguments.first, arguments.first + arguments.seeds):
            played = world.play(seed, arguments.actions)
            print(f"seed {seed}: {played}", flush=True)
            failed += bool(played.wrong)
            if played.wrong:
                print(world.logs(), flush=True)
    print(f"{arguments.seeds - failed} of {arguments.seeds} rooms are the same on both servers")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
