"""Canonical JSON: https://spec.matrix.org/latest/appendices/#canonical-json"""

import copy
import json
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import canonical as reference
from strategies import (
    OddDict,
    OddInt,
    OddList,
    OddStr,
    hostile,
    hostile_json,
    lenient_json,
    often,
    python_values,
    strict_json,
)

from roomver import NotCanonical, encode_canonical
from roomver.canonical import MAX_DEPTH, MAX_INTEGER, join_path, load_json, parse_json, scan, shorten


def refusal(call: Callable[[], object]) -> NotCanonical:
    with pytest.raises(NotCanonical) as caught:
        call()
    return caught.value


def nested(levels: int) -> Any:
    value: Any = 0
    for _ in range(levels):
        value = [value]
    return value


# The examples of the appendix, "The following canonical JSON should be produced".
APPENDIX = [
    ("{}", "{}"),
    ('{\n    "one": 1,\n    "two": "Two"\n}', '{"one":1,"two":"Two"}'),
    ('{\n    "b": "2",\n    "a": "1"\n}', '{"a":"1","b":"2"}'),
    ('{"b":"2","a":"1"}', '{"a":"1","b":"2"}'),
    (
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
        '{"auth":{"mxid":"@john.doe:example.com","profile":{"display_name":"John Doe","three_pids":'
        '[{"address":"john.doe@example.org","medium":"email"},{"address":"123456789","medium":"msisdn"}]},'
        '"success":true}}',
    ),
    ('{\n    "a": "日本語"\n}', '{"a":"日本語"}'),
    ('{\n    "本": 2,\n    "日": 1\n}', '{"日":1,"本":2}'),
    ('{\n    "a": "\\u65E5"\n}', '{"a":"日"}'),
    ('{\n    "a": null\n}', '{"a":null}'),
]


@pytest.mark.parametrize(("text", "expected"), APPENDIX)
def test_the_examples_of_the_appendix(text: str, expected: str) -> None:
    assert encode_canonical(parse_json(text)) == expected.encode()
    assert encode_canonical(parse_json(text.encode())) == expected.encode()


def test_the_example_of_the_appendix_with_an_exponent_needs_a_switch() -> None:
    text = '{"a": -0, "b": 1e10}'
    assert encode_canonical(parse_json(text, integral_floats=True)) == b'{"a":0,"b":10000000000}'
    assert refusal(lambda: parse_json(text)).path == "b"


class TestEncoding:
    def test_keys_are_sorted_by_code_point_not_by_utf_16_unit(self) -> None:
        assert encode_canonical({"😀": 2, "\ufb33": 1}) == '{"\ufb33":1,"😀":2}'.encode()

    def test_only_quote_backslash_and_controls_are_escaped(self) -> None:
        assert encode_canonical('\u007f\u2028/\u001f\u000b\b"\\') == (
            b'"\x7f\xe2\x80\xa8/\\u001f\\u000b\\b\\"\\\\"'
        )
        assert encode_canonical("\b\t\n\f\r") == rb'"\b\t\n\f\r"'
        assert encode_canonical("\x00\x1a") == rb'"\u0000\u001a"'

    @given(lenient_json)
    def test_the_encoding_follows_the_grammar(self, value: Any) -> None:
        assert encode_canonical(value, strict=False) == reference.canonical_json(value)

    @given(strict_json)
    def test_strictness_changes_no_byte_of_a_value_that_it_allows(self, value: Any) -> None:
        assert encode_canonical(value) == reference.canonical_json(value)

    @given(lenient_json)
    def test_parsing_canonical_json_and_encoding_it_again_changes_nothing(self, value: Any) -> None:
        once = encode_canonical(value, strict=False)
        assert encode_canonical(parse_json(once, strict=False), strict=False) == once

    @given(lenient_json)
    def test_the_order_of_keys_in_an_object_does_not_matter(self, value: Any) -> None:
        def turned(v: Any) -> Any:
            if isinstance(v, dict):
                return {k: turned(v[k]) for k in reversed(list(v))}
            return [turned(item) for item in v] if isinstance(v, list) else v

        assert encode_canonical(turned(value), strict=False) == encode_canonical(value, strict=False)

    @pytest.mark.parametrize(
        ("text", "written"),
        [
            # Python's repr, over which the event IDs of existing rooms were computed.
            ("1e10", b"10000000000.0"),
            ("1e16", b"1e+16"),
            ("1e-7", b"1e-07"),
            ("-0.0", b"-0.0"),
            ("50.57", b"50.57"),
            (str(2**70), b"1180591620717411303424"),
            ("-0", b"0"),
        ],
    )
    def test_lenient_numbers_are_written_as_python_writes_them(self, text: str, written: bytes) -> None:
        assert encode_canonical(parse_json(text, strict=False), strict=False) == written


