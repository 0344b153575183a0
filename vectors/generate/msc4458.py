"""The eleven test cases for canonical JSON that MSC4458 proposes, with texts of our own.

The proposal clarifies what a server does with JSON that it receives. Its cases allow several results where
the specification does. Each name below begins with the number of the proposal's case.

Source: https://github.com/matrix-org/matrix-spec-proposals/pull/4458, as of July 2026.
"""

from typing import Any

from .suite import ERROR, File, either

PROPOSAL = "https://github.com/matrix-org/matrix-spec-proposals/pull/4458"

_OLD_AND_NEW = ("1", "5", "6", "12")

# Name, text, canonical form (None: there is none), note.
CASES: tuple[tuple[str, str, str | None, str], ...] = (
    ("00_empty_object", "{}", "{}", ""),
    ("01_object", '{\n  "name": "Ann",\n  "age": 7\n}', '{"age":7,"name":"Ann"}', ""),
    (
        "02_key_sorting",
        '{"🦊": 1, "\\uFDF0": 2}',
        '{"\ufdf0":2,"🦊":1}',
        "Keys are sorted by code point: U+FDF0 comes before U+1F98A. By UTF-16 code unit it would not.",
    ),
    ("20_japanese", '{"a": "東京"}', '{"a":"東京"}', "Text that is not ASCII is not escaped."),
    ("21_unpaired_surrogate", r'"x \udbff y"', None, "An unpaired surrogate has no UTF-8."),
    ("22_surrogate_pair", r'"x \ud83e\udd8a y"', '"x 🦊 y"', "A pair is one code point, of four bytes."),
    (
        "23_surrogate_after_replacement",
        '"x \ufffd\\udd8a y"',
        None,
        "A decoder has put U+FFFD in place of the first surrogate. The second is still unpaired.",
    ),
)

# Name, versions, text, accepted results, note.
DISPUTED: tuple[tuple[str, tuple[str, ...], str, tuple[tuple[dict[str, Any], str], ...], str], ...] = (
    (
        "03_duplicate_keys",
        _OLD_AND_NEW,
        '{"a": 3, "a": 4}',
        (
            ({"canonical": '{"a":4}'}, "the last wins, as in most parsers"),
            (ERROR, "the text is refused: an object has the same key twice"),
            ({"canonical": '{"a":3}'}, "the first wins"),
        ),
        "Either entry may be dropped. Both must never be written.",
    ),
    (
        "10_float",
        ("6", "9", "12"),
        "2.5",
        (
            (ERROR, "a fraction has no canonical JSON"),
            ({"canonical": "2"}, "the fraction is cut off, which the proposal's case allows"),
        ),
        "The proposal accepts both. The specification forbids fractions from version 6 on.",
    ),
    (
        "11_exponent",
        ("6", "9", "12"),
        '{"a": -0, "b": 2e3}',
        (
            (ERROR, "the prose forbids exponents"),
            ({"canonical": '{"a":0,"b":2000}'}, "as an example of the appendix reads it"),
        ),
        "https://github.com/matrix-org/matrix-spec/issues/2424 asks which of the two holds.",
    ),
    (
        "12_negative_zero",
        _OLD_AND_NEW,
        '{"a": -0}',
        (
            ({"canonical": '{"a":0}'}, "it is the integer 0, however it is spelt"),
            (ERROR, "it must not appear"),
            ({"canonical": '{"a":-0}'}, "kept as it was written, where canonical JSON is not enforced"),
        ),
        "The proposal accepts only 0. The specification says that -0 must not appear.",
    ),
)


def files() -> list[File]:
    """Return the files of this area."""
    agreed = File("base/canonical_msc4458.json", "Canonical JSON: cases that MSC4458 proposes")
    for slug, text, canonical, notes in CASES:
        for version in _OLD_AND_NEW:
            outcome = ERROR if canonical is None else {"canonical": canonical}
            _add(agreed, slug, version, text, outcome, notes)
    disputed = File(
        "disputed/canonical_msc4458.json", "Canonical JSON: cases that MSC4458 proposes with several results"
    )
    for slug, versions, text, outcomes, notes in DISPUTED:
        for version in versions:
            _add(disputed, slug, version, text, either(*outcomes), notes)
    return [agreed, disputed]


def _add(file: File, slug: str, version: str, text: str, expected: Any, notes: str) -> None:
    whole = f"A case of MSC4458. {notes}".strip()
    file.add(f"canonical_json.msc4458.{slug}", version, {"json": text}, expected, spec=PROPOSAL, notes=whole)
