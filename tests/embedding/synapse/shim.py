"""Put roomver's functions in the place of Synapse's: authorisation, resolution, redaction and hashes.

`install` replaces these functions in every module of Synapse that has them:

- ``check_state_independent_auth_rules`` and ``check_state_dependent_auth_rules``;
- ``resolve_events_with_store`` of both algorithms, with Synapse's store behind `roomver.steps.run_async`. As
  a server with an index of its own would, it hands in the auth difference that Synapse's store tells;
- ``prune_event`` and ``redact_event``;
- ``compute_content_hash`` and ``compute_event_reference_hash``.

Synapse computes event IDs inside its compiled part, where nothing can be replaced. So each event that it
makes from a dict has its event ID compared instead, except in versions 1 and 2, where it is chosen, and in
versions that roomver does not have (`_comparing`).
"""

import hashlib
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final
from weakref import WeakKeyDictionary

from synapse import event_auth, events
from synapse.api.errors import AuthError, Codes, SynapseError, UnstableSpecAuthError
from synapse.api.room_versions import EventFormatVersions
from synapse.api.room_versions import RoomVersion as SynapseVersion
from synapse.crypto import event_signing
from synapse.events import EventBase, make_event_from_dict
from synapse.events import utils as event_utils
from synapse.state import v1, v2
from synapse.storage.databases.main.events_worker import EventRedactBehaviour
from synapse.synapse_rust import events as compiled
from unpaddedbase64 import decode_base64

import roomver
from roomver.auth import check_against_state, check_state_independent
from roomver.errors import MissingEvents, NotCanonical
from roomver.event import Event
from roomver.hashing import SYNAPSE_NOT_HASHED, compute_content_hash, compute_reference_hash
from roomver.resolution import KnownEvents, Problem, resolve_split, split_states
from roomver.rules import Verdict
from roomver.steps import Stored, run_async
from roomver.types import EventId, JsonObject, StateMap
from roomver.versions import RoomVersion, StateResolution, is_known

CALLS: Final = Counter[str]()
"""How often each of roomver's functions was called, and how often Synapse's own, by its name."""

# What a client is told with a refusal, by the rule. The rules do not say; these are Synapse's codes.
_CODES: Final = {
    "member.invite.sender_not_joined": Codes.NOT_JOINED,
    "member.leave.sender_not_joined": Codes.NOT_JOINED,
    "member.ban.sender_not_joined": Codes.NOT_JOINED,
    "member.invite.otherwise": Codes.INSUFFICIENT_POWER,
    "member.leave.banned": Codes.INSUFFICIENT_POWER,
    "member.leave.otherwise": Codes.INSUFFICIENT_POWER,
    "member.ban.otherwise": Codes.INSUFFICIENT_POWER,
    "third_party_invite.level": Codes.INSUFFICIENT_POWER,
    "required_level": Codes.INSUFFICIENT_POWER,
}

# Events are compared by identity: tests use one ID for several.
_CONVERTED: Final[WeakKeyDictionary[EventBase, Event]] = WeakKeyDictionary()
_FINAL: Final = frozenset({str, int, bool, float, type(None)})


def _version(event: EventBase) -> RoomVersion:
    return roomver.get_room_version(event.room_version.identifier)


def plain(value: Any) -> Any:
    """Return JSON as `json.loads` does. Synapse also has tuples and immutable dicts in it."""
    if type(value) in _FINAL:  # most values, and isinstance of an abstract class is slow
        return value
    if isinstance(value, Mapping):
        return {key: plain(one) for key, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, list | tuple) else value


def convert(event: EventBase) -> Event:
    """Return an event of Synapse as one of roomver. Synapse has checked it before."""
    found = _CONVERTED.get(event)
    if found is None:
        found = Event.trusted(plain(event.get_pdu_json()), _version(event), event.event_id)
        _CONVERTED[event] = found
    return found


def refuse(verdict: Verdict) -> None:
    """Raise what Synapse expects for an event that is refused."""
    if verdict.rule.name == "state_key.of_no_user":
        # Owned state: the client's mistake, not a refusal.
        raise SynapseError(400, str(verdict), errcode=Codes.BAD_JSON)
    code = _CODES.get(verdict.rule.name)
    if verdict.rule.name == "member.invite.target_in_room" and verdict.detail.get("membership") == "join":
        code = Codes.ALREADY_JOINED
    if code is None:
        raise AuthError(403, str(verdict))
    raise UnstableSpecAuthError(403, str(verdict), errcode=code)


# Authorisation


