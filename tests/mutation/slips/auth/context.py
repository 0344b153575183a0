"""Memberships and levels in a room state."""

from ...slip import Slip, Table

SLIPS: Table = {
    "Context.membership": {
        'return "leave"': [
            Slip("the membership of a user without a member event is not leave", 'return "ban"'),
        ],
        'member.content.get("membership")': [
            Slip("a member event without a membership raises", 'member.content["membership"]'),
        ],
    },
    "Context.outranks": {
        "self.levels.user(target) < sender": [
            Slip(
                "a creator outranks the other creators",
                'self.levels.user(target) < sender or sender == float("inf")',
            ),
        ],
    },
}
