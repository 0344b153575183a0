"""The table of slips: what an implementation may get wrong, as a change to the text of this one.

``note`` says where the slip is described: a trap or a clarification of the notes on the room versions,
or "design". One line of `SLIPS` is one slip; ``old`` must stand in the module exactly once.
"""

from typing import Final, NamedTuple


class Slip(NamedTuple):
    """One slip.

    Attributes:
        note: where it is described.
        sense: what goes wrong, in a few words.
        module: the file under ``src/roomver``.
        old, new: the text that is replaced, and by what.
        operation: the operation of the vectors that can tell.
    """

    note: str
    sense: str
    module: str
    old: str
    new: str
    operation: str = "auth"


_AUTH = "auth/__init__.py"
_CITED = "auth/auth_events.py"
_CREATE = "auth/create.py"
_JOIN = "auth/join.py"
_LEAVE = "auth/leave.py"
_BAN = "auth/ban.py"
_KNOCK = "auth/knock.py"
_INVITE = "auth/invite.py"
_MEMBER = "auth/member.py"
_OFFER = "auth/third_party.py"
_CHANGE = "auth/power_levels.py"
_SENDING = "auth/sending.py"
_REDACT = "auth/redaction.py"

_FRAMEWORK = [
    Slip(
        "T48",
        "the rules on auth events are left out",
        _AUTH,
        "    verdict = _check_cited(event, cited, events, rejected)\n",
        "    verdict = None\n",
    ),
    Slip(
        "T48",
        "the state is not asked if the auth events already allow",
        _AUTH,
        "    return check_against_state(event, state_of(cited) if state is None else state)\n",
        "    return check_against_state(event, state_of(cited))\n",
    ),
    Slip(
        "T51",
        "an auth event cited twice is let pass",
        _CITED,
        "    if len(entries) != len(keys):\n",
        "    if False:\n",
    ),
    Slip(
        "T51",
        "an auth event cited twice is let pass if it is the same event",
        _CITED,
        "    keys = [(other.type, other.state_key) for other in cited]\n",
        "    keys = [(other.type, other.state_key) for other in dict.fromkeys(cited)]\n",
    ),
    Slip(
        "T51",
        "an auth event that the selection does not pick is let pass",
        _CITED,
        "    if not entries <= selectable:\n",
        "    if False:\n",
    ),
    Slip(
        "T51",
        "a message of a selected type counts as state",
        _CITED,
        "    if not entries <= selectable:\n",
        '    if not {(kind, state_key or "") for kind, state_key in entries} <= selectable:\n',
    ),
    Slip(
        "T51",
        "a rejected auth event is let pass",
        _CITED,
        "        if event_id in rejected or event_id == own_id:\n",
        "        if event_id == own_id:\n",
    ),
    Slip(
        "T51",
        "an unknown auth event is passed over",
        _CITED,
        "        found = [events[event_id] for event_id in wanted]\n",
        "        found = [events[event_id] for event_id in wanted if event_id in events]\n",
    ),
    Slip(
        "T51",
        "a missing create event is let pass where there is a room ID",
        _CITED,
        "    if version.create_in_auth_events and CREATE not in entries:\n",
        "    if not event.room_id:\n",
    ),
    Slip(
        "design",
        "an event is authorised by itself",
        _CITED,
        "        if event_id in rejected or event_id == own_id:\n",
        "        if event_id in rejected:\n",
    ),
    Slip(
        "MSC4307",
        "an auth event of another room is let pass",
        _CITED,
        "        if other.room_id != room_id:\n",
        "        if False:\n",
    ),
    Slip(
        "MSC4307",
        "only the create event's room is compared",
        _CITED,
        "        if other.room_id != room_id:\n",
        '        if other.type == "m.room.create" and other.room_id != room_id:\n',
    ),
    Slip(
        "T53",
        "a third-party offer meets the level for its type as well",
        _AUTH,
        "        return check_third_party_offer(context)\n",
        "        if not check_third_party_offer(context):\n"
        "            return check_third_party_offer(context)\n",
    ),
    Slip(
        "T53",
        "a third-party offer needs its level for the type alone",
        _AUTH,
        '    if kind == "m.room.third_party_invite":\n',
        "    if False:\n",
    ),
    Slip(
        "T53",
        "aliases need a sender who is in the room",
        _AUTH,
        '    if kind == "m.room.aliases" and version.aliases_rule:\n',
        '    if kind == "m.room.aliases" and version.aliases_rule and check_sender(context) is None:\n',
    ),
    Slip(
        "T53",
        "membership comes before m.federate",
        _AUTH,
        "    verdict = check_federation(context)\n",
        '    verdict = None if kind == "m.room.member" else check_federation(context)\n',
    ),
    Slip(
        "T53",
        "aliases come before m.federate",
        _AUTH,
        "    verdict = check_federation(context)\n",
        '    verdict = None if kind == "m.room.aliases" else check_federation(context)\n',
    ),
    Slip(
        "T54",
        "an empty state key is any server's",
        "auth/aliases.py",
        "    if server_of(event.sender) != event.state_key:\n",
        "    if event.state_key and server_of(event.sender) != event.state_key:\n",
    ),
    Slip(
        "T54",
        "the rule on aliases lives on in version 6",
        "versions.py",
        '    rule_list="6",\n    aliases_rule=False,\n',
        '    rule_list="6",\n',
    ),
    Slip(
        "T54",
        "the rule on aliases ends with version 4",
        "versions.py",
        'V5 = replace(V4, identifier="5", key_validity_enforced=True)',
        'V5 = replace(V4, identifier="5", key_validity_enforced=True, aliases_rule=False)',
    ),
    Slip(
        "T55",
        "m.federate is not looked at",
        "auth/federation.py",
        '    if create.content.get("m.federate") is False:\n',
        "    if False:\n",
    ),
    Slip(
        "T55",
        "whatever is not true closes the room",
        "auth/federation.py",
        '    if create.content.get("m.federate") is False:\n',
        '    if create.content.get("m.federate", True) is not True:\n',
    ),
    Slip(
        "T55",
        "null, like false, closes the room",
        "auth/federation.py",
        '    if create.content.get("m.federate") is False:\n',
        '    if create.content.get("m.federate", True) in (False, None):\n',
    ),
    Slip(
        "T55",
        "the creator's domain is compared, not that of the create event's sender",
        "auth/federation.py",
        "        sender, creator = context.event.sender, create.sender\n",
        "        sender = context.event.sender\n"
        '        creator = str(create.content.get("creator", create.sender))\n',
    ),
    Slip(
        "T55",
        "a port makes no other domain",
        "auth/federation.py",
        "        if server_of(sender) != server_of(creator):\n",
        '        if server_of(sender).partition(":")[0] != server_of(creator).partition(":")[0]:\n',
    ),
    Slip(
        "T55",
        "the target's domain is compared as well",
        "auth/federation.py",
        "        if server_of(sender) != server_of(creator):\n",
        '        if server_of(creator) not in (server_of(sender), "") and server_of(sender) != '
        "server_of(creator) or "
        '(context.event.type == "m.room.member" and server_of(context.event.state_key or "") != '
        "server_of(creator)):\n",
    ),
    Slip(
        "T56",
        "a high level writes under another user's name",
        _SENDING,
        '    if key is not None and key != event.sender and key.startswith("@"):\n',
        '    if key is not None and key != event.sender and key.startswith("@") and '
        "not context.outranks(key):\n",
    ),
    Slip(
        "T56",
        "only a user ID is another user's name",
        _SENDING,
        '    if key is not None and key != event.sender and key.startswith("@"):\n',
        '    if key is not None and key != event.sender and key.startswith("@") and ":" in key:\n',
    ),
    Slip(
        "T56",
        "a user may write under its own name and what follows it",
        _SENDING,
        '    if key is not None and key != event.sender and key.startswith("@"):\n',
        '    if key is not None and not key.startswith(event.sender) and key.startswith("@"):\n',
    ),
    Slip(
        "T64",
        "the membership invite is as good as join for sending",
        _SENDING,
        '    if membership != "join":\n',
        '    if membership not in ("join", "invite"):\n',
    ),
    Slip(
        "T53",
        "a third-party offer takes more than the invite level",
        _SENDING,
        '    if context.levels.user(context.event.sender) >= context.levels.named("invite"):\n',
        '    if context.levels.user(context.event.sender) > context.levels.named("invite"):\n',
    ),
]

