"""The generators of the vectors: a case goes where it says, and what is left out or moved is reported."""

import json
import re
import sys
from collections import Counter
from math import inf
from pathlib import Path
from string import Formatter
from typing import Any

import pytest

from roomver.power import Level, Levels, read_level
from roomver.suite.inputs import read_events
from roomver.suite.operations import run_operation
from roomver.versions import RoomVersion, get_room_version

# The generators are not part of the package.
sys.path.insert(0, str(Path(__file__).parents[1]))
from vectors.generate.about import about
from vectors.generate.about_one import about_one
from vectors.generate.about_rules import REASONS
from vectors.generate.auth import books as auth_books
from vectors.generate.auth import check_twins, check_versions
from vectors.generate.auth_cases import Book, Made
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


LEVEL = r'(-?\d+(?: \(creator; the room has no power levels\))?|infinite \(creator\)|"[^"]*")'
SAID = {
    "sender": r"[Tt]he sender's(?: level)?(?: is|,)|the sender's own,|a sender with level",
    "target": r"the target's, which is",
    "authoriser": r"[Tt]heirs is",
    "required": r"The event needs level",
    "invite": r"An invite needs level|the level to invite[,:]",
    "ban": r"A ban needs level|An unban needs level",
    "kick": r"A kick needs level|, level(?= \S+ as a kick does)",
    "redact": r"[Tt]he level to redact(?: is|:)",
}
IN_TEMPLATES = {"have": "sender", "theirs": "target", "need": "required"}


def said_levels(text: str, version: RoomVersion) -> dict[str, Level]:
    """Return the levels that a sentence has, by whose they are or what they are for."""
    found: dict[str, Level] = {}
    for name, words in SAID.items():
        for level in re.findall(rf"(?:{words}) {LEVEL}", text):
            if level.startswith("infinite"):
                found[name] = inf
            else:
                read = read_level(json.loads(level.partition(" (")[0]), version)
                assert read is not None, text
                found[name] = read
    return found


def levels_of(case: Made) -> dict[str, Level]:
    """Return the levels of a case: as the library has them, and as the detail of its verdict says."""
    version = get_room_version(case.version)
    events = read_events(case.input, version)
    event = events[case.input["redaction" if case.operation == "redaction_applies" else "event"]]
    chosen = [events[one] for one in case.input.get("state", event.auth_event_ids) if one in events]
    state = {(one.type, one.state_key): one for one in chosen if one.state_key is not None}
    create = next((one for one in events.values() if one.type == "m.room.create"), None)
    levels = Levels(create, state.get(("m.room.power_levels", "")))
    users = {
        "sender": event.sender,
        "target": event.state_key,
        "authoriser": event.content.get("join_authorised_via_users_server"),
    }
    kind, is_state = event.type, event.state_key is not None
    found: dict[str, Level] = {
        **{name: levels.user(user) for name, user in users.items() if isinstance(user, str)},
        **{name: levels.named(name) for name in ("invite", "ban", "kick", "redact")},
        "required": levels.required(kind, is_state),
    }
    detail = str(run_operation(case.operation, case.version, case.input).get("detail", ""))
    for name, level in re.findall(r"\b(\w+) level (-?\d+|infinite)\b", detail):
        found[name] = inf if level == "infinite" else int(level)
    return found


def test_the_levels_in_the_sentences_are_those_of_the_verdict() -> None:
    """A wrong level would mislead whoever looks for the reason of a failure."""
    compared: Counter[str] = Counter()
    for case in (case for book in auth_books() for case in book.made if not case.notes):
        if case.operation == "auth_types":
            continue
        said = said_levels(about(case), get_room_version(case.version))
        if case.operation == "auth" and case.rule_name:
            names = {name for _, name, _, _ in Formatter().parse(REASONS[case.rule_name]) if name}
            names -= {"removal", "authorisers"}
            assert {IN_TEMPLATES.get(name, name) for name in names} <= said.keys(), about(case)
        if said:
            levels = levels_of(case)
            assert said == {name: levels[name] for name in said}, (case.name, about(case))
            compared.update(said.keys())
    assert compared.keys() == SAID.keys()
    assert min(compared.values()) > 10, compared


def test_the_sentences_say_how_a_level_comes_about() -> None:
    by_name = {case.name: about(case) for book in auth_books() for case in book.made if not case.notes}
    assert "infinite (creator)" in by_name["auth.v12.no_power_levels.creator_state"]
    notes = by_name["auth.v11.no_power_levels.creator_state"]
    assert "needs level 50 and the sender's is 100 (creator; the room has no power levels)" in notes
    texts = [text for text in by_name.values() if "a level may also be text" in text]
    assert texts
    for text in texts:
        assert text.endswith(
            " may also be text: an integer with an optional sign, surrounded by white space."
        )


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
