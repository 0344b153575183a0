"""``python -m tests.mutation``: print for each slip the case that catches it.

Arguments pick slips whose note or module holds one of them: ``python -m tests.mutation T66 power.py``.
Exits 1 if a slip is not caught or no longer applies to the code.
"""

import os
import sys

from roomver.suite.operations import OPERATIONS

from .run import PACKAGE, CannotApply, mutated, run_suite, try_slips
from .slips import SLIPS


def main(wanted: list[str]) -> int:
    """Try the slips, print the table, and return the exit status."""
    slips = [s for s in SLIPS if not wanted or any(w in (s.module, *s.note.split(", ")) for w in wanted)]
    problems = []
    for slip in slips:
        try:
            mutated(slip)
        except (CannotApply, SyntaxError) as error:
            problems.append(f"does not apply: {error}")
    sound = run_suite(PACKAGE)
    if sound.returncode or '"failed": null' not in sound.stdout:
        problems.append(f"the suite fails without any slip: {sound.stdout.strip() or sound.stderr.strip()}")
    if problems:
        print("\n".join(problems))
        return 1
    ready = [slip for slip in slips if slip.operation in OPERATIONS]
    caught = 0
    for result in try_slips(ready, os.cpu_count() or 1):
        slip = result.slip
        if result.broken:
            problems.append(f"broken: {slip.note} {slip.sense}: {result.broken}")
        elif result.by is None:
            problems.append(f"not caught: {slip.note} {slip.sense} ({slip.module})")
        else:
            caught += 1
            print(f"{slip.note:12} {slip.sense}\n{'':12}   {result.by}")
    for slip in slips:
        if slip not in ready:
            print(f"{slip.note:12} {slip.sense}\n{'':12}   no vectors of operation {slip.operation} yet")
    print(f"\n{caught} of {len(ready)} slips are caught")
    print("\n".join(problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
