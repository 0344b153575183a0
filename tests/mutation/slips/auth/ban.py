"""The rule on bans."""

from ...slip import Slip, Table

SLIPS: Table = {
    "check_ban": {
        'membership != "join"': [
            Slip("only users who have left can ban", 'membership != "leave"', "mautrix-go, before 0.26.4"),
        ],
        'levels.named("ban")': [
            Slip("a ban needs the kick level", 'levels.named("kick")'),
        ],
        "context.outranks(target)": [
            Slip("users can ban themselves", "target == event.sender or context.outranks(target)"),
        ],
        'levels.user(event.sender) >= levels.named("ban") and context.outranks(target)': [
            Slip(
                "a user who is not in the room cannot be banned",
                'levels.user(event.sender) >= levels.named("ban") and context.outranks(target)'
                ' and context.membership(target) != "leave"',
            ),
        ],
    },
}
