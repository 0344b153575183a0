"""The rule on joins."""

from ...slip import Slip, Table

_AUTHORISER_JOINED = "the authorising user must be joined, whatever its level: matrix-spec #2220"

SLIPS: Table = {
    "check_join": {
        "event, version = context.event, context.version": [
            Slip(
                "a display name that is not a string raises",
                """
                event, version = context.event, context.version
                assert isinstance(event.content.get("displayname", ""), str)
                """,
                "gomatrixserverlib, before 2024",
            ),
        ],
        "event.prev_event_ids == (context.create.event_id,)": [
            Slip(
                "the creator's first join may cite the create event twice as its previous event",
                "set(event.prev_event_ids) == {context.create.event_id}",
            ),
            Slip(
                "the creator's first join may follow any one event",
                "len(event.prev_event_ids) == 1",
            ),
            Slip(
                "the creator's first join may follow other events besides the create event",
                "context.create.event_id in event.prev_event_ids",
            ),
        ],
        "target == creator_of(context.create)": [
            Slip(
                "the creator must be the sender of the creator's first join",
                "event.sender == target == creator_of(context.create)",
                "gomatrixserverlib",
            ),
            Slip(
                "an additional creator may make the creator's first join",
                "target in (creator_of(context.create),"
                ' *context.create.content.get("additional_creators", []))',
                "tuwunel, before 1.6.2",
            ),
            Slip(
                "the creator is read from the content of the creator's first join",
                'target == (event.content.get("creator") if version.creator_in_content'
                " else context.create.sender)",
                "mautrix-go, before 0.28",
            ),
        ],
        'membership == "ban"': [
            Slip(
                "a banned user can join a public room",
                'membership == "ban" and context.join_rule != "public"',
            ),
        ],
        'membership in ("invite", "join")': [
            Slip("a joined user cannot join again", 'membership == "invite"'),
            Slip("an invited user cannot join", 'membership == "join"'),
            Slip("a user who knocks can join", 'membership in ("invite", "join", "knock")'),
        ],
        'join_rule == "knock_restricted" and version.knock_restricted': [
            Slip(
                "knock_restricted is a join rule in versions 8 and 9",
                'join_rule == "knock_restricted" and version.restricted_joins',
                "gomatrixserverlib, from version 7 on",
            ),
        ],
        'join_rule == "public"': [
            Slip(
                "invited users can join under an unknown join rule",
                'join_rule == "public" or already_in',
                "gomatrixserverlib",
            ),
            Slip(
                "everybody can join under an unknown join rule",
                'join_rule not in ("invite", "knock", "restricted", "knock_restricted", "private")',
            ),
        ],
    },
    "_check_restricted": {
        "if already_in: ...": [
            Slip("an invited user needs an authorising user too", 'if membership == "join": ...'),
        ],
        "return context.allow(JOIN_RESTRICTED_ALREADY_IN, membership=membership)": [
            Slip(
                "a check changes the join rule that the next check reads",
                """
                context.state["m.room.join_rules", ""].content["join_rule"] = "invite"
                return context.allow(JOIN_RESTRICTED_ALREADY_IN, membership=membership)
                """,
                "seen in another implementation",
            ),
        ],
        "if type(authoriser) is not str or not is_user_id(authoriser): ...": [
            Slip(
                "a restricted join without an authorising user is allowed",
                """
                if authoriser is None:
                    return context.allow(JOIN_RESTRICTED_ALLOWED)
                if type(authoriser) is not str or not is_user_id(authoriser): ...
                """,
                _AUTHORISER_JOINED,
            ),
        ],
        "type(authoriser) is not str or not is_user_id(authoriser)": [
            Slip(
                "an authorising user that is not a user ID raises",
                'not authoriser.startswith("@")',
            ),
        ],
        'authoriser_membership != "join"': [
            Slip(
                "an invited user can authorise a join",
                'authoriser_membership not in ("join", "invite")',
                _AUTHORISER_JOINED,
            ),
            Slip(
                "a powerful user who has left can authorise a join",
                'authoriser_membership != "join" and context.levels.user(authoriser) < 100',
                _AUTHORISER_JOINED,
            ),
            Slip(
                "a creator who is not in the room can authorise a join",
                'authoriser_membership != "join" and context.levels.user(authoriser) != float("inf")',
                _AUTHORISER_JOINED,
            ),
        ],
        "context.levels.user(authoriser)": [
            Slip(
                "the level of the joining user is checked, not that of the authorising user",
                "context.levels.user(context.event.sender)",
            ),
        ],
        'context.levels.named("invite")': [
            Slip("the authorising user needs the kick level", 'context.levels.named("kick")'),
        ],
        'level, needed = context.levels.user(authoriser), context.levels.named("invite")': [
            Slip(
                "the level of the authorising user is computed in a second place, without users_default",
                """
                listed = context.levels.levels
                level = context.levels.user(authoriser) if listed is None else listed.users.get(authoriser, 0)
                needed = context.levels.named("invite")
                """,
                "seen in another implementation",
            ),
        ],
    },
}
