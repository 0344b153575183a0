"""The pages in docs/how: what is made is current, and links lead to what they name."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from command_line import run

from roomver.rules import list_rules
from roomver.versions import ROOM_VERSIONS

# The pages and what makes them are not part of the package.
sys.path.insert(0, str(Path(__file__).parents[1]))

from docs.how import drawings, parts, rule_tables, small_rooms
from docs.how.links import ROOT, case_files, defined_in
from docs.how.merge_tables import order_table
from docs.how.merges import ALGORITHMS, case_merge, room_merge
from docs.how.rule_tables import grouped_rules

PAGES = parts.pages()
MAKE = "run: python -m docs.how"


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("path", "text"), [*small_rooms.recordings()], ids=lambda one: getattr(one, "stem", "")
)
def test_a_room_is_current(path: Path, text: str) -> None:
    assert text_of(path) == text, MAKE


@pytest.mark.parametrize("name", drawings.PICTURES)
def test_a_picture_is_current(name: str) -> None:
    assert text_of(drawings.path_of(name)) == drawings.PICTURES[name](), MAKE


def test_every_file_is_made_and_every_picture_is_shown() -> None:
    assert {one.name for one in small_rooms.FOLDER.iterdir()} == {
        f"{name}.jsonl" for name in small_rooms.small_rooms()
    }
    assert {one.stem for one in drawings.FOLDER.iterdir()} == {*drawings.PICTURES}
    shown = [
        name for page in PAGES for name in re.findall(r"!\[[^\]]+\]\(pictures/(.+?)\.svg\)", text_of(page))
    ]
    assert {*shown} == {*drawings.PICTURES}


@pytest.mark.parametrize(
    ("page", "words"), [(page.name, words) for page in PAGES for words, _ in parts.parts_of(text_of(page))]
)
def test_a_part_is_current(page: str, words: str) -> None:
    text = text_of(parts.FOLDER / page)
    (found,) = [part for one, part in parts.parts_of(text) if one == words]
    assert found == parts.remade(found), MAKE


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_ends_each_part(page: Path) -> None:
    text = text_of(page)
    assert text.count("<!-- made: ") == len(parts.parts_of(text)) == text.count("<!-- end of made -->")


def test_the_tables_have_every_rule() -> None:
    assert {rule.name for one in ROOM_VERSIONS.values() for rule in list_rules(one)} <= {*grouped_rules()}
    words = {words for page in PAGES for words, _ in parts.parts_of(text_of(page))}
    assert {f"rules {group}" for group in rule_tables.GROUPS} <= words


# Links

LINKS = [
    (page.name, label, target)
    for page in PAGES
    for label, target in re.findall(r"\[`([^`\]]+)`\]\((\.\./[^)#]+)\)", text_of(page))
]


@pytest.mark.parametrize(
    ("label", "target"), sorted({(label, target) for _, label, target in LINKS if "/src/" in target})
)
def test_a_link_to_code_names_what_is_there(label: str, target: str) -> None:
    path = (parts.FOLDER / target).resolve()
    assert path.is_file()
    assert label in defined_in(path) or label == path.relative_to(ROOT / "src").as_posix()


@pytest.mark.parametrize(
    ("label", "target"),
    sorted(
        {(label, target) for _, label, target in LINKS if target.endswith(".json") and "/vectors/" in target}
    ),
)
def test_a_link_to_a_case_leads_to_its_file(label: str, target: str) -> None:
    assert (parts.FOLDER / target).resolve() == ROOT / case_files()[label]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_names_cases_that_exist(page: Path) -> None:
    operations = {name.split(".")[0] for name in case_files()}
    for name in re.findall(r"`(\w+(?:\.\w+)*\.v\d+(?:\.\w+)*)`", text_of(page)):
        if name.split(".")[0] in operations:
            assert name in case_files()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_links_to_code_cases_and_the_specification(page: Path) -> None:
    if page.stem == "README":
        return
    text = text_of(page)
    assert "](../../src/roomver/" in text
    assert "](../../vectors/" in text
    assert "](https://spec.matrix.org/latest/" in text


# What the text says of the rooms. A change of a room that changes this needs another text.

OUTCOMES = {
    "ban": {
        "v1": "C MA P0 JR T0 MC MD ban NB",
        "v2": "C MA P0 JR T0 MC MD ban",
        "v2.1": "C MA P0 JR T0 MC MD ban",
    },
    "promotions": {
        "v1": "C MA P0 JR T0 MB MC MD ME NC",
        "v2": "C MA P0 JR T0 MB MC MD ME",
        "v2.1": "C MA P2 JR TC MB MC MD ME NC",
    },
    "left": {
        "v1": "C leave P0 JR T0 MB MC",
        "v2": "C leave P0 T0 MB MC",
        "v2.1": "C leave P0 JR2 T0 MB MC",
    },
}


@pytest.mark.parametrize(("room", "algorithm"), [(room, one) for room in OUTCOMES for one in ALGORITHMS])
def test_the_algorithms_resolve_the_rooms_as_the_pages_say(room: str, algorithm: str) -> None:
    merge = room_merge(room, "end")
    state = merge.resolved(algorithm).state
    assert sorted(merge.names[one] for one in state.values()) == sorted(OUTCOMES[room][algorithm].split())


@pytest.mark.parametrize(("room", "algorithm"), [(room, one) for room in OUTCOMES for one in ALGORITHMS])
def test_the_command_resolves_the_rooms_to_the_same_states(room: str, algorithm: str) -> None:
    small = small_rooms.small_rooms()[room]
    arguments = ("resolve", str(small.path), "--at", small.labels["end"], "--algorithm", algorithm, "--json")
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    document: dict[str, Any] = json.loads(result.stdout)
    found = {entry["event_id"] for entry in document["state"]}
    assert found == {*room_merge(room, "end").resolved(algorithm).state.values()}


@pytest.mark.parametrize("room", small_rooms.small_rooms())
def test_the_events_of_the_rooms_are_valid(room: str) -> None:
    result = run("check", str(small_rooms.small_rooms()[room].path), "--alone", "--json")
    assert result.exit_code == 0, result.output


def test_an_order_that_is_not_the_traces_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    merge = room_merge("promotions", "end")
    order_table(merge, "v2.1")
    monkeypatch.setattr("docs.how.merge_tables.sender_level", lambda merge, event_id: 0)
    with pytest.raises(AssertionError):
        order_table(merge, "v2.1")


def test_labels_of_a_case_name_all_its_events() -> None:
    merge = case_merge("resolve.promotions.v12")
    assert {merge.names[one] for one in merge.events} == {"C", "MA", "P0", "JR", "MB", "MC", "P1", "P2", "MD"}