_SELECTION = [
    Slip(
        "T50",
        "join rules are not selected for an invite",
        "selection.py",
        '    if membership in ("join", "invite", "knock"):\n',
        '    if membership in ("join", "knock"):\n',
    ),
    Slip(
        "T50",
        "join rules are not selected for a knock",
        "selection.py",
        '    if membership in ("join", "invite", "knock"):\n',
        '    if membership in ("join", "invite"):\n',
    ),
    Slip(
        "T50",
        "join rules are selected for a knock only where there is knocking",
        "selection.py",
        '    if membership in ("join", "invite", "knock"):\n',
        '    if membership in ("join", "invite") or (membership == "knock" and version.knock):\n',
        "auth_types",
    ),
    Slip(
        "T50",
        "join rules are selected for every membership",
        "selection.py",
        '    if membership in ("join", "invite", "knock"):\n',
        "    if membership:\n",
    ),
    Slip(
        "T50",
        "an authoriser is selected in every version",
        "selection.py",
        '    elif membership == "join" and version.restricted_joins:\n',
        '    elif membership == "join":\n',
    ),
    Slip(
        "T50",
        "an authoriser is selected for every membership",
        "selection.py",
        '    elif membership == "join" and version.restricted_joins:\n',
        "    elif version.restricted_joins:\n",
    ),
    Slip(
        "T50",
        "the create event is selected in version 12 as well",
        "selection.py",
        "    if version.create_in_auth_events:\n",
        "    if True:\n",
    ),
    Slip(
        "T50",
        "the target's member event is not selected",
        "selection.py",
        '        keys.append(("m.room.member", event.state_key))\n',
        "        pass\n",
    ),
    Slip(
        "T50",
        "the token is looked for beside signed, not in it",
        "selection.py",
        '    signed = invite.get("signed") if type(invite) is dict else None\n',
        "    signed = invite\n",
    ),
    Slip(
        "T52",
        "a third-party invite without signed raises",
        "selection.py",
        '    signed = invite.get("signed") if type(invite) is dict else None\n',
        '    signed = invite["signed"]\n',
    ),
    Slip(
        "T52",
        "a token that is no text raises",
        "selection.py",
        '    token = signed.get("token") if type(signed) is dict else None\n'
        "    return token if type(token) is str else None\n",
        '    return signed.get("token") if type(signed) is dict else None\n',
    ),
    Slip(
        "T52",
        "an authoriser that is no text raises",
        "selection.py",
        "        if type(authoriser) is str:\n",
        "        if authoriser is not None:\n",
    ),
]

