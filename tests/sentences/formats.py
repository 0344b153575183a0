"""The sentences of the event format: what the schema of each page says of each key."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from . import REFERENCE
from .records import ALTERED, DROPPED, INVERTED, WIDENED, Change, Sentence
from .spec import read_inventory

_MODULE: Final = "event_format.py"
BEGINS = "It only introduces what follows."
EXPLAINS = "It explains, and asks nothing more."
_SENDS = "It is about making events. A receiver takes any value in range."
_NOT_CHECKED = (
    "The reference does not check it, and neither does roomver: no signature or hash covers it, and no rule"
    " reads it."
)

TABLES: Final[Mapping[str, str]] = {
    "format.v1": "PDU_1",
    "format.v3": "PDU_3",
    "format.v4": "PDU_4",
    "format.v6": "PDU_6",
    "format.v11": "PDU_11",
    "format.v12": "PDU_12",
}
"""The tables of the reference, by text."""


def changed(how: str, scope: str, old: str, new: str, detail: str = "") -> Change:
    return Change(how, _MODULE, scope, old, new, detail)


def _table(name: str) -> dict[str, list[str]]:
    """Return a table of the reference: for each path the source of each check."""
    tree = ast.parse(Path(REFERENCE / _MODULE).read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == name:
            assert isinstance(node.value, ast.Dict)
            return {
                ast.literal_eval(key): [ast.unparse(check) for check in checks.elts]
                for key, checks in zip(node.value.keys, node.value.values, strict=True)
                if key is not None and isinstance(checks, ast.List)
            }
    raise LookupError(name)


class Schema:
    """The sentences of one schema.

    Args:
        text: the text that it is in.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.name = TABLES[text]
        self.required = self.name.replace("PDU", "REQUIRED")
        self.checks = _table(self.name)

    def instead(self, path: str, checks: list[str]) -> tuple[str, str]:
        """Return the source of an entry of the table, and of the entry with other checks."""
        return f'"{path}": [{", ".join(self.checks[path])}]', f'"{path}": [{", ".join(checks)}]'

    def of_check(self, identifier: str, what: str, path: str, check: str, silent: str = "") -> Sentence:
        """Return the sentence that one check of a path carries out."""
        before = self.checks[path][: self.checks[path].index(check)]
        # Without a check of the type, the others are made of values of that type alone.
        rest = [
            one if one in before else f"lambda value: not {check}(value) or {one}(value)"
            for one in self.checks[path]
            if one != check
        ]
        dropped, inverted = (
            changed(how, self.name, *self.instead(path, checks))
            for how, checks in ((DROPPED, rest), (INVERTED, [*before, f"lambda value: not ({check})(value)"]))
        )
        return Sentence(
            {self.text: identifier}, what, (dropped, inverted), {DROPPED: silent} if silent else {}
        )

    def of_limit(self, identifier: str, what: str, path: str, source: str, limit: int) -> Sentence:
        """Return the sentence of a limit, which is ``source`` with the number in it."""
        old = source.format(limit)
        others = [one for one in self.checks[path] if one != old]
        assert len(others) < len(self.checks[path]), (self.name, path, old)

        def with_limit(number: str) -> tuple[str, str]:
            return self.instead(path, [*others, source.format(number)])

        return Sentence(
            {self.text: identifier},
            what,
            (
                changed(DROPPED, self.name, *with_limit("10**9" if limit < 100 else "2**70")),
                changed(WIDENED, self.name, *with_limit(f"{limit} - 1"), "one less is the limit"),
                changed(ALTERED, self.name, *with_limit(f"{limit} + 1"), "one more is the limit"),
            ),
        )

    def of_required(self, identifier: str, path: str) -> Sentence:
        """Return the sentence that a path is required."""
        return Sentence(
            {self.text: identifier},
            f"`{path}` is required",
            (
                changed(DROPPED, self.required, f'"{path}"', '"*"'),
                changed(INVERTED, self.required, f'"{path}"', '"not there"'),
            ),
            {DROPPED: "`hashes.sha256` is required, too."} if path == "hashes" else {},
        )

    def idle(self, identifier: str, what: str, why: str) -> Sentence:
        """Return a sentence that asks nothing."""
        return Sentence({self.text: identifier}, what, idle=why)


