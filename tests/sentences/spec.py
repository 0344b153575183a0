"""``python -m tests.sentences.spec PATH``: read the sentences of a clone of matrix-spec.

It prints the sentences, and compares them with ``inventory.json``. With ``--write`` it writes that file: for
each text the identifiers of its sentences, each with a digest of its words and the room versions that have
it. The words are not copied. A test compares the declarations with the inventory, so no sentence is without
one.

A *text* is a section of the specification. Room versions that share a text share its sentences. In the lists
of rules a sentence is an item, and its identifier is the number of the item as rendered. In a schema it is a
type, a required key, or a sentence of a description. Other sentences are counted below their heading, or
below the bold words that begin their paragraph. The same words in several pages of a text are one sentence.
"""

import hashlib
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

INVENTORY: Final = Path(__file__).with_name("inventory.json")
VERSIONS: Final = tuple(str(number) for number in range(1, 13))
NOTES: Final = "notes"


class Text(NamedTuple):
    """A text of the specification.

    Attributes:
        title: what it is.
        headings: the headings of its section, and of the sections below it that belong to it.
        pages: the room versions whose pages have it.
        url: its address in the pages of the first version, or in an API.
        file: the file of the API that has it, if no page does.
    """

    title: str
    headings: tuple[str, ...]
    pages: tuple[str, ...]
    url: str
    file: str = ""


def _since(first: int, last: int = 12) -> tuple[str, ...]:
    return VERSIONS[first - 1 : last]


def _shared(
    title: str, anchor: str, headings: tuple[str, ...], *starts: int, end: int = 12
) -> dict[int, Text]:
    """Return the texts of a section, each of the versions from one start up to the next."""
    found = {}
    for first, after in zip(starts, [*starts[1:], end + 1], strict=True):
        pages = _since(first, after - 1)
        spoken = f"version {first}" if len(pages) == 1 else f"versions {first} to {after - 1}"
        found[first] = Text(f"{title} of {spoken}", headings, pages, f"{_SPEC}/rooms/v{first}/#{anchor}")
    return found


_SPEC: Final = "https://spec.matrix.org/latest"
_RULES: Final = ("Authorisation rules",)
_FORMAT: Final = (
    "Event format",
    "Remove the `creator` property of `m.room.create` events",
    "Moving the `redacts` property of `m.room.redaction` events to a `content` property",
)
_LEVELS: Final = (
    "Deprecated event content schemas",
    "`m.room.power_levels` events accept values as strings",
    "`m.room.power_levels` events accept values as floats",
    "Values in `m.room.power_levels` events must be integers",
)
_STATE: Final = ("State resolution", "Definitions", "Algorithm", "Rejected events")
_SERVERS: Final = "content/server-server-api.md"


def _texts() -> Iterator[tuple[str, Text]]:
    for area, title, anchor, headings, starts, end in (
        ("auth", "Authorisation rules", "authorisation-rules", _RULES, (1, 3, 6, 7, 8, 10, 11, 12), 12),
        ("redaction", "Redactions", "redactions", ("Redactions",), (1, 6, 8, 9, 11), 12),
        ("handling", "Handling redactions", "handling-redactions", ("Handling redactions",), (3,), 12),
        ("format", "Event format", "event-format", _FORMAT, (1, 3, 4, 6, 11, 12), 12),
        ("levels", "Deprecated contents", "deprecated-event-content-schemas", _LEVELS, (1,), 10),
        ("canonical", "Canonical JSON", "canonical-json", ("Canonical JSON",), (1, 6), 12),
        ("ids", "Event IDs", "event-ids", ("Event IDs",), (1, 3, 4), 12),
        ("resolution", "State resolution", "state-resolution", _STATE, (1, 2, 12), 12),
    ):
        for first, text in _shared(title, anchor, headings, *starts, end=end).items():
            yield f"{area}.v{first}", text
    for area, title, anchor, headings in (
        ("auth", "Notes on the authorisation rules", "authorisation-rules", _RULES),
        ("format", "Notes on the event format", "event-format", _FORMAT),
    ):
        yield f"{area}.{NOTES}", Text(title, headings, VERSIONS, f"{_SPEC}/rooms/v12/#{anchor}")
    for name, title, heading, url, file in (
        (
            "definitions",
            "Definitions for the rules",
            "Definitions",
            "server-server-api/#definitions",
            _SERVERS,
        ),
        (
            "selection",
            "Auth events selection",
            "Auth events selection",
            "server-server-api/#auth-events-selection",
            _SERVERS,
        ),
        (
            "sizes",
            "Size limits",
            "Size limits",
            "client-server-api/#size-limits",
            "content/client-server-api/_index.md",
        ),
    ):
        yield name, Text(title, (heading,), VERSIONS, f"{_SPEC}/{url}", file)


