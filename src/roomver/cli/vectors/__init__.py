"""``roomver vectors``: run, list, show, serve and measure the test vectors."""

import click

from .coverage import coverage_command
from .results import report
from .run import list_cases, run, serve_requests, show


@click.group("vectors")
def vectors_group() -> None:
    """Test vectors: run them here or against another implementation."""


for _command in (run, list_cases, show, serve_requests, report, coverage_command):
    vectors_group.add_command(_command)
