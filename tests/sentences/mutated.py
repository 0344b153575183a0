"""Load the reference with one module changed, and run the suite against it in this process."""

import ast
import signal
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from types import CodeType, FrameType, ModuleType
from typing import Final, NamedTuple

from . import REFERENCE
from .answers import Modules, Prepared, agrees, prepared_cases
from .records import Change

PACKAGE: Final = "changed_reference"
# Each may import those before it.
MODULES: Final = (
    "canonical",
    "redaction",
    "hashing",
    "auth",
    "event_format",
    "signatures",
    "handling",
    "resolution",
    "replay",
)

# A changed loop may not end. The slowest case takes a tenth of a second.
_SECONDS: Final = 2.0
_TOO_SLOW: Final = 3


@cache
def _codes() -> Mapping[str, CodeType]:
    return {name: _compiled(name, _source(name)) for name in MODULES}


def _source(name: str) -> ast.Module:
    return ast.parse((REFERENCE / f"{name}.py").read_text(encoding="utf-8"))


def _compiled(name: str, tree: ast.Module) -> CodeType:
    return compile(tree, str(REFERENCE / f"{name}.py"), "exec")


def load(change: Change | None = None) -> Modules:
    """Return the modules of the reference, one of them changed.

    Raises:
        mutation.slip.CannotApply: if the place of the change is not in the reference.
    """
    codes = dict(_codes())
    if change is not None:
        name = change.module.removesuffix(".py")
        codes[name] = _compiled(name, change.tree())
    loaded: dict[str, ModuleType] = {}
    package = ModuleType(PACKAGE)
    package.__path__ = []
    sys.modules[PACKAGE] = package
    for name, code in codes.items():
        module = ModuleType(f"{PACKAGE}.{name}")
        module.__package__ = PACKAGE
        sys.modules[module.__name__] = module
        setattr(package, name, module)
        exec(code, module.__dict__)
        loaded[name] = module
    return loaded


class _TooSlow(BaseException):
    """A case takes too long. Not an `Exception`, which the reference may catch."""


@contextmanager
def _limited() -> Iterator[None]:
    def stop(number: int, frame: FrameType | None) -> None:
        raise _TooSlow

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, _SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@cache
def reached() -> Mapping[str, Mapping[str, frozenset[int]]]:
    """Return, for each module and each case, the first lines of the functions that run."""
    modules = load()
    files = {str(REFERENCE / f"{name}.py"): f"{name}.py" for name in MODULES}
    found: dict[str, dict[str, frozenset[int]]] = {name: {} for name in files.values()}
    lines: dict[str, set[int]] = {}

    def note(frame: FrameType, event: str, argument: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename in files:
            lines.setdefault(files[code.co_filename], set()).add(code.co_firstlineno)

    for case in prepared_cases():
        lines.clear()
        sys.setprofile(note)
        try:
            case.answer(modules)
        finally:
            sys.setprofile(None)
        for name, numbers in lines.items():
            found[name][case.name] = frozenset(numbers)
    return found


def cases_for(change: Change, versions: Collection[str]) -> list[Prepared]:
    """Return the cases of some room versions that can notice a change, in the order of the suite."""
    line = change.reached_by()
    by_case = reached()[change.module]
    return [
        case
        for case in prepared_cases()
        if case.version in versions and case.name in by_case and (line is None or line in by_case[case.name])
    ]


class Noticed(NamedTuple):
    """What a change does to the suite.

    Attributes:
        failing: the names of the cases that have another outcome, in the order of the suite.
        broken: whether the changed reference raises an exception in some case, or does not end. Such a case
            has no outcome: it says only that the change does not suit the code around it.
    """

    failing: Sequence[str]
    broken: bool = False


def run_changed(change: Change | None, cases: Iterable[Prepared]) -> Noticed:
    """Run cases against the reference with a change."""
    modules = load(change)
    found = []
    slow = 0
    broken = False
    for case in cases:
        try:
            with _limited():
                same = agrees(case, case.answer(modules))
        except _TooSlow:
            slow += 1
            broken = True
            if slow == _TOO_SLOW:
                break
            continue
        except Exception:  # any: the code is changed
            broken = True
            continue
        if not same:
            found.append(case.name)
    return Noticed(found, broken)
