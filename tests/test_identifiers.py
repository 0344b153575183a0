"""Identifier grammar: https://spec.matrix.org/latest/appendices/#identifier-grammar"""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import chosen_event_ids, domain_room_ids, servers, user_ids

from roomver import identifiers
from roomver.identifiers import (
    fits,
    is_chosen_event_id,
    is_domain_room_id,
    is_hash_room_id,
    is_server_name,
    is_user_id,
    server_of,
)


class TestServerNames:
    @pytest.mark.parametrize(
        "name",
        [
            # The examples of the appendix.
            "matrix.org",
            "matrix.org:8888",
            "1.2.3.4",
            "1.2.3.4:1234",
            "[1234:5678::abcd]",
            "[1234:5678::abcd]:5678",
            # The limits of its grammar.
            "a",
            "-",
            "a" * 255,
            "A.b-C",
            "a:0",
            "a:99999",
            "[::]",
            "[" + "f" * 45 + "]",
        ],
    )
    def test_names_of_the_grammar_are_valid(self, name: str) -> None:
        assert is_server_name(name)

    @pytest.mark.parametrize(
        "name",
        [
            "",
            ":80",
            "a:",
            "a:123456",
            "a:8x",
            "a b",
            "a_b",
            "a\n",
            "a:80\n",
            "é",
            "\uff11",
            "a:\uff18\uff10",
            "[::1",
            "::1",
            "[1]",
            "[" + "f" * 46 + "]",
            "[g::]",
            "a" * 256,
            "a:80:80",
            "a/b",
            "@a",
        ],
    )
    def test_anything_else_is_invalid(self, name: str) -> None:
        assert not is_server_name(name)


class TestUserIds:
    @pytest.mark.parametrize(
        "name",
        [
            "@alice:example.org",
            "@a:[::1]:8448",
            "@A=/+_-.:x",
            # "any legal non-surrogate Unicode code points except for `:` and NUL, including other
            # control characters and the empty string"
            "@:x.org",
            "@ü \n:x.org",
            "@\x01\x7f😀:x",
            "@@:x",
            "@" + "a" * 252 + ":x",
            "@" + "é" * 126 + ":x",
        ],
    )
    def test_the_historical_grammar_is_accepted(self, name: str) -> None:
        assert is_user_id(name)
        assert is_domain_room_id("!" + name[1:])
        assert is_chosen_event_id("$" + name[1:])

    @pytest.mark.parametrize(
        "name",
        [
            "@a",
            "@a:",
            "@a:x y",
            "@a:x\n",
            "@a\0:x",
            "@a:x:y",
            "@" + "a" * 253 + ":x",
            "@" + "é" * 127 + ":x",
            "@" + "a" * 100_000,
        ],
    )
    def test_anything_outside_it_is_invalid(self, name: str) -> None:
        assert not is_user_id(name)
        assert not is_domain_room_id("!" + name[1:])
        assert not is_chosen_event_id("$" + name[1:])

    @pytest.mark.parametrize("name", ["a:x", "", ":", ":x", " @a:x", "#a:x"])
    def test_the_sigil_distinguishes_identifiers(self, name: str) -> None:
        assert not is_user_id(name)
        assert not is_domain_room_id(name)
        assert not is_chosen_event_id(name)
        assert not is_user_id("!a:x")
        assert not is_domain_room_id("$a:x")
        assert not is_chosen_event_id("@a:x")

    @given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters=":")), servers)
    def test_a_localpart_has_any_character_except_colon_and_nul_within_255_bytes(
        self, localpart: str, server: str
    ) -> None:
        name = f"@{localpart}:{server}"
        assert is_user_id(name) == ("\0" not in localpart and len(name.encode()) <= 255)

    def test_long_texts_are_not_cached(self) -> None:
        # The memory of a cache must not depend on what other servers send.
        before = identifiers._has_server_form_again.cache_info().currsize
        is_user_id("@" + "b" * 60_000 + ":x")
        is_domain_room_id("!" + "b" * 60_000 + ":x")
        assert identifiers._has_server_form_again.cache_info().currsize == before


@given(user_ids, domain_room_ids, chosen_event_ids)
def test_drawn_identifiers_have_the_grammar(user: str, room: str, event: str) -> None:
    assert is_user_id(user)
    assert is_domain_room_id(room)
    assert is_chosen_event_id(event)


class TestRoomIdsWithoutServer:
    @pytest.mark.parametrize("name", ["!" + "A" * 43, "!x", "!a:b", "!" + "a" * 254])
    def test_a_sigil_and_any_name_is_enough(self, name: str) -> None:
        assert is_hash_room_id(name)

    @pytest.mark.parametrize(
        "name", ["", "!", "foo", "$" + "A" * 43, "!a\0", "!" + "a" * 255, "!" + "é" * 128]
    )
    def test_anything_else_is_invalid(self, name: str) -> None:
        assert not is_hash_room_id(name)


@pytest.mark.parametrize(
    ("name", "server"),
    [
        ("@a:x", "x"),
        ("@a:[::1]:80", "[::1]:80"),
        ("@:x", "x"),
        ("@a", ""),
        ("@a:", ""),
        ("@a:X:1", "X:1"),
    ],
)
def test_the_server_name_is_what_follows_the_first_colon(name: str, server: str) -> None:
    assert server_of(name) == server


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ("a" * 255, True),
        ("a" * 256, False),
        ("é" * 127 + "a", True),
        ("é" * 128, False),
        ("😀" * 63 + "abc", True),
        ("😀" * 64, False),
        ("\ud800" * 85, True),
        ("\ud800" * 86, False),
    ],
)
def test_a_length_is_counted_in_bytes_of_utf_8(text: str, expected: bool) -> None:
    assert fits(text) is expected
