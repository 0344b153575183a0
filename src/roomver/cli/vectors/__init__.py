"""``roomver vectors``: the commands for test vectors. Each has a module of its name."""

import click

from .capture import capture_command
from .coverage import coverage_command
from .export import export_command
from .list import list_command
from .report import report_command
from .run import run_command
from .serve import serve_command
from .show import show_command


@click.group("vectors")
def vectors_group() -> None:
    """Run test vectors against roomver or another implementation."""


for _command in (
    run_command,
    list_command,
    show_command,
    export_command,
    serve_command,
    report_command,
    coverage_command,
    capture_command,
):
    vectors_group.add_command(_command)
