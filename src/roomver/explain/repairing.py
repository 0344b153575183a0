"""Which state would a room have if nothing were missing? What sources know together, against one server."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum
from typing import Final, cast

from ..errors import MissingEvents, UnknownState
from ..event import Event
from ..replay import Reset, Status
from ..replay.outcome import KnownRejected
from ..resolution import resolve
from ..room_check import RoomCheck
from ..state import Unknown, entries_of, known_in_part, unknown_of
from ..types import EventId, JsonObject, JsonValue, StateKey, StateMap
from .change import where_said
from .outcome_words import why_refused
from .resets import ExplainedReset, Intent, explain_resets
from .said import Said, event, joined, said, said_data

__all__ = ["Basis", "Correction", "Repaired", "repair"]


class Basis(Enum):
    """What a repaired state rests on."""

    EVENTS = "events"
    """It is resolved over the forward extremities, from the events and the states at gaps."""
    ANSWERS = "answers"
    """Sources give it. The events do not tell it, because some are missing."""
    NOTHING = "nothing"
    """Nothing but the server's own state tells it."""


@dataclass(frozen=True, slots=True)
class Correction:
    """An entry of a server's state that would change.

    Attributes:
        key: the key.
        before: the server's event; None for none.
        after: the event of the repaired state; None for none.
        why: the reason in words: whole sentences.
        reset: the state reset that undid the server's event; None if none did. A state reset is no reason to
            remove the event: servers that did not resolve this merge may still have it.
    """

    key: StateKey
    before: EventId | None
    after: EventId | None
    why: Said
    reset: ExplainedReset | None = None

    def to_dict(self) -> JsonObject:
        """Return the change as a JSON object."""
        kind, state_key = self.key
        return {
            "type": kind,
            "state_key": state_key,
            "before": self.before,
            "after": self.after,
            "why": said_data(self.why),
            "reset": None
            if self.reset is None
            else {
                "merge": self.reset.merge,
                "class": self.reset.intent.value,
                "why": said_data(self.reset.why),
            },
        }


@dataclass(frozen=True, slots=True)
class Repaired:
    """The state that a room would have if nothing were missing, as far as it is known.

    Attributes:
        basis: what it rests on.
        sources: the names of the sources that give it; empty if events tell it.
        state: the known entries.
        unknown: which other entries are unknown; empty if the state is known in whole.
        compared: whether there is a server's state to compare it with.
        changes: the entries of the server's state that would change, sorted by key.
        lost: events of the server's state that no source has, so that their keys are unknown, sorted.
        missing: the missing events that leave something unknown, sorted.
        resets: the number of changes that state resolution undid in the whole room. Some may be in the
            repaired state: it is what the rules give, and not what anybody meant.
    """

    basis: Basis
    sources: tuple[str, ...]
    state: dict[StateKey, EventId]
    unknown: tuple[Unknown, ...]
    compared: bool
    changes: tuple[Correction, ...]
    lost: tuple[EventId, ...]
    missing: tuple[EventId, ...]
    resets: int = 0

    @property
    def whole(self) -> bool:
        """Whether the state is known in whole."""
        return self.basis is not Basis.NOTHING and not self.unknown

    @property
    def ids(self) -> list[EventId] | None:
        """The IDs of the events of the state, sorted by key; None unless it is known in whole."""
        return [self.state[key] for key in sorted(self.state)] if self.whole else None

    def to_dict(self) -> JsonObject:
        """Return it as a JSON object. A whole state is under ``pdu_ids``, as a server gives it."""
        ids = self.ids
        known = [(*key, self.state[key]) for key in sorted(self.state)]
        return {
            "pdu_ids": None if ids is None else [*ids],
            "basis": self.basis.value,
            "sources": [*self.sources],
            "known": [{"type": kind, "state_key": key, "event_id": e} for kind, key, e in known],
            "unknown": cast(JsonValue, [one.to_dict() for one in self.unknown]),
            "compared": self.compared,
            "changes": [one.to_dict() for one in self.changes],
            "lost": [*self.lost],
            "missing": [*self.missing],
            "resets": self.resets,
        }