_LEVELS = [
    Slip(
        "T57",
        "the entry for the event type is not looked at",
        "power.py",
        "            level = levels.events.get(kind)\n",
        "            level = None\n",
    ),
    Slip(
        "T57",
        "the default for messages holds for state",
        "power.py",
        '        return self.named("state_default" if is_state else "events_default")\n\n    def user_source',
        '        return self.named("events_default")\n\n    def user_source',
    ),
    Slip(
        "T57",
        "a member event needs the level for its type",
        _AUTH,
        '    if kind == "m.room.member":\n        return check_member(context)\n',
        '    if kind == "m.room.member":\n'
        "        refused = check_required_level(context)\n"
        "        return check_member(context) if refused is None else refused\n",
    ),
    Slip(
        "T57",
        "more than the required level is asked for",
        _SENDING,
        "    if required > level:\n",
        "    if required >= level:\n",
    ),
    *(
        Slip(
            "T58",
            f"the default of {name} is {wrong}",
            "power.py",
            f'    "{name}": {right},\n',
            f'    "{name}": {wrong},\n',
        )
        for name, right, wrong in (
            ("ban", 50, 0),
            ("kick", 50, 0),
            ("redact", 50, 0),
            ("invite", 0, 50),
            ("state_default", 50, 0),
            ("events_default", 0, 50),
        )
    ),
    Slip(
        "T58",
        "the default of users_default is 50",
        "power.py",
        'levels.named.get("users_default", 0)',
        'levels.named.get("users_default", 50)',
    ),
    Slip(
        "T58",
        "the default for state is 0 without power levels",
        "power.py",
        "        if self.levels is None:\n            return DEFAULTS[name]\n        return self",
        "        if self.levels is None:\n"
        '            return 0 if name == "state_default" else DEFAULTS[name]\n'
        "        return self",
    ),
    Slip(
        "T58",
        "the default for state is 0 where power levels do not say",
        "power.py",
        "        return self.levels.named.get(name, DEFAULTS[name])\n",
        '        return self.levels.named.get(name, 0 if name == "state_default" else DEFAULTS[name])\n',
    ),
    Slip(
        "T59",
        "the creator keeps 100 where the power levels do not list it",
        "power.py",
        '        return levels.named.get("users_default", 0) if level is None else level\n',
        "        if level is None and self._is_creator(user):\n"
        "            return 100\n"
        '        return levels.named.get("users_default", 0) if level is None else level\n',
    ),
    Slip(
        "T59",
        "nobody has power before the first power levels",
        "power.py",
        "            return 100 if self._is_creator(user) else 0\n",
        "            return 0\n",
    ),
    Slip(
        "T60",
        "the creator is always the create event's sender",
        "power.py",
        "    if not create.room_version.creator_in_content:\n",
        "    if True:\n",
    ),
    Slip(
        "T60",
        "the creator is always the one in the content",
        "power.py",
        "    if not create.room_version.creator_in_content:\n        return create.sender\n",
        '    if "creator" not in create.content:\n        return create.sender\n',
    ),
    Slip(
        "T60",
        "a creator that is null is none",
        _CREATE,
        '    if version.creator_in_content and "creator" not in content:\n',
        '    if version.creator_in_content and content.get("creator") is None:\n',
    ),
    Slip(
        "T60",
        "a creator is asked for in version 11",
        _CREATE,
        '    if version.creator_in_content and "creator" not in content:\n',
        '    if not version.additional_creators and "creator" not in content:\n',
    ),
    Slip(
        "T71",
        "true is a level",
        "power.py",
        "    if type(value) is int:  # not isinstance: True is an int to Python\n",
        "    if isinstance(value, int):\n",
    ),
    Slip(
        "T71",
        "null is an absent level",
        "power.py",
        "            if name in content:\n                level = read_level",
        "            if content.get(name) is not None:\n                level = read_level",
    ),
    Slip(
        "T71",
        "a string is a level from version 10 on",
        "versions.py",
        "    string_power_levels=False,\n",
        "    string_power_levels=True,\n",
    ),
    Slip(
        "T71",
        "events and notifications are not checked",
        _CHANGE,
        "    if new.unreadable:\n        return _unreadable(context, POWER_LEVELS_USERS",
        '    if new.unreadable and new.unreadable[0][0] == "users":\n'
        "        return _unreadable(context, POWER_LEVELS_USERS",
    ),
    Slip(
        "T71",
        "notifications are not read",
        "power.py",
        '        self.notifications = self._entries("notifications", content, version) if checked else {}\n',
        "        self.notifications: dict[str, int] = {}\n",
    ),
    Slip(
        "T71",
        "a list of levels that is none is an absent one",
        "power.py",
        "            if name in content:\n"
        "                self.unreadable.append((name,))\n"
        "            return {}\n",
        "            return {}\n",
    ),
    Slip(
        "T72",
        "a named level that is none is let into the first power levels",
        _CHANGE,
        "    if new.unreadable:\n        return _unreadable(context, POWER_LEVELS_USERS",
        "    if any(len(path) > 1 for path in new.unreadable):\n"
        "        return _unreadable(context, POWER_LEVELS_USERS",
    ),
    Slip(
        "T73",
        "underscores and other digits are in a level",
        "power.py",
        r"""_DECIMAL = re.compile(r"\s*([+-]?)([0-9]+)\s*")""",
        r"""_DECIMAL = re.compile(r"\s*([+-]?)([\d_]+)\s*")""",
    ),
    Slip(
        "T73",
        "digits of any script are in a level",
        "power.py",
        r"""_DECIMAL = re.compile(r"\s*([+-]?)([0-9]+)\s*")""",
        r"""_DECIMAL = re.compile(r"\s*([+-]?)(\d+)\s*")""",
    ),
    Slip(
        "T73",
        "white space is in no level",
        "power.py",
        r"""_DECIMAL = re.compile(r"\s*([+-]?)([0-9]+)\s*")""",
        r"""_DECIMAL = re.compile(r"([+-]?)([0-9]+)")""",
    ),
    Slip(
        "T73",
        "only ASCII spaces may stand around a level",
        "power.py",
        r"""_DECIMAL = re.compile(r"\s*([+-]?)([0-9]+)\s*")""",
        r"""_DECIMAL = re.compile(r" *([+-]?)([0-9]+) *")""",
    ),
    Slip(
        "T73",
        "a plus sign is in no level",
        "power.py",
        r"""_DECIMAL = re.compile(r"\s*([+-]?)([0-9]+)\s*")""",
        r"""_DECIMAL = re.compile(r"\s*(-?)([0-9]+)\s*")""",
    ),
    Slip(
        "T73",
        "a fraction in a string is dropped",
        "power.py",
        r"""_DECIMAL = re.compile(r"\s*([+-]?)([0-9]+)\s*")""",
        r"""_DECIMAL = re.compile(r"\s*([+-]?)([0-9]+)(?:\.[0-9]*)?\s*")""",
    ),
    Slip(
        "T73",
        "leading zeroes are in no level",
        "power.py",
        r"""_DECIMAL = re.compile(r"\s*([+-]?)([0-9]+)\s*")""",
        r"""_DECIMAL = re.compile(r"\s*([+-]?)(0|[1-9][0-9]*)\s*")""",
    ),
    Slip(
        "T73",
        "a string is no level in any version",
        "power.py",
        "    if type(value) is str and version.string_power_levels:\n",
        "    if type(value) is str and False:\n",
    ),
    Slip(
        "#2297",
        "a float is rounded",
        "power.py",
        "        return int(value)  # toward zero\n",
        "        return round(value)\n",
    ),
    Slip(
        "#2297",
        "a float is rounded down",
        "power.py",
        "        return int(value)  # toward zero\n",
        "        return int(value // 1)\n",
    ),
    Slip(
        "#2297",
        "a float is no level in any version",
        "power.py",
        "    if type(value) is float and version.float_power_levels and isfinite(value):\n",
        "    if False:\n",
    ),
    Slip(
        "T75",
        "named levels are compared as they are written",
        _CHANGE,
        "    if old.named == new.named:\n        return None\n    sender = context",
        "    before, after = context.state[POWER_LEVELS].content, context.event.content\n"
        "    if old.named == new.named:\n"
        "        level = context.levels.user(context.event.sender)\n"
        "        for name, value in new.named.items():\n"
        "            if before[name] != after[name] and value > level:\n"
        "                return context.reject(POWER_LEVELS_LEVEL_NEW)\n"
        "        return None\n"
        "    sender = context",
    ),
    Slip(
        "T75",
        "entries of users are compared as they are written",
        _CHANGE,
        "    if old.users == new.users:\n        return None\n",
        '    before: Any = context.state[POWER_LEVELS].content.get("users")\n'
        '    after: Any = context.event.content.get("users")\n'
        "    if old.users == new.users:\n"
        "        level = context.levels.user(context.event.sender)\n"
        "        for user, value in new.users.items():\n"
        "            if before[user] != after[user] and value > level:\n"
        "                return context.reject(POWER_LEVELS_USERS_NEW)\n"
        "        return None\n",
    ),
    Slip(
        "T76",
        "the default stands in for a level that is absent",
        _CHANGE,
        "        current, value = old.named.get(name), new.named.get(name)\n",
        "        current, value = old.named.get(name, DEFAULTS[name]), new.named.get(name, DEFAULTS[name])\n",
    ),
    Slip(
        "T76",
        "a level that is added is not looked at",
        _CHANGE,
        "        if value is not None and value > sender:\n",
        "        if value is not None and current is not None and value > sender:\n",
    ),
    Slip(
        "T76",
        "a level that is removed is not looked at",
        _CHANGE,
        "        if current is not None and current > sender:\n",
        "        if current is not None and value is not None and current > sender:\n",
    ),
    Slip(
        "T77",
        "a named level may not be one's own",
        _CHANGE,
        "        if value is not None and value > sender:\n",
        "        if value is not None and value >= sender:\n",
    ),
    Slip(
        "T77",
        "an entry of events that is removed is not looked at",
        _CHANGE,
        "            if current > sender and after.get(key) != current:\n",
        "            if current > sender and after.get(key, current) != current:\n",
    ),
    Slip(
        "T77",
        "an entry of events that equals one's own level may not change",
        _CHANGE,
        "            if current > sender and after.get(key) != current:\n",
        "            if current >= sender and after.get(key) != current:\n",
    ),
    Slip(
        "T77",
        "an entry of events may not be set to one's own level",
        _CHANGE,
        "            if value > sender and before.get(key) != value:\n",
        "            if value >= sender and before.get(key) != value:\n",
    ),
    Slip(
        "T77",
        "an entry of events that is added is not looked at",
        _CHANGE,
        "            if value > sender and before.get(key) != value:\n",
        "            if value > sender and before.get(key, value) != value:\n",
    ),
    Slip(
        "T77",
        "notifications may not be set to one's own level",
        _CHANGE,
        "            if value > sender and before.get(key) != value:\n",
        '            if value > sender - (name == "notifications") and before.get(key) != value:\n',
    ),
    Slip(
        "T77",
        "another user of one's own level may be lowered",
        _CHANGE,
        "        if current >= sender and user != sender_id and new.users.get(user) != current:\n",
        "        if current > sender and user != sender_id and new.users.get(user) != current:\n",
    ),
    Slip(
        "T77",
        "one's own entry may not be lowered",
        _CHANGE,
        "        if current >= sender and user != sender_id and new.users.get(user) != current:\n",
        "        if current >= sender and new.users.get(user) != current:\n",
    ),
    Slip(
        "T77",
        "another user's entry that is removed is not looked at",
        _CHANGE,
        "        if current >= sender and user != sender_id and new.users.get(user) != current:\n",
        "        if current >= sender and user != sender_id and new.users.get(user, current) != current:\n",
    ),
    Slip(
        "T77",
        "a user without an entry has the default for users to compare",
        _CHANGE,
        "    for user, current in old.users.items():\n",
        '    absent = {user: old.named.get("users_default", 0) for user in new.users if user not in '
        "old.users}\n"
        "    for user, current in {**old.users, **absent}.items():\n",
    ),
    Slip(
        "T77",
        "a user may not be set to one's own level",
        _CHANGE,
        "        if value > sender and old.users.get(user) != value:\n",
        "        if value >= sender and old.users.get(user) != value:\n",
    ),
    Slip(
        "T77",
        "a user may be set above one's own level",
        _CHANGE,
        "        if value > sender and old.users.get(user) != value:\n",
        "        if False:\n",
    ),
    Slip(
        "T77",
        "notifications are guarded in versions 1 to 5 as well",
        "power.py",
        "        checked = version.notification_levels_checked\n",
        "        checked = True\n",
    ),
    Slip(
        "T77",
        "notifications are guarded in no version",
        _CHANGE,
        '    maps = [("events", old.events, new.events), ("notifications", old.notifications, '
        "new.notifications)]\n",
        '    maps = [("events", old.events, new.events)]\n',
    ),
    Slip(
        "T78",
        "a named level that is above the sender's and unaltered is refused",
        _CHANGE,
        "        if current == value:\n            continue\n",
        "        if current == value and (current or 0) <= sender:\n            continue\n",
    ),
    Slip(
        "T78",
        "an entry of users that is above the sender's and unaltered is refused",
        _CHANGE,
        "        if value > sender and old.users.get(user) != value:\n",
        "        if value > sender:\n",
    ),
    Slip(
        "T79",
        "the first power levels may not be above the sender's",
        _CHANGE,
        "    if previous is None:\n        return context.allow(POWER_LEVELS_FIRST)\n",
        "    if previous is None and any(v > context.levels.user(event.sender) for v in "
        "new.users.values()):\n"
        "        return context.reject(POWER_LEVELS_FIRST)\n"
        "    if previous is None:\n        return context.allow(POWER_LEVELS_FIRST)\n",
    ),
    Slip(
        "T80",
        "power levels under another state key are compared with none",
        _CHANGE,
        "    previous = context.state.get(POWER_LEVELS)\n",
        '    previous = context.state.get(POWER_LEVELS) if event.state_key == "" else None\n',
    ),
    Slip(
        "T81",
        "keys of users may be anything",
        _CHANGE,
        "            if not is_user_id(user):\n",
        "            if False:\n",
    ),
    Slip(
        "T81",
        "keys of users need only the sigil",
        _CHANGE,
        "            if not is_user_id(user):\n",
        '            if not user.startswith("@"):\n',
    ),
    Slip(
        "T81",
        "users must be there",
        _CHANGE,
        '    users = content.get("users")\n',
        '    users = content["users"]\n',
    ),
    Slip(
        "design",
        "the level of an authoriser is computed in a second place, without the default for users",
        _JOIN,
        '    level, needed = context.levels.user(authoriser), context.levels.named("invite")\n',
        "    listed = context.levels.levels\n"
        "    level = context.levels.user(authoriser) if listed is None else listed.users.get(authoriser, 0)\n"
        '    needed = context.levels.named("invite")\n',
    ),
]

