"""Drafts: events that lack what only a server adds. Here it is added.

Against a state the authorisation rules read the type, the state key, the sender and the content. The only
other keys that they read are filled in here.
"""

from typing import Final

from ..event import Event
from ..identifiers import server_of
from ..power import CREATE
from ..state import entries_of
from ..types import JsonObject, StateMap
from ..versions import EventIdForm, RoomIdForm, RoomVersion

__all__ = ["complete_draft", "completed"]

_NO_HASH: Final = "A" * 43


def complete_draft(pdu: JsonObject, version: RoomVersion, state: StateMap[Event]) -> JsonObject:
    """Return a draft with the missing keys of a PDU added, or the PDU itself if no key is missing.

    Args:
        pdu: the draft.
        version: of its room.
        state: the state that it is judged against. If that is a create event and nothing else, the draft is
            taken to follow it, which lets the creator join.
    """
    create = entries_of(state).get(CREATE)
    return completed(pdu, version, create, after_create=create is not None and state == {CREATE: create})


def completed(
    pdu: JsonObject, version: RoomVersion, create: Event | None, *, after_create: bool = False
) -> JsonObject:
    """Return a draft with the missing keys of a PDU added, or the PDU itself if no key is missing.

    Args:
        pdu: the draft.
        version: of its room.
        create: the create event of the room.
        after_create: whether the draft follows the create event directly.
    """
    sender = pdu.get("sender")
    server = server_of(sender) if type(sender) is str else ""
    references: list[str] = [create.event_id] if create is not None and after_create else []
    rest: JsonObject = {
        "depth": 1,
        "origin_server_ts": 0,
        "prev_events": [[one, {}] if version.references_carry_hashes else one for one in references],
        "auth_events": [],
        "hashes": {"sha256": _NO_HASH},
    }
    if version.event_id_form is EventIdForm.CHOSEN:
        rest["event_id"] = f"$draft:{server}"
    is_create = pdu.get("type") == "m.room.create" and pdu.get("state_key") == ""
    if not (is_create and version.room_id_form is RoomIdForm.CREATE_HASH):
        domain = version.room_id_form is RoomIdForm.DOMAIN
        rest["room_id"] = (
            create.room_id if create is not None else f"!draft:{server}" if domain else f"!{_NO_HASH}"
        )
    missing = rest.keys() - pdu.keys()
    return {**pdu, **{key: rest[key] for key in missing}} if missing else pdu
