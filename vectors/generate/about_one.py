"""What a case with one event or one JSON text is about, for cases whose author says nothing.

`SENTENCES` has the cases that need a sentence of their own, by name without room version. For the others in
`event_format`, the sentence says which field has which value, and what is required of the field.
"""

import json
from collections.abc import Mapping
from typing import Any

_SHOWN = 80  # characters of a value
_TEXT = 24  # characters of a text in it

_LITERALS = "In JSON, true, false and null are lower case."

SENTENCES = {
    "canonical_json.key_order.punctuation": "Keys of ASCII punctuation are sorted by code point.",
    "canonical_json.key_order.backslash": (
        "Keys are sorted as they are, not as they are escaped: [ \\ ] in this order."
    ),
    "canonical_json.key_order.nul": (
        "Keys of control characters are sorted by code point, not by their escapes."
    ),
    "canonical_json.string.quote_backslash": "A quotation mark and a backslash are escaped with a backslash.",
    "canonical_json.string.noncharacter": "U+FFFE and U+FFFF are not characters, but they are valid in JSON.",
    "canonical_json.string.bom_inside": (
        "U+FEFF inside a string is an ordinary character, not a byte order mark."
    ),
    "canonical_json.string.empty": "The empty string is two quotation marks.",
    "canonical_json.text.escaped_delete": (
        "Only control characters below U+0020 stay escaped. U+007F, U+2028 and / are written as they are."
    ),
    "canonical_json.text.white_space": (
        "White space between the values is dropped: space, tab, carriage return, line feed."
    ),
    "canonical_json.text.nested_order": (
        "The keys of every object are sorted, also inside arrays and objects."
    ),
    "canonical_json.text.literals": (
        "The literals true, false and null are values of an object with sorted keys."
    ),
    "canonical_json.text.empty_containers": "An empty object is {} and an empty array is [].",
    "canonical_json.text.top_level_null": "The text is null alone: JSON does not need an object at the top.",
    "canonical_json.text.top_level_number": (
        "The text is a number alone: JSON does not need an object at the top."
    ),
    "canonical_json.text.top_level_array": "The text is an array: JSON does not need an object at the top.",
    "canonical_json.no_json.lone_low_surrogate": (
        "The escape of a low surrogate stands alone. UTF-8 cannot encode it, so it has no canonical form."
    ),
    "canonical_json.no_json.swapped_surrogates": (
        "The two escapes of a surrogate pair stand in the wrong order, so neither can be encoded."
    ),
    "canonical_json.no_json.surrogate_then_text": (
        "The escape of a high surrogate is followed by text instead of a low surrogate."
    ),
    "canonical_json.no_json.empty_text": "The text is empty, which is not JSON.",
    "canonical_json.no_json.white_space_only": "The text is white space without a value, which is not JSON.",
    "canonical_json.no_json.two_values": "A JSON text has one value. This one has a second object after it.",
    "canonical_json.no_json.trailing_comma": (
        "JSON does not allow a comma after the last member of an object."
    ),
    "canonical_json.no_json.trailing_comma_array": (
        "JSON does not allow a comma after the last value of an array."
    ),
    "canonical_json.no_json.leading_zero": "JSON does not allow a zero before the digits of a number.",
    "canonical_json.no_json.minus_leading_zero": (
        "JSON does not allow a zero before the digits of a negative number."
    ),
    "canonical_json.no_json.plus": "JSON does not allow a plus sign before a number.",
    "canonical_json.no_json.bare_minus": "The text is a minus sign without digits, which is not a number.",
    "canonical_json.no_json.hex_number": "JSON has no hexadecimal numbers.",
    "canonical_json.no_json.no_fraction": "JSON requires digits after the decimal point.",
    "canonical_json.no_json.no_integer_part": "JSON requires digits before the decimal point.",
    "canonical_json.no_json.single_quotes": "JSON strings have double quotation marks, not single ones.",
    "canonical_json.no_json.bare_key": "The key of an object must be a string in quotation marks.",
    "canonical_json.no_json.number_key": "The key of an object must be a string, not a number.",
    "canonical_json.no_json.comment": "JSON has no comments.",
    "canonical_json.no_json.raw_nul": "A control character in a string must be escaped. Here U+0000 is not.",
    "canonical_json.no_json.bad_escape": "JSON has no escape \\x.",
    "canonical_json.no_json.short_escape": "The escape \\u needs four hexadecimal digits. This one has two.",
    "canonical_json.no_json.truncated": "The text ends inside an object, after a key.",
    "canonical_json.no_json.truncated_string": "The text ends inside a string.",
    "canonical_json.no_json.wrong_case": _LITERALS,
    "canonical_json.integer.zero": "The integer 0 is valid in every room version.",
    "canonical_json.integer.one": "The integer 1 is valid in every room version.",
    "canonical_json.integer.minus_one": "A negative integer is valid in every room version.",
    "canonical_json.integer.greatest": (
        "2^53 - 1 is the greatest integer that is valid in every room version."
    ),
    "canonical_json.integer.least": "-(2^53 - 1) is the least integer that is valid in every room version.",
    "canonical_json.fraction.minus": (
        "A negative fraction. Up to version 5 implementations keep fractions; from version 6 on they are"
        " invalid."
    ),
    "canonical_json.integral_float.exponent_zero": (
        "0e0 is zero, but it is written with an exponent, which canonical JSON does not have."
    ),
    "canonical_json.integral_float.minus_zero_fraction": (
        "-0.0 is zero, but it is written with a fraction and a sign, which canonical JSON does not have."
    ),
    "canonical_json.integral_float.negative_exponent": (
        "1e-7 is not an integer, and it is written with an exponent, which canonical JSON does not have."
    ),
    "canonical_json.integral_float.nested": (
        "1.0 is one, but it is written with a fraction, here inside an object in an array."
    ),
    "content_hash.plain": "The content hash of a message with every key that an event usually has.",
    "content_hash.float": "From version 6 on, an event with a fraction has no canonical JSON to hash.",
    "content_hash.big": (
        "From version 6 on, an event with an integer beyond 2^53 has no canonical JSON to hash."
    ),
    "event_id.float": (
        "From version 6 on, an event with a fraction has no canonical JSON to compute an ID from."
    ),
    "event_id.big": (
        "From version 6 on, an event with an integer beyond 2^53 has no canonical JSON to compute an ID from."
    ),
    "required_signers.join": "An ordinary join needs the signature of the sender's server and no other.",
    "required_signers.sender_empty_localpart": (
        "The localpart of the sender is empty, as in some old rooms. The server comes after the colon."
    ),
    "required_signers.sender_historical": (
        "The localpart of the sender has characters that only historical user IDs have. The server comes"
        " after the first colon."
    ),
    "sign_event.small": (
        "An event with few keys, from the tests of Synapse: signing hashes it and signs the redacted form."
    ),
    "sign_json.literals": "The signed object has literals, zero, a negative integer, and empty values.",
    "sign_json.float": "From version 6 on, an object with a fraction has no canonical JSON to sign.",
    "sign_json.big": (
        "From version 6 on, an object with an integer beyond 2^53 has no canonical JSON to sign."
    ),
    "verify_signatures.good": (
        "The sender's server signed the event, and the key is valid at the event's time."
    ),
    "verify_signatures.restricted_both": (
        "A restricted join, signed by the joining user's server and by that of the authorising user."
    ),
    "verify_signatures.two_keys_both_good": "The server signed with two keys, and both signatures are valid.",
    "verify_signatures.form_empty": "The signature is the empty string instead of 64 bytes.",
    "verify_signatures.form_zeros": "The signature is 64 zero bytes, which no key verifies.",
    "verify_signatures.form_hex": "The signature is in hexadecimal instead of unpadded base64.",
    "verify_signatures.form_one_bit": "One bit of the signature is changed, so the key does not verify it.",
    "verify_signatures.valid_until_after": "The key is valid until one millisecond after the event's time.",
    "event_format.unsigned_float": (
        "From version 6 on, an event must not have fractions. This one has a fraction in unsigned."
    ),
}

