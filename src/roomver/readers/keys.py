"""Tables of servers' verify keys.

A table is either plain, as in the header of a recorded room, or consists of servers' responses to requests
for keys. A response counts only if its server signed it. Checked with ``/_matrix/key/v2/server`` and the file
of signing keys of Synapse 1.163.2.
"""

from collections.abc import Iterator
from typing import NamedTuple

from ..canonical import parse_json
from ..errors import BadKey, RoomverError
from ..keys import KeyRing, SigningKey, VerifyKey, read_key_table
from ..signatures import read_server_keys
from ..types import JsonObject, JsonValue, KeyId, ServerName
from .entries import InputError


class ReadKeys(NamedTuple):
    """The contents of a file of verify keys.

    Attributes:
        keys: the keys that can be used.
        refused: for each key or response that cannot be used, what is wrong with it.
    """

    keys: KeyRing
    refused: tuple[str, ...]


def read_keys(text: bytes, name: str) -> ReadKeys:
    """Read a file of verify keys. One bad key or response does not discard the others.

    Args:
        text: JSON, one of: a plain table ``{server: {key ID: {"key": …, "valid_until_ts": …, "expired_ts":
            …}}}``; the response of ``/_matrix/key/v2/server``, or an array of such responses;
            ``{"server_keys": [response, …]}``, which is the response of ``/_matrix/key/v2/query``.
        name: what messages call the file, and the source of its keys.

    Raises:
        InputError: if the file has none of these forms, or if no key in it can be used.
    """
    if is_signing_keys(text):
        raise InputError(name, f"this is a server's file of signing keys: give its server, SERVER={name}")
    try:
        value = parse_json(text, strict=False)
    except RoomverError as error:
        raise InputError(name, str(error)) from None
    rings = []
    refused = []
    for found in _read(value, name):
        if isinstance(found, str):
            refused.append(found)
        else:
            rings.append(found)
    keys = KeyRing.joined(rings)
    if not any(keys.keys.values()):
        more = f" (and {len(refused) - 1:,} more like this)" if len(refused) > 1 else ""
        raise InputError(name, f"{refused[0]}{more}" if refused else "it contains no keys")
    return ReadKeys(keys, tuple(refused))


def read_signing_keys(text: bytes, name: str, server: ServerName) -> KeyRing:
    """Read a server's file of signing keys, as Synapse writes it, for its verify keys.

    Args:
        text: lines of an algorithm, an identifier and a seed.
        name: what messages call the file.
        server: the server's name, which is not in the file.

    Raises:
        InputError: if the file has another form. The message quotes nothing of it.
    """
    if text.lstrip().startswith((b"{", b"[")):
        raise InputError(name, f"this is a key response, or a table of verify keys: --keys {name}")
    keys: dict[KeyId, VerifyKey] = {}
    for line in text.decode(errors="replace").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        try:
            algorithm, identifier, seed = line.split()
            key = SigningKey.from_seed(f"{algorithm}:{identifier}", seed)
        except (ValueError, RoomverError):
            raise InputError(name, "not a file of signing keys: expected lines `ed25519 ID SEED`") from None
        keys[key.key_id] = key.verify_key
    if not keys:
        raise InputError(name, "it contains no keys")
    return KeyRing.of({server: keys}, source=name)


def is_signing_keys(text: bytes) -> bool:
    """Tell whether a file looks like a server's file of signing keys."""
    return text.startswith(b"ed25519 ")


def _read(value: JsonValue, name: str) -> Iterator[KeyRing | str]:
    """Yield the keys in a file part by part; for a part that cannot be used, yield the reason."""
    if type(value) is list:
        yield from _answers(value, name)
    elif type(value) is dict and type(answers := value.get("server_keys")) is list:
        yield from _answers(answers, name)
    elif type(value) is dict and "verify_keys" in value:
        yield from _answers([value], name)
    elif type(value) is dict:
        yield from _table(value, name)
    else:
        yield _tried(value, name)


def _answers(answers: list[JsonValue], name: str) -> Iterator[KeyRing | str]:
    for index, answer in enumerate(answers, 1):
        where = f"response {index} of {len(answers)}"
        if type(answer) is not dict:
            yield f"{where} is not a JSON object"
            continue
        try:
            server, keys = read_server_keys(answer)
        except RoomverError as error:
            yield f"{where}: {error}"
        else:
            yield KeyRing.of({server: keys}, source=name if len(answers) == 1 else f"{name} ({where})")


def _table(table: JsonObject, name: str) -> Iterator[KeyRing | str]:
    """Read a table server by server, and a server with a bad key key by key."""
    for server, by_id in table.items():
        whole = _tried({server: by_id}, name)
        if isinstance(whole, str) and type(by_id) is dict:
            yield from (_tried({server: {key_id: key}}, name) for key_id, key in by_id.items())
        else:
            yield whole


def _tried(table: JsonValue, name: str) -> KeyRing | str:
    try:
        return read_key_table(table, source=name)
    except BadKey as error:
        return str(error)
