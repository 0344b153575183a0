"""Reading test vectors: the suite that ships with the package, and vector files from elsewhere."""

import gc
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from ..canonical import shorten
from ..suite.document import Case, is_vectors, read_vectors
from ..suite.inputs import BadVectors
from .archive import ARCHIVE, BadArchive, list_suite_files, read_archive
from .entries import InputError


def find_suite() -> Path:
    """Return the suite that ships with the package: its archive, or the folder ``vectors/`` in a checkout.

    Raises:
        FileNotFoundError: in a copy of the source without its vectors.
    """
    package = Path(__file__).parents[1]
    archive, folder = package / ARCHIVE, package.parents[1] / "vectors"
    if archive.is_file():
        return archive
    if (folder / "FORMAT.md").is_file():
        return folder
    raise FileNotFoundError("this copy of roomver has no test vectors; name a file or a folder")


def read_suite_files() -> Iterator[tuple[str, bytes]]:
    """Yield the name and the content of each file of the suite that ships with the package, sorted by name.

    The files are the same whether they come from the archive or from a checkout.

    Raises:
        OSError: if a file cannot be read.
        InputError: if the archive is damaged.
    """
    suite = find_suite()
    if suite.is_dir():
        for name, path in list_suite_files(suite).items():
            yield name, path.read_bytes()
    else:
        try:
            yield from read_archive(suite)
        except BadArchive as error:
            raise InputError(str(suite), str(error)) from None


_CHANGES: Final = "CHANGELOG.md"


def load_suite(*, optional: bool = False) -> list[Case]:
    """Read the cases of the suite that ships with the package, in the order of its files.

    Args:
        optional: also return the cases of the optional tier.

    Raises:
        OSError: if a file cannot be read.
        InputError: if the archive is damaged.
        BadVectors: naming the file.
    """
    files = ((name, content) for name, content in read_suite_files() if name.endswith(".json"))
    return of_tier(
        _unique_cases((name, _read_cases(name, content)) for name, content in files), optional=optional
    )


def suite_version(folder: Path | None = None) -> str:
    """Return the version of a suite, as its list of changes has it; empty if it has no such list.

    Args:
        folder: of the suite; by default the one that ships with the package.

    Raises:
        OSError: if a file cannot be read.
        InputError: if the archive is damaged.
    """
    if folder is None:
        content = next((content for name, content in read_suite_files() if name == _CHANGES), b"")
    else:
        content = (folder / _CHANGES).read_bytes() if (folder / _CHANGES).is_file() else b""
    found = re.match(rb"# Changes to the suite\n(?:(?!## ).*\n)*## ([0-9]+\.[0-9]+\.[0-9]+)", content)
    return "" if found is None else found[1].decode("ascii")


def load_cases(paths: Sequence[Path], *, optional: bool = False) -> list[Case]:
    """Read the cases of vector files.

    Args:
        paths: files, and folders that are searched for ``*.json``, subfolders included. A folder may
            hold other JSON: a file without any key of a vector document is skipped. A file that is named
            explicitly is never skipped.
        optional: also return the cases of the optional tier. They are returned anyway if there are no others.

    Returns:
        The cases in the order of the paths, and those of a folder in the order of its files' paths.

    Raises:
        OSError: if a file cannot be read.
        BadVectors: naming the file, if it is not JSON or is an invalid vector document.
    """
    return of_tier(_unique_cases(_cases_of_paths(paths)), optional=optional)


def of_tier(cases: list[Case], *, optional: bool) -> list[Case]:
    """Return cases without those of the optional tier, unless these are wanted or there are no others."""
    required = [case for case in cases if not case.optional]
    return cases if optional or not required else required


def _cases_of_paths(paths: Sequence[Path]) -> Iterator[tuple[str, Sequence[Case]]]:
    for path in paths:
        if path.is_dir():
            for file in sorted(path.rglob("*.json"), key=lambda file: file.relative_to(path).parts):
                yield str(file), _read_cases(str(file), file.read_bytes())
        else:
            yield str(path), _read_cases(str(path), path.read_bytes(), required=True)


def _unique_cases(files: Iterable[tuple[str, Sequence[Case]]]) -> list[Case]:
    # Reading makes millions of objects and no cycles. Searching them for cycles takes a third of the time.
    collects = gc.isenabled()
    gc.disable()
    try:
        listed = list(files)
    finally:
        if collects:
            gc.enable()
    at: dict[str, str] = {}
    for file, cases in listed:
        for case in cases:
            if case.name in at:
                reason = f"another case has this name: one is in {at[case.name]}, one in {file}."
                raise BadVectors(case.name, f"{reason} `roomver vectors capture --name` gives another name")
            at[case.name] = file
    return [case for _, cases in listed for case in cases]


def _read_cases(name: str, content: bytes, *, required: bool = False) -> Sequence[Case]:
    """Read the cases of one file; none if it is other JSON, unless cases are `required`."""
    try:
        document = _parse(content)
        return read_vectors(document) if required or is_vectors(document) else ()
    except BadVectors as error:
        where = f"{name}: {error.where}" if error.where else name
        raise BadVectors(where, error.reason) from None


def _parse(content: bytes) -> Any:
    # Not `parse_json`: a case may hold an event that is nested as deeply as that function allows.
    try:
        return json.loads(
            content.decode("utf-8"), object_pairs_hook=_unique_keys, parse_constant=_refuse_constant
        )
    except UnicodeDecodeError as error:
        raise BadVectors("", f"not UTF-8: {error.reason} at byte {error.start}") from None
    except (ValueError, RecursionError) as error:
        raise BadVectors("", f"not JSON: {error}") from None


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError(f"an object has a duplicate key among {', '.join(sorted(map(shorten, found)))}")
    return found


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")
