"""``roomver keys``: which server keys a room needs, which are known, and which events hang on each."""

from typing import Final
from urllib.parse import quote as quote_url

import click

from ..errors import counted
from ..explain.keys import Hangs, KeyNeeds, KnownKey, NeededKey, find_key_needs
from .asked import Asked, room_command
from .common import console, example
from .escaped import ascii_json
from .explain import teller_of
from .people import few_words, time_text
from .progress import work_progress
from .said import Teller, call_text, print_lines

_SHOWN: Final = 20  # keys that are listed
_EVENTS: Final = 3  # events that are named for each key
_NAME: Final = 60  # characters of a server name
_WORDS: Final = {
    Hangs.UNKNOWN: "could not be checked",
    Hangs.LAPSED: "not known to be valid at the time of the event",
    Hangs.EXPIRED: "made after the key had expired",
    Hangs.AHEAD: "more than 7 days ahead of now",
    Hangs.FAILED: "not verified by this key",
    Hangs.SPARE: "not needed: another signature verifies",
}


@click.command(
    "keys",
    short_help="List the keys that a room needs, and what hangs on them.",
    epilog=example(
        "roomver keys homeserver.db '!roomid'\n"
        "roomver keys room.jsonl --keys keys.json\n"
        "roomver keys room.jsonl --keys keys.json --json"
    ),
)
@room_command()
def keys_command(asked: Asked) -> None:
    """List the server keys that the signatures of a room need: known or not, from where, valid until when.

    A key is listed for each server that must sign an event and each key ID that it signed with, with the
    number of its signatures that verify, fail, or could not be checked, and with the events that hang on it.
    For what is missing it prints the request that fetches it. A key with which no signature verifies is
    probably not the server's: sources or a server made a mistake, or all of these events are forged.

    The keys of a database, of a recording and of --keys are used. --json lists every event of a key.

    Exit code: 0 every signature verifies, 1 a signature fails, is missing or is by an expired key, 2 usage
    error or unreadable file, 3 a key is unknown, or not known to be valid.
    """
    if asked.unsigned:
        raise click.UsageError("--unsigned checks no signature: leave it out")
    loaded = asked.load()
    assert loaded.keys is not None
    gathered = loaded.found.gathered
    with work_progress("keys"):
        needs = find_key_needs(loaded.events, gathered.checks, loaded.unsigned, loaded.keys)
        teller = teller_of(loaded)
    if asked.as_json:
        click.echo(ascii_json({"summary": _summary(needs), **needs.to_dict()}, indent=1))
    else:
        _print(needs, teller)
        click.echo(f"\nmore: roomver check {asked.check_call} --all")
    raise click.exceptions.Exit(1 if needs.wrong else 3 if needs.unknown else 0)


def _summary(needs: KeyNeeds) -> str:
    """Return the first line: how many keys are needed, and what hangs on those that are missing."""
    if not needs.keys and not needs.unsigned:
        return "The room needs no key: no event needs a signature."
    servers = len({one.server for one in needs.keys})
    unknown = sum(not one.known for one in needs.keys)
    lapsed = len(needs.unknown) - unknown
    doubted = sum(one.in_doubt for one in needs.keys)
    told = [f"{len(needs.keys) - unknown:,} known"] + [f"{unknown:,} unknown"] * bool(unknown)
    text = (
        f"The room needs {counted(len(needs.keys), 'key', 'keys')} of"
        f" {counted(servers, 'server', 'servers')}: {', '.join(told)}."
    )
    if lapsed:
        text += (
            f" {lapsed:,} {'is' if lapsed == 1 else 'are'} too old for some events: fetch newer responses."
        )
    if doubted:
        text += f" {doubted:,} {'is' if doubted == 1 else 'are'} probably wrong."
    waiting = {event_id for one in needs.unknown for event_id, why in one.events.items() if _is_open(why)}
    bad = {event_id for one in needs.keys for event_id, why in one.events.items() if not _is_open(why)}
    bad |= needs.unsigned.keys()
    events = counted(needs.events, "event", "events")
    if waiting:
        text += f" {len(waiting):,} of {events} {'waits' if len(waiting) == 1 else 'wait'} for a key."
    if bad:
        lack, them = ("lacks", "it") if len(bad) == 1 else ("lack", "them")
        text += f" {len(bad):,} of {events} {lack} a valid signature: servers drop {them}."
    if not waiting and not bad:
        text += " Every signature verifies."
    return text


