"""One room of many: an order comes in, the worker reads the room by itself, and a small answer goes out.

This runs in other processes, and with Dask on other machines and in several threads. So it shares nothing,
prints nothing, and ends in an answer whatever the room is.
"""

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from shlex import quote
from time import perf_counter
from typing import Final, NamedTuple, TypeAlias

from ... import __version__
from ...canonical import shorten
from ...entry import Entry, Place
from ...errors import MissingEvents, RoomverError, UnknownState
from ...event import Event
from ...explain.resets import ExplainedReset
from ...findings import EventCheck, Finding, FindingKind, Summary
from ...keys import KeyRing
from ...readers import InputError, NoRoom, NoSuchRoom, Room, RoomSummary, SeveralRooms, is_database
from ...readers.addresses import hide_in, shown
from ...readers.streams import Source
from ...room_check import Beliefs, RoomCheck
from ...room_result import RoomResult, room_result
from ...signature_results import SigningStatus
from ...state import entries_of
from ...types import EventId, JsonObject, JsonValue, RoomId
from ...undecided import is_part_of_room
from ..common import call_name, opened
from ..heard import hushed
from ..lacking import IN_PART
from ..one_room import Checks, check_source
from ..people import time_text
from ..sources import Choice, opened_source, room_call

MOST_EVENTS: Final = 3  # with findings that an answer names, and resets
_MOST_NOTES: Final = 3
_BLOCK: Final = 1 << 20
_SIGNS: Final = (b"auth_events", b"\\u")
_OVERLAP: Final = max(map(len, _SIGNS)) - 1
_LONGEST: Final = 300  # characters of a note or a reason
_STATUS: Final = {0: "ok", 1: "findings", 3: "undecided"}
_STANDING: Final = {"invite": "invited", "knock": "knocked"}
_NAME: Final = ("m.room.name", "")

COMMAND: Final = "roomver check"

Answer: TypeAlias = JsonObject
"""What one room comes to: a line of the results, as docs/schemas/check-rooms-line.schema.json has it."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What is the same for all rooms of a run.

    Attributes:
        version: of roomver. A worker with another one refuses.
        checks: how rooms are checked.
        immutable: see `open_database`.
        options: of the call, quoted, for the call that shows more about a room.
    """

    version: str
    checks: Checks
    immutable: bool
    options: str


@dataclass(frozen=True, slots=True, repr=False)
class Order:
    """One room to check.

    Attributes:
        setup: a pickled `Setup`, which each worker reads once.
        files: the source, and what goes with it. An address may have a password in it.
        room_id: the room; None if the source is a file that has only one, as far as is known.
        events: how many the room has, or an estimate.
    """

    setup: bytes
    files: tuple[str, ...]
    room_id: RoomId | None
    events: int

    def __repr__(self) -> str:
        # Dask writes the arguments of a failed task into logs.
        return f"<Order: {shorten(self.room_id)} of {shown(self.files[0])}>"


class Several(NamedTuple):
    """The rooms of a file that turned out to have several, each with its number of events."""

    rooms: list[tuple[RoomId, int]]


def greet() -> str:
    """Return the version of roomver that a worker has."""
    return __version__


def check_order(order: Order) -> Answer | Several:
    """Check one room, and return what it comes to, or the rooms among which one must be chosen."""
    began = perf_counter()
    setup = _setup(order.setup)
    report = Counts(setup.options)
    answer = blank(order, setup.options)
    try:
        with hushed() as heard:
            found = _check(order, setup, report)
    except Exception as error:
        # A fault of roomver, or too little memory. It costs this room.
        text = f"{type(error).__name__}: {error}"
        return answer | failure("crashed", hide_in(text, order.files)) | _since(began)
    if isinstance(found, Several):
        return found
    notes = [_cut(hide_in(line.removeprefix("roomver: "), order.files)) for line in heard]
    return answer | report.data() | found | {"notes": [*notes[:_MOST_NOTES]]} | _since(began)


