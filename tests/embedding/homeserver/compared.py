"""Compare what two servers have of a room with each other, and with a replay of all of its events."""

from collections.abc import Iterable

from roomver import parse_event, replay_room

from .link import Json
from .sides import Facts, StateKey


def differences(version: str, ours: Facts, theirs: Facts) -> list[str]:
    """Return what is not as it must be, in words.

    Both servers must have the same events, accepted the same ones, and be in the same state. The replay of
    the events, as either of them has them, must come to that state, and reject the same events.
    """
    found = [*_sets("events", set(ours.pdus), set(theirs.pdus))]
    apart = set(ours.pdus) ^ set(theirs.pdus)
    found += [
        f"    {_described(event_id, (ours.pdus | theirs.pdus)[event_id])}" for event_id in sorted(apart)[:8]
    ]
    found += _sets("accepted events", ours.accepted, theirs.accepted)
    found += _sets("forward extremities", ours.extremities, theirs.extremities)
    found += _states("the two servers", ours.state, theirs.state)
    for name, facts in (("ours", ours), ("theirs", theirs)):
        events = {event_id: parse_event(pdu, version) for event_id, pdu in facts.pdus.items()}
        if wrong := [event_id for event_id, event in events.items() if event.event_id != event_id]:
            found.append(f"{name}: other event IDs than they say: {' '.join(wrong)}")
            continue
        # Who is soft-failed depends on the order of arrival, which differs between the servers. At the end
        # one event follows all branches, so it makes no difference.
        replay = replay_room(events.values(), soft_failure=False, policy_server=False, resets=False)
        found += _sets(f"{name}: rejected, replayed", set(facts.rejected), replay.rejected)
        if replay.undecided:
            found.append(f"{name}: {len(replay.undecided)} events are undecided in the replay")
        if replay.current_state is None:
            found.append(f"{name}: the replay does not know the current state")
        else:
            found += _states(f"{name}, replayed", facts.state, dict(replay.current_state))
    return found


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
