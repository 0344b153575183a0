"""The signatures of requests between servers: the ``Authorization`` header, made and checked.

Source: https://spec.matrix.org/latest/server-server-api/#request-authentication
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from ..canonical import encode_canonical, load_json, plain_object
from ..errors import NotCanonical
from ..identifiers import is_server_name
from ..keys import KeyRing, SigningKey, VerifyKey
from ..signatures import verify_json
from ..steps import NeedKeys, Steps
from ..types import EventId, JsonObject, JsonValue, KeyId, RoomId, ServerName
from ..unpadded import encode_unpadded
from .needs import NeedResponse

# Parameters are `name=value` or `name="value"`, with commas between them. Names are case-insensitive.
# The lookbehind keeps a long word from being tried from each of its letters.
_PARAMETER: Final = re.compile(r'(?<![A-Za-z])([A-Za-z]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^",\s]*))')
# "A backslash-character pair is replaced by the character that follows the backslash."
_ESCAPED: Final = re.compile(r"\\(.)")

# The endpoints that are answered: the method, the version, and how many parts the path has after the name.
ENDPOINTS: Final[Mapping[str, tuple[str, str, int]]] = {
    "send": ("PUT", "v1", 1),
    "invite": ("PUT", "v2", 2),
    "make_join": ("GET", "v1", 2),
    "make_leave": ("GET", "v1", 2),
    "make_knock": ("GET", "v1", 2),
    "send_join": ("PUT", "v2", 2),
    "send_leave": ("PUT", "v2", 2),
    "send_knock": ("PUT", "v1", 2),
    "event": ("GET", "v1", 1),
    "event_auth": ("GET", "v1", 2),
    "state": ("GET", "v1", 1),
    "state_ids": ("GET", "v1", 1),
    "get_missing_events": ("POST", "v1", 1),
    "backfill": ("GET", "v1", 1),
}
# "Transactions are limited in size; they can have at most 50 PDUs".
MOST_PDUS: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request of another server. Who sent it is what it says, until `check_request_steps` has checked it.

    Attributes:
        method, uri: as in the request line.
        origin: the server that says it sent the request.
        destination: whom it is for; None if it does not say.
        key_id, signature: of its signature.
        content: the JSON body; None without one.
        parts: the parts of the path, decoded; empty ones are left out.
        query: the parameters of the query, decoded.
    """

    method: str
    uri: str
    origin: ServerName
    destination: ServerName | None
    key_id: KeyId
    signature: str
    content: JsonValue
    parts: tuple[str, ...]
    query: Mapping[str, list[str]]

    @property
    def endpoint(self) -> str:
        """The name of the endpoint, such as ``make_join``; empty if `answer_steps` does not answer it.

        The version in the path counts: ``/v1/send_join`` has another response than ``/v2/send_join``. The
        method does not: see `has_method`.
        """
        if len(self.parts) < 4 or self.parts[:2] != ("_matrix", "federation"):
            return ""
        _, version, count = ENDPOINTS.get(self.parts[3], ("", "", 0))
        return self.parts[3] if version == self.parts[2] and len(self.rest) == count else ""

    @property
    def has_method(self) -> bool:
        """Whether the method is that of the endpoint."""
        return self.endpoint != "" and ENDPOINTS[self.endpoint][0] == self.method

    @property
    def rest(self) -> tuple[str, ...]:
        """The parts of the path after the endpoint."""
        return self.parts[4:]

    @property
    def room_ids(self) -> tuple[RoomId, ...]:
        """The rooms that it is about: those of the PDUs of a transaction, or the one in the path.

        Empty for ``event``, whose room is that of the `event_id`.
        """
        if self.endpoint == "send":
            return tuple(dict.fromkeys(room_id for _, room_id in self.pdus))
        return self.rest[:1] if self.endpoint not in ("", "event") else ()

    @property
    def event_id(self) -> EventId | None:
        """The event that is asked for, of ``event``."""
        return self.rest[0] if self.endpoint == "event" and self.rest else None

    @property
    def pdus(self) -> tuple[tuple[JsonObject, RoomId], ...]:
        """The PDUs of a transaction, each with the room that it says it is of.

        Empty if there are more than 50, because then the transaction is refused: see `too_large`.
        """
        if self.too_large:
            return ()
        content = plain_object(self.content) or {}
        found = content.get("pdus") if self.endpoint == "send" else None
        fields = [plain_object(one) or {} for one in found] if type(found) is list else []
        return tuple((one, room_id) for one in fields if type(room_id := one.get("room_id")) is str)

    @property
    def too_large(self) -> bool:
        """Whether it is a transaction of more than 50 PDUs."""
        found = (plain_object(self.content) or {}).get("pdus") if self.endpoint == "send" else None
        return type(found) is list and len(found) > MOST_PDUS

    @property
    def changes(self) -> bool:
        """Whether answering it stores something: answer one at a time in a room."""
        return self.endpoint in ("send", "send_join", "send_leave", "send_knock")


