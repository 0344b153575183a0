"""``roomver vectors serve``: roomver as an implementation, which answers the requests of a runner."""

import json
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import click

from ...readers import InputError
from ...suite.operations import run_operation
from ...types import JsonObject
from ..common import example
from .implementation import to_line
from .timing import Timer, answer_timing


@click.command("serve", epilog=example('roomver vectors run --impl "roomver vectors serve"'))
def serve_command() -> None:
    """Answer the requests of a runner, as an implementation.

    Requests come on standard input and answers go to standard output, one JSON object per line. FORMAT.md
    describes them.

    Exit code: 0 standard input has ended, whatever the answers say, 2 usage error or closed input.
    """
    if sys.stdin is None:  # as Python leaves it if the caller has closed it
        raise InputError("standard input", "it is closed")
    for line in answer_requests(sys.stdin.buffer):
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()


def answer_requests(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Answer each request line of the protocol with one line.

    A line that is not a request is answered with an error, under its ``id`` if it has one. Empty lines are
    skipped.
    """
    timer = Timer()
    for line in lines:
        if line.strip():
            yield to_line(_answer(line, timer))


def _answer(line: bytes, timer: Timer) -> JsonObject:
    try:
        request: Any = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        return {"id": None, "error": "bad_request", "message": f"not JSON: {error}"}
    if type(request) is not dict:
        return {"id": None, "error": "bad_request", "message": "a request must be an object"}
    answer: JsonObject = {"id": request.get("id")}
    operation, version, case_input = (request.get(key) for key in ("operation", "room_version", "input"))
    if type(operation) is not str or type(version) is not str or type(case_input) is not dict:
        message = "operation and room_version must be strings, and input an object"
        return {**answer, "error": "bad_request", "message": message}
    if operation == "time":
        output = answer_timing(timer, version, case_input)
    else:
        output = run_operation(operation, version, case_input, request.get("version"))
    if "error" in output or "unsupported" in output:
        return {**answer, **output}
    return {**answer, "output": output}
