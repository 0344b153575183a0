"""Servers' keys: https://spec.matrix.org/latest/server-server-api/#retrieving-server-keys"""

import copy
import json
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import LENIENT_VERSIONS, STRICT_VERSIONS, JsonObject, hostile_json, often

from roomver import (
    BadKey,
    NotCanonical,
    VerifyKey,
    get_room_version,
    sign_json,
)
from roomver.keys import (
    NO_KEYS,
    VALIDITY_CAP_MS,
    KeyRing,
    SigningKey,
    Validity,
    format_time,
    published_keys,
    read_key_table,
)
from roomver.readers import read_keys
from roomver.signatures import read_server_keys

SEED = "YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1"
# The public half of the seed, as ed25519 gives it.
PUBLIC = "XGX0JRS2Af3be3knz2fBiRbApjm2Dh61gXDJA8kcJNI"
RAW = bytes.fromhex("5c65f42514b601fddb7b7927cf67c18916c0a639b60e1eb58170c903c91c24d2")
KEY = SigningKey.from_seed("ed25519:1", SEED)
TIME = 1700000000000


def test_the_public_key_of_the_appendix_seed() -> None:
    assert KEY.verify_key.key == RAW
    ring = read_key_table({"domain": {"ed25519:1": PUBLIC}})
    assert ring == KeyRing.of({"domain": {"ed25519:1": VerifyKey(RAW)}})
    assert ring.find("domain", "ed25519:1") == (VerifyKey(RAW),)
    assert ring.find("domain", "ed25519:2") == ring.find("other", "ed25519:1") == ()


class TestValidity:
    @pytest.mark.parametrize("name", ["5", *STRICT_VERSIONS])
    def test_valid_until_ts_must_be_at_least_origin_server_ts(self, name: str) -> None:
        key, version = VerifyKey(RAW, valid_until_ts=TIME), get_room_version(name)
        assert key.validity_at(TIME - 1, version) is Validity.VALID
        assert key.validity_at(TIME, version) is Validity.VALID
        assert key.validity_at(TIME + 1, version) is Validity.LAPSED

    @pytest.mark.parametrize("name", LENIENT_VERSIONS[:4])
    def test_versions_1_to_4_do_not_enforce_it(self, name: str) -> None:
        key, version = VerifyKey(RAW, valid_until_ts=TIME), get_room_version(name)
        assert key.validity_at(TIME + 1, version) is Validity.VALID
        assert key.validity_at(TIME + 2 * VALIDITY_CAP_MS, version, TIME) is Validity.VALID

    @pytest.mark.parametrize("name", ["5", *STRICT_VERSIONS])
    @pytest.mark.parametrize("until", [None, 0, TIME + 10 * VALIDITY_CAP_MS])
    def test_the_lesser_of_valid_until_ts_and_7_days_into_the_future(
        self, name: str, until: int | None
    ) -> None:
        key, version = VerifyKey(RAW, valid_until_ts=until), get_room_version(name)
        last = TIME + 7 * 24 * 3600 * 1000
        within = Validity.LAPSED if until == 0 else Validity.VALID
        assert key.validity_at(last, version, TIME) is within
        # Beyond it no key counts, whatever is said of it later.
        assert key.validity_at(last + 1, version, TIME) is Validity.AHEAD
        assert key.validity_at(last + 1, version) is within

    @pytest.mark.parametrize("name", [*LENIENT_VERSIONS, *STRICT_VERSIONS])
    @pytest.mark.parametrize("until", [None, 0])
    @pytest.mark.parametrize("now", [None, 0])
    def test_an_old_key_counts_up_to_the_time_it_expired_in_every_version(
        self, name: str, until: int | None, now: int | None
    ) -> None:
        key, version = VerifyKey(RAW, until, expired_ts=TIME), get_room_version(name)
        assert key.validity_at(TIME, version, now) is Validity.VALID
        assert key.validity_at(TIME + 1, version, now) is Validity.EXPIRED