def repair(
    found: RoomCheck,
    server: Collection[EventId] | None,
    *,
    own: bool = False,
    has: Collection[EventId] | None = None,
) -> Repaired:
    """Return the state that a room would have if nothing were missing.

    The events decide if they tell the state after each forward extremity. Otherwise the current states that
    sources give decide; where two of them contradict each other, the entry is unknown. The state of the
    server that is to be repaired is never a reason for itself.

    Args:
        found: the room, read from all sources together.
        server: the IDs of the current state of the server to repair; None if it is unknown.
        own: whether the first source is that server, so that a state which it gives does not count.
        has: the events that the server has; None if that is unknown.

    Cost: as one resolution of the states after the forward extremities, one look at each entry, and one
        resolution for each merge that undid an entry of the server.
    """
    state, basis, sources = _state_of(found, own=own)
    known = {} if state is None else dict(entries_of(state))
    missing = found.replay.lacking(None) if state is None or unknown_of(state) else []
    changes: list[Correction] = []
    lost: list[EventId] = []
    if server is not None:
        theirs: dict[StateKey, EventId] = {}
        for event_id in sorted(server):
            one = found.gathered.events.get(event_id)
            if one is None:
                lost.append(event_id)
            elif one.state_key is not None:
                theirs[one.type, one.state_key] = event_id
        if state is not None:
            differing = _differing(state, theirs, in_whole=not lost)
            undone = _undone_by_resets(found, differing)
            for key, before, after in differing:
                reset = undone.get(key)
                whys = [] if reset is None else [_why_reset(reset, before)]
                if reset is None or reset.lost != before:
                    whys.append(_why(found, before, after, has, basis))
                changes.append(Correction(key, before, after, joined(whys), reset))
    return Repaired(
        basis=basis,
        sources=sources,
        state=known,
        unknown=() if state is None else unknown_of(state),
        compared=server is not None,
        changes=tuple(changes),
        lost=tuple(lost),
        missing=tuple(missing),
        resets=len(found.replay.resets()),
    )


def _undone_by_resets(
    found: RoomCheck, differing: list[tuple[StateKey, EventId | None, EventId | None]]
) -> dict[StateKey, ExplainedReset]:
    """Return, by key, the state resets to which the repaired entries go back.

    Of several it is the last one, and one that undid the server's event comes before others. A value that
    was set after a reset does not come from it.
    """
    wanted: dict[StateKey, Reset] = {}
    entries = {key: (before, after) for key, before, after in differing}
    for reset in found.replay.resets():
        before, after = entries.get(reset.key, (None, reset.lost))
        if after not in (None, reset.restored):
            continue
        if reset.lost == before or (reset.key not in wanted or wanted[reset.key].lost != before):
            wanted[reset.key] = reset
    return {one.key: one for one in explain_resets(found, only=wanted.values())}


_MEANT: Final = {
    Intent.UNINTENDED: "unintended: nobody meant that",
    Intent.DESIGNED: "as designed: somebody took the right away on another branch",
    Intent.UNKNOWN: "whether somebody meant that is unknown",
}


def _why_reset(reset: ExplainedReset, before: EventId | None) -> Said:
    """Say that a state reset undid the server's entry, or one that the server does not have."""
    return said(
        "State reset: state resolution undid {lost} {where} ({meant}).",
        lost=said("it") if reset.lost == before else event(reset.lost),
        where=where_said(reset.merge),
        meant=_MEANT[reset.intent],
    )


