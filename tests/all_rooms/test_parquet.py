"""Results as Parquet: the same values as in JSON Lines, and going on with them."""

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import homeservers
import pytest
from command_line import run

from all_rooms.calls import by_room, checked, lines_of, summary
from roomver.cli.all_rooms import parquet, results

arrow = pytest.importorskip("pyarrow.parquet", reason="pyarrow, the extra `parquet`, is not installed")


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(homeservers.unpacked_sqlite(tmp_path_factory.mktemp("server")))


def rows_of(path: Path) -> list[dict[str, Any]]:
    rows = arrow.read_table(path).to_pylist()
    return [row | {"kinds": dict(row["kinds"])} for row in rows]


def test_parquet_has_the_values_of_json_lines(database: str, tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    found = summary(database, "-o", str(out))
    assert by_room(rows_of(out)) == by_room(checked(database))
    assert [one.name for one in tmp_path.iterdir()] == ["out.parquet"]
    # A complete file is gone on with as well.
    assert {**summary(database, "-o", str(out), "--resume"), "seconds": 0} == {**found, "seconds": 0}
    assert by_room(rows_of(out)) == by_room(checked(database))
    assert [one.name for one in tmp_path.iterdir()] == ["out.parquet"]
    assert "it exists: --resume goes on with it" in run("check", "--rooms", database, "-o", str(out)).stderr


def test_an_interrupted_run_is_in_the_lines_beside(database: str, tmp_path: Path) -> None:
    out, lines = tmp_path / "out.parquet", tmp_path / "out.parquet.jsonl"
    summary(database, "-o", str(lines))
    whole = by_room(lines_of(lines))
    lines.write_bytes(b"".join(lines.read_bytes().splitlines(keepends=True)[:4]) + b'{"half')
    refused = run("check", "--rooms", database, "-o", str(out))
    assert f"roomver: {lines}: it exists: --resume goes on with it" in refused.stderr
    summary(database, "-o", str(out), "--resume")
    assert by_room(rows_of(out)) == whole
    assert not lines.exists()


def test_another_parquet_file_is_left_as_it_is(database: str, tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    arrow.write_table(import_module("pyarrow").table({"a": [1]}), out)
    before = out.read_bytes()
    result = run("check", "--rooms", database, "-o", str(out), "--resume")
    assert result.exit_code == 2
    assert "this is not a results file of `roomver check --rooms`" in result.stderr
    out.write_bytes(b"PAR1")
    result = run("check", "--rooms", database, "-o", str(out), "--resume")
    assert "it cannot be read as Parquet: " in result.stderr
    assert result.exit_code == 2
    assert before.startswith(out.read_bytes())


def test_text_that_parquet_cannot_have_is_escaped(tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    (answer,) = checked(str(Path(__file__).parents[2] / "vectors" / "rooms" / "v1.jsonl"))
    header = {"format": results.FORMAT}
    answer["room_id"] = "!\ud800\0"
    Path(parquet.lines_of(str(out))).write_text("".join(f"{json.dumps(one)}\n" for one in (header, answer)))
    parquet.write_parquet(str(out))
    (row,) = rows_of(out)
    assert row["room_id"] == "!\\ud800\0"


def test_without_pyarrow_the_run_does_not_begin(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(parquet, "import_module", missing)
    result = run("check", "--rooms", database, "-o", str(tmp_path / "out.parquet"))
    assert result.exit_code == 2
    assert (
        "writing Parquet needs pyarrow: run pip install '.[parquet]' in the checkout of roomver"
        in result.stderr
    )
    assert [*tmp_path.iterdir()] == []
