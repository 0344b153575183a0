"""Build the site from the checkout, without a network: `python -m docs [FOLDER]`.

The pages are in FOLDER, or in `build/site`, and open from there: `build/site/index.html`. It needs the
group `docs`. A warning of Sphinx, a link without a target, and a page that loads something from
elsewhere fail the build.
"""

import argparse
import shutil
import sys
from pathlib import Path

from sphinx.cmd.build import build_main

from docs.sitebuild import finishing, links, llms, staging


def build(target: Path, work: Path) -> list[str]:
    """Build the site.

    Args:
        target: the folder of the site. It is emptied first.
        work: a folder for the sources of the pages.

    Returns:
        What is wrong, one line each. Sphinx prints its own warnings.
    """
    target, work = target.resolve(), work.resolve()
    source = work / "source"
    problems = staging.stage(source)
    if problems:
        return problems
    here = Path(__file__).parent / "sitebuild"
    shutil.rmtree(target, ignore_errors=True)
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
