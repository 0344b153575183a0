"""Verify keys and transactions: what servers fetch from each other and send, apart from rooms."""

from collections.abc import Collection
from dataclasses import replace
from typing import Final

from ..canonical import plain_object
from ..errors import RoomverError
from ..keys import VALIDITY_CAP_MS, KeyRing, SigningKey, VerifyKey
from ..signatures import read_server_keys
from ..signing import sign_json
from ..types import JsonObject, KeyId, ServerName
from ..unpadded import encode_unpadded
from .asking import PREFIX, path_part
from .needs import FederationSteps, NeedResponse

_KEYS: Final = "/_matrix/key/v2/server"


def fetch_keys_steps(
    keys: Collection[tuple[ServerName, KeyId]], ring: KeyRing, now: int
) -> FederationSteps[KeyRing]:
    """Fetch the verify keys that a key ring lacks, or whose validity has ended, from their servers.

    Source: https://spec.matrix.org/latest/server-server-api/#get_matrixkeyv2server

    Args:
        keys: the wanted keys, as `roomver.steps.NeedKeys` names them.
        ring: the keys that are known.
        now: the time, in milliseconds since the epoch.

    Returns:
        The key ring with the wanted keys that were found, and the time. Other keys that the servers publish
        are left out, so that the ring grows only by what is asked for.
    """
    fetched = [KeyRing(now=now)]
    for server in sorted({server for server, key_id in keys if not _is_usable(ring, server, key_id, now)}):
        response = yield NeedResponse(server, "GET", _KEYS)
        try:
            name, found = read_server_keys(plain_object(response.body) or {})
        except RoomverError:
            continue
        if name == server:
            wanted = {key_id: _capped(key, now) for key_id, key in found.items() if (server, key_id) in keys}
            fetched.append(KeyRing.of({server: wanted}, now=now))
    return replace(KeyRing.joined([ring, *fetched]), complete=False, required=False)


# "Servers MUST use the lesser of this field and 7 days into the future when determining if a key is valid.
# This is to avoid a situation where an attacker publishes a key which is valid for a significant amount of
# time without a way for the homeserver owner to revoke it."
def _capped(key: VerifyKey, now: int) -> VerifyKey:
    """Return a key that is valid for at most seven days, so that it is fetched again after that."""
    until = key.valid_until_ts
    return key if until is None else replace(key, valid_until_ts=min(until, now + VALIDITY_CAP_MS))


def _is_usable(ring: KeyRing, server: ServerName, key_id: KeyId, now: int) -> bool:
    """Tell whether a key is known, and nothing newer can be learned of it."""
    return any(
        key.expired_ts is not None or key.valid_until_ts is None or key.valid_until_ts >= now
        for key in ring.find(server, key_id)
    )


def answer_keys(server: ServerName, key: SigningKey, *, valid_until_ts: int) -> JsonObject:
    """Return the response to ``/_matrix/key/v2/server``: the verify key of this server, signed with it.

    Args:
        server: the name of this server.
        key: its signing key.
        valid_until_ts: when others must fetch the key again, in milliseconds since the epoch.
    """
    body: JsonObject = {
        "server_name": server,
        "verify_keys": {key.key_id: {"key": encode_unpadded(key.verify_key.key)}},
        "old_verify_keys": {},
        "valid_until_ts": valid_until_ts,
    }
    return sign_json(body, server, key)


def send_steps(
    pdus: Collection[JsonObject],
    transaction_id: str,
    server: ServerName,
    *,
    origin: ServerName,
    now: int,
) -> FederationSteps[bool]:
    """Send events to another server (``/send``).

    Source: https://spec.matrix.org/latest/server-server-api/#put_matrixfederationv1sendtxnid

    Args:
        pdus: at most 50 PDUs, in the order in which they were made.
        transaction_id: names the transaction. Use it again only to send the same events again.
        server: the other server.
        origin: this server.
        now: the time, in milliseconds since the epoch.

    Returns:
        Whether the server has taken the transaction. If not, send it again later.
    """
    content: JsonObject = {"origin": origin, "origin_server_ts": now, "pdus": [*pdus]}
    response = yield NeedResponse(server, "PUT", f"{PREFIX}/v1/send/{path_part(transaction_id)}", content)
    return response.body is not None