def _check(order: Order, setup: Setup, report: "Counts") -> JsonObject | Several:
    """Check one room; return what is to be said beside the counts."""
    if setup.version != __version__:
        return failure("unreadable", f"this worker has roomver {__version__}, not {setup.version}")
    try:
        check_source(order.files, setup.checks, report, Choice(order.room_id, setup.immutable))
    except SeveralRooms as error:
        if order.room_id is None:
            return _several(error.rooms)
        return failure("unreadable", str(error))
    except NoSuchRoom as error:
        if order.events == 0:
            return {"status": "empty", "code": 0, "reason": "the database has no events of it"}
        return failure("unreadable", str(error))
    except NoRoom as error:
        # The beginning tells that it is no room. Behind it may still be events that nobody has checked.
        if any(map(_may_have_events, order.files)):
            return failure("unreadable", str(error))
        return {"status": "no-room", "code": 0, "reason": _cut(str(error))}
    except InputError as error:
        if order.room_id is None and len(rooms := _rooms_in(order.files[0])) > 1:
            return _several(rooms)  # another one of them may be readable
        return failure("unreadable", str(error))
    except (MissingEvents, UnknownState) as error:
        return {"status": "undecided", "code": 3, "reason": _cut(str(error))}
    return {}


def _may_have_events(file: str) -> bool:
    """Tell whether a file has the key that each PDU has, or a key in escapes; also if it cannot be read."""
    before = b""
    try:
        with opened(file) as stream:
            source = Source(stream, file)
            source.restart()
            while block := source.read(_BLOCK):
                if any(sign in before + block for sign in _SIGNS):
                    return True
                before = block[-_OVERLAP:]
    except (RoomverError, OSError):
        return True
    return False


def _cut(text: str) -> str:
    """Return a text that is not too long. One that is cut ends after a word, with an ellipsis."""
    if len(text) <= _LONGEST:
        return text
    begin, space, _ = text[: _LONGEST - 1].rpartition(" ")
    return f"{begin if space else text[: _LONGEST - 2]} …"


def _several(rooms: Sequence[RoomSummary]) -> Several:
    return Several([(room.room_id, room.events or 0) for room in rooms])


def _rooms_in(file: str) -> list[RoomSummary]:
    """Return the rooms of a file; empty if it cannot be read at all."""
    if is_database(file):
        return []
    try:
        with opened_source(file) as source:
            return source.list_rooms()
    except (RoomverError, OSError):
        return []


@lru_cache(maxsize=1)
def _setup(pickled: bytes) -> Setup:
    setup = pickle.loads(pickled)
    assert isinstance(setup, Setup)
    return setup


def _since(began: float) -> JsonObject:
    return {"seconds": round(perf_counter() - began, 3)}


def blank(order: Order, options: str) -> Answer:
    """Return an answer that knows nothing yet, with all fields of one."""
    call = call_name(order.files[0])
    if order.room_id is not None:
        call += f" --room {quote(order.room_id)}"
    return {
        "room_id": order.room_id,
        "name": None,
        "source": shown(order.files[0]),
        "chosen": order.room_id is not None,
        "room_version": None,
        "status": "crashed",
        "code": 2,
        "events": order.events if order.room_id is not None else None,
        **_counts(None),
        **_differences(RoomResult(2)),
        "first": [],
        "first_resets": [],
        "notes": [],
        "reason": None,
        "seconds": None,
        "command": f"{COMMAND} {call}{options}",
    }


def failure(status: str, reason: str) -> JsonObject:
    """Return what an answer says of a room that could not be checked."""
    return {"status": status, "code": 2, "reason": _cut(reason)}


def _counts(summary: Summary | None) -> JsonObject:
    one = summary or Summary()
    return {
        "intact": one.intact,
        "redacted": one.redacted,
        "rejected": one.rejected,
        "soft_failed": one.soft_failed,
        "undecided": one.undecided,
        "bad": one.bad,
        "signatures": {
            **{status.value.replace(" ", "_"): one.signatures[status] for status in SigningStatus},
            "not_checked": one.signatures_not_checked,
        },
        "kinds": {kind.value: one.kinds[kind] for kind in FindingKind if one.kinds[kind]},
    }


def _differences(result: RoomResult) -> JsonObject:
    return {
        "resets": result.resets,
        "resets_unintended": result.unintended,
        "resets_unclassified": result.unclassified,
        "disagreements": {
            "events": result.events_differ,
            "state": result.state_differs,
            "extremities": result.extremities_differ,
        },
        "contradictions": result.contradictions,
        "lost": result.lost,
        "checks_unknown": result.checks_unknown,
    }


