"""``roomver graph``: the graph of a room, newest first, on a terminal or for other tools."""

import sys
from collections.abc import Callable, Collection, Iterable
from heapq import nsmallest
from typing import Final

import click
from rich.text import Text

from ..explain.drawing import Drawing, Kind, draw
from ..explain.judged import Judged
from ..explain.lanes import lay_out
from ..explain.marks import PLAIN, Mark
from ..types import EventId
from .asked import Asked, room_command
from .common import console, example
from .fitted import note_lines
from .graph_choice import EventChoice, choose
from .graph_forms import FORMS
from .graph_json import json_chunks, tardis_chunks
from .graph_words import SYMBOLS, RowText, Words
from .heard import say
from .lane_text import LaneText, Line, Part
from .loaded import LoadedRoom
from .progress import ReplayProgress, output_progress, work_progress
from .said import call_text
from .tables import wrapped

_MOST_LANES: Final = 30
_LEAST_LANES: Final = 3
_CELLS_PER_LANE: Final = 8  # of the width: a quarter of a line is lanes, at most
_MERMAID_EDGES: Final = 500  # its default
_TICK: Final = 256  # rows between two updates of the progress
_PLAIN: Final = 7  # the rank of an event without a mark
_AROUND: Final = 20  # rows above and below an event
_CANDIDATES: Final = 100  # events that are tried for a call; senders choose the IDs of versions 1 and 2


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
@room_command(event_as="around")
@click.option(
    "--around",
    metavar="EVENT",
    help="Draw the rows around an event, by ID or prefix of it. It may also be the last argument.",
)
@click.option(
    "--count",
    metavar="N",
    type=click.IntRange(1),
    help="Draw at most N rows; with --around, N above the event and N below it (default 20).",
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
    The day, in UTC, has a line of its own where it changes.

    Exit code: 0 drawn, 2 usage error or unreadable input, 3 if the event that was asked for is missing.
    """
    named = {"dot": as_dot, "mermaid": as_mermaid, "svg": as_svg, "tardis": as_tardis, "json": asked.as_json}
    forms = [name for name, chosen in named.items() if chosen]
    if len(forms) > 1:
        raise click.UsageError(f"choose one of {', '.join(f'--{name}' for name in forms)}")
    form = forms[0] if forms else "text"
    if around is not None and count is None:
        count = _AROUND
    choice = choose(since, types)
    loaded = asked.load(around or choice.event)
    middle = None if around is None else loaded.event(around).event_id
    with work_progress("the graph"):
        drawing = draw(
            loaded.found,
            wanted=choice.wanted(loaded),
            fold=not unfolded and form != "tardis",
            around=middle,
            count=count,
        )
        words = Words(loaded, drawing)
    if form == "text":
        _print(asked.of(loaded), loaded, drawing, words, choice, middle, count)
        return
    if not drawing.nodes:
        say(f"roomver: {loaded.file}: {choice.nothing(loaded)}")
    if form == "json":
        chunks: Iterable[str] = json_chunks(loaded, drawing)
    elif form == "tardis":
        chunks = tardis_chunks(loaded, drawing, words)
    else:
        chunks = FORMS[form](drawing, words)
    with output_progress("the graph"):
        for chunk in chunks:
            click.echo(chunk)
    if (hint := _hint(form, loaded, drawing)) is not None:
        say(f"roomver: {hint}")


def _hint(form: str, loaded: LoadedRoom, drawing: Drawing) -> str | None:
    """Return what to do if the tool that reads a form refuses it."""
    if form == "mermaid" and sum(len(node.parents) for node in drawing.nodes) > _MERMAID_EDGES:
        return f"Mermaid draws at most {_MERMAID_EDGES} edges: choose a part with --around or --count"
    if form == "tardis" and loaded.version.references_carry_hashes:
        return f"TARDIS does not read prev_events with hashes, as room version {loaded.version} has them"
    return None


def _print(  # noqa: PLR0913, PLR0917 - what was asked, and what is drawn of it
    asked: Asked,
    loaded: LoadedRoom,
    drawing: Drawing,
    words: Words,
    choice: EventChoice,
    middle: EventId | None,
    count: int | None,
) -> None:
    out = console()
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    plain = not _can_draw(encoding)
    limit = max(_LEAST_LANES, min(_MOST_LANES, out.width // _CELLS_PER_LANE))
    used: set[str] = set()

    def said(number: int, tell: ReplayProgress | None) -> RowText:
        if tell is not None and not number % _TICK:
            tell(number, len(drawing.nodes))
        found = words(drawing.nodes[number])
        used.add(found.symbol)
        return found

    on_terminal = out.is_terminal

    def show(line: Line) -> None:
        if on_terminal:
            text = Text.assemble(*((part.text, part.style) for part in line))
            text.rstrip()
            out.print(text, soft_wrap=True)  # it fits, or is a call to copy
        else:
            # `click.echo` would flush each of a hundred thousand lines.
            sys.stdout.write("".join([part.text for part in line]).rstrip() + "\n")

    def show_lines(text: str, style: str = "") -> None:
        for line in note_lines(text, out.width) if text else ():
            show([Part(line, style)])

    for one in words.summary():
        show([Part(wrapped(one, out.width), "bold")])
    if not drawing.nodes:
        show_lines(choice.nothing(loaded))
    lanes = LaneText(limit, out.width, plain)
    with output_progress("the graph") as tell:
        rows = lay_out((node.parents for node in drawing.nodes), limit)
        for drawn in lanes.lines((row, said(row.number, tell)) for row in rows):
            show(drawn)
    if drawing.hidden and drawing.nodes:
        show_lines(f"{drawing.hidden:,} other events are not shown{choice.text}")
    show_lines(_legend(used, lanes), "dim")
    for hint in _hints(drawing, count, limit + lanes.most_hidden if lanes.most_hidden else 0):
        show([Part(hint)])
    show([])
    if loaded.found.resets:
        show([Part(f"resets: roomver resets {asked.call}")])
    show([Part(_more(asked, drawing, words, middle))])


def _can_draw(encoding: str) -> bool:
    try:
        "│─╯╰╮╭┤├┴┬┼…".encode(encoding)
    except (LookupError, UnicodeEncodeError):
        return False
    return True


def _legend(used: Collection[str], lanes: LaneText) -> str:
    """Explain the symbols that a drawing has."""
    legend = [f"{symbol} {SYMBOLS[symbol]}" for symbol in SYMBOLS if symbol in used and SYMBOLS[symbol]]
    legend += ["+N lanes that are not drawn"] if lanes.most_hidden else []
    return ", ".join(legend)


def _hints(drawing: Drawing, count: int | None, lanes: int) -> Iterable[str]:
    """Say how to see more.

    Args:
        drawing: what was drawn.
        count: how many rows were asked for.
        lanes: how many lanes there are; 0 if all were drawn.
    """
    kinds = {node.kind for node in drawing.nodes}
    if not kinds.isdisjoint((Kind.RUN, Kind.APART, Kind.FAN)):
        yield "folded events: --all shows each"
    if Kind.NEWER in kinds or Kind.OLDER in kinds:
        yield f"more rows: --count {2 * max(count or 0, 10)}"
    if lanes:
        width = min(lanes, _MOST_LANES) * _CELLS_PER_LANE
        yield f"more lanes: COLUMNS={width} roomver graph … | less -S, or --svg"


def _more(asked: Asked, drawing: Drawing, words: Words, middle: EventId | None) -> str:
    """Return the one call that shows more: it explains the event of the drawing that is most remarkable."""
    if not drawing.nodes:
        return f"more: roomver graph {asked.call}"
    ranked = (
        (_rank(node.mark, asked_for=node.events[0] == middle), number)
        for number, node in enumerate(drawing.nodes)
        if node.kind is Kind.EVENT
    )
    for _, number in nsmallest(_CANDIDATES, ranked):
        event_id = drawing.nodes[number].events[0]
        text = call_text(words.short(event_id)) or call_text(event_id)
        if text is not None:
            return f"more: roomver explain {asked.call} {text}"
    return f"more: roomver check {asked.check_call} --all"


def _rank(mark: Mark, *, asked_for: bool) -> int:
    """Return how remarkable an event is. The lowest rank is the most remarkable."""
    if mark is PLAIN and not asked_for:
        return _PLAIN
    reasons = (
        asked_for,
        bool(mark.resets),
        mark.undone,
        mark.judged is Judged.REJECTED,
        mark.judged is Judged.SOFT_FAILED,
        mark.judged is Judged.UNDECIDED or mark.unsure,
        bool(mark.merged),
    )
    return reasons.index(True) if True in reasons else _PLAIN
