"""``roomver graph``: the graph of a room, newest first, on a terminal or for other tools."""

import sys
from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime
from typing import Final

import click
from rich.text import Text

from ..event import Event
from ..explain.drawing import Drawing, Kind, draw
from ..explain.lanes import lay_out
from .asked import Asked, room_command
from .common import console, example
from .escaped import printable
from .graph_forms import FORMS
from .graph_json import json_chunks, tardis_chunks
from .graph_words import SYMBOLS, RowText, Words
from .lane_text import LaneText, Line, Part
from .loaded import LoadedRoom
from .tables import wrapped

_MOST_LANES: Final = 30
_LEAST_LANES: Final = 3
_CELLS_PER_LANE: Final = 8  # of the width: a quarter of a line is lanes, at most
_MERMAID_EDGES: Final = 500  # its default
_DIGITS_OF_MS: Final = 11  # of a time in milliseconds, at least; a date without hyphens has 8


def _form_option(name: str, text: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return click.option(f"--{name}", f"as_{name}", is_flag=True, help=text)


@click.command(
    short_help="Draw the graph of a room: forks, merges, resets.",
    epilog=example(
        "roomver graph room.jsonl | head -n 50\n"
        "roomver graph homeserver.db '!roomid' --around '$eventid' --count 10\n"
        "roomver graph room.jsonl --type m.room.power_levels --svg > room.svg"
    ),
)
@room_command()
@click.option("--around", metavar="EVENT", help="Draw the rows around an event, by ID or prefix of it.")
@click.option(
    "--count",
    metavar="N",
    type=click.IntRange(1),
    help="Draw at most N rows; with --around, N above and N below (default 20).",
)
@click.option(
    "--since",
    metavar="TIME|EVENT",
    help="Draw events from a time on, such as 2026-11-29T12:00 (UTC) or milliseconds, as their servers claim;"
    " or an event and what the replay has after it.",
)
@click.option("--type", "types", metavar="TYPE", multiple=True, help="Draw events of this type. Repeatable.")
@click.option("--all", "unfolded", is_flag=True, help="Do not fold long straight runs.")
@_form_option("dot", "Print it for Graphviz.")
@_form_option("mermaid", "Print it as a Mermaid flowchart.")
@_form_option("svg", "Print it as a picture.")
@_form_option("tardis", "Print a scenario for the viewer TARDIS.")
def graph(  # noqa: PLR0913, PLR0917 - one for each option
    asked: Asked,
    around: str | None,
    count: int | None,
    since: str | None,
    types: tuple[str, ...],
    unfolded: bool,
    as_dot: bool,
    as_mermaid: bool,
    as_svg: bool,
    as_tardis: bool,
) -> None:
    """Draw the graph of a room, newest first, as `git log --graph` draws it.

    Each event is a row, and lines lead down to its prev events. Rejected (x), soft-failed (~) and undecided
    (?) events are marked, and so are merges at which a key was reset (!). Long straight runs are one row.

    Exit code: 0 drawn, 2 usage error or unreadable input, 3 if the event that was asked for is missing.
    """
    named = {"dot": as_dot, "mermaid": as_mermaid, "svg": as_svg, "tardis": as_tardis, "json": asked.as_json}
    forms = [name for name, chosen in named.items() if chosen]
    if len(forms) > 1:
        raise click.UsageError(f"choose one of {', '.join(f'--{name}' for name in forms)}")
    form = forms[0] if forms else "text"
    start = None if since is None or since.startswith("$") else _milliseconds(since)
    loaded = asked.load(around or (since if start is None else None))
    middle = None if around is None else loaded.event(around).event_id
    drawing = draw(
        loaded.found,
        wanted=_wanted(loaded, since, start, types),
        fold=not unfolded and form != "tardis",
        around=middle,
        count=count,
    )
    words = Words(loaded, drawing)
    if form == "text":
        _print(asked.of(loaded), loaded, drawing, words)
        return
    if form == "json":
        chunks: Iterable[str] = json_chunks(loaded, drawing)
    elif form == "tardis":
        chunks = tardis_chunks(loaded, drawing, words)
    else:
        chunks = FORMS[form](drawing, words)
    for chunk in chunks:
        click.echo(chunk)
    if (hint := _hint(form, loaded, drawing)) is not None:
        click.echo(f"roomver: {hint}", err=True)


def _hint(form: str, loaded: LoadedRoom, drawing: Drawing) -> str | None:
    """Return what to do if the tool that reads a form refuses it."""
    if form == "mermaid" and sum(len(node.parents) for node in drawing.nodes) > _MERMAID_EDGES:
        return f"Mermaid draws at most {_MERMAID_EDGES} edges: choose a part with --around or --count"
    if form == "tardis" and loaded.version.references_carry_hashes:
        return f"TARDIS does not read prev_events with hashes, as room version {loaded.version} has them"
    return None


def _milliseconds(text: str) -> int:
    """Return a time that was given, in milliseconds.

    Raises:
        UsageError: if it is not one.
    """
    if text.isascii() and text.isdecimal() and len(text) >= _DIGITS_OF_MS:
        return int(text[:20])
    try:
        time = datetime.fromisoformat(text)
        return int((time if time.tzinfo is not None else time.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise click.UsageError(
            f"--since {printable(text, 60)} is neither a time, such as 2026-11-29T12:00, nor an event ID"
        ) from None


def _wanted(
    loaded: LoadedRoom, since: str | None, start: int | None, types: tuple[str, ...]
) -> Callable[[Event], bool] | None:
    """Return what tells which events to draw; None for all."""
    later: set[str] | None = None
    if since is not None and start is None:
        order = loaded.replay.order
        first = loaded.event(since).event_id
        later = set(order[order.index(first) :]) if first in order else {first}
    if since is None and not types:
        return None
    return lambda event: (
        (not types or event.type in types)
        and (start is None or event.origin_server_ts >= start)
        and (later is None or event.event_id in later)
    )


def _print(asked: Asked, loaded: LoadedRoom, drawing: Drawing, words: Words) -> None:
    out = console()
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    plain = not _can_draw(encoding)
    limit = max(_LEAST_LANES, min(_MOST_LANES, out.width // _CELLS_PER_LANE))
    used: set[str] = set()

    def said(number: int) -> RowText:
        found = words(drawing.nodes[number])
        used.add(found.symbol)
        return found

    def show(line: Line) -> None:
        if out.is_terminal:
            text = Text.assemble(*((part.text, part.style) for part in line))
            text.rstrip()
            out.print(text, soft_wrap=True)  # it fits, or is a call to copy
        else:
            # `click.echo` would flush each of a hundred thousand lines.
            sys.stdout.write("".join(part.text for part in line).rstrip() + "\n")

    for one in words.summary():
        show([Part(wrapped(one, out.width), "bold")])
    rows = lay_out((node.parents for node in drawing.nodes), limit)
    lanes = LaneText(limit, out.width, plain)
    for line in lanes.lines((row, said(row.number)) for row in rows):
        show(line)
    if drawing.hidden:
        show([Part(f"{drawing.hidden:,} other events are not shown")])
    legend = [f"{symbol} {SYMBOLS[symbol]}" for symbol in SYMBOLS if symbol in used and SYMBOLS[symbol]]
    if lanes.most_hidden:
        legend.append("+N lanes that are not drawn")
    if legend:
        show([Part(", ".join(legend), "dim")])
    for call in _more(asked, loaded, {node.kind for node in drawing.nodes}):
        show([Part(call)])


def _can_draw(encoding: str) -> bool:
    try:
        "│─╯╰╮╭┤├┴┬┼…".encode(encoding)
    except (LookupError, UnicodeEncodeError):
        return False
    return True


def _more(asked: Asked, loaded: LoadedRoom, kinds: Collection[Kind]) -> Iterable[str]:
    """Say how to see more."""
    if Kind.RUN in kinds or Kind.APART in kinds:
        yield "Folded events: --all, or --around EVENT"
    if Kind.NEWER in kinds or Kind.OLDER in kinds:
        yield "More rows: --count N"
    what = "resets" if loaded.found.resets else "explain"
    event = "" if loaded.found.resets else " 'EVENT'"
    yield f"{'The resets' if loaded.found.resets else 'One event'}: roomver {what} {asked.call}{event}"
