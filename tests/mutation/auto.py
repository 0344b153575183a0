"""``python -m tests.mutation.auto [MODULE...]``: make every small change to the core, and see which of them
the vectors catch.

Only the vector suite is run. A change that survives must be in ``survivors.json``, below the reason why no
case can or need catch it, or as open. An entry whose change is caught must be removed. Exits 1 otherwise.

A module is named by its path under ``src/roomver``, and a folder stands for all modules in it:
``power.py auth/join.py resolution``. The whole core takes about half an hour on two processors.
"""

import json
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from roomver.suite.document import Case

from .mutants import Mutant, mutants
from .run import caught_by, ordered, suite_cases
from .slip import PACKAGE

CORE = (
    "auth",
    "canonical.py",
    "graph.py",
    "ordering.py",
    "pdu.py",
    "power.py",
    "redaction.py",
    "resolution",
    "state/differing.py",
    "state/room_state.py",
    "selection.py",
)
NOT_CORE = ("auth/compared.py",)  # it is for people, and no operation uses it
OPEN = "open: "
"""The prefix of a reason: a case could catch the survivor, and none does yet."""


def survivors() -> dict[str, str]:
    """Return the reasons in ``survivors.json`` by the name of the change."""
    path = Path(__file__).with_name("survivors.json")
    by_reason: dict[str, list[str]] = json.loads(path.read_text(encoding="utf-8"))
    return {name: reason for reason, names in by_reason.items() for name in names}


def chosen(wanted: Sequence[str]) -> list[str]:
    """Return the modules of the core that are wanted; all of them if none is named."""
    paths = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))
    return [
        path
        for path in paths
        if any(path == one or path.startswith(f"{one}/") for one in CORE)
        and path not in NOT_CORE
        and (not wanted or any(path == one or path.startswith(f"{one}/") for one in wanted))
    ]


class _Suite:
    """The cases. Those that have caught the most changes come first."""

    def __init__(self) -> None:
        self._cases = suite_cases()
        self._caught: Counter[str] = Counter()

    def cases_for(self, module: str) -> list[Case]:
        """Return the cases to run against a change of a module, in order."""
        rank = {name: index for index, (name, _) in enumerate(self._caught.most_common(200))}
        return sorted(ordered(self._cases, module), key=lambda case: rank.get(case.name, len(rank)))

    def note(self, name: str) -> None:
        """Note that a case has caught a change."""
        self._caught[name] += 1


def tried(modules: Sequence[str], workers: int) -> Iterator[tuple[Mutant, str | None]]:
    """Try every mutant of some modules, and yield each with what caught it."""
    suite = _Suite()
    for module in modules:
        made = list(mutants(module, (PACKAGE / module).read_text(encoding="utf-8")))
        with ThreadPoolExecutor(workers) as pool:
            answers = pool.map(
                lambda mutant: caught_by(mutant.module, mutant.tree, suite.cases_for(mutant.module)), made
            )
            for mutant, by in zip(made, answers, strict=True):
                if by is not None:
                    suite.note(by)
                yield mutant, by


def main(wanted: Sequence[str]) -> int:
    """Try the mutants, print what survives and the score, and return the exit status."""
    explained = survivors()
    modules = chosen(wanted)
    total: Counter[str] = Counter()
    survived: Counter[str] = Counter()
    names = set()
    unexplained, outdated = [], []
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
            outdated.append(f"{mutant.name}: caught by {by}")
    outdated += [
        f"{name}: no such mutant"
        for name in explained
        if name.partition(" ")[0] in modules and name not in names
    ]
    for line in outdated:
        print(f"listed as a survivor, but is not one: {line}")
    for module in modules:
        print(f"{module:36} {total[module] - survived[module]:5} of {total[module]:5} caught")
    every, left = total.total(), survived.total()
    equivalent = left - len(unexplained) - still_open
    print(f"{every - left} of {every} caught, {100 * (every - left) / max(1, every):.1f} %")
    score = 100 * (every - left) / max(1, every - equivalent)
    print(
        f"of the others, {still_open} are open and {equivalent} explained:"
        f" {score:.1f} % of what could be caught"
    )
    return 1 if unexplained or outdated else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
