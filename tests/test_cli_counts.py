"""What the tables count: rejected and soft-failed events apart, and each event once."""

import json
import lzma
from pathlib import Path

import pytest
from command_line import run

DATA = Path(__file__).parent / "data"
LATE = "!xWjVNmliGLPGHEVxiN:far.example"
ROOM = DATA.parent.parent / "vectors" / "rooms" / "v11.jsonl"


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("homeserver") / "homeserver.db"
    path.write_bytes(lzma.decompress((DATA / "homeserver.db.xz").read_bytes()))
    return str(path)


def row(text: str) -> dict[str, str]:
    """Return the cells of the only room in the first table of `check`, by column."""
    header, _, cells, *_ = text.splitlines()
    return dict(zip(header.split(), cells.split(), strict=False))


def test_rejected_and_soft_failed_events_are_counted_apart(database: str) -> None:
    checked = row(run("check", database, LATE).stdout)
    assert (checked["rejected"], checked["soft-failed"]) == ("2", "1")
    (report,) = json.loads(run("check", database, LATE, "--json").stdout)["files"]
    summary = report["summary"]
    assert (summary["rejected"], summary["soft_failed"], summary["intact"]) == (2, 1, 37)
    listed = {room["room_id"]: room for room in json.loads(run("rooms", database, "--json").stdout)}
    assert listed[LATE]["rejected"] == 2


def test_rooms_says_how_many_events_the_server_of_a_recording_rejected() -> None:
    (room,) = json.loads(run("rooms", str(ROOM), "--json").stdout)
    assert room["rejected"] == 34 == int(row(run("check", str(ROOM)).stdout)["rejected"])


def test_an_event_of_several_sources_is_counted_once(database: str) -> None:
    once = json.loads(run("check", database, LATE, "--json").stdout)["files"][0]["summary"]
    twice = json.loads(run("check", database, LATE, "--also", database, "--json").stdout)["files"][0]
    assert twice["summary"] == once
    assert (once["events"], twice["room"]["repeated"]) == (40, 40)
    assert row(run("check", database, LATE, "--also", database).stdout)["events"] == "40"


def test_an_altered_copy_makes_its_event_bad_and_is_not_another_event(tmp_path: Path) -> None:
    altered = tmp_path / "altered.jsonl"
    text = ROOM.read_text(encoding="utf-8")
    altered.write_text(text.replace('"topic":"Made-up talk"', '"topic":"Made-up tale"'), encoding="utf-8")
    for sources in ((str(ROOM), "--also", str(altered)), (str(altered), "--also", str(ROOM))):
        (report,) = json.loads(run("check", *sources, "--json").stdout)["files"]
        summary = report["summary"]
        assert (summary["events"], summary["bad"], summary["kinds"]) == (207, 1, {"content-hash": 1})
        assert (summary["intact"], summary["redacted"]) == (166, 1)
        assert sum(summary["signatures"].values()) == 207


def test_rejected_events_come_first_and_hide_no_soft_failed_ones() -> None:
    text = run("check", str(ROOM)).stdout
    rejected = text.index("  34 events rejected here and by the recording server:\n")
    soft_failed = text.index("  5 events soft-failed here and by the recording server:\n")
    assert rejected < soft_failed < text.index("  current state: ") < text.index("  state reset of ")
    assert text[rejected:soft_failed].count("\n  line ") == text[soft_failed:].count("    soft-failed: ") == 5
    assert text[rejected:soft_failed].count("  and 29 more: --all lists them\n") == 1
    whole = run("check", str(ROOM), "--all").stdout
    assert whole.split(" soft-failed here and by")[0].count("\n  line ") == 34
