"""The archive of the suite, and ``roomver vectors export``, which unpacks it."""

import json
import lzma
import os
import sys
import tarfile
from io import BytesIO
from lzma import compress
from pathlib import Path

import pytest
from command_line import run

from roomver.readers import InputError, suite
from roomver.readers.archive import ARCHIVE, BadArchive, list_suite_files, read_archive, write_archive
from roomver.readers.suite import load_cases, load_suite, read_suite_files

SUITE = Path(__file__).parents[1] / "vectors"
FILES = {name: path.read_bytes() for name, path in list_suite_files(SUITE).items()}

SMALL = {
    "FORMAT.md": b"The format\n",
    "LICENSE": b"CC0\n",
    "base/a.json": b'{"format": "roomver-vectors/1", "title": "A", "cases": []}\n',
    "base.json": b"{}\n",
    "rooms/v1.jsonl": "{}\u2028\n".encode(),
}
NOT_SHIPPED = {
    ".hidden/x.json": b"{}",
    "adapters/x/y.json": b"{}",
    "base/.a.json.swp": b"",
    "base/.b.json": b"{}",
    "base/c.py": b"",
    "examples/README.md": b"",
    "generate/__main__.py": b"",
    "recorder/README.md": b"",
    "results/answers.json": b"{}",
}


