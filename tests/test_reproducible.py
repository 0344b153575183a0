"""The same source gives the same packages, to the byte: wherever, whenever and by whomever they are built."""

import os
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from test_wheel import ROOT, build, digest

pytest.importorskip("hatchling")

pytestmark = pytest.mark.slow

# A module that Python imports as it starts: it moves the clock.
_CLOCK: Final = """
import time
_real = time.time
time.time = lambda: _real() + {seconds}
time.time_ns = lambda: int(time.time() * 10**9)
"""


@dataclass(frozen=True)
class Builder:
    """How one build differs from another, apart from the source."""

    folder: str
    seconds: int  # by which the clock is off
    modified: int  # the modification time of the files
    mode: int  # the permissions of the files
    environment: dict[str, str]


BUILDERS: Final = (
    Builder("a", 0, 1_000_000_000, 0o644, {"PYTHONHASHSEED": "1", "TZ": "UTC", "LC_ALL": "C"}),
    Builder(
        "another/and deeper",
        400 * 86400,
        1_700_000_001,
        0o664,
        {"PYTHONHASHSEED": "2", "TZ": "Asia/Kathmandu", "LC_ALL": "C.UTF-8", "USER": "somebody"},
    ),
)


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("sdist", ROOT, tmp_path_factory.mktemp("sdist"))


def unpack(sdist: Path, folder: Path) -> Path:
    with tarfile.open(sdist) as opened:
        opened.extractall(folder, filter="data")
    (source,) = folder.iterdir()
    return source


def build_as(builder: Builder, sdist: Path, folder: Path) -> dict[str, str]:
    """Build an sdist and a wheel, and return the SHA-256 of each by its name."""
    source = unpack(sdist, folder / builder.folder)
    executable = {path for path in source.rglob("*") if path.is_file() and path.stat().st_mode & 0o100}
    for path in sorted(source.rglob("*"), reverse=builder.seconds > 0):
        if path.is_file():
            path.chmod(builder.mode | (0o111 if path in executable else 0))
        os.utime(path, (builder.modified, builder.modified))
    (folder / "clock").mkdir()
    (folder / "clock" / "sitecustomize.py").write_text(_CLOCK.format(seconds=builder.seconds))
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PYTHON") and name != "SOURCE_DATE_EPOCH"
    }
    environment = {**kept, **builder.environment, "PYTHONPATH": str(folder / "clock")}
    built = folder / "built"
    for kind in ("sdist", "wheel"):
        command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(built)]
        done = subprocess.run(
            command, cwd=source, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    return {path.name: digest(path) for path in built.iterdir()}


def test_two_builds_give_the_same_bytes(sdist: Path, tmp_path: Path) -> None:
    one, other = (build_as(builder, sdist, tmp_path / str(n)) for n, builder in enumerate(BUILDERS))
    assert len(one) == 2
    assert one == other
    assert one[sdist.name] == digest(sdist), "an sdist builds itself"


def test_the_sdist_has_the_files_that_git_tracks(sdist: Path) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout of git")
    tracked, new = listed_by_git("--cached"), listed_by_git("--others", "--exclude-standard")
    with tarfile.open(sdist) as opened:
        packed = {name.partition("/")[2] for name in opened.getnames()}
    assert packed - tracked - new == {"PKG-INFO"}
    assert tracked - packed == set()


def listed_by_git(*options: str) -> set[str]:
    """Return the names of files of the checkout. A file that is deleted, but not in git yet, is left out."""
    command = ["git", "ls-files", "-z", *options]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return {name for name in listed.split("\0") if (ROOT / name).is_file()}


def test_what_lies_in_a_checkout_is_not_published(sdist: Path, tmp_path: Path) -> None:
    source = unpack(sdist, tmp_path / "source")
    left = (
        "other-1.0-py3-none-any.whl",
        "homeserver.db",
        "signing.key",
        "notes/a.md",
        ".venv-test/lib/a.py",
        "dist/old.tar.gz",
        "build/fuzz/text/0",
        "vectors/adapters/ruma/target/release/adapter",
        "vectors/adapters/rezzy/target/debug/adapter",
        "vectors/adapters/gomatrixserverlib/adapter",
        "vectors/adapters/synapse/venv/lib/a.py",
        "tests/__pycache__/a.cpython-311.pyc",
    )
    for name in left:
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"left")
    with tarfile.open(build("sdist", source, tmp_path / "built")) as opened:
        packed = {name.partition("/")[2] for name in opened.getnames()}
    assert sorted(packed & {*left}) == []