_JOINS = [
    Slip(
        "T61",
        "the creator's first join needs the creator as its sender",
        _JOIN,
        "    if event.prev_event_ids == (context.create.event_id,) and target == "
        "creator_of(context.create):\n",
        "    if event.prev_event_ids == (context.create.event_id,) and "
        "event.sender == target == creator_of(context.create):\n",
    ),
    Slip(
        "T61",
        "the create event twice is the only previous event",
        _JOIN,
        "    if event.prev_event_ids == (context.create.event_id,) and target == "
        "creator_of(context.create):\n",
        "    if set(event.prev_event_ids) == {context.create.event_id} and target == "
        "creator_of(context.create):\n",
    ),
    Slip(
        "T61",
        "any one previous event will do",
        _JOIN,
        "    if event.prev_event_ids == (context.create.event_id,) and target == "
        "creator_of(context.create):\n",
        "    if len(event.prev_event_ids) == 1 and target == creator_of(context.create):\n",
    ),
    Slip(
        "T61",
        "the create event among others will do",
        _JOIN,
        "    if event.prev_event_ids == (context.create.event_id,) and target == "
        "creator_of(context.create):\n",
        "    if context.create.event_id in event.prev_event_ids and target == creator_of(context.create):\n",
    ),
    Slip(
        "T61",
        "additional creators have the creator's first join",
        _JOIN,
        "    if event.prev_event_ids == (context.create.event_id,) and target == "
        "creator_of(context.create):\n",
        "    if event.prev_event_ids == (context.create.event_id,) and ("
        'target in (creator_of(context.create), *context.create.content.get("additional_creators", []))):\n',
    ),
    Slip(
        "T61",
        "whoever joins right after the create event is let in",
        _JOIN,
        "    if event.prev_event_ids == (context.create.event_id,) and target == "
        "creator_of(context.create):\n",
        "    if event.prev_event_ids == (context.create.event_id,):\n",
    ),
    Slip(
        "T62",
        "users join for others",
        _JOIN,
        "    if event.sender != target:\n",
        "    if False:\n",
    ),
    Slip("T62", "a banned user joins", _JOIN, '    if membership == "ban":\n', "    if False:\n"),
    Slip(
        "T62",
        "public comes before the ban",
        _JOIN,
        '    if membership == "ban":\n',
        '    if membership == "ban" and join_rule_of(context) != "public":\n',
    ),
    Slip(
        "T62",
        "an unknown join rule lets in who is invited",
        _JOIN,
        '    if join_rule == "public":\n',
        '    if join_rule == "public" or already_in:\n',
    ),
    Slip(
        "T62",
        "an unknown join rule lets everybody in",
        _JOIN,
        '    if join_rule == "public":\n',
        '    if join_rule not in ("invite", "knock", "restricted", "knock_restricted", "private"):\n',
    ),
    Slip(
        "T62",
        "knock is a join rule before version 7",
        _JOIN,
        '(join_rule == "knock" and version.knock)',
        '(join_rule == "knock")',
    ),
    Slip(
        "T62",
        "knock is no join rule for who is invited",
        _JOIN,
        '(join_rule == "knock" and version.knock)',
        "False",
    ),
    Slip(
        "T62",
        "restricted is a join rule before version 8",
        _JOIN,
        '(join_rule == "restricted" and version.restricted_joins)',
        '(join_rule == "restricted")',
    ),
    Slip(
        "T62",
        "knock_restricted is a join rule before version 10",
        _JOIN,
        '        join_rule == "knock_restricted" and version.knock_restricted\n',
        '        join_rule == "knock_restricted" and version.restricted_joins\n',
    ),
    Slip(
        "T62",
        "knock_restricted is a join rule in no version",
        _JOIN,
        '        join_rule == "knock_restricted" and version.knock_restricted\n',
        "        False\n",
    ),
    Slip(
        "T62",
        "who is in may not join again",
        _JOIN,
        '    already_in = membership in ("invite", "join")\n',
        '    already_in = membership == "invite"\n',
    ),
    Slip(
        "T62",
        "who is invited may not join",
        _JOIN,
        '    already_in = membership in ("invite", "join")\n',
        '    already_in = membership == "join"\n',
    ),
    Slip(
        "T62",
        "who knocks may join",
        _JOIN,
        '    already_in = membership in ("invite", "join")\n',
        '    already_in = membership in ("invite", "join", "knock")\n',
    ),
    Slip(
        "T63",
        "without join rules the room is public",
        _JOIN,
        '    return "invite" if event is None else event.content.get("join_rule", "invite")\n',
        '    return "public" if event is None else event.content.get("join_rule", "invite")\n',
    ),
    Slip(
        "T63",
        "without join rules nobody joins",
        _JOIN,
        '    return "invite" if event is None else event.content.get("join_rule", "invite")\n',
        '    return None if event is None else event.content.get("join_rule", "invite")\n',
    ),
    Slip(
        "T63",
        "join rules without a join rule let nobody in",
        _JOIN,
        '    return "invite" if event is None else event.content.get("join_rule", "invite")\n',
        '    return "invite" if event is None else event.content.get("join_rule")\n',
    ),
    Slip(
        "T64",
        "a user without a member event is in no membership state",
        "auth/context.py",
        '            return "leave"\n',
        '            return "ban"\n',
    ),
    Slip(
        "T64",
        "a member event without a membership raises",
        "auth/context.py",
        '        membership = member.content.get("membership")\n',
        '        membership = member.content["membership"]\n',
    ),
    Slip(
        "#2220",
        "the authoriser need not be in the room",
        _JOIN,
        '    if authoriser_membership != "join":\n',
        "    if False:\n",
    ),
    Slip(
        "#2220",
        "an authoriser who is invited will do",
        _JOIN,
        '    if authoriser_membership != "join":\n',
        '    if authoriser_membership not in ("join", "invite"):\n',
    ),
    Slip(
        "#2220",
        "an authoriser who has left will do if it is powerful",
        _JOIN,
        '    if authoriser_membership != "join":\n',
        '    if authoriser_membership != "join" and context.levels.user(authoriser) < 100:\n',
    ),
    Slip(
        "#2220",
        "a creator who is not in the room authorises",
        _JOIN,
        '    if authoriser_membership != "join":\n',
        '    if authoriser_membership != "join" and context.levels.user(authoriser) != float("inf"):\n',
    ),
    Slip(
        "T70", "the authoriser's level is not looked at", _JOIN, "    if level < needed:\n", "    if False:\n"
    ),
    Slip(
        "T70",
        "the authoriser needs more than the invite level",
        _JOIN,
        "    if level < needed:\n",
        "    if level <= needed:\n",
    ),
    Slip(
        "T70",
        "the authoriser needs the kick level",
        _JOIN,
        'context.levels.user(authoriser), context.levels.named("invite")\n',
        'context.levels.user(authoriser), context.levels.named("kick")\n',
    ),
    Slip(
        "T70",
        "the level of the joiner is looked at, not the authoriser's",
        _JOIN,
        'context.levels.user(authoriser), context.levels.named("invite")\n',
        'context.levels.user(context.event.sender), context.levels.named("invite")\n',
    ),
    Slip(
        "T70",
        "without an authoriser a restricted join is let pass",
        _JOIN,
        "    if type(authoriser) is not str or not is_user_id(authoriser):\n",
        "    if authoriser is None:\n        return context.allow(JOIN_RESTRICTED_ALLOWED)\n"
        "    if type(authoriser) is not str or not is_user_id(authoriser):\n",
    ),
    Slip(
        "T70",
        "who is invited needs an authoriser too",
        _JOIN,
        "    if already_in:\n        return context.allow(JOIN_RESTRICTED_ALREADY_IN",
        '    if membership == "join":\n        return context.allow(JOIN_RESTRICTED_ALREADY_IN',
    ),
    Slip(
        "T41",
        "an authoriser that is no user ID raises",
        _JOIN,
        "    if type(authoriser) is not str or not is_user_id(authoriser):\n",
        '    if not authoriser.startswith("@"):\n',
    ),
]

