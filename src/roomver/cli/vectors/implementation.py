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
from threading import Lock, Thread
from types import TracebackType
from typing import IO, BinaryIO, Final

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
_LOG_LINES: Final = 20  # the last lines of standard error that are kept for a case
_LOG_BYTES: Final = 8192  # the last bytes of it
_LOG_WAIT: Final = 0.5  # seconds for the rest of it, after the program has ended
_LONG: Final = 16_384  # bytes of a request from which its length may be why there is no answer
_LIMITED: Final = 65_535  # bytes of the longest line that some readers take


class NoAnswer(Exception):
    """The program did not give a valid answer. The message says what it did instead.

    Attributes:
        log: the last lines that the program wrote to standard error since the request, oldest first.
    """

    log: tuple[str, ...] = ()


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


def request_for(case: Case, request_id: int) -> JsonObject:
    """Return the request for a case."""
    request: JsonObject = {
        "id": request_id,
        "operation": case.operation,
        "room_version": case.room_version,
        "input": case.input,
    }
    if case.definition is not None:
        request["version"] = case.definition
    return request


class Implementation:
    """A program that is started at once, and restarted after it died or was stopped.

    Args:
        command: the program and its arguments, split as a shell splits them. No shell runs.
        timeout: how long to wait for an answer, in seconds.
        show_stderr: let the program write to the standard error of this process. Otherwise the last lines
            that it writes there are kept for `NoAnswer.log`.
    """

    def __init__(self, command: str, timeout: float, *, show_stderr: bool = True) -> None:
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
        self._log = None if show_stderr else _Log()
        self._abandoned = False

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
        if self._abandoned:
            raise NoAnswer("not asked")
        process = self._process
        if process is None:
            process = self._start()
        elif self._log is not None and self._next_id:
            self._log.clear()  # what it wrote at its start belongs to its first case
        self._next_id += 1
        line = to_line(request_for(case, self._next_id))
        # In a thread, because a program that does not read blocks the writer.
        Thread(target=_write, args=(process, line), daemon=True).start()
        try:
            return _output(self._read_line(process, len(line)), self._next_id)
        except NoAnswer as error:
            self.stop(at_once=True)
            if self._log is not None:
                error.log = self._log.lines()
            raise

    def abandon(self) -> None:
        """Kill the program from another thread: a case that waits for an answer ends, no other one starts."""
        self._abandoned = True
        if (process := self._process) is not None:
            _kill(process)

    def _start(self) -> subprocess.Popen[bytes]:
        try:
            process = subprocess.Popen(
                self._arguments,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=None if self._log is None else subprocess.PIPE,
                # Its own process group, so that its child processes can be stopped with it.
                start_new_session=os.name == "posix",
            )
        except (OSError, ValueError) as error:
            raise CannotStart(f"cannot start {shorten(self._arguments[0])}: {error}") from None
        assert process.stdout is not None
        # A queue for each process: late lines of a stopped process must not answer the next case.
        self._lines = Queue(_QUEUED)
        Thread(target=_read, args=(process, process.stdout, self._lines), daemon=True).start()
        if self._log is not None:
            self._log = _Log()  # late lines of a stopped process do not belong to the next case
            assert process.stderr is not None
            self._log.follow(process.stderr)
        self._process = process
        return process

    def _read_line(self, process: subprocess.Popen[bytes], asked: int) -> bytes:
        """Return the next line of the program, after a request of `asked` bytes."""
        try:
            line = self._lines.get(timeout=self._timeout)
        except Empty:
            raise NoAnswer(f"no answer within {self._timeout:g} s{_length(asked)}") from None
        if line == _END:
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=1)
            raise NoAnswer(f"{_end(process.returncode)}{_length(asked)}")
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


class _Log:
    """The end of what a program writes to standard error."""

    def __init__(self) -> None:
        self._kept = b""
        self._cut = False
        self._lock = Lock()
        self._reader: Thread | None = None

    def follow(self, stream: IO[bytes]) -> None:
        """Read a stream to its end in a thread, so that the program never waits for a reader."""
        self._reader = Thread(target=self._read, args=(stream,), daemon=True)
        self._reader.start()

    def _read(self, stream: IO[bytes]) -> None:
        with stream:
            while chunk := os.read(stream.fileno(), 65_536):
                with self._lock:
                    kept = self._kept + chunk
                    self._cut = self._cut or len(kept) > _LOG_BYTES
                    self._kept = kept[-_LOG_BYTES:]

    def clear(self) -> None:
        """Forget what was written so far."""
        with self._lock:
            self._kept, self._cut = b"", False

    def lines(self) -> tuple[str, ...]:
        """Return the last lines. The program has ended; a child of it may still hold the stream open."""
        if self._reader is not None:
            self._reader.join(_LOG_WAIT)
        with self._lock:
            kept, cut = self._kept, self._cut
        lines = kept.decode("utf-8", "replace").replace("\r\n", "\n").rstrip("\n").split("\n")
        if cut and len(lines) > 1:
            del lines[0]  # only the end of it is here
        return tuple(lines[-_LOG_LINES:]) if kept.strip() else ()


def _end(code: int | None) -> str:
    """Say how a program ended that gave no answer, by its exit code."""
    if code is None:
        return "closed its output"
    if code == 0:
        return "ended without an answer (exit code 0)"
    if code > 0:
        return f"died with exit code {code}"
    try:
        name = f" ({signal.Signals(-code).name})"
    except ValueError:
        name = ""
    return f"died of signal {-code}{name}"


def _length(asked: int) -> str:
    """Say the length of a long request, and what that may have to do with a missing answer."""
    if asked < _LONG:
        return ""
    told = f"; the request has {asked:,} bytes"
    if asked <= _LIMITED:
        return told
    return f"{told}: does the program read such long lines? Go's bufio.Scanner stops at 64 KiB"


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
    if type(answer) is not dict:
        raise NoAnswer(f"the answer should be a JSON object: {_shown(line)}")
    if "id" not in answer:
        raise NoAnswer(f"the answer has no id: {_shown(line)}")
    if type(answer["id"]) is not int or answer["id"] != request_id:
        # An answer with null may say that it could not read the request.
        rest = f": {_shown(line)}" if answer["id"] is None else ""
        named = _named(answer["id"])
        raise NoAnswer(f"the id should be the integer {request_id}, got {named}{rest}")
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


def _named(value: JsonValue) -> str:
    """Name a value that is not the id of a request, with its type where the type is what is wrong."""
    return f"the string {shorten(value)}" if type(value) is str else shorten(value)


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
