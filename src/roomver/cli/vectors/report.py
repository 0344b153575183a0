"""``roomver vectors report``: the results of several implementations in one document."""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote

import click

from ..common import example, write_line
from .lines import read_lines, report_document
from .pages import Link, as_markdown
from .results_page import as_html

# The line of a name, as the generators write it. Names of cases need no escapes.
_NAME_LINE: Final = re.compile(r'\s*"name": "([^"\\]+)",?\s*')


@click.command("report", epilog=example("roomver vectors report ours.json theirs.json --html report.html"))
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option(
    "--markdown",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write the report to FILE as Markdown.",
)
@click.option(
    "--html",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write the report to FILE as an HTML page.",
)
@click.option(
    "--json",
    "as_json",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write the report to FILE as JSON, which this command can read again.",
)
@click.option(
    "--cases",
    metavar="FOLDER",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Link each failed case to its place in the vector files of FOLDER.",
)
def report_command(
    files: tuple[str, ...], markdown: Path | None, html: Path | None, as_json: Path | None, cases: Path | None
) -> None:
    """Make one report of the results of several implementations.

    Each FILE is the output of `roomver vectors run --json`, or a report that --json wrote. If an
    implementation is in several of them, the last one counts. So an implementation adds itself to a report,
    or renews its results, by naming its results after the report. Without --markdown, --html and --json the
    report is printed as Markdown.

    Exit codes: 0 the report was made, 2 a file could not be read or written.
    """
    lines = read_lines(files)
    places = {} if cases is None else find_cases(cases)
    if markdown is None and html is None and as_json is None:
        write_line(_encode(as_markdown(lines, _links(places, Path("report.md")))))
    if markdown is not None:
        markdown.write_bytes(_encode(as_markdown(lines, _links(places, markdown))) + b"\n")
    if html is not None:
        html.write_bytes(_encode(as_html(lines, _links(places, html))) + b"\n")
    if as_json is not None:
        as_json.write_text(json.dumps(report_document(lines), indent=1) + "\n", encoding="ascii")


def find_cases(folder: Path) -> dict[str, tuple[Path, int]]:
    """Return the file and the line of each case in a folder of vector files, by name."""
    found: dict[str, tuple[Path, int]] = {}
    for file in sorted(folder.rglob("*.json")):
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
        # A report on the cases has their names too.
        if any('"report_format"' in line for line in lines[:2]):
            continue
        for number, line in enumerate(lines, 1):
            match = _NAME_LINE.fullmatch(line)
            if match is not None:
                found.setdefault(match[1], (file.resolve(), number))
    return found


def _links(cases: Mapping[str, tuple[Path, int]], document: Path) -> Link:
    """Return a function that gives the address of a case relative to a document."""
    folder = document.resolve().parent

    def link(name: str) -> str | None:
        if name not in cases:
            return None
        file, line = cases[name]
        return f"{quote(os.path.relpath(file, folder).replace(os.sep, '/'))}#L{line}"

    return link


def _encode(text: str) -> bytes:
    # A reason may quote a lone surrogate, which UTF-8 cannot encode.
    return text.encode("utf-8", "backslashreplace")
