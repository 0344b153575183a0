"""The generators of the vectors: a case goes where it says, and what is left out or moved is reported."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

# The generators are not part of the package.
sys.path.insert(0, str(Path(__file__).parents[1]))
from vectors.generate.auth import check_twins, check_versions
from vectors.generate.auth_cases import Book
from vectors.generate.report import Difference, difference, lines
from vectors.generate.rooms import plain_room
from vectors.generate.suite import Dispute, File, Kind, differ, settled, write
from vectors.generate.versions import ALL, since, spread


def books(versions: Any, *, twin: str = "", first: str = "1") -> list[Book]:
    """A part with one case for some versions, which is built from the version `first` on."""
    part = [Book("part", version) for version in ALL]
    for book in part:
        if book.number >= int(first):
            room = plain_room(book.version)
            event = room.make("@alice:a.example.org", "m.room.topic", {"topic": "x"}, "")
            if twin:
                book.reject("one", room, event, "otherwise", versions=versions, twin=twin)
            else:
                book.allow("one", room, event, "otherwise", versions=versions)
    return part


def test_a_case_is_written_in_the_versions_that_it_names_and_no_other() -> None:
    part = books(("2", "7"))
    check_versions(part)
    assert [case.name for book in part for case in book.made] == ["auth.v2.one", "auth.v7.one"]
    left_out = [name for book in part for name in book.left_out]
    assert left_out == [f"auth.v{version}.one" for version in ALL if version not in ("2", "7")]


def test_a_case_without_versions_is_a_mistake() -> None:
    book, room = Book("part", "1"), plain_room("1")
    with pytest.raises(TypeError, match="versions"):
        book.allow("one", room, room.create, "otherwise")  # type: ignore[call-arg] # what the test is about


def test_a_case_for_a_version_in_which_it_is_never_built_is_a_mistake() -> None:
    with pytest.raises(ValueError, match=r"auth\.one is for room version 1, and nothing builds it there"):
        check_versions(books(ALL, first="2"))
    check_versions(books(since("2"), first="2"))


def test_a_case_for_an_unknown_version_is_a_mistake() -> None:
    with pytest.raises(ValueError, match=r"auth\.one is for room versions that do not exist: 13"):
        books(("1", "13"))


def test_two_cases_of_one_name_are_a_mistake() -> None:
    book, room = Book("part", "1"), plain_room("1")
    book.allow("one", room, room.create, "otherwise", versions=ALL)
    with pytest.raises(ValueError, match=r"auth\.one is written twice in room version 1"):
        book.allow("one", room, room.create, "otherwise", versions=ALL)


def test_a_missing_twin_is_a_mistake() -> None:
    found = [case for book in books(("3",), twin="other") for case in book.made]
    with pytest.raises(ValueError, match=r"auth\.v3\.one needs its twin, and auth\.v3\.other is not written"):
        check_twins(found)


def test_spread_gives_every_version_its_share() -> None:
    chosen = [version for index in range(12) for version in spread(index)]
    assert {version: chosen.count(version) for version in ALL} == dict.fromkeys(ALL, 3)


def example() -> File:
    file = File("base/x.json", "One")
    observed = Dispute(Kind.OBSERVED, {"valid": True}, "ours", "theirs")
    for version in ("1", "2", "5"):
        file.add("event_format.a.b", version, {}, {"valid": False}, spec="", notes="")
    file.add("event_format.a.c", "1", {}, {"valid": False}, spec="", notes="", disputed=observed)
    return file


def test_a_disputed_case_goes_into_a_file_of_its_kind_with_both_outcomes() -> None:
    file, apart = settled([example()])
    assert [case["name"] for case in file.cases] == [f"event_format.a.b.v{number}" for number in (1, 2, 5)]
    assert apart.path == "disputed/observed_event_format.json"
    assert [case["expected"] for case in apart.cases] == [
        [
            {"outcome": {"valid": False}, "reason": "ours"},
            {"outcome": {"valid": True}, "reason": "theirs"},
        ]
    ]


def test_implementations_that_differ_give_the_opposite() -> None:
    ours, theirs = differ("Synapse", "").outcomes({"allowed": True})
    assert ours == {"outcome": {"allowed": True}, "reason": "roomver's choice, and the answer of Synapse"}
    assert theirs == {
        "outcome": {"allowed": False},
        "reason": "also possible by the letter of the specification",
    }


def test_the_report_names_each_case_that_is_moved_or_left_out() -> None:
    files = list(settled([example()]))
    files[0].left_out = ["event_format.a.b.v3", "event_format.a.b.v4"]
    assert list(lines(files, [])) == [
        "    3 base/x.json",
        "    1 disputed/observed_event_format.json",
        "",
        "Moved to another file:",
        "  base/x.json -> disputed/observed_event_format.json: also accepted: theirs",
        "    event_format.a.c (1)",
        "",
        "Written in some of the room versions that have the rule, as `versions` of the case says:",
        "  base/x.json: in 1-2, 5 (of 1-5)",
        "    event_format.a.b",
        "",
        "Nothing is new, changed or gone since the files were last written.",
    ]


def test_the_report_says_what_is_new_changed_and_gone(tmp_path: Path) -> None:
    file = example()
    created = difference(file, tmp_path)
    assert created == Difference("base/x.json", True, [], [], [])
    assert list(lines([file], [created]))[-1] == "  base/x.json: a new file"
    write(file, tmp_path)
    assert difference(file, tmp_path) == Difference("base/x.json", False, [], [], [])
    document = json.loads((tmp_path / file.path).read_text())
    document["cases"][0]["name"] = "event_format.a.old.v1"
    document["cases"][1]["notes"] = "Why"
    (tmp_path / file.path).write_text(json.dumps(document))
    found = difference(file, tmp_path)
    assert found == Difference(
        "base/x.json", False, ["event_format.a.b.v1"], ["event_format.a.b.v2"], ["event_format.a.old.v1"]
    )
    assert list(lines([file], [found]))[-7:] == [
        "Since the files were last written:",
        "  base/x.json: 1 new",
        "    event_format.a.b (1)",
        "  base/x.json: 1 changed",
        "    event_format.a.b (2)",
        "  base/x.json: 1 gone",
        "    event_format.a.old (1)",
    ]
