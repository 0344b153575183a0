"""``python -m tests.mutation [WORD...]``: print the vector that catches each slip.

Words pick the slips whose module, sense or note contains one of them:
``python -m tests.mutation power.py gomatrixserverlib``. Exits 1 if a slip is not caught or does not apply.
"""

import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from roomver.suite.document import Outcome, run_case

from .run import caught_by, ordered, suite_cases
from .slip import CannotApply, apply
from .slips import SLIPS


def main(words: Sequence[str]) -> int:
    """Try the slips, print the table and return the exit status."""
    wanted = [word.casefold() for word in words]
    slips = [slip for slip in SLIPS if not wanted or any(word in slip.text.casefold() for word in wanted)]
    if not slips:
        print("no slip contains any of these words")
        return 1
    problems: dict[str, None] = {}  # in order, and the slips of one place have one problem
    trees = []
    for slip in slips:
        try:
            trees.append(apply(slip))
        except CannotApply as error:
            problems[f"slips do not apply: {error}"] = None
    cases = suite_cases()
    failed = [case.name for case in cases if run_case(case).outcome is Outcome.FAILED]
    if failed:
        problems[f"without any slip, these cases fail: {', '.join(failed)}"] = None
    if problems:
        print("\n".join(problems))
        return 1

    # A case on which readers of the specification differ is the weaker evidence, so it comes last.
    cases.sort(key=lambda case: case.disputed)
    by_module = {module: ordered(cases, module) for module in {slip.module for slip in slips}}
    caught = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        answers = pool.map(
            lambda slip, tree: caught_by(slip.module, tree, by_module[slip.module]), slips, trees
        )
        for slip, answer in zip(slips, answers, strict=True):
            if answer is None:
                problems[f"not caught: {slip.name}"] = None
            elif answer.startswith("!"):
                problems[f"broken, so it proves nothing: {slip.name}: {answer[1:]}"] = None
            else:
                caught += 1
                print(f"{slip.name}\n    {answer}", flush=True)
    print(f"\n{caught} of {len(slips)} slips are caught")
    if problems:
        print("\n".join(problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
