"""``roomver vectors export``: write the files of the suite to a folder."""

from pathlib import Path

import click

from ...readers import InputError
from ...readers.suite import read_suite_files
from ..common import display_name, example


@click.command("export", epilog=example("roomver vectors export matrix-vectors"))
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--force",
    is_flag=True,
    help="Write to a folder that is not empty, and overwrite files with the same names.",
)
def export_command(folder: Path, force: bool) -> None:
    """Write the test vectors that ship with roomver to FOLDER.

    FOLDER also gets the description of the format, the JSON Schemas, the recorded rooms, the list of known
    bugs and the licence. It is created if it does not exist. Other files in it are left alone.

    Exit codes: 0 the files were written, 2 FOLDER is not empty or a file could not be written.
    """
    if not force and folder.is_dir() and any(folder.iterdir()):
        raise InputError(str(folder), "the folder is not empty; --force writes to it anyway")
    folder.mkdir(parents=True, exist_ok=True)
    inside = folder.resolve()
    count = 0
    for name, content in read_suite_files():
        target = folder / name
        # With --force the folder may hold symbolic links.
        if not target.resolve().is_relative_to(inside):
            raise InputError(str(target), f"points outside {folder}")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        count += 1
    click.echo(f"{count} files written to {display_name(str(folder))}")
