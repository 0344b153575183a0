"""Reading the test vectors: the suite that ships with the package, and any other files of them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..canonical import shorten
from ..suite.document import Case, check_unique, is_vectors, read_vectors
from ..suite.operations import BadVectors


def suite_folder() -> Path:
    """Return the folder of the suite that ships with the package.

    Raises:
        FileNotFoundError: if there is none, as in a copy of the source without its vectors.
    """
    package = Path(__file__).parents[1]
    for folder in (package / "_suite", package.parents[1] / "vectors"):
        if (folder / "FORMAT.md").is_file():
            return folder
    raise FileNotFoundError("no vectors ship with this copy of roomver: name a file or a folder")


def load_cases(paths: Sequence[Path]) -> list[Case]:
    """Read the cases of files, and of all vector files in folders and below, in the order of paths.

    A folder may hold other JSON: it is passed over if it has nothing of a vector document. A file that
    is no JSON, or has a vector document's keys and is none, is an error wherever it lies.

    Raises:
        OSError: for what cannot be read.
        BadVectors: naming the file.
    """
    cases: list[Case] = []
    for path in paths:
        if path.is_dir():
            files, named = sorted(path.rglob("*.json"), key=lambda file: file.relative_to(path).parts), False
        else:
            files, named = [path], True
        for file in files:
            try:
                document = _parse(file.read_bytes())
                if named or is_vectors(document):
                    cases += read_vectors(document)
            except BadVectors as error:
                raise BadVectors(
                    f"{file}: {error.where}" if error.where else str(file), error.reason
                ) from None
    check_unique(cases)
    return cases


def _parse(raw: bytes) -> Any:
    # Not `parse_json`: a case may hold an event that is nested as deep as that allows.
    try:
        return json.loads(raw.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise BadVectors("", f"not UTF-8: {error.reason} at byte {error.start}") from None
    except (ValueError, RecursionError) as error:
        raise BadVectors("", f"not JSON: {error}") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError(f"an object has a key twice among {', '.join(sorted(map(shorten, found)))}")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")