async def check_state_independent_auth_rules(
    store: Any, event: EventBase, batched_auth_events: Mapping[str, EventBase] | None = None
) -> None:
    """Check an event against the rules that read no room state."""
    CALLS["check_state_independent"] += 1
    mine = convert(event)
    cited = {*mine.auth_parents}
    known = {e: one for e, one in (batched_auth_events or {}).items() if e in cited}
    known |= await store.get_events(
        cited - known.keys(), redact_behaviour=EventRedactBehaviour.as_is, allow_rejected=True
    )
    rejected = {event_id for event_id, one in known.items() if one.rejected_reason is not None}
    try:
        verdict = check_state_independent(
            mine, {event_id: convert(one) for event_id, one in known.items()}, rejected=rejected
        )
    except MissingEvents as error:
        # Synapse fetches them first. That they are not there is its mistake, not the sender's.
        raise AssertionError(f"Event {event.event_id} has unknown auth events: {error}") from error
    if verdict is not None and not verdict.allowed:
        refuse(verdict)


def check_state_dependent_auth_rules(event: EventBase, auth_events: Iterable[EventBase]) -> None:
    """Check an event against the rules that read the room state."""
    CALLS["check_against_state"] += 1
    mine = convert(event)
    if mine.type == "m.room.create":
        return  # Synapse has checked it by the rules that read no state
    state = {(one.type, one.state_key or ""): convert(one) for one in auth_events if one.is_state()}
    verdict = check_against_state(mine, state)
    if not verdict.allowed:
        refuse(verdict)


# State resolution


class InStore:
    """The events of Synapse's store, as `roomver.steps` asks for them."""

    def __init__(self, get_events: Callable[..., Any], **options: Any) -> None:
        self._get_events, self._options = get_events, options

    async def events(self, event_ids: frozenset[EventId]) -> dict[EventId, Stored]:
        """Return those of some events that the store has."""
        found: Mapping[str, EventBase] = await self._get_events(event_ids, **self._options)
        return {e: Stored(convert(one), one.rejected_reason is not None) for e, one in found.items()}


def in_flight(event_map: Mapping[str, EventBase] | None) -> tuple[dict[EventId, Event], set[EventId]]:
    """Return events that Synapse has not stored yet, and which of them were rejected."""
    given = event_map or {}
    rejected = {event_id for event_id, one in given.items() if one.rejected_reason is not None}
    return {event_id: convert(one) for event_id, one in given.items()}, rejected


async def resolve_v1(
    room_id: str,
    room_version: Any,
    state_sets: Sequence[StateMap[str]],
    event_map: dict[str, EventBase] | None,
    state_map_factory: Callable[..., Any],
) -> StateMap[str]:
    """Resolve states by the algorithm of version 1."""
    CALLS["resolve v1"] += 1
    known, rejected = in_flight(event_map)
    steps = roomver.resolve_steps(
        state_sets,
        known,
        rejected=rejected,
        skip_rejected=True,
        ignore_missing=True,
        algorithm=StateResolution.V1,
    )
    return (await run_async(steps, InStore(state_map_factory))).state


async def resolve_v2(  # noqa: PLR0913, PLR0917 - Synapse's parameters
    clock: Any,
    room_id: str,
    room_version: Any,
    state_sets: Sequence[StateMap[str]],
    event_map: dict[str, EventBase] | None,
    state_res_store: Any,
    conflict_cache: Any = None,
) -> StateMap[str]:
    """Resolve states by the algorithm of versions 2 to 11, or of version 12."""
    algorithm = roomver.get_room_version(room_version.identifier).state_resolution
    CALLS[f"resolve {algorithm.value}"] += 1
    if not state_sets:  # Synapse asks for this after a join that failed
        return {}
    split = split_states(state_sets)
    if not split.conflicted:
        return split.unconflicted
    subgraph = algorithm is StateResolution.V2_1
    difference = await v2._get_auth_chain_difference(
        room_id, state_sets, event_map or {}, state_res_store, set(split.conflicted_ids) if subgraph else None
    )
    known, rejected = in_flight(event_map)
    problem = Problem(
        split=split,  # not `resolve_steps`, which would split the states again
        states=len(state_sets),
        known=KnownEvents(known, ignore_missing=True),
        algorithm=algorithm,
        auth_difference=difference,
        conflicted_subgraph=() if subgraph else None,  # the difference holds it
        rejected=rejected,
        skip_rejected=True,
    )
    store = InStore(state_res_store.get_events, allow_rejected=True)
    return split.resolved(await run_async(resolve_split(problem), store))


# Redaction and hashes


