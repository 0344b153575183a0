"""The archive of the suite: which files it holds, how it is written, how it is read.

The wheel ships the suite as this archive, `ARCHIVE`, beside its modules. It is a tar file compressed
with xz, for three reasons. It takes 2.5 MB; a zip file takes a quarter more with deflate. Its
bytes are the same on every machine: xz has one implementation in use, while zlib and zlib-ng deflate the
same input to different bytes. And ``tar xf`` unpacks it on every system. A tar file has no index. None is
needed, because every command reads the whole suite.

This module imports nothing from the package: the build runs it by its path, when the package and its
dependencies are not installed yet.
"""

import tarfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path, PurePosixPath

ARCHIVE = "vectors.tar.xz"

# One folder at the top, so that `tar xf` does not scatter the files.
_TOP = "roomver-vectors"

# They hold programs, and the results of programs.
_OMITTED_FOLDERS = frozenset({"adapters", "examples", "generate", "recorder", "results"})
_SUFFIXES = frozenset({".json", ".jsonl", ".md"})
_NAMES = frozenset({"LICENSE"})

_TIMESTAMP = 315532800  # the start of 1980: GNU tar warns of 0, and a zip file cannot hold anything earlier

# Most of the content is hashes and signatures, which cannot be compressed. A harder search, a dictionary as
# large as all files and the settings for text save 5 % compared with the default.
_DICTIONARY = 2**25


class BadArchive(Exception):
    """The archive is damaged, or names a file outside itself."""


def list_suite_files(folder: Path) -> dict[str, Path]:
    """Return the files in ``vectors/`` of a checkout that belong to the suite.

    Returns:
        Paths by name. A name is relative to the folder and has ``/`` between its parts. Sorted by parts.
    """
    found = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        shipped = name.suffix in _SUFFIXES or path.name in _NAMES
        hidden = any(part.startswith(".") for part in name.parts)
        if shipped and not hidden and name.parts[0] not in _OMITTED_FOLDERS and path.is_file():
            found[name.as_posix()] = path
    return dict(sorted(found.items(), key=lambda item: item[0].split("/")))


def write_archive(folder: Path, archive: Path) -> None:
    """Write the archive of the suite in ``vectors/`` of a checkout.

    The bytes depend on the names and contents of the files only. Timestamps, owners, permissions and the
    order in which the system lists a folder leave no trace.
    """
    import lzma  # noqa: PLC0415 - see `read_archive`

    packed = BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as target:
        for name, path in list_suite_files(folder).items():
            content = path.read_bytes()
            entry = tarfile.TarInfo(f"{_TOP}/{name}")  # of root, mode 644
            entry.size = len(content)
            entry.mtime = _TIMESTAMP
            target.addfile(entry, BytesIO(content))
    chain = [
        {
            "id": lzma.FILTER_LZMA2,
            "preset": 6 | lzma.PRESET_EXTREME,
            "dict_size": _DICTIONARY,
            "pb": 0,
            "lc": 4,
        }
    ]
    archive.write_bytes(lzma.compress(packed.getvalue(), lzma.FORMAT_XZ, filters=chain))


def read_archive(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the content of each file in the archive, in the order of `list_suite_files`.

    Raises:
        OSError: if the archive cannot be read.
        BadArchive: if it is damaged, or a name points outside it; also where Python was built without xz.
    """
    try:
        import lzma  # noqa: PLC0415 - an optional module of Python, needed by nothing else in this package
    except ImportError:
        raise BadArchive("this Python was built without xz (the module lzma)") from None
    try:
        # All at once: the checksum is at the end, and nothing is to be read from an archive that fails it.
        unpacked = lzma.decompress(archive.read_bytes(), lzma.FORMAT_XZ)
        with tarfile.open(fileobj=BytesIO(unpacked)) as source:
            for entry in source:
                content = source.extractfile(entry) if entry.isfile() else None
                if content is None:
                    raise BadArchive(f"not a file: {entry.name!r}")
                yield _name_of(entry), content.read()
    except (tarfile.TarError, lzma.LZMAError) as error:
        raise BadArchive(f"damaged archive: {error}") from None


def _name_of(entry: tarfile.TarInfo) -> str:
    top, *parts = PurePosixPath(entry.name).parts or ("",)
    # Windows also separates names with "\", and has drive letters, which end with ":".
    if top != _TOP or not parts or any(part == ".." or "\\" in part or ":" in part for part in parts):
        raise BadArchive(f"unexpected name: {entry.name!r}")
    return "/".join(parts)