_ORDER: Final = "auth definitions selection redaction handling format levels canonical ids sizes resolution"
TEXTS: Final[dict[str, Text]] = dict(
    sorted(_texts(), key=lambda named: _ORDER.split().index(named[0].partition(".")[0]))
)
"""The texts by name. The name of a text of some pages ends with the first version that has it."""


class Found(NamedTuple):
    """A sentence of the specification, without markup."""

    identifier: str
    words: str

    @property
    def digest(self) -> str:
        """Twelve digits of the SHA-256 of its words."""
        return hashlib.sha256(self.words.encode()).hexdigest()[:12]


class Spec:
    """A clone of matrix-spec, as of its current commit.

    Args:
        path: the checkout, or its git directory.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.commit = self._git("rev-parse", "HEAD").strip()

    def _git(self, *arguments: str) -> str:
        command = ["git", "-C", str(self.path), *arguments]
        return subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout

    def read(self, name: str) -> str:
        """Return a file of the commit."""
        return self._git("show", f"{self.commit}:{name}")

    def page(self, version: str) -> str:
        """Return the page of a room version, with the fragments and schemas that it includes."""
        text = re.sub(
            r'\{\{% rver-fragment name="([^"]+)" %\}\}',
            lambda found: self.read(f"content/rooms/fragments/{found[1]}.md"),
            self.read(f"content/rooms/v{version}.md"),
        )
        return re.sub(
            r'\{\{% definition path="([^"]+)" %\}\}',
            lambda found: "".join(f"SCHEMA {line}\n" for line in self._schema(f"data/{found[1]}.yaml")),
            text,
        )

    def _schema(self, name: str) -> Iterator[str]:
        """Yield what a schema says: a path and an aspect, a tab, and the words.

        This reads the few forms of YAML that the schemas have.
        """
        folder = name.rpartition("/")[0]
        open_keys: list[tuple[int, str]] = []
        lines = self.read(name).split("\n")
        while lines:
            line = lines.pop(0)
            text = line.strip()
            is_item = text.startswith("- ")
            depth = len(line) - len(line.lstrip()) + 2 * is_item
            key, colon, value = text.removeprefix("- ").partition(":")
            value = value.partition(" #")[0].strip()
            if not text or text.startswith("#"):
                continue
            while open_keys and open_keys[-1][0] >= depth:
                open_keys.pop()
            where = [one for _, one in open_keys if one not in ("properties", "allOf", "anyOf", "required")]
            path = ".".join(where)
            if is_item and not colon:
                if open_keys and open_keys[-1][1] == "required":
                    yield f"{_dotted(path, key)}.required\tIt is required."
            elif key == "$ref" and value.endswith('.yaml"'):
                for inner in self._schema(f"{folder}/{value.strip(chr(34))}"):
                    yield _dotted(path, inner)
            elif key == "description" and path:
                if value == "|-":
                    block = []
                    while lines and (not lines[0].strip() or lines[0].startswith(" " * (depth + 1))):
                        block.append(lines.pop(0).strip())
                    value = " ".join(block)
                for number, sentence in enumerate(_sentences(value), 1):
                    yield f"{path}.{number}\t{sentence}"
            elif key in ("type", "format", "maxItems", "minItems") and path and value:
                yield f"{path}.{key}\t{key}: {value}"
            elif key == "required" and value:
                for one in re.findall(r"[a-z_0-9]+", value):
                    yield f"{_dotted(path, one)}.required\tIt is required."
            elif not value:
                open_keys.append((depth, key))


def _dotted(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def sentences_of(spec: Spec, name: str) -> dict[Found, tuple[str, ...]]:
    """Return the sentences of a text in order, each with the room versions whose pages have it."""
    text = TEXTS[name]
    area, _, part = name.partition(".")
    versions: dict[tuple[str, str], list[str]] = {}
    for version in text.pages:
        page = spec.read(text.file) if text.file else spec.page(version)
        for prefix, words in dict.fromkeys(_section(page, text.headings)):
            is_note = prefix.startswith("/")
            if area not in ("auth", "format") or is_note == (part == NOTES):
                versions.setdefault((prefix, words), []).append(version)
    seen: Counter[str] = Counter()
    found: dict[Found, tuple[str, ...]] = {}
    for (prefix, words), pages in versions.items():
        identifier = prefix
        if prefix.startswith("/"):
            heading = "" if part == NOTES or prefix == f"/{_slug(text.headings[0])}" else f"{prefix[1:]}."
            identifier = _of_redaction(words)
            if not identifier:
                seen[heading] += 1
                identifier = f"{heading}{seen[heading]}"
        one = Found(identifier, words)
        assert one.identifier not in {other.identifier for other in found}, one
        found[one] = tuple(pages)
    return found


def _of_redaction(words: str) -> str:
    """Return a name for a line of the redaction algorithm that has one: of a key, or of an event type."""
    line = re.fullmatch(r"([a-z_]+)|(m\.room\.[a-z_]+) allows .*", words)
    return (line[1] or line[2]) if line else ""


def _section(page: str, headings: Sequence[str]) -> list[tuple[str, str]]:
    """Return the sentences below some headings of a page: a prefix of the identifier, and the words.

    The prefix is the whole identifier unless it begins with a slash. The advice for clients is left out.
    """
    page = re.sub(r"(?s)\A---\n.*?\n---\n", "", page)
    page = re.sub(r"(?s)```.*?```|\{\{% boxes/rationale %\}\}.*?\{\{% /boxes/rationale %\}\}", "", page)
    page = re.sub(r"\n([A-Z][^\n]*)\n\n: ", r"\n**\1.** ", page)  # a term and its definition
    lines: list[str] = []
    inside = for_clients = False
    for line in page.split("\n"):
        heading = re.match(r"(#{2,6}) (.*)", line)
        if heading:
            if heading[1] == "##":
                for_clients = heading[2] == "Client considerations"
            title = heading[2].strip()
            inside = title.lower() in {one.lower() for one in headings}
            inside = inside and not (for_clients and title != "Redactions")
        if inside:
            lines.append(line)
    return list(_Reader().read(lines))


class _Reader:
    """Reads the Markdown of a section."""

    def __init__(self) -> None:
        self.prefix = ""
        self.in_rules = False
        self.indents: list[int] = []  # of the open items
        self.numbers: list[int] = []
        self.item: str | None = None
        self.paragraph = ""

    def read(self, lines: Sequence[str]) -> Iterator[tuple[str, str]]:
        for line in [*lines, ""]:
            text = line.strip()
            marker = re.match(r"( *)(?:\d+\.|[-*]) +(.*)", line)
            bold = re.match(r"(?:\{\{%[^%]*%\}\} *)?\*\*([A-Z][^*]+)\.\*\*", text)
            if text.startswith("SCHEMA "):
                yield from self.flush()
                identifier, _, words = text.removeprefix("SCHEMA ").partition("\t")
                yield identifier, words
            elif line.startswith("#") or text == "---" or text.startswith(("{{% boxes/", "{{% /boxes/")):
                yield from self.flush()
                self._start(_slug(line.lstrip("# ")) if line.startswith("#") else self.prefix)
            elif bold and not marker:
                yield from self.flush()
                self._start(_slug(bold[1]))
                self.paragraph = text.replace(f"**{bold[1]}.**", "")
            elif re.search(r"\brules\b.* as follows:$", text):
                yield from self.flush()
                self._start(self.prefix)
                self.in_rules = True
            elif marker:
                yield from self.flush()
                self._next_item(len(marker[1]))
                self.item = marker[2]
            elif not text:
                if self.item is None or not self.in_rules:
                    yield from self.flush()
            elif self.item is not None:
                self.item += f" {text}"
            else:
                self.paragraph += f" {text}"

    def _start(self, prefix: str) -> None:
        self.prefix, self.in_rules = prefix, False
        self.indents, self.numbers = [], []

    def _next_item(self, indent: int) -> None:
        while self.indents and indent < self.indents[-1]:
            self.indents.pop()
            self.numbers.pop()
        if self.indents and indent == self.indents[-1]:
            self.numbers[-1] += 1
        else:
            self.indents.append(indent)
            self.numbers.append(1)

    def flush(self) -> Iterator[tuple[str, str]]:
        """Yield the sentences of the paragraph or item that ends."""
        if self.item is not None and self.in_rules:
            words, _, note = self.item.partition("**Note**:")
            number = ".".join(map(str, self.numbers))
            yield number, _plain(words)
            if note:
                yield f"{number}.note", _plain(note)
        else:
            for sentence in _sentences(self.paragraph if self.item is None else self.item):
                yield f"/{self.prefix}", sentence
        self.item, self.paragraph = None, ""


_SHORT: Final = {
    "Invite Level, Kick Level, Ban Level, Redact Level": "levels",
    "m.room.power_levels events accept values as strings": "strings",
    "m.room.power_levels events accept values as floats": "floats",
    "Values in m.room.power_levels events must be integers": "integers",
    "Unconflicted state map and conflicted state set": "conflicts",
    "Reverse topological power ordering": "power_ordering",
}


def _slug(words: str) -> str:
    plain = _plain(words)
    return _SHORT.get(plain, re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_"))


def _plain(words: str) -> str:
    words = re.sub(r"\{\{%.*?%\}\}", "", words)
    words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", words)
    words = re.sub(r"</?[a-z]+>|[`*]", "", words)
    return " ".join(words.split())


_END = re.compile(r"(?<=[.:)])(?<!e\.g\.)(?<!i\.e\.) (?=[A-Z(\"{])")


def _sentences(words: str) -> Iterator[str]:
    for sentence in _END.split(_plain(words)):
        if sentence.strip(" .") and not sentence.startswith("See above"):
            yield sentence.strip()


def inventory(spec: Spec) -> dict[str, Any]:
    """Return what ``inventory.json`` holds: for each sentence its digest and its room versions."""
    return {
        "repository": "https://github.com/matrix-org/matrix-spec",
        "commit": spec.commit,
        "texts": {
            name: {
                one.identifier: " ".join([one.digest, *versions])
                for one, versions in sentences_of(spec, name).items()
            }
            for name in TEXTS
        },
    }


def read_inventory() -> dict[str, dict[str, tuple[str, ...]]]:
    """Return, for each text, its sentences with the room versions that have them."""
    kept = json.loads(INVENTORY.read_text(encoding="utf-8"))
    return {
        name: {identifier: tuple(line.split()[1:]) for identifier, line in listed.items()}
        for name, listed in kept["texts"].items()
    }


def main(arguments: Sequence[str]) -> int:
    """Print the sentences, and write or compare the inventory."""
    spec = Spec(Path(arguments[0]))
    for name, text in TEXTS.items():
        print(f"\n{name}: {text.title}")
        for one, versions in sentences_of(spec, name).items():
            print(f"  {one.identifier:32} {','.join(versions)}  {one.words}")
    made = inventory(spec)
    if "--write" in arguments:
        INVENTORY.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
        return 0
    kept = json.loads(INVENTORY.read_text(encoding="utf-8"))
    changed = [
        f"{name} {identifier}"
        for name in TEXTS
        for identifier in {**kept["texts"][name], **made["texts"][name]}
        if kept["texts"][name].get(identifier) != made["texts"][name].get(identifier)
    ]
    print("\n".join(["", *(f"changed since {kept['commit'][:12]}: {one}" for one in changed)]))
    return 1 if changed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
