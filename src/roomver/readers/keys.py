"""Tables of servers' signing keys.

A table is either plain, as in the header of a recorded room, or made of servers' answers to requests for
keys. An answer counts only if its server has signed it.
"""

from collections.abc import Mapping

from ..canonical import parse_json
from ..errors import RoomverError
from ..keys import KeyTable, VerifyKey, read_key_table
from ..signatures import read_server_keys
from ..types import JsonValue, KeyId, ServerName
from .entries import InputError


def read_keys(text: bytes, name: str) -> dict[ServerName, dict[KeyId, VerifyKey]]:
    """Read a file of signing keys.

    Args:
        text: JSON, one of: a plain table ``{server: {key ID: {"key": …, "valid_until_ts": …}}}``; the answer
            of ``/_matrix/key/v2/server``, or an array of such answers; ``{"server_keys": [answer, …]}``,
            which is the answer of ``/_matrix/key/v2/query``.
        name: what messages call the file.

    Raises:
        InputError: if it is none of these, if a key is malformed, or if an answer is not signed by its own
            server.
    """
    try:
        keys = _read(parse_json(text, strict=False))
        if not keys:
            raise InputError("", "there are no keys in it")
        return keys
    except InputError as error:
        raise InputError(name, error.reason) from None
    except RoomverError as error:
        raise InputError(name, str(error)) from None


def _read(value: JsonValue) -> dict[ServerName, dict[KeyId, VerifyKey]]:
    answers: list[JsonValue]
    if type(value) is list:
        answers = value
    elif type(value) is dict and type(value.get("server_keys")) is list:
        answers = value["server_keys"]  # type: ignore[assignment]
    elif type(value) is dict and "verify_keys" in value:
        answers = [value]
    else:
        return read_key_table(value)
    table: dict[ServerName, dict[KeyId, VerifyKey]] = {}
    for index, answer in enumerate(answers):
        if type(answer) is not dict:
            raise InputError("", f"answer {index + 1} of {len(answers)} is not a JSON object")
        server, keys = read_server_keys(answer)
        mine = table.setdefault(server, {})
        for key_id, key in keys.items():
            mine[key_id] = _newer(mine.get(key_id), key)
    return table


def _newer(one: VerifyKey | None, other: VerifyKey) -> VerifyKey:
    """Return the newer of two answers about a key.

    A server says that a key has expired only after it was in use, and a later answer has the later end of
    validity.
    """
    if one is None or one.key != other.key:
        return other
    if (one.expired_ts is None) != (other.expired_ts is None):
        return other if one.expired_ts is None else one
    return other if (other.valid_until_ts or 0) >= (one.valid_until_ts or 0) else one


def merge_keys(*tables: KeyTable | None) -> KeyTable | None:
    """Merge tables. Where two of them have the same key, the later table counts.

    None stands for no table. The result is None if all are: then no keys were given.
    """
    given = [table for table in tables if table is not None]
    if not given:
        return None
    merged: dict[ServerName, Mapping[KeyId, VerifyKey]] = {}
    for table in given:
        for server, keys in table.items():
            merged[server] = {**merged.get(server, {}), **keys}
    return merged
