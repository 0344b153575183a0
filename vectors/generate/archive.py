"""``python -m vectors.generate --archive``: write the archives of a release.

A release is the same files twice, as a zip file and as a tar file with gzip, with one folder at the top. The
folder has the vectors, the recorded rooms, the schemas, the documents, the examples, and a manifest. The
bytes depend on the names and contents of the files only. They also depend on zlib: another release of it, or
zlib-ng, may compress the same input to other bytes. The manifest has the SHA-256 of each file for that case.
"""

import hashlib
import io
import json
import re
import struct
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from posixpath import dirname, join, normpath
from runpy import run_path
from typing import Any

from .suite import FORMAT, VERSION
from .versions import ALL

NAME = f"roomver-vectors-{VERSION}"
MANIFEST = "manifest.json"

_LISTING = Path(__file__).parents[2] / "src" / "roomver" / "readers" / "archive.py"
_EXAMPLES = frozenset({".go", ".js", ".json", ".lock", ".md", ".mod", ".rs", ".toml"})
_LINK = re.compile(r"\[(?P<text>[^]]*)\]\((?P<target>[^)\s]+)\)")
_ADDRESS = re.compile("[a-z]+:")
_FOLDER_ROW = re.compile(r"^\| `([a-z]+)/` \|.*\n", re.MULTILINE)
_BUILT = frozenset({"node_modules", "target"})

_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip file can hold
_TIMESTAMP = 315532800  # the same, in seconds since 1970
_UNIX = 3
_GZIP = bytes.fromhex("1f8b0800000000000203")  # deflate, no name, no time, best compression, Unix


def release_files(folder: Path) -> dict[str, bytes]:
    """Return the files of a release by name, sorted, the manifest included.

    Args:
        folder: ``vectors/`` of a checkout.
    """
    # By its path: the generators do not import the library.
    paths: dict[str, Path] = dict(run_path(str(_LISTING))["list_suite_files"](folder))
    paths.update(_examples(folder))
    # To which an implementation adds its own results.
    paths["results/report.json"] = folder / "results" / "report.json"
    files = {name: path.read_bytes() for name, path in paths.items()}
    files |= {name: _own_links(name, text, files) for name, text in files.items() if name.endswith(".md")}
    text = json.dumps(manifest(files), indent=1, sort_keys=True)
    files[MANIFEST] = f"{text}\n".encode()
    return dict(sorted(files.items()))


def _links_out(name: str, text: str, files: Collection[str]) -> Iterator[re.Match[str]]:
    """Yield the links of a Markdown file that lead neither into the release nor to a web address.

    Args:
        name: of the file in the release.
        text: the file.
        files: the names of the files of the release.
    """
    for link in _LINK.finditer(text):
        target = link["target"].partition("#")[0]
        if not target or _ADDRESS.match(target):
            continue
        path = normpath(join(dirname(name), target))
        if path not in files and not any(one.startswith(f"{path}/") for one in files):
            yield link


def _own_links(name: str, content: bytes, files: Collection[str]) -> bytes:
    """Return a Markdown file without links that lead out of the release, and without rows of such folders."""
    text = content.decode()
    for link in [*_links_out(name, text, files)]:
        text = text.replace(link[0], f"{link['text']} (`{link['target']}`, in a checkout)")
    folders = {one.partition("/")[0] for one in files if "/" in one}
    return _FOLDER_ROW.sub(lambda row: row[0] if row[1] in folders else "", text).encode()


def _examples(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in (folder / "examples").rglob("*"):
        name = path.relative_to(folder)
        skipped = any(part.startswith(".") or part in _BUILT for part in name.parts)
        if path.suffix in _EXAMPLES and path.is_file() and not skipped:
            yield name.as_posix(), path


def manifest(files: Mapping[str, bytes]) -> dict[str, Any]:
    """Return the manifest of a release, which ``schemas/manifest.schema.json`` describes.

    Args:
        files: the other files of the release, by name.
    """
    every = [case for _, found in _vector_files(files) for case in found]
    cases = [case for case in every if case["room_version"] in ALL]
    operations: dict[str, Counter[str]] = {}
    for case in cases:
        operations.setdefault(case["operation"], Counter())[case["room_version"]] += 1
    return {
        "suite": "roomver-vectors",
        "version": VERSION,
        "vector_format": FORMAT,
        "license": "CC0-1.0",
        "counts": {
            "cases": len(cases),
            "disputed": sum(isinstance(case["expected"], list) for case in cases),
            "operations": {operation: dict(counts) for operation, counts in operations.items()},
            "optional": len(every) - len(cases),
        },
        "longest_request": max(map(request_size, every), default=0),
        "files": {
            name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in files.items()
        },
    }


def request_size(case: Mapping[str, Any]) -> int:
    """Return the length of the request for a case, in bytes, with a large ``id`` and the line end."""
    keys = ("operation", "room_version", "version", "input")
    request = {"id": 10**9, **{key: case[key] for key in keys if key in case}}
    return len(json.dumps(request, separators=(",", ":"))) + 1


def _vector_files(files: Mapping[str, bytes]) -> Iterator[tuple[str, list[Any]]]:
    for name, content in files.items():
        if name.endswith(".json"):
            document = json.loads(content)
            if isinstance(document, dict) and document.get("format") == FORMAT:
                yield name, document["cases"]


def write_archives(folder: Path, target: Path) -> list[Path]:
    """Write both archives of ``vectors/`` and their checksums, and return the paths.

    Args:
        folder: ``vectors/`` of a checkout.
        target: the folder to write to. It is created if it does not exist.
    """
    files = release_files(folder)
    target.mkdir(parents=True, exist_ok=True)
    written = []
    for suffix, packed in ((".tar.gz", tar_gz(files)), (".zip", zipped(files))):
        written.append(target / f"{NAME}{suffix}")
        written[-1].write_bytes(packed)
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in written]
    written.append(target / f"{NAME}.sha256")
    written[-1].write_text("".join(sums), encoding="ascii", newline="\n")
    return written


def tar_gz(files: Mapping[str, bytes]) -> bytes:
    """Return files as a tar file with gzip."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as target:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"{NAME}/{name}")  # of root, mode 644
            entry.size = len(content)
            entry.mtime = _TIMESTAMP
            target.addfile(entry, io.BytesIO(content))
    plain = packed.getvalue()
    # Not the module gzip, whose header differs between releases of Python.
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    end = struct.pack("<II", zlib.crc32(plain), len(plain) % 2**32)
    return _GZIP + deflate.compress(plain) + deflate.flush() + end


def zipped(files: Mapping[str, bytes]) -> bytes:
    """Return files as a zip file."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as target:
        for name, content in files.items():
            entry = zipfile.ZipInfo(f"{NAME}/{name}", _DATE)
            entry.create_system = _UNIX
            entry.external_attr = 0o100644 << 16
            target.writestr(entry, content, zipfile.ZIP_DEFLATED, 9)
    return packed.getvalue()
