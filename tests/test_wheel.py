"""The wheel: built, installed into an environment of its own, and used from there."""

import hashlib
import json
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from email.message import Message
from email.parser import BytesParser
from pathlib import Path

import pytest

from roomver import __version__
from roomver.readers.archive import ARCHIVE, list_suite_files

pytest.importorskip("hatchling")
pytest.importorskip("pip")

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.slow


def call(*command: str | Path, cwd: Path) -> str:
    # Without the variables of this run: what is called finds its own copy of the package.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [*map(str, command)], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build(kind: str, source: Path, folder: Path) -> Path:
    call(sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", folder, cwd=source)
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site-packages of a new environment with the wheel; its dependencies are those of this run."""
    environment = tmp_path_factory.mktemp("environment")
    call(sys.executable, "-m", "venv", "--without-pip", environment, cwd=environment)
    python = environment / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    pip = (sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check")
    call(*pip, "install", "-q", "--no-index", "--no-deps", wheel, cwd=environment)
    purelib = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(call(python, "-c", purelib, cwd=environment).strip())
    (site / "dependencies.pth").write_text(
        f"{sysconfig.get_path('purelib')}\n{sysconfig.get_path('platlib')}\n"
    )
    return site


def roomver(site: Path, *arguments: str, cwd: Path) -> str:
    base = site.parents[1] if sys.platform == "win32" else site.parents[2]
    python = base / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    assert (
        Path(call(python, "-c", "import roomver; print(roomver.__file__)", cwd=cwd)).parent
        == site / "roomver"
    )
    return call(python, "-m", "roomver", *arguments, cwd=cwd)


def test_the_suite_is_one_archive_beside_the_package(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as opened:
        names = opened.namelist()
    kinds = {Path(name).suffix for name in names if name.startswith("roomver/")}
    # The page of `roomver report` is made of the others.
    assert kinds == {".py", ".typed", ".xz", ".html", ".css", ".js", ".md", ".txt"}
    modules = {path.relative_to(ROOT / "src").as_posix() for path in (ROOT / "src" / "roomver").rglob("*.py")}
    assert {name for name in names if name.endswith(".py")} == modules
    assert f"roomver/{ARCHIVE}" in names


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as opened:
        (name,) = [one for one in opened.namelist() if one.endswith(".dist-info/METADATA")]
        return BytesParser().parsebytes(opened.read(name))


def test_the_metadata_is_for_users(metadata: Message) -> None:
    assert metadata["Version"] == __version__
    extras = {"cli", "cluster", "fast", "parquet", "postgres", "report", "zstd"}
    assert {*metadata.get_all("Provides-Extra", [])} == extras
    assert not re.search("pytest|sphinx|nox", " ".join(metadata.get_all("Requires-Dist", [])))
    assert metadata.get_all("Project-URL")


def test_the_description_has_no_dead_links(metadata: Message) -> None:
    description = str(metadata.get_payload())
    assert description.startswith("# roomver\n")
    text = re.sub(r"^```.*?^```$", "", description, flags=re.DOTALL | re.MULTILINE)
    assert re.findall(r"\]\((?!https://)[^)]*\)|src=\"(?!https://)", text) == []
    assert "<!--" not in text
    assert "pip install" in description


def test_an_install_takes_less_than_12_mb_beyond_its_dependencies(site: Path) -> None:
    """The suite must not become most of it again: the modules are as large, with their compiled form."""
    mine = [path for path in site.iterdir() if path.name.startswith("roomver")]
    assert len(mine) == 2, "the package and its dist-info"
    files = [file for folder in mine for file in folder.rglob("*") if file.is_file()]
    assert any(file.suffix == ".pyc" for file in files), "pip has compiled the modules"
    assert (site / "roomver" / ARCHIVE).stat().st_size < 2_800_000
    # What a file system with blocks of 4 KiB takes.
    assert sum(-(-file.stat().st_size // 4096) * 4096 for file in files) < 12_000_000


def test_the_suite_passes_from_an_install(site: Path, tmp_path: Path) -> None:
    results = json.loads(roomver(site, "vectors", "run", "--json", cwd=tmp_path))
    assert (results["failed"], results["unsupported"]) == (0, 0)
    assert results["passed"] > 3000
    assert not list((site / "roomver").rglob("*.json*")), "read in place"
    assert list(tmp_path.iterdir()) == []


def test_an_install_exports_the_files_of_the_checkout(site: Path, tmp_path: Path) -> None:
    roomver(site, "vectors", "export", "vectors", cwd=tmp_path)
    exported = {
        f.relative_to(tmp_path / "vectors").as_posix(): f for f in (tmp_path / "vectors").rglob("*.*")
    }
    exported["LICENSE"] = tmp_path / "vectors" / "LICENSE"
    kept = list_suite_files(ROOT / "vectors")
    assert exported.keys() == kept.keys()
    assert [name for name in kept if exported[name].read_bytes() != kept[name].read_bytes()] == []


def test_the_sdist_builds_the_same_wheel_to_the_byte(wheel: Path, tmp_path: Path) -> None:
    sdist = build("sdist", ROOT, tmp_path / "sdist")
    with tarfile.open(sdist) as opened:
        opened.extractall(tmp_path / "source", filter="data")
    (source,) = (tmp_path / "source").iterdir()
    assert digest(build("wheel", source, tmp_path / "wheel")) == digest(wheel)


def test_an_editable_install_has_no_archive(tmp_path: Path) -> None:
    program = f"import hatchling.build; print(hatchling.build.build_editable({str(tmp_path)!r}))"
    name = call(sys.executable, "-c", program, cwd=ROOT).split()[-1]
    with zipfile.ZipFile(tmp_path / name) as opened:
        assert [one for one in opened.namelist() if one.startswith("roomver/")] == []


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
