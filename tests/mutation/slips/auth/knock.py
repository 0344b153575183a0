"""The rule on knocks."""

from ...slip import Slip, Table

SLIPS: Table = {
    "check_knock": {
        'join_rule != "knock"': [
            Slip(
                "users can knock in public and invite-only rooms",
                'join_rule not in ("knock", "invite", "public")',
            ),
            Slip("users can knock in restricted rooms", 'join_rule not in ("knock", "restricted")'),
        ],
        'membership not in ("ban", "invite", "join")': [
            Slip("an invited user can knock", 'membership not in ("ban", "join")'),
            Slip("a banned user can knock", 'membership not in ("invite", "join")'),
            Slip("a joined user can knock", 'membership not in ("ban", "invite")'),
            Slip(
                "a user who knocks cannot knock again", 'membership not in ("ban", "invite", "join", "knock")'
            ),
        ],
    },
}
