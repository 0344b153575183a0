"""`roomver report`: the file is whole, closed, safe and the same each time, and what it says is true."""

import base64
import hashlib
import io
import json
import os
import re
import stat
import subprocess
import sys
import unicodedata
import zlib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from builder import ALICE, BOB, Room
from command_line import CASES, Write, entries, header, public_room, run
from homeservers import room_named, unpacked_sqlite
from hostile_rooms import TEXTS, hostile_room
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from PIL import Image

from roomver.cli.page import document
from roomver.cli.page.words import pdu_text, shown

SCHEMA = json.loads((Path(__file__).parents[1] / "docs/schemas/report.schema.json").read_text("utf-8"))
RESET = str(CASES / "m_16629_reset.jsonl")


class Parts(HTMLParser):
    """The elements of a page, and the text in its scripts and styles."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.scripts: dict[str, str] = {}
        self.styles: list[str] = []
        self.texts: list[str] = []
        self._open = ("", "")
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self._open = tag, dict(attrs).get("id") or ""

    def handle_endtag(self, tag: str) -> None:
        del tag
        self._open = "", ""

    def handle_data(self, data: str) -> None:
        tag, name = self._open
        if tag == "script":
            self.scripts[name] = self.scripts.get(name, "") + data
        elif tag == "style":
            self.styles.append(data)
        else:
            self.texts.append(data)


def unpacked(text: str) -> Any:
    return json.loads(zlib.decompress(base64.b64decode(text)))


def read_part(name: str, text: str) -> Any:
    return lines_of(text) if name.startswith("pdus-") else unpacked(text)


def lines_of(text: str) -> list[str]:
    """Return the raw PDUs of a part, which has one on each line, with numbers for event IDs."""
    return zlib.decompress(base64.b64decode(text)).decode().split("\n")


def made(source: str, folder: Path, *more: str) -> Parts:
    target = folder / "room.html"
    result = run("report", source, *more, "-o", str(target))
    assert result.exit_code == 0, result.output
    return Parts(target.read_text(encoding="utf-8"))


def all_texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, one in value.items():
            yield key
            yield from all_texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from all_texts(one)


# The file


def test_the_policy_allows_the_script_and_the_style_of_the_file_and_nothing_else(tmp_path: Path) -> None:
    page = made(RESET, tmp_path)
    (policy,) = [value for tag, name, value in page.attributes if tag == "meta" and "default-src" in value]
    hashes = [
        "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"
        for text in (page.scripts[""], *page.styles)
    ]
    assert policy == (
        f"default-src 'none'; script-src {hashes[0]}; style-src {hashes[1]}; img-src data:;"
        " base-uri 'none'; form-action 'none'"
    )
    assert "unsafe" not in policy
    assert "connect-src" not in policy  # so it is that of default-src: nothing


def test_the_file_names_no_other_file(tmp_path: Path) -> None:
    page = made(RESET, tmp_path)
    loading = {"src", "srcset", "data", "action", "formaction", "poster", "background", "manifest", "ping"}
    assert [one for one in page.attributes if one[1] in loading] == []
    assert [one for one in page.attributes if one[1] == "href" and not one[2].startswith("#")] == []
    assert {"link", "iframe", "object", "embed", "base", "img", "form"} & {*page.tags} == set()
    assert [one for one in page.attributes if one[1].startswith("on") or one[1] == "style"] == []
    for text in page.styles:
        assert "url(" not in text
        assert "@import" not in text


def test_the_script_makes_text_and_never_html() -> None:
    code = "\n".join(document._part(name) for name in document._SCRIPTS if name != "virtual-core.js")
    forbidden = (
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|fetch\(|XMLHttp"
    )
    assert re.findall(forbidden + r"|WebSocket|import\(|sendBeacon|localStorage|cookie", code) == []


def test_the_library_in_the_page_has_its_licence() -> None:
    folder = Path(document.__file__).parent
    licence = (folder / "licenses" / "tanstack-virtual-core.txt").read_text("utf-8")
    assert "MIT License" in licence
    assert "TanStack Virtual" in document._part("virtual-core.js")[:400]
    assert "MIT License" in document._part("virtual-core.js")[:400]


def test_the_data_is_that_of_the_room(tmp_path: Path) -> None:
    page = made(RESET, tmp_path)
    core, rest = unpacked(page.scripts["core"]), unpacked(page.scripts["rest"])
    assert (core["events"], len(core["resets"]), len(rest["merges"])) == (20, 12, 1)
    assert {*rest["merges"][0]["by"]} == {"v1", "v2", "v2.1"}
    packed = lines_of(page.scripts["pdus-0"])
    assert any("\x7f" in text for text in packed)
    pdus = [json.loads(whole(text, core["ids"])) for text in packed]
    lines = [json.loads(line) for line in Path(RESET).read_text("utf-8").splitlines()]
    given = [line.get("pdu", line) for line in lines if "type" in line.get("pdu", line)]
    assert sorted(map(json.dumps, pdus), key=str) == sorted(
        (json.dumps({key: one[key] for key in sorted(one)}) for one in map(sorted_keys, given)), key=str
    )
    assert (
        core["verdict"]
        == "20 events: all accepted. State resolution undid 12 changes (state resets): 12 unintended."
    )


def whole(text: str, ids: list[str]) -> str:
    """Put event IDs into the packed text of a PDU, as the page does."""
    return re.sub(r"\x7f(\d+)\x7f", lambda found: ids[int(found[1])], text)


def sorted_keys(value: Any) -> Any:
    return json.loads(json.dumps(value, sort_keys=True))


def test_the_file_is_the_same_each_time(tmp_path: Path) -> None:
    files = []
    for seed in ("0", "7"):
        target = tmp_path / f"{seed}.html"
        call = [sys.executable, "-m", "roomver", "report", RESET, "-o", str(target)]
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        subprocess.run(call, check=True, capture_output=True, env=environment, timeout=120)
        files.append(target.read_bytes())
    assert files[0] == files[1]


@pytest.mark.parametrize("version", ["1", "6", "10", "11", "12"])
def test_hostile_text_is_text(version: str, tmp_path: Path, write: Write) -> None:
    page = made(write("room.jsonl", [header(version), *entries(hostile_room(version))]), tmp_path)
    # The document has the elements of the template and no other.
    plain = made(write("plain.jsonl", [header(version), *entries(public_room(version))]), tmp_path)
    assert [tag for tag in page.tags if tag != "script"] == [tag for tag in plain.tags if tag != "script"]
    assert {one[:2] for one in page.attributes} == {one[:2] for one in plain.attributes}
    assert all(re.fullmatch(r"core|rest|pdus-\d+|", name) for name in page.scripts)
    ids = unpacked(page.scripts["core"])["ids"]
    for name, text in page.scripts.items():
        if name:
            assert re.fullmatch(r"[A-Za-z0-9+/=]+", text)
            for one in all_texts(read_part(name, text)):
                check_safe(whole(one, ids))
    assert len(ids) > 100


def check_safe(text: str) -> None:
    """Check that a text is one line, with no control, no direction mark and no stack of marks."""
    marks = 0
    for character in text:
        category = unicodedata.category(character)
        assert category not in ("Cc", "Cf", "Cs", "Zl", "Zp"), repr(character)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        assert marks <= 2


@given(st.text() | st.sampled_from(TEXTS))
def test_a_text_is_safe_to_show(text: str) -> None:
    check_safe(shown(text))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text() | st.sampled_from(TEXTS[:9]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), json_values, max_size=5))
def test_the_text_of_a_pdu_is_the_same_json_value_and_safe(pdu: dict[str, Any]) -> None:
    text = pdu_text(pdu)
    assert json.loads(text) == pdu
    check_safe(text)


@pytest.mark.parametrize("text", ["\x7f", "\x7f0\x7f", "a\x7f", "\x00", "\ud800"])
def test_the_marks_of_packed_ids_are_in_no_pdu(text: str) -> None:
    shown = pdu_text({"body": text})
    assert json.loads(shown) == {"body": text}
    assert "\x7f" not in shown
    shown.encode()


def test_a_stack_of_marks_in_a_pdu_is_escaped() -> None:
    text = pdu_text({"body": TEXTS[16]})
    assert json.loads(text) == {"body": TEXTS[16]}
    assert text.count("\u0301") <= 1


# The command


def test_it_says_what_was_written(tmp_path: Path) -> None:
    target = tmp_path / "room.html"
    result = run("report", RESET, "--unsigned", "-o", str(target))
    assert result.exit_code == 0
    first, second, *_ = result.stdout.splitlines()
    assert (
        first == "20 events: all accepted. State resolution undid 12 changes (state resets): 12 unintended."
    )
    assert second.startswith(f"written: {target} (0.")


@pytest.mark.parametrize("png", [False, True])
def test_the_json_is_that_of_the_schema(png: bool, tmp_path: Path, write: Write) -> None:
    Draft202012Validator.check_schema(SCHEMA)
    check = Draft202012Validator(SCHEMA)
    database = str(unpacked_sqlite(tmp_path))
    sources = [
        [RESET],
        [database, room_named("local-v10")],
        [database, room_named("partial-v11")],
        [str(CASES / "c1_room.jsonl")],
        [write("hostile.jsonl", [header("12"), *entries(hostile_room("12"))])],
    ]
    for number, source in enumerate(sources):
        target = tmp_path / f"out-{number}"
        more = ["--png"] if png else []
        result = run("report", *source, "--unsigned", "--json", *more, "-o", str(target))
        assert result.exit_code == 0, result.output
        told = json.loads(result.stdout)
        check.validate(told)
        assert told["bytes"] == target.stat().st_size
        assert told["kind"] == ("png" if png else "html")
        assert sum(told["outcomes"].values()) == told["events"]


def test_standard_output_gets_the_file_alone() -> None:
    result = run("report", RESET, "--unsigned", "-o", "-")
    assert result.stdout.startswith("<!DOCTYPE html>")
    assert result.stdout.rstrip().endswith("</html>")
    refused = run("report", RESET, "--json", "-o", "-")
    assert refused.exit_code == 2
    assert "both write to standard output" in refused.stderr


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "room.html"
    target.write_text("before")
    target.chmod(0o600)

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", fail)
        assert run("report", RESET, "-o", str(target)).exit_code == 130
    assert target.read_text() == "before"
    assert [*tmp_path.iterdir()] == [target]
    assert run("report", RESET, "-o", str(target)).exit_code == 0
    assert target.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert [*tmp_path.iterdir()] == [target]


def test_a_folder_that_does_not_exist_is_told(tmp_path: Path) -> None:
    result = run("report", RESET, "-o", str(tmp_path / "none" / "room.html"))
    assert result.exit_code == 2
    assert "No such file or directory" in result.stderr


@pytest.mark.parametrize(("library", "more"), [("jinja2", []), ("PIL", ["--png"])])
def test_without_the_extra_it_says_what_to_install(
    library: str, more: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in [one for one in sys.modules if one.partition(".")[0] == library]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)
    result = run("report", RESET, *more, "-o", str(tmp_path / "room"))
    assert result.exit_code == 2
    assert "run pip install '.[report]' in the checkout of roomver" in result.stderr
    assert "could not be checked" not in result.stderr  # there is no answer to doubt
    assert not (tmp_path / "room").exists()


def test_a_room_without_resets_or_merges_and_one_event(write: Write, tmp_path: Path) -> None:
    page = made(write("room.jsonl", [header(), *entries(Room("11"))]), tmp_path)
    core = unpacked(page.scripts["core"])
    assert core["verdict"] == "1 event: all accepted."
    assert core["resets"] == []


def test_a_missing_event_is_counted_and_named(write: Write, tmp_path: Path) -> None:
    built = public_room()
    lines = [header(), *entries(built)]
    gone = lines.pop(2)
    page = made(write("room.jsonl", lines), tmp_path)
    core = unpacked(page.scripts["core"])
    assert "1 event is missing" in core["verdict"]
    assert core["ids"].index(gone["event_id"]) >= core["events"]


def test_the_page_does_not_name_the_path_of_the_source(write: Write, tmp_path: Path) -> None:
    source = write("secret-name.jsonl", Path(RESET).read_bytes())
    page = made(source, tmp_path)
    for name, text in page.scripts.items():
        assert "secret-name" not in (json.dumps(read_part(name, text)) if name else text)
    core = unpacked(page.scripts["core"])
    assert core["resolve"] == "roomver resolve SOURCE"
    assert any(line.startswith("to explain them: roomver resets SOURCE") for line in core["lines"])


# The picture


def opened(source: str, folder: Path) -> Image.Image:
    target = folder / "room.png"
    assert run("report", source, "--png", "-o", str(target)).exit_code == 0
    image = Image.open(io.BytesIO(target.read_bytes()))
    image.load()
    return image


def test_the_picture_is_a_png_of_bounded_size(write: Write, tmp_path: Path) -> None:
    assert opened(RESET, tmp_path).size == (1200, 470 + 28 + 6 * 24 + 60 + 20 * 26)
    built = public_room()
    for _ in range(60):
        built.add("m.room.message", ALICE, {"body": "x"})
    room = write("room.jsonl", [header(), *entries(built)])
    assert opened(room, tmp_path).size == (1200, 470 + 28 + 24 * 26)


def test_the_picture_explains_the_marks_that_it_has(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from roomver.cli.page import picture  # noqa: PLC0415

    drawn: list[str] = []

    class Brush(picture._Brush):
        def text(self, x: float, y: float, text: str, *given: Any, **options: Any) -> float:
            drawn.append(text)
            return super().text(x, y, text, *given, **options)

    monkeypatch.setattr(picture, "_Brush", Brush)
    told = "branches meet here, and a state reset happened"
    opened(RESET, tmp_path)
    assert drawn[drawn.index("All events, newest first") + 1 :][:2] == ["accepted", told]
    drawn.clear()
    built = public_room()
    built.add("m.room.topic", BOB, {"topic": "x"}, state_key="")  # without the level
    opened(write("room.jsonl", [header(), *entries(built)]), tmp_path)
    assert drawn[drawn.index("All events, newest first") + 1 :][:2] == ["accepted", "rejected"]
    assert told not in drawn


def test_the_picture_shows_a_reset_in_its_colour(write: Write, tmp_path: Path) -> None:
    violet = (122, 63, 208)

    def has(image: Image.Image) -> bool:
        return violet in {colour for _, colour in image.convert("RGB").getcolors(2**20) or ()}

    assert has(opened(RESET, tmp_path))
    assert not has(opened(write("room.jsonl", [header(), *entries(public_room())]), tmp_path))


@pytest.mark.parametrize("fonts", [(), ("DejaVuSans.ttf",)])
def test_a_hostile_room_has_a_picture(
    fonts: tuple[str, ...], write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from roomver.cli.page import picture  # noqa: PLC0415

    monkeypatch.setattr(picture, "_FONTS", fonts)
    image = opened(write("room.jsonl", [header("11"), *entries(hostile_room("11"))]), tmp_path)
    assert image.size[0] == 1200
