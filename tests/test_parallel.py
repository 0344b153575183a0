"""Checking events in several processes: the results are those of checking them here, in the same order."""

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from random import Random
from typing import Any

import pytest
from builder import VERSIONS
from command_line import KEYS
from played_rooms import played

from roomver import parallel
from roomver.check import check_entries
from roomver.entry import Entry, Place
from roomver.errors import UnknownRoomVersion
from roomver.findings import EventCheck
from roomver.keys import KeyRing, read_key_table
from roomver.parallel import check_in_parallel
from roomver.room_check import check_room
from roomver.versions import get_room_version

RING = read_key_table({server: {key: one["key"] for key, one in by.items()} for server, by in KEYS.items()})


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "_ALONE", 5)
    monkeypatch.setattr(parallel, "_CHUNK", 7)


def odd_entries(version: str, count: int = 60) -> list[Entry]:
    """Return entries of a room: whole and spoiled in all the ways that a check tells apart."""
    rng = Random(version)
    entries: list[Entry] = []
    for number, event in enumerate(played(rng, version, count, odd=True, signed=True)):
        pdu: Any = dict(event.pdu)
        entry = Entry(Place(number, ""), event.event_id, pdu)
        match rng.randrange(10):
            case 0:
                pdu["content"] = {**pdu["content"], "spoiled": 1}
            case 1:
                pdu["signatures"] = {}
            case 2:
                del pdu["depth"]
            case 3:
                entry = Entry(Place(number, ""), "$x", pdu, carried_id="$y")
            case 4:
                entry = Entry(Place(number, ""), None, None, "cannot be read", is_row=rng.random() < 0.5)
            case 5:
                value: Any = rng.choice([None, 1, "text", [], {"a": [2.5]}])
                entry = Entry(Place(number, ""), None, value)
            case 6:
                pdu["hashes"] = {"sha256": "?"}
        entries.append(entry)
    return entries


def told(checked: Iterable[tuple[Entry, EventCheck]]) -> list[Any]:
    """Return all that checks say, also of their events."""
    return [
        (entry, check, None if check.event is None else (check.event.pdu, check.event.content))
        for entry, check in checked
    ]


def test_other_processes_find_the_same() -> None:
    with ProcessPoolExecutor(2, get_context("spawn")) as executor:
        for version in VERSIONS:
            entries = odd_entries(version)
            kinds = {
                one.kind for _, check in check_entries(entries, version, keys=RING) for one in check.findings
            }
            assert len(kinds) > 5
            for keys in (RING, KeyRing(required=True), None):
                found = check_in_parallel(entries, version, keys=keys, executor=executor)
                assert told(found) == told(check_entries(entries, version, keys=keys))


def test_a_room_is_the_same() -> None:
    entries = odd_entries("11")
    alone = check_room(entries, "11", keys=RING)
    with ThreadPoolExecutor(2) as executor:
        found = check_room(entries, "11", keys=RING, executor=executor)
    assert found.summary == alone.summary
    assert found.findings == alone.findings
    assert found.replay.outcomes == alone.replay.outcomes


class Recorded(Executor):
    """Does the work at once, and remembers how many chunks it was given and how many were fetched."""

    def __init__(self, breaks: Callable[[int], bool] = lambda _: False, refuses: int = 1_000) -> None:
        self.given, self.fetched, self._breaks, self._refuses = 0, 0, breaks, refuses

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        if self.given >= self._refuses:
            raise BrokenExecutor("no process is left")
        self.given += 1
        number, outer = self.given, self

        class Fetched(Future[Any]):
            def result(self, timeout: float | None = None) -> Any:
                outer.fetched += 1
                if outer._breaks(number):
                    raise BrokenExecutor("a process was killed")
                return function(*args, **kwargs)

        return Fetched()


def test_a_short_input_needs_no_worker() -> None:
    executor = Recorded()
    entries = odd_entries("11", 1)[:5]
    assert told(check_in_parallel(entries, "11", executor=executor)) == told(check_entries(entries, "11"))
    assert executor.given == 0


@pytest.mark.parametrize(
    "executor", [Recorded(lambda n: n > 2), Recorded(lambda n: n == 1), Recorded(refuses=3)]
)
def test_what_a_killed_worker_had_is_checked_here(executor: Recorded) -> None:
    entries = odd_entries("11")
    assert told(check_in_parallel(entries, "11", executor=executor)) == told(check_entries(entries, "11"))


def test_what_cannot_be_sent_to_a_process_is_checked_here() -> None:
    """A PDU may be nested more deeply than it can be pickled. It is a finding, not the end of the check."""
    entries = odd_entries("11")
    pdu: Any = entries[0].pdu
    nested: Any = []
    for _ in range(5_000):
        nested = [nested]
    entries.insert(20, Entry(Place(99, ""), None, {**pdu, "content": nested}))
    with ProcessPoolExecutor(1, get_context("spawn")) as executor:
        found = [check for _, check in check_in_parallel(entries, "11", keys=RING, executor=executor)]
    assert found == [check for _, check in check_entries(entries, "11", keys=RING)]
    assert found[20].findings[0].kind.value == "malformed"


def test_a_fault_of_the_check_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    class Fault(Exception):
        pass

    def fail(*_: object, **__: object) -> None:
        raise Fault

    entries = odd_entries("11")
    with ThreadPoolExecutor(1) as executor:
        found = check_in_parallel(entries, "11", executor=executor)
        for _ in range(5):
            next(found)
        monkeypatch.setattr(parallel, "check_events", fail)
        monkeypatch.setattr(parallel, "check_entries", fail)
        with pytest.raises(Fault):
            next(found)


def test_only_a_few_chunks_are_under_way() -> None:
    executor = Recorded()
    taken = 0

    def source() -> Iterator[Entry]:
        nonlocal taken
        for entry in odd_entries("11", 200):
            taken += 1
            yield entry

    for done, _ in enumerate(check_in_parallel(source(), "11", executor=executor, ahead=3)):
        assert executor.given - executor.fetched <= 3
        assert taken <= 5 + done + 4 * 7
    assert executor.given == executor.fetched > 10


def test_an_error_of_the_source_comes_after_the_entries_before_it() -> None:
    def source() -> Iterator[Entry]:
        yield from odd_entries("11")[:23]
        raise RuntimeError("the disk is gone")

    found = check_in_parallel(source(), "11", executor=Recorded())
    assert len([next(found) for _ in range(23)]) == 23
    with pytest.raises(RuntimeError, match="the disk is gone"):
        next(found)


def test_the_version_is_looked_up_at_once() -> None:
    with pytest.raises(UnknownRoomVersion):
        next(check_in_parallel([], "13", executor=Recorded()))
    assert get_room_version("12") is get_room_version("12")


def _die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_process_loses_nothing() -> None:
    entries = odd_entries("11")
    with ProcessPoolExecutor(1, get_context("spawn")) as executor:
        executor.submit(_die)
        found = told(check_in_parallel(entries, "11", keys=RING, executor=executor))
    assert found == told(check_entries(entries, "11", keys=RING))
