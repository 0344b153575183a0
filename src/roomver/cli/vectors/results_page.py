"""A report of results as one HTML page: it loads nothing, runs no script, and fits the screen of a phone."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from ..escaped import html_text
from .lines import Failure, Line, also_fails, columns_of_lines, operations_of, who_fails
from .pages import Link, summary
from .results import Cell, heading_of

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"

# On a narrow screen a cell has the number of its failures or a tick; on a wide one it has both numbers.
_STYLE: Final = """
:root { color-scheme: light dark; --bad: #fbe0dc; --bad-text: #8a1c0f; --good: #e2f2e5; --good-text: #1b5a2d;
  --line: #d0d4d8; --dim: #5f666d; --back: #fff; }
@media (prefers-color-scheme: dark) { :root { --bad: #52211b; --bad-text: #ffc9c0; --good: #1d3b26;
  --good-text: #b9e6c5; --line: #444a50; --dim: #a3abb3; --back: #16181a; } }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; background: var(--back); margin: 0 auto; max-width: 62em;
  padding: .5em 12px 3em; overflow-wrap: anywhere; }
h1 { font-size: 1.5em; } h2 { font-size: 1.25em; margin-top: 2em; } p, .dim { margin: .3em 0; }
.dim, .none { color: var(--dim); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; margin: .8em 0; overflow-wrap: normal; }
th, td { border: 1px solid var(--line); padding: 0; text-align: center; font-variant-numeric: tabular-nums; }
td a, td span.plain { display: block; padding: .35em .1em; min-height: 2.1em; }
td a { color: inherit; }
th[scope=rowgroup], th[scope=row] { text-align: left; padding: .3em .5em; font-weight: 600; }
th[scope=rowgroup] { border-bottom: 0; border-top-width: 2px; }
thead th { position: sticky; top: 0; background: var(--back); font-size: .85em; padding: .3em 0; }
.failed { background: var(--bad); color: var(--bad-text); } .passed { background: var(--good);
  color: var(--good-text); }
.versions { table-layout: fixed; }
.overview th[scope=col] { vertical-align: bottom; padding: .4em .2em; position: static; }
.overview th[scope=row] { position: sticky; left: 0; background: var(--back); white-space: nowrap;
  font-weight: 400; }
.bar { display: flex; height: .6em; border-radius: .3em; overflow: hidden; background: var(--line); }
.bar i { display: block; } .bar .passed { background: #2c8a48; } .bar .failed { background: #c8402e; }
ul.all { list-style: none; padding: 0; } ul.all li { margin: 1em 0; }
details { margin: .5em 0; border: 1px solid var(--line); border-radius: .3em; padding: 0 .6em; }
summary { padding: .5em 0; cursor: pointer; } dt { margin-top: .8em; } dd { margin: .2em 0 .2em 1em; }
dl { scroll-margin-top: 4em; } code { font-size: .9em; }
.long { display: none; }
@media (min-width: 50em) { .long { display: inline; } .short { display: none; } }
@media (max-width: 49.99em) { .versions { font-size: 11px; } .overview { font-size: 13px; }
  .overview th[scope=col] { height: 13em; }
  .overview th[scope=col] a { writing-mode: vertical-rl; transform: rotate(180deg); max-height: 12.5em;
  overflow: hidden; } }
"""


def as_html(lines: Sequence[Line], link: Link) -> str:
    """Return the report as one HTML page.

    Args:
        lines: one for each implementation.
        link: for the names of failed cases.
    """
    columns = columns_of_lines(lines)
    out = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8"><title>Results of the test vectors</title>',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<meta http-equiv="Content-Security-Policy" content="{html_text(_POLICY)}">',
        f"<style>{_STYLE}</style></head><body><h1>Results of the test vectors</h1>",
        "<p>These are the answers of implementations to the cases of the suite, by operation and room"
        " version."
        ' <span class="passed">✓</span> all cases passed, <span class="failed">3</span> cases failed,'
        " - the implementation does not offer the operation.</p>",
        '<ul class="all">',
        *(_entry(number, line) for number, line in enumerate(lines)),
        "</ul>",
        *_overview(lines),
    ]
    failing = who_fails(lines)
    for number, line in enumerate(lines):
        out += _section(number, line, columns, link, failing)
    out.append("</body></html>")
    return "\n".join(out)


def _entry(number: int, line: Line) -> str:
    """Return the entry of an implementation in the list of all: its name, its numbers and a bar."""
    total = line.total()
    whole = sum(total.values()) or 1
    bar = "".join(
        f'<i class="{outcome}" style="width:{100 * total[outcome] / whole:.2f}%"></i>'
        for outcome in ("passed", "failed")
    )
    return (
        f'<li><a href="#i{number}">{html_text(line.name)}</a><br><span class="dim">{summary(line)}</span>'
        f'<div class="bar" role="img" aria-label="{summary(line)}">{bar}</div></li>'
    )


def _overview(lines: Sequence[Line]) -> Iterator[str]:
    """Yield the table of all implementations by operation."""
    yield "<h2>By operation</h2>"
    yield "<p>The share of the cases that passed, of those that the implementation answers.</p>"
    heads = "".join(
        f'<th scope="col"><a href="#i{number}">{html_text(line.name)}</a></th>'
        for number, line in enumerate(lines)
    )
    yield f'<div class="wide"><table class="overview"><thead><tr><td></td>{heads}</tr></thead><tbody>'
    for operation in operations_of(lines):
        cells = "".join(_share(number, line, operation) for number, line in enumerate(lines))
        yield f'<tr><th scope="row">{html_text(operation)}</th>{cells}</tr>'
    yield "</tbody></table></div>"


def _share(number: int, line: Line, operation: str) -> str:
    total = line.total(operation)
    answered = total["passed"] + total["failed"]
    if not answered:
        return '<td class="none"><span class="plain">-</span></td>'
    # Rounded down, so that 100 % means all.
    told = f"{100 * total['passed'] // answered} %"
    where = f"{line.name}, {operation}: {total['passed']} of {answered} passed"
    return _cell("failed" if total["failed"] else "passed", told, where, _anchor(number, operation, total))


def _anchor(number: int, operation: str, counts: Mapping[str, int]) -> str:
    return f"{number}-{operation}" if counts.get("failed") else ""


def _cell(kind: str, text: str, title: str, anchor: str) -> str:
    """Return a cell of a table. With failed cases it links to their list."""
    told = html_text(title)
    if anchor:
        inner = f'<a href="#{html_text(anchor)}" title="{told}">{text}</a>'
    else:
        inner = f'<span class="plain" title="{told}">{text}</span>'
    return f'<td class="{kind}">{inner}</td>'


def _section(
    number: int, line: Line, columns: Sequence[str], link: Link, failing: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    """Yield the part of one implementation: a table by operation and room version, then its failed cases."""
    name = html_text(line.name)
    yield f'<section id="i{number}"><h2>{name}</h2><p>{summary(line)}.</p>'
    facts = [f'<a href="{html_text(line.url)}">{html_text(line.url)}</a>'] if line.url else []
    facts += [f"run on {html_text(line.date)}"] if line.date else []
    facts += [f"suite {html_text(line.suite)}"] if line.suite else []
    if facts:
        yield f'<p class="dim">{", ".join(facts)}</p>'
    heads = "".join(f'<th scope="col">{heading_of(column)}</th>' for column in columns)
    yield f'<table class="versions"><thead><tr>{heads}</tr></thead>'
    for operation in operations_of([line]):
        shown = html_text(operation)
        yield f'<tbody><tr><th scope="rowgroup" colspan="{len(columns)}">{shown}</th></tr><tr>'
        for column, (cell, counts) in zip(columns, line.cells(operation, columns), strict=True):
            yield _version_cell(number, operation, column, cell, counts)
        yield "</tr></tbody>"
    yield "</table>"
    for operation in operations_of([line]):
        mine = [case for case in line.failures if case.operation == operation]
        if mine:
            # The target is inside, so that a browser opens the list to show it.
            yield (
                f"<details><summary>{html_text(operation)}: {len(mine)} failed</summary>"
                f'<dl id="{number}-{html_text(operation)}">'
            )
            yield from (_failure(case, link, also_fails(line, case, failing)) for case in mine)
            yield "</dl></details>"
    yield "</section>"


def _version_cell(number: int, operation: str, column: str, cell: Cell, counts: Mapping[str, int]) -> str:
    passed, failed = counts.get("passed", 0), counts.get("failed", 0)
    if not passed and not failed:
        return f'<td class="none"><span class="plain">{"-" if counts else ""}</span></td>'
    short = str(failed) if failed else "✓"
    text = f'<span class="long">{cell.text}</span><span class="short">{short}</span>'
    title = f"{operation}, {heading_of(column)}: {passed} of {passed + failed} passed"
    return _cell(cell.kind, text, title, _anchor(number, operation, counts))


def _failure(case: Failure, link: Link, others: str) -> str:
    name = f"<code>{html_text(case.name)}</code>"
    address = link(case.name)
    if address is not None:
        name = f'<a href="{html_text(address)}">{name}</a>'
    texts = f"expected <code>{html_text(case.expected)}</code><br>got <code>{html_text(case.got)}</code>"
    also = f'<br><span class="dim">{html_text(others)}</span>' if others else ""
    return f"<dt>{name}</dt><dd>{texts}{also}</dd>"
