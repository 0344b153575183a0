"""``python -m tests.mutation.server [MODULE...]``: make every small change to the layer for servers, and see
which of them its tests catch.

No operation of the vectors runs this layer, so the test files of `TESTS` are run, without those that draw
hundreds of rooms. It prints what survives: a survivor is a test to write, or a change that makes no
difference. One change takes about four seconds. Modules are named as for `tests.mutation.auto`.
"""

import ast
import os
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import hypothesis  # noqa: F401 - the children find it loaded
import pytest

from .mutants import mutants
from .run import Changed
from .slip import PACKAGE

ROOT: Final = PACKAGE.parents[1]
_SECONDS: Final = 120

TESTS: Final = {
    "make/authoriser.py": ("make/test_handshake.py",),
    "make/drafts.py": ("make/test_make.py", "make/test_handshake.py"),
    "make/handshake.py": ("make/test_handshake.py",),
    "make/invite.py": ("make/test_handshake.py", "make/test_joined.py"),
    "make/joined.py": ("make/test_joined.py", "test_partial_room.py"),
    "make/returned.py": ("make/test_third_party.py", "make/test_handshake.py"),
    "make/third_party.py": ("make/test_third_party.py",),
    "receive/__init__.py": ("receive/test_receive.py", "test_room.py", "test_partial_room.py"),
    "receive/checks.py": ("receive/test_receive.py",),
    "receive/extremities.py": ("receive/test_receive.py", "test_room.py"),
    "receive/given.py": ("make/test_joined.py", "test_partial_room.py"),
    "receive/known.py": ("receive/test_receive.py",),
    "receive/memory.py": ("receive/test_receive.py", "test_room.py"),
    "receive/receipt.py": ("receive/test_receive.py",),
    "receive/states.py": ("receive/test_receive.py",),
    "receive/unclear.py": ("test_partial_room.py",),
    "room.py": ("test_room.py", "test_partial_room.py"),
    "steps.py": ("test_steps.py",),
}
"""The test files of each module, under ``tests``, the likely ones first."""

# Tests that draw many rooms: they would take most of the time.
_SLOW: Final = "any_response or any_request or as_if_it_had or order_of_arrival or recorded"


def survives(module: str, tree: ast.Module, tests: Sequence[str]) -> bool:
    """Tell whether tests pass with a changed module, in a process of their own."""
    child = os.fork()
    if not child:
        signal.alarm(_SECONDS)
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        for name in [name for name in sys.modules if name.partition(".")[0] == "roomver"]:
            del sys.modules[name]
        sys.meta_path.insert(0, Changed(module, tree))
        files = [str(ROOT / "tests" / test) for test in tests]
        options = ["-x", "-q", "-p", "no:cacheprovider", "--assert=plain", "-k", f"not ({_SLOW})"]
        os._exit(int(pytest.main([*options, *files])))
    _, status = os.waitpid(child, 0)
    return status == 0


def main(wanted: Sequence[str]) -> int:
    """Try the mutants, print what survives, and return the exit status."""
    total: Counter[str] = Counter()
    caught: Counter[str] = Counter()
    for module, tests in TESTS.items():
        if wanted and not any(module == one or module.startswith(f"{one}/") for one in wanted):
            continue
        text = (PACKAGE / module).read_text(encoding="utf-8")
        if not survives(module, ast.parse(text), tests):
            print(f"{module}: its tests fail without any change", flush=True)
            return 1
        for mutant in mutants(module, text):
            total[module] += 1
            if survives(module, mutant.tree, tests):
                print(f"survives: {mutant.name}  [line {mutant.line}]", flush=True)
            else:
                caught[module] += 1
        print(f"{module:30} {caught[module]:4} of {total[module]:4} caught", flush=True)
    return 0 if caught == total else 1


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    sys.exit(main(sys.argv[1:]))
