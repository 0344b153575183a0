"""``roomver versions``: what differs between the room versions."""

import json
from collections.abc import Iterator, Sequence
from textwrap import wrap

import click
from rich import box
from rich.table import Table

from ..versions import (
    ROOM_VERSIONS,
    UNSTABLE_ROOM_VERSIONS,
    RoomVersion,
    get_room_version,
    is_known,
    list_changes,
)
from .common import example
from .escaped import printable
from .features import feature_markdown, feature_rows
from .tables import print_table
from .version_options import room_version_option

_WIDTH = 78


@click.command(epilog=example("roomver versions --json | jq '.features[0]'"))
@room_version_option("Only this room version, beside the one that it is based on.", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--markdown", is_flag=True, help="Print a Markdown table.")
def versions(version: RoomVersion | None, as_json: bool, markdown: bool) -> None:
    """Print what differs between the room versions.

    A row for each feature, a column for each stable room version. ● is yes and - is no; other marks are
    explained in their row. The unstable versions follow, each as the fields that differ from the version that
    it is based on. That is also what a file for --room-version-file contains.

    Exit code: 0 printed, 2 usage error.
    """
    columns = [*ROOM_VERSIONS.values()] if version is None else [*_base_of(version), version]
    if as_json:
        click.echo(json.dumps(_data(version, columns), indent=2, ensure_ascii=False))
        return
    if markdown:
        click.echo(feature_markdown() if version is None else feature_markdown(columns))
        return
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    table.add_column("Feature", overflow="fold")
    for one in columns:
        table.add_column(one.identifier, justify="center", no_wrap=True)
    for label, cells in feature_rows() if version is None else feature_rows(columns):
        table.add_row(label, *cells)
    print_table(table)
    if version is None:
        click.echo("\n# Unstable room versions, each as the fields that differ:")
    for one in UNSTABLE_ROOM_VERSIONS.values() if version is None else [version]:
        if one.based_on is not None:
            click.echo()
            for line in _definition(one):
                click.echo(printable(line))


def _base_of(version: RoomVersion) -> Sequence[RoomVersion]:
    """Return the version that another one is based on, if this package has it."""
    return [get_room_version(version.based_on)] if version.based_on and is_known(version.based_on) else []


def _data(version: RoomVersion | None, columns: Sequence[RoomVersion]) -> dict[str, object]:
    rows = feature_rows() if version is None else feature_rows(columns)
    names = [one.identifier for one in columns]
    data: dict[str, object] = {
        "versions": names,
        "features": [
            {"feature": label, "versions": dict(zip(names, cells, strict=True))} for label, cells in rows
        ],
    }
    others = UNSTABLE_ROOM_VERSIONS.values() if version is None else [version]
    data["unstable"] = {
        one.identifier: {"based_on": one.based_on, "changes": list_changes(one)}
        for one in others
        if one.based_on is not None
    }
    return data


def _definition(version: RoomVersion) -> Iterator[str]:
    """Yield the lines of the file that defines a room version."""
    yield f"identifier = {_toml(version.identifier)}"
    yield f"based_on = {_toml(version.based_on)}"
    for name, value in list_changes(version).items():
        if isinstance(value, dict):
            for key, item in value.items():
                yield from _line(f"{name}.{_toml(key)}", item)
        else:
            yield from _line(name, value)


def _line(name: str, value: object) -> Iterator[str]:
    line = f"{name} = {_toml(value)}"
    if len(line) <= _WIDTH or not isinstance(value, list):
        yield line
        return
    yield f"{name} = ["
    items = ", ".join(map(_toml, value))
    for some in wrap(items, _WIDTH - 2, break_long_words=False, break_on_hyphens=False):
        yield f"  {some}"
    yield "]"


def _toml(value: object) -> str:
    # What these fields can hold is written in TOML as it is in JSON.
    return json.dumps(value, ensure_ascii=False)
