"""The order of the rules, and the state that they look at."""

from ...slip import Slip, Table

SLIPS: Table = {
    "check_auth": {
        "_check_cited(event, cited, events, rejected)": [
            Slip("the rules on auth events are left out", "None"),
        ],
        "state_of(cited) if state is None else state": [
            Slip(
                "the state that the auth events make up decides, not the room state",
                "state_of(cited)",
                "a server checks an event against both, and against the current state too",
            ),
        ],
        "state_of(cited)": [
            Slip(
                "the state that the auth events make up lacks the create event in version 12",
                "state_of(cited[: len(event.auth_event_ids)])",
            ),
        ],
    },
    "check_against_state": {
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
