"""What `roomver compare` says about events of which the outcome is unknown in one source."""

import json

import pytest
from builder import ALICE
from command_line import Write, entries, header, public_room, run
from homeservers import room_named, unpacked_sqlite
from test_cli_why import ask, flat


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return the lines of a recorded room: a header and 40 events."""
    folder = tmp_path_factory.mktemp("recording")
    made = folder / "mine.jsonl"
    assert (
        run("record", str(unpacked_sqlite(folder)), room_named("local-v11"), "-o", str(made)).exit_code == 0
    )
    return made.read_text(encoding="utf-8").splitlines(keepends=True)


def test_events_that_cannot_be_compared_are_not_said_to_have_the_same_outcome(
    recording: list[str], write: Write
) -> None:
    mine, theirs = write("mine.jsonl", "".join(recording)), write("theirs.jsonl", "".join(recording[:30]))
    text, data = ask("compare", mine, theirs)
    told = (
        "B is a part of A: it has 29 of its 40 events. Of the 29 events of both, 1 has the same outcome, 28"
    )
    assert (text.exit_code, data["same"], data["open"]) == (1, 1, 28)
    assert data["summary"].startswith(f"{told} could not be compared.")
    assert flat(text).startswith(told)
    text, data = ask("compare", theirs, theirs)
    assert text.exit_code == 3
    assert "They have the same 29 events and a current state of 12 known entries. Of the 29" in flat(text)
    assert "1 has the same outcome, 28 could not be compared." in data["summary"]


@pytest.mark.parametrize("turned", [False, True])
def test_an_event_that_one_source_leaves_undecided_has_no_different_outcome(
    turned: bool, recording: list[str], write: Write
) -> None:
    files = [
        write("mine.jsonl", "".join(recording)),
        write("less.jsonl", "".join(recording[:19] + recording[20:])),
    ]
    text, data = ask("compare", *(reversed(files) if turned else files))
    less, more = "AB" if turned else "BA"
    undecided = [one for one in data["outcomes"] if one["undecided_in"] == less]
    assert undecided == data["outcomes"] != []
    assert data["summary"] == (
        f"{less} is a part of {more}: it has 39 of its 40 events. Of the 39 events of both, 18 have the same"
        f" outcome, 20 are undecided in {less} because {less} lacks an event of {more}, 1 could not be"
        " compared. No known decision differs."
    )
    assert data["same"] + len(data["outcomes"]) + data["open"] == data["common"]
    assert f"undecided in {less} only: 20 events" in text.stdout
    assert "different outcomes" not in text.stdout


def test_the_cause_is_only_said_if_the_other_source_has_what_is_missing(write: Write) -> None:
    built = public_room()
    added = [built.add("m.room.message", ALICE, {"body": str(number)}) for number in range(4)]
    lines = entries(built)

    def without(name: str, *gone: int) -> str:
        lost = {added[number].event_id for number in gone}
        return write(name, [header(), *(one for one in lines if one["event_id"] not in lost)])

    _, data = ask("compare", without("a.jsonl", 0), without("b.jsonl", 0, 2), "--unsigned")
    assert "because" not in data["summary"]
    _, data = ask("compare", without("a.jsonl"), without("b.jsonl", 0, 2), "--unsigned")
    assert "because B lacks events of A" in data["summary"]


def test_a_recorded_decision_that_differs_is_a_different_outcome(recording: list[str], write: Write) -> None:
    head = json.loads(recording[0])
    gone = recording[:19] + recording[20:]
    rejected = json.loads(recording[25])["event_id"]
    head["rejected"] = [*head["rejected"], rejected]
    files = (
        write("mine.jsonl", "".join(recording)),
        write("less.jsonl", "".join([json.dumps(head) + "\n", *gone[1:]])),
    )
    text, data = ask("compare", *files)
    (one,) = (one for one in data["outcomes"] if one["undecided_in"] is None)
    assert one["event_id"] == rejected
    assert data["summary"].startswith("The sources differ: 1 event is only in A. Of the 39 events of both, ")
    assert "1 has different outcomes" in data["summary"]
    assert "No known decision" not in data["summary"]
    assert "\ndifferent outcomes: 1 event\n" in text.stdout


def altered(recording: list[str], number: int) -> list[str]:
    """Return the lines with one event whose content does not fit its hash."""
    line = json.loads(recording[number])
    line["pdu"]["content"] = {**line["pdu"]["content"], "altered": 1}
    return [*recording[:number], json.dumps(line) + "\n", *recording[number + 1 :]]


def test_an_event_that_one_source_has_altered_is_a_difference(recording: list[str], write: Write) -> None:
    number = next(at for at, line in enumerate(recording) if '"m.room.message"' in line)
    event_id = json.loads(recording[number])["event_id"]
    mine, theirs = (
        write("mine.jsonl", "".join(recording)),
        write("it.jsonl", "".join(altered(recording, number))),
    )
    text, data = ask("compare", mine, theirs)
    assert (text.exit_code, data["copies"]) == (1, [event_id])
    assert "1 event has other content, redacted or altered" in flat(text)
    assert ask("compare", mine, mine)[1]["copies"] == []


def test_an_event_without_a_valid_copy_that_only_one_source_has_is_a_difference(
    recording: list[str], write: Write
) -> None:
    bad = json.loads(recording[-1])
    bad["pdu"] = {**bad["pdu"], "depth": "deep", "sender": 5}
    bad["event_id"] = "$" + "b" * 43
    mine, theirs = (
        write("mine.jsonl", "".join(recording)),
        write("it.jsonl", "".join([*recording, json.dumps(bad)])),
    )
    text, data = ask("compare", theirs, mine)
    assert (text.exit_code, data["dropped"]) == (1, [[bad["event_id"]], []])
    assert "1 event of A has no valid copy there" in flat(text)
