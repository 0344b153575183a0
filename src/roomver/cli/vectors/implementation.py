"""Another implementation, run as a program that speaks JSON Lines, and the other side of it.

The protocol stands in ``vectors/FORMAT.md``. Nothing is compared here: cases go out, outputs come back.
"""

import json
import os
import shlex
import signal
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import suppress
from queue import Empty, Full, Queue
from threading import Thread
from types import TracebackType
from typing import Any, BinaryIO, Final

from ...canonical import shorten
from ...suite.document import Case
from ...suite.operations import run_operation
from ...types import JsonObject
from .timing import Timer, timed

MAX_LINE: Final = 64 * 2**20
"""The longest answer that is read, in bytes."""

_CLOSED: Final = b""  # what readline gives at the end
_QUEUED: Final = 4  # answers that nobody has asked for yet
_LOOK_UP: Final = 0.5  # seconds between two looks at a program that floods its output


class NoAnswer(Exception):
    """The program gave no answer that can be compared. The text says what it did instead."""


class CannotStart(Exception):
    """The command does not name a program that can be started."""


def to_line(message: JsonObject) -> bytes:
    """Return a message as one line, in ASCII: a lone surrogate in an answer stays readable."""
    return json.dumps(message, separators=(",", ":")).encode("ascii") + b"\n"


class Implementation:
    """A program that is started when a case needs it, and again after it died or fell silent.

    Args:
        command: as a shell would split it; no shell is involved.
        timeout: the longest wait for one answer, in seconds.
    """

    def __init__(self, command: str, timeout: float) -> None:
        try:
            self._arguments = shlex.split(command, posix=os.name == "posix")
        except ValueError as error:
            raise CannotStart(f"cannot split the command: {error}") from None
        if not self._arguments:
            raise CannotStart("the command is empty")
        self._timeout = timeout
        self._process: subprocess.Popen[bytes] | None = None
        self._lines: Queue[bytes] = Queue(_QUEUED)
        self._next_id = 0

    def __enter__(self) -> "Implementation":
        self._start()  # now, so that a wrong command is told before any case
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def ask(self, case: Case) -> JsonObject:
        """Return the program's output for a case, in the form of `roomver.suite.operations.run_operation`.

        Raises:
            NoAnswer: if the program died, said nothing in time, or said something else. It has then
                been stopped and starts anew with the next case.
        """
        process = self._process
        if process is None:
            process = self._start()
        self._next_id += 1
        request: JsonObject = {
            "id": self._next_id,
            "operation": case.operation,
            "room_version": case.room_version,
            "input": case.input,
        }
        # Written by a thread: a program that does not read would block the writer for good.
        Thread(target=_write, args=(process, to_line(request)), daemon=True).start()
        try:
            return _output(self._read_line(process), self._next_id)
        except NoAnswer:
            self.stop(at_once=True)
            raise

    def _start(self) -> subprocess.Popen[bytes]:
        try:
            process = subprocess.Popen(
                self._arguments,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                # A group of its own, so that what the program starts can be stopped with it.
                start_new_session=os.name == "posix",
            )
        except (OSError, ValueError) as error:
            raise CannotStart(f"cannot start {shorten(self._arguments[0])}: {error}") from None
        assert process.stdout is not None
        # A queue for each process: what a stopped one still had to say is no answer to the next case.
        self._lines = Queue(_QUEUED)
        Thread(target=_read, args=(process, process.stdout, self._lines), daemon=True).start()
        self._process = process
        return process

    def _read_line(self, process: subprocess.Popen[bytes]) -> bytes:
        try:
            line = self._lines.get(timeout=self._timeout)
        except Empty:
            raise NoAnswer(f"no answer within {self._timeout:g} s") from None
        if line == _CLOSED:
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=1)
            code = process.returncode
            raise NoAnswer("closed its output" if code is None else f"died with exit code {code}")
        return line

    def stop(self, *, at_once: bool = False) -> None:
        """Stop the program: let it end by itself on the end of its input, unless `at_once`."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        if not at_once:
            with suppress(OSError):
                process.stdin.close()
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=5)
        _kill(process)
        process.wait()
        with suppress(OSError):
            process.stdin.close()


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(OSError):  # it, or its group, has ended
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()


def _write(process: subprocess.Popen[bytes], line: bytes) -> None:
    assert process.stdin is not None
    with suppress(OSError, ValueError):  # it died, or was stopped meanwhile: the reader notices
        process.stdin.write(line)
        process.stdin.flush()


def _read(process: "subprocess.Popen[bytes]", stream: BinaryIO, lines: "Queue[bytes]") -> None:
    """Queue the lines that a program prints. Blank lines are not answers: a flood of them is passed over."""
    with stream:
        while True:
            line = stream.readline(MAX_LINE)
            if line != _CLOSED and not line.strip():
                continue
            while True:
                # The queue is full while nobody asks, and stays so when the program has been stopped.
                try:
                    lines.put(line, timeout=_LOOK_UP)
                    break
                except Full:
                    if process.returncode is not None:
                        return
            if line == _CLOSED:
                return


def _output(line: bytes, request_id: int) -> JsonObject:
    try:
        answer = json.loads(line)
    except (ValueError, RecursionError):
        raise NoAnswer(f"answered with no JSON: {shorten(line.decode('utf-8', 'replace'))}") from None
    if type(answer) is not dict or answer.get("id") != request_id or type(answer["id"]) is not int:
        raise NoAnswer(f"answered another request: {shorten(line.decode('utf-8', 'replace'))}")
    keys = answer.keys() & {"output", "error", "unsupported"}
    if keys == {"output"} and type(answer["output"]) is dict:
        output: JsonObject = answer["output"]
        return output
    if keys == {"error"} and type(answer["error"]) is str:
        return {key: answer[key] for key in ("error", "message") if key in answer}
    if keys == {"unsupported"} and answer["unsupported"] is True:
        return {"unsupported": True}
    expected = "neither an output object, an error text, nor that it is unsupported"
    raise NoAnswer(f"answered with {expected}: {shorten(line.decode('utf-8', 'replace'))}")


def serve(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Answer each request line of the protocol with one line, as an implementation does.

    A line that is no request is answered with an error, under its ``id`` if it has one.
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
    operation, version, given = (request.get(key) for key in ("operation", "room_version", "input"))
    if type(operation) is not str or type(version) is not str or type(given) is not dict:
        message = "operation and room_version must be strings, and input an object"
        return {**answer, "error": "bad_request", "message": message}
    output = timed(timer, version, given) if operation == "time" else run_operation(operation, version, given)
    if "error" in output or "unsupported" in output:
        return {**answer, **output}
    return {**answer, "output": output}
