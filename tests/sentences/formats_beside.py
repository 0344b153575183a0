"""The sentences beside the schemas: notes on the event format, canonical JSON, event IDs, and sizes."""

from collections.abc import Iterator

from .formats import BEGINS, EXPLAINS, Schema, changed
from .records import ALTERED, DROPPED, INVERTED, WIDENED, Change, Sentence

_CLIENTS = "It is about what clients are sent."


def _notes() -> Iterator[Sentence]:
    text = "format.notes"
    for number, what, why in (
        ("1", "The schema follows", BEGINS),
        ("2", "The schema follows", BEGINS),
        ("6", "Servers know the version of a room", EXPLAINS),
        ("7", "APIs tell the version", EXPLAINS),
        ("8", "The schema follows", BEGINS),
        ("9", "Examples have other event IDs", EXPLAINS),
        ("11", "Version 10 changes nothing", EXPLAINS),
        ("12", "The schema follows", BEGINS),
        ("13", "Version 11 keeps the schema", EXPLAINS),
        ("14", "It changes keys of some types", BEGINS),
        ("17", "Clients also get the old key", _CLIENTS),
        ("18", "Clients also get the new key", _CLIENTS),
    ):
        yield Sentence({text: number}, what, idle=why)
    yield Sentence(
        {text: "3"},
        "Events do not carry their ID",
        (
            changed(
                DROPPED,
                "is_valid",
                'if version not in ("1", "2") and "event_id" in event: ...',
                "if False: ...",
                "an event that does is not malformed",
            ),
        ),
    )
    chosen = 'if version in ("1", "2"): ...'
    yield Sentence(
        {text: "4"},
        "The receiver computes the ID",
        (
            Change(
                DROPPED,
                "hashing.py",
                "event_id",
                chosen,
                "event = {'event_id': '', **event}\nif True: ...",
                "it reads the key",
            ),
        ),
    )
    pairs = "[string]"
    yield Sentence(
        {text: "5"},
        "Auth and previous events are event IDs, without hashes",
        tuple(
            changed(
                INVERTED,
                "PDU_3",
                f'"{key}.*": {pairs}',
                f'"{key}.*": [array], "{key}.*.0": [string]',
                f"`{key}` has pairs",
            )
            for key in ("auth_events", "prev_events")
        ),
    )
    strict = 'strict = version not in ("1", "2", "3", "4", "5")'
    yield Sentence(
        {text: "10"},
        "Floats are not allowed, and depths end at 2^53 - 1",
        (changed(DROPPED, "is_valid", strict, "strict = False"),),
    )
    yield Sentence(
        {text: "15"},
        "A create event needs no `creator`",
        (
            Change(
                DROPPED,
                "auth.py",
                "Rules.create_rules",
                'only(v <= 10, (lambda: "creator" not in content, REJECT))',
                'only(v <= 12, (lambda: "creator" not in content, REJECT))',
                "it is required",
            ),
            Change(
                ALTERED,
                "auth.py",
                "Rules.creator",
                'self.create["content"].get("creator") if self.version <= 10 else self.create["sender"]',
                'self.create["content"].get("creator")',
                "it names the creator",
            ),
        ),
    )
    yield Sentence(
        {text: "16"},
        "`redacts` is in the content",
        (
            Change(DROPPED, "handling.py", "redacts", "if version >= 11: ...", "if False: ..."),
            Change(
                ALTERED,
                "handling.py",
                "redacts",
                'redaction["content"].get("redacts")',
                'redaction["content"].get("redacts", redaction.get("redacts"))',
                "the old key counts, too",
            ),
        ),
    )
    for name, how in (("canonical.v1", INVERTED), ("canonical.v6", DROPPED)):
        yield Sentence(
            {name: "1"},
            "Canonical JSON is enforced" if how is DROPPED else "Canonical JSON is not strictly enforced",
            (changed(how, "is_valid", strict, f"strict = {how is INVERTED}"),),
        )
    for number in ("2", "3"):
        yield Sentence(
            {"canonical.v6": number}, "Endpoints answer with errors", idle="It is about HTTP endpoints."
        )


