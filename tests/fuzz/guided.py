"""``python -m tests.fuzz.guided``: fuzz with atheris, which keeps what reaches new code and mutates that.

It runs the targets of ``python -m tests.fuzz``, and holds them to the same promises. An input is the JSON
text of a case, so each failure is shrunk and printed with the command that repeats it, which does not need
atheris. The first corpus is made of the vectors. What is found is kept in ``build/fuzz``, and the next run
goes on from there. Exits 1 if something broke. It needs the group ``fuzz``.

Each target runs in a process of its own, because libFuzzer ends the process.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr
from dataclasses import replace
from importlib import import_module
from io import StringIO
from pathlib import Path
from random import Random
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
_LONGEST: Final = 100_000  # bytes of an input
_MEGABYTES: Final = 4096
_SLOWNESS: Final = 8.0  # what counting covered code costs
_SECONDS: Final = 600  # that an input may take before libFuzzer ends the process

NAMES: Final = ("text", "pdus", "rules", "rooms", "stores", "files", "commands")
"""The names of the targets. They cannot be imported here: atheris has to see the package being imported."""


def main() -> int:
    """Run each target in a process of its own, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz.guided", description=(__doc__ or "").splitlines()[0]
    )
    for unit in ("hours", "minutes", "seconds"):
        parser.add_argument(f"--{unit}", type=float, default=0.0, help="for each target; a minute by default")
    parser.add_argument("--only", metavar="TARGET", action="append", choices=NAMES, help=", ".join(NAMES))
    parser.add_argument(
        "--corpus", metavar="FOLDER", type=Path, default=ROOT / "build" / "fuzz", help="build/fuzz by default"
    )
    parser.add_argument("--worker", choices=NAMES, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    seconds = round(asked.hours * 3600 + asked.minutes * 60 + asked.seconds) or 60
    if asked.worker is not None:
        fuzz(asked.worker, asked.corpus, seconds)
    failed = []
    for name in asked.only or NAMES:
        print(f"== {name}, {seconds} s", flush=True)
        said = asked.corpus / f"{name}.failures"
        said.unlink(missing_ok=True)
        options = ["--worker", name, "--seconds", str(seconds), "--corpus", str(asked.corpus)]
        done = subprocess.run([sys.executable, "-m", "tests.fuzz.guided", *options], cwd=ROOT, check=False)
        if done.returncode or said.exists():
            failed.append(name)
    print(f"FAILED {', '.join(failed)}" if failed else "nothing broke")
    return 1 if failed else 0


def fuzz(name: str, folder: Path, seconds: int) -> None:
    """Fuzz one target. It does not return: libFuzzer ends the process."""
    try:
        atheris: Any = import_module("atheris")
    except ImportError:
        sys.exit("atheris is not installed: run pip install --group fuzz")
    # It says the name of each module.
    with redirect_stderr(StringIO()), atheris.instrument_imports(include=["roomver"]):
        targets = import_module("tests.fuzz.targets").TARGETS
    from .seeds import write_seeds  # noqa: PLC0415 - it imports the package

    target = replace(targets[name], slowness=_SLOWNESS)
    found, first = folder / name, folder / f"{name}.seeds"
    found.mkdir(parents=True, exist_ok=True)
    print(
        f"{write_seeds(target, first)} cases to begin with, {len([*found.iterdir()])} from before", flush=True
    )
    options = [
        f"-max_total_time={seconds}",
        f"-max_len={_LONGEST}",
        "-len_control=0",
        f"-rss_limit_mb={_MEGABYTES}",
        f"-timeout={_SECONDS}",
        f"-artifact_prefix={folder}/{name}-",
        "-print_final_stats=1",
        "-verbosity=0",
    ]
    one = trial(target, folder / f"{name}.failures")

    def mutate_bytes(data: bytes, longest: int) -> bytes:
        return bytes(atheris.Mutate(data, longest))  # atheris puts another function there when it begins

    mutate = mutator(target, mutate_bytes)
    atheris.Setup([sys.argv[0], *options, str(found), str(first)], one, custom_mutator=mutate)
    atheris.Fuzz()


def read_case(data: bytes) -> Any:
    """Return the case that an input is; None if it is not one, or is too large."""
    from .seeds import is_quick  # noqa: PLC0415 - it imports the package

    try:
        case = json.loads(data)
        return case if type(case) is dict and is_quick(case) else None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None


def trial(target: Any, failures: Path) -> Callable[[bytes], None]:
    """Return what runs an input. The first of each kind of failure is reported; all are counted."""
    from .runner import failure_of, report  # noqa: PLC0415 - it imports the package

    seen: set[str] = set()

    def one(data: bytes) -> None:
        case = read_case(data)
        failure = None if case is None else failure_of(target, case)
        if failure is not None and failure.where not in seen:
            seen.add(failure.where)
            # Before it is shrunk, which takes long, and may be interrupted.
            with failures.open("a", encoding="utf-8") as file:
                file.write(f"{failure.where}\t{json.dumps(case)}\n")
            report(target, case, failure, None, seconds=60.0)

    return one


def mutator(target: Any, mutate_bytes: Callable[[bytes, int], bytes]) -> Callable[[bytes, int, int], bytes]:
    """Return what makes another input of one.

    Args:
        target: whose cases the inputs are.
        mutate_bytes: what libFuzzer does by itself. It knows the values that the code compares, but mostly
            breaks the JSON text.
    """
    from .mutations import varied  # noqa: PLC0415 - it imports the package

    def mutate(data: bytes, longest: int, seed: int) -> bytes:
        rng = Random(seed)
        case = read_case(data)
        if case is not None and rng.random() < 0.15:
            return mutate_bytes(data, longest)
        drawn = target.draw(rng)
        try:
            made = drawn if case is None or rng.random() < 0.05 else varied(rng, case, drawn)
            text = json.dumps(made).encode()
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            # The case is malformed, or holds text that is nested deeply.
            text = json.dumps(drawn).encode()
        return text if len(text) <= longest else data[:longest]

    return mutate


if __name__ == "__main__":
    sys.exit(main())
