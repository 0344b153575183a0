"""Run Synapse's own tests with roomver in the place of its rules.

    python -m tests.embedding.synapse                                  # the tests that CI runs
    python -m tests.embedding.synapse tests.handlers tests.storage     # others
    python -m tests.embedding.synapse --all                            # all that roomver may touch
    python -m tests.embedding.synapse --both tests.rest.client         # first without roomver, then with it
    python -m tests.embedding.synapse --timing                         # big rooms, with it and without

It needs the wheel of Synapse (``pip install -e . --group test --group peer``), and fetches the source
distribution of the same release, which has the tests. The exit code is 1 if a test fails that is not in
`expected`, if one of those passes, or if roomver was never called. With ``--both``, tests that fail without
roomver do not count, and the CPU times of both are printed. With ``--timing``, no test runs: see
`tests.embedding.synapse.timing`.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import urllib.parse
import urllib.request
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from .expected import EXPECTED
from .timing import table

RELEASE: Final = "1.163.2"
SHA256: Final = "4583f1cb8ae6e257c67b752148c3f5ec16ccf7d6cc5d8375d88a14ac20f8effe"
INDEX: Final = "https://pypi.org/simple/matrix-synapse/"

# tests.events comes before tests.federation. That makes more room versions known: then one test of the former
# fails, also without roomver.
IN_CI: Final = (
    "tests.state",
    "tests.test_state",
    "tests.test_event_auth",
    "tests.events",
    "tests.federation",
)
ALL: Final = (
    *IN_CI,
    "tests.handlers",
    "tests.rest.client",
    "tests.storage",
    "tests.replication",
    "tests.crypto",
)
FAILED: Final = ("failure", "error")


def fetch_tests(folder: Path) -> None:
    """Unpack Synapse's package ``tests`` into a folder."""
    request = urllib.request.Request(INDEX, headers={"Accept": "application/vnd.pypi.simple.v1+json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        files = json.load(answer)["files"]
    name = f"matrix_synapse-{RELEASE}.tar.gz"
    url = next(one["url"] for one in files if one["filename"] == name)
    archive = folder / name
    with urllib.request.urlopen(
        urllib.request.Request(urllib.parse.urljoin(INDEX, url)), timeout=300
    ) as answer:
        archive.write_bytes(answer.read())
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != SHA256:
        raise SystemExit(f"{url} has the SHA-256 {found}, not {SHA256}")
    with tarfile.open(archive) as packed:
        top = f"matrix_synapse-{RELEASE}/"
        inside = [one for one in packed.getmembers() if one.name.startswith(f"{top}tests/")]
        for member in inside:
            member.name = member.name.removeprefix(top)
        packed.extractall(folder, inside, filter="data")
    archive.unlink()


def run_trial(folder: Path, mode: str, names: list[str]) -> dict[str, Any]:
    """Run tests, with ``roomver`` or only ``synapse``, and return what trial.py writes."""
    results = folder / f"{mode}.json"
    root = Path(__file__).parents[3]
    program = [sys.executable, str(Path(__file__).with_name("trial.py"))]
    done = subprocess.run(
        [*program, str(folder), str(results), mode, *names],
        check=False,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(root / "src")},
    )
    if not results.exists():
        raise SystemExit(f"Synapse's tests ended with exit code {done.returncode} and without results")
    found: dict[str, Any] = json.loads(results.read_text())
    counts = Counter(result for result, _ in found["results"].values())
    listed = ", ".join(f"{number:,} {result}" for result, number in sorted(counts.items()))
    print(
        f"{mode}: {len(found['results']):,} tests in {found['seconds']:.0f} s of CPU time: {listed}",
        flush=True,
    )
    return found


def compare(with_roomver: dict[str, Any], without: dict[str, Any] | None) -> list[str]:
    """Return what is not as expected."""
    results = with_roomver["results"]
    unsound = {} if without is None else without["results"]
    failed = {name for name, (result, _) in results.items() if result in FAILED}
    theirs = {name for name, (result, _) in unsound.items() if result in FAILED}
    lines = [f"{name} fails: {results[name][1]}" for name in sorted(failed - theirs - EXPECTED.keys())]
    lines += [
        f"{name} passes, and is expected to fail"
        for name in sorted(EXPECTED.keys() & results.keys() - failed)
    ]
    if without is not None and results.keys() != unsound.keys():
        lines.append(f"not the same tests ran: {sorted(results.keys() ^ unsound.keys())[:5]}")
    if not results:
        lines.append("no test ran")
    if not with_roomver["calls"]:
        lines.append("roomver was never called")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.embedding.synapse", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("names", nargs="*", metavar="NAME", help="a module or a test of Synapse")
    parser.add_argument("--all", action="store_true", help="all tests that roomver may touch")
    parser.add_argument("--both", action="store_true", help="also without roomver")
    parser.add_argument("--timing", action="store_true", help="time the resolution of big rooms instead")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of --timing (5)")
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies the rooms of --timing (1)")
    options = parser.parse_args()
    if version("matrix-synapse") != RELEASE:
        raise SystemExit(f"this needs matrix-synapse {RELEASE}; {version('matrix-synapse')} is installed")
    names = options.names or list(ALL if options.all else IN_CI)
    with tempfile.TemporaryDirectory() as folder:
        fetch_tests(Path(folder))
        if options.timing:
            for line in table(Path(folder), options.rounds, options.scale):
                print(line, flush=True)
            return
        without = run_trial(Path(folder), "synapse", names) if options.both else None
        found = run_trial(Path(folder), "roomver", names)
    for call, number in sorted(found["calls"].items()):
        print(f"  {number:>9,} {call}")
    wrong = compare(found, without)
    for line in wrong:
        print(line)
    if wrong:
        raise SystemExit(1)
    known = EXPECTED.keys() & found["results"].keys()
    print(f"all as expected; {len(known)} known to fail, each with its reason in expected.py")


if __name__ == "__main__":
    main()
