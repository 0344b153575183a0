"""``python -m tests.fuzz``: fuzz the package for some time, and print what breaks.

Exits 1 if something broke. The seed is printed first; the same seed gives the same cases.
"""

import argparse
import itertools
import json
import secrets
import sys
from pathlib import Path
from time import monotonic

from .runner import Failure, draw_case, failure_of, limit_memory, run_cases
from .targets import TARGETS


def main() -> int:
    """Read the arguments, run, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=(__doc__ or "").splitlines()[0])
    for unit in ("hours", "minutes", "seconds"):
        parser.add_argument(
            f"--{unit}", type=float, default=0.0, help="how long; added up; a minute by default"
        )
    parser.add_argument("--seed", default=secrets.token_hex(4), help="random by default")
    parser.add_argument("--only", metavar="TARGET", action="append", choices=TARGETS, help=", ".join(TARGETS))
    parser.add_argument("--case", metavar="N", type=int, help="run only this case of the seed")
    parser.add_argument("--replay", metavar="JSON", help="run this case, or the one in this file")
    parser.add_argument(
        "--memory", metavar="GB", type=float, default=4.0, help="of this process; 4 by default"
    )
    asked = parser.parse_args()
    targets = [TARGETS[name] for name in asked.only or TARGETS]
    limit_memory(asked.memory)
    if asked.replay is not None:
        text = (
            asked.replay if asked.replay.startswith("{") else Path(asked.replay).read_text(encoding="utf-8")
        )
        return max(_show(failure_of(target, json.loads(text))) for target in targets)
    if asked.case is not None:
        return max(_show(failure_of(target, draw_case(target, asked.seed, asked.case))) for target in targets)
    seconds = asked.hours * 3600 + asked.minutes * 60 + asked.seconds or 60.0
    print(f"seed {asked.seed}, {seconds:g} s", flush=True)
    done = run_cases(targets, asked.seed, itertools.count(), until=monotonic() + seconds)
    for target in targets:
        print(f"{target.name:<10}{done.cases[target.name]:>10,} cases {done.seconds[target.name]:>8.0f} s")
    for (name, where), times in done.failures.items():
        print(f"FAILED {name}: {where} ({times:,} times)")
    return 1 if done.failures else 0


def _show(failure: Failure | None) -> int:
    if failure is None:
        print("ok")
        return 0
    print(f"FAILED {failure.where}\n{failure.details}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
