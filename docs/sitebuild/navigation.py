"""The pages of the site, in the order of the navigation.

A page is named by its path in the checkout, without `.md`. Pages whose names begin with `reference/` are
written by the builder.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from . import command_pages, python_pages, schema_pages


@dataclass(frozen=True)
class Page:
    """A page, and the pages below it."""

    name: str
    children: tuple["Page", ...] = ()

    def walk(self) -> Iterator["Page"]:
        """Yield the page and all below it."""
        yield self
        for child in self.children:
            yield from child.walk()


@dataclass(frozen=True)
class Section:
    """A part of the navigation.

    Attributes:
        caption: its heading.
        about: a sentence for `llms.txt`.
        pages: its pages.
    """

    caption: str
    about: str
    pages: tuple[Page, ...]


def _pages(folder: str, *names: str) -> tuple[Page, ...]:
    return tuple(Page(f"{folder}/{name}") for name in names)


SECTIONS = (
    Section(
        "For operators",
        "From a server's database or API to an answer: why it happened, and what to do.",
        (
            Page("docs/operators"),
            Page(
                "docs/explaining",
                _pages(
                    "docs/explaining",
                    *("explain", "history", "resets", "graph", "report", "may", "compare", "keys", "repair"),
                    *("shrink", "capture", "cache"),
                ),
            ),
            *_pages("docs", "checking", "verdicts", "sources", "all-rooms", "recording-rooms", "afterwards"),
        ),
    ),
    Section(
        "For server authors",
        "Parse, check, receive and make events, resolve states, and store what is needed.",
        (
            *_pages("docs", "library", "resolving", "replaying", "storing", "servers"),
            Page("docs/homeserver", (Page("reference/homeserver"),)),
            Page("docs/room-versions"),
        ),
    ),
    Section(
        "For implementers",
        "Test vectors for any language: take the suite, write an adapter, read the results.",
        (
            Page("docs/implementers"),
            Page(
                "vectors/README",
                tuple(Page(f"vectors/examples/{name}/README") for name in ("go", "javascript", "rust")),
            ),
            Page("docs/vectors"),
            Page(
                "vectors/adapters/README",
                tuple(
                    Page(f"vectors/adapters/{name}/README")
                    for name in ("synapse", "ruma", "gomatrixserverlib", "mautrix-go", "rezzy")
                ),
            ),
            Page(
                "vectors/results/README",
                _pages("vectors/results", "report", "judgements"),
            ),
            Page("vectors/disputed/README"),
            Page("vectors/bugs"),
            Page("vectors/recorder/README"),
            Page("vectors/CHANGELOG"),
        ),
    ),
    Section(
        "How room versions work",
        "What the rules of a room version are about, and where to see each at work.",
        (
            Page("docs/how/README"),
            *_pages("docs/how", "event", "hashes-and-ids", "redaction", "auth-rules"),
            Page(
                "docs/how/state-resolution",
                _pages("docs/how", "state-resolution-v1", "state-resolution-v2", "state-resolution-v2.1"),
            ),
            Page("docs/how/soft-failure"),
        ),
    ),
    Section(
        "Reference",
        "Every public name, command, option, exit code, JSON schema and format.",
        (
            Page("reference/python/index", tuple(map(Page, python_pages.names()))),
            Page("docs/commands", tuple(map(Page, command_pages.names()))),
            Page("reference/schemas", tuple(map(Page, schema_pages.names()))),
            Page("docs/differences"),
            Page("docs/other-implementations"),
            Page("reference/recording"),
            Page("vectors/FORMAT"),
        ),
    ),
    Section(
        "The project",
        "How correctness is shown, speed, limits, and how to contribute.",
        (
            *_pages("docs", "correctness", "speed", "limits"),
            Page("benchmarks/README", _pages("benchmarks", "results/README", "NOTES")),
            Page("CONTRIBUTING"),
            Page("CHANGELOG"),
        ),
    ),
)


def pages() -> Iterator[Page]:
    """Yield all pages in order, without the first page of the site."""
    for section in SECTIONS:
        for page in section.pages:
            yield from page.walk()
