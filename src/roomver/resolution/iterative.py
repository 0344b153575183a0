"""The iterative auth checks: try sorted events one by one on the state that is being built.

Two parts. `StateView` is the room state as the checks see it: the state that resolution starts from, with
the events accepted so far on top. `iterative_auth_checks` is the loop, which asks for missing events.
"""

from collections.abc import Collection, Iterable

from ..auth import Checker, check_against_state
from ..auth.context import JOIN_RULES
from ..event import Event
from ..power import CREATE
from ..selection import SHARED_KEYS, list_auth_types, selects_only_sender
from ..types import EventId, StateKey
from .need import Steps
from .problem import Problem
from .split import Split
from .trace import Check

_RULES = {JOIN_RULES}


class StateView:
    """The state that the checks see, read key by key.

    A check reads a few keys. The event of each key is looked up once and stays in `events`: one dict that
    grows, instead of a new one per check, saves 10 % of a resolution that is mostly checks.

    Attributes:
        base: the state that the checks start from.
        changes: the entries of the new room state that differ from `base`; accepted events are added.
        problem: the resolution that this is part of.
        events: the event of each key that was read and has one.
        absent: the keys that were read and had no event.
        unread: the keys that events of any sender share, if they have not been read.
        lacking: those of the keys that were read and have no event.
        checker: the rules, which read `events`.
    """

    __slots__ = (
        "_settled",
        "absent",
        "base",
        "changes",
        "checker",
        "events",
        "lacking",
        "problem",
        "unread",
    )

    def __init__(self, base: Split, changes: dict[StateKey, EventId], problem: Problem) -> None:
        self.base: Split = base
        self.changes: dict[StateKey, EventId] = changes
        self.problem: Problem = problem
        self.events: dict[StateKey, Event] = {}
        self.absent: set[StateKey] = set()
        self.unread: set[StateKey] = set(SHARED_KEYS)
        self.lacking: set[StateKey] = set()
        self.checker: Checker = Checker(self.events)
        # Auth events whose keys have an event in `events`, which they will keep having.
        self._settled: set[EventId] = set()

    def read(self, keys: Iterable[StateKey]) -> Collection[EventId]:
        """Look up keys that are not in `events`. Return the IDs of events that are not known.

        If events are not known, `events` is as it was, and only keys that have no event are noted, in
        `absent`: call it again with the same keys when the events are known. A key is absent if the state has
        no event for it, or if the event is missing or skipped as rejected.
        """
        problem, changes, base, absent = self.problem, self.changes, self.base, self.absent
        known = problem.known
        events = known.events
        found: dict[StateKey, Event] = {}
        ids = []
        unknown = []
        for key in keys:
            if key in absent:
                continue
            event_id = changes.get(key) or base.get(key)
            if event_id is None:
                absent.add(key)
                continue
            event = events.get(event_id)
            if event is None and event_id not in known.lost and event_id not in events:
                unknown.append(event_id)
            elif event is None or (problem.skip_rejected and problem.is_rejected(event_id)):
                absent.add(key)
            else:
                found[key] = event
                ids.append(event_id)
        if unknown:
            return unknown
        if found:
            known.check_room(ids)
            self.events.update(found)
        if self.unread:
            read = self.unread.intersection(keys)
            self.unread -= read
            self.lacking |= read.difference(self.events)
        return ()

    def lend(self, event: Event) -> list[StateKey]:
        """Put the event's own auth events into `events` where the state has none, and return their keys.

        They are in it for one check. The caller removes these keys from `events` after the check, before the
        next `read` or `lend`. A new dict for each check took three times as long.
        """
        # In version 12 the create event counts as an auth event.
        known, is_rejected = self.problem.known.events, self.problem.is_rejected
        state, settled = self.events, self._settled
        lent: list[StateKey] = []
        for parent in event.auth_parents:
            # Events cite the same power levels and join rules again and again.
            if parent in settled:
                continue
            other = known.get(parent)
            if other is not None and other.state_key is not None:
                key = (other.type, other.state_key)
                if key in state:
                    if key not in lent:
                        settled.add(parent)
                elif not is_rejected(parent):
                    state[key] = other
                    lent.append(key)
        return lent


