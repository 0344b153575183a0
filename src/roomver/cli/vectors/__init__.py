"""``roomver vectors``: run, list, show, serve and measure the test vectors."""

import click

from .coverage import coverage_command
from .results import report
from .run import list_cases, run_command, serve_requests, show_command


@click.group("vectors")
def vectors_group() -> None:
    """Test vectors: run them here or against another implementation."""


for _command in (run_command, list_cases, show_command, serve_requests, report, coverage_command):
    vectors_group.add_command(_command)
