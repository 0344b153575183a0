"""PDUs with one thing changed."""

from typing import Any

import pytest
from strategies import CHOSEN_ID_VERSIONS, VERSIONS, JsonObject

from roomver import MalformedEvent, get_room_version, parse_event
from roomver.event import find_defects

ABSENT: Any = object()
ROOM_12 = "!" + "A" * 43
every_version = pytest.mark.parametrize("version", VERSIONS)


def pdu_of(version: str, **changes: Any) -> JsonObject:
    """Return a plain message of the version with some keys changed or, by ABSENT, left out."""
    pdu: JsonObject = {
        "type": "m.room.message",
        "content": {"body": "hello"},
        "sender": "@alice:example.org",
        "room_id": ROOM_12 if version == "12" else "!room:example.org",
        "depth": 5,
        "origin_server_ts": 1700000000000,
        "hashes": {"sha256": "A" * 43},
        "prev_events": [["$p:x", {"sha256": "A"}]] if version in CHOSEN_ID_VERSIONS else ["$p"],
        "auth_events": [["$a:x", {}], ["$b:x", {}]] if version in CHOSEN_ID_VERSIONS else ["$a", "$b"],
    }
    if version in CHOSEN_ID_VERSIONS:
        pdu["event_id"] = "$event:example.org"
    pdu.update(changes)
    return {key: value for key, value in pdu.items() if value is not ABSENT}


def create_12(**changes: Any) -> JsonObject:
    changes = {"type": "m.room.create", "state_key": "", "room_id": ABSENT} | changes
    return pdu_of("12", content={"room_version": "12"}, prev_events=[], auth_events=[], **changes)


def defects(pdu: Any, version: str, **switches: Any) -> list[str]:
    """Return the paths of the defects, after asserting that the parser and the checker agree."""
    found = find_defects(pdu, get_room_version(version), **switches)
    if not found:
        assert parse_event(pdu, version, **switches).pdu is pdu
    else:
        with pytest.raises(MalformedEvent) as caught:
            parse_event(pdu, version, **switches)
        assert caught.value.defects == tuple(found)
        assert caught.value.room_version == version
    return [defect.path for defect in found]
