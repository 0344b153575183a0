"""Signatures that other servers return for an event that was sent to them. Nothing else is taken.

Source: https://spec.matrix.org/latest/server-server-api/#inviting-to-a-room and
https://spec.matrix.org/latest/server-server-api/#policy-servers
"""

from collections.abc import Mapping

from ..canonical import join_path, plain_object, shorten
from ..errors import Defect, MalformedEvent, NotCanonical
from ..event import Event, parse_event
from ..pdu import scanned_copy
from ..policy import PolicyServer, check_policy_signature
from ..signature_results import POLICY_SERVER_KEY
from ..types import JsonObject, JsonValue, ServerName
from ..versions import RoomVersion


def take_signature(event: Event, response: object, server: ServerName) -> Event:
    """Return an invite with the signature of the invited server, from its response. Nothing else is taken.

    Source: https://spec.matrix.org/latest/server-server-api/#put_matrixfederationv2inviteroomideventid: "The
    event with the invited server's signature added. All other fields of the events should remain untouched."

    Args:
        event: the invite, as it was sent.
        response: the body of the response, ``{"event": …}``. It is not trusted. The signature is not checked:
            no server requires it.
        server: the invited server.

    Raises:
        MalformedEvent: if the response has no signature of the server, or the invite would be too large with
            it.
    """
    body = plain_object(response) or {}
    returned = body.get("event")
    signatures = returned.get("signatures") if type(returned) is dict else None
    mine = signatures.get(server) if type(signatures) is dict else None
    if type(mine) is not dict or not mine:
        path = join_path("event.signatures", server)
        raise MalformedEvent(
            [Defect(path, "signatures of the server", shorten(mine))], event.room_version.identifier
        )
    return _with_signatures(event, server, mine)


def take_policy_signature(event: Event, response: object, server: PolicyServer) -> Event:
    """Return an event with the signature of the room's policy server, from its response to ``/sign``.

    Source: https://spec.matrix.org/latest/server-server-api/#post_matrixpolicyv1sign

    Args:
        event: the event, as it was sent.
        response: the body of the response, server name to key ID to signature. It is not trusted.
        server: the policy server: `Made.policy_server`.

    Raises:
        MalformedEvent: if the response does not have a valid signature of the server, or the event would be
            too large with it.
    """
    signatures = (plain_object(response) or {}).get(server.name)
    mine = signatures.get(POLICY_SERVER_KEY) if type(signatures) is dict else None
    path = join_path(join_path("", server.name), POLICY_SERVER_KEY)
    if type(mine) is not str:
        defect = Defect(path, "a signature", "nothing" if mine is None else shorten(mine))
        raise MalformedEvent([defect], event.room_version.identifier)
    signed = _with_signatures(event, server.name, {POLICY_SERVER_KEY: mine})
    refusal = check_policy_signature(signed, server)
    if refusal is not None:
        raise MalformedEvent(
            [Defect(path, "a valid signature", refusal.reason)], event.room_version.identifier
        )
    return signed


def _with_signatures(event: Event, server: ServerName, theirs: Mapping[str, JsonValue]) -> Event:
    """Return an event with more signatures of a server. Those that it has are kept."""
    has = event.signatures.get(server)
    added: JsonObject = {**theirs, **(has if type(has) is dict else {})}
    pdu: JsonObject = {**event.pdu, "signatures": {**event.signatures, server: added}}
    return parse_event(told_copy(pdu, "", event.room_version), event.room_version)


def told_copy(value: JsonObject, path: str, version: RoomVersion) -> JsonObject:
    """Return a deep copy of an object that another server has told, as a part of an event.

    Raises:
        MalformedEvent: if it cannot be encoded as canonical JSON.
    """
    try:
        return scanned_copy(value, strict=version.strict_canonical_json, path=path)
    except NotCanonical as error:
        raise MalformedEvent(
            [Defect(error.path, "canonical JSON", error.reason)], version.identifier
        ) from None
