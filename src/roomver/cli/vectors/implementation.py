"""Another implementation: a program that answers requests with outputs, one line of JSON each.

``vectors/FORMAT.md`` defines the protocol. Nothing is compared here.
"""

import json
import os
import re
import shlex
import signal
import subprocess
from contextlib import suppress
from queue import Empty, Full, Queue
from threading import Thread
from types import TracebackType
from typing import BinaryIO, Final

from ...canonical import shorten
from ...errors import RoomverError
from ...suite.document import Case
from ...types import JsonObject, JsonValue

MAX_LINE: Final = 64 * 2**20
"""The longest line that is read, in bytes."""

_END: Final = b""  # what `readline` returns at the end of a stream
_DEEPEST: Final = 400  # levels: an output of the suite has less than half
_QUEUED: Final = 4  # answers that wait for the runner
_LOOK_UP: Final = 0.5  # seconds between two looks at a program that floods its output


class NoAnswer(Exception):
    """The program did not give a valid answer. The message says what it did instead."""


class CannotStart(RoomverError):
    """The command cannot be started."""


_STRING_OR_INFINITY = re.compile(r'"(?:[^"\\]|\\.)*"|Infinity')


def to_line(message: JsonObject) -> bytes:
    """Return a message as one line of ASCII, whose escapes can represent lone surrogates too.

    Python reads a number that no binary64 holds as infinity, and would write ``Infinity``, which is not JSON.
    That is written as such a number again.
    """
    text = json.dumps(message, separators=(",", ":"))
    if "Infinity" in text:
        text = _STRING_OR_INFINITY.sub(lambda found: "1e400" if found[0] == "Infinity" else found[0], text)
    return text.encode("ascii") + b"\n"


class Implementation:
    """A program that is started at once, and restarted after it died or was stopped.

    Args:
        command: the program and its arguments, split as a shell splits them. No shell runs.
        timeout: how long to wait for an answer, in seconds.
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
        self._start()  # before the first case, so that a wrong command is reported at once
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def ask(self, case: Case) -> JsonObject:
        """Return the output of the program for a case, as `roomver.suite.operations.run_operation` does.

        Raises:
            NoAnswer: if the program died, did not answer in time or gave an invalid answer. It has been
                stopped, and the next case starts it again.
            CannotStart: if it had to be started and cannot be.
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
        if case.definition is not None:
            request["version"] = case.definition
        # In a thread, because a program that does not read blocks the writer.
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
                # Its own process group, so that its child processes can be stopped with it.
                start_new_session=os.name == "posix",
            )
        except (OSError, ValueError) as error:
            raise CannotStart(f"cannot start {shorten(self._arguments[0])}: {error}") from None
        assert process.stdout is not None
        # A queue for each process: late lines of a stopped process must not answer the next case.
        self._lines = Queue(_QUEUED)
        Thread(target=_read, args=(process, process.stdout, self._lines), daemon=True).start()
        self._process = process
        return process

    def _read_line(self, process: subprocess.Popen[bytes]) -> bytes:
        try:
            line = self._lines.get(timeout=self._timeout)
        except Empty:
            raise NoAnswer(f"no answer within {self._timeout:g} s") from None
        if line == _END:
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=1)
            code = process.returncode
            raise NoAnswer("closed its output" if code is None else f"died with exit code {code}")
        return line

    def stop(self, *, at_once: bool = False) -> None:
        """Close the input of the program, wait for its end, then kill it. With `at_once`, kill it now."""
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
    with suppress(OSError):  # the process or its group has ended
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()


def _write(process: subprocess.Popen[bytes], line: bytes) -> None:
    assert process.stdin is not None
    with suppress(OSError, ValueError):  # it died or was stopped, which the reader notices
        process.stdin.write(line)
        process.stdin.flush()


def _read(process: "subprocess.Popen[bytes]", stream: BinaryIO, lines: "Queue[bytes]") -> None:
    """Queue the lines that a program prints, without the blank ones: a flood of these is not an answer."""
    with stream:
        while True:
            line = stream.readline(MAX_LINE)
            if line != _END and not line.strip():
                continue
            while True:
                # The queue stays full if the program was stopped: then nobody reads it any more.
                try:
                    lines.put(line, timeout=_LOOK_UP)
                    break
                except Full:
                    if process.returncode is not None:
                        return
            if line == _END:
                return


def _output(line: bytes, request_id: int) -> JsonObject:
    try:
        answer = json.loads(line)
    except (ValueError, RecursionError):
        raise NoAnswer(f"the answer is not JSON: {_shown(line)}") from None
    if _is_deep(answer):
        raise NoAnswer(f"the answer is nested deeper than {_DEEPEST} levels: {_shown(line)}")
    if type(answer) is not dict or answer.get("id") != request_id or type(answer["id"]) is not int:
        raise NoAnswer(f"the answer does not have the id of the request: {_shown(line)}")
    keys = answer.keys() & {"output", "error", "unsupported"}
    if keys == {"output"} and type(answer["output"]) is dict:
        output: JsonObject = answer["output"]
        return output
    if keys == {"error"} and type(answer["error"]) is str:
        return {key: answer[key] for key in ("error", "message") if key in answer}
    if keys == {"unsupported"} and answer["unsupported"] is True:
        return {"unsupported": True}
    expected = "an output object, an error string, or unsupported: true"
    raise NoAnswer(f"the answer must have one of {expected}: {_shown(line)}")


def _is_deep(value: JsonValue) -> bool:
    """Tell whether an answer is too deep for what compares and prints it, which recurses."""
    level: list[JsonValue] = [value]
    for _ in range(_DEEPEST + 1):
        inner = [one for one in level if type(one) is dict or type(one) is list]
        level = [item for one in inner for item in (one.values() if type(one) is dict else one)]
        if not level:
            return False
    return True


def _shown(line: bytes) -> str:
    return shorten(line.decode("utf-8", "replace"))