class TestNumbers:
    @pytest.mark.parametrize("number", [MAX_INTEGER, -MAX_INTEGER, 0])
    def test_integers_in_the_range_are_allowed(self, number: int) -> None:
        assert encode_canonical(number) == str(number).encode()

    @pytest.mark.parametrize("number", [2**53, -(2**53)])
    def test_integers_must_be_within_plus_minus_2_53_minus_1(self, number: int) -> None:
        error = refusal(lambda: encode_canonical({"a": [number]}))
        assert (error.path, error.reason) == ("a[0]", f"the integer {number} is outside ±(2^53 - 1)")
        assert encode_canonical(number, strict=False) == str(number).encode()

    @pytest.mark.parametrize("text", ["1.0", "1e2", "1E2", "-0.0", "1e-400"])
    def test_float_values_are_not_permitted_by_this_encoding(self, text: str) -> None:
        assert refusal(lambda: parse_json(f'{{"a": {text}}}')).path == "a"

    def test_a_boolean_is_not_an_integer(self) -> None:
        assert encode_canonical([True, 1, False, 0]) == b"[true,1,false,0]"

    @pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e400", "-1e400"])
    @pytest.mark.parametrize("strict", [True, False])
    def test_a_number_that_json_lacks_is_refused_in_every_version(self, text: str, strict: bool) -> None:
        error = refusal(lambda: parse_json(f'{{"a": [0, {text}]}}', strict=strict))
        assert error.path == "a[1]"
        assert error.reason.endswith("is not a JSON number")

    @pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
    def test_non_finite_floats_are_refused_in_python_values(self, number: float) -> None:
        assert "not a JSON number" in refusal(lambda: encode_canonical(number, strict=False)).reason

    def test_the_longest_integer_has_4300_digits(self) -> None:
        longest = 10**4300 - 1
        assert encode_canonical(longest, strict=False) == b"9" * 4300
        assert parse_json("-" + "9" * 4300, strict=False) == -longest
        for too_long in (10**4300, -(10**4300)):
            reason = refusal(lambda n=too_long: encode_canonical([n], strict=False)).reason  # type: ignore[misc]
            assert reason == "an integer of more than 4300 digits"

    @pytest.mark.parametrize("strict", [True, False])
    def test_an_integer_literal_that_python_will_not_convert_is_refused_with_its_path(
        self, strict: bool
    ) -> None:
        error = refusal(lambda: parse_json('{"b": 1, "a": {"c": -' + "1" * 5000 + "}}", strict=strict))
        assert (error.path, error.reason) == ("a.c", "an integer of more than 4300 digits")

    def test_such_a_literal_does_not_hide_other_errors(self) -> None:
        text = '{"a": 1, "a": 2, "b": ' + "1" * 5000 + "}"
        assert refusal(lambda: parse_json(text, unique_keys=True)).path == "a"
        assert load_json('{"a": 12, "b": 1.5}') == {"a": 12, "b": 1.5}

    @pytest.mark.parametrize(
        ("rest", "reason"),
        [
            (", oops}", "not JSON: Expecting property name enclosed in double quotes at line 1, column 5008"),
            ("", "not JSON: Expecting ',' delimiter at line 1, column 5006"),
            (', "b":' + "[" * 100_000, "nested deeper than 128 levels"),
        ],
    )
    @pytest.mark.parametrize("unique_keys", [True, False])
    def test_behind_such_a_literal_the_text_may_be_broken_or_too_deep(
        self, rest: str, reason: str, unique_keys: bool
    ) -> None:
        text = '{"a":' + "1" * 5000 + rest
        assert refusal(lambda: parse_json(text, unique_keys=unique_keys)).reason == reason

    @pytest.mark.parametrize(
        ("text", "number"),
        [
            ("1e10", 10**10),
            ("1.0", 1),
            ("-0.0", 0),
            ("-0e5", 0),
            ("0.00E-7", 0),
            ("12.50e1", 125),
            # The double nearest to it is 9007199254740992.
            ("9007199254740991.0", MAX_INTEGER),
            ("0e99999999999999999999", 0),
        ],
    )
    def test_integral_floats_become_integers_on_request(self, text: str, number: int) -> None:
        value = parse_json(text, integral_floats=True)
        assert (type(value), value) == (int, number)

    @pytest.mark.parametrize(
        "text", ["1.5", "1e-400", "1e400", "9007199254740993.0", "0.5e0", "1e-99999999999999999999"]
    )
    def test_no_other_float_becomes_an_integer(self, text: str) -> None:
        assert refusal(lambda: parse_json(text, integral_floats=True)).path == ""

    @given(st.integers(), st.integers(0, 30), st.integers(-40, 40))
    def test_an_integral_float_is_exact_or_refused(self, digits: int, zeros: int, exponent: int) -> None:
        text = f"{digits}.{'0' * (zeros + 1)}e{exponent}"
        value = parse_json(text, integral_floats=True, strict=False)
        if exponent >= 0 or digits % 10**-exponent == 0:
            exact = digits * 10**exponent if exponent >= 0 else digits // 10**-exponent
            assert (type(value), value) == (int, exact)
        else:
            assert type(value) is float


