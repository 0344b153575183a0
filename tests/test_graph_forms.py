"""The graph of a room for other tools: each form is read back by the tool, or by a reader of its language."""

import json
import re
import shutil
import subprocess
from functools import cache
from html import unescape
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import hostile_rooms
import pytest
from command_line import CASES, Write, entries, header, run
from drawn import random_room
from homeservers import room_named, unpacked_sqlite
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from test_cli_graph import forked
from test_escaped import hostile_room, is_safe

from roomver.cli.graph_forms import dot_text, mermaid_text, svg_chunks
from roomver.cli.graph_words import Words
from roomver.cli.loaded import LoadedRoom
from roomver.explain.drawing import SMALL, draw
from roomver.explain.lanes import LANES

SCHEMA = Path(__file__).parents[1] / "docs" / "schemas" / "graph.schema.json"
SVG = "{http://www.w3.org/2000/svg}"
FORMS = ("", "--dot", "--mermaid", "--svg", "--json", "--tardis")


@cache
def hostile_events() -> list[dict[str, Any]]:
    """The lines of a room whose types, keys and texts have the syntax of every form."""
    return entries(hostile_rooms.hostile_room(merged=False))


@pytest.fixture
def nasty(write: Write) -> str:
    return write("nasty.jsonl", [header(), *hostile_events()])


