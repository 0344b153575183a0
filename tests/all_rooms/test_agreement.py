"""All rooms at once are checked as `roomver check` checks each: the same findings, the same exit codes."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import homeservers
import pytest
import synapse_db
from command_line import run
from homeservers import Recorded

from all_rooms.calls import VECTORS, by_room, checked, lines_of, summary
from roomver.keys import KeyRing


@pytest.fixture(scope="module", params=homeservers.KINDS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    with homeservers.opened(request.param, tmp_path_factory.mktemp("server")) as found:
        yield found


def compare(answer: dict[str, Any], *options: str) -> None:
    """Compare an answer with what `roomver check --json` says about the same room."""
    room = ("--room", answer["room_id"]) if answer["chosen"] else ()
    result = run("check", "--json", answer["source"], *room, *options)
    (found,) = json.loads(result.stdout)["files"]
    assert answer["code"] == result.exit_code
    if result.exit_code == 2:
        reason = answer["reason"]
        whole = f"{found['file']}: {found['error']}"
        # A long reason is cut after a word.
        told = whole[: len(reason) - 1] + "…" if reason.endswith(" …") else whole
        assert (answer["status"], reason) == ("unreadable", told)
        return
    for name in ("events", "intact", "redacted", "rejected", "soft_failed", "undecided", "bad", "kinds"):
        assert answer[name] == found["summary"][name], name
    assert answer["signatures"] == found["summary"]["signatures"]
    assert answer["room_version"] == found["room_version"]
    in_room = [event for event in found["events"] if event["findings"]]
    kinds = Counter(one["kind"] for event in in_room for one in event["findings"])
    if answer["bad"] + answer["undecided"] == len(in_room):
        assert kinds == answer["kinds"]
    if "room" in found:
        assert answer["resets"] == len(found["room"]["resets"])
        classes = Counter(one["class"] for one in found["room"]["resets"])
        assert answer["resets_unintended"] == classes["unintended"]
        assert answer["resets_unclassified"] == classes["not classified"]
        fields = ("type", "state_key", "lost", "merge", "class")
        assert [[one[name] for name in fields] for one in answer["first_resets"]] == [
            [one[name] for name in fields] for one in found["room"]["resets"][:3]
        ]
        assert answer["disagreements"]["state"] == sum(one["entries"] for one in found["room"]["findings"])
        assert answer["checks_unknown"] == len(found["room"]["current_unknown"])
        assert answer["lost"] == sum(len(one["events"]) for one in found["room"]["lost"])
        assert answer["disagreements"]["events"] == kinds["server-differs"]


def test_every_room_of_a_database_has_the_findings_of_check(server: Recorded) -> None:
    answers = checked(server.main, more=tuple(server.databases[1:]))
    assert {one["room_id"] for one in answers} == set(server.rooms)
    for answer in answers:
        compare(answer, *server.also)


@pytest.mark.parametrize("option", ["as_recorded", "alone", "unsigned", "required"])
def test_options_reach_the_worker(option: str, tmp_path: Path) -> None:
    path = str(homeservers.unpacked_sqlite(tmp_path))
    checks: dict[str, Any] = {option: True}
    words = {"as_recorded": "--as-recorded", "alone": "--alone", "unsigned": "--unsigned"}
    if option == "unsigned":
        checks = {"keys": None}
    if option == "required":
        checks = {"keys": KeyRing(required=True)}
    answers = checked(path, **checks)
    for answer in answers:
        compare(answer, words.get(option, "--require-signatures"))


def test_every_recorded_room_of_the_suite_has_the_findings_of_check() -> None:
    answers = checked(str(VECTORS))
    assert len(answers) == 12
    for answer in answers:
        # Each has a reset that nobody meant, and nothing else.
        assert (answer["status"], answer["bad"]) == ("findings", 0)
        compare(answer)


def test_rooms_with_all_kinds_of_damage_have_the_findings_of_check(tmp_path: Path) -> None:
    path = synapse_db.unpacked(tmp_path / "homeserver.db")

    def damage(db: Any) -> None:
        rooms = [room_id for (room_id,) in db.execute("SELECT room_id FROM rooms ORDER BY room_id")]
        first, second, third, fourth, *_ = rooms
        db.execute("UPDATE event_json SET json = '{' WHERE rowid % 5 = 0 AND room_id = ?", (first,))
        db.execute("DELETE FROM events WHERE stream_ordering % 7 = 0 AND room_id = ?", (second,))
        db.execute("UPDATE rooms SET room_version = 'unheard-of' WHERE room_id = ?", (third,))
        db.execute(
            "DELETE FROM rejections WHERE event_id IN (SELECT event_id FROM events WHERE room_id = ?)",
            (fourth,),
        )
        db.execute("UPDATE events SET rejection_reason = NULL WHERE room_id = ?", (fourth,))
        db.execute("DELETE FROM current_state_events WHERE type = 'm.room.topic'")

    changed = synapse_db.changed_in(path, tmp_path)(damage)
    answers = checked(changed)
    assert {one["status"] for one in answers} >= {"findings", "unreadable"}
    for answer in answers:
        compare(answer)


def test_a_run_says_what_each_worker_says(tmp_path: Path) -> None:
    path, out = str(homeservers.unpacked_sqlite(tmp_path)), str(tmp_path / "out.jsonl")
    found = summary(path, str(VECTORS), "--jobs", "2", "-o", out, code=1)
    alone = checked(path, str(VECTORS))
    assert by_room(lines_of(out)) == by_room(alone)
    assert found["rooms"] == len(alone)
    assert found["events"] == sum(one["events"] for one in alone)
    assert found["resets"]["resets"] == sum(one["resets"] for one in alone)
    assert found["resets"]["unintended"] == sum(one["resets_unintended"] for one in alone)
    assert found["resets"]["unintended_rooms"] == len(list(VECTORS.iterdir()))
    for answer in alone:
        # The call that is printed is the call that was compared.
        assert answer["command"].startswith(f"roomver check {answer['source']}")
