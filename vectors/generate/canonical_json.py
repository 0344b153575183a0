"""Canonical JSON: the examples of the appendix, key order, escapes, numbers, and text that is not JSON."""

import json

from .independent import canonical
from .observed import OBSERVED_NO_CANONICAL_FORM
from .suite import CANONICAL, ERROR, Dispute, File, page
from .versions import ALL, since, spread

# Name, text and canonical form, as the appendix prints them. Its last example has a float and is disputed.
APPENDIX = (
    ("empty", "{}", "{}"),
    ("two_keys", '{\n    "one": 1,\n    "two": "Two"\n}', '{"one":1,"two":"Two"}'),
    ("swapped", '{\n    "b": "2",\n    "a": "1"\n}', '{"a":"1","b":"2"}'),
    ("swapped_compact", '{"b":"2","a":"1"}', '{"a":"1","b":"2"}'),
    (
        "nested",
        """{
    "auth": {
        "success": true,
        "mxid": "@john.doe:example.com",
        "profile": {
            "display_name": "John Doe",
            "three_pids": [
                {
                    "medium": "email",
                    "address": "john.doe@example.org"
                },
                {
                    "medium": "msisdn",
                    "address": "123456789"
                }
            ]
        }
    }
}""",
        '{"auth":{"mxid":"@john.doe:example.com","profile":{"display_name":"John Doe","three_pids":[{"'
        'address":"john.doe@example.org","medium":"email"},{"address":"123456789","medium":"msisdn"}]},"success":true}}',
    ),
    ("utf8_value", '{\n    "a": "日本語"\n}', '{"a":"日本語"}'),
    ("utf8_keys", '{\n    "本": 2,\n    "日": 1\n}', '{"日":1,"本":2}'),
    ("escape_to_utf8", '{\n    "a": "\\u65E5"\n}', '{"a":"日"}'),
    ("null", '{\n    "a": null\n}', '{"a":null}'),
)

# Name, keys in the order of their code points, note.
KEY_ORDER = (
    (
        "case",
        ["A", "B", "a", "b"],
        "Upper case sorts before lower case. The order does not depend on a locale.",
    ),
    (
        "prefix",
        ["", "a", "aa", "ab", "b"],
        "The empty key comes first, and a prefix comes before longer keys.",
    ),
    (
        "digits",
        ["1", "10", "2", "a"],
        "Keys are strings. A JavaScript object puts integer keys in numeric order.",
    ),
    ("punctuation", ["!", "-", ".", "_", "~"], ""),
    (
        "quote",
        ["!", '"', "#"],
        "The key is compared, not its escaped form. A backslash would sort after '#'.",
    ),
    ("control", ["\n", " ", "!"], "The key is compared, not its escaped form."),
    ("backslash", ["[", "\\", "]"], ""),
    ("astral", ["\ufb33", "😀"], "UTF-16 order, as in JavaScript and RFC 8785, is the reverse."),
    ("astral_private", ["\ue000", "\uffff", "\U00010000"], "UTF-16 order puts U+10000 before U+E000."),
    (
        "astral_mixed",
        ["z", "é", "日", "\uff5e", "\U0001d49c", "🎉"],
        "Keys sort by code point, which is also the order of their UTF-8 bytes.",
    ),
    ("normalisation", ["e\u0301", "é"], "The two keys are different. Strings are not normalised."),
    (
        "prototype",
        ["__proto__", "constructor", "toString"],
        "These are ordinary keys, even in languages where objects have a prototype.",
    ),
    ("nul", ["\x00", "\x01", "a"], ""),
)

# Name, value of a string, its canonical form, note.
STRINGS = (
    ("short_escapes", "\b\t\n\f\r", r'"\b\t\n\f\r"', "Five control characters have a short escape."),
    (
        "long_escapes",
        "\x00\x01\x07\x0b\x0e\x1f",
        r'"\u0000\u0001\u0007\u000b\u000e\u001f"',
        "Escapes use lower-case hex digits.",
    ),
    ("quote_backslash", 'a"b\\c', r'"a\"b\\c"', ""),
    ("solidus", "a/b", '"a/b"', "A slash is not escaped. PHP and others write \\/."),
    ("delete", "\x7f", '"\x7f"', "U+007F is not a control character in JSON."),
    ("c1_controls", "\x80\x9f", '"\x80\x9f"', "These control characters are not escaped."),
    (
        "line_separators",
        "\u2028\u2029",
        '"\u2028\u2029"',
        "Line separators are not escaped. Go's encoder writes \\u2028.",
    ),
    (
        "html",
        "<b>&amp;</b>",
        '"<b>&amp;</b>"',
        "These characters are not escaped. Go's encoder writes \\u003c by default.",
    ),
    ("astral", "😀", '"😀"', "The character is written as four bytes of UTF-8, not as a pair of escapes."),
    ("noncharacter", "\ufffe\uffff", '"\ufffe\uffff"', ""),
    ("bom_inside", "a\ufeffb", '"a\ufeffb"', ""),
    ("combining", "e\u0301", '"e\u0301"', "Strings are not normalised."),
    ("empty", "", '""', ""),
)