_PAGE: Final = "schema, required = PAGES[version]"
_TYPES: Final = {
    "string": "string",
    "integer": "integer",
    "object": "object_",
    "array": "array",
}


def _types(schema: Schema) -> Iterator[Sentence]:
    names = {
        "sender": "string",
        "origin_server_ts": "integer",
        "type": "string",
        "state_key": "string",
        "content": "object",
        "signatures": "object",
        "unsigned": "object",
        "room_id": "string",
        "depth": "integer",
        "auth_events": "array",
        "prev_events": "array",
    }
    if schema.text == "format.v1":
        names["event_id"] = "string"
    for key, kind in names.items():
        article = "an" if kind[0] in "aio" else "a"
        yield schema.of_check(f"{key}.type", f"`{key}` is {article} {kind}", key, _TYPES[kind])
    yield schema.of_check("hashes.sha256.type", "`hashes.sha256` is a string", "hashes.sha256", "string")
    yield schema.of_check(
        "signatures.additionalProperties.type",
        "The signatures of a server are an object",
        "signatures.*",
        "object_",
    )
    yield schema.of_check(
        "signatures.additionalProperties.additionalProperties.type",
        "A signature is a string",
        "signatures.*.*",
        "string",
    )
    for key in ("auth_events", "prev_events"):
        if schema.text != "format.v1":
            yield schema.of_check(f"{key}.items.type", f"Each of `{key}` is a string", f"{key}.*", "string")
            yield schema.idle(f"{key}.items.1", "It is an event ID", EXPLAINS)
            continue
        yield schema.of_check(f"{key}.items.type", f"Each of `{key}` is an array", f"{key}.*", "array")
        yield schema.of_check(f"{key}.items.maxItems", "It has two entries at most", f"{key}.*", "at_most(2)")
        yield schema.of_check(
            f"{key}.items.minItems", "It has two entries at least", f"{key}.*", "at_least(2)"
        )
        yield schema.of_check(f"{key}.items.items.type", "The first is a string", f"{key}.*.0", "string")
        yield schema.idle(f"{key}.items.items.sha256.type", "The hash is a string", _HASH)
        yield schema.idle(f"{key}.items.items.sha256.1", "The second has the hash of the event", _HASH)
        yield Sentence(
            {schema.text: f"{key}.items.items.sha256.required"},
            "The second is an object with a hash",
            (
                changed(DROPPED, schema.name, *schema.instead(f"{key}.*.1", []), "any value"),
                changed(
                    ALTERED,
                    "is_valid",
                    _PAGE,
                    f"{_PAGE}\nrequired = [*required, '{key}.*.1.sha256']",
                    "the hash is required",
                ),
            ),
        )


_HASH = "Real events have empty objects here, and no server compares the hash."


