"""The files of the example homeserver: their size, their types, and the excerpts in docs/homeserver.md."""

import io
import os
import re
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "docs" / "homeserver"
FILES = ("server.py", "store.py", "__init__.py", "__main__.py")
PAGE = ROOT / "docs" / "homeserver.md"


def code_lines(source: str) -> int:
    """Count the lines with code: not blank ones, comments and docstrings."""
    between = {tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    skipped = {tokenize.COMMENT, tokenize.NL} | between
    lines: set[int] = set()
    begins = True  # of a statement
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in skipped and not (begins and token.type == tokenize.STRING):
            lines.update(range(token.start[0], token.end[0] + 1))
        begins = token.type in between or (begins and token.type in skipped)
    return len(lines)


def read(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def test_code_lines_are_counted() -> None:
    source = '"""One."""\n\n# Two\nx = """a\nb"""\ndef f():\n    """Three."""\n    g(\n        1\n    )\n'
    assert code_lines(source) == 6


def test_the_files_have_as_few_lines_as_the_pages_say() -> None:
    counts = {name: code_lines(read(name)) for name in FILES}
    rows = re.findall(
        r"^\| (\S+|all of it) \|.*\| fewer than (\d+) \|$", PAGE.read_text("utf-8"), re.MULTILINE
    )
    said = {name.strip("`"): int(limit) for name, limit in rows}
    assert said.keys() == {"store.py", "server.py", "__main__.py", "all of it"}
    assert sum(counts.values()) < said.pop("all of it"), counts
    assert all(counts[name] < limit for name, limit in said.items()), counts
    readme = (ROOT / "README.md").read_text("utf-8")
    (limit,) = re.findall(r"docs/homeserver\.md\) puts it together in fewer than (\d+) lines of code", readme)
    assert sum(counts.values()) < int(limit)
    servers = (ROOT / "docs" / "servers.md").read_text("utf-8")
    (limit,) = re.findall(r"homeserver/store\.py\) has fewer than (\d+) lines of code", servers)
    assert counts["store.py"] < int(limit)


@pytest.mark.parametrize("name", FILES)
def test_nothing_in_it_is_hidden_from_the_checkers(name: str) -> None:
    assert not re.findall(r"\bcast\(|ignore|noqa|fmt: (?:off|skip)", read(name))


def test_the_page_quotes_the_files() -> None:
    quoted = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    sources = [read(name) for name in FILES]
    assert len(quoted) > 5
    for excerpt in quoted:
        assert any(excerpt in source for source in sources), excerpt


def checked(*command: str) -> str:
    paths = {
        "PYTHONPATH": str(ROOT / "src"),
        "MYPYPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT / "docs")]),
    }
    done = subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
        cwd=ROOT,
        env={**os.environ, **paths},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_mypy_accepts_it() -> None:
    for needed in ("mypy", "aiohttp", "aiosqlite"):
        pytest.importorskip(needed, reason=f"needs {needed}")
    checked(sys.executable, "-m", "mypy", "--strict", "-p", "homeserver")


@pytest.mark.slow
def test_pyright_accepts_it() -> None:
    for needed in ("pyright", "aiohttp", "aiosqlite"):
        pytest.importorskip(needed, reason=f"needs {needed}")
    for name in FILES[:2]:
        assert "# pyright: strict\n" in read(name)
    files = [str(FOLDER / name) for name in FILES]
    told = checked(sys.executable, "-m", "pyright", "--pythonpath", sys.executable, *files)
    assert "0 errors, 0 warnings" in told
