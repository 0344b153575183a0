"""Addresses of databases: which names are addresses, and what may be shown of one.

What is shown is built from what is certainly not secret: host, port, database, user, service and ``sslmode``,
and of these only usual values. Everything else is dropped. An address in which a password may have spread
into another part is not shown at all. The grammar is libpq's, in both of its forms: a URI, and
``host=… dbname=…``. Checked with libpq 15 and psycopg 3.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote

SECRETS: Final = ("password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key")
"""The parameters whose values are secret."""

_OURS: Final = re.compile(r"postgres(?:ql)?(?:\+\w+)?", re.IGNORECASE)
# A path has one slash where an address has two.
_SCHEME: Final = re.compile(r"(?i:(postgres(?:ql)?(?:\+\w+)?):/{1,2}|(?<![\w+.-])([\w+.-]+)://)")
# Where an address starts whose scheme is misspelt.
_MISSPELT: Final = re.compile(r"postgres|//", re.IGNORECASE)
# As libpq takes it apart: the first @ ends the user's part, unless a slash comes before it.
_REST: Final = re.compile(
    r"(?:([^:@/]*)(?::[^@/]*)?@)?"  # user, and the password, which nothing here keeps
    r"([^@/?]*)"  # hosts with ports
    r"(?:/([^@?]*))?"  # database
    r"(?:\?(.*))?",
    re.DOTALL,
)
_HOST_AND_PORT: Final = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(?::(\d{0,5}))?")

_ONE_HOST: Final = r"(?:[\w.-]*|\[?[0-9a-fA-F:.]+(?:%\w+)?\]?|/[\w./+-]*)"
_SHOWN: Final[Mapping[str, re.Pattern[str]]] = {
    "host": re.compile(f"{_ONE_HOST}(?:,{_ONE_HOST})*"),
    "hostaddr": re.compile(r"[0-9a-fA-F:.,]+"),
    "port": re.compile(r"\d{0,5}(?:,\d{0,5})*"),
    "dbname": re.compile(r"[\w.$-]+"),
    "user": re.compile(r"[\w.$@+-]+"),
    "service": re.compile(r"[\w.-]+"),
    "sslmode": re.compile(r"disable|allow|prefer|require|verify-ca|verify-full"),
}
"""The parameters that are shown, each with its usual values."""

_PATH: Final = re.compile(r"[\w.$/-]*")  # of an address that is not PostgreSQL's
_ASSIGNED: Final = re.compile(r"\s*(\w+)\s*=\s*('(?:[^'\\]|\\.)*'|(?:[^\s\\']|\\.)*)(?=\s|$)", re.DOTALL)
# Also as a variable of the environment, such as PGPASSWORD, and as other programs call a password.
_SECRET: Final = rf"\w*(?:{'|'.join((*SECRETS, 'passwd', 'passphrase', 'pwd'))})|pass"
_FIRST: Final = re.compile(
    rf"\b(?:(?:pg)?(?:{'|'.join(_SHOWN)}|passfile|options)|{_SECRET})\s*=", re.IGNORECASE
)
_NAMES_ONE: Final = frozenset({"host", "hostaddr", "dbname", "service"})
_SECRET_ASSIGNED: Final = re.compile(rf"\b(?:{_SECRET})\s*=", re.IGNORECASE)
_BLANK: Final = re.compile(r"\s*\Z")

_HIDDEN: Final = "…"
_COLONS: Final = frozenset(":;\N{FULLWIDTH COLON}\N{RATIO}")
_LEAST: Final = 12  # characters of a text that a message has cut off
_VALUES: Final = 8  # the most values of one argument that a message may quote alone


def is_address(name: str) -> bool:
    """Tell whether a name is the address of a PostgreSQL database, in either form of libpq."""
    scheme = _SCHEME.match(name)
    if scheme is not None:
        return scheme[1] is not None and scheme[0].endswith("://")
    return not _NAMES_ONE.isdisjoint(_assigned(name) or ())


def as_conninfo(address: str) -> str | None:
    """Return an address as libpq takes it; None if it is malformed.

    A scheme may be in upper case, and name a driver as SQLAlchemy does: ``postgresql+psycopg://``.
    """
    scheme = _SCHEME.match(address)
    if scheme is None:
        return address if _assigned(address) is not None else None
    rest = address[scheme.end() :]
    return None if _taken_apart(rest) is None else f"postgresql://{rest}"


def shown(name: str) -> str:
    """Return what messages call a source or another argument. A name without an address is shown as it is.

    Nothing after the start of an address is shown if its scheme is misspelt and a password may follow.
    """
    whole = _assigned(name)
    if whole and not whole.keys().isdisjoint((*_NAMES_ONE, *SECRETS)):
        return _shown_parameters(whole)
    scheme, first, misspelt = _SCHEME.search(name), _FIRST.search(name), _find_misspelt(name)
    starts = [len(name) if one is None else one.start() for one in (scheme, first)]
    if misspelt is not None and misspelt < min(starts):
        return name[:misspelt] + _HIDDEN
    if scheme is not None and starts[0] < starts[1]:
        return name[: scheme.start()] + _shown_uri(scheme[0], name[scheme.end() :])
    if first is None:
        return name
    before, rest = name[: first.start()], name[first.start() :]
    assigned = _assigned(rest)
    if assigned is not None and not assigned.keys().isdisjoint((*_NAMES_ONE, *SECRETS)):
        return before + _shown_parameters(assigned)
    return before + _HIDDEN if _SECRET_ASSIGNED.search(rest) or "@" in rest else name


def _shown_parameters(parameters: Mapping[str, str]) -> str:
    return " ".join(f"{key}={value}" for key, value in _kept(parameters.items())) or _HIDDEN


def _find_misspelt(name: str) -> int | None:
    """Return where something starts that may have been meant as an address with a password; None if nothing.

    It has a colon, in any script, and an @ after it.
    """
    found = _MISSPELT.search(name)
    if found is None:
        return None
    colon = next((at for at in range(found.end(), len(name)) if name[at] in _COLONS), len(name))
    return found.start() if name.rfind("@") > colon else None


def hide_in(text: str, arguments: Iterable[str]) -> str:
    """Return a text in which each address among the arguments of a call is replaced by what is shown of it.

    Args:
        text: a message that may quote an argument, or the part of one that is an address.
        arguments: of the call.
    """
    for argument in sorted({*arguments}, key=lambda one: (-len(one), one)):
        scheme = _SCHEME.search(argument)
        values = islice(_values(argument), _VALUES)
        for part in (argument, argument[scheme.start() :] if scheme else argument, *values):
            if (instead := shown(part)) != part:
                # A path has no double slashes, and a quoted text has escapes.
                forms = (part, str(Path(part)), repr(part)[1:-1], json.dumps(part)[1:-1], part.strip())
                text = _replaced(text, forms, instead)
    return text


def _replaced(text: str, forms: Iterable[str], instead: str) -> str:
    """Replace a text in any of its forms, also cut off, wherever it goes further than what is shown of it."""
    forms = dict.fromkeys(forms)
    starts = {form[: max(_common(form, instead) + 1, min(len(form), _LEAST))] for form in forms}
    pattern = re.compile("|".join(map(re.escape, sorted(starts, key=len, reverse=True))))
    kept, at = [], 0
    while (found := pattern.search(text, at)) is not None:
        kept += [text[at : found.start()], instead]
        at = found.start() + max(_common(text, form, found.start()) for form in forms)
    return "".join([*kept, text[at:]])


def _common(one: str, other: str, start: int = 0) -> int:
    """Return the length of the longest common prefix of a text, from a place on, and another one."""
    most = min(len(one) - start, len(other))
    return next((at for at in range(most) if one[start + at] != other[at]), most)


def quotes_secret(text: str, parameters: Mapping[str, object]) -> bool:
    """Tell whether a text quotes a parameter of an address that is secret, or may be.

    Args:
        text: an error of the database.
        parameters: of the address. A password that has spread into another one makes its value unusual.
    """
    for key, value in parameters.items():
        doubtful = key in _SHOWN and not _SHOWN[key].fullmatch(str(value))
        if (
            value
            and (key in SECRETS or doubtful)
            and re.search(rf"(?<!\w){re.escape(str(value))}(?!\w)", text)
        ):
            return True
    return False


def _values(argument: str) -> Iterator[str]:
    """Yield what may be the value of an option in one argument with it."""
    while argument:
        _, _, argument = argument.partition("=")
        if argument:
            yield argument


def _shown_uri(scheme: str, rest: str) -> str:
    ours = _OURS.match(scheme) is not None
    start = "postgresql://" if ours else scheme
    taken = _taken_apart(rest)
    if taken is None:
        return start + _HIDDEN
    user, hosts, database, query = taken
    if hosts and query is not None and "@" in query:
        return start + _HIDDEN  # all before this may be user and password
    if user and not _SHOWN["user"].fullmatch(unquote(user)):
        user = None
    usual = _SHOWN["dbname"] if ours else _PATH
    if database and not usual.fullmatch(unquote(database)):
        return start + _HIDDEN
    parts = [
        start,
        f"{user}@" if user is not None else "",
        hosts,
        f"/{database}" if database is not None else "",
    ]
    pairs = (one.partition("=") for one in (query or "").split("&"))
    kept = [
        f"{key}={quote(value, safe='/,:')}"
        for key, value in _kept((unquote(k), unquote(v)) for k, _, v in pairs)
    ]
    return "".join(parts) + ("?" + "&".join(kept) if kept and ours else "")


def _taken_apart(rest: str) -> tuple[str | None, str, str | None, str | None] | None:
    """Return user, hosts with ports, database and query of an address; None if it is malformed."""
    found = _REST.fullmatch(rest)
    if found is None:
        return None
    user, hosts, database, query = found.groups()
    for one in hosts.split(","):
        parts = _HOST_AND_PORT.fullmatch(one)
        if parts is None or not _SHOWN["host"].fullmatch(unquote(parts[1])):
            return None
    return user, hosts, database, query


def _assigned(text: str) -> dict[str, str] | None:
    """Return the parameters of an address in libpq's other form; None if it is malformed."""
    found: dict[str, str] = {}
    at = 0
    while _BLANK.match(text, at) is None:
        one = _ASSIGNED.match(text, at)
        if one is None:
            return None
        value = one[2][1:-1] if one[2].startswith("'") else one[2]
        found[one[1]] = re.sub(r"\\(.)", r"\1", value, flags=re.DOTALL)
        at = one.end()
    return found


def _kept(parameters: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield those parameters that are certainly not secret."""
    for key, value in parameters:
        if value and key in _SHOWN and _SHOWN[key].fullmatch(value):
            yield key, value