def _values(schema: Schema) -> Iterator[Sentence]:
    yield schema.of_check("sender.1", "`sender` is a user ID", "sender", 'has_domain("@")'.replace('"', "'"))
    yield schema.of_check(
        "origin_server_ts.format",
        "The time is a 64-bit integer",
        "origin_server_ts",
        "int64",
        "" if schema.text in ("format.v1", "format.v3", "format.v4") else _STRICT,
    )
    yield schema.idle("origin_server_ts.1", "It is in milliseconds", EXPLAINS)
    yield schema.idle("type.1", "It is the event type", EXPLAINS)
    yield schema.idle("content.1", "It is the content", EXPLAINS)
    yield schema.idle(
        "hashes.sha256.1", "It is the content hash", "Check 3 compares it; it is not about the format."
    )
    yield schema.idle("signatures.1", "They are made as the API says", "Check 2 verifies them.")
    yield schema.idle(
        "unsigned.1", "No signature covers it", "Redaction removes it before an event is signed."
    )
    yield schema.idle("unsigned.age.type", "`unsigned.age` is an integer", _NOT_CHECKED)
    yield schema.idle("unsigned.age.1", "It is the age in milliseconds", _NOT_CHECKED)
    keyed = "if event.state_key is not None: ..."
    yield Sentence(
        {schema.text: "state_key.1"},
        "An event with a state key replaces the one with its type and state key",
        (
            Change(DROPPED, "replay.py", "Replayed.receive", keyed, "if False: ..."),
            Change(
                ALTERED,
                "replay.py",
                "Replayed.receive",
                keyed,
                "if event.state_key: ...",
                "if it is not empty",
            ),
        ),
    )
    form = "is_hash('!')" if schema.text == "format.v12" else "has_domain('!')"
    yield schema.of_check("room_id.1", "`room_id` is a room ID", "room_id", form)
    if schema.text == "format.v1":
        yield schema.of_check("event_id.1", "`event_id` is an event ID", "event_id", "has_domain('$')")
    if schema.text in ("format.v1", "format.v3", "format.v4", "format.v6"):
        yield schema.idle("redacts.type", "`redacts` is a string", _REDACTS)
        yield schema.idle("redacts.1", "It is the ID of the redacted event", _REDACTS)
    if schema.text == "format.v12":
        omitted = 'required = [path for path in required if path != "room_id"]'
        yield Sentence(
            {schema.text: "room_id.2"},
            "A create event has no `room_id`",
            (
                changed(DROPPED, "is_valid", omitted, "pass", "it has one"),
                changed(
                    ALTERED,
                    "is_valid",
                    'if "room_id" in event: ...',
                    "if False: ...",
                    "it may have one",
                ),
            ),
        )


_REDACTS = "Redactions with another value are events, which name no event to redact."


def _limits(schema: Schema) -> Iterator[Sentence]:
    bits = 63 if schema.text in ("format.v1", "format.v3", "format.v4") else 53
    yield schema.idle("depth.1", "It is one more than the greatest depth before", _SENDS)
    old, top = f"up_to(2 ** {bits} - 1)", f"2 ** {bits} - 1"

    def depth(new: str) -> tuple[str, str]:
        return schema.instead("depth", ["integer", f"up_to({new})"])

    assert old in schema.checks["depth"]
    yield Sentence(
        {schema.text: "depth.2"},
        f"The depth is 2^{bits} - 1 at most",
        (
            changed(DROPPED, schema.name, *depth("2**200")),
            changed(WIDENED, schema.name, *depth(f"{top} - 1"), "one less is the limit"),
            changed(ALTERED, schema.name, *depth(f"{top} + 1"), "one more is the limit"),
        ),
        {} if bits == 63 else {DROPPED: _STRICT, ALTERED: _STRICT},
    )
    yield schema.idle("depth.3", "It stays at the limit", _SENDS)
    for key, count in (("auth_events", 10), ("prev_events", 20)):
        yield schema.idle(f"{key}.1", "What it is for", EXPLAINS)
        yield schema.of_limit(f"{key}.2", f"`{key}` has {count} entries at most", key, "at_most({})", count)
    yield schema.idle("auth_events.3", "The selection never picks as many", EXPLAINS)


_STRICT = "Canonical JSON has no greater integer."


def sentences() -> Iterator[Sentence]:
    """Yield the sentences."""
    for text in TABLES:
        schema = Schema(text)
        yield from _types(schema)
        yield from _values(schema)
        yield from _limits(schema)
        for identifier in read_inventory()[text]:
            path, _, aspect = identifier.rpartition(".")
            if aspect == "required" and ".items." not in path:
                if path == "signatures":
                    yield Sentence(
                        {text: identifier},
                        "`signatures` is required",
                        (
                            changed(
                                ALTERED,
                                "is_valid",
                                _PAGE,
                                f"{_PAGE}\nrequired = [*required, 'signatures']",
                                "an event without it is malformed, and not only unsigned",
                            ),
                        ),
                    )
                else:
                    yield schema.of_required(identifier, path)
