"""What each authorisation rule says about an event that it decides, in a sentence.

The names in braces are levels: `have`, of the sender; `theirs`, of the target; `need`, for the event;
those that `ban`, `invite`, `kick` and `redact` need; `authoriser`, of the authorising user. `removal` is what
a kick or an unban needs, and `authorisers` a further sentence on a level, or empty.
"""

REASONS = {
    "create.has_prev_events": "A create event must not have previous events.",
    "create.room_id_domain": "The domain of the room ID must be that of the sender.",
    "create.no_creator": "Up to version 10, the content must have a creator.",
    "create.additional_creators": "It must be an array of valid user IDs.",
    "create.allowed": "Nothing about the create event is wrong.",
    "federation.closed": (
        "The create event has m.federate false, so only users of its sender's server may send events."
    ),
    "aliases.no_state_key": "An m.room.aliases event must have a state key.",
    "aliases.other_domain": "The state key must be the sender's server name.",
    "aliases.allowed": "The state key is the sender's server name, so no later rule is applied.",
    "auth_events.no_create": "Up to version 11, the auth events must include the create event.",
    "auth_events.not_selected": (
        "The auth events selection does not pick the entry for this event, so the event must not cite it."
    ),
    "member.malformed": "A member event must have a state key, and a membership in its content.",
    "member.join.creator": (
        "The only previous event is the create event and the joining user created the room."
    ),
    "member.join.sender_is_target": "Users can join only for themselves.",
    "member.join.banned": "A banned user cannot join, whatever the join rule is.",
    "member.join.invited": "With this join rule, a user who is invited or already in the room may join.",
    "member.join.restricted.already_in": (
        "With this join rule, a user who is invited or already in the room needs no authorising user."
    ),
    "member.join.restricted.authoriser": (
        "The authorising user must be in the room and have the level to invite, {invite}.{authorisers}"
    ),
    "member.join.restricted.allowed": (
        "The authorising user is in the room and has the level to invite: {invite} is needed, and theirs is"
        " {authoriser}."
    ),
    "member.join.public": "So anyone who is not banned may join.",
    "member.join.otherwise": "Neither the join rule nor an invite allows the join.",
    "member.invite.third_party.not_signed": "The third_party_invite must have the key signed.",
    "member.invite.third_party.incomplete": "The signed block must have the keys mxid and token.",
    "member.invite.third_party.other_user": "The mxid of the signed block must be the invited user.",
    "member.invite.third_party.no_event": (
        "The token must be the state key of an m.room.third_party_invite event of the room."
    ),
    "member.invite.third_party.signed": (
        "One of the keys of the m.room.third_party_invite event verifies a signature of the signed block."
    ),
    "member.invite.third_party.otherwise": (
        "No key of the m.room.third_party_invite event verifies a signature of the signed block."
    ),
    "member.invite.sender_not_joined": "Only a user who is in the room may invite.",
    "member.invite.target_in_room": "A user who is in the room or banned cannot be invited.",
    "member.invite.level": "An invite needs level {invite}. The sender's level, {have}, is enough.",
    "member.invite.otherwise": "An invite needs level {invite}. The sender's level, {have}, is too low.",
    "member.leave.self": (
        "Only a user who is in the room, is invited or, from version 7 on, has knocked may leave."
    ),
    "member.leave.sender_not_joined": "Only a user who is in the room may kick or unban.",
    "member.leave.banned": "An unban needs level {ban}. The sender's level is {have}.",
    "member.leave.level": (
        "{removal}, and a level above the target's, which is {theirs}. The sender's is {have}."
    ),
    "member.leave.otherwise": (
        "{removal}, and a level above the target's, which is {theirs}. The sender's is {have}."
    ),
    "member.ban.sender_not_joined": "Only a user who is in the room may ban.",
    "member.ban.level": (
        "A ban needs level {ban}, and a level above the target's, which is {theirs}. The sender's is {have}."
    ),
    "member.ban.otherwise": (
        "A ban needs level {ban}, and a level above the target's, which is {theirs}. The sender's is {have}."
    ),
    "member.knock.join_rule": "The join rule must allow knocks.",
    "member.knock.sender_is_target": "Users can knock only for themselves.",
    "member.knock.allowed": "A user who is neither banned, nor invited, nor in the room may knock.",
    "member.knock.otherwise": "A user who is banned, invited or in the room cannot knock.",
    "sender.not_joined": "Only a user who is in the room may send such an event.",
    "third_party_invite.level": "It needs the level to invite, {invite}. The sender's level is {have}.",
    "required_level": "The event needs level {need}. The sender's level, {have}, is too low.",
    "state_key.of_other_user": "A state key that starts with @ must be the sender's user ID.",
    "power_levels.not_integer": "From version 10 on, this level must be an integer.",
    "power_levels.map_not_integers": (
        "From version 10 on, the value must be an object whose values are integers."
    ),
    "power_levels.users": "The value of users must be an object from valid user IDs to integers.",
    "power_levels.creator_listed": "From version 12 on, users must not list a creator.",
    "power_levels.first": "The room has no power levels yet, so the levels in them are not compared.",
    "power_levels.level_current": "A level above the sender's own, {have}, cannot be changed.",
    "power_levels.level_new": "A level cannot be set above the sender's own, {have}.",
    "power_levels.events_current": "A level above the sender's own, {have}, cannot be changed or removed.",
    "power_levels.events_new": "A level cannot be set above the sender's own, {have}.",
    "power_levels.users_current": (
        "The level of another user can be changed or removed only if it is below the sender's own, {have}."
    ),
    "power_levels.users_new": "A user cannot be given a level above the sender's own, {have}.",
    "power_levels.allowed": "No rule on changes of power levels forbids it to a sender with level {have}.",
    "redaction.level": "The sender has the level to redact: {redact} is needed, and the sender's is {have}.",
    "redaction.same_domain": (
        "The event ID in redacts has the domain of the redaction's own ID, so no level is needed."
    ),
    "redaction.otherwise": (
        "The level to redact is {redact} and the sender's is {have}, and redacts has another domain."
    ),
    "otherwise": "The event needs level {need} and the sender's is {have}, so no rule rejects it.",
}