# Name, text, canonical form, note.
TEXTS = (
    ("escaped_solidus", r'"a\/b"', '"a/b"', "A redundant escape is removed."),
    (
        "escaped_ascii",
        r'"\u0041\u0022\u005C"',
        r'"A\"\\"',
        "Escapes may use upper-case or lower-case hex digits. Redundant escapes are removed.",
    ),
    ("escaped_delete", r'"\u007f\u2028/\u001f\u000b\b"', '"\x7f\u2028/' + r'\u001f\u000b\b"', ""),
    ("upper_hex", r'"\u001F\u000B"', r'"\u001f\u000b"', "Hex digits are written in lower case."),
    ("escaped_newline", r'"\u000a\u0009"', r'"\n\t"', "The short escape is canonical."),
    ("surrogate_pair", r'"\ud83d\ude00"', '"😀"', "A surrogate pair of escapes is one code point."),
    (
        "surrogate_pair_key",
        r'{"\uD83D\uDE00":1,"\ufb33":2}',
        '{"\ufb33":2,"😀":1}',
        "Keys are sorted after their escapes are decoded.",
    ),
    ("white_space", ' \t\r\n{ "a" : [ 1 , 2 ] }\n', '{"a":[1,2]}', ""),
    (
        "nested_order",
        '{"b":{"d":1,"c":[{"f":1,"e":2}]},"a":0}',
        '{"a":0,"b":{"c":[{"e":2,"f":1}],"d":1}}',
        "",
    ),
    ("arrays_keep_order", "[3,1,2,[2,1]]", "[3,1,2,[2,1]]", "Only object keys are sorted, not arrays."),
    ("literals", '{"c":null,"b":false,"a":true}', '{"a":true,"b":false,"c":null}', ""),
    ("empty_containers", '{"b":[],"a":{}}', '{"a":{},"b":[]}', ""),
    ("top_level_string", '"x"', '"x"', "Any value has a canonical form."),
    ("top_level_null", " null ", "null", ""),
    ("top_level_number", "7", "7", ""),
    ("top_level_array", "[ ]", "[]", ""),
    (
        "deep",
        "[" * 100 + "]" * 100,
        "[" * 100 + "]" * 100,
        "The arrays are nested 100 levels deep. Every server accepts this depth.",
    ),
)

INTEGERS = (
    ("zero", "0"),
    ("one", "1"),
    ("minus_one", "-1"),
    ("greatest", "9007199254740991"),
    ("least", "-9007199254740991"),
)

# Name, text, note. None of these is JSON in any version.
NO_JSON = (
    ("nan", '{"a":NaN}', "Python's parser accepts it."),
    ("infinity", '{"a":[Infinity]}', "Python's parser accepts it."),
    ("minus_infinity", "-Infinity", "Python's parser accepts it."),
    (
        "lone_high_surrogate",
        r'"\ud800"',
        "A lone surrogate is not Unicode text and has no UTF-8 form. Python's parser accepts it.",
    ),
    ("lone_low_surrogate", r'{"a":"\udc00x"}', ""),
    ("lone_surrogate_key", r'{"\ud800":1}', "Keys must be Unicode text too."),
    ("swapped_surrogates", r'"\ude00\ud83d"', ""),
    ("surrogate_then_text", r'"\ud83dx"', ""),
    ("empty_text", "", ""),
    ("white_space_only", " \n", ""),
    ("two_values", "{} {}", ""),
    ("trailing_comma", '{"a":1,}', ""),
    ("trailing_comma_array", "[1,]", ""),
    ("leading_zero", "01", ""),
    ("minus_leading_zero", "-01", ""),
    ("plus", "+1", ""),
    ("bare_minus", "-", ""),
    ("hex_number", "0x10", ""),
    ("no_fraction", "1.", ""),
    ("no_integer_part", ".5", ""),
    ("single_quotes", "{'a':1}", ""),
    ("bare_key", "{a:1}", ""),
    ("number_key", "{1:1}", ""),
    ("comment", "{} // end", ""),
    ("raw_control", '"a\nb"', "A control character must be escaped."),
    ("raw_nul", '"\x00"', ""),
    ("bad_escape", r'"\x41"', ""),
    ("short_escape", r'"\u12"', ""),
    ("truncated", '{"a":', ""),
    ("truncated_string", '"abc', ""),
    ("wrong_case", "True", ""),
    ("no_break_space", "\u00a0{}", "JSON has only four white space characters."),
)