def _state_of(found: RoomCheck, *, own: bool) -> tuple[StateMap[EventId] | None, Basis, tuple[str, ...]]:
    """Return the state, what it rests on, and the sources that give it."""
    replayed = found.replay
    if not replayed.current_is_given:
        state = replayed.current_state
        return state, Basis.NOTHING if state is None else Basis.EVENTS, ()
    resolved = _resolved(found)
    if resolved is not None and not unknown_of(resolved):
        return resolved, Basis.EVENTS, ()
    given, names = found.gathered.current_given(without_first=own)
    if given is not None:
        return _accepted(found, given), Basis.ANSWERS, names
    return (resolved, Basis.EVENTS, ()) if resolved is not None else (None, Basis.NOTHING, ())


def _accepted(found: RoomCheck, state: StateMap[EventId]) -> StateMap[EventId]:
    """Return a given state without the events that are not accepted here: their keys are unknown."""
    outcomes, entries = found.replay.outcomes, entries_of(state)
    kept = {key: e for key, e in entries.items() if e in outcomes and outcomes[e].accepted}
    if len(kept) == len(entries):
        return state
    gone = Unknown(
        "the event that is given there is not accepted", keys=frozenset(entries.keys() - kept.keys())
    )
    return known_in_part(kept, (*unknown_of(state), gone))


def _resolved(found: RoomCheck) -> StateMap[EventId] | None:
    """Resolve the states after the forward extremities, whatever current state was given."""
    replayed = found.replay
    ends = replayed.forward_extremities
    if not replayed.extremities_known or not ends or replayed.too_many_states or found.lost:
        return None
    states: list[StateMap[EventId]] = []
    for end in ends:
        after = replayed.state_after(end)
        if after is None:
            return None
        states.append(after)
    try:
        return resolve(
            states,
            replayed.events,
            graph=replayed.graph,
            rejected=KnownRejected(replayed.rejected, replayed.undecided),
        ).state
    except (MissingEvents, UnknownState):
        return None


def _differing(
    state: StateMap[EventId], theirs: dict[StateKey, EventId], *, in_whole: bool
) -> list[tuple[StateKey, EventId | None, EventId | None]]:
    """Return the keys that are known to differ, sorted.

    Args:
        state: the repaired state.
        theirs: the server's state.
        in_whole: whether that is all of it. If not, a key that it seems to lack is not compared.
    """
    differing = []
    for key in sorted({*entries_of(state), *theirs}):
        try:
            after = state.get(key)
        except UnknownState:
            continue
        before = theirs.get(key)
        if before != after and (before is not None or in_whole):
            differing.append((key, before, after))
    return differing


def _why(
    found: RoomCheck,
    before: EventId | None,
    after: EventId | None,
    has: Collection[EventId] | None,
    basis: Basis,
) -> Said:
    """Say why the server's entry is not the one of the repaired state."""
    sentences: list[Said] = []
    if after is not None and has is not None and after not in has:
        sentences.append(said("The server does not have {event}.", event=event(after)))
    if before is not None:
        outcome = found.replay.outcomes.get(before)
        if outcome is not None and not outcome.accepted and outcome.status is not Status.UNDECIDED:
            sentences.append(why_refused(found, before))
    state = "The state over all events has" if basis is Basis.EVENTS else "The other sources have"
    if after is None and not sentences:
        sentences.append(said("{state} no event for this key.", state=state))
    elif not sentences:
        later = _follows(found.gathered.events, after, before)
        text = "{after} comes after the server's event, and replaced it."
        if not later:
            text = "{state} {after}."
        sentences.append(said(text, state=state, after=event(after or "")))
    return joined(sentences)


def _follows(events: dict[EventId, Event], later: EventId | None, earlier: EventId | None) -> bool:
    """Tell whether an event is known to come after another: by its auth events, which are few."""
    todo, seen = [later], {later}
    while todo:
        one = events.get(todo.pop() or "")
        for cited in () if one is None else one.auth_event_ids:
            if cited == earlier:
                return True
            if cited not in seen and len(seen) < 1_000:
                seen.add(cited)
                todo.append(cited)
    return False
