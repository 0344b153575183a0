"""The number of every authorisation rule in every room version, derived from the structure of the lists.

This is the outline of the specification's lists of rules, read off the twelve pages. Each line has the room
versions that have the rule; all versions if it has none. A rule's number is its place in the outline. A line
that starts with ``+`` only groups the lines below it. The library has a table of its own, and a test compares
the two.

The source of version 12's page numbers the last item of rule 3 as 5 and the last two of rule 10 as 10. The
page shows them as 3.4, 10.10 and 10.11, and so do we.

Source: https://spec.matrix.org/latest/rooms/v1/#authorisation-rules and the same section of the page
of each other room version.
"""

OUTLINE = """
+create
    create.has_prev_events
    create.room_id_domain                       1-11
    create.has_room_id                          12-12
    create.room_version
    create.no_creator                           1-10
    create.additional_creators                  12-12
    create.allowed
room_id.of_create                               12-12
+auth_events
    auth_events.duplicate
    auth_events.not_selected
    auth_events.rejected
    auth_events.no_create                       1-11
    auth_events.other_room
federation.closed
+aliases                                        1-5
    aliases.no_state_key                        1-5
    aliases.other_domain                        1-5
    aliases.allowed                             1-5
+member
    member.malformed
    +authoriser                                 8-12
        member.authoriser_signature             8-12
    +join
        member.join.creator
        member.join.sender_is_target
        member.join.banned
        member.join.invited
        +restricted                             8-12
            member.join.restricted.already_in   8-12
            member.join.restricted.authoriser   8-12
            member.join.restricted.allowed      8-12
        member.join.public
        member.join.otherwise
    +invite
        +third_party
            member.invite.third_party.banned
            member.invite.third_party.not_signed
            member.invite.third_party.incomplete
            member.invite.third_party.other_user
            member.invite.third_party.no_event
            member.invite.third_party.other_sender
            member.invite.third_party.signed
            member.invite.third_party.otherwise
        member.invite.sender_not_joined
        member.invite.target_in_room
        member.invite.level
        member.invite.otherwise
    +leave
        member.leave.self
        member.leave.sender_not_joined
        member.leave.banned
        member.leave.level
        member.leave.otherwise
    +ban
        member.ban.sender_not_joined
        member.ban.level
        member.ban.otherwise
    +knock                                      7-12
        member.knock.join_rule                  7-12
        member.knock.sender_is_target           7-12
        member.knock.allowed                    7-12
        member.knock.otherwise                  7-12
    member.unknown
sender.not_joined
+third_party_invite
    third_party_invite.level
required_level
state_key.of_other_user
+power_levels
    power_levels.not_integer                    10-12
    power_levels.map_not_integers               10-12
    power_levels.users
    power_levels.creator_listed                 12-12
    power_levels.first
    +named
        power_levels.level_current
        power_levels.level_new
    +events_changed_or_removed
        power_levels.events_current
    +events_added_or_changed
        power_levels.events_new
    +users_changed_or_removed
        power_levels.users_current
    +users_added_or_changed
        power_levels.users_new
    power_levels.allowed
+redaction                                      1-2
    redaction.level                             1-2
    redaction.same_domain                       1-2
    redaction.otherwise                         1-2
otherwise
"""


def numbers_of(version: str) -> dict[str, str]:
    """Return the number of each deciding rule of a room version, by the name of the rule."""
    numbers: dict[str, str] = {}
    place: list[int] = []
    for line in OUTLINE.strip().splitlines():
        depth = (len(line) - len(line.lstrip())) // 4
        name, *versions = line.split()
        first, last = versions[0].split("-") if versions else ("1", "12")
        if not int(first) <= int(version) <= int(last):
            continue
        counters = place[: depth + 1]
        place = [*counters[:depth], (counters[depth] if len(counters) > depth else 0) + 1]
        if not name.startswith("+"):
            numbers[name] = ".".join(map(str, place))
    return numbers


RULE_NUMBERS: dict[str, dict[str, str]] = {str(number): numbers_of(str(number)) for number in range(1, 13)}
