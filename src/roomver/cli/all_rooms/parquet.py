"""Results as Parquet, made of the JSON Lines when a run is complete.

A Parquet file can be read only when its end is written. So a run always writes JSON Lines, which an
interruption leaves readable. The file beside, ``NAME.parquet.jsonl``, goes when the Parquet file is complete.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any, Final

from ...readers import InputError
from ...readers.extras import install_extra
from ...signature_results import SigningStatus
from ...types import JsonObject
from ..common import display_name
from ..escaped import ascii_json

_ROWS: Final = 10_000  # at once in memory
_HEADER: Final = b"roomver"
_NEEDS: Final = f"writing Parquet needs pyarrow: {install_extra('parquet')}"
_NUMBERS: Final = ("intact", "redacted", "rejected", "soft_failed", "undecided", "bad")
_RESETS: Final = ("resets", "resets_unintended", "resets_unclassified")
_AFTER: Final = ("contradictions", "lost", "checks_unknown")
_RESET: Final = ("type", "state_key", "lost", "merge", "at", "class")
_SIGNATURES: Final = (*(one.value.replace(" ", "_") for one in SigningStatus), "not_checked")


def is_parquet(path: str) -> bool:
    """Tell whether results are to be Parquet, by the end of the name."""
    return path.endswith(".parquet")


def lines_of(path: str) -> str:
    """Return the name of the JSON Lines from which a Parquet file is made."""
    return f"{path}.jsonl"


def check_parquet(path: str) -> None:
    """Check that Parquet can be written, before hours of work are done for it.

    Raises:
        InputError: if pyarrow is not installed.
    """
    _pyarrow(path)


def _pyarrow(path: str) -> tuple[Any, Any]:
    try:
        return import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError:
        raise InputError(display_name(path), _NEEDS) from None


def _schema(pa: Any, header: JsonObject) -> Any:
    number, text = pa.int64(), pa.string()
    fields = [
        ("room_id", text),
        ("name", text),
        ("source", text),
        ("chosen", pa.bool_()),
        ("room_version", text),
        ("status", text),
        ("code", number),
        ("events", number),
        *((name, number) for name in _NUMBERS),
        ("signatures", pa.struct([(name, number) for name in _SIGNATURES])),
        ("kinds", pa.map_(text, number)),
        ("disagreements", pa.struct([(name, number) for name in ("events", "state", "extremities")])),
        *((name, number) for name in (*_RESETS, *_AFTER)),
        ("first", pa.list_(pa.struct([("event_id", text), ("kinds", pa.list_(text))]))),
        ("first_resets", pa.list_(pa.struct([(name, text) for name in _RESET]))),
        ("notes", pa.list_(text)),
        ("reason", text),
        ("seconds", pa.float64()),
        ("command", text),
    ]
    return pa.schema(fields, metadata={_HEADER: ascii_json(header).encode()})


def write_parquet(path: str) -> None:
    """Make a Parquet file of the JSON Lines beside it, and remove these.

    Raises:
        InputError: if it cannot be written. The JSON Lines then stay.
    """
    pa, parquet = _pyarrow(path)
    lines, new = Path(lines_of(path)), Path(f"{path}.new")
    try:
        with lines.open("rb") as stream:
            header = json.loads(next(stream))
            schema = _schema(pa, header)
            with parquet.ParquetWriter(new, schema) as out:
                while rows := [json.loads(line) for line in islice(stream, _ROWS)]:
                    out.write_table(pa.Table.from_pylist([*map(_row, rows)], schema))
        new.replace(path)
        lines.unlink()
    except (OSError, ValueError) as error:
        with suppress(OSError):
            new.unlink()
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(
            display_name(path),
            f"it cannot be written: {reason}; the results are in {display_name(str(lines))}",
        ) from None


def _row(answer: dict[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {name: _clean(value) for name, value in answer.items()}
    return row | {"kinds": [*row["kinds"].items()]}


def _clean(value: Any) -> Any:
    """Return a value in which half surrogate pairs, which are not text for Parquet, are escaped."""
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, list):
        return [*map(_clean, value)]
    if isinstance(value, dict):
        return {name: _clean(one) for name, one in value.items()}
    return value


def lines_again(path: str) -> None:
    """Make the JSON Lines of a Parquet file again, to go on with them.

    Raises:
        InputError: if it is not a file of results.
    """
    pa, parquet = _pyarrow(path)
    target = Path(lines_of(path))
    new = Path(f"{target}.new")
    try:
        with parquet.ParquetFile(path) as file, new.open("w", encoding="ascii") as out:
            header = (file.schema_arrow.metadata or {}).get(_HEADER)
            if header is None:
                reason = "this is not a results file of `roomver check --rooms`: it is left as it is"
                raise InputError(display_name(path), reason)
            out.write(f"{header.decode()}\n")
            for row in _rows(file):
                out.write(f"{ascii_json(row | {'kinds': dict(row['kinds'])})}\n")
        new.replace(target)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise InputError(display_name(path), f"it cannot be read as Parquet: {error}") from None
    finally:
        new.unlink(missing_ok=True)


def _rows(file: Any) -> Iterator[dict[str, Any]]:
    for batch in file.iter_batches(_ROWS):
        yield from batch.to_pylist()