def _is_open(why: Hangs) -> bool:
    return why in (Hangs.UNKNOWN, Hangs.LAPSED)


def _print(needs: KeyNeeds, teller: Teller) -> None:
    out = console()
    print_lines([_summary(needs)], out)
    for one in needs.keys[:_SHOWN]:
        out.print(f"\n{few_words(one.server, _NAME)} {few_words(one.key_id, _NAME)}", style="bold")
        print_lines(_key_lines(one, teller), out)
    if len(needs.keys) > _SHOWN:
        more = counted(len(needs.keys) - _SHOWN, "more key", "more keys")
        print_lines(["", f"and {more}: --json lists all"], out)
    if needs.unsigned:
        out.print("\nwithout a signature that is needed", style="bold")
        lines = [
            f"  {teller.short(event_id)}: no signature of {few_words(', '.join(servers), 2 * _NAME)}"
            for event_id, servers in [*needs.unsigned.items()][:_SHOWN]
        ]
        if len(needs.unsigned) > len(lines):
            lines.append(f"  and {len(needs.unsigned) - len(lines):,} more: --json lists all")
        print_lines(lines, out)
    if needs.unknown:
        out.print("\nto fetch what is missing", style="bold")
        print_lines(_fetch_lines(needs), out)


def _key_lines(one: NeededKey, teller: Teller) -> list[str]:
    lines = [f"  {_known_text(known)}" for known in one.known] or ["  unknown"]
    times = time_text(one.first) + (f" to {time_text(one.last)}" if one.last != one.first else "")
    lines.append(f"  signs {counted(one.total, 'event', 'events')} here, {times}")
    verified = one.counts.get(Hangs.VERIFIED, 0)
    if verified:
        lines.append(f"  {verified:,} {'verifies' if verified == 1 else 'verify'}")
    for why, words in _WORDS.items():
        if number := one.counts.get(why, 0):
            hanging = [event_id for event_id, found in one.events.items() if found is why]
            named = ", ".join(teller.short(event_id) for event_id in hanging[:_EVENTS])
            more = f" and {len(hanging) - _EVENTS:,} more" if len(hanging) > _EVENTS else ""
            lines.append(f"  {number:,} {words}{': ' * bool(hanging)}{named}{more}")
    if one.in_doubt and len(one.known) == 1:
        server = few_words(one.server, _NAME)
        lines.append(f"  probably not the key of {server}: none of its signatures verifies")
    return lines


def _known_text(known: KnownKey) -> str:
    source = f" from {few_words(', '.join(known.sources), 200)}" if known.sources else ""
    if known.expired_ts is not None:
        valid = f"expired {time_text(known.expired_ts)}"
    elif known.valid_until_ts is not None:
        valid = f"valid until {time_text(known.valid_until_ts)}"
    else:
        valid = "no time limit is given"
    tried = ""
    if known.verifies is not None:
        tried = (
            f"; verifies {known.verifies:,} of {counted(known.tried or 0, 'signature', 'signatures')} tried"
        )
        tried += ": probably the wrong one" if known.verifies == 0 else ""
    return f"known: {known.key}{source}, {valid}{tried}"


def _fetch_lines(needs: KeyNeeds) -> list[str]:
    """Return the requests for the keys that are missing, one for each server."""
    wanted: dict[str, int] = {}
    for one in needs.unknown:
        late = one.last if Hangs.LAPSED in one.counts else 0
        wanted[one.server] = max(wanted.get(one.server, 0), late)
    lines = ["  any homeserver has them: save each answer as a file for --keys FILE"]
    shown = [*wanted.items()][:_SHOWN]
    for server, until in shown:
        name = call_text(server)
        if name is None or len(server) > 255:
            lines.append(f"  {few_words(server, _NAME)}: this is not a server name that can be asked")
            continue
        minimum = f"?minimum_valid_until_ts={until}" if until > 0 else ""
        lines.append(f"  https://HOMESERVER/_matrix/key/v2/query/{quote_url(server, safe=':[].')}{minimum}")
    if len(wanted) > len(shown):
        more = counted(len(wanted) - len(shown), "more server", "more servers")
        lines.append(f"  and {more}: --json lists all keys")
    lines.append("  or ask the server itself: https://SERVER/_matrix/key/v2/server")
    lines.append("  or, for a server of yours, give its signing key: --keys SERVER=signing.key")
    return lines
