"""``roomver versions``: what differs between the room versions."""

import json

import click
from rich import box
from rich.table import Table

from ..versions import ROOM_VERSIONS
from .common import example
from .features import feature_markdown, feature_rows
from .tables import print_table


@click.command(epilog=example("roomver versions --json | jq '.features[0]'"))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--markdown", is_flag=True, help="Print a Markdown table.")
def versions(as_json: bool, markdown: bool) -> None:
    """Print what differs between the room versions.

    A row for each feature, a column for each room version. ● is yes and - is no; other marks are explained
    in their row.

    Exit code: 0 printed, 2 usage error.
    """
    if as_json:
        features = [
            {"feature": label, "versions": dict(zip(ROOM_VERSIONS, cells, strict=True))}
            for label, cells in feature_rows()
        ]
        click.echo(
            json.dumps({"versions": list(ROOM_VERSIONS), "features": features}, indent=2, ensure_ascii=False)
        )
        return
    if markdown:
        click.echo(feature_markdown())
        return
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    table.add_column("Feature", overflow="fold")
    for name in ROOM_VERSIONS:
        table.add_column(name, justify="center", no_wrap=True)
    for label, cells in feature_rows():
        table.add_row(label, *cells)
    print_table(table)
