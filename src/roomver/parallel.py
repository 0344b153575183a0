"""Check the events of an input in several processes, each event by itself.

Most of the time of reading a room goes into the checks that need no other event: format, hashes and
signatures. They go to the workers of an executor in chunks, and their results come back in order. The results
are those of `roomver.check.check_entries`.
"""

import marshal
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future
from itertools import chain, islice
from typing import Final, NamedTuple, TypeAlias, cast

from .check import check_entries, check_events, with_checks
from .entry import Entry
from .event import build_unverified
from .findings import EventCheck
from .keys import NO_KEYS, KeyRing
from .types import EventId, JsonObject
from .versions import RoomVersion, version_record

__all__ = ["check_in_parallel"]

_ALONE: Final = 2_000  # entries that are checked here first: a short input is not worth starting workers for
_CHUNK: Final = 256  # entries that a worker gets at once

_Pdus = list[tuple[object, EventId | None]]

# A check, and whether its event is the PDU as it was sent. Then the event is not sent back.
_Result: TypeAlias = tuple[EventCheck, bool]


class _Results(NamedTuple):
    """The results of a chunk. Most differ only in the event ID, so the rest is sent once for all of these."""

    ids: list[EventId | None]
    """The event ID of each."""
    numbers: list[int]
    """For each result, the index of its rest."""
    rests: list[_Result]
    """The results without their event IDs, each different from the one before."""


def check_in_parallel(
    entries: Iterable[Entry],
    version: RoomVersion | str,
    *,
    executor: Executor | None,
    keys: KeyRing | None = NO_KEYS,
    ahead: int = 32,
) -> Iterator[tuple[Entry, EventCheck]]:
    """Check the entries of an input as `check_entries` does, with the workers of an executor.

    The first two thousand entries are checked here, so that a short input starts no worker. If the executor
    breaks, because one of its processes was killed, the rest is checked here: nothing is lost. So is a chunk
    that the executor cannot send or check.

    Args:
        entries: taken as the results are. If the iterator raises, the entries before that are checked first.
        version, keys: as in `check_event`.
        executor: it is not shut down. If it has processes, these must run the same release of Python: PDUs
            are sent in the form of `marshal`, and everything else is pickled. None to check all entries here.
        ahead: the most chunks of 256 entries that are with the executor: twice its workers keep them busy.

    Raises:
        UnknownRoomVersion: if there is no such version.

    >>> from concurrent.futures import ThreadPoolExecutor
    >>> from roomver.entry import Entry, Place
    >>> with ThreadPoolExecutor() as executor:
    ...     ((entry, check),) = check_in_parallel([Entry(Place(1, ""), None, {})], "11", executor=executor)
    >>> check.findings[0].kind.value
    'malformed'
    """
    record = version_record(version)
    source = iter(entries)
    if executor is None:
        yield from check_entries(source, record, keys=keys)
        return
    yield from check_entries(islice(source, _ALONE), record, keys=keys)
    running: deque[tuple[list[Entry], Future[_Results]]] = deque()
    failure: Exception | None = None
    broken = False
    while True:
        chunk: list[Entry] = []
        if failure is None and not broken:
            try:
                chunk.extend(islice(source, _CHUNK))
            except Exception as error:  # what was read before it is checked first
                failure = error
        if chunk:
            pdus: _Pdus = [(entry.pdu, entry.claimed_id) for entry in chunk if entry.error is None]
            try:
                running.append((chunk, executor.submit(_check_chunk, _packed(pdus), record, keys)))
            except BrokenExecutor:
                broken = True
                source = chain(chunk, source)
            else:
                if len(running) < ahead:
                    continue
        if not running:
            break
        chunk, future = running.popleft()
        try:
            results = future.result()
        except Exception as error:
            # Some PDUs cannot be pickled: they are nested too deeply. A fault of a check comes up again here.
            broken = broken or isinstance(error, BrokenExecutor)
            yield from check_entries(chunk, record, keys=keys)
            continue
        yield from with_checks(chunk, _with_events(chunk, results, record))
    if broken:
        yield from check_entries(source, record, keys=keys)
    if failure is not None:
        raise failure


def _packed(pdus: _Pdus) -> bytes | _Pdus:
    """Return PDUs in a form that is sent in three fifths of the time, if they are plain JSON values."""
    try:
        return marshal.dumps(pdus)
    except ValueError:  # another mapping than a dict, say, or nested too deeply
        return pdus


def _check_chunk(packed: bytes | _Pdus, version: RoomVersion, keys: KeyRing | None) -> _Results:
    """Check PDUs in a worker."""
    pdus: _Pdus = marshal.loads(packed) if isinstance(packed, bytes) else packed
    results = _Results([], [], [])
    rest: _Result | None = None
    for (pdu, _), check in zip(pdus, check_events(pdus, version, keys=keys), strict=True):
        event_id, event, *_ = check
        as_sent = event is not None and event.pdu is pdu
        if not (as_sent and rest is not None and rest[1] and check[2:] == rest[0][2:]):
            rest = check._replace(event_id=None, event=None if as_sent else event), as_sent
            results.rests.append(rest)
        results.ids.append(event_id)
        results.numbers.append(len(results.rests) - 1)
    return results


def _with_events(chunk: list[Entry], results: _Results, version: RoomVersion) -> Iterator[EventCheck]:
    """Yield the checks of a chunk, with the events that were not sent back."""
    each = iter(zip(results.ids, results.numbers, strict=True))
    for entry in chunk:
        if entry.error is not None:
            continue
        event_id, number = next(each)
        check, as_sent = results.rests[number]
        event = check.event
        if as_sent:
            pdu = cast(JsonObject, entry.pdu)  # the worker found it well formed
            event = build_unverified(pdu, version, event_id)
        yield EventCheck(event_id, event, *check[2:])
