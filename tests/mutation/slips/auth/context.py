"""Memberships, levels and the join rule in a room state."""

from ...slip import Slip, Table

SLIPS: Table = {
    "Context.__init__": {
        'create.content.get("m.federate") is False': [
            Slip(
                "any m.federate but true closes the room",
                'create.content.get("m.federate", True) is not True',
                "Synapse",
            ),
            Slip(
                "a null m.federate closes the room",
                'create.content.get("m.federate", True) in (False, None)',
            ),
        ],
    },
    "Context.membership": {
        'return "leave"': [
            Slip("the membership of a user without a member event is not leave", 'return "ban"'),
        ],
        'member.content.get("membership")': [
            Slip("a member event without a membership raises", 'member.content["membership"]'),
        ],
    },
    "Context.join_rule": {
        '"invite" if event is None else event.content.get("join_rule", "invite")': [
            Slip(
                "a room without join rules is public",
                '"public" if event is None else event.content.get("join_rule", "invite")',
            ),
            Slip(
                "nobody can join a room without join rules",
                'None if event is None else event.content.get("join_rule", "invite")',
                "ruma",
            ),
        ],
        'event.content.get("join_rule", "invite")': [
            Slip("nobody can join if the join rules lack a join_rule", 'event.content.get("join_rule")'),
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
