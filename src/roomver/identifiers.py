"""The grammars of the identifiers that events carry.

The *historical* grammar is what servers must accept in events: a localpart of any code points but
``:`` and NUL, even an empty one. The modern grammar of user IDs is for clients that register users
and has no place here.

Source: https://spec.matrix.org/latest/appendices/#identifier-grammar
"""

import re
from functools import lru_cache

from .types import ServerName

MAX_BYTES = 255
"""The longest identifier in UTF-8 bytes, sigil and server name included."""

# ASCII classes throughout, and fullmatch: `\d` and `$` would admit other digits and a final newline.
# An IPv4 literal is a dns-name by this grammar, as it is by the specification's.
_SERVER_NAME = re.compile(r"(?:\[[0-9A-Fa-f:.]{2,45}\]|[0-9A-Za-z.-]{1,255})(?::[0-9]{1,5})?")
_ROOM_VERSION = re.compile(r"[a-z0-9.-]{1,32}")


def is_server_name(name: str) -> bool:
    """Tell whether a text is a server name, by its grammar alone.

    Source: https://spec.matrix.org/latest/appendices/#server-name

    >>> [is_server_name(n) for n in ("matrix.org:8448", "[::1]:80", "a_b", "example.org\\n")]
    [True, True, False, False]
    """
    return _SERVER_NAME.fullmatch(name) is not None


def is_room_version(name: str) -> bool:
    """Tell whether a text has the grammar of a room version: known or not, it is opaque.

    Source: https://spec.matrix.org/latest/rooms/#room-version-grammar

    >>> [is_room_version(n) for n in ("11", "org.example-1", "A", "", "1\\n")]
    [True, True, False, False, False]
    """
    return _ROOM_VERSION.fullmatch(name) is not None


def server_of(identifier: str) -> ServerName:
    """Return the server name in an identifier: what follows the first ``:``; ``""`` without one.

    Compare server names as they are, with case and port: ``a:80`` and ``a`` are two servers.

    >>> server_of("@alice:[::1]:8448")
    '[::1]:8448'
    """
    return identifier.partition(":")[2]


def _has_server_form(identifier: str, sigil: str) -> bool:
    """``sigil localpart : server``, at most 255 bytes in all."""
    localpart, colon, server = identifier.partition(":")
    return (
        bool(colon)
        and localpart.startswith(sigil)
        and "\0" not in localpart
        and _byte_length(identifier) <= MAX_BYTES
        and is_server_name(server)
    )


# A room has few senders and one room ID: the same identifiers are checked over and over. Callers keep
# long texts away from the cache, which would hold on to them.
_has_server_form_again = lru_cache(maxsize=8192)(_has_server_form)


def _byte_length(text: str) -> int:
    # A lone surrogate has no UTF-8; it is refused elsewhere, and here only has to count.
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def fits(text: str) -> bool:
    """Tell whether a text is at most 255 bytes of UTF-8."""
    return len(text) * 4 <= MAX_BYTES or _byte_length(text) <= MAX_BYTES


def is_user_id(identifier: str) -> bool:
    """Tell whether a text is a user ID by the historical grammar.

    Source: https://spec.matrix.org/latest/appendices/#historical-user-ids

    >>> [is_user_id(n) for n in ("@alice:example.org", "@:x.org", "@ü b:x.org", "alice:x.org", "@a")]
    [True, True, True, False, False]
    """
    return len(identifier) <= MAX_BYTES and _has_server_form_again(identifier, "@")


def is_domain_room_id(identifier: str) -> bool:
    """Tell whether a text is a room ID with a server name, as room versions 1 to 11 have it.

    Source: https://spec.matrix.org/latest/appendices/#room-ids
    """
    return len(identifier) <= MAX_BYTES and _has_server_form_again(identifier, "!")


def is_chosen_event_id(identifier: str) -> bool:
    """Tell whether a text is an event ID with a server name, as room versions 1 and 2 have it.

    Source: https://spec.matrix.org/latest/rooms/v1/#event-ids
    """
    return _has_server_form(identifier, "$")


def is_hash_room_id(identifier: str) -> bool:
    """Tell whether a text can be a room ID without a server name, as room version 12 has it.

    Which create event it names, if any, is for the authorisation rules to find out.
    """
    return identifier.startswith("!") and len(identifier) > 1 and "\0" not in identifier and fits(identifier)
