"""The replay of a whole room, step by step as the specification says it, without optimisation.

Every event is known, and comes after its previous events and its auth events. Nothing is kept but the state
after each event: the state before an event and the current state are resolved anew at each arrival.

Where the pages are silent, this module follows the library:

- A soft-failed event is never a forward extremity. An event that follows it takes the place of the forward
  extremities that the soft-failed event follows. The same holds for rejected events.
- The first event of a room finds no forward extremity. It is not checked against the current state, nor for
  the signature of a policy server.
- An event that the server fetched from the history of the room is not checked against the current state, and
  is never a forward extremity. It takes the place of none, and no event does so through it.

Source: https://spec.matrix.org/latest/server-server-api/#checks-performed-on-receipt-of-a-pdu, checks 4 to 7,
and https://spec.matrix.org/latest/server-server-api/#soft-failure
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from roomver import Event, Verdict, check_against_state, check_auth
from roomver.policy import check_policy
from roomver.replay import SoftFailure

from .resolution import Key, Resolution, State, resolve_v1


@dataclass
class Replayed:
    """What became of the events of a room, in the order in which they arrived."""

    events: dict[str, Event]
    before: dict[str, dict[Key, str]] = field(default_factory=dict)
    after: dict[str, dict[Key, str]] = field(default_factory=dict)
    by_auth_events: set[str] = field(default_factory=set)
    """The events that their auth events reject."""
    by_state: set[str] = field(default_factory=set)
    """The events that the state before them rejects."""
    soft_failed: dict[str, SoftFailure] = field(default_factory=dict)
    """Accepted events, each with the check that it fails at its arrival."""
    extremities: set[str] = field(default_factory=set)
    backfilled: frozenset[str] = frozenset()
    """The events that the server fetched from the history of the room."""
    given: dict[str, State] = field(default_factory=dict)
    """States before events that another server has told. Their previous events are then not looked at."""
    soft_failure: bool = True
    """Whether checks 6 and 7 are made. Their results depend on the order of arrival."""

    @property
    def rejected(self) -> set[str]:
        return self.by_auth_events | self.by_state

    def resolved(self, states: Sequence[State]) -> dict[Key, str]:
        version = next(iter(self.events.values())).room_version.identifier
        if not states:
            return {}
        if version == "1":
            return resolve_v1(states, self.events)
        return Resolution(states, self.events, v2_1=version == "12", rejected=self.rejected).state

    def of_events(self, state: State) -> dict[Key, Event]:
        return {key: self.events[event_id] for key, event_id in state.items()}

    def checked(self, event: Event, state: State) -> Verdict:
        return check_against_state(event, self.of_events(state))

    def current_state(self) -> dict[Key, str]:
        return self.resolved([self.after[event_id] for event_id in sorted(self.extremities)])

    def superseded(self, event: Event) -> set[str]:
        """The forward extremities that an event follows, directly or through events that a server does not
        show: rejected and soft-failed ones."""
        found = set(event.prev_event_ids)
        while True:
            hidden = found & (self.rejected | self.soft_failed.keys()) - self.backfilled
            larger = found.union(*(self.events[one].prev_event_ids for one in hidden))
            if larger == found:
                return found & self.extremities
            found = larger

    def receive(self, event: Event) -> None:
        event_id = event.event_id
        if event_id in self.given:
            before = dict(self.given[event_id])
        else:
            before = self.resolved([self.after[parent] for parent in dict.fromkeys(event.prev_event_ids)])
        self.before[event_id] = self.after[event_id] = before
        # 4. Passes authorization rules based on the event's auth events, otherwise it is rejected.
        # 5. Passes authorization rules based on the state before the event, otherwise it is rejected.
        if not check_auth(event, None, self.events, rejected=self.rejected).allowed:
            self.by_auth_events.add(event_id)
            return
        if not self.checked(event, before).allowed:
            self.by_state.add(event_id)
            return
        if event.state_key is not None:
            self.after[event_id] = {**before, (event.type, event.state_key): event_id}
        if event_id in self.backfilled:
            return
        if self.extremities and self.soft_failure:
            current = self.current_state()
            # 6. Passes authorization rules based on the current state of the room, otherwise it is "soft
            #    failed".
            verdict = self.checked(event, current)
            if not verdict.allowed:
                self.soft_failed[event_id] = verdict
                return
            # 7. Is validated by the Policy Server, if the room is using a Policy Server, otherwise it is
            #    "soft failed".
            refusal = check_policy(event, self.of_events(current))
            if refusal is not None:
                self.soft_failed[event_id] = refusal
                return
        self.extremities = self.extremities - self.superseded(event) | {event_id}


def replay(events: Sequence[Event], backfilled: Collection[str] = ()) -> Replayed:
    """Receive the events of a whole room, parents first."""
    replayed = Replayed({event.event_id: event for event in events}, backfilled=frozenset(backfilled))
    for event in events:
        replayed.receive(event)
    return replayed