class Counts:
    """The report of one room as a few numbers. What it is told is what `roomver check` prints."""

    written_late = True

    def __init__(self, options: str) -> None:
        self._options = options
        self._room_id: RoomId | None = None
        self._version: str | None = None
        self._call = ""
        self._first: dict[EventId, list[str]] = {}
        self._found: RoomCheck | None = None
        self._beliefs: Beliefs | None = None
        self._resets: Sequence[ExplainedReset] = ()
        self._summary: Summary | None = None

    def start(self, file: str, room: Room) -> None:
        """Begin a room."""
        self._room_id = room.room_id
        self._version = room.version.identifier
        self._call = room_call(file, room, self._options)

    def event(self, entry: Entry, check: EventCheck) -> None:
        """Take an event that has findings or notes by itself."""
        if check.event_id is not None:
            self._add(check.event_id, check.findings)

    def event_in_room(self, place: Place, event: Event, findings: tuple[Finding, ...]) -> None:
        """Take the findings from checking an event with its room."""
        self._add(event.event_id, findings)

    def _add(self, event_id: EventId, findings: tuple[Finding, ...]) -> None:
        if findings and (event_id in self._first or len(self._first) < MOST_EVENTS):
            self._first.setdefault(event_id, []).extend(one.kind.value for one in findings)

    def room(self, found: RoomCheck, beliefs: Beliefs | None, resets: Sequence[ExplainedReset]) -> None:
        """Take the room as a whole."""
        self._found, self._beliefs, self._resets = found, beliefs, resets
        if found.gathered.events:
            self._room_id = found.gathered.room_id

    def end(self, summary: Summary, keys: KeyRing | None, code: int) -> None:
        """End a room."""
        self._summary = summary

    def error(self, file: str, name: str, reason: str) -> None:
        """Do nothing: the answer says why a room could not be checked."""

    def close(self) -> None:
        """Do nothing."""

    def data(self) -> JsonObject:
        """Return what is known of the room as fields of an answer."""
        data: JsonObject = {}
        if self._room_id is not None:
            data["room_id"] = self._room_id
        if self._version is not None:
            data |= {"room_version": self._version, "command": f"{COMMAND} {self._call}"}
        if self._summary is None:
            return data
        result = room_result(self._summary, self._found, self._resets)
        if result.code == 3 and self._found is not None and is_part_of_room(self._found.replay):
            data["reason"] = IN_PART
        first: list[JsonValue] = [{"event_id": e, "kinds": [*kinds]} for e, kinds in self._first.items()]
        return data | {
            "status": self._status(result),
            "name": self._name(),
            "code": result.code,
            "events": self._summary.events,
            **_counts(self._summary),
            **_differences(result),
            "first": first,
            "first_resets": [self._reset_data(one) for one in self._resets[:MOST_EVENTS]],
        }

    def _status(self, result: RoomResult) -> str:
        """Return what the room comes to. It is never decided while the server is not, or not yet, in it."""
        found, beliefs = self._found, self._beliefs
        unsearched = result.unclassified or (found is not None and found.replay.unsought)
        if result.code == 3 and found is not None and beliefs is not None and not unsearched:
            standing = "" if beliefs.standing is None else beliefs.standing.membership
            if beliefs.partial:
                return "joining"
            # An invite or a knock alone says so; a room with a history is one that the server was in.
            if standing in _STANDING and not (
                len(found.gathered.events) > 1 and found.replay.forward_extremities
            ):
                return _STANDING[standing]
            if standing == "leave" and not found.replay.forward_extremities:
                return "not-in-room"
        return _STATUS[result.code]

    def _name(self) -> str | None:
        """Return the name of the room in its current state; None if it has none, or if that is unknown."""
        state = None if self._found is None else self._found.replay.current_state
        if self._found is None or state is None:
            return None
        event = self._found.gathered.events.get(entries_of(state).get(_NAME, ""))
        name = None if event is None else event.content.get("name")
        return _cut(name) if type(name) is str and name.strip() else None

    def _reset_data(self, one: ExplainedReset) -> JsonObject:
        """Return what an answer says of a state reset."""
        assert self._found is not None
        at = None
        if one.merge is not None:
            at = time_text(self._found.gathered.events[one.merge].origin_server_ts)
        return {
            "type": one.key[0],
            "state_key": one.key[1],
            "lost": one.lost,
            "merge": one.merge,
            "at": at,
            "class": one.intent.value,
        }
