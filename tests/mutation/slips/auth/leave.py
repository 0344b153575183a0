"""The rule on leaving, kicks and the lifting of bans."""

from ...slip import Slip, Table

SLIPS: Table = {
    "check_leave": {
        'membership in ("invite", "join")': [
            Slip(
                "a user who has left can leave again",
                'membership in ("invite", "join", "leave")',
                "gomatrixserverlib",
            ),
            Slip("a banned user can leave", 'membership in ("invite", "join", "ban")'),
            Slip("an invited user cannot leave", 'membership == "join"'),
        ],
        'sender_membership != "join"': [
            Slip(
                "only users who have left can kick",
                'sender_membership != "leave"',
                "mautrix-go, before 0.26.1",
            ),
        ],
        'levels.named("kick")': [
            Slip("a kick needs the ban level", 'levels.named("ban")'),
        ],
        "context.outranks(target)": [
            Slip(
                "a ban can be lifted without outranking the target",
                'membership == "ban" or context.outranks(target)',
            ),
        ],
        'sender_level >= levels.named("kick") and context.outranks(target)': [
            Slip(
                "a ban can be lifted with the ban level alone",
                'membership == "ban" or (sender_level >= levels.named("kick") and context.outranks(target))',
                "gomatrixserverlib",
            ),
            Slip(
                "a user who was never in the room cannot be kicked",
                'sender_level >= levels.named("kick") and context.outranks(target)'
                ' and ("m.room.member", target) in context.state',
            ),
            Slip(
                "a user who has left cannot be kicked",
                'sender_level >= levels.named("kick") and context.outranks(target) and membership != "leave"',
            ),
        ],
    },
}
