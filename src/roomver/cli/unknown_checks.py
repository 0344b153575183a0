"""Checks that were not made or whose result is unknown, in words and as JSON.

These are signatures whose keys are unknown, and checks of accepted events against the current state.
"""

import re
from collections.abc import Sequence
from typing import Final

from ..errors import SHOWN, counted, listed
from ..findings import Summary
from ..keys import KeyRing
from ..room_check import RoomCheck
from ..signature_results import SigningStatus
from ..types import JsonObject, JsonValue, KeyId, ServerName
from ..undecided import lack_behind
from .common import event_title
from .escaped import printable
from .lacking import advice_for, dropped_data, missing_text

# Finding the missing events behind an unknown check may cost as much as a walk through the room.
MOST_REASONS: Final = 100
_HOST: Final = re.compile(r"[A-Za-z0-9.:\[\]-]{1,255}")  # a server name that can stand in an address


def unknown_checks_data(result: RoomCheck) -> list[JsonValue]:
    """Return the events whose check against the current state is unknown; the first few with the reason."""
    data: list[JsonValue] = []
    replayed = result.replay
    for event_id in replayed.current_unknown:
        one: JsonObject = {"event_id": event_id}
        if len(data) < MOST_REASONS:
            check = replayed.current_check(event_id)
            dropped = dropped_data(check.missing, result.dropped)
            one |= {"why": check.why, "missing": list(check.missing), "dropped": dropped}
        data.append(one)
    return data


def unknown_check_lines(result: RoomCheck, most: int | None) -> list[str]:
    """Return the accepted events whose check against the current state is unknown, with reasons."""
    replayed = result.replay
    unknown = [one for one in replayed.current_unknown if one not in replayed.unchecked]
    told = []
    if result.lost:
        # One line for all events that may have come after a lost one.
        reasons = [f"the current state is unknown: {one.reason}" for one in result.lost]
        later = {one for one in unknown if replayed.current_check(one).why in reasons}
        unknown = [one for one in unknown if one not in later]
        if later:
            events = counted(len(later), "accepted event", "accepted events")
            told = [f"check against the current state unknown for {events}: newer events are lost"]
    if not unknown:
        return told
    events = counted(len(unknown), "accepted event", "accepted events")
    lines = [*told, f"check against the current state unknown for {events}:"]
    for event_id in unknown[:most]:
        place, event = result.gathered.places[event_id], result.gathered.events[event_id]
        check = replayed.current_check(event_id)
        missing = f"; {missing_text(check.missing, result.dropped)}" if check.missing else ""
        if not check.missing:
            behind = replayed.unknown_behind(event_id, at_arrival=True)
            missing = f"; {advice_for(lack_behind(result.gathered, check.lack, behind))}"
        lines += [
            event_title(place, event_id, event.type, event.sender),
            f"  {check.why}{missing}",
        ]
    if most is not None and len(unknown) > most:
        lines.append(f"and {len(unknown) - most:,} more: --all lists them")
    return [printable(line) for line in lines]


def signature_lines(
    summary: Summary, keys: KeyRing | None, most: int | None = SHOWN, *, database: bool = False
) -> list[str]:
    """Return which signatures were not checked, and why, as lines of text.

    Args:
        summary: counts over the events.
        keys: the keys that signatures were checked with; None if they were not checked.
        most: how many keys, or servers if there are no keys, are named at most; None for all keys.
        database: whether a server's database was read, which does not have the server's own keys.
    """
    said = _unchecked_text(summary, keys)
    if keys is None or said is None:
        return [] if said is None else [said]
    wanted = summary.keys_to_fetch
    servers = list(dict.fromkeys(server for server, _, _ in wanted))
    # Most of the events whose keys a database lacks are its own server's.
    own = servers[0] if database and servers and not keys.keys.get(servers[0]) else None
    hints = [] if own is None else [_own_keys_line(own)]
    if most is not None and servers != [own]:
        hints.append(_WHERE)
    if any(keys.keys.values()):
        lines = [f"{said}; these keys are unknown, or not known to be valid at the time of the event:"]
    else:
        lines = [f"{said}: no keys are given (--keys)"]
        if most is not None:
            return [*lines, _server_line(servers, most), *hints]
        lines[0] += "; these are needed:"
    lines += [
        printable(f"  {server} {key_id}, needed for {counted(events, 'event', 'events')}")
        for server, key_id, events in wanted[:most]
    ]
    if len(wanted) > len(lines) - 1:
        lines.append(f"  and {len(wanted) - len(lines) + 1:,} more: `roomver check --all` lists them")
    return [*lines, *_useless_lines(summary, keys, servers), *hints]