class TestKeyRing:
    def test_two_rings_have_the_keys_of_both_at_the_later_time(self) -> None:
        one = KeyRing.of({"a": {"ed25519:1": VerifyKey(RAW)}}, now=5)
        other = KeyRing.of({"a": {"ed25519:2": VerifyKey(RAW)}, "b": {}}, now=7)
        expected = {"a": {"ed25519:1": (VerifyKey(RAW),), "ed25519:2": (VerifyKey(RAW),)}, "b": {}}
        assert (one | other) == (other | one) == KeyRing(expected, 7)
        assert (one | NO_KEYS) == (NO_KEYS | one) == one
        assert KeyRing.joined([]) == NO_KEYS
        assert set(one.keys["a"]) == {"ed25519:1"}

    @pytest.mark.parametrize(
        ("one", "other", "both"),
        [
            ((5, None), (7, None), (7, None)),
            ((5, None), (None, None), (None, None)),
            ((5, None), (None, 3), (None, 3)),
            ((None, 9), (None, 3), (None, 3)),
        ],
    )
    def test_of_one_key_in_two_places_what_says_more_counts(self, one: Any, other: Any, both: Any) -> None:
        rings = [
            KeyRing.of({"a": {"ed25519:1": VerifyKey(RAW, *times)}}, source=source)
            for times, source in ((one, "one.json"), (other, "other.json"))
        ]
        for order in (rings, rings[::-1], [*rings, *rings]):
            ring = KeyRing.joined(order)
            (key,) = ring.find("a", "ed25519:1")
            assert (key.valid_until_ts, key.expired_ts) == both
            assert key.sources == ("one.json", "other.json")
            assert ring.clashes == ()

    def test_different_keys_under_one_id_are_kept_with_their_sources(self) -> None:
        rings = [
            KeyRing.of({"a": {"ed25519:1": VerifyKey(raw)}}, source=source)
            for raw, source in ((b"2" * 32, "two.json"), (b"1" * 32, "one.json"), (b"2" * 32, "also.json"))
        ]
        for order in permutations(rings):
            (clash,) = KeyRing.joined(order).clashes
            assert (clash.server, clash.key_id) == ("a", "ed25519:1")
            assert [(key.key, key.sources) for key in clash.keys] == [
                (b"1" * 32, ("one.json",)),
                (b"2" * 32, ("also.json", "two.json")),
            ]

    def test_complete_and_required(self) -> None:
        complete, required = KeyRing(complete=True), KeyRing(required=True)
        assert (complete | complete).complete
        assert not (complete | required).complete
        assert (complete | required).required


class TestPlainTable:
    def test_a_key_may_be_given_alone_or_with_its_times(self) -> None:
        table = read_key_table(
            {
                "a": {"ed25519:1": PUBLIC, "ed25519:2": {"key": PUBLIC + "=", "valid_until_ts": 5}},
                "b": {"ed25519:x": {"key": PUBLIC, "expired_ts": 7, "valid_until_ts": None}},
                "c": {},
            }
        )
        assert table.keys == {
            "a": {"ed25519:1": (VerifyKey(RAW),), "ed25519:2": (VerifyKey(RAW, 5),)},
            "b": {"ed25519:x": (VerifyKey(RAW, None, 7),)},
            "c": {},
        }

    def test_a_key_of_an_unknown_algorithm_is_left_out(self) -> None:
        assert read_key_table({"a": {"rsa:1": 5, "": None, "ed25519": "x"}}).keys == {"a": {}}

    @pytest.mark.parametrize(
        ("table", "where"),
        [
            ([], "keys"),
            (None, "keys"),
            ("x", "keys"),
            ({"a": []}, "a"),
            ({"a": PUBLIC}, "a"),
            ({"a": {"ed25519:1": None}}, "a ed25519:1"),
            ({"a": {"ed25519:1": {}}}, "a ed25519:1"),
            ({"a": {"ed25519:1": {"key": 5}}}, "a ed25519:1"),
            ({"a": {"ed25519:1": PUBLIC[:-1]}}, "a ed25519:1"),
            ({"a": {"ed25519:1": PUBLIC + "A"}}, "a ed25519:1"),
            ({"a": {"ed25519:1": "$" * 43}}, "a ed25519:1"),
            ({"a": {"ed25519:1": {"key": PUBLIC, "valid_until_ts": "5"}}}, "a ed25519:1"),
            ({"a": {"ed25519:1": {"key": PUBLIC, "valid_until_ts": True}}}, "a ed25519:1"),
            ({"a": {"ed25519:1": {"key": PUBLIC, "expired_ts": 5.0}}}, "a ed25519:1"),
        ],
    )
    def test_an_entry_that_cannot_be_used_is_named(self, table: Any, where: str) -> None:
        with pytest.raises(BadKey) as caught:
            read_key_table(table)
        assert caught.value.where == where

    @often
    @given(hostile_json)
    def test_any_json_value_ends_in_a_table_or_bad_key(self, value: Any) -> None:
        tables: list[Any] = [value, {"a": value}, {"a": {"ed25519:1": value}}]
        for table in tables:
            try:
                assert isinstance(read_key_table(table), KeyRing)
            except BadKey as error:
                str(error).encode("utf-8", "surrogatepass")


