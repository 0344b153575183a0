"""`roomver vectors coverage --sentences`: the table of sentences, on a terminal and as JSON."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from command_line import run
from jsonschema import Draft202012Validator

from roomver.suite.inputs import BadVectors
from roomver.suite.sentences import read_sentences

SUITE = Path(__file__).parents[1] / "vectors"
COMMAND = ("vectors", "coverage", "--sentences")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Return a folder with one text of the table, and one file of cases."""
    folder = tmp_path / "suite"
    folder.mkdir()
    table = json.loads((SUITE / "sentences.json").read_text(encoding="utf-8"))
    table["texts"] = [text for text in table["texts"] if text["id"] == "handling.v3"]
    write(folder, table)
    shutil.copy(SUITE / "auth" / "redaction.json", folder)
    shutil.copy(SUITE / "auth" / "levels.json", folder)
    return folder


def write(folder: Path, table: Any) -> None:
    (folder / "sentences.json").write_text(json.dumps(table), encoding="utf-8")


def table_of(folder: Path) -> Any:
    return json.loads((folder / "sentences.json").read_text(encoding="utf-8"))


def test_it_prints_each_sentence_with_a_case_for_each_change() -> None:
    done = run(*COMMAND)
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    at = lines.index("Authorisation rules of version 12")
    assert lines[at + 1] == "https://spec.matrix.org/latest/rooms/v12/#authorisation-rules"
    at = lines.index("  5.3.2  Nobody joins for another user", at)
    assert lines[at + 1 : at + 7 : 2] == ["    dropped", "    inverted", "    widened"]
    assert all(line.startswith("      auth.v12.") for line in lines[at + 2 : at + 8 : 2])
    assert lines[-1] == "0 sentences without a case"
    assert lines[-3].endswith("of which ask for nothing")
    assert int(lines[-3].split()[0].replace(",", "")) > 1300


def test_it_prints_the_sentences_of_a_room_version() -> None:
    done = run(*COMMAND, "--room-version", "12")
    assert done.exit_code == 0
    assert "Authorisation rules of version 12\n" in done.stdout
    assert "Authorisation rules of version 11\n" not in done.stdout
    assert "Handling redactions of versions 3 to 12\n" in done.stdout
    assert run("vectors", "coverage", "--room-version", "12").exit_code == 2


def test_the_json_is_the_table_of_the_suite_and_follows_the_schema() -> None:
    done = run(*COMMAND, "--json")
    assert done.exit_code == 0
    printed = json.loads(done.stdout)
    schema = json.loads((SUITE / "schemas" / "sentences.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator(schema).validate(printed)
    assert printed.pop("complete") is True
    assert printed == json.loads((SUITE / "sentences.json").read_text(encoding="utf-8"))


def test_another_folder_is_read(small: Path) -> None:
    done = run(*COMMAND, str(small))
    assert (done.exit_code, "9 sentences in 1 texts" in done.stdout) == (0, True), done.output


def test_a_sentence_without_a_case_fails(small: Path) -> None:
    table = table_of(small)
    row = table["texts"][0]["sentences"][4]
    row["changes"][0] = {"how": "dropped", "failing": 0}
    write(small, table)
    done = run(*COMMAND, str(small))
    assert done.exit_code == 1
    assert "    dropped\n      NO CASE\n" in done.stdout
    assert "handling.v3 5: a case is missing\n" in done.stdout
    assert done.stdout.endswith("1 sentence without a case\n")
    assert json.loads(run(*COMMAND, "--json", str(small)).stdout)["complete"] is False
    row["changes"][0]["reason"] = "It cannot be."
    write(small, table)
    assert run(*COMMAND, str(small)).exit_code == 0
    # A reason for every change is not a case.
    row["changes"] = [{"how": "dropped", "failing": 0, "reason": "It cannot be."}]
    write(small, table)
    assert run(*COMMAND, str(small)).exit_code == 1


def test_a_case_that_is_gone_fails(small: Path) -> None:
    table = table_of(small)
    table["texts"][0]["sentences"][4]["changes"][0]["cases"] = ["redaction_applies.v3.gone"]
    write(small, table)
    done = run(*COMMAND, str(small))
    assert done.exit_code == 1
    assert "redaction_applies.v3.gone: there is no such case\n" in done.stdout


def test_a_long_name_and_a_disputed_case_fit(small: Path) -> None:
    table = table_of(small)
    change = {"how": "dropped", "failing": 1200, "cases": ["x" * 70], "disputed": True}
    table["texts"][0]["sentences"][4]["changes"] = [change]
    write(small, table)
    lines = run(*COMMAND, str(small)).stdout.splitlines()
    at = lines.index(f"      {'x' * 70}")
    assert lines[at + 1].strip() == "and 1,199 more (disputed)"
    assert max(map(len, lines[: at + 2])) <= 80


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "is not JSON"), ("[]", "is not an object"), ("{}", "is not a table of sentences")],
)
def test_a_table_that_cannot_be_read_is_an_error(small: Path, text: str, message: str) -> None:
    (small / "sentences.json").write_text(text, encoding="utf-8")
    done = run(*COMMAND, str(small))
    assert (done.exit_code, message in done.stderr) == (2, True), done.output


def test_it_takes_one_folder_with_a_table(small: Path) -> None:
    assert run(*COMMAND, str(small), str(small)).exit_code == 2
    assert run(*COMMAND, str(small / "sentences.json")).exit_code == 2
    (small / "sentences.json").unlink()
    assert run(*COMMAND, str(small)).exit_code == 2


def test_a_table_of_another_form_is_refused() -> None:
    tables: list[Any] = [{}, {"texts": [{}]}, {"texts": 5}, {"texts": [{"id": "", "title": "", "spec": ""}]}]
    for table in tables:
        with pytest.raises(BadVectors, match=r"sentences\.json: is not a table"):
            read_sentences(table)