_MUST = {
    "auth_events": "an array of references to events, at most 10",
    "content": "an object",
    "depth": "an integer from 0 to 2^63 - 1, or to 2^53 - 1 from version 6 on",
    "event_id": "an event ID in versions 1 and 2; later versions derive the ID",
    "hashes": "an object that has the content hash in sha256",
    "origin_server_ts": "an integer",
    "prev_events": "an array of references to events, at most 20",
    "redacts": "an event ID, where the event has it",
    "room_id": "a room ID",
    "sender": "a user ID of at most 255 bytes",
    "signatures": "an object that maps server names to objects of key IDs and signatures",
    "state_key": "a string of at most 255 bytes, where the event has it",
    "type": "a string of at most 255 bytes",
    "unsigned": "an object, where the event has it",
}


def about_one(name: str, given: Mapping[str, Any]) -> str:
    """Return what a case is about.

    Args:
        name: the name of the case, without the room version.
        given: its input.

    Raises:
        ValueError: if there is no sentence for the case.
    """
    if name in SENTENCES:
        return SENTENCES[name]
    operation, _, label = name.partition(".")
    field = label.partition(".")[0]
    if operation == "event_id" and field == "type":
        kind = given["event"]["type"]
        return f"The ID of an event of type {kind} is the reference hash of the event's redacted form."
    if operation == "event_format" and field == "not_object":
        return f"An event must be an object. In its place is {_shown(given['event'])}."
    if operation == "event_format" and field in _MUST:
        event = given["event"]
        must = f"It must be {_MUST[field]}."
        if field not in event:
            return f"The event has no {field}. {must}"
        return f"The value of {field} is {_shown(event[field])}. {must}"
    raise ValueError(f"{name} has no notes: say why the case exists")


def _shown(value: Any) -> str:
    if isinstance(value, str) and len(value) > _TEXT:
        return f"a text of {len(value.encode())} bytes, {json.dumps(value[:_TEXT], ensure_ascii=False)}…"
    text = json.dumps(_elided(value), ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _elided(value: Any) -> Any:
    """Return a value in which long texts, such as hashes and signatures, are cut."""
    if isinstance(value, dict):
        return {key: _elided(one) for key, one in value.items()}
    if isinstance(value, list):
        return list(map(_elided, value))
    return f"{value[:5]}…" if isinstance(value, str) and len(value) > _TEXT else value