_INVITES = [
    Slip(
        "T65",
        "who is not in the room invites",
        _INVITE,
        '    if membership != "join":\n',
        "    if False:\n",
    ),
    Slip(
        "T65",
        "a banned user is invited",
        _INVITE,
        '    if membership in ("join", "ban"):\n',
        '    if membership == "join":\n',
    ),
    Slip(
        "T65",
        "a joined user is invited",
        _INVITE,
        '    if membership in ("join", "ban"):\n',
        '    if membership == "ban":\n',
    ),
    Slip(
        "T65",
        "who knocks cannot be invited",
        _INVITE,
        '    if membership in ("join", "ban"):\n',
        '    if membership in ("join", "ban", "knock"):\n',
    ),
    Slip(
        "T65",
        "who is invited cannot be invited again",
        _INVITE,
        '    if membership in ("join", "ban"):\n',
        '    if membership in ("join", "ban", "invite"):\n',
    ),
    Slip(
        "T65",
        "an invite takes more than the invite level",
        _INVITE,
        '    if context.levels.user(event.sender) >= context.levels.named("invite"):\n',
        '    if context.levels.user(event.sender) > context.levels.named("invite"):\n',
    ),
    Slip(
        "T65",
        "an invite takes the level for state",
        _INVITE,
        '    if context.levels.user(event.sender) >= context.levels.named("invite"):\n',
        '    if context.levels.user(event.sender) >= context.levels.named("state_default"):\n',
    ),
    Slip(
        "T65",
        "a third-party invite needs a sender who is in the room",
        _INVITE,
        "        return check_third_party_invite(context, target)\n",
        '        if context.membership(event.sender) != "join":\n'
        "            return context.reject(INVITE_SENDER_NOT_JOINED)\n"
        "        return check_third_party_invite(context, target)\n",
    ),
    Slip(
        "T65",
        "a third-party invite takes the invite level",
        _INVITE,
        "        return check_third_party_invite(context, target)\n",
        '        if context.levels.user(event.sender) < context.levels.named("invite"):\n'
        "            return context.reject(INVITE_OTHERWISE)\n"
        "        return check_third_party_invite(context, target)\n",
    ),
    Slip(
        "T65",
        "a third-party invite is for nobody who is in the room",
        _OFFER,
        '    if context.membership(target) == "ban":\n',
        '    if context.membership(target) in ("ban", "join"):\n',
    ),
    Slip(
        "T66",
        "third_party_invite that is null is none",
        _INVITE,
        '    if "third_party_invite" in event.content:\n',
        '    if event.content.get("third_party_invite") is not None:\n',
    ),
    Slip(
        "T66",
        "a banned user is invited by third party",
        _OFFER,
        '    if context.membership(target) == "ban":\n',
        "    if False:\n",
    ),
    Slip(
        "T66",
        "the block may be for another user",
        _OFFER,
        '    if signed["mxid"] != target:\n',
        "    if False:\n",
    ),
    Slip(
        "T66",
        "the offer may be another sender's",
        _OFFER,
        "    if event.sender != offer.sender:\n",
        "    if False:\n",
    ),
    Slip(
        "T66",
        "the signature is not checked",
        _OFFER,
        "        if verify_bytes(key, message, signature):\n",
        "        if True:\n",
    ),
    Slip(
        "T66",
        "public_key is not looked at",
        _OFFER,
        '    candidates = [content.get("public_key")]\n',
        "    candidates: list[JsonValue] = []\n",
    ),
    Slip(
        "T66",
        "public_keys is not looked at where there is public_key",
        _OFFER,
        '    candidates += [entry.get("public_key") for entry in entries if type(entry) is dict]\n',
        '    if "public_key" not in content:\n'
        '        candidates += [entry.get("public_key") for entry in entries if type(entry) is dict]\n',
    ),
    Slip(
        "T66",
        "only the first of public_keys is looked at",
        _OFFER,
        '    candidates += [entry.get("public_key") for entry in entries if type(entry) is dict]\n',
        '    candidates += [entry.get("public_key") for entry in entries[:1] if type(entry) is dict]\n',
    ),
    Slip(
        "T66",
        "a key is given up at its first signature that fails",
        _OFFER,
        "    pairs = product(_public_keys(offer), _signatures(signed))\n",
        "    pairs = product(_public_keys(offer), islice(_signatures(signed), 1))\n",
    ),
    Slip(
        "T66",
        "only the first key is tried",
        _OFFER,
        "    pairs = product(_public_keys(offer), _signatures(signed))\n",
        "    pairs = product(islice(_public_keys(offer), 1), _signatures(signed))\n",
    ),
    Slip(
        "T66",
        "the fields that the specification names are covered alone",
        _OFFER,
        '    covered = {name: value for name, value in signed.items() if name not in ("signatures", '
        '"unsigned")}\n',
        '    covered = {name: value for name, value in signed.items() if name in ("mxid", "token")}\n',
    ),
    Slip(
        "T66",
        "unsigned is covered too",
        _OFFER,
        '    covered = {name: value for name, value in signed.items() if name not in ("signatures", '
        '"unsigned")}\n',
        '    covered = {name: value for name, value in signed.items() if name != "signatures"}\n',
    ),
    Slip(
        "T66",
        "signatures of other algorithms are tried",
        _OFFER,
        '            if key_id.startswith(f"{ALGORITHM}:") and type(text) is str:\n',
        "            if type(text) is str:\n",
    ),
    Slip(
        "T66",
        "a public key of another length raises",
        _OFFER,
        "        if key is not None and len(key) == 32:\n            yield key\n",
        "        assert key is not None and len(key) == 32\n        yield key\n",
    ),
    Slip(
        "T66",
        "a token that is no text is looked up all the same",
        _OFFER,
        '    offer = None if token is None else context.state.get(("m.room.third_party_invite", token))\n',
        '    offer = context.state.get(("m.room.third_party_invite", signed["token"]))\n',
    ),
    Slip(
        "T66",
        "an offer under any token will do",
        _OFFER,
        '    offer = None if token is None else context.state.get(("m.room.third_party_invite", token))\n',
        '    offer = next((e for k, e in context.state.items() if k[0] == "m.room.third_party_invite"), '
        "None)\n",
    ),
    Slip(
        "T66",
        "a third-party invite means something in other memberships",
        _MEMBER,
        '        case "join":\n            return check_join(context, target)\n',
        '        case "join" if "third_party_invite" in event.content:\n'
        "            return check_invite(context, target)\n"
        '        case "join":\n            return check_join(context, target)\n',
    ),
]