@pytest.mark.parametrize(
    ("timestamp", "text"),
    [
        (0, "1970-01-01 00:00:00Z (0)"),
        (253_402_300_799_999, "9999-12-31 23:59:59Z (253402300799999)"),
        (253_402_300_800_000, "253402300800000"),
        (-1, "-1"),
    ],
)
def test_a_time_as_text(timestamp: int, text: str) -> None:
    assert format_time(timestamp) == text


@given(st.integers(0, 253_402_300_799_999))
def test_any_time_as_text_is_what_python_makes_of_it(timestamp: int) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=timestamp // 1000)
    assert format_time(timestamp) == f"{moment.isoformat(' ').removesuffix('+00:00')}Z ({timestamp})"


def test_a_time_of_thousands_of_digits_is_not_printed() -> None:
    assert format_time(10**5000) == "an integer of 16610 bits"


def response(**changes: Any) -> JsonObject:
    return {
        "server_name": "domain",
        "valid_until_ts": TIME,
        "verify_keys": {"ed25519:1": {"key": PUBLIC}},
        "old_verify_keys": {"ed25519:old": {"key": PUBLIC, "expired_ts": 5}},
        "tls_fingerprints": [],
    } | changes


class TestServerKeys:
    def test_a_response_that_the_server_signed_gives_its_keys(self) -> None:
        signed = sign_json(response(), "domain", KEY)
        before = copy.deepcopy(signed)
        expected = {"ed25519:1": VerifyKey(RAW, TIME), "ed25519:old": VerifyKey(RAW, None, 5)}
        assert read_server_keys(signed) == ("domain", expected)
        assert signed == before

    def test_old_keys_may_be_missing_and_keys_of_unknown_algorithms_are_ignored(self) -> None:
        pdu = response(verify_keys={"ed25519:1": {"key": PUBLIC}, "rsa:1": "?"})
        del pdu["old_verify_keys"]
        assert read_server_keys(sign_json(pdu, "domain", KEY))[1] == {"ed25519:1": VerifyKey(RAW, TIME)}

    def test_a_key_that_is_both_old_and_in_use_has_expired(self) -> None:
        # "The public keys that the server used to use and when it stopped using them." Elsewhere: "any keys
        # that are known to have expired prior to the event's origin_server_ts are ignored". As in `joined`,
        # a key has expired if one statement says so.
        both = response(old_verify_keys={"ed25519:1": {"key": PUBLIC, "expired_ts": 5}})
        # "Digital signatures for this object signed using the verify_keys."
        server, keys = read_server_keys(sign_json(both, "domain", KEY))
        assert keys == {"ed25519:1": VerifyKey(RAW, None, 5)}
        apart = [
            KeyRing.of({server: {"ed25519:1": key}})
            for key in (VerifyKey(RAW, TIME), VerifyKey(RAW, None, 5))
        ]
        assert KeyRing.joined(apart).find(server, "ed25519:1") == (keys["ed25519:1"],)

    def test_different_keys_under_one_id_in_one_response_are_a_clash(self) -> None:
        other = "A" * 43
        both = response(old_verify_keys={"ed25519:1": {"key": other, "expired_ts": 5}})
        expected = 'domain old_verify_keys["ed25519:1"]: not the key that verify_keys has under this ID'
        for read in (published_keys, read_server_keys):
            with pytest.raises(BadKey) as caught:
                read(sign_json(both, "domain", KEY))
            assert expected in str(caught.value)

    def test_a_response_that_is_not_signed_is_refused(self) -> None:
        with pytest.raises(BadKey, match=r"not signed by the server's own keys \(domain: no signature\)"):
            read_server_keys(response())
        assert published_keys(response())[0] == "domain"

    def test_a_signature_under_another_name_does_not_count(self) -> None:
        with pytest.raises(BadKey, match="not signed"):
            read_server_keys(sign_json(response(), "notary", KEY))

    def test_a_tampered_response_is_refused(self) -> None:
        signed = sign_json(response(), "domain", KEY)
        tamperings: list[JsonObject] = [{"valid_until_ts": TIME + 1}, {"old_verify_keys": {}}, {"foo": 1}]
        for changes in tamperings:
            with pytest.raises(BadKey, match="does not verify"):
                read_server_keys(signed | changes)

    def test_a_signature_by_an_old_key_does_not_count(self) -> None:
        old = SigningKey.from_seed("ed25519:old", SEED)
        with pytest.raises(BadKey, match="unknown key"):
            read_server_keys(sign_json(response(), "domain", old))

    def test_a_response_without_keys_in_use_is_refused(self) -> None:
        with pytest.raises(BadKey, match="not signed"):
            read_server_keys(sign_json(response(verify_keys={}), "domain", KEY))
        without = response()
        del without["verify_keys"]
        with pytest.raises(BadKey, match="unknown key"):
            read_server_keys(sign_json(without, "domain", KEY))

    @pytest.mark.parametrize(
        ("changes", "where"),
        [
            ({"server_name": None}, "server_name"),
            ({"server_name": 5}, "server_name"),
            ({"valid_until_ts": None}, "domain"),
            ({"valid_until_ts": "5"}, "domain"),
            ({"valid_until_ts": True}, "domain"),
            ({"verify_keys": []}, "domain verify_keys"),
            ({"verify_keys": None}, "domain verify_keys"),
            ({"old_verify_keys": 5}, "domain old_verify_keys"),
            ({"verify_keys": {"ed25519:1": []}}, 'domain verify_keys["ed25519:1"]'),
            ({"verify_keys": {"ed25519:1": {"key": "A"}}}, 'domain verify_keys["ed25519:1"]'),
            ({"old_verify_keys": {"ed25519:o": {"key": PUBLIC}}}, 'domain old_verify_keys["ed25519:o"]'),
        ],
    )
    def test_a_malformed_response_is_refused(self, changes: JsonObject, where: str) -> None:
        for read in (published_keys, read_server_keys):
            with pytest.raises(BadKey) as caught:
                read(response(**changes))
            assert caught.value.where == where

    @pytest.mark.parametrize("value", [None, [], "x", 5])
    def test_so_is_a_value_that_is_not_an_object(self, value: Any) -> None:
        with pytest.raises(BadKey, match="must be an object"):
            read_server_keys(value)

    def test_a_response_without_canonical_json_is_refused(self) -> None:
        with pytest.raises(NotCanonical, match="foo: the number"):
            read_server_keys(response(foo=1.5))

    @often
    @given(hostile_json, hostile_json)
    def test_any_unsigned_json_value_ends_in_an_error(self, value: Any, other: Any) -> None:
        for answer in (value, response(verify_keys=value), response(old_verify_keys=value, signatures=other)):
            with pytest.raises((BadKey, NotCanonical)):
                read_server_keys(answer)


def test_a_long_name_is_not_copied_into_the_message_of_each_bad_key() -> None:
    table = {"a" * 100_000: {f"ed25519:{number}": 5 for number in range(2_000)}}
    found = read_keys(json.dumps({**table, "b.example": {"ed25519:1": "A" * 43}}).encode(), "keys.json")
    assert len(found.refused) == 2_000
    assert sum(map(len, found.refused)) < 2_000 * 1_000


def test_many_responses_with_one_key_keep_a_few_sources() -> None:
    rings = [
        KeyRing.of({"a": {"ed25519:1": VerifyKey(bytes(32))}}, source=f"file {number:05}")
        for number in range(5_000)
    ]
    (key,) = KeyRing.joined(rings).find("a", "ed25519:1")
    assert key.sources == tuple(f"file {number:05}" for number in range(10))
    assert KeyRing.joined(reversed(rings)).find("a", "ed25519:1")[0].sources == key.sources
