"""The rule on changes of power levels."""

from ...slip import Slip, Table

SLIPS: Table = {
    "check_power_levels": {
        "if verdict is None and context.version.infinite_creator_level: ...": [
            Slip(
                "the first power levels may list a creator",
                """
                if (
                    verdict is None
                    and context.version.infinite_creator_level
                    and POWER_LEVELS in context.state
                ): ...
                """,
            ),
        ],
        "context.state.get(POWER_LEVELS)": [
            Slip(
                "power levels under another state key have no previous power levels",
                'context.state.get(POWER_LEVELS) if event.state_key == "" else None',
                "Synapse",
            ),
        ],
        "if previous is None: ...": [
            Slip(
                "the first power levels may not exceed the sender's level",
                """
                if previous is None and any(
                    v > context.levels.user(event.sender) for v in new.users.values()
                ):
                    return context.reject(POWER_LEVELS_FIRST)
                if previous is None: ...
                """,
            ),
        ],
    },
    "_check_form": {
        "if new.unreadable: ...": [
            Slip(
                "up to version 9, entries of events and notifications may be anything",
                'if new.unreadable and new.unreadable[0][0] == "users": ...',
            ),
            Slip(
                "up to version 9, a named level may be anything",
                "if any(len(path) > 1 for path in new.unreadable): ...",
                "Synapse, in the first power levels of a room",
            ),
        ],
        "is_user_id(user)": [
            Slip("a key of users needs only the sigil @", 'user.startswith("@")'),
        ],
    },
    "_check_creators_not_listed": {
        "creators_of(context.create)": [
            Slip("power levels may list an additional creator", "creators_of(context.create)[:1]"),
        ],
        "if creator in new.users: ...": [
            Slip(
                "power levels may list a creator that the previous ones list",
                """
                before = context.state.get(POWER_LEVELS)
                named = before is not None and creator in before.content.get("users", {})
                if creator in new.users and not named: ...
                """,
            ),
        ],
    },
    "_check_named": {
        "if old.named == new.named: ...": [
            Slip(
                "named levels are compared as written: 50 and the string 50 differ",
                """
                before, after = context.state[POWER_LEVELS].content, context.event.content
                if old.named == new.named:
                    level = context.levels.user(context.event.sender)
                    for name, value in new.named.items():
                        if before[name] != after[name] and value > level:
                            return context.reject(POWER_LEVELS_LEVEL_NEW)
                    return None
                """,
            ),
        ],
        "current, value = old.named.get(name), new.named.get(name)": [
            Slip(
                "an absent named level is compared by its default",
                "current, value = old.named.get(name, DEFAULTS[name]), new.named.get(name, DEFAULTS[name])",
                "ruma; gomatrixserverlib too, except for users_default",
            ),
        ],
        "current == value": [
            Slip(
                "a named level above the sender's is refused even if it stays the same",
                "current == value and (current or 0) <= sender",
            ),
        ],
        "current is not None and current > sender": [
            Slip(
                "any named level may be removed",
                "current is not None and value is not None and current > sender",
            ),
        ],
        "value is not None and value > sender": [
            Slip(
                "a named level of any height may be added",
                "value is not None and current is not None and value > sender",
            ),
        ],
    },
    "_check_entries": {
        '[("events", old.events, new.events), ("notifications", old.notifications, new.notifications)]': [
            Slip("changes of notifications are not checked", '[("events", old.events, new.events)]'),
        ],
        "after.get(key) != current": [
            Slip("any entry of events may be removed", "after.get(key, current) != current"),
        ],
        "before.get(key) != value": [
            Slip("an entry of events of any height may be added", "before.get(key, value) != value"),
        ],
        "value > sender": [
            Slip(
                "an entry of notifications may not equal the sender's level",
                'value > sender - (name == "notifications")',
                "gomatrixserverlib",
            ),
        ],
    },
    "_check_users": {
        "current >= sender and user != sender_id and new.users.get(user) != current": [
            Slip(
                "an entry of users that equals the sender's level is refused even if it stays the same",
                "current >= sender and user != sender_id",
                "mautrix-go, before 0.25.2",
            ),
        ],
        "if old.users == new.users: ...": [
            Slip(
                "entries of users are compared as written: 50 and the string 50 differ",
                """
                before: Any = context.state[POWER_LEVELS].content.get("users")
                after: Any = context.event.content.get("users")
                if old.users == new.users:
                    level = context.levels.user(context.event.sender)
                    for user, value in new.users.items():
                        if before[user] != after[user] and value > level:
                            return context.reject(POWER_LEVELS_USERS_NEW)
                    return None
                """,
            ),
        ],
        "for user, current in old.users.items(): ...": [
            Slip(
                "a user without an entry is compared by users_default",
                """
                absent = {
                    user: old.named.get("users_default", 0) for user in new.users if user not in old.users
                }
                for user, current in {**old.users, **absent}.items(): ...
                """,
                "gomatrixserverlib",
            ),
        ],
        "new.users.get(user) != current": [
            Slip("any entry of users may be removed", "new.users.get(user, current) != current"),
        ],
    },
}