def prune_event(event: EventBase) -> EventBase:
    """Return the redacted form of an event."""
    CALLS["redact"] += 1
    left = roomver.redact(plain(event.get_pdu_json()), _version(event))
    unsigned = {key: event.unsigned[key] for key in ("age_ts", "replaces_state") if key in event.unsigned}
    pruned = make_event_from_dict(
        {**left, "unsigned": unsigned}, event.room_version, event.internal_metadata.get_dict()
    )
    # What Synapse keeps beside the event, outside its dict.
    pruned.internal_metadata.stream_ordering = event.internal_metadata.stream_ordering
    pruned.internal_metadata.instance_name = event.internal_metadata.instance_name
    pruned.internal_metadata.outlier = event.internal_metadata.outlier
    pruned.internal_metadata.redacted = True
    return pruned


def content_hash(event_dict: JsonObject, hash_algorithm: Any) -> tuple[str, bytes]:
    """Return the content hash of an event, as the name of the algorithm and the bytes."""
    CALLS["content hash"] += 1
    assert hash_algorithm is hashlib.sha256  # there is no other
    # Version 1 has the fewest limits on what may be encoded. The hash is the same in each version.
    encoded = compute_content_hash(plain(event_dict), "1", leave_out=SYNAPSE_NOT_HASHED)
    return "sha256", decode_base64(encoded)


def reference_hash(event: EventBase, hash_algorithm: Any = hashlib.sha256) -> tuple[str, bytes]:
    """Return the reference hash of an event, as the name of the algorithm and the bytes."""
    CALLS["reference hash"] += 1
    assert hash_algorithm is hashlib.sha256  # there is no other
    return "sha256", decode_base64(compute_reference_hash(convert(event)))


# Event IDs


class WrongEventId(Exception):
    """Synapse and roomver compute different event IDs."""


def _comparing(make: Callable[..., EventBase]) -> Callable[..., EventBase]:
    def make_and_compare(*arguments: Any, **options: Any) -> EventBase:
        event = make(*arguments, **options)
        chosen = event.format_version == EventFormatVersions.ROOM_V1_V2
        if not chosen and is_known(event.room_version.identifier):
            try:
                mine = roomver.compute_event_id(plain(event.get_pdu_json()), _version(event))
            except NotCanonical:  # Synapse refuses such an event later
                CALLS["event ID of what is not canonical JSON"] += 1
                return event
            CALLS["event ID compared"] += 1
            if mine != event.event_id:
                raise WrongEventId(f"Synapse has {event.event_id}, roomver {mine}")
        return event

    return make_and_compare


# Putting them in place


def _unless_unknown(name: str, mine: Callable[..., Any], original: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that leaves the room versions that roomver does not have to Synapse."""

    def choose(*arguments: Any, **options: Any) -> Any:
        for one in (*arguments, *options.values()):
            version = getattr(one, "room_version", one)
            if type(version) is SynapseVersion and not is_known(version.identifier):
                CALLS[f"Synapse's {name}"] += 1
                return original(*arguments, **options)
        return mine(*arguments, **options)

    return choose


def install(*, compare_ids: bool = True) -> Callable[[], None]:
    """Replace Synapse's functions, in every module that has them.

    Args:
        compare_ids: whether to compute each event ID a second time, and to compare.

    Returns:
        a function that puts Synapse's own back.
    """
    original_make = events.make_event_from_dict
    replaced: dict[Callable[..., Any], Callable[..., Any]] = {
        event_auth.check_state_independent_auth_rules: check_state_independent_auth_rules,
        event_auth.check_state_dependent_auth_rules: check_state_dependent_auth_rules,
        v1.resolve_events_with_store: resolve_v1,
        v2.resolve_events_with_store: resolve_v2,
        event_utils.prune_event: prune_event,
        compiled.redact_event: prune_event,
        event_signing.compute_content_hash: content_hash,
        event_signing.compute_event_reference_hash: reference_hash,
    }
    by_id = {
        id(original): _unless_unknown(original.__name__, mine, original)
        for original, mine in replaced.items()
    }
    if compare_ids:
        by_id[id(original_make)] = _comparing(original_make)
    own = sys.modules[__name__]
    places = []
    for name, module in list(sys.modules.items()):
        if module is own or not name.startswith("synapse"):
            continue
        for attribute, value in list(vars(module).items()):
            if id(value) in by_id:
                setattr(module, attribute, by_id[id(value)])
                places.append((module, attribute, value))

    def restore() -> None:
        for module, attribute, value in places:
            setattr(module, attribute, value)

    return restore
