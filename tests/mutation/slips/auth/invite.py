"""The rule on invites."""

from ...slip import Slip, Table

SLIPS: Table = {
    "check_invite": {
        '"third_party_invite" in event.content': [
            Slip(
                "a null third_party_invite counts as absent",
                'event.content.get("third_party_invite") is not None',
                "ruma, gomatrixserverlib",
            ),
        ],
        "return check_third_party_invite(context, target)": [
            Slip(
                "a third-party invite needs a sender who is in the room",
                """
                if context.membership(event.sender) != "join":
                    return context.reject(INVITE_SENDER_NOT_JOINED)
                return check_third_party_invite(context, target)
                """,
            ),
            Slip(
                "a third-party invite needs the invite level",
                """
                if context.levels.user(event.sender) < context.levels.named("invite"):
                    return context.reject(INVITE_OTHERWISE)
                return check_third_party_invite(context, target)
                """,
            ),
        ],
        'membership in ("join", "ban")': [
            Slip("a banned user can be invited", 'membership == "join"'),
            Slip("a joined user can be invited", 'membership == "ban"'),
            Slip("a user who knocks cannot be invited", 'membership in ("join", "ban", "knock")'),
            Slip("an invited user cannot be invited again", 'membership in ("join", "ban", "invite")'),
        ],
        'context.levels.named("invite")': [
            Slip("an invite needs the level for state events", 'context.levels.named("state_default")'),
        ],
    },
}
