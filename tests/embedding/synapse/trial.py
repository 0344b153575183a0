"""Run tests of Synapse in this process, with roomver in place or without it, and write their results.

Or time how Synapse resolves a room, with `timing`: see resolving.py.

Not imported: `tests.embedding.synapse.__main__` runs it as a program, in a folder that has Synapse's package
``tests``. That name is taken here, so this file finds its neighbour by path.

    python trial.py FOLDER RESULTS roomver|synapse NAME...
    python trial.py FOLDER RESULTS timing ROOM ROUNDS
"""

import importlib.util
import json
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any, TextIO

import synapse.app.homeserver
import synapse.server  # noqa: F401 - before the shim is installed, so that these modules have the names
from twisted.python.failure import Failure
from twisted.trial.reporter import Reporter
from twisted.trial.runner import DestructiveTestSuite, TestLoader, TrialRunner


def load(name: str) -> ModuleType:
    """Import a module of this folder."""
    spec = importlib.util.spec_from_file_location(f"roomver_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


RESULTS: dict[str, tuple[str, str]] = {}
"""Test ID to what became of it, and the last line of its error."""


class Collector(Reporter):  # type: ignore[misc]  # Twisted's class is not typed
    """Keep the results, the worst of each test."""

    def _keep(self, test: Any, result: str, detail: object = "") -> None:
        text = str(detail).strip().splitlines()
        if RESULTS.get(test.id(), ("", ""))[0] not in ("error", "failure"):
            RESULTS[test.id()] = (result, text[-1][-300:] if text else "")

    def addSuccess(self, test: Any) -> None:
        super().addSuccess(test)
        self._keep(test, "success")

    def addSkip(self, test: Any, reason: Any) -> None:
        super().addSkip(test, reason)
        self._keep(test, "skip", reason)

    def addExpectedFailure(self, test: Any, error: Any, todo: Any = None) -> None:
        super().addExpectedFailure(test, error, todo)
        self._keep(test, "expected failure", todo)

    def addFailure(self, test: Any, fail: Any) -> None:
        super().addFailure(test, fail)
        self._keep(test, "failure", _told(fail))

    def addError(self, test: Any, error: Any) -> None:
        super().addError(test, error)
        self._keep(test, "error", _told(error))

    def upDownError(self, *arguments: Any, **options: Any) -> None:
        super().upDownError(*arguments, **options)

    def done(self) -> None:
        """Print nothing: the results are written to a file."""


def _told(error: Any) -> str:
    failure = error if isinstance(error, Failure) else Failure(error[1], error[0], error[2])
    return f"{failure.type.__name__}: {failure.getErrorMessage()}".replace("\n", " ")


def main(folder: str, results: str, mode: str, names: list[str], out: TextIO = sys.stderr) -> None:
    sys.path.insert(0, folder)
    if mode == "timing":
        room, rounds = names
        load("resolving").measure(room, results, int(rounds), load("shim"))
        return
    shim = None
    if mode == "roomver":
        shim = load("shim")
        shim.install()
    loader = TestLoader()
    # As trial itself does: a test that has run is dropped, with its homeserver. All of them took gigabytes.
    loader.suiteFactory = DestructiveTestSuite
    suite = loader.loadByNames(names, recurse=True)
    runner = TrialRunner(Collector, workingDirectory=f"{results}.trial", stream=out)
    start = time.process_time()
    runner.run(suite)
    taken = time.process_time() - start
    calls = {} if shim is None else dict(shim.CALLS)
    Path(results).write_text(json.dumps({"results": RESULTS, "calls": calls, "seconds": taken}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:])
