"""Files that define a room version, in TOML."""

import tomllib
from typing import BinaryIO, Final

from ..canonical import shorten
from ..errors import RoomverError
from ..versions import RoomVersion, derived
from .entries import InputError

_MAX_BYTES: Final = 2**20


def read_version(stream: BinaryIO, name: str) -> RoomVersion:
    """Read the definition of a room version.

    Args:
        stream: TOML with ``identifier``, ``based_on`` and the fields that change, as in `RoomVersion.derive`.
        name: what messages call the file.

    Raises:
        InputError: if it is not such a definition.
        OSError: if it cannot be read.
    """
    text = stream.read(_MAX_BYTES + 1)
    if len(text) > _MAX_BYTES:
        raise InputError(
            name, f"this is not the definition of a room version: it has more than {_MAX_BYTES:,} bytes"
        )
    try:
        fields = tomllib.loads(text.decode())
    except UnicodeDecodeError as error:
        raise InputError(name, f"not UTF-8: {error.reason} at byte {error.start}") from None
    except RecursionError:
        raise InputError(name, "it is nested too deeply") from None
    except ValueError as error:
        raise InputError(name, f"this is not TOML: {error}") from None
    for key in ("identifier", "based_on"):
        if type(fields.get(key)) is not str:
            found = f"found {shorten(fields[key])}" if key in fields else "it has none"
            raise InputError(name, f'expected {key} = "…", a string; {found}')
    identifier, based_on = fields.pop("identifier"), fields.pop("based_on")
    try:
        return derived(identifier, based_on, fields)
    except RoomverError as error:
        raise InputError(name, str(error)) from None