_REMOVALS = [
    Slip(
        "T67",
        "who has left leaves again",
        _LEAVE,
        '        may = membership in ("invite", "join") or',
        '        may = membership in ("invite", "join", "leave") or',
    ),
    Slip(
        "T67",
        "who is banned leaves",
        _LEAVE,
        '        may = membership in ("invite", "join") or',
        '        may = membership in ("invite", "join", "ban") or',
    ),
    Slip(
        "T67",
        "who is invited cannot leave",
        _LEAVE,
        '        may = membership in ("invite", "join") or',
        '        may = membership == "join" or',
    ),
    Slip(
        "T67",
        "who knocks leaves before version 7",
        _LEAVE,
        '(membership == "knock" and context.version.knock)\n',
        '(membership == "knock")\n',
    ),
    Slip(
        "T67",
        "who knocks cannot leave",
        _LEAVE,
        '(membership == "knock" and context.version.knock)\n',
        "False\n",
    ),
    Slip(
        "T67",
        "who is not in the room removes others",
        _LEAVE,
        '    if sender_membership != "join":\n',
        "    if False:\n",
    ),
    Slip(
        "T67",
        "lifting a ban takes the kick level alone",
        _LEAVE,
        '    if membership == "ban" and sender_level < levels.named("ban"):\n',
        "    if False:\n",
    ),
    Slip(
        "T67",
        "lifting a ban takes more than the ban level",
        _LEAVE,
        '    if membership == "ban" and sender_level < levels.named("ban"):\n',
        '    if membership == "ban" and sender_level <= levels.named("ban"):\n',
    ),
    Slip(
        "T67",
        "lifting a ban takes the ban level alone",
        _LEAVE,
        '    if sender_level >= levels.named("kick") and context.outranks(target):\n',
        '    if membership == "ban" or (sender_level >= levels.named("kick") and '
        "context.outranks(target)):\n",
    ),
    Slip(
        "T67",
        "lifting a ban does not take the higher level",
        _LEAVE,
        '    if sender_level >= levels.named("kick") and context.outranks(target):\n',
        '    if sender_level >= levels.named("kick") and (membership == "ban" or '
        "context.outranks(target)):\n",
    ),
    Slip(
        "T67",
        "a removal takes more than the kick level",
        _LEAVE,
        '    if sender_level >= levels.named("kick") and context.outranks(target):\n',
        '    if sender_level > levels.named("kick") and context.outranks(target):\n',
    ),
    Slip(
        "T67",
        "a removal does not look at the target's level",
        _LEAVE,
        '    if sender_level >= levels.named("kick") and context.outranks(target):\n',
        '    if sender_level >= levels.named("kick"):\n',
    ),
    Slip(
        "T67",
        "a removal takes the ban level",
        _LEAVE,
        '    if sender_level >= levels.named("kick") and context.outranks(target):\n',
        '    if sender_level >= levels.named("ban") and context.outranks(target):\n',
    ),
    Slip(
        "T67",
        "who was never in the room cannot be removed",
        _LEAVE,
        '    if sender_level >= levels.named("kick") and context.outranks(target):\n',
        '    if sender_level >= levels.named("kick") and context.outranks(target) and '
        '("m.room.member", target) in context.state:\n',
    ),
    Slip(
        "T67",
        "who has left cannot be removed",
        _LEAVE,
        '    if sender_level >= levels.named("kick") and context.outranks(target):\n',
        '    if sender_level >= levels.named("kick") and context.outranks(target) and membership != '
        '"leave":\n',
    ),
    Slip("T68", "who is not in the room bans", _BAN, '    if membership != "join":\n', "    if False:\n"),
    Slip(
        "T68",
        "a ban takes more than the ban level",
        _BAN,
        '    if levels.user(event.sender) >= levels.named("ban") and context.outranks(target):\n',
        '    if levels.user(event.sender) > levels.named("ban") and context.outranks(target):\n',
    ),
    Slip(
        "T68",
        "a ban does not look at the target's level",
        _BAN,
        '    if levels.user(event.sender) >= levels.named("ban") and context.outranks(target):\n',
        '    if levels.user(event.sender) >= levels.named("ban"):\n',
    ),
    Slip(
        "T68",
        "users ban themselves",
        _BAN,
        '    if levels.user(event.sender) >= levels.named("ban") and context.outranks(target):\n',
        '    if levels.user(event.sender) >= levels.named("ban") and ('
        "target == event.sender or context.outranks(target)):\n",
    ),
    Slip(
        "T68",
        "a ban takes the kick level",
        _BAN,
        '    if levels.user(event.sender) >= levels.named("ban") and context.outranks(target):\n',
        '    if levels.user(event.sender) >= levels.named("kick") and context.outranks(target):\n',
    ),
    Slip(
        "T68",
        "who is not in the room cannot be banned",
        _BAN,
        '    if levels.user(event.sender) >= levels.named("ban") and context.outranks(target):\n',
        '    if levels.user(event.sender) >= levels.named("ban") and context.outranks(target) and '
        'context.membership(target) != "leave":\n',
    ),
    Slip(
        "T68",
        "an equal level outranks",
        "auth/context.py",
        "        return self.levels.user(target) < sender\n",
        "        return self.levels.user(target) <= sender\n",
    ),
    Slip(
        "T69",
        "users knock at any door",
        _KNOCK,
        '    if join_rule != "knock" and not',
        '    if join_rule not in ("knock", "invite", "public") and not',
    ),
    Slip(
        "T69",
        "users knock under restricted",
        _KNOCK,
        '    if join_rule != "knock" and not',
        '    if join_rule not in ("knock", "restricted") and not',
    ),
    Slip(
        "T69",
        "users knock under knock_restricted before version 10",
        _KNOCK,
        '(join_rule == "knock_restricted" and context.version.knock_restricted)',
        '(join_rule == "knock_restricted")',
    ),
    Slip(
        "T69",
        "users cannot knock under knock_restricted",
        _KNOCK,
        '(join_rule == "knock_restricted" and context.version.knock_restricted)',
        "False",
    ),
    Slip("T69", "users knock for others", _KNOCK, "    if event.sender != target:\n", "    if False:\n"),
    Slip(
        "T69",
        "who is invited knocks",
        _KNOCK,
        '    if membership not in ("ban", "invite", "join"):\n',
        '    if membership not in ("ban", "join"):\n',
    ),
    Slip(
        "T69",
        "who is banned knocks",
        _KNOCK,
        '    if membership not in ("ban", "invite", "join"):\n',
        '    if membership not in ("invite", "join"):\n',
    ),
    Slip(
        "T69",
        "who is in knocks",
        _KNOCK,
        '    if membership not in ("ban", "invite", "join"):\n',
        '    if membership not in ("ban", "invite"):\n',
    ),
    Slip(
        "T69",
        "who knocks cannot knock again",
        _KNOCK,
        '    if membership not in ("ban", "invite", "join"):\n',
        '    if membership not in ("ban", "invite", "join", "knock"):\n',
    ),
    Slip(
        "T69",
        "a knock is a membership before version 7",
        _MEMBER,
        '        case "knock" if context.version.knock:\n',
        '        case "knock":\n',
    ),
    Slip(
        "T69",
        "an unknown membership is let pass",
        _MEMBER,
        "            return context.reject(MEMBER_UNKNOWN, membership=shorten(unknown))\n",
        "            return context.allow(MEMBER_UNKNOWN, membership=shorten(unknown))\n",
    ),
    Slip(
        "T64",
        "a member event without a membership is an unknown one, and raises",
        _MEMBER,
        '    if event.state_key is None or "membership" not in event.content:\n',
        "    if event.state_key is None:\n",
    ),
]