class TestText:
    @pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "utf-8-sig"])
    def test_only_utf_8_without_a_byte_order_mark_is_read(self, encoding: str) -> None:
        error = refusal(lambda: parse_json('{"a": "é"}'.encode(encoding)))
        reasons = ("not UTF-8: ", "not JSON: ", "the text begins with a byte order mark")
        assert error.reason.startswith(reasons)

    def test_a_byte_order_mark_is_refused_in_text_as_well(self) -> None:
        assert refusal(lambda: parse_json("\ufeff{}")).reason == "the text begins with a byte order mark"

    def test_bytes_that_are_not_utf_8_are_refused_with_their_place(self) -> None:
        assert refusal(lambda: parse_json(b'"a\xff"')).reason == "not UTF-8: invalid start byte at byte 2"
        # CESU-8: a surrogate pair encoded code unit by code unit.
        cesu_8 = b'"\xed\xa0\xbd\xed\xb8\x80"'
        assert refusal(lambda: parse_json(cesu_8)).reason.startswith("not UTF-8: ")

    @pytest.mark.parametrize(
        "text", ["", "{", "[1,]", "{'a': 1}", "01", "+1", ".5", "1.", '"\t"', "nan", "{} {}", '"\\x"']
    )
    def test_text_that_is_not_json_is_refused_with_line_and_column(self, text: str) -> None:
        error = refusal(lambda: parse_json(text))
        assert error.path == ""
        assert error.reason.startswith("not JSON: ")
        assert " at line 1, column " in error.reason

    @pytest.mark.parametrize("value", [None, 5, {}, [], bytearray(b"{}"), OddStr("{}")])
    def test_text_is_str_or_bytes(self, value: Any) -> None:
        assert "must be str or bytes" in refusal(lambda: load_json(value)).reason

    @pytest.mark.parametrize(
        ("text", "path"),
        [
            (r'{"a": ["\ud800"]}', "a[0]"),
            (r'{"a": "\ude00\ud83d"}', "a"),
            (r'{"x": {"\ud800": 1}}', r'x["\ud800"]'),
        ],
    )
    @pytest.mark.parametrize("strict", [True, False])
    def test_a_lone_surrogate_is_refused_in_values_and_in_keys(
        self, text: str, path: str, strict: bool
    ) -> None:
        error = refusal(lambda: parse_json(text, strict=strict))
        assert error.path == path
        assert "lone surrogate" in error.reason
        str(error).encode()  # the message can be printed

    def test_a_surrogate_pair_is_one_character(self) -> None:
        assert encode_canonical(parse_json(r'"\ud83d\ude00"')) == '"😀"'.encode()

    def test_halves_of_a_pair_in_two_keys_do_not_make_a_character(self) -> None:
        halves = dict.fromkeys(["\ud83d", "\ude00"])
        assert "lone surrogate" in refusal(lambda: encode_canonical(halves)).reason

    def test_of_a_repeated_key_the_last_value_counts(self) -> None:
        assert parse_json('{"a": 1, "b": 0, "a": 2}') == {"a": 2, "b": 0}
        assert encode_canonical(parse_json('{"a":1,"a":2}')) == b'{"a":2}'

    def test_a_repeated_key_is_refused_on_request(self) -> None:
        error = refusal(lambda: parse_json('{"c": [{"a": 1, "b": 0, "a": 1}]}', unique_keys=True))
        assert (error.path, error.reason) == ("c[0].a", "the key occurs twice")
        assert parse_json('{"a": {"a": 1}}', unique_keys=True) == {"a": {"a": 1}}


