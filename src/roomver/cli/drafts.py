"""Drafts: events that were made up, and that no server has signed or hashed."""

from ..errors import RoomverError
from ..explain.drafting import complete_draft
from ..hashing import HashCheck, check_content_hash
from ..types import JsonObject
from ..versions import RoomVersion
from .common import GivenEvent

__all__ = ["complete_draft", "is_made_up"]


def is_made_up(given: GivenEvent, pdu: JsonObject, version: RoomVersion) -> bool:
    """Tell whether a complete PDU is made up: no server has signed or hashed it, and it has no ID."""
    if pdu.get("signatures") or given.entry.claimed_id is not None or "event_id" in pdu:
        return False
    try:
        return check_content_hash(pdu, version) is not HashCheck.INTACT
    except RoomverError:
        return False  # the parser says why