_CREATION = [
    Slip(
        "T28",
        "a create event may follow something",
        _CREATE,
        "    if event.prev_event_ids:\n",
        "    if False:\n",
    ),
    Slip(
        "T14",
        "the room ID's domain is not compared",
        _CREATE,
        "        if room_server != sender_server:\n",
        "        if False:\n",
    ),
    Slip(
        "T14",
        "the domain is what follows the last colon",
        "identifiers.py",
        '    return identifier.partition(":")[2]\n',
        '    return identifier.rpartition(":")[2]\n',
    ),
    Slip(
        "design",
        "an unknown room version is allowed",
        _CREATE,
        "        if type(named) is not str or named not in ROOM_VERSIONS:\n",
        "        if type(named) is not str:\n",
    ),
    Slip(
        "T18",
        "a room version that is null is none",
        _CREATE,
        '    if "room_version" in content:\n',
        '    if content.get("room_version") is not None:\n',
    ),
    Slip(
        "T18",
        "a room version may be a number",
        _CREATE,
        "        if type(named) is not str or named not in ROOM_VERSIONS:\n",
        "        if str(named) not in ROOM_VERSIONS:\n",
    ),
    Slip(
        "T28",
        "a create event needs the empty state key",
        _CREATE,
        "    if event.prev_event_ids:\n",
        '    if event.prev_event_ids or event.state_key != "":\n',
    ),
    Slip(
        "T83",
        "a room ID may name an event of another type",
        _CITED,
        '    if create.type != "m.room.create" or create.state_key != "":\n',
        "    if False:\n",
    ),
    Slip(
        "T83",
        "a room ID may name a create event under another state key",
        _CITED,
        '    if create.type != "m.room.create" or create.state_key != "":\n',
        '    if create.type != "m.room.create":\n',
    ),
    Slip(
        "T83",
        "a room ID may name a rejected create event",
        _CITED,
        "    elif create_id in rejected:\n",
        "    elif False:\n",
    ),
    Slip(
        "T90",
        "a room ID may name a create event of another version",
        _CITED,
        '    elif create.content.get("room_version") != event.room_version.identifier:\n',
        "    elif False:\n",
    ),
    Slip(
        "T83",
        "an unknown create event is passed over",
        _CITED,
        "    if create_id is not None:\n        wanted = (*wanted, create_id)\n",
        "    if create_id is not None and create_id in events:\n        wanted = (*wanted, create_id)\n",
    ),
    Slip(
        "T84",
        "the create event may be cited in version 12",
        _CITED,
        "    selectable = select_auth_types(event)\n",
        "    selectable = select_auth_types(event) | {CREATE}\n",
    ),
    Slip(
        "T84",
        "the create event must be cited in version 12",
        _CITED,
        "    if version.create_in_auth_events and CREATE not in entries:\n",
        "    if CREATE not in entries:\n",
    ),
    Slip(
        "T85",
        "the create event is not part of the state that the auth events make up",
        _AUTH,
        "    return check_against_state(event, state_of(cited) if state is None else state)\n",
        "    own = cited[: len(event.auth_event_ids)]\n"
        "    return check_against_state(event, state_of(own) if state is None else state)\n",
    ),
    Slip(
        "T86",
        "creators have 100",
        "power.py",
        "            return inf\n",
        "            return 100\n",
    ),
    Slip(
        "T86",
        "creators have the greatest integer",
        "power.py",
        "            return inf\n",
        "            return 2**53 - 1\n",
    ),
    Slip(
        "T86",
        "additional creators are no creators",
        "power.py",
        "    if create.room_version.additional_creators:\n",
        "    if False:\n",
    ),
    Slip(
        "T86",
        "a creator outranks the other creators",
        "auth/context.py",
        "        return self.levels.user(target) < sender\n",
        '        return self.levels.user(target) < sender or sender == float("inf")\n',
    ),
    Slip(
        "T86",
        "the creator's level is infinite in version 11 as well",
        "versions.py",
        '    rule_list="11",\n',
        '    rule_list="11",\n    infinite_creator_level=True,\n',
    ),
    Slip(
        "T86",
        "additional creators are creators in version 11 as well",
        "versions.py",
        '    rule_list="11",\n',
        '    rule_list="11",\n    infinite_creator_level=True,\n    additional_creators=True,\n',
    ),
    Slip(
        "T87",
        "users may name a creator",
        _CHANGE,
        "                if creator in users:\n",
        "                if False:\n",
    ),
    Slip(
        "T87",
        "users may name an additional creator",
        _CHANGE,
        "            for creator in creators_of(context.create):\n",
        "            for creator in creators_of(context.create)[:1]:\n",
    ),
    Slip(
        "T87",
        "the first power levels may name a creator",
        _CHANGE,
        "        if version.infinite_creator_level:\n",
        "        if version.infinite_creator_level and POWER_LEVELS in context.state:\n",
    ),
    Slip(
        "T87",
        "a creator who was named before may be named again",
        _CHANGE,
        "                if creator in users:\n",
        "                before = context.state.get(POWER_LEVELS)\n"
        '                named = before is not None and creator in before.content.get("users", {})\n'
        "                if creator in users and not named:\n",
    ),
    Slip(
        "T88",
        "additional_creators may be anything",
        _CREATE,
        '    if version.additional_creators and "additional_creators" in content:\n',
        "    if False:\n",
    ),
    Slip(
        "T88",
        "additional_creators that is null is none",
        _CREATE,
        '    if version.additional_creators and "additional_creators" in content:\n',
        '    if version.additional_creators and content.get("additional_creators") is not None:\n',
    ),
    Slip(
        "T88",
        "additional creators need only be text",
        _CREATE,
        "            if type(creator) is not str or not is_user_id(creator):\n",
        "            if type(creator) is not str:\n",
    ),
    Slip(
        "T88",
        "only the first additional creator is looked at",
        _CREATE,
        "        for creator in creators:\n",
        "        for creator in creators[:1]:\n",
    ),
    Slip(
        "T88",
        "additional_creators is looked at in version 11 as well",
        _CREATE,
        '    if version.additional_creators and "additional_creators" in content:\n',
        '    if not version.creator_in_content and "additional_creators" in content:\n',
    ),
    Slip(
        "T88",
        "the sender may not be among the additional creators",
        _CREATE,
        "            if type(creator) is not str or not is_user_id(creator):\n",
        "            if type(creator) is not str or not is_user_id(creator) or creator == event.sender:\n",
    ),
    Slip(
        "T88",
        "additional creators must differ",
        _CREATE,
        "            if type(creator) is not str or not is_user_id(creator):\n",
        "            if type(creator) is not str or not is_user_id(creator) or creators.count(creator) > "
        "1:\n",
    ),
    Slip(
        "T89",
        "additional creators of other servers enter a closed room",
        "auth/federation.py",
        "        if server_of(sender) != server_of(creator):\n",
        "        if server_of(sender) != server_of(creator) and "
        'sender not in create.content.get("additional_creators", []):\n',
    ),
]

