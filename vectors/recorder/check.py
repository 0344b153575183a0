"""Check recordings with Synapse's own functions: `python vectors/recorder/check.py [FILE ...]`.

It checks the event ID, hash and signatures of each event. Then it replays the room: each event must be
accepted, rejected or soft-failed as recorded, and the final state must be the recorded one.
"""

import json
import sys
from collections.abc import Collection, Coroutine, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from signedjson.key import decode_verify_key_bytes
from signedjson.sign import SignatureVerifyException, verify_signed_json
from synapse.api.constants import EventTypes
from synapse.api.errors import AuthError
from synapse.api.room_versions import KNOWN_ROOM_VERSIONS, EventFormatVersions, StateResolutionVersions
from synapse.crypto.event_signing import check_event_content_hash, compute_event_reference_hash
from synapse.event_auth import (
    auth_types_for_event,
    check_state_dependent_auth_rules,
    check_state_independent_auth_rules,
    validate_event_for_room_version,
)
from synapse.events import Event, make_event_from_dict
from synapse.events.utils import prune_event
from synapse.state import v1, v2
from synapse.types import get_domain_from_id
from unpaddedbase64 import decode_base64, encode_base64

ROOMS = Path(__file__).resolve().parent.parent / "rooms"
StateMap = dict[tuple[str, str], str]


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Return the result of a coroutine that never waits."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise RuntimeError("the coroutine waits for something")


class Clock:
    """A clock that never waits."""

    async def sleep(self, _: object) -> None:
        """Return at once."""


