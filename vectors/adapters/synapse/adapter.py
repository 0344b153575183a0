"""Answer the requests of the test vectors, in JSON Lines, with Synapse's own functions.

The adapter only translates. Each answer is what a function of the matrix-synapse wheel returns for the input.
The adapter needs only that wheel and its dependencies.
"""

import json
import os
import sys
import warnings
from collections.abc import Callable
from copy import deepcopy
from hashlib import sha256
from typing import Any

with warnings.catch_warnings():
    # Twisted warns about its own deprecated parts when Synapse imports it.
    warnings.simplefilter("ignore")
    import synapse.server  # noqa: F401 - must come first, because Synapse's modules import each other
    from canonicaljson import encode_canonical_json
    from room import auth, auth_types, redaction_applies, resolve
    from signedjson.key import decode_signing_key_base64, decode_verify_key_bytes
    from signedjson.sign import sign_json
    from support import Outcome, Unsupported, finish, made, version_of
    from synapse.crypto.event_signing import add_hashes_and_signatures, compute_content_hash
    from synapse.crypto.keyring import FetchKeyResult, Keyring, VerifyJsonRequest
    from synapse.event_auth import _check_size_limits
    from synapse.events.utils import validate_canonicaljson
    from synapse.federation.federation_base import _check_sigs_on_pdu, parse_events_from_pdu_json
    from synapse.synapse_rust.events import redact_event_dict
    from synapse.types import get_domain_from_id
    from synapse.util.json import json_decoder
    from timed import timed
    from unpaddedbase64 import decode_base64, encode_base64


def canonical_json(given: Outcome, version: str) -> Outcome:
    value = json_decoder.decode(given["json"])
    if version_of(version).strict_canonicaljson:
        validate_canonicaljson(value)
    return {"canonical": encode_canonical_json(value).decode()}


def event_format(given: Outcome, version: str) -> Outcome:
    """Run the checks that come before the check of the signatures."""
    try:
        parsed = parse_events_from_pdu_json([deepcopy(given["event"])], version_of(version))
        if not parsed:
            return {"valid": False, "detail": "dropped silently because of its depth"}
        (event,) = parsed
        get_domain_from_id(event.sender)
        _check_size_limits(event)
        # The limits of `_sanity_check_event`.
        valid = len(event.prev_event_ids()) <= 20 and len(event.auth_event_ids()) <= 10
    except Exception as error:
        return {"valid": False, "detail": repr(error)}
    return {"valid": valid}


def content_hash(given: Outcome, _version: str) -> Outcome:
    return {"sha256": encode_base64(compute_content_hash(given["event"], sha256)[1])}


def event_id(given: Outcome, version: str) -> Outcome:
    return {"event_id": made(given["event"], version).event_id}


def redact(given: Outcome, version: str) -> Outcome:
    redacted = redact_event_dict(version_of(version), deepcopy(given["event"]))
    # Synapse keeps parts of it for its own use. On receipt it strips them, and they are not hashed.
    redacted.pop("unsigned", None)
    return {"event": redacted}


class _Asked:
    """Record which servers' signatures are checked, and accept every signature."""

    def __init__(self) -> None:
        self.servers: set[str] = set()

    async def verify_event_for_server(self, server: str, _event: Any, _valid_until: int) -> None:
        self.servers.add(server)


def required_signers(given: Outcome, version: str) -> Outcome:
    asked = _Asked()
    event = made(
        {"hashes": {}, "signatures": {}, **given["event"]}, version
    )  # Synapse reads no event without these keys
    finish(_check_sigs_on_pdu(asked, version_of(version), event))
    return {"servers": sorted(asked.servers)}


class _Keys(Keyring):  # type: ignore[misc] # mypy does not read Synapse, so its classes are Any
    """A keyring that has the given keys and fetches none."""

    def __init__(self, keys: dict[str, dict[str, FetchKeyResult]]) -> None:
        # Without the parent's __init__, which needs a whole server.
        self._known = keys
        self._local_verify_keys: dict[str, FetchKeyResult] = {}
        self._fetch_keys_queue = self

    def _is_mine_server_name(self, _server: str) -> bool:
        return False

    async def add_to_queue(self, _request: Any, key: Any) -> dict[str, dict[str, FetchKeyResult]]:
        return {key: self._known.get(key, {})}

    async def verify_event_for_server(self, server: str, event: Any, valid_until: int) -> None:
        await self.process_request(VerifyJsonRequest.from_event(server, event, valid_until))


def verify_signatures(given: Outcome, version: str) -> Outcome:
    keys: dict[str, dict[str, FetchKeyResult]] = {}
    for server, by_id in given["keys"].items():
        for key_id, one in by_id.items():
            try:
                key = decode_verify_key_bytes(key_id, decode_base64(one["key"]))
            except ValueError:
                continue  # Synapse's own fetchers skip such a key, too
            # Synapse keeps the end of an old key in the same place.
            until = one.get("expired_ts", one.get("valid_until_ts", 2**63))
            found = FetchKeyResult(key, until)
            keys.setdefault(server, {})[key_id] = found
    try:
        finish(_check_sigs_on_pdu(_Keys(keys), version_of(version), made(given["event"], version)))
    except Exception as error:
        return {"valid": False, "detail": repr(error)}
    return {"valid": True}


def _signing_key(given: Outcome) -> Any:
    algorithm, _, name = given["key_id"].partition(":")
    return decode_signing_key_base64(algorithm, name, given["seed"])


def sign_object(given: Outcome, _version: str) -> Outcome:
    return {"object": sign_json(deepcopy(given["object"]), given["server"], _signing_key(given))}


def sign_event(given: Outcome, version: str) -> Outcome:
    event = deepcopy(given["event"])
    add_hashes_and_signatures(version_of(version), event, given["server"], _signing_key(given))
    return {"event": event}


OPERATIONS: dict[str, Callable[[Outcome, str], Outcome]] = {
    "canonical_json": canonical_json,
    "event_format": event_format,
    "content_hash": content_hash,
    "event_id": event_id,
    "redact": redact,
    "required_signers": required_signers,
    "verify_signatures": verify_signatures,
    "sign_json": sign_object,
    "sign_event": sign_event,
    "auth_types": auth_types,
    "auth": auth,
    "redaction_applies": redaction_applies,
    "resolve": resolve,
    "time": timed,
}


def answer(line: bytes) -> Outcome:
    try:
        request = json.loads(line)
    except (ValueError, RecursionError) as error:
        return {"id": None, "error": repr(error)}
    if not isinstance(request, dict):
        return {"id": None, "error": "a request must be an object"}
    identity = {"id": request.get("id")}
    try:
        run = OPERATIONS[request["operation"]]
    except (KeyError, TypeError):
        return identity | {"unsupported": True}
    try:
        return identity | {"output": run(request["input"], request["room_version"])}
    except Unsupported:
        return identity | {"unsupported": True}
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic in Synapse's Rust code is not an Exception
        return identity | {"error": repr(error)}


def main() -> None:
    # Only answers may go to standard output. What Python, Rust or C code prints goes to standard error.
    with os.fdopen(os.dup(1), "w", encoding="ascii") as answers:
        os.dup2(2, 1)
        for line in sys.stdin.buffer:
            if line.strip():
                answers.write(json.dumps(answer(line)) + "\n")
                answers.flush()


if __name__ == "__main__":
    main()