_REDACTIONS = [
    Slip(
        "T91",
        "the sender's domain is compared in versions 1 and 2",
        _REDACT,
        "_same_server(event.redacts, event.event_id)",
        "_same_server(event.redacts, event.sender)",
    ),
    Slip(
        "T91",
        "a redaction of nothing is allowed",
        _REDACT,
        "    if event.redacts is not None and _same_server",
        "    if event.redacts is None or _same_server",
    ),
    Slip(
        "T91",
        "two event IDs without a domain have the same one",
        _REDACT,
        '    return ":" in one and server_of(one) == server_of(other)\n',
        '    return ":" not in one or server_of(one) == server_of(other)\n',
    ),
    Slip(
        "T91",
        "a redaction takes more than the redact level",
        _REDACT,
        '    if context.levels.user(event.sender) >= context.levels.named("redact"):\n',
        '    if context.levels.user(event.sender) > context.levels.named("redact"):\n',
    ),
    Slip(
        "T91",
        "the rule on redactions lives on in version 3",
        "versions.py",
        '    rule_list="3",\n    redaction_rule=False,\n',
        '    rule_list="3",\n',
    ),
    Slip(
        "T91",
        "the rule on redactions is not in version 2",
        "versions.py",
        '    identifier="2",\n',
        '    identifier="2",\n    redaction_rule=False,\n',
    ),
    Slip(
        "T91",
        "a redaction is applied on the redact level alone",
        _REDACT,
        "    if server_of(redaction.sender) == server_of(target.sender):\n",
        "    if False:\n",
        "redaction_applies",
    ),
    Slip(
        "T91",
        "a redaction is applied on the same domain alone",
        _REDACT,
        "    if level >= needed:\n",
        "    if False:\n",
        "redaction_applies",
    ),
    Slip(
        "T91",
        "a redaction is applied above the redact level alone",
        _REDACT,
        "    if level >= needed:\n",
        "    if level > needed:\n",
        "redaction_applies",
    ),
    Slip(
        "#2249",
        "a redaction takes the level for the target's type",
        _REDACT,
        "    if level >= needed:\n",
        "    if level >= max(needed, context.levels.required(target.type, target.state_key is not None)):\n",
        "redaction_applies",
    ),
    Slip(
        "#2249",
        "a redaction takes a higher level than the target's sender",
        _REDACT,
        "    if level >= needed:\n",
        "    if level >= needed and (context.outranks(target.sender) or target.sender == "
        "redaction.sender):\n",
        "redaction_applies",
    ),
    Slip(
        "#2249",
        "the redact level is asked for before a redaction is accepted",
        _AUTH,
        '    if kind == "m.room.redaction" and version.redaction_rule:\n',
        '    if kind == "m.room.redaction":\n',
    ),
    Slip(
        "T92",
        "the target stands at the top in version 11",
        "event.py",
        '        target = content.get("redacts") if version.redacts_in_content else pdu.get("redacts")',
        '        target = pdu.get("redacts")',
        "redaction_applies",
    ),
    Slip(
        "T92",
        "the target may stand in either place",
        "event.py",
        '        target = content.get("redacts") if version.redacts_in_content else pdu.get("redacts")',
        '        target = content.get("redacts") or pdu.get("redacts")',
        "redaction_applies",
    ),
    Slip(
        "T93",
        "an event of another room is redacted",
        _REDACT,
        "    if redaction.room_id != target.room_id:\n",
        "    if False:\n",
        "redaction_applies",
    ),
    Slip(
        "T93",
        "a create event is redacted",
        _REDACT,
        '    if target.type == "m.room.create":\n',
        "    if False:\n",
        "redaction_applies",
    ),
    Slip(
        "T92",
        "another event than the one named is redacted",
        _REDACT,
        "    if redaction.redacts != target.event_id:\n",
        "    if False:\n",
        "redaction_applies",
    ),
    Slip(
        "T95",
        "only the sender's own events are redacted without the level",
        _REDACT,
        "    if server_of(redaction.sender) == server_of(target.sender):\n",
        "    if redaction.sender == target.sender:\n",
        "redaction_applies",
    ),
    Slip(
        "T91",
        "the event IDs' domains are compared from version 3 on",
        _REDACT,
        "    if server_of(redaction.sender) == server_of(target.sender):\n",
        "    if server_of(redaction.event_id) == server_of(target.event_id):\n",
        "redaction_applies",
    ),
]

_RESOLUTION = [
    Slip(
        "design",
        "a check changes the join rule that the next one reads",
        _JOIN,
        "    if already_in:\n        return context.allow(JOIN_RESTRICTED_ALREADY_IN",
        "    if already_in:\n"
        '        context.state["m.room.join_rules", ""].content["join_rule"] = "invite"\n'
        "        return context.allow(JOIN_RESTRICTED_ALREADY_IN",
        "resolve",
    ),
    Slip(
        "design",
        "the sender's level is not part of the sort key",
        "resolution/v2.py",
        "        return -_sender_level(event, events), event.origin_server_ts, event_id\n",
        "        return 0, event.origin_server_ts, event_id\n",
        "resolve",
    ),
    Slip(
        "design",
        "an event without a mainline ancestor has the position of the oldest",
        "resolution/v2.py",
        "        keys.append((-found, event.origin_server_ts, event_id))\n",
        "        found = len(mainline) - 1 if found == inf else found\n"
        "        keys.append((-found, event.origin_server_ts, event_id))\n",
        "resolve",
    ),
    Slip(
        "design",
        "the auth difference is right for two states and wrong for three",
        "graph.py",
        "                    after = before | mask\n",
        "                    after = before if mask == before else full\n",
        "resolve",
    ),
    Slip(
        "T96",
        "a key that only one state has is a conflict in version 1 too",
        "resolution/v1.py",
        "        if len(masks) == 1:\n",
        "        if False:\n",
        "resolve",
    ),
    Slip(
        "T98",
        "a pass goes on after an event that is refused",
        "resolution/v1.py",
        "        if not verdict.allowed:\n            break\n",
        "        if not verdict.allowed:\n            continue\n",
        "resolve",
    ),
    Slip(
        "T98",
        "ties of depth go by SHA-1 the other way",
        "resolution/v1.py",
        "        return depths[event_id], -int.from_bytes(digest)\n",
        "        return depths[event_id], int.from_bytes(digest)\n",
        "resolve",
    ),
    Slip(
        "T98",
        "the rest is tried from the lowest depth",
        "resolution/v1.py",
        "    for event_id in reversed(_in_order(ids, known)):\n",
        "    for event_id in _in_order(ids, known):\n",
        "resolve",
    ),
    Slip(
        "T98",
        "the hash is not asked where depths are equal",
        "resolution/v1.py",
        "    if len(set(depths.values())) == len(ids):",
        "    if len(set(depths.values())) <= len(ids):",
        "resolve",
    ),
    Slip(
        "",
        "what a state has instead of the first state's event is not noted",
        "resolution/split.py",
        "                masks[event_id] = masks.get(event_id, 0) | bit\n",
        "                masks[event_id] = bit\n",
        "resolve",
    ),
    Slip(
        "",
        "an event that was tried does not take its place for the checks that follow",
        "resolution/v2.py",
        "            changes[key] = event_id\n            state[key] = event\n",
        "            changes[key] = event_id\n",
        "resolve",
    ),
    Slip(
        "T101",
        "power levels of any state key are a power event",
        "resolution/v2.py",
        '    return state_key == "" and kind in',
        "    return kind in",
        "resolve",
    ),
    Slip(
        "T101",
        "whoever leaves is a power event",
        "resolution/v2.py",
        "        return banned_or_kicked and state_key is not None and event.sender != state_key\n",
        "        return banned_or_kicked\n",
        "resolve",
    ),
    Slip(
        "T103",
        "those with less power are tried first",
        "resolution/v2.py",
        "        return -_sender_level(event, events), event.origin_server_ts, event_id\n",
        "        return _sender_level(event, events), event.origin_server_ts, event_id\n",
        "resolve",
    ),
    Slip(
        "T107",
        "rejected events are left out",
        "resolution/v2.py",
        "        if skip_rejected and event_id in rejected:\n",
        "        if event_id in rejected:\n",
        "resolve",
    ),
    Slip(
        "T108",
        "version 2.1 begins with the unconflicted state",
        "resolution/v2.py",
        "    base = _NO_STATE if problem.algorithm is StateResolution.V2_1 else split\n",
        "    base = split\n",
        "resolve",
    ),
    Slip(
        "T108",
        "the mainline falls back on the unconflicted power levels",
        "resolution/v2.py",
        "    power_levels = changes.get(POWER_LEVELS) or base.get(POWER_LEVELS)\n",
        "    power_levels = changes.get(POWER_LEVELS) or split.get(POWER_LEVELS)\n",
        "resolve",
    ),
    Slip(
        "T111",
        "unconflicted events of the subgraph are not replayed",
        "resolution/v2.py",
        "            subgraph = graph.conflicted_subgraph(conflicted)\n",
        "            subgraph = conflicted\n",
        "resolve",
    ),
    Slip(
        "T112",
        "what the states agree on is not put back at the end",
        "resolution/v2.py",
        "        if agreed is None:\n",
        "        if True:\n",
        "resolve",
    ),
    Slip(
        "T105",
        "an event's auth events say nothing about its sender's level",
        "resolution/v2.py",
        '            if other.type == "m.room.power_levels" and power_levels is None:\n',
        "            if False:\n",
        "resolve",
    ),
    Slip(
        "T106",
        "a rejected auth event is fallen back on",
        "resolution/v2.py",
        "            if other is not None and other.state_key is not None and parent not in rejected:\n",
        "            if other is not None and other.state_key is not None:\n",
        "resolve",
    ),
]

SLIPS: Final[list[Slip]] = [
    *_FRAMEWORK,
    *_SELECTION,
    *_LEVELS,
    *_JOINS,
    *_INVITES,
    *_REMOVALS,
    *_CREATION,
    *_REDACTIONS,
    *_RESOLUTION,
]