# Name, text, canonical form in versions 1 to 5, note.
OUT_OF_RANGE = (
    ("above", "9007199254740992", "2^53 is the first integer out of range."),
    ("below", "-9007199254740992", "The range is symmetric, so -2^53 is out of range."),
    ("nested_array", '{"a":[[9007199254740992]]}', "The check also applies inside arrays."),
    (
        "nested_object",
        '{"a":{"b":-9007199254740993}}',
        "The check also applies inside objects. No digit may be lost.",
    ),
    ("int64", "9223372036854775807", "No digit may be lost. A binary64 would give …808."),
    ("uint64_above", "18446744073709551617", "The integer does not fit into 64 bits."),
    ("power_70", "1180591620717411303424", "The integer is 2^70."),
)
FRACTIONS = (
    ("half", "1.5", "The fraction is exact in binary and in decimal."),
    ("level", '{"users":{"@a:x":50.57}}', "Power levels of early rooms contain such numbers."),
    ("minus", "[-0.25]", ""),
)

# Name, text, note. The value is an integer that is not written as one.
INTEGRAL_FLOATS = (
    (
        "fraction_zero",
        "1.0",
        "The value is integral, but it is written as a float. From version 6 on, servers reject it.",
    ),
    (
        "zero_fraction",
        "0.0",
        "It is zero, written as a float. gomatrixserverlib accepts it in every version.",
    ),
    (
        "exponent",
        "1e2",
        "An example in the appendix reads such a number as an integer. From version 6 on, servers reject it.",
    ),
    ("upper_exponent", "1E5", "gomatrixserverlib checks only for a lower-case e."),
    ("exponent_zero", "0e0", ""),
    ("minus_zero_fraction", "-0.0", ""),
    ("negative_exponent", "1e-7", ""),
    ("nested", '{"a":[{"b":1.0}]}', ""),
    ("huge_exponent", "1e400", "The number is infinite as a binary64."),
    (
        "spelled_appendix",
        '{"a":0,"b":1e10}',
        "The appendix has a similar example, but the text above it forbids floats.",
    ),
)


def _add(
    file: File,
    slug: str,
    version: str,
    text: str,
    expected: str | None,
    notes: str,
    spec: str,
    disputed: Dispute | None = None,
) -> None:
    outcome = ERROR if expected is None else {"canonical": expected}
    name = f"canonical_json.{slug}"
    file.add(name, version, {"json": text}, outcome, spec=spec, notes=notes, disputed=disputed)


def files() -> list[File]:
    """Return the files of this area."""
    text = File("base/canonical_json.json", "Canonical JSON: key order, escapes, and text that is not JSON")
    for slug, given, expected in APPENDIX:
        for version in ALL:
            _add(
                text,
                f"appendix.{slug}",
                version,
                given,
                expected,
                "An example from the appendix.",
                CANONICAL,
            )
    for index, (slug, keys, notes) in enumerate(KEY_ORDER):
        members = {key: place for place, key in enumerate(keys)}
        given = json.dumps(dict(reversed(members.items())), ensure_ascii=False)
        parts = [json.dumps(key, ensure_ascii=False) + f":{place}" for key, place in members.items()]
        for version in spread(index):
            _add(text, f"key_order.{slug}", version, given, "{" + ",".join(parts) + "}", notes, CANONICAL)
    for index, (slug, value, expected, notes) in enumerate(STRINGS):
        for version in spread(index, count=2):
            given = json.dumps(value)  # ASCII only: everything else is escaped
            _add(text, f"string.{slug}", version, given, expected, notes, CANONICAL)
    for index, (slug, given, expected, notes) in enumerate(TEXTS):
        for version in spread(index, count=2):
            _add(text, f"text.{slug}", version, given, expected, notes, CANONICAL)
    for index, (slug, given, notes) in enumerate(NO_JSON):
        for version in spread(index, count=2):
            _add(text, f"no_json.{slug}", version, given, None, notes, CANONICAL)

    numbers = File(
        "base/canonical_numbers.json", "Canonical JSON: numbers, some of which only versions 1 to 5 accept"
    )
    for slug, given in INTEGERS:
        for version in ("1", "5", "6", "12"):
            _add(numbers, f"integer.{slug}", version, f" {given} ", given, "", CANONICAL)
    for group, rows in (("out_of_range", OUT_OF_RANGE), ("fraction", FRACTIONS)):
        for index, (slug, given, notes) in enumerate(rows):
            assert canonical(json.loads(given)).decode() == given
            lenient = {"1", "5", *spread(index, since("2", "4"), 1)}
            strict = {"6", "12", *spread(index, since("7", "11"), 1)}
            for version in sorted(lenient | strict, key=int):
                wanted = given if version in lenient else None
                alone = slug == "minus" and version in lenient
                disputed = OBSERVED_NO_CANONICAL_FORM if alone else None
                spec = page(version, "canonical-json")
                _add(numbers, f"{group}.{slug}", version, given, wanted, notes, spec, disputed)
    for index, (slug, given, notes) in enumerate(INTEGRAL_FLOATS):
        if slug == "spelled_appendix":
            continue  # disputed in every version
        for version in spread(index, since("6"), 2):
            spec = page(version, "canonical-json")
            _add(numbers, f"integral_float.{slug}", version, given, None, notes, spec)
    return [text, numbers]
