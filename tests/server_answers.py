"""One small room in the answers of servers, over federation and in their other APIs."""

import json
from collections.abc import Iterable
from typing import Any

from forms import pairs, small_room

from roomver.entry import Part

Pdu = dict[str, Any]
Pair = tuple[str, Pdu]

CLIENT_KEYS = ("type", "state_key", "room_id", "sender", "content", "origin_server_ts")


def client(event_id: str, pdu: Pdu) -> Pdu:
    """An event in the format of the client-server API."""
    kept = {key: pdu[key] for key in CLIENT_KEYS if key in pdu}
    return {**kept, "event_id": event_id, "unsigned": {"age": 5}}


def stripped(pdu: Pdu) -> Pdu:
    """An event of stripped state."""
    return {key: pdu[key] for key in ("type", "state_key", "sender", "content") if key in pdu}


def template(pdu: Pdu, version: str) -> dict[str, Any]:
    """What a server answers to /make_join."""
    return {
        "event": {key: held for key, held in pdu.items() if key not in ("hashes", "signatures")},
        "room_version": version,
    }


def synced(room_id: str, state: Iterable[Pdu], timeline: Iterable[Pdu]) -> dict[str, Any]:
    """A response to /sync."""
    return {
        "next_batch": "s72_1",
        "account_data": {"events": [{"type": "m.push_rules", "content": {}}]},
        "rooms": {
            "join": {
                room_id: {
                    "summary": {"m.joined_member_count": 2},
                    "state": {"events": list(state)},
                    "timeline": {"events": list(timeline), "limited": True, "prev_batch": "t"},
                    "ephemeral": {"events": [{"type": "m.typing", "content": {"user_ids": []}}]},
                    "account_data": {"events": [{"type": "m.tag", "content": {}}]},
                }
            },
            "invite": {"!other:a.example": {"invite_state": {"events": [stripped(pdu) for pdu in state]}}},
        },
    }


def with_ids(room: Iterable[Pair]) -> list[Pdu]:
    """PDUs as some APIs give them: each with its ID inside."""
    return [{**pdu, "event_id": event_id} for event_id, pdu in room]


def block(text: str, value: Any, more: str = "") -> str:
    """What continuwuity's admin room prints."""
    return f"{text}\n```json\n{json.dumps(value, indent=2)}\n```{more}\n"


EVENT, STATE, CHAIN = Part.EVENT, Part.STATE, Part.AUTH_CHAIN

Answer = tuple[Any, list[Pdu], list[Part]]


def answers(version: str = "11") -> dict[str, Answer]:
    """Answers by name: a JSON value or text, the PDUs that it has in its order, and what each is."""
    built = small_room(version)
    room = pairs(built)
    pdus = [pdu for _, pdu in room]
    before, join = pdus[:4], pdus[4]
    ids = with_ids(room)
    no_room_id = [{key: held for key, held in pdu.items() if key != "room_id"} for pdu in ids]
    body = {"state": before, "auth_chain": pdus[:3], "event": join, "origin": "a.example"}
    read = [*before, *pdus[:3], join]
    parts = [*[STATE] * 4, *[CHAIN] * 3, Part.JOINED]
    partial = {**body, "state": [before[0], *before[2:]], "members_omitted": True}
    partial["servers_in_room"] = ["a.example"]
    invite = {"event": join, "room_version": version}
    part = [*[Part.PART_OF_STATE] * 4]
    metadata = "\n## Metadata\n- **depth**:            6\n- **soft_failed**:      false"
    return {
        "/send_join, version 1": ([200, body], read, parts),
        "/send_join, version 2": ({**body, "members_omitted": False}, read, parts),
        "/send_join, no event": (
            {key: held for key, held in body.items() if key != "event"},
            read[:-1],
            parts[:-1],
        ),
        "/send_join without members": (
            partial,
            [before[0], *before[2:], *pdus[:3], join],
            [*[Part.STATE_WITHOUT_MEMBERS] * 3, *parts[4:]],
        ),
        "/state": (
            {"pdus": pdus[:5], "auth_chain": pdus[:3]},
            [*pdus[:5], *pdus[:3]],
            [*[STATE] * 5, *[CHAIN] * 3],
        ),
        "/event": ({"origin": "a.example", "origin_server_ts": 1, "pdus": pdus[:1]}, pdus[:1], [EVENT]),
        "/event_auth": ({"auth_chain": pdus[:4]}, pdus[:4], [CHAIN] * 4),
        "/backfill": (
            {"origin": "a.example", "origin_server_ts": 1, "pdus": pdus[::-1]},
            pdus[::-1],
            [EVENT] * 6,
        ),
        "/get_missing_events": ({"events": pdus}, pdus, [EVENT] * 6),
        "/send": (
            {
                "origin": "a.example",
                "origin_server_ts": 1,
                "pdus": pdus,
                "edus": [{"edu_type": "m.presence", "content": {"push": []}}],
            },
            pdus,
            [EVENT] * 6,
        ),
        "/invite, PDUs": ({**invite, "invite_room_state": before}, [join, *before], [Part.INVITED, *part]),
        "/invite, the create event as PDU": (
            {**invite, "invite_room_state": [before[0], *map(stripped, before[1:])]},
            [join, before[0]],
            [Part.INVITED, Part.PART_OF_STATE],
        ),
        "/send_knock, PDUs": ({"knock_room_state": before}, before, part),
        "fetch_event of Synapse": ({"event": ids[0]}, pdus[:1], [EVENT]),
        "get-pdu of conduwuit": (block("PDU found in our database", ids[0]), pdus[:1], [EVENT]),
        "get-pdu of tuwunel": (
            block("Outlier (Rejected / Soft Failed) PDU found in our database", ids[0]),
            pdus[:1],
            [EVENT],
        ),
        "get-pdu of continuwuity 26.8": (block("Soft-failed PDU:", ids[0]), pdus[:1], [EVENT]),
        "get-short-pdu": (block("", ids[0]).lstrip(), pdus[:1], [EVENT]),
        "get-pdu of continuwuity": (block("Status: Timeline PDU\n", ids[0], metadata), pdus[:1], [EVENT]),
        "get-remote-pdu": (
            block("Got PDU from specified server:. Event body:", pdus[0]),
            pdus[:1],
            [EVENT],
        ),
        "several of get-pdu": (
            "".join(
                f"@admin:a.example\n!admin debug get-pdu {event_id}\n\n" + block("Status: Outlier PDU", pdu)
                for event_id, pdu in room
            ),
            pdus,
            [EVENT] * 6,
        ),
        "/sync": (synced(built.room_id, ids[:5], ids[5:]), pdus, [EVENT] * 6),
        "/sync without room IDs": (synced(built.room_id, no_room_id[:5], no_room_id[5:]), pdus, [EVENT] * 6),
        "events by ID": (dict(room), pdus, [EVENT] * 6),
        "TARDIS": ("".join(f" {json.dumps(pdu)}\n" for pdu in ids) + "\n", pdus, [EVENT] * 6),
        "sqlite3 -json": (
            "[" + ",\n".join(json.dumps({"event_id": e, "json": json.dumps(pdu)}) for e, pdu in room) + "]\n",
            pdus,
            [EVENT] * 6,
        ),
    }


def text_of(value: Any, indent: int | None = None) -> bytes:
    """An answer as a file."""
    return (value if isinstance(value, str) else json.dumps(value, indent=indent)).encode()
