"""``roomver report``: a room as a page that opens offline, or as a picture."""

import re

import click

from ...errors import counted
from ...explain.page import STATUSES, Page, page_of
from ...explain.resets import class_numbers
from ...readers import InputError
from ...readers.extras import install_extra
from ...types import JsonObject
from ..asked import Asked, room_command
from ..cache import uncollected
from ..common import console, example
from ..escaped import ascii_json, printable
from ..loaded import LoadedRoom
from ..progress import work_progress
from ..wording import room_lines
from ..written import check_not_input, write_file
from .document import NoTemplates, document_of
from .picture import NoPictures, picture_of

_LINES = 3  # resets and differences that the summary lists
_MORE = re.compile(r"\s*and [\d,]+ more: --all lists them")  # the page has no such option, and a tab with all


@click.command(
    epilog=example(
        "roomver report room.jsonl -o room.html\n"
        "roomver report homeserver.db '!roomid' -o room.html\n"
        "roomver report room.jsonl --png -o room.png"
    )
)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="Where to write it; - is standard output. Otherwise room.html, or room.png with --png.",
)
@click.option("--png", is_flag=True, help="Make a picture of the room instead, for a chat or an issue.")
@room_command()
def report(asked: Asked, output: str | None, png: bool) -> None:
    """Write a room as one page that opens offline in a browser.

    The page shows the graph, each event with its checks and the state before it, and each merge step by
    step, by the algorithms of versions 1, 2 to 11 and 12. It asks nothing of any server, and nothing in the
    room is executed. It holds the events as they are, so give it only to people who may read the room.

    With --json, say what was written as JSON.

    Exit code: 0 written, 2 usage error or unreadable file.
    """
    target = output or ("room.png" if png else "room.html")
    if target != "-":
        check_not_input(target, [asked.source, *asked.more_files, *asked.key_files, str(asked.cache or "-")])
    if asked.as_json and target == "-":
        raise click.UsageError("--json and -o - both write to standard output")
    room = asked.load()
    try:
        with uncollected():
            with work_progress("checks") as progress:
                page = page_of(room.found, progress)
            data = picture_of(page) if png else _document(page, room)
    except NoTemplates:
        raise InputError("report", _lacking("Jinja2")) from None
    except NoPictures:
        raise InputError("report --png", _lacking("Pillow")) from None
    write_file(target, data)
    if target == "-":
        return
    if asked.as_json:
        click.echo(ascii_json(_written(page, target, data, png=png)))
        return
    out = console()
    out.print(printable(verdict_of(page)), soft_wrap=False)
    out.print(printable(f"written: {target} ({len(data) / 1e6:,.1f} MB)"), soft_wrap=True)
    if page.merges[1] and not png:
        out.print(f"{counted(page.merges[1], 'merge is', 'merges are')} named in it without their steps")
    if not png:
        out.print("Open it in a browser. For a picture of the room: --png")


def _lacking(library: str) -> str:
    return f"it needs {library}: {install_extra('report')}"


def _document(page: Page, room: LoadedRoom) -> bytes:
    # The page may be given to others, whom the path of the file does not concern.
    told = room_lines(room.found, page.resets, "SOURCE", _LINES)
    lines = [line for line in told if not _MORE.fullmatch(line)]
    with work_progress("page") as progress:
        return document_of(page, lines, verdict_of(page), "roomver {} SOURCE", progress)


def verdict_of(page: Page) -> str:
    """Return what the room comes to, in a sentence or two."""
    events = len(page.order)
    numbers = [page.status.count(number) for number in range(len(STATUSES))]
    others = [f"{n:,} {name}" for n, name in zip(numbers[1:], STATUSES[1:], strict=True) if n]
    said = f"{counted(events, 'event', 'events')}: "
    said += ", ".join([f"{numbers[0]:,} accepted", *others]) if others else "all accepted"
    resets, left_out = len(page.found.resets), len(page.left_out)
    if resets:
        changes = counted(resets, "change", "changes")
        classes = class_numbers(page.resets)
        said += f". State resolution undid {changes} (state resets): {classes}"
    if left_out:
        said += f". {counted(left_out, 'event is', 'events are')} left out"
    missing = len(page.found.replay.missing)
    if missing:
        said += f". {counted(missing, 'event is', 'events are')} missing"
    return f"{said}."


def _written(page: Page, target: str, data: bytes, *, png: bool) -> JsonObject:
    return {
        "file": target,
        "kind": "png" if png else "html",
        "bytes": len(data),
        "room_id": page.found.gathered.room_id,
        "events": len(page.order),
        "outcomes": {name: page.status.count(number) for number, name in enumerate(STATUSES)},
        "resets": len(page.found.resets),
        "merges": len(page.found.replay.merges),
        "merges_left_out": page.merges[1],
        "left_out": len(page.left_out),
        "missing": len(page.found.replay.missing),
    }
