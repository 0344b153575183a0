"""The authorisation rules: is this event allowed, and which rule decides?

The rules come in two halves, as servers and state resolution need them: rules that read only the event and
its auth events, and rules that read a room state. They are in the specification's order, and each numbered
branch has its own module here.

Source: https://spec.matrix.org/latest/rooms/v12/#authorisation-rules, and the same section of the
page of each other room version.
"""

from collections.abc import Container, Mapping

from ..event import Event
from ..power import CREATE
from ..rules import Verdict
from ..types import EventId, StateKey, StateMap
from .auth_events import check_auth_events, check_room_id, cited_events, state_of
from .context import Context
from .create import check_create
from .deciding import Checker, decide, without_create
from .redaction import RedactionDecision, redaction_applies

__all__ = [
    "Checker",
    "RedactionDecision",
    "check_against_state",
    "check_auth",
    "check_own_auth_events",
    "check_state_independent",
    "redaction_applies",
    "state_of_auth_events",
]

_NOTHING: frozenset[EventId] = frozenset()


def state_of_auth_events(event: Event, events: Mapping[EventId, Event]) -> dict[StateKey, Event]:
    """Return the room state that an event's auth events make up, with the create event in version 12.

    Raises:
        MissingEvents: naming all the auth events that are not in `events`.
        WrongRoom: if an auth event has another room version.
    """
    return state_of(cited_events(event, events))


def check_auth(
    event: Event,
    state: StateMap[Event] | None,
    events: Mapping[EventId, Event],
    *,
    rejected: Container[EventId] = _NOTHING,
) -> Verdict:
    """Check an event against all authorisation rules of its room version.

    Source: https://spec.matrix.org/latest/server-server-api/#checks-performed-on-receipt-of-a-pdu: with
    ``state=None`` this is check 4, with the state before the event check 5, with the current state
    check 6. Check 7, on the signature of the room's policy server, is `roomver.policy.check_policy`.

    The caller must have verified the event's signatures. Only the signature inside a third-party invite is
    verified here.

    Args:
        event: the event to check.
        state: the room state, key to event; None for the state that the event's own auth events make up. It
            may be a `PartialState`.
        events: event ID to event. It must hold the event's auth events, and in version 12 its create event.
        rejected: the IDs of rejected events.

    Returns:
        A verdict: whether the event is allowed, and the rule that decided.

    Raises:
        MissingEvents: naming all auth events that are not in `events`. Nothing is decided without them.
        WrongRoom: if the state or an auth event has another room version, or the state is from another
            room.
        UnknownState: if the rules read an unknown key of a state that is known in part.

    >>> from roomver import parse_event
    >>> def event(event_id, **pdu):
    ...     common = {"room_id": "!r:a.org", "depth": 1, "origin_server_ts": 1, "hashes": {"sha256": ""}}
    ...     return parse_event({**common, "prev_events": [], **pdu}, "11", event_id=event_id)
    >>> create = event("$c", type="m.room.create", state_key="", sender="@al:a.org", auth_events=[],
    ...                content={"room_version": "11"})
    >>> topic = event("$t", type="m.room.topic", state_key="", sender="@al:a.org", auth_events=["$c"],
    ...               content={"topic": "Hello"})
    >>> print(check_auth(create, None, {}))
    v11 rule 1.4 (create.allowed): the create event breaks no rule on create events
    >>> print(check_auth(topic, None, {"$c": create}))
    v11 rule 5 (sender.not_joined): the sender is not joined (sender @al:a.org, membership leave)
    """
    if state is None:
        return check_own_auth_events(event, events, rejected=rejected)[0]
    verdict = check_state_independent(event, events, rejected=rejected)
    return check_against_state(event, state) if verdict is None else verdict


def check_own_auth_events(
    event: Event, events: Mapping[EventId, Event], *, rejected: Container[EventId] = _NOTHING
) -> tuple[Verdict, Mapping[StateKey, Event]]:
    """Check an event as `check_auth` does with ``state=None``, and return the state that was read, too.

    The state is empty if no rule read it.
    """
    if event.type == "m.room.create":
        return check_create(event), {}
    cited = cited_events(event, events)
    verdict = _check_cited(event, cited, events, rejected)
    if verdict is not None:
        return verdict, {}
    state = state_of(cited)
    return check_against_state(event, state), state


def check_state_independent(
    event: Event, events: Mapping[EventId, Event], *, rejected: Container[EventId] = _NOTHING
) -> Verdict | None:
    """Check an event against the rules that read no room state.

    These are the rules on create events, on the event's own auth events, and in version 12 on its room ID.
    The arguments and errors are those of `check_auth`.

    Returns:
        The verdict if one of these rules decides; None if the rules on the state decide. A create event
        always gets a verdict.
    """
    if event.type == "m.room.create":
        return check_create(event)
    return _check_cited(event, cited_events(event, events), events, rejected)


def _check_cited(
    event: Event, cited: list[Event], events: Mapping[EventId, Event], rejected: Container[EventId]
) -> Verdict | None:
    verdict = check_room_id(event, events, rejected)
    if verdict is not None:
        return verdict
    own = cited[: len(event.auth_event_ids)]  # without the create event that follows in version 12
    return check_auth_events(event, own, rejected)


def check_against_state(event: Event, state: StateMap[Event]) -> Verdict:
    """Check an event against the rules that read the room state, as state resolution does.

    A create event is checked by its own rule, whatever the state. Any other event is rejected if the state
    has no create event: an unknown state never allows an event.

    Args:
        event: the event to check. The caller must have verified its signatures.
        state: the room state, key to event. Only the keys that `roomver.select_auth_types` returns and the
            create event are read, each with ``get``. It may be a `PartialState`.

    Raises:
        WrongRoom: if the state is from another room or has another room version.
        UnknownState: if the rules read an unknown key of a state that is known in part. Neither verdict is
            certain then.
    """
    # 1. If type is m.room.create: …
    if event.type == "m.room.create":
        return check_create(event)
    create = state.get(CREATE)
    if create is None:
        return without_create(event.room_version)
    return decide(Context(event, state, create))