def write_tree(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The archive of a package that is not a checkout. It holds `SMALL`."""
    package = tmp_path / "site-packages" / "roomver"
    package.mkdir(parents=True)
    write_archive(write_tree(tmp_path / "source", SMALL), package / ARCHIVE)
    monkeypatch.setattr(suite, "__file__", str(package / "readers" / "suite.py"))
    return package / ARCHIVE


def tar(*entries: tarfile.TarInfo, content: bytes = b"{}") -> bytes:
    raw = BytesIO()
    with tarfile.open(fileobj=raw, mode="w:xz") as target:
        for entry in entries:
            entry.size = len(content) if entry.isreg() else 0
            target.addfile(entry, BytesIO(content))
    return raw.getvalue()


def test_the_archive_has_the_files_of_the_suite_alone(tmp_path: Path) -> None:
    folder = write_tree(tmp_path / "vectors", SMALL | NOT_SHIPPED)
    write_archive(folder, tmp_path / ARCHIVE)
    read = list(read_archive(tmp_path / ARCHIVE))
    assert dict(read) == SMALL
    assert [name for name, _ in read] == [
        "FORMAT.md",
        "LICENSE",
        "base/a.json",
        "base.json",
        "rooms/v1.jsonl",
    ]


def test_an_implementer_finds_everything_in_it() -> None:
    assert {name.split("/")[0] for name in FILES} == {
        *("FORMAT.md", "README.md", "CHANGELOG.md", "LICENSE", "bugs.md", "bugs.json", "sentences.json"),
        *("auth", "base", "custom", "disputed", "receipt", "resolution", "rooms", "schemas"),
    }
    assert {name for name in FILES if name.startswith("rooms/")} == {
        f"rooms/v{n}.jsonl" for n in range(1, 13)
    }
    assert {name.split("/")[1] for name in FILES if name.startswith("schemas/")} == {
        f"{name}.schema.json"
        for name in ("bugs", "manifest", "protocol", "report", "results", "sentences", "vector-file")
    }


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    one = write_tree(tmp_path / "one", SMALL)
    other = write_tree(tmp_path / "other", dict(reversed(SMALL.items())))
    for number, path in enumerate(sorted(other.rglob("*"))):
        path.chmod(0o700)
        os.utime(path, (number, 2**31 + number))
    write_archive(one, tmp_path / "one.tar.xz")
    write_archive(other, tmp_path / "other.tar.xz")
    assert (tmp_path / "one.tar.xz").read_bytes() == (tmp_path / "other.tar.xz").read_bytes()
    (other / "LICENSE").write_bytes(b"MIT\n")
    write_archive(other, tmp_path / "other.tar.xz")
    assert (tmp_path / "one.tar.xz").read_bytes() != (tmp_path / "other.tar.xz").read_bytes()


def test_the_tree_leaves_no_trace_of_its_owner(tmp_path: Path) -> None:
    write_archive(write_tree(tmp_path / "vectors", SMALL), tmp_path / ARCHIVE)
    with tarfile.open(tmp_path / ARCHIVE) as source:
        entries = source.getmembers()
    assert {entry.name for entry in entries} == {f"roomver-vectors/{name}" for name in SMALL}
    assert {(e.mode, e.uid, e.gid, e.uname, e.gname, e.mtime) for e in entries} == {
        (0o644, 0, 0, "", "", 315532800)
    }


def test_a_damaged_archive_is_never_read_in_part(tmp_path: Path) -> None:
    write_archive(write_tree(tmp_path / "vectors", SMALL), tmp_path / ARCHIVE)
    good = (tmp_path / ARCHIVE).read_bytes()
    damaged = tmp_path / "damaged.tar.xz"
    for at in range(0, len(good), 7):
        for content in (good[:at], good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :]):
            damaged.write_bytes(content)
            with pytest.raises(BadArchive, match="damaged archive"):
                next(read_archive(damaged))


@pytest.mark.parametrize(
    "name",
    [
        "base/x.json",
        "/roomver-vectors/x.json",
        "roomver-vectors",
        "roomver-vectors/../x.json",
        "roomver-vectors/base/../../x.json",
        "roomver-vectors/..\\x.json",
        "roomver-vectors/c:/x.json",
        "",
    ],
)
def test_a_name_that_leads_out_of_the_archive_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / ARCHIVE).write_bytes(tar(tarfile.TarInfo("roomver-vectors/a.json"), tarfile.TarInfo(name)))
    read = read_archive(tmp_path / ARCHIVE)
    assert next(read) == ("a.json", b"{}")
    with pytest.raises(BadArchive, match="unexpected name"):
        next(read)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE])
def test_only_files_are_read(tmp_path: Path, kind: bytes) -> None:
    entry = tarfile.TarInfo("roomver-vectors/x.json")
    entry.type, entry.linkname = kind, "/etc/passwd"
    (tmp_path / ARCHIVE).write_bytes(tar(entry))
    with pytest.raises(BadArchive, match="not a file"):
        next(read_archive(tmp_path / ARCHIVE))


def test_a_python_without_xz_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lzma", None)
    with pytest.raises(BadArchive, match="built without xz"):
        next(read_archive(tmp_path / ARCHIVE))


# Read by the package


def test_an_installed_package_reads_its_archive(installed: Path) -> None:
    assert suite.find_suite() == installed
    assert dict(read_suite_files()) == SMALL
    assert load_suite() == []


@pytest.mark.slow
def test_the_archive_has_the_cases_of_the_checkout_in_their_order(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Not as small as it could be: test_wheel.py has the archive that is shipped.
    monkeypatch.setattr(lzma, "compress", lambda data, form, filters: compress(data, form, preset=0))
    write_archive(SUITE, installed)
    cases = load_suite()
    assert len(cases) > 3000
    assert cases == load_cases([SUITE])


def test_a_broken_vector_file_in_the_archive_is_named(installed: Path, tmp_path: Path) -> None:
    write_archive(write_tree(tmp_path / "broken", {"base/x.json": b'{"format": 1}'}), installed)
    done = run("vectors", "list")
    assert done.exit_code == 2
    assert done.stderr.startswith("roomver: base/x.json: format: must be")


def test_a_damaged_archive_ends_the_command_with_2(installed: Path) -> None:
    installed.write_bytes(b"x")
    with pytest.raises(InputError, match="damaged archive"):
        load_suite()
    done = run("vectors", "coverage")
    assert done.exit_code == 2
    assert done.stderr.startswith(f"roomver: {installed}: damaged archive")


def test_a_package_without_vectors_says_what_to_do(installed: Path) -> None:
    installed.unlink()
    done = run("vectors", "run")
    assert done.exit_code == 2
    assert done.stderr == "roomver: this copy of roomver has no test vectors; name a file or a folder\n"


# Export


def written(folder: Path) -> dict[str, bytes]:
    return {f.relative_to(folder).as_posix(): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


def test_a_checkout_exports_its_files(tmp_path: Path) -> None:
    done = run("vectors", "export", str(tmp_path / "new" / "folder"))
    assert (done.exit_code, done.stdout) == (
        0,
        f"{len(FILES)} files written to {tmp_path / 'new' / 'folder'}\n",
    )
    assert written(tmp_path / "new" / "folder") == FILES


def test_an_installed_package_exports_its_archive(installed: Path, tmp_path: Path) -> None:
    assert run("vectors", "export", str(tmp_path / "out")).exit_code == 0
    assert written(tmp_path / "out") == SMALL


def test_what_is_exported_can_be_run(tmp_path: Path) -> None:
    assert run("vectors", "export", str(tmp_path)).exit_code == 0
    done = run("vectors", "run", "--json", "--operation", "redact", str(tmp_path))
    assert done.exit_code == 0
    assert json.loads(done.stdout) == json.loads(
        run("vectors", "run", "--json", "--operation", "redact").stdout
    )


def test_an_export_leaves_a_folder_in_use_alone_unless_told(installed: Path, tmp_path: Path) -> None:
    mine = write_tree(tmp_path / "mine", {"notes.txt": b"mine", "LICENSE": b"mine"})
    done = run("vectors", "export", str(mine))
    assert done.exit_code == 2
    assert done.stderr == f"roomver: {mine}: the folder is not empty; --force writes to it anyway\n"
    assert written(mine) == {"notes.txt": b"mine", "LICENSE": b"mine"}
    assert run("vectors", "export", "--force", str(mine)).exit_code == 0
    assert written(mine) == {"notes.txt": b"mine", **SMALL}


def test_an_export_over_a_file_is_a_wrong_call(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    for arguments in (["file"], ["--force", "file"], ["file/below"]):
        *options, name = arguments
        done = run("vectors", "export", *options, str(tmp_path / name))
        assert done.exit_code == 2
        assert str(tmp_path / "file") in done.stderr
    assert (tmp_path / "file").read_bytes() == b"mine"


@pytest.mark.skipif(os.name != "posix", reason="symbolic links need a privilege elsewhere")
@pytest.mark.parametrize("link", ["base", "LICENSE"])
def test_an_export_does_not_follow_a_link_out_of_its_folder(
    installed: Path, tmp_path: Path, link: str
) -> None:
    outside = write_tree(tmp_path / "outside", {"base/kept": b"kept", "LICENSE": b"kept"})
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / link).symlink_to(outside / link)
    done = run("vectors", "export", "--force", str(folder))
    assert done.exit_code == 2
    assert f"points outside {folder}" in done.stderr
    assert written(outside) == {"base/kept": b"kept", "LICENSE": b"kept"}


def test_lzma_reads_the_archive_as_xz(installed: Path) -> None:
    # Other languages look for the magic number of xz, not for the older format of LZMA.
    assert installed.read_bytes().startswith(b"\xfd7zXZ\x00")
    assert lzma.decompress(installed.read_bytes(), lzma.FORMAT_XZ)
