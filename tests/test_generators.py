"""The generators of the vectors: a case goes where it says, and what is left out or moved is reported."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

# The generators are not part of the package.
sys.path.insert(0, str(Path(__file__).parents[1]))
from vectors.generate.about import about
from vectors.generate.about_one import about_one
from vectors.generate.auth import books as auth_books
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
        file.add("event_format.a.b", version, {}, {"valid": False}, spec="", notes="Why")
    file.add("event_format.a.c", "1", {}, {"valid": False}, spec="", notes="Why", disputed=observed)
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
    document["cases"][1]["notes"] = "Why not"
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


def every_case() -> list[dict[str, Any]]:
    files = sorted(Path(__file__).parents[1].glob("vectors/*/*.json"))
    documents = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    return [case for one in documents if "cases" in one and "title" in one for case in one["cases"]]


def test_every_case_says_what_it_is_about_and_what_decides() -> None:
    cases = every_case()
    assert len(cases) > 8000
    for case in cases:
        assert case.get("spec", "").startswith("https://"), case["name"]
        notes = case.get("notes", "")
        # Sentences, which end with a full stop, and no value that a generator forgot.
        assert re.fullmatch(r"(?s)[^\s].{10,}[.:?)]", notes), (case["name"], notes)
        assert "None" not in notes.split(), (case["name"], notes)


def test_a_sentence_about_a_case_is_not_made_up_twice() -> None:
    """Two cases of one version share their notes only if an author wrote them for both."""
    made = [case for book in auth_books() for case in book.made if not case.notes]
    assert made
    for case in made:
        assert case.document()["notes"] == about(case)
    by_notes: dict[tuple[str, str], list[str]] = {}
    for case in made:
        by_notes.setdefault((case.version, about(case)), []).append(case.name)
    shared = [names for names in by_notes.values() if len(names) > 1]
    assert sum(map(len, shared)) < len(made) / 4, shared


def test_the_levels_in_the_sentences_are_those_of_the_outcomes() -> None:
    """A wrong level would mislead whoever looks for the reason of a failure."""
    seen = {True: 0, False: 0}
    patterns = (
        r"level (?P<need>-?\d+)\. The sender's level, (?P<have>-?\d+), is (?:too low|enough)",
        r"needs level (?P<need>-?\d+) and the sender's is (?P<have>-?\d+),",
        r"needs level (?P<need>-?\d+), and a level above the target's, which is (?P<theirs>-?\d+)\. "
        r"The sender's is (?P<have>-?\d+)\.",
        r"have the level to invite, (?P<need>-?\d+)\. Theirs is (?P<have>-?\d+)\.",
        r"level to invite, (?P<need>-?\d+)\. The sender's level is (?P<have>-?\d+)\.",
    )
    for case in (case for book in auth_books() for case in book.made if not case.notes):
        for found in (re.search(pattern, about(case)) for pattern in patterns):
            if found is not None:
                levels = {name: int(level) for name, level in found.groupdict().items()}
                enough = levels["have"] >= levels["need"] and levels["have"] > levels.get("theirs", -(2**60))
                assert enough is case.expected["allowed"], (case.name, about(case))
                seen[enough] += 1
    assert min(seen.values()) > 100, seen


def test_a_case_with_nothing_to_say_about_it_is_a_mistake() -> None:
    file = File("base/x.json", "One")
    with pytest.raises(ValueError, match=r"redact\.strange has no notes: say why the case exists"):
        file.add("redact.strange", "1", {"event": {}}, {"event": {}}, spec="https://example.org/", notes="")


@pytest.mark.parametrize(
    ("name", "event", "notes"),
    [
        ("depth.x", {"depth": "12"}, 'The value of depth is "12". It must be an integer from 0'),
        ("sender.x", {}, "The event has no sender. It must be a user ID"),
        ("not_object.x", [], "An event must be an object. In its place is []."),
        ("type.x", {"type": "é" * 128}, "The value of type is a text of 256 bytes, "),
        (
            "prev_events.x",
            {"prev_events": ["$" + "x" * 43, 5]},
            'The value of prev_events is ["$xxxx…", 5]. It',
        ),
    ],
)
def test_what_an_event_has_is_said(name: str, event: Any, notes: str) -> None:
    assert about_one(f"event_format.{name}", {"event": event}).startswith(notes)