def sign_request(need: NeedResponse, *, origin: ServerName, key: SigningKey) -> str:
    """Return the ``Authorization`` header of a request to another server.

    Source: https://spec.matrix.org/latest/server-server-api/#request-authentication

    Args:
        need: the request.
        origin: this server.
        key: this server's key.

    Raises:
        NotCanonical: if the body cannot be encoded as canonical JSON.

    >>> key = SigningKey.from_seed("ed25519:1", "YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1")
    >>> sign_request(NeedResponse("b.org", "GET", "/_matrix/x"), origin="a.org", key=key)[:63]
    'X-Matrix origin="a.org",destination="b.org",key="ed25519:1",sig'
    """
    signed = _signed(need.method, need.uri, origin, need.server, need.content)
    signature = encode_unpadded(key.sign(encode_canonical(signed, strict=False)))
    named = f'origin="{origin}",destination="{need.server}",key="{key.key_id}",sig="{signature}"'
    return f"X-Matrix {named}"


def read_request(method: str, uri: str, authorization: str, body: str | bytes = b"") -> Request | None:
    """Read a request of another server, without checking its signature.

    Args:
        method, uri: the request line, as it came.
        authorization: the ``Authorization`` header.
        body: the body.

    Returns:
        The request; None if the header or the body is malformed. Answer with status 401 then.
    """
    scheme, _, rest = authorization.partition(" ")
    fields = {
        name.lower(): _ESCAPED.sub(r"\1", quoted) or bare for name, quoted, bare in _PARAMETER.findall(rest)
    }
    if scheme.lower() != "x-matrix" or not fields.keys() >= {"origin", "key", "sig"}:
        return None
    # Its keys are asked for before anything is known of it, so it must not be a path or a user name.
    if not is_server_name(fields["origin"]):
        return None
    try:
        content = load_json(body) if body else None
        path = urlsplit(uri)
    except (NotCanonical, ValueError):
        return None
    return Request(
        method=method,
        uri=uri,
        origin=fields["origin"],
        destination=fields.get("destination"),
        key_id=fields["key"],
        signature=fields["sig"],
        content=content,
        parts=tuple(unquote(part) for part in path.path.split("/") if part),
        query=parse_qs(path.query),
    )


def check_request_steps(request: Request, server: ServerName) -> Steps[bool]:
    """Tell whether a request was signed by its origin, for a server. It asks for one key.

    A key that has expired, or whose validity has ended at the time of the key ring, signs no request. A
    request that comes twice is good twice: nothing in it is used only once.

    Args:
        request: the request, as `read_request` returns it.
        server: the name of this server.

    Returns:
        Whether it was. If not, answer with status 401.
    """
    if request.destination not in (None, server):
        return False
    ring: KeyRing = yield NeedKeys(frozenset([(request.origin, request.key_id)]))
    signed = _signed(request.method, request.uri, request.origin, server, request.content)
    signed["signatures"] = {request.origin: {request.key_id: request.signature}}
    keys = [key for key in ring.find(request.origin, request.key_id) if _is_in_use(key, ring.now)]
    try:
        return any(
            verify_json(signed, request.origin, {request.key_id: key}, strict=False).valid for key in keys
        )
    except NotCanonical:
        return False


# "`verify_keys` that are valid for signing federation requests […] and for signing events. […]
# `old_verify_keys` which are only valid for signing events."
def _is_in_use(key: VerifyKey, now: int | None) -> bool:
    """Tell whether a server signs requests with a key now."""
    if key.expired_ts is not None:
        return False
    return now is None or key.valid_until_ts is None or now <= key.valid_until_ts


def _signed(
    method: str, uri: str, origin: ServerName, destination: ServerName, content: JsonValue
) -> JsonObject:
    """Return what is signed of a request."""
    signed: JsonObject = {"method": method, "uri": uri, "origin": origin, "destination": destination}
    return signed if content is None else {**signed, "content": content}
