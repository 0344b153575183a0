"""Third-party invites, completed on the server of the user who sent them.

A third-party invite is for somebody who has no user ID yet, such as an e-mail address. Once an identity
server has signed a user ID for it, the invited user's server asks the sender's server to invite that user.

Source: https://spec.matrix.org/latest/server-server-api/#third-party-invites
"""

from typing import NamedTuple

from ..canonical import plain_object, shorten
from ..errors import Defect, MalformedEvent
from ..identifiers import is_user_id, server_of
from ..types import JsonObject, RoomId, ServerName, UserId
from ..versions import RoomVersion


class Exchange(NamedTuple):
    """The invite that another server asks for."""

    sender: UserId
    target: UserId
    content: JsonObject


# "The receiving server will verify the partial `m.room.member` event given in the request body. If valid, the
# receiving server will issue an invite".
def read_exchange(body: object, room_id: RoomId, server: ServerName, version: RoomVersion) -> Exchange:
    """Return the invite that a request to ``/exchange_third_party_invite`` asks for.

    Only what an invite needs is taken from its content, because this server signs it.

    Raises:
        MalformedEvent: naming what is not as in such a request.
    """
    fields = plain_object(body)
    if fields is None:
        raise MalformedEvent([Defect("", "a JSON object", shorten(body))], version.identifier)
    content = plain_object(fields.get("content")) or {}
    invite = plain_object(content.get("third_party_invite")) or {}
    sender, target = fields.get("sender"), fields.get("state_key")
    sent_here = type(sender) is str and is_user_id(sender) and server_of(sender) == server
    holds = (
        ("type", fields.get("type"), fields.get("type") == "m.room.member", "m.room.member"),
        ("room_id", fields.get("room_id"), fields.get("room_id") == room_id, shorten(room_id)),
        ("sender", sender, sent_here, f"a user of {server}"),
        ("state_key", target, type(target) is str and is_user_id(target), "a user ID"),
        ("content.membership", content.get("membership"), content.get("membership") == "invite", "invite"),
        (
            "content.third_party_invite.signed",
            invite.get("signed"),
            type(invite.get("signed")) is dict,
            "an object",
        ),
    )
    defects = [
        Defect(path, expected, "nothing" if found is None else shorten(found))
        for path, found, good, expected in holds
        if not good
    ]
    if defects:
        raise MalformedEvent(defects, version.identifier)
    taken: JsonObject = {name: invite[name] for name in ("display_name", "signed") if name in invite}
    made: JsonObject = {"membership": "invite", "third_party_invite": taken}
    if "displayname" in content:
        made["displayname"] = content["displayname"]
    return Exchange(str(sender), str(target), made)