def printed(file: str, form: str, *more: str) -> str:
    result = run("graph", file, *([form] if form else []), *more)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_safe_to_print(form: str, nasty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    shown = printed(nasty, form, "--all")
    assert is_safe(shown)
    assert re.search("\u0301{3}", shown) is None
    if not form:
        rows = [line for line in shown.splitlines() if " $" in line[:6]]
        assert len(rows) == len(hostile_events())
        assert all(cell_len(line) <= 80 for line in rows)


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("form", FORMS)
def test_ids_that_a_sender_chose_are_safe_to_print(version: str, form: str, write: Write) -> None:
    file = write("room.jsonl", hostile_room(version))
    result = run("graph", file, *([form] if form else []))
    assert result.exit_code == 0
    assert is_safe(result.stdout)
    assert is_safe(result.stderr)


# Graphviz


def dot_graph(text: str) -> Any:
    dot = shutil.which("dot")
    if dot is None:
        pytest.skip("Graphviz is not installed")
    done = subprocess.run([dot, "-Tjson"], input=text.encode(), capture_output=True, check=True)
    assert done.stderr == b"" or b"font" in done.stderr.lower()
    return json.loads(done.stdout)


def said(file: str) -> list[str]:
    """What the rows of a drawing on a wide line say, without lanes, each with the day that is said above."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "2000")
        lines = printed(file, "", "--all").splitlines()
    day, rows = "", []
    for line in lines:
        if (found := re.fullmatch(r"[│ ]*(\d{4}-\d\d-\d\d) UTC", line)) is not None:
            day = found[1]
        elif (found := re.fullmatch(r"[│ ]*[*x~?!-] (\$\S+) (.*)", line)) is not None:
            rows.append(f"{found[1]} {day} {found[2]}")
    return rows


def test_graphviz_shows_the_same_texts_and_edges(nasty: str) -> None:
    graph = dot_graph(printed(nasty, "--dot", "--all"))
    rows = said(nasty)
    # A label still has the escapes with a backslash, and entities.
    labels = [
        unescape(re.sub(r"\\(.)", lambda found: " " if found[1] == "n" else found[1], one["label"]))
        for one in graph["objects"]
    ]
    assert labels == rows
    assert len(graph["edges"]) == len(rows) - 1
    assert {(edge["tail"], edge["head"]) for edge in graph["edges"]} == {
        (n, n + 1) for n in range(len(rows) - 1)
    }
    assert not any("URL" in one or "href" in one for one in graph["objects"])


def test_graphviz_shows_what_is_missing(write: Write) -> None:
    built = forked(run_of=5)
    gone = next(event for event in built.events.values() if event.content.get("body") == "3")
    kept = [one for one in entries(built) if one["event_id"] != gone.event_id]
    text = printed(write("part.jsonl", [header(), *kept]), "--dot")
    graph = dot_graph(text)
    (missing,) = (one for one in graph["objects"] if one["label"].startswith("missing"))
    assert missing["label"] == f"missing: {gone.event_id[:9]}"
    assert sum(edge["head"] == missing["_gvid"] for edge in graph["edges"]) == 1


@given(st.text())
def test_a_string_of_dot_ends_where_it_should(text: str) -> None:
    quoted = dot_text(text)
    inside = quoted[1:-1]
    assert quoted[0] == quoted[-1] == '"'
    assert '"' not in re.sub(r"\\.", "", inside, flags=re.DOTALL)
    assert "\\" not in re.sub(r'\\["\\]', "", inside)
    assert re.sub(r'\\(["\\])', r"\1", inside).replace("&amp;", "&") == text


# Mermaid


@given(st.text())
def test_a_label_of_mermaid_has_only_harmless_characters_and_entities(text: str) -> None:
    label = mermaid_text(text)
    assert re.fullmatch(r'"(?:[A-Za-z0-9 .,_-]|#\d+;)*"', label)
    assert re.sub(r"#(\d+);", lambda found: chr(int(found[1])), label[1:-1]) == text


def test_a_flowchart_has_a_node_for_each_row_and_no_other_lines(nasty: str) -> None:
    first, *lines = printed(nasty, "--mermaid", "--all").splitlines()
    assert first == "flowchart TB"
    node = r'  [nm]\d+\["(?:[A-Za-z0-9 .,_-]|#\d+;|<br/>)*"\]:::c\d'
    kinds = [node, r"  n\d+ --> n\d+", r"  classDef c\d fill:#\w{6},stroke:#\w{6},color:#000000"]
    counts = [sum(re.fullmatch(kind, line) is not None for line in lines) for kind in kinds]
    assert sum(counts) == len(lines)
    assert counts[:2] == [len(said(nasty)), len(said(nasty)) - 1]


def test_a_large_flowchart_comes_with_a_hint(write: Write) -> None:
    file = write("room.jsonl", [header(), *entries(forked(run_of=520))])
    assert "Mermaid draws at most 500 edges" in run("graph", file, "--mermaid", "--all").stderr
    assert run("graph", file, "--mermaid").stderr == ""


# SVG


def test_a_picture_is_xml_without_anything_that_acts(nasty: str) -> None:
    text = printed(nasty, "--svg", "--all")
    root = ET.fromstring(text)
    tags = {element.tag for element in root.iter()}
    assert tags == {f"{SVG}{name}" for name in ("svg", "rect", "text", "path", "circle", "title")}
    attributes = {name for element in root.iter() for name in element.attrib}
    assert not any(
        name.startswith("on") or "href" in name or name in ("style", "class") for name in attributes
    )
    texts = [element.text for element in root.iter(f"{SVG}text")]
    assert [re.sub(" · ", " ", text or "") for text in texts][2:] == said(nasty)
    ids = {title.text for title in root.iter(f"{SVG}title")}
    assert ids == {line["event_id"] for line in hostile_events()}


def test_what_a_merge_did_stands_below_its_text_in_a_picture(write: Write) -> None:
    file = write("room.jsonl", [header(), *entries(forked(run_of=3))])
    root = ET.fromstring(printed(file, "--svg"))
    merge, note, after = [*root.iter(f"{SVG}text")][2:5]
    assert (merge.text or "").endswith('message "both"')
    assert note.text == "merge with 2 keys in conflict"
    assert merge.attrib["x"] == note.attrib["x"]
    assert float(merge.attrib["y"]) < float(note.attrib["y"]) < float(after.attrib["y"])
    dots = [float(dot.attrib["cy"]) for dot in root.iter(f"{SVG}circle")]
    assert dots[1] - dots[0] > dots[2] - dots[1]
    assert float(root.attrib["height"]) > dots[-1]


@given(st.integers(0, 200))
def test_lines_of_a_picture_end_at_dots(seed: int) -> None:
    found = random_room(seed)
    drawing = draw(found, fold=False)
    words = Words(LoadedRoom("file", found), drawing)
    root = ET.fromstring("\n".join(svg_chunks(drawing, words)))
    dots = {(float(dot.attrib["cx"]), float(dot.attrib["cy"])) for dot in root.iter(f"{SVG}circle")}
    assert len(dots) == len(drawing.nodes)
    starts, ends, straight = set(), set(), set()
    for path in root.iter(f"{SVG}path"):
        numbers = [float(one) for one in re.findall(r"[\d.]+", path.attrib["d"])]
        starts.add((numbers[0], numbers[1]))
        ends.add((numbers[-2], numbers[-1]))
    for line in root.iter(f"{SVG}line"):
        x1, x2, y1, y2 = (float(line.attrib[name]) for name in ("x1", "x2", "y1", "y2"))
        assert x1 == x2
        assert y1 < y2
        straight.add((x1, y1, y2))
        starts.add((x1, y1))
        ends.add((x2, y2))
    # Each line begins at a dot, or where another one ends. It ends at a dot, or where another one begins or
    # passes.
    assert starts <= dots | ends
    for x, y in ends - dots - starts:
        assert any(x == at and above < y < below for at, above, below in straight)


# JSON


@cache
def validator() -> Any:
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def checked_json(*arguments: str) -> Any:
    result = run("graph", *arguments, "--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    validator().validate(document)
    rows = document["rows"]
    counted = sum(row["folded"]["events"] if row["folded"] else row["kind"] == "event" for row in rows)
    assert counted + document["hidden"] == document["events"]
    for number, row in enumerate(document["rows"]):
        assert row["row"] == number
        assert all(number < edge["row"] < len(document["rows"]) for edge in row["edges"])
        assert (row["event"] is None) != (row["folded"] is None)
    return document


def test_the_schema_describes_every_field() -> None:
    def fields(schema: Any) -> Any:
        if isinstance(schema, dict):
            if "properties" in schema:
                assert schema["additionalProperties"] is False
                assert sorted(schema["required"]) == sorted(schema["properties"])
                yield from schema["properties"].items()
            for value in schema.values():
                yield from fields(value)

    described = dict(fields(json.loads(SCHEMA.read_text(encoding="utf-8"))))
    assert described
    for name, schema in described.items():
        assert "description" in schema or "$ref" in schema, name


def test_json_of_made_up_rooms_follows_the_schema(nasty: str, write: Write) -> None:
    checked_json(nasty)
    checked_json(nasty, "--all", "--type", "m.room.topic")
    checked_json(nasty, "--count", "3")
    checked_json(write("v1.jsonl", hostile_room("1")))
    document = checked_json(write("room.jsonl", [header(), *entries(forked())]))
    assert [row["kind"] for row in document["rows"]].count("run") == 1
    assert document["rows"][0]["mark"]["merged"] == 2
    assert document["rows"][0]["event"]["extremity"] is True
    assert document["lanes"] == LANES
    assert {row["mark"]["outcome"] for row in document["rows"]} == {"accepted", "rejected"}


@pytest.mark.parametrize("case", sorted(CASES.glob("*room*.jsonl")) + sorted(CASES.glob("*recording.jsonl")))
def test_json_of_cases_follows_the_schema(case: Path) -> None:
    result = run("graph", str(case), "--json")
    if result.exit_code == 0:
        checked_json(str(case))
        checked_json(str(case), "--all")
    else:
        assert result.exit_code in (2, 3)


def test_json_of_a_homeserver_follows_the_schema(tmp_path: Path) -> None:
    database = str(unpacked_sqlite(tmp_path))
    for name in ("local-v1", "local-v12", "partial-v11", "purged-v9", "late-v10"):
        document = checked_json(database, room_named(name))
        assert document["room_id"] == room_named(name)
    assert checked_json(str(CASES / "m_16629_reset.jsonl"))["rows"][0]["mark"]["resets"]


# TARDIS


@pytest.mark.parametrize("version", ["1", "3", "10", "11", "12"])
def test_a_scenario_is_read_back_as_the_same_room(version: str, write: Write) -> None:
    built = forked(version)
    file = write("room.jsonl", [header(version), *entries(built)])
    scenario = printed(file, "--tardis")
    document = json.loads(scenario)
    assert document["tardis_version"] == 1
    assert document["room_version"] == version
    assert document["calculate_event_ids"] is False
    assert {one["event_id"] for one in document["events"]} == set(built.events)
    assert len(document["events"]) == len(built.events)
    refused = [one for one, text in document["annotations"]["events"].items() if text == "rejected"]
    assert [built.events[one].content for one in refused] == [{"name": "no"}]
    again = write("room.json5", scenario)
    for form in ("--json", ""):
        first = run("graph", file, *([form] if form else []), "--all", "--unsigned").stdout
        second = run("graph", again, *([form] if form else []), "--all", "--unsigned").stdout
        assert first.replace(file, again) == second


def test_a_scenario_of_a_part_has_its_parents_first(write: Write) -> None:
    built = forked()
    file = write("room.jsonl", [header(), *entries(built)])
    document = json.loads(printed(file, "--tardis", "--type", "m.room.message"))
    ids = [one["event_id"] for one in document["events"]]
    assert len(ids) == SMALL + 1
    for event in document["events"]:
        cited = [ids.index(one) for one in event["prev_events"] if one in ids]
        assert all(place < ids.index(event["event_id"]) for place in cited)


def test_a_scenario_of_an_old_version_comes_with_a_hint(write: Write) -> None:
    for version, hinted in {"2": True, "3": False}.items():
        file = write(f"{version}.jsonl", [header(version), *entries(forked(version))])
        assert ("TARDIS does not read" in run("graph", file, "--tardis").stderr) == hinted
