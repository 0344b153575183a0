"""The rule on ``m.federate``."""

from ...slip import Slip, Table

SLIPS: Table = {
    "check_federation": {
        "sender, creator = context.event.sender, context.create.sender": [
            Slip(
                "the domain of content.creator is compared, not that of the create event's sender",
                """
                sender = context.event.sender
                creator = str(context.create.content.get("creator", context.create.sender))
                """,
            ),
        ],
        "server_of(sender) != server_of(creator)": [
            Slip(
                "m.federate means nothing in version 12",
                "context.version.create_in_auth_events and server_of(sender) != server_of(creator)",
                "continuwuity, before 26.6",
            ),
            Slip(
                "domains are compared without their ports",
                'server_of(sender).partition(":")[0] != server_of(creator).partition(":")[0]',
            ),
            Slip(
                "the target's domain is compared too",
                'server_of(creator) not in (server_of(sender), "")'
                " and server_of(sender) != server_of(creator)"
                ' or (context.event.type == "m.room.member"'
                ' and server_of(context.event.state_key or "") != server_of(creator))',
                "Synapse",
            ),
            Slip(
                "additional creators of other servers may enter a closed room",
                "server_of(sender) != server_of(creator)"
                ' and sender not in context.create.content.get("additional_creators", [])',
            ),
        ],
    },
}
