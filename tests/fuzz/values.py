"""Targets: text, PDUs, and the rules with mutated events."""

import copy
import json
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from random import Random
from typing import Any

import generator
from builder import VERSIONS, key_of
from strategies import EVENT_TYPES

from roomver import (
    Event,
    KeyRing,
    MalformedEvent,
    NotCanonical,
    RoomverError,
    check_auth,
    check_event,
    check_state_independent,
    compute_event_id,
    encode_canonical,
    get_room_version,
    parse_event,
    redact,
    resolve,
    select_auth_types,
    sign_event,
    verify_signatures,
)
from roomver.auth import check_against_state
from roomver.auth.compared import list_compared
from roomver.canonical import parse_json
from roomver.event import find_defects
from roomver.findings import FindingKind
from roomver.hashing import check_content_hash, compute_content_hash, compute_reference_hash
from roomver.keys import read_key_table
from roomver.make import check_invite_steps, complete_template
from roomver.receive import Lacking, MemoryStore, receive_steps
from roomver.signature_results import SigningStatus
from roomver.signatures import list_required_signers, read_server_keys, verify_json
from roomver.steps import run

from . import corpus
from .mutations import mutated, mutated_bytes
from .promises import Invalid, answer, in_case, promised, same, version_in
from .specs import of_bytes

# Text


