"""For a case on one event: what redaction removes, and which bytes are hashed or signed."""

from collections.abc import Iterator
from typing import Final

from ...canonical import encode_canonical
from ...errors import RoomverError, counted
from ...hashing import essential_bytes, hashed_part, signed_bytes
from ...pdu import unpack
from ...redaction import redact
from ...suite.document import Case
from ...suite.inputs import read_object, read_version
from ...types import JsonObject
from ...versions import EventIdForm, RoomVersion
from ..escaped import printable

_REDACTING: Final = ("redact", "event_id", "verify_signatures")


def covered_lines(case: Case) -> Iterator[str]:
    """Yield the steps from the event of a case to its hash, its signatures or its redacted form.

    Yields nothing for another operation, and where roomver answers with an error.
    """
    try:
        version = read_version(case.room_version, case.definition)
        if case.operation == "event_id" and version.event_id_form is EventIdForm.CHOSEN:
            return
        lines = list(_lines(case, version))
    except RoomverError:
        return  # the output of roomver shows the error
    yield from lines


def _lines(case: Case, version: RoomVersion) -> Iterator[str]:
    if case.operation == "sign_json":
        yield f"the signature covers {_text(signed_bytes(read_object(case.input, 'object')))}"
    elif case.operation == "content_hash":
        pdu = read_object(case.input, "event")
        rest = hashed_part(pdu)
        yield _removed("left out", pdu, rest)
        yield f"SHA-256 of {_text(encode_canonical(rest, strict=version.strict_canonical_json))}"
    elif case.operation in _REDACTING:
        pdu = read_object(case.input, "event")
        redacted = redact(pdu, version)
        yield _removed("redaction removes", pdu, redacted)
        before, after = pdu.get("content"), redacted.get("content")
        if type(before) is dict and type(after) is dict:
            yield _removed("and from content", before, after)
        essential = essential_bytes(*unpack(pdu, version))
        if case.operation == "event_id":
            yield f"SHA-256, without signatures, of {_text(essential)}"
            plain = version.event_id_form is EventIdForm.HASH
            yield f"in unpadded base64, {'with + and /' if plain else 'URL-safe: with - and _'}"
        elif case.operation == "verify_signatures":
            yield f"a signature covers {_text(essential)}"


def _removed(what: str, before: JsonObject, after: JsonObject) -> str:
    return f"{what}: {', '.join(sorted(before.keys() - after.keys())) or '-'}"


def _text(covered: bytes) -> str:
    text = covered.decode()
    # Canonical JSON has some characters as they are that a terminal must not get.
    others = len(dict.fromkeys(one for one in text if printable(one) != one))
    shown = f" ({counted(others, 'character is', 'characters are')} shown as escapes)" if others else ""
    return f"{len(covered):,} bytes{shown}: {text}"