def _ids() -> Iterator[Sentence]:
    for number, what in (
        ("1", "An event has one ID"),
        ("2", "IDs have a form"),
        ("5", "The domain avoids clashes"),
    ):
        yield Sentence({"ids.v1": number}, what, idle=BEGINS if number != "5" else EXPLAINS)
    yield Sentence({"ids.v1": "6"}, "The domain is no address", idle=EXPLAINS)
    schema = Schema("format.v1")
    found = schema.of_check(
        "", "The ID is $, a name, a colon and a server name", "event_id", "has_domain('$')"
    )
    yield Sentence({"ids.v1": "3"}, found.what, found.changes)
    grammar = "and SERVER_NAME.fullmatch(server) is not None"
    del grammar
    yield Sentence(
        {"ids.v1": "4"},
        "The domain is a server name",
        (
            changed(
                DROPPED,
                "has_domain.check",
                "SERVER_NAME.fullmatch(server) is not None",
                "True",
            ),
        ),
    )

    def change(how: str, old: str, new: str, detail: str = "") -> Change:
        return Change(how, "hashing.py", "event_id", old, new, detail)

    digest = "digest = reference_hash(event, version)"
    for name, old, other in (
        ("ids.v3", 'return "$" + unpadded_base64(digest)', "url_safe_unpadded_base64"),
        ("ids.v4", 'return "$" + url_safe_unpadded_base64(digest)', "unpadded_base64"),
    ):
        encoder = old.split()[-1].removesuffix("(digest)")
        yield Sentence(
            {name: "1"},
            f"The ID is the reference hash in {'URL-safe ' if name == 'ids.v4' else ''}unpadded base64",
            (
                change(
                    DROPPED,
                    digest,
                    "digest = hashlib.sha256(canonical_json(event)).digest()",
                    "it is a hash of the whole event",
                ),
                change(ALTERED, old, f'return "$" + {other}(digest)', "it is in the other base64"),
                change(ALTERED, old, f'return "$" + {encoder}(digest) + "="', "it is padded"),
            ),
        )
        yield Sentence(
            {name: "2"},
            "It begins with $",
            (change(DROPPED, old, f"return {encoder}(digest)"),),
        )


def _sizes() -> Iterator[Sentence]:
    def change(how: str, old: str, new: str, detail: str = "") -> Change:
        return changed(how, "has_right_sizes", old, new, detail)

    whole = "if len(canonical_json(event)) > 65536: ..."
    yield Sentence(
        {"sizes": "1"},
        "An event has 65,536 bytes of canonical JSON at most, signatures included",
        (
            change(DROPPED, whole, "if False: ..."),
            change(WIDENED, whole, "if len(canonical_json(event)) >= 65536: ...", "one less is the limit"),
            change(ALTERED, whole, "if len(canonical_json(event)) > 65537: ...", "one more is the limit"),
            change(
                ALTERED,
                whole,
                "if len(canonical_json({**event, 'signatures': {}})) > 65536: ...",
                "signatures do not count",
            ),
            change(
                ALTERED,
                whole,
                "if len(canonical_json(event).decode('utf-8')) > 65536: ...",
                "characters count",
            ),
        ),
    )
    yield Sentence({"sizes": "2"}, "Some keys have limits", idle=BEGINS)
    for number, key in (("3", "sender"), ("4", "room_id"), ("5", "state_key"), ("6", "type")):
        old = f'if size(event.get("{key}")) > 255: ...'
        yield Sentence(
            {"sizes": number},
            f"`{key}` has 255 bytes at most",
            (
                change(DROPPED, old, "if False: ..."),
                change(WIDENED, old, old.replace("> 255", "> 254"), "254 is the limit"),
                change(ALTERED, old, old.replace("> 255", "> 256"), "256 is the limit"),
                change(
                    ALTERED,
                    old,
                    f'if len(str(event.get("{key}"))) > 255: ...',
                    "characters count",
                ),
            ),
        )
    last = 'return size(event.get("event_id")) <= 255'
    yield Sentence(
        {"sizes": "7"},
        "`event_id` has 255 bytes at most",
        (
            change(DROPPED, last, "return True"),
            change(WIDENED, last, last.replace("<= 255", "<= 254"), "254 is the limit"),
            change(ALTERED, last, last.replace("<= 255", "<= 256"), "256 is the limit"),
        ),
    )
    yield Sentence(
        {"sizes": "8"},
        "Some types have more limits",
        idle="They are not part of the event format of a room version.",
    )
    yield Sentence(
        {"sizes": "9"},
        "Other keys have no limit",
        (
            change(
                INVERTED,
                whole,
                "if any(size(value) > 255 for value in event['content'].values()): ...",
                "text in the content has one",
            ),
        ),
    )


def sentences() -> Iterator[Sentence]:
    """Yield the sentences."""
    for part in (_notes, _ids, _sizes):
        yield from part()
