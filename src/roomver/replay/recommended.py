"""Check 7: whether the policy server that the room uses has signed an event, over a whole replay.

Source: https://spec.matrix.org/latest/server-server-api/#validating-policy-server-signatures
"""

from collections.abc import Mapping
from typing import Final

from ..errors import UnknownState
from ..event import Event
from ..identifiers import server_of
from ..policy import (
    POLICY,
    PolicyRefusal,
    PolicyServer,
    check_policy_signature,
    find_joined_user,
    is_joined_from,
    named_policy_server,
)
from ..state import PartialState, entries_of, unknown_of
from ..types import EventId, ServerName, StateKey, StateMap

# Bounds on what a hostile room can make expensive: users of the policy server that are looked up.
_COST: Final = 20_000
_COST_PER_EVENT: Final = 16

TOO_MANY_USERS: Final = "the policy server has too many users who are not joined"


class Recommended:
    """Tell which events a policy server recommends, in the states of one room."""

    def __init__(self, events: Mapping[EventId, Event], given: Mapping[EventId, StateMap[EventId]]) -> None:
        self._events = events
        self._has_event = any((event.type, event.state_key) == POLICY for event in events.values())
        # Without an m.room.policy event, only a state that is known in part may have one.
        self._needed = self._has_event or any(isinstance(state, PartialState) for state in given.values())
        # The users of each server that have a member event in the room. Nobody else can be joined.
        self._users: dict[ServerName, list[StateKey]] | None = None
        # A user of each server who was joined the last time.
        self._joined: dict[ServerName, StateKey] = {}
        self._left = _COST

    def __bool__(self) -> bool:
        """Whether the room may use a policy server at any time."""
        return self._needed

    def check(self, event: Event, state: StateMap[EventId]) -> PolicyRefusal | str | None:
        """Check an event that the authorisation rules allow.

        Args:
            event: the event.
            state: the current state of the room at its arrival.

        Returns:
            Why the event is not recommended; None if it is; a string if a bound prevents the check.

        Raises:
            UnknownState: if the state is known in part, and the check needs what is unknown.
        """
        self._left += _COST_PER_EVENT
        server = self._named_server(state)
        if server is None:
            return None
        refusal = check_policy_signature(event, server)
        if refusal is None:
            return None
        joined = self._has_joined_user(server.name, state)
        if joined is None:
            return TOO_MANY_USERS
        return refusal if joined else None

    def keys_read(self, event: Event, state: StateMap[EventId]) -> tuple[StateKey, ...] | None:
        """Return the keys whose entries alone decide a check in a state; None if they do not.

        If a key has no entry in the state, no event of the room is for it.
        """
        self._left += _COST_PER_EVENT
        try:
            if self._has_event and state.get(POLICY) is None:
                return None  # a resolution may put it there
            server = self._named_server(state)
            if server is None or check_policy_signature(event, server) is None:
                return (POLICY,)
            if self._has_joined_user(server.name, state):
                return (POLICY, self._joined[server.name])
        except UnknownState:
            pass
        return None

    def _named_server(self, state: StateMap[EventId]) -> PolicyServer | None:
        policy = state.get(POLICY)
        return None if policy is None else named_policy_server(self._events[policy])

    def _has_joined_user(self, server: ServerName, state: StateMap[EventId]) -> bool | None:
        """Tell whether a user of a server is joined; return None if a bound prevents it."""
        known = entries_of(state)
        last = self._joined.get(server)
        if last is not None and self._is_joined(last, server, known):
            return True
        users = self._users_of(server)
        self._left -= len(users)
        if self._left < 0:
            return None
        ids = (known.get(user) for user in users)
        events = (self._events[event_id] for event_id in ids if event_id is not None)
        joined = find_joined_user(server, events, unknown_of(state))
        if joined is None:
            return False
        self._joined[server] = (joined.type, str(joined.state_key))
        return True

    def _is_joined(self, user: StateKey, server: ServerName, known: StateMap[EventId]) -> bool:
        event_id = known.get(user)
        return event_id is not None and is_joined_from(self._events[event_id], server)

    def _users_of(self, server: ServerName) -> list[StateKey]:
        if self._users is None:
            found: dict[ServerName, dict[StateKey, None]] = {}
            for event in self._events.values():
                name = event.state_key
                if event.type == "m.room.member" and name is not None and ":" in name:
                    found.setdefault(server_of(name), {})[event.type, name] = None
            self._users = {one: list(users) for one, users in found.items()}
        return self._users.get(server, [])
