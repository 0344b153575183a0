"""What the tables count: rejected and soft-failed events apart, and each event once."""

import json
import shlex
from pathlib import Path

import pytest
from command_line import run
from homeservers import SQLITE, facts_of, room_named, unpacked_sqlite

DATA = Path(__file__).parent / "data"
LATE = room_named("late-v10")
ROOM = DATA.parent.parent / "vectors" / "rooms" / "v11.jsonl"


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(unpacked_sqlite(tmp_path_factory.mktemp("homeserver")))


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


@pytest.mark.parametrize(
    ("name", "joined", "ends", "words"),
    [
        ("local-v11", "5", "2", ['"local-v11"']),
        ("left-v10", "-", "1", ["left"]),
        ("invited-v11", "-", "-", ["invited"]),
        ("turned-down-v12", "-", "-", ["not in the room"]),
        ("partial-v11", "-", "1", ['"partial-v11"', "unfinished partial join"]),
    ],
)
def test_members_that_the_server_does_not_know_are_not_counted_as_none(
    database: str, name: str, joined: str, ends: str, words: list[str]
) -> None:
    (room_id,) = (one for one, room in facts_of(SQLITE)["rooms"].items() if room["name"] == name)
    lines = run("rooms", database).stdout.split(room_id)[1].splitlines()
    assert lines[0].split()[-2:] == [joined, ends]
    below = [line.strip() for line in lines[1 : 1 + len(words)]]
    assert below == words
    following = lines[1 + len(words) : 2 + len(words)]
    assert not following or following[0].startswith("!")


def test_an_event_of_several_sources_is_counted_once(database: str) -> None:
    once = json.loads(run("check", database, LATE, "--json").stdout)["files"][0]["summary"]
    twice = json.loads(run("check", database, LATE, "--also", database, "--json").stdout)["files"][0]
    assert twice["summary"] == once
    assert (once["events"], twice["room"]["repeated"]) == (40, 40)
    assert row(run("check", database, LATE, "--also", database).stdout)["events"] == "40"


def test_an_altered_copy_beside_a_whole_one_is_a_difference_and_no_finding(tmp_path: Path) -> None:
    altered = tmp_path / "altered.jsonl"
    text = ROOM.read_text(encoding="utf-8")
    altered.write_text(text.replace('"topic":"Made-up talk"', '"topic":"Made-up tale"'), encoding="utf-8")
    for sources in ((str(ROOM), "--also", str(altered)), (str(altered), "--also", str(ROOM))):
        result = run("check", *sources, "--json")
        (report,) = json.loads(result.stdout)["files"]
        summary = report["summary"]
        assert (summary["events"], summary["bad"], summary["kinds"]) == (207, 0, {})
        assert (summary["intact"], summary["redacted"]) == (167, 1)
        assert sum(summary["signatures"].values()) == 207
        assert (result.exit_code, report["events"]) == (1, [])
        (contradiction,) = report["sources"]["contradictions"]
        text = run("check", *sources).stdout
        assert "A server must" not in text
        assert "with findings" not in text
        explained = f"roomver explain {' '.join(sources)} '{contradiction['event_id']}'"
        assert text.endswith(f"to explain one event: {explained}\n")
        assert run(*shlex.split(explained)[1:]).exit_code in (0, 1)
    (report,) = json.loads(run("check", str(altered), "--json").stdout)["files"]
    assert (report["summary"]["bad"], report["summary"]["kinds"]) == (1, {"content-hash": 1})
    assert [one["findings"][0]["kind"] for one in report["events"]] == ["content-hash"]


def test_rejected_events_come_first_and_hide_no_soft_failed_ones() -> None:
    text = run("check", str(ROOM)).stdout
    rejected = text.index("  34 events rejected here and by the recording server:\n")
    soft_failed = text.index("  5 events soft-failed here and by the recording server:\n")
    assert rejected < soft_failed < text.index("  current state: ") < text.index("  state reset of ")
    assert text[rejected:soft_failed].count("\n  line ") == text[soft_failed:].count("    soft-failed: ") == 5
    assert text[rejected:soft_failed].count("  and 29 more: --all lists them\n") == 1
    whole = run("check", str(ROOM), "--all").stdout
    assert whole.split(" soft-failed here and by")[0].count("\n  line ") == 34