class TestDepth:
    def test_128_levels_are_allowed_and_129_are_not(self) -> None:
        assert encode_canonical(nested(MAX_DEPTH)) == b"[" * 128 + b"0" + b"]" * 128
        error = refusal(lambda: encode_canonical(nested(MAX_DEPTH + 1)))
        assert error.reason == "nested deeper than 128 levels"
        assert error.path == "[0]" * MAX_DEPTH

    @pytest.mark.parametrize("levels", [200, 100_000])
    def test_deep_text_is_refused_and_never_a_recursion_error(self, levels: int) -> None:
        for text in ("[" * levels + "]" * levels, '{"a":' * levels + "0" + "}" * levels):
            assert refusal(lambda t=text: parse_json(t)).reason == "nested deeper than 128 levels"  # type: ignore[misc]

    def test_a_value_that_holds_itself_is_refused(self) -> None:
        endless: list[Any] = []
        endless.append(endless)
        assert refusal(lambda: encode_canonical(endless)).reason == "nested deeper than 128 levels"

    def test_a_value_that_holds_the_same_list_over_and_over_is_refused_in_time(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("roomver.canonical._MAX_CONTAINERS", 1000)
        value: Any = []
        for _ in range(100):
            value = [value, value]  # 2^100 leaves
        assert refusal(lambda: encode_canonical(value)).reason == "more than 1000 arrays and objects"
        # The same with something to refuse, which is not looked for beyond the limit either.
        monkeypatch.setattr("roomver.canonical._MAX_VALUES", 5000)
        for levels in (5, 100):
            value = []
            for _ in range(levels):
                value = [value, value]
            expected = "a Python object is not a JSON value" if levels == 5 else "more than 5000 values"
            both = [value, object()]
            assert refusal(lambda v=both: encode_canonical(v)).reason == expected  # type: ignore[misc]

    def test_a_value_that_holds_the_same_scalars_over_and_over_is_refused_in_time(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("roomver.canonical._MAX_VALUES", 1000)
        assert encode_canonical([[0] * 100] * 9)
        assert refusal(lambda: encode_canonical([[0] * 100] * 10)).reason == "more than 1000 values"
        monkeypatch.setattr("roomver.canonical._MAX_SIZE", 60_000)
        assert encode_canonical([["x" * 1000] * 9])
        for text in ("x", "é"):
            value = [[text * 1000] * 10, []]
            assert refusal(lambda v=value: encode_canonical(v)).reason == "more than 60000 bytes"  # type: ignore[misc]


class TestForeignValues:
    @pytest.mark.parametrize(
        ("value", "kind"),
        [
            ((), "tuple"),
            (b"a", "bytes"),
            ({1}, "set"),
            (OddInt(5), "OddInt"),
            (OddStr("a"), "OddStr"),
            (OddDict(), "OddDict"),
            (OddList(), "OddList"),
            (1j, "complex"),
        ],
    )
    def test_a_type_that_json_lacks_is_refused(self, value: Any, kind: str) -> None:
        for strict in (True, False):
            error = refusal(lambda s=strict: encode_canonical({"a": value}, strict=s))  # type: ignore[misc]
            assert (error.path, error.reason) == ("a", f"a Python {kind} is not a JSON value")

    @pytest.mark.parametrize("key", [1, None, True, 1.5, b"a", OddStr("a")])
    def test_object_keys_are_strings(self, key: Any) -> None:
        error = refusal(lambda: encode_canonical({"c": {key: 1}}))
        assert error.path == "c"
        assert error.reason == f"an object key must be a string, not a Python {type(key).__name__}"

    @hostile
    @given(python_values, st.booleans())
    def test_any_python_value_ends_in_bytes_or_not_canonical(self, value: Any, strict: bool) -> None:
        try:
            result = encode_canonical(value, strict=strict)
        except NotCanonical as error:
            str(error).encode()
        else:
            assert json.loads(result) == value
            assert result == reference.canonical_json(value)

    @often
    @given(hostile_json, st.booleans())
    def test_exactly_the_values_with_a_canonical_form_are_encoded(self, value: Any, strict: bool) -> None:
        if reference.has_canonical_form(value, strict=strict):
            assert encode_canonical(value, strict=strict) == reference.canonical_json(value)
        else:
            refusal(lambda: encode_canonical(value, strict=strict))

    @often
    @given(st.text(max_size=40) | st.binary(max_size=40) | hostile_json.map(json.dumps), st.booleans())
    def test_any_text_ends_in_a_value_or_not_canonical(self, text: str | bytes, switch: bool) -> None:
        try:
            value = parse_json(text, strict=False, unique_keys=switch, integral_floats=switch)
        except NotCanonical:
            return
        assert reference.has_canonical_form(value, strict=False)


def refused_paths(value: Any, path: str = "", level: int = 1) -> Iterator[str]:
    """Yield the paths of values that strict canonical JSON refuses, in order, an object's keys first."""
    if isinstance(value, dict | list) and level <= MAX_DEPTH:
        items = list(value.items() if isinstance(value, dict) else enumerate(value))
        for key, _ in items:
            if not reference.has_canonical_form(key, strict=False):
                yield join_path(path, key)
        for key, item in items:
            yield from refused_paths(item, join_path(path, key), level + 1)
    elif not reference.has_canonical_form(value, strict=True, level=level):
        yield path


@given(hostile_json)
def test_a_refusal_names_the_path_to_the_first_offending_value(value: Any) -> None:
    expected = next(refused_paths(value), None)
    if expected is None:
        scan(value, strict=True)
    else:
        assert refusal(lambda: scan(value, strict=True)).path == expected


@given(lenient_json)
def test_the_bound_on_the_length_holds(value: Any) -> None:
    assert scan(value, strict=False) >= len(encode_canonical(value, strict=False))


@given(lenient_json)
def test_the_value_is_not_changed(value: Any) -> None:
    before = copy.deepcopy(value)
    encode_canonical(value, strict=False)
    assert repr(value) == repr(before)  # repr, because 0.0 == -0.0 and True == 1


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("a", "x.a"),
        ("_a1", "x._a1"),
        ("a b", 'x["a b"]'),
        ("1", 'x["1"]'),
        ("é", 'x["\\u00e9"]'),
        (0, "x[0]"),
    ],
)
def test_a_path_is_extended_by_name_or_index(key: str | int, path: str) -> None:
    assert join_path("x", key) == path


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        pytest.param("a\n\ud800", '"a\\n\\ud800"', id="string"),
        pytest.param("x" * 200, '"' + "x" * 78 + "…", id="long string"),
        pytest.param({}, "{}", id="empty object"),
        pytest.param({"a": 1}, "an object", id="object"),
        pytest.param([], "[]", id="empty array"),
        pytest.param([1], "an array", id="array"),
        pytest.param(None, "null", id="null"),
        pytest.param(True, "true", id="true"),
        pytest.param(-5, "-5", id="integer"),
        pytest.param(1.5, "1.5", id="float"),
        pytest.param(math.nan, "NaN", id="NaN"),
        pytest.param(10**79, "1" + "0" * 79, id="80 digits"),
        pytest.param(10**80, "1" + "0" * 78 + "…", id="81 digits"),
        pytest.param(2**20000, "an integer of 20001 bits", id="more digits than Python prints"),
        pytest.param(load_json("NaN"), "NaN is not a JSON number", id="refused by the parser"),
        pytest.param((), "a Python tuple", id="tuple"),
    ],
)
def test_a_value_is_shown_on_one_short_line(value: object, shown: str) -> None:
    assert shorten(value) == shown
