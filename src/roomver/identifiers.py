"""The grammars of the identifiers in events.

Servers must accept the *historical* grammar in events: a localpart may be empty, and may hold any
code point except ``:`` and NUL. The modern grammar of user IDs is for registering users, so it is not
here.

Source: https://spec.matrix.org/latest/appendices/#identifier-grammar
"""

import re
from functools import lru_cache
from typing import Final

from .types import ServerName

MAX_BYTES: Final = 255
"""The maximum length of an identifier in bytes of UTF-8, with sigil and server name."""

MAX_AFTER_OWNER: Final = 256
"""The maximum length of what follows the owner in a state key that has one, in bytes of UTF-8, with ``_``."""

# ASCII classes and fullmatch: `\d` would match other digits too, and `$` a newline at the end.
# In this grammar, as in the specification's, an IPv4 literal is a dns-name.
_SERVER_NAME = re.compile(r"(?:\[[0-9A-Fa-f:.]{2,45}\]|[0-9A-Za-z.-]{1,255})(?::[0-9]{1,5})?")


def is_server_name(name: str) -> bool:
    """Tell whether a text matches the grammar of server names.

    Source: https://spec.matrix.org/latest/appendices/#server-name

    >>> [is_server_name(n) for n in ("matrix.org:8448", "[::1]:80", "a_b", "example.org\\n")]
    [True, True, False, False]
    """
    return _SERVER_NAME.fullmatch(name) is not None


def server_of(identifier: str) -> ServerName:
    """Return the server name in an identifier: the text after the first ``:``, or ``""``.

    Server names are compared as they are, with case and port: ``a:80`` and ``a`` are two servers.

    >>> server_of("@alice:[::1]:8448")
    '[::1]:8448'
    """
    return identifier.partition(":")[2]


def _has_server_form(identifier: str, sigil: str) -> bool:
    """Tell whether a text is ``sigil localpart : server`` and at most 255 bytes long."""
    localpart, colon, server = identifier.partition(":")
    return (
        bool(colon)
        and localpart.startswith(sigil)
        and "\0" not in localpart
        and byte_length(identifier) <= MAX_BYTES
        and is_server_name(server)
    )


# A room has few senders and one room ID, so the same identifiers are checked again and again. Callers
# do not pass long texts, because the cache would keep them in memory.
_has_server_form_again = lru_cache(maxsize=8192)(_has_server_form)


def byte_length(text: str) -> int:
    """Return the length of a text in bytes of UTF-8."""
    # A lone surrogate cannot be encoded. It is refused elsewhere; here it only needs a length.
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def fits(text: str, most: int = MAX_BYTES) -> bool:
    """Tell whether a text is at most 255, or another number of, bytes of UTF-8."""
    return len(text) * 4 <= most or byte_length(text) <= most


def is_user_id(identifier: str) -> bool:
    """Tell whether a text matches the historical grammar of user IDs.

    Source: https://spec.matrix.org/latest/appendices/#historical-user-ids

    >>> [is_user_id(n) for n in ("@alice:example.org", "@:x.org", "@ü b:x.org", "alice:x.org", "@a")]
    [True, True, True, False, False]
    """
    return len(identifier) <= MAX_BYTES and _has_server_form_again(identifier, "@")


def is_domain_room_id(identifier: str) -> bool:
    """Tell whether a text is a room ID with a server name, the form of room versions 1 to 11.

    Source: https://spec.matrix.org/latest/appendices/#room-ids
    """
    return len(identifier) <= MAX_BYTES and _has_server_form_again(identifier, "!")


def is_chosen_event_id(identifier: str) -> bool:
    """Tell whether a text is an event ID with a server name, the form of room versions 1 and 2.

    Source: https://spec.matrix.org/latest/rooms/v1/#event-ids
    """
    return _has_server_form(identifier, "$")


def is_hash_room_id(identifier: str) -> bool:
    """Tell whether a text can be a room ID without a server name, the form of room version 12.

    The authorisation rules check whether it names a create event.
    """
    return identifier.startswith("!") and len(identifier) > 1 and "\0" not in identifier and fits(identifier)


def split_owner(state_key: str) -> tuple[str, str]:
    """Return what must be a user ID at the beginning of a state key with ``@``, and what follows it.

    Source: https://github.com/matrix-org/matrix-spec-proposals/pull/3757, "Proposal"

    >>> split_owner("@al_ice:x.org_dev_1"), split_owner("@alice"), split_owner("dev_1")
    (('@al_ice:x.org', '_dev_1'), ('@alice', ''), ('', 'dev_1'))
    """
    # "the prefix of the state_key before the first _ that follows the first : (or end of string)"
    if not state_key.startswith("@"):
        return "", state_key
    localpart, colon, rest = state_key.partition(":")
    server, underscore, suffix = rest.partition("_")
    return localpart + colon + server, underscore + suffix