class Room:
    """A recording and the state of its replay."""

    def __init__(self, path: Path) -> None:
        with path.open(encoding="utf-8") as lines:
            self.header, *documents = map(json.loads, lines)
        self.version = KNOWN_ROOM_VERSIONS[self.header["room_version"]]
        self.pdus = {document["event_id"]: document["pdu"] for document in documents}
        rejected = set(self.header["rejected"])
        self.events = {
            event_id: make_event_from_dict(
                pdu, self.version, {}, "auth_error" if event_id in rejected else None
            )
            for event_id, pdu in self.pdus.items()
        }
        self.after: dict[str, StateMap] = {}
        self.forked = 0
        self.problems: list[str] = []
        self.tampered: list[str] = []

    # The store, as state resolution and authorisation use it.

    async def get_events(self, event_ids: Iterable[str], **_: object) -> dict[str, Event]:
        """Return the events with these IDs."""
        return {event_id: self.events[event_id] for event_id in event_ids}

    def auth_chain(self, event_ids: Iterable[str]) -> set[str]:
        """Return these event IDs and those of their auth chains."""
        found: set[str] = set()
        todo = list(event_ids)
        while todo:
            event_id = todo.pop()
            if event_id not in found:
                found.add(event_id)
                todo += self.events[event_id].auth_event_ids()
        return found

    async def get_auth_chain_difference(
        self,
        _room_id: str,
        state_sets: list[set[str]],
        conflicted: set[str] | None,
        _additional: set[str] | None,
    ) -> Any:
        """Return the auth chain difference and, if asked for, the conflicted state subgraph."""
        chains = [self.auth_chain(state_set) for state_set in state_sets]
        shared: set[str] = set.intersection(*chains)
        difference = set.union(*chains) - shared
        subgraph = None
        if conflicted is not None:
            below = self.auth_chain(conflicted)
            subgraph = {e for e in below if self.auth_chain([e]) & conflicted}
        return SimpleNamespace(auth_difference=difference, conflicted_subgraph=subgraph)

    def resolve(self, states: list[StateMap]) -> StateMap:
        """Resolve states with the algorithm of the room version."""
        if all(state == states[0] for state in states):
            return states[0]
        self.forked += 1
        if self.version.state_res == StateResolutionVersions.V1:
            work = v1.resolve_events_with_store(
                self.header["room_id"], self.version, states, None, self.get_events
            )
        else:
            work = v2.resolve_events_with_store(
                Clock(), self.header["room_id"], self.version, states, None, self
            )
        return dict(run(work))

    # The checks.

    def problem(self, event_id: str, what: str) -> None:
        """Record a problem with an event."""
        event = self.events[event_id]
        self.problems.append(f"{event_id} ({event.type} of {event.sender}): {what}")

    def check_format(self, event_id: str) -> None:
        """Check an event's ID, content hash, references and signatures."""
        event, pdu = self.events[event_id], self.pdus[event_id]
        if event.format_version == EventFormatVersions.ROOM_V1_V2:
            expected = pdu["event_id"]
        else:
            digest = compute_event_reference_hash(event)[1]
            urlsafe = event.format_version >= EventFormatVersions.ROOM_V4_PLUS
            expected = "$" + encode_base64(digest, urlsafe=urlsafe)
        if expected != event_id:
            self.problem(event_id, f"the ID should be {expected}")
        if not check_event_content_hash(event):
            if prune_event(event).get_pdu_json() == event.get_pdu_json():
                self.tampered.append(event_id)
            else:
                self.problem(event_id, "content hash")
        for reference in (*event.prev_event_ids(), *event.auth_event_ids()):
            if reference not in self.events:
                self.problem(event_id, f"refers to {reference}, which is missing")
        self.check_signatures(event_id)

    def check_signatures(self, event_id: str) -> None:
        """Check the required signatures: of the servers of sender, event ID and authorising user."""
        event = self.events[event_id]
        servers = {get_domain_from_id(event.sender)}
        if event.format_version == EventFormatVersions.ROOM_V1_V2:
            servers.add(get_domain_from_id(event_id))
        authorising = event.content.get("join_authorised_via_users_server")
        if authorising and self.version.restricted_join_rule:
            servers.add(get_domain_from_id(authorising))
        signed = prune_event(event).get_pdu_json()
        for field in ("unsigned", "age_ts"):
            signed.pop(field, None)
        for server in servers:
            ((key_id, key),) = self.header["keys"][server].items()
            try:
                verify_signed_json(signed, server, decode_verify_key_bytes(key_id, decode_base64(key["key"])))
            except SignatureVerifyException as error:
                self.problem(event_id, f"signature of {server}: {error}")

    def allowed(self, event: Event, auth: Collection[str]) -> bool:
        """Tell whether the rules that depend on state allow an event with these auth events."""
        try:
            check_state_dependent_auth_rules(event, [self.events[a] for a in auth])
        except AuthError:
            return False
        return True

    def independently_allowed(self, event: Event) -> bool:
        """Tell whether the rules that do not depend on state allow an event."""
        try:
            validate_event_for_room_version(event)
            run(check_state_independent_auth_rules(self, event))
        except AuthError:
            return False
        return True

    def needed(self, event: Event, state: StateMap) -> list[str]:
        """Return the events of a state that the auth rules need for an event."""
        wanted = auth_types_for_event(self.version, event) | {(EventTypes.Create, "")}
        return [state[key] for key in wanted if key in state]

    def replay(self) -> StateMap:
        """Replay the events in order and return the final state."""
        tips: set[str] = set()
        for event_id, event in self.events.items():
            prev = list(event.prev_event_ids())
            before = self.resolve([self.after[p] for p in prev]) if prev else {}
            create = next(iter(self.events)) if self.header["room_version"] == "12" else None
            own = [*event.auth_event_ids(), *([create] if create and prev else [])]
            allowed = (
                self.independently_allowed(event)
                and self.allowed(event, own)
                and self.allowed(event, self.needed(event, before))
            )
            if allowed is (event_id in self.header["rejected"]):
                self.problem(event_id, "allowed here, rejected there" if allowed else "rejected here")
            soft = False
            if allowed and prev and set(prev) != tips:
                current = self.resolve([self.after[tip] for tip in sorted(tips)])
                soft = not self.allowed(event, self.needed(event, current))
            if soft is not (event_id in self.header["soft_failed"]):
                self.problem(event_id, "fails softly here" if soft else "only fails softly there")
            state = dict(before)
            if allowed and event.is_state():
                state[event.type, event.state_key] = event_id
            self.after[event_id] = state
            if allowed and not soft:
                tips = (tips - self.superseded(prev)) | {event_id}
        if sorted(tips) != self.header["forward_extremities"]:
            self.problems.append(f"forward extremities {sorted(tips)}")
        return self.resolve([self.after[tip] for tip in self.header["forward_extremities"]])

    def superseded(self, prev: Iterable[str]) -> set[str]:
        """Return the prev events, and for soft-failed and rejected ones theirs in turn."""
        found: set[str] = set()
        todo = list(prev)
        while todo:
            event_id = todo.pop()
            found.add(event_id)
            if event_id in self.header["soft_failed"] or event_id in self.header["rejected"]:
                todo += self.events[event_id].prev_event_ids()
        return found


def check(path: Path) -> list[str]:
    """Print a line about a recording and return its problems."""
    room = Room(path)
    for event_id in room.events:
        room.check_format(event_id)
    state = room.replay()
    if sorted(state.values()) != room.header["state"]:
        here, there = set(state.values()), set(room.header["state"])
        room.problems.append(f"state: only here {sorted(here - there)}, only there {sorted(there - here)}")
    print(
        f"{path.name}: {len(room.events)} events, {len(room.header['rejected'])} rejected,"
        f" {len(room.header['soft_failed'])} soft-failed, {room.forked} resolutions of unequal states,"
        f" {len(room.tampered)} stored redacted over a wrong hash, {len(room.problems)} problems"
    )
    return [f"{path.name}: {problem}" for problem in room.problems]


def main(arguments: list[str]) -> int:
    """Check the named files, or all recordings."""
    paths = [Path(argument) for argument in arguments]
    paths = paths or sorted(ROOMS.glob("v*.jsonl"), key=lambda path: int(path.stem[1:]))
    problems = [problem for path in paths for problem in check(path)]
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems or not paths else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
