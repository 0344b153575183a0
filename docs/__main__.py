"""Build the site from the checkout, without a network: `python -m docs [FOLDER]`.

The pages are in FOLDER, or in `build/site`, and open from there: `build/site/index.html`. It needs the
group `docs`. A warning of Sphinx, a link without a target, and a page that loads something from
elsewhere fail the build. FOLDER is emptied, so it must be new, empty, or a site that was built before.
"""

import argparse
import shutil
import sys
from pathlib import Path

from sphinx.cmd.build import build_main

from docs.sitebuild import finishing, links, llms, staging

MARK = ".built-by-docs"
"""A file in each folder that a build may empty: a build puts it there."""


def unsafe(folder: Path) -> str | None:
    """Return why a folder must not be emptied; None if it is new, empty, or was made by a build."""
    if not folder.exists() or (folder / MARK).is_file():
        return None
    if folder.is_dir() and not any(folder.iterdir()):
        return None
    return f"{folder}: not a site that was built before (it has no {MARK}); name a new folder, or delete it"


def claim(folder: Path) -> None:
    """Make a folder, and mark it as one that a build may empty."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARK).touch()


def build(target: Path, work: Path) -> list[str]:
    """Build the site.

    Args:
        target: the folder of the site. It is emptied first, if a build made it.
        work: a folder for the sources of the pages, which a build may empty too.

    Returns:
        What is wrong, one line each. Sphinx prints its own warnings.
    """
    target, work = target.resolve(), work.resolve()
    if refused := [why for folder in (target, work) if (why := unsafe(folder)) is not None]:
        return refused
    claim(work)
    source = work / "source"
    problems = staging.stage(source)
    if problems:
        return problems
    here = Path(__file__).parent / "sitebuild"
    shutil.rmtree(target, ignore_errors=True)
    claim(target)
    static = work / "static"
    static.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(here / "site.css", static / "site.css")
    options = ["-q", "-W", "--keep-going", "-j", "auto", "-c", str(here), "-d", str(work / "doctrees")]
    if build_main([*options, "-D", f"html_static_path={static}", "-b", "html", str(source), str(target)]):
        return ["Sphinx has warnings, which are errors here"]
    for name in (".buildinfo", "objects.inv"):
        (target / name).unlink(missing_ok=True)
    finishing.finish(target)
    llms.write(target)
    return links.find_problems(target)


def main() -> int:
    """Build the site, print what is wrong, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m docs", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=staging.ROOT / "build" / "site")
    folder = parser.parse_args().folder
    problems = build(folder, folder.with_name(f"{folder.name}-work"))
    for problem in problems:
        print(problem, file=sys.stderr)
    if not problems:
        print(f"written: {folder / 'index.html'}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
