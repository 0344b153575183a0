"""Build the programs of ``adapters/``, and run them on the whole suite.

``vectors/adapters/build`` and ``vectors/adapters/run`` call this module. ``adapters/adapters.json`` says how
each program is built and started, and which version of an implementation answers.
"""

import json
import shlex
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from . import results

VECTORS = Path(__file__).parents[1]
ROOT = VECTORS.parent


def table() -> Mapping[str, Mapping[str, Any]]:
    """Return ``adapters.json``: for each name the implementation with its version, and the commands."""
    found: dict[str, dict[str, Any]] = json.loads((VECTORS / "adapters" / "adapters.json").read_text("utf-8"))
    return found


def build(names: Sequence[str]) -> list[str]:
    """Build these programs, and return the names of those that failed."""
    failed = []
    for name in names:
        for command in table()[name]["build"]:
            print(f"{name}: {shlex.join(command)}", flush=True)
            if subprocess.run(command, cwd=ROOT, check=False).returncode:
                failed.append(name)
                break
    return failed


def run(names: Sequence[str], folder: Path, jobs: int) -> list[str]:
    """Run these programs on the suite, and return the names of those that could not be run.

    Args:
        folder: gets ``NAME.json`` for each, as ``roomver vectors run --json`` prints it, and ``NAME.log``,
            which has what the program wrote to standard error.
        jobs: how many processes of a program run at once.
    """
    folder.mkdir(parents=True, exist_ok=True)
    failed = []
    for name in names:
        program = table()[name]
        if not (ROOT / program["command"][0]).exists():
            print(f"{name}: not built; run vectors/adapters/build {name}", file=sys.stderr)
            failed.append(name)
            continue
        log = folder / f"{name}.log"
        with (folder / f"{name}.json").open("wb") as file, log.open("wb") as told:
            done = subprocess.run(
                [
                    *(sys.executable, "-m", "roomver", "vectors", "run", "--json", "--jobs", str(jobs)),
                    *("--impl", shlex.join(program["command"]), "--name", program["implementation"]),
                    str(VECTORS),
                ],
                cwd=ROOT,
                stdout=file,
                stderr=told,
                check=False,
            )
        if done.returncode not in (0, 1):  # 1: cases failed
            print(log.read_text("utf-8", errors="replace")[-2000:], file=sys.stderr, end="")
            failed.append(name)
            continue
        found = json.loads((folder / f"{name}.json").read_text("utf-8"))
        numbers = ", ".join(f"{found[key]:,} {key}" for key in ("passed", "failed", "unsupported"))
        print(f"{found['implementation']}: {numbers}", flush=True)
    return failed


def write(folder: Path) -> None:
    """Write ``results/`` from the results of all programs in a folder."""
    files = [str(folder / f"{name}.json") for name in table()]
    report = VECTORS / "results" / "report"
    _report(*files, "--json", f"{report}.json")
    found = json.loads(report.with_suffix(".json").read_text("utf-8"))
    urls = {one["implementation"]: one["url"] for one in table().values()}
    today = datetime.now(tz=UTC).date().isoformat()
    found["implementations"] = [
        {"name": one["name"], "url": urls[one["name"]], "date": today, **one}
        for one in found["implementations"]
    ]
    report.with_suffix(".json").write_text(json.dumps(found), "utf-8")
    # Once more, for the layout and for the pages.
    pages = ("--markdown", f"{report}.md", "--html", f"{report}.html")
    _report(f"{report}.json", "--cases", str(VECTORS), "--json", f"{report}.json", *pages)
    results.main(files)


def _report(*arguments: str) -> None:
    command = [sys.executable, "-m", "roomver", "vectors", "report", *arguments]
    subprocess.run(command, cwd=ROOT, check=True)


def _parsed(arguments: Sequence[str]) -> Namespace:
    parser = ArgumentParser(prog="vectors/adapters", description="Build or run the adapters.")
    commands = parser.add_subparsers(dest="command", required=True)
    for command, about in (
        ("build", "build the adapters, or those that are named"),
        ("run", "run the adapters, or those that are named, on the whole suite"),
    ):
        one = commands.add_parser(command, help=about, description=about)
        one.add_argument("names", metavar="NAME", nargs="*", help=", ".join(table()))
        if command == "run":
            one.add_argument("--results", metavar="FOLDER", type=Path, default=ROOT / "build" / "adapters")
            one.add_argument("--jobs", metavar="N", type=int, default=1)
            one.add_argument("--write", action="store_true", help="write vectors/results from all results")
    asked = parser.parse_args(arguments)
    if unknown := [name for name in asked.names if name not in table()]:
        parser.error(f"no adapter is called {', '.join(unknown)}; there are {', '.join(table())}")
    return asked


def main(arguments: Sequence[str]) -> int:
    """Build or run the adapters that the arguments name. Return 0, or 1 if one failed."""
    asked = _parsed(arguments)
    names = asked.names or list(table())
    if asked.command == "build":
        failed = build(names)
    else:
        failed = run(names, asked.results, asked.jobs)
        if asked.write and not failed:
            write(asked.results)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
