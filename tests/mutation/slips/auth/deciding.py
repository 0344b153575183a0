"""The rules that read the room state, in their order."""

from ...slip import Slip, Table

SLIPS: Table = {
    "decide": {
        'kind == "m.room.redaction" and version.redaction_rule': [
            Slip("from version 3 on there still is the rule on redactions", 'kind == "m.room.redaction"'),
        ],
        "check_federation(context)": [
            Slip(
                "membership comes before m.federate",
                'None if kind == "m.room.member" else check_federation(context)',
            ),
            Slip(
                "aliases come before m.federate",
                'None if kind == "m.room.aliases" else check_federation(context)',
            ),
        ],
        'kind == "m.room.aliases" and version.aliases_rule': [
            Slip(
                "aliases need a sender who is in the room",
                'kind == "m.room.aliases" and version.aliases_rule and check_sender(context) is None',
            ),
        ],
        "return check_member(context)": [
            Slip(
                "a member event needs the level for its type",
                """
                refused = check_required_level(context)
                return check_member(context) if refused is None else refused
                """,
            ),
            Slip(
                'member events obey events["m.room.member"]',
                """
                set_levels = context.levels.levels
                level = set_levels and set_levels.events.get(kind)
                if level is not None and level > context.levels.user(event.sender):
                    return context.reject(OTHERWISE)
                return check_member(context)
                """,
                "the membership half of the clarification in 1.17",
            ),
            Slip(
                "member events obey events_default, where it is set",
                """
                set_levels = context.levels.levels
                level = set_levels and set_levels.named.get("events_default")
                if level is not None and level > context.levels.user(event.sender):
                    return context.reject(OTHERWISE)
                return check_member(context)
                """,
                "the membership half of the clarification in 1.17",
            ),
            Slip(
                "member events obey state_default, where it is set",
                """
                set_levels = context.levels.levels
                level = set_levels and set_levels.named.get("state_default")
                if level is not None and level > context.levels.user(event.sender):
                    return context.reject(OTHERWISE)
                return check_member(context)
                """,
                "the membership half of the clarification in 1.17",
            ),
        ],
        "return check_third_party_offer(context)": [
            Slip(
                "an m.room.third_party_invite event also needs the level for its type",
                """
                verdict = check_third_party_offer(context)
                if not verdict.allowed:
                    return verdict
                """,
            ),
        ],
    },
}
