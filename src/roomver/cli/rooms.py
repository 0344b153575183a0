"""``roomver rooms``: the rooms of a source."""

import click
from rich import box
from rich.table import Table
from rich.text import Text

from ..readers import RoomSummary
from .common import console, example
from .escaped import ascii_json, printable
from .heard import say
from .sources import immutable_option, opened_source
from .tables import print_stripped

_MOST = 50
_ID = 44  # characters of a room ID of version 12
_WIDE = 2_000  # more than any row
_STANDING = {"leave": "left", "invite": "invited", "knock": "knocked"}


@click.command(
    epilog=example("roomver rooms homeserver.db\nroomver rooms postgresql:///synapse?user=synapse --json")
)
@click.argument("source", metavar="SOURCE")
@immutable_option()
@click.option("--all", "all_rooms", is_flag=True, help=f"List all rooms, not only the first {_MOST}.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with all rooms.")
def rooms(source: str, immutable: bool, all_rooms: bool, as_json: bool) -> None:
    """List the rooms of a source, those with the most events first.

    SOURCE is the database of a Synapse server: an SQLite file, or the address of a PostgreSQL database, which
    needs the extra `postgres`. It is only read. It may also be a file that `roomver check` reads; that
    has one room, or events of several.

    For each room: its version, its events, those that the server rejected, the joined members and the
    forward extremities (ends). Below its ID: the name or alias in its current state, in quotes; and a status:
    whether the server joined it with partial state and does not have the full state yet, left the room, was
    only invited or has only knocked. A dash means unknown: of such a room, the server does not know who is
    joined.
    Soft-failed events are not counted here, because all events would have to be read: `roomver check` counts
    them.

    Exit code: 0 listed, 1 no rooms, 2 usage error or unreadable source.
    """
    with opened_source(source, immutable=immutable) as opened:
        found = opened.list_rooms()
    if as_json:
        click.echo(ascii_json([room._asdict() for room in found], indent=1))
    elif found:
        _print(found, None if all_rooms else _MOST)
    else:
        say(printable(f"roomver: {opened.name}: it has no rooms"))
    if not found:
        raise click.exceptions.Exit(1)


def _print(found: list[RoomSummary], most: int | None) -> None:
    # A usual room ID and the counts then fit 80 columns.
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=0, pad_edge=False)
    table.add_column("room", overflow="fold")
    for name in ("ver", "events", "rejected", "joined", "ends"):
        table.add_column(name, justify="right", no_wrap=True)
    for room in found[:most]:
        numbers = map(_number, (room.events, room.rejected, room.joined, room.extremities))
        table.add_row(_heading(room), printable(room.version or "-"), *numbers)
    out = console()
    # An ID that is folded cannot be copied. So a long one makes the lines longer than a terminal.
    out.width = max(out.width, _WIDE)
    print_stripped(table, out)
    if most is not None and len(found) > most:
        out.print(f"and {len(found) - most:,} more: --all lists them")


def _heading(room: RoomSummary) -> Text:
    """Return a room's ID, and below it what is known in words."""
    lines = [printable(room.room_id)]
    if room.name is not None:
        # In quotes: a room may be called "left".
        name = Text(printable(room.name))
        name.truncate(_ID - 4, overflow="ellipsis")
        lines.append(f'  "{name.plain}"')
    if room.partial:
        lines.append("  unfinished partial join")
    if room.membership in _STANDING:
        left = room.membership != "leave" or room.extremities is not None
        lines.append(f"  {_STANDING[room.membership] if left else 'not in the room'}")
    return Text("\n".join(lines))


def _number(number: int | None) -> str:
    return "-" if number is None else f"{number:,}"