def draw_text(rng: Random) -> Any:
    """Draw JSON text, as bytes, mostly broken somewhere."""
    version = rng.choice(VERSIONS)
    value = (
        rng.choice(corpus.pdus(version)) if rng.random() < 0.5 else generator.json_value(rng, lenient=True)
    )
    text = json.dumps(value, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")
    spoiled = of_bytes(text) if rng.random() < 0.1 else mutated_bytes(rng, text, [b"[" * 2000, b"9" * 5000])
    return {"version": version, "text": spoiled}


def run_text(case: Any) -> None:
    """Parse text in every way. A parsed value has canonical JSON, which parses to the same value."""
    version, data = version_in(case), in_case(case, "text", bytes)
    answer(lambda: parse_event(data, version))
    answer(lambda: parse_event(data, version, unique_keys=True))
    texts: list[Any] = [data]
    with suppress(UnicodeDecodeError):
        texts.append(data.decode())
    for text in texts:
        for strict in (True, False):
            for options in ({}, {"unique_keys": True}, {"integral_floats": True}):
                value = answer(lambda t=text, s=strict, o=options: parse_json(t, strict=s, **o))  # type: ignore[misc]
                if isinstance(value, RoomverError):
                    promised(isinstance(value, NotCanonical), "text without canonical JSON is NotCanonical")
                    continue
                encoded = encode_canonical(value, strict=strict)
                again = parse_json(encoded, strict=strict)
                promised(encode_canonical(again, strict=strict) == encoded, "canonical JSON is stable")
                if not options:
                    promised(same(value, json.loads(text)), "the value is the one of Python's parser")


# PDUs


def draw_pdu(rng: Random) -> Any:
    """Draw a mutated PDU of any room version."""
    version = rng.choice(VERSIONS)
    pdus = corpus.pdus(version)
    pdu = rng.choice(pdus) if rng.random() < 0.7 else generator.pdu(rng, version)
    if rng.random() < 0.2:
        version = rng.choice(VERSIONS)
    if rng.random() < 0.3:
        pdu = _recast(rng, pdu)
        if rng.random() < 0.7:
            return {"version": version, "pdu": pdu}
    return {"version": version, "pdu": mutated(rng, pdu, [*rng.choice(pdus).values()])}


def _recast(rng: Random, pdu: Any) -> Any:
    """Return a PDU as an event of another type, or with another state key: mostly still well formed."""
    recast = {**pdu}
    if rng.random() < 0.7:
        recast["type"] = rng.choice(EVENT_TYPES)
    if rng.random() < 0.7:
        recast["state_key"] = rng.choice(["", "x", recast["sender"]])
    elif rng.random() < 0.5:
        recast.pop("state_key", None)
    if rng.random() < 0.5:
        recast["room_id"] = rng.choice(["!" + "A" * 43, "!a:x.org"])
    if rng.random() < 0.3:
        recast["hashes"] = {"sha256": "A" * 43}
    return recast


def run_pdu(case: Any) -> None:
    """Ask everything that can be asked of one PDU."""
    version = version_in(case)
    if "pdu" not in case:
        raise Invalid("pdu")
    pdu = case["pdu"]
    before = copy.deepcopy(pdu) if _is_shallow(pdu) else None
    keys = read_key_table(corpus.recorded(version)[0]["keys"])
    parsed = answer(lambda: parse_event(pdu, version)) if type(pdu) is not str else None
    defects = find_defects(pdu, get_room_version(version))
    for ring in (None, KeyRing(), keys, KeyRing(keys.keys, required=True)):
        check = check_event(pdu, version, keys=ring, claimed_id="$x")
        malformed = any(finding.kind is FindingKind.MALFORMED for finding in check.findings)
        if check.event is None:
            promised(malformed, "an event that is not usable is malformed")
        else:
            promised(not defects and isinstance(parsed, Event), "a checked event is well formed")
            promised(not find_defects(check.event.pdu, check.event.room_version), "also once redacted")
        promised(len(check.findings) < 10, "there are few findings")
        promised(sum(len(finding.reasons) for finding in check.findings) < 200, "there are few reasons")
        promised(len(str(check)) < 400_000, "a check is not long")
    promised(
        isinstance(parsed, MalformedEvent) == bool(defects) or type(pdu) is str, "defects make it malformed"
    )
    redacted = answer(lambda: redact(pdu, version))
    event_id = answer(lambda: compute_event_id(pdu, version))
    if not isinstance(redacted, RoomverError):
        promised(same(redact(redacted, version), redacted), "redaction is idempotent")
        if not isinstance(event_id, RoomverError):
            promised(compute_event_id(redacted, version) == event_id, "redaction keeps the event ID")
    for ask in (check_content_hash, compute_content_hash, compute_reference_hash, list_required_signers):
        answer(lambda a=ask: a(pdu, version))  # type: ignore[misc]
    answer(lambda: str(verify_signatures(pdu, keys, version)))
    answer(lambda: verify_json(pdu, "a.example", {"ed25519:1": key_of("a.example").verify_key}))
    answer(lambda: read_server_keys(pdu))
    signed = answer(lambda: sign_event(pdu, version, "a.example", key_of("a.example")))
    if not isinstance(signed, RoomverError):
        hashed = answer(lambda: check_content_hash(signed, version))
        promised(hashed.value == "intact", "a signed event has its content hash")
    if isinstance(parsed, Event):
        repr(parsed)
        _ask_rules(parsed, {}, {})
    _serve(pdu, version)
    if before is not None:
        promised(same(pdu, before), "the input is not changed")


@cache
def _served(version: str) -> MemoryStore:
    """Return a server that has received the recorded room of a version."""
    header, entries = corpus.recorded(version)
    store = MemoryStore(read_key_table(header["keys"]))
    for entry in entries:
        store.take(run(receive_steps(entry["pdu"], version, graph=store.graph), store))
    return store


def _serve(pdu: Any, version: str) -> None:
    """Send a PDU to a server: as an event of its room, as a template and as an invite."""
    store = _served(version)
    receipt = answer(lambda: run(receive_steps(pdu, version, graph=store.graph), store))
    if not isinstance(receipt, RoomverError):
        promised(len(str(receipt)) < 400_000, "a receipt is not long")
        good = receipt.check.signatures in (SigningStatus.VALID, SigningStatus.NOT_REQUIRED)
        promised(receipt.stored is None or good, "a stored event is signed")
        promised(receipt.decided or receipt.lacking != Lacking(), "something leaves it undecided")
    expected: dict[str, Any] = {"room_id": "!r:a.example", "versions": VERSIONS}
    body = {"room_version": version, "event": pdu, "invite_room_state": [pdu, pdu]}
    invite = answer(
        lambda: run(check_invite_steps(body, origin="a.example", server="b.example", **expected), store)
    )
    if not isinstance(invite, RoomverError):
        promised(len(str(invite)) < 400_000, "the check of an invite is not long")
    key, options = key_of("a.example"), {"event_id": "$x:a.example", "origin_server_ts": 5, **expected}
    made = answer(lambda: complete_template(body, membership="join", user="@a:a.example", key=key, **options))
    if isinstance(made, Event):
        promised(made.sender == made.state_key == "@a:a.example", "nothing else is signed")


def _is_shallow(value: Any, depth: int = 0) -> bool:
    if type(value) in (dict, list):
        items = value.values() if type(value) is dict else value
        return depth < 100 and len(value) < 10_000 and all(_is_shallow(item, depth + 1) for item in items)
    return True


def _ask_rules(event: Event, state: Mapping[tuple[str, str], Event], events: Mapping[str, Event]) -> None:
    select_auth_types(event)
    for ask in (
        lambda: check_state_independent(event, events),
        lambda: check_against_state(event, state),
        lambda: check_auth(event, state, events),
        lambda: check_auth(event, None, events),
    ):
        verdict = answer(ask)
        if verdict is not None and not isinstance(verdict, RoomverError):
            str(verdict)
            json.dumps(verdict.to_dict())
    answer(lambda: str(list_compared(event, state)))


# Rules: an event, with other events that it cites, all of them mutated


def draw_rules(rng: Random) -> Any:
    """Draw events of a recorded room, of which one is judged; a few of them have odd content."""
    version = rng.choice(VERSIONS)
    entries = corpus.recorded(version)[1]
    by_id = {entry["event_id"]: entry["pdu"] for entry in entries}
    judged = rng.choice(entries)["pdu"]
    cited = [one[0] if type(one) is list else one for one in judged["auth_events"]]
    chosen = {event_id: by_id[event_id] for event_id in cited if event_id in by_id}
    chosen[entries[0]["event_id"]] = entries[0]["pdu"]
    for event_id in list(chosen):
        if rng.random() < 0.5:
            chosen[event_id] = {
                **chosen[event_id],
                "content": mutated(rng, chosen[event_id]["content"], times=2),
            }
    if rng.random() < 0.7:
        judged = {**judged, "content": mutated(rng, judged["content"], times=2)}
    return {"version": version, "judged": judged, "events": list(map(list, chosen.items()))}


def run_rules(case: Any) -> None:
    """Judge an event against others, and resolve states of them."""
    version = version_in(case)
    events: dict[str, Event] = {}
    for one in in_case(case, "events", list):
        if type(one) is not list or len(one) != 2 or type(one[0]) is not str or type(one[1]) is not dict:
            raise Invalid("events")
        event = answer(lambda o=one: parse_event(o[1], version, event_id=o[0]))  # type: ignore[misc]
        if isinstance(event, Event):
            events[event.event_id] = event
    judged = answer(lambda: parse_event(in_case(case, "judged", dict), version))
    state = {(event.type, event.state_key): event for event in events.values() if event.state_key is not None}
    if not isinstance(judged, Event):
        return
    _ask_rules(judged, state, events)
    everything = {**events, judged.event_id: judged}
    ids = {key: event.event_id for key, event in state.items()}
    sets = [
        ids,
        {**ids, (judged.type, judged.state_key or ""): judged.event_id},
        dict(list(ids.items())[::2]),
    ]
    for algorithm in ("v1", "v2", "v2.1"):
        resolved = answer(lambda a=algorithm: resolve(sets, everything, algorithm=a, trace=True))  # type: ignore[misc]
        if not isinstance(resolved, RoomverError):
            turned = resolve(sets[::-1], everything, algorithm=algorithm).state
            promised(resolved.state == turned, "the order of the states does not matter")
