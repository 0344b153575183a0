"""``python -m tests.mutation.auto [MODULE...]``: change the core in every small way, and see whether the
vectors notice.

The vector suite alone is the test. What survives must stand in ``survivors.json`` with the reason why
nothing can or need notice, or as open; what stands there and is caught must go. Exits 1 otherwise. The
whole core takes about half an hour on two processors; modules are named as under ``src/roomver``:
``power.py auth``.
"""

import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Any

from roomver.readers.suite import load_cases
from roomver.suite.document import Case

from .mutants import Mutant, mutants
from .run import PACKAGE, VECTORS

CORE = (
    "auth",
    "canonical.py",
    "graph.py",
    "pdu.py",
    "power.py",
    "redaction.py",
    "resolution",
    "selection.py",
)
SURVIVORS = Path(__file__).with_name("survivors.json")
OPEN = "open: "
"""What the reason begins with of a survivor that a case could catch, and none does yet."""

_SECONDS = 60  # for the whole suite on one mutant: it takes eight
# The operations that can tell of a module, first.
_FIRST = {
    "auth": ("auth", "redaction_applies"),
    "canonical.py": ("canonical_json",),
    "graph.py": ("resolve",),
    "pdu.py": ("redact",),
    "power.py": ("auth",),
    "redaction.py": ("redact",),
    "resolution": ("resolve",),
    "selection.py": ("auth_types",),
}
# Nothing else gets there.
_ONLY = {"graph.py": {"resolve", "check"}, "resolution": {"resolve", "check"}}


class _Changed(MetaPathFinder, Loader):
    """Imports one module of the package from a changed tree."""

    def __init__(self, mutant: Mutant) -> None:
        path = mutant.module.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        self.name = f"roomver.{path}"
        self.package = mutant.module.endswith("__init__.py")
        self.file = str(PACKAGE / mutant.module)
        self.code = compile(mutant.tree, self.file, "exec")

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        """Find the changed module, and no other."""
        if fullname != self.name:
            return None
        spec = spec_from_loader(fullname, self, origin=self.file, is_package=self.package)
        if spec is not None and self.package:
            spec.submodule_search_locations = [str(Path(self.file).parent)]
        return spec

    def exec_module(self, module: ModuleType) -> None:
        """Run it."""
        exec(self.code, module.__dict__)


def caught_by(mutant: Mutant, cases: Sequence[Case]) -> str | None:
    """Run cases against a mutant in a process of its own.

    Returns:
        What noticed it: the name of a case, or what it died of; None if nothing did.
    """
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.close(read)
        signal.alarm(_SECONDS)
        try:
            said = _run(mutant, cases)
        except BaseException as error:
            said = f"!{type(error).__name__}"
        os.write(write, (said or "").encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as answer:
        text = answer.read().decode()
    _, status = os.waitpid(child, 0)
    if status:
        return "!it takes too long" if os.WIFSIGNALED(status) else f"!status {status}"
    return text or None


def _run(mutant: Mutant, cases: Sequence[Case]) -> str | None:
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - the process ends
    for name in [name for name in sys.modules if name.partition(".")[0] == "roomver"]:
        del sys.modules[name]
    sys.meta_path.insert(0, _Changed(mutant))
    from roomver.suite.document import run_case  # noqa: PLC0415 - the changed one

    for case in cases:
        if run_case(case).outcome.value == "failed":
            return case.name
    return None


def chosen(wanted: Sequence[str]) -> list[str]:
    """Return the modules of the core that are asked for."""
    paths = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))
    return [
        path
        for path in paths
        if any(path == one or path.startswith(f"{one}/") for one in CORE)
        and (not wanted or any(path == one or path.startswith(f"{one}/") for one in wanted))
    ]


class _Suite:
    """The cases, those first that can tell of a module, and of these first what has caught something."""

    def __init__(self) -> None:
        self._cases = load_cases([VECTORS])
        self._good = {case.name: case for case in self._cases}
        self._caught: Counter[str] = Counter()

    def of(self, module: str) -> list[Case]:
        first = _FIRST[module.partition("/")[0]]
        recent = [self._good[name] for name, _ in self._caught.most_common(200)]
        rest = sorted(self._cases, key=lambda case: case.operation not in first)
        only = _ONLY.get(module.partition("/")[0])
        return [case for case in (*recent, *rest) if only is None or case.operation in only]

    def note(self, name: str) -> None:
        if name in self._good:
            self._caught[name] += 1


def tried(modules: Sequence[str], workers: int) -> Iterator[tuple[Mutant, str | None]]:
    """Try every mutant of some modules, and yield what noticed each."""
    suite = _Suite()
    for module in modules:
        text = (PACKAGE / module).read_text(encoding="utf-8")
        with ThreadPoolExecutor(workers) as pool:
            made = list(mutants(module, text))
            answers = pool.map(lambda mutant, module=module: caught_by(mutant, suite.of(module)), made)
            for mutant, by in zip(made, answers, strict=True):
                suite.note(by or "")
                yield mutant, by


def main(wanted: Sequence[str]) -> int:
    """Try the mutants, print what survives and the score, and return the exit status."""
    explained: dict[str, str] = json.loads(SURVIVORS.read_text(encoding="utf-8"))
    modules = chosen(wanted)
    total: Counter[str] = Counter()
    survived: Counter[str] = Counter()
    names = set()
    unexplained, gone = [], []
    still_open = 0
    for mutant, by in tried(modules, os.cpu_count() or 1):
        total[mutant.module] += 1
        names.add(mutant.name)
        if by is None:
            survived[mutant.module] += 1
            still_open += explained.get(mutant.name, "").startswith(OPEN)
            if mutant.name not in explained:
                unexplained.append(mutant.name)
                print(f"survives: {mutant.name}  [line {mutant.line}]", flush=True)
        elif mutant.name in explained:
            gone.append(f"{mutant.name}: caught by {by}")
    gone += [
        f"{name}: there is no such mutant"
        for name in explained
        if name.partition(" ")[0] in modules and name not in names
    ]
    for line in gone:
        print(f"listed as a survivor, and is none: {line}")
    for module in modules:
        print(f"{module:36} {total[module] - survived[module]:5} of {total[module]:5} caught")
    every, left = total.total(), survived.total()
    equivalent = left - len(unexplained) - still_open
    print(f"{every - left} of {every} caught, {100 * (every - left) / max(1, every):.1f} %")
    score = 100 * (every - left) / max(1, every - equivalent)
    print(
        f"{still_open} of the others are open, {equivalent} explained: {score:.1f} % of what could be caught"
    )
    return 1 if unexplained or gone else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
