"""Files that a command writes are complete under their names, or not there at all."""

import os
from pathlib import Path

import pytest

from roomver.cli.written import complete_file, write_file
from roomver.readers import InputError


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.mark.parametrize("private", [False, True])
def test_an_error_while_writing_leaves_what_was_there(private: bool, tmp_path: Path) -> None:
    path = tmp_path / "room"
    path.write_text("old")

    def fail() -> None:
        with complete_file(path, private=private) as out:
            out.write(b"half")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert (path.read_text(), [*tmp_path.iterdir()]) == ("old", [path])


def test_the_name_is_taken_when_the_file_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "room"
    with complete_file(path) as out:
        out.write(b"whole")
        assert not path.exists()
    assert (path.read_bytes(), [*tmp_path.iterdir()]) == (b"whole", [path])


@pytest.mark.skipif(os.name != "posix", reason="modes are those of POSIX")
def test_a_file_keeps_its_mode_and_a_private_one_is_its_owners(tmp_path: Path) -> None:
    mask = os.umask(0o027)
    try:
        path = tmp_path / "room"
        write_file(str(path), b"1")
        assert mode_of(path) == 0o640
        path.chmod(0o604)
        write_file(str(path), b"2")
        assert (mode_of(path), path.read_bytes()) == (0o604, b"2")
        for _ in range(2):
            with complete_file(path, private=True) as out:
                out.write(b"3")
            assert mode_of(path) == 0o600
            path.chmod(0o666)
    finally:
        os.umask(mask)


def test_a_file_that_another_program_made_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "room"

    def write() -> None:
        with complete_file(path, new=True) as out:
            out.write(b"mine")
            path.write_text("theirs")

    with pytest.raises(InputError, match="it exists: give --force"):
        write()
    assert (path.read_text(), [*tmp_path.iterdir()]) == ("theirs", [path])


def test_a_name_may_be_as_long_as_the_file_system_allows(tmp_path: Path) -> None:
    path = tmp_path / ("室" * 85)
    write_file(str(path), b"1")
    assert path.read_bytes() == b"1"


@pytest.mark.parametrize("name", ["a\0b", "no/such/folder/room", ""])
def test_a_name_that_cannot_be_written_is_a_wrong_call(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="it cannot be written"):
        write_file(f"{tmp_path}/{name}", b"1")
    assert [*tmp_path.iterdir()] == []


def test_a_device_is_written_to(tmp_path: Path) -> None:
    write_file(os.devnull, b"1")
    assert not Path(os.devnull).is_file()
