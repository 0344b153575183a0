"""Compare what two servers have of a room with each other, and with a replay of all of its events."""

from collections.abc import Iterable

from roomver import parse_event, replay_room

from .link import Json
from .sides import Facts, StateKey


def differences(version: str, ours: Facts, theirs: Facts) -> list[str]:
    """Return what is not as it must be, in words.

    Both servers must have the same events, accepted the same ones, and be in the same state. A replay of the
    events of each, in the order in which it received them, must come to that state, and reject the same
    events as that server, and soft-fail the same ones if it decides in that order.
    """
    found = [*_sets("events", set(ours.pdus), set(theirs.pdus))]
    apart = set(ours.pdus) ^ set(theirs.pdus)
    found += [
        f"    {_described(event_id, (ours.pdus | theirs.pdus)[event_id])}" for event_id in sorted(apart)[:8]
    ]
    found += _sets("accepted events", ours.accepted, theirs.accepted)
    found += _sets("forward extremities", ours.extremities, theirs.extremities)
    found += _states("the two servers", ours.state, theirs.state)
    whole = {event_id: _fuller(pdu, ours.pdus.get(event_id, pdu)) for event_id, pdu in theirs.pdus.items()}
    found += _replayed("the first server", version, ours, ours.pdus)
    found += _replayed("the second server", version, theirs, whole)
    return found


def _fuller(pdu: Json, other: Json) -> Json:
    """Return that form of an event of which the rules can judge.

    In versions 1 and 2 they read what a redaction redacts. A redaction that was redacted has lost that, so
    its redacted form is rejected, although the event was accepted when it came.
    """
    return other if pdu["type"] == "m.room.redaction" and "redacts" not in pdu else pdu


def _replayed(name: str, version: str, facts: Facts, pdus: dict[str, Json]) -> list[str]:
    """Compare what a server decided with a replay of the events in the order in which it received them."""
    events = {event_id: parse_event(pdu, version) for event_id, pdu in pdus.items()}
    if wrong := [event_id for event_id, event in events.items() if event.event_id != event_id]:
        return [f"{name}: other event IDs than they say: {' '.join(wrong)}"]
    replay = replay_room(events.values(), soft_failure=facts.in_order, policy_server=False, resets=False)
    found = _sets(f"{name}: rejected, replayed", facts.rejected, replay.rejected)
    checked = facts.soft_failed - replay.unchecked.keys()
    if facts.in_order:
        found += _sets(f"{name}: soft-failed, replayed", checked, replay.soft_failed)
        apart = sorted(checked ^ replay.soft_failed.keys())
        found += [
            f"    {_described(one, pdus[one])}; replayed: {replay.soft_failed.get(one)}" for one in apart
        ]
    found += _sets(f"{name}: extremities, replayed", facts.extremities, replay.forward_extremities)
    if replay.undecided:
        found.append(f"{name}: {len(replay.undecided)} events are undecided in the replay")
    return found + _states(f"{name}, replayed", facts.state, dict(replay.current_state or {}))


def _described(event_id: str, pdu: Json) -> str:
    more = "" if "state_key" not in pdu else f" {pdu['state_key']!r}"
    membership = pdu["content"].get("membership", "")
    return f"{event_id}: {pdu['type']}{more} {membership} of {pdu['sender']}, depth {pdu['depth']}"


def _sets(what: str, ours: Iterable[str], theirs: Iterable[str]) -> list[str]:
    ours, theirs = set(ours), set(theirs)
    if ours == theirs:
        return []
    only = (f"{len(part)} ({' '.join(sorted(part)[:4])})" for part in (ours - theirs, theirs - ours))
    return [f"{what}: only in the first {next(only)}, only in the second {next(only)}"]


def _states(what: str, ours: dict[StateKey, str], theirs: dict[StateKey, str]) -> list[str]:
    keys = sorted(key for key in {*ours, *theirs} if ours.get(key) != theirs.get(key))
    return [f"{what}: {key[0]} {key[1]!r}: {ours.get(key)} and {theirs.get(key)}" for key in keys]