def signature_notes(summary: Summary, keys: KeyRing | None) -> list[str]:
    """Return what to say beside an answer: in one line, how many events were not checked, and what to do.

    More lines name given keys that no signature is by. Arguments are those of `signature_lines`.
    """
    said = _unchecked_text(summary, keys)
    if keys is None or said is None:
        return [] if said is None else [said]
    if not any(keys.keys.values()):
        return [f"{said}: no keys are given (--keys)"]
    servers = list(dict.fromkeys(server for server, _, _ in summary.keys_to_fetch))
    cure = "`roomver keys` says which keys to fetch"
    if len(servers) == 1 and _HOST.fullmatch(servers[0]):
        # From a homeserver that the operator trusts: a hostile event names any host.
        cure = f"save https://HOMESERVER/_matrix/key/v2/query/{servers[0]} as FILE, and give --keys FILE"
    return [f"{said}; {cure}", *_useless_lines(summary, keys, servers)]


def _unchecked_text(summary: Summary, keys: KeyRing | None) -> str | None:
    """Return how many events have signatures that were not checked; None if all were."""
    if keys is None:
        return "signatures were not checked (--unsigned)"
    unchecked = summary.signatures[SigningStatus.KEY_UNKNOWN]
    if not unchecked:
        return None
    return f"the signatures of {counted(unchecked, 'event', 'events')} could not be checked"


def doubt_lines(summary: Summary, keys: KeyRing | None, most: int | None = SHOWN) -> list[str]:
    """Name the keys with which no signature verifies: they are probably wrong, not all events forged."""
    if keys is None:
        return []
    lines = [
        f"the key {_key_text(keys, server, key_id)} verifies none of its"
        f" {counted(number, 'signature', 'signatures')}: it is probably not the key of {server}"
        for server, key_id, number in summary.keys_in_doubt[:most]
    ]
    return [printable(line) for line in lines]


def no_signer_lines(result: RoomCheck, servers: Sequence[ServerName]) -> list[str]:
    """Name the servers whose keys were given and that have signed no event of the room.

    Cost: one pass over the events if a server has made no signature that counts.
    """
    summary = result.summary
    counted_ones = {server for server, _, _ in summary.keys_tried} | {one for one, _ in summary.unknown_keys}
    unseen = set(servers) - counted_ones
    if unseen:
        # A signature that does not count, because its key has expired or the server need not sign.
        for event in result.gathered.events.values():
            unseen -= event.signatures.keys()
    lines = [
        f"no event here is signed by {server}: its keys (--keys) are not used" for server in sorted(unseen)
    ]
    return [printable(line) for line in lines]


def removable_keys(summary: Summary, keys: KeyRing, files: Sequence[str]) -> frozenset[ServerName]:
    """Return the servers whose keys are probably wrong and come only from the files that the call names."""
    found: dict[ServerName, bool] = {}
    for server, key_id, _ in summary.keys_in_doubt:
        sources = {source for key in keys.find(server, key_id) for source in key.sources}
        given = all(any(one == file or one.startswith(f"{file} (") for file in files) for one in sources)
        found[server] = found.get(server, True) and given and bool(sources)
    return frozenset(server for server, given in found.items() if given)


def _useless_lines(summary: Summary, keys: KeyRing, servers: list[ServerName]) -> list[str]:
    """Name the given keys under whose IDs a server that lacks others has not signed anything."""
    tried = {(server, key_id) for server, key_id, _ in summary.keys_tried}
    lines = []
    for server in servers[:SHOWN]:
        given = sorted(keys.keys.get(server, ()))
        if given and not any((server, key_id) in tried for key_id in given):
            named = ", ".join(_key_text(keys, server, key_id) for key_id in given[:SHOWN])
            lines.append(printable(f"  no signature is by {named}: has it another key ID?"))
    return lines


def _key_text(keys: KeyRing, server: ServerName, key_id: KeyId) -> str:
    """Return a known key as text, with the files that it comes from."""
    sources = dict.fromkeys(source for key in keys.find(server, key_id) for source in key.sources)
    return f"{server} {key_id}{f' (from {listed([*sources])})' if sources else ''}"


_WHERE: Final = "  any homeserver has them: save GET /_matrix/key/v2/query/<server> as a file for --keys"


def _own_keys_line(server: ServerName) -> str:
    """Say how to give the keys of the server whose database was read."""
    name = printable(server)
    return (
        f"  if this is the database of {name}, it lacks its own keys: save"
        f" https://HOMESERVER/_matrix/key/v2/query/{name} as a file for --keys"
    )


def _server_line(servers: list[ServerName], most: int) -> str:
    """Say whose keys are needed, for a call without keys."""
    named = ", ".join(map(printable, servers[:most]))
    more = f" and {len(servers) - most:,} more (`roomver check --all`)" if len(servers) > most else ""
    return f"  needed: the keys of {counted(len(servers), 'server', 'servers')}: {named}{more}"