# "Iterative auth checks. The iterative auth checks algorithm takes as input an initial room state and a
# sorted list of state events, and constructs a new room state by iterating through the event list and
# applying the state event to the room state if the state event is allowed by the authorisation rules.
# If the state event is not allowed by the authorisation rules, then the event is ignored.
# If a (event_type, state_key) key that is required for checking the authorisation rules is not present
# in the state, then the appropriate state event from the event's auth_events
# is used if the auth event is not rejected."
#
# "Rejected auth events are deliberately excluded from use in the iterative auth checks,
# as auth events aren't re-authed (although non-auth events are) during the iterative auth checks."
def iterative_auth_checks(order: Iterable[EventId], phase: str, view: StateView) -> Steps[None]:
    """Check each event against the state, and put it into the state if the rules allow it.

    Source: https://spec.matrix.org/latest/rooms/v12/#definitions, "Iterative auth checks", and
    https://spec.matrix.org/latest/rooms/v12/#rejected-events

    Args:
        order: the sorted list of events.
        phase: the name of this list in the trace.
        view: the initial room state; accepted events are added.
    """
    problem = view.problem
    known, trace, skip_rejected = problem.known, problem.trace, problem.skip_rejected
    # Invariant: the view shows its `base` with its `changes` on top. Its collections stay the same objects,
    # so that a check which reads nothing new costs no call. That is why the keys are chosen here:
    # - `alone`: the only key that the check reads, apart from shared ones that have been read, is the member
    #   event of the sender. (Of the events that are not about members, none reads the join rules.)
    # - `lends`: one of the keys that the check reads has no event in the state, so that the event's own auth
    #   events may stand in. Of the shared keys, these are in `lacking`, which is why `alone` looks there.
    # - `unread` and `lacking` become smaller when an accepted event sets a shared key: the state has it then.
    state, absent, changes = view.events, view.absent, view.changes
    unread_shared, lacking = view.unread, view.lacking
    allows = view.checker.allows
    for event_id in order:
        if skip_rejected and problem.is_rejected(event_id):
            continue
        event = known.events[event_id]
        kind, state_key, sender = event.type, event.state_key, event.sender
        # The list has state events only. A message gets here if an event cites it against the rules.
        if state_key is None:
            continue
        key = (kind, state_key)
        if kind != "m.room.member":
            alone = kind != "m.room.create" and (not unread_shared or unread_shared == _RULES)
            sender_key = ("m.room.member", sender)
        else:
            alone = not unread_shared and selects_only_sender(event)
            sender_key = key
        # Does the check read the shared keys, which have been read, and the sender's member event, and
        # nothing else?
        if alone:
            lends = bool(lacking)
            if sender_key not in state:
                if sender_key not in absent:
                    while unknown := view.read((sender_key,)):
                        yield from known.need(unknown)
                lends = lends or sender_key not in state
        else:
            keys = list_auth_types(event)
            if not event.room_version.create_in_auth_events:
                keys.append(CREATE)
            unread = [key for key in keys if key not in state]
            if unread and not absent.issuperset(unread):
                while unknown := view.read(unread):
                    yield from known.need(unknown)
            lends = not absent.isdisjoint(unread)
        lent = view.lend(event) if lends else ()
        allowed = allows(event)
        if trace is not None:
            verdict = check_against_state(event, state)
            replaced = (changes.get(key) or view.base.get(key)) if allowed else None
            trace.checks.append(Check(event_id, key, phase, verdict, allowed, replaced))
        for borrowed in lent:
            del state[borrowed]
        if allowed:
            changes[key] = event_id
            state[key] = event
            if lacking or unread_shared:
                lacking.discard(key)
                unread_shared.discard(key)
