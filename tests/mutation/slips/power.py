"""How a power level is read, and whose it is."""

from ..slip import Slip, Table

_FLOATS = "a float is cut off toward zero: matrix-spec #2297"

SLIPS: Table = {
    "DEFAULTS": {
        '"ban": 50': [Slip("ban defaults to 0", '"ban": 0')],
        '"kick": 50': [Slip("kick defaults to 0", '"kick": 0')],
        '"redact": 50': [Slip("redact defaults to 0", '"redact": 0')],
        '"invite": 0': [Slip("invite defaults to 50", '"invite": 50')],
        '"state_default": 50': [Slip("state_default defaults to 0", '"state_default": 0')],
        '"events_default": 0': [Slip("events_default defaults to 50", '"events_default": 50')],
    },
    "_DECIMAL": {
        r're.compile(r"\s*([+-]?)([0-9]+)\s*")': [
            Slip(
                "a level may hold underscores and digits of any script",
                r're.compile(r"\s*([+-]?)([\d_]+)\s*")',
                "Synapse",
            ),
            Slip(
                "a level may hold digits of any script",
                r're.compile(r"\s*([+-]?)(\d+)\s*")',
                "Synapse",
            ),
            Slip("white space around a level is refused", r're.compile(r"([+-]?)([0-9]+)")'),
            Slip("only ASCII spaces may stand around a level", r're.compile(r" *([+-]?)([0-9]+) *")'),
            Slip("a plus sign is refused", r're.compile(r"\s*(-?)([0-9]+)\s*")'),
            Slip(
                "a fraction in a string is dropped",
                r're.compile(r"\s*([+-]?)([0-9]+)(?:\.[0-9]*)?\s*")',
            ),
            Slip("leading zeros are refused", r're.compile(r"\s*([+-]?)(0|[1-9][0-9]*)\s*")'),
        ],
    },
    "PowerLevels._entries": {
        "content.get(name)": [
            Slip(
                "power levels without users raise", 'content[name] if name == "users" else content.get(name)'
            ),
        ],
    },
    "read_level": {
        "type(value) is int": [
            Slip("true is a level", "isinstance(value, int)", "Synapse, up to version 9"),
        ],
        "type(value) is str and version.string_power_levels": [
            Slip("a string is a level in version 10", "type(value) is str"),
        ],
        "int(value)": [
            Slip("a float is rounded", "round(value)", _FLOATS),
            Slip("a float is rounded down", "int(value // 1)", _FLOATS),
        ],
    },
    "PowerLevels.__init__": {
        "name in content": [
            Slip("a null level counts as absent", "content.get(name) is not None", "gomatrixserverlib"),
        ],
    },
    "creator_of": {
        "not create.room_version.creator_in_content": [
            Slip(
                "from version 11 on, content.creator is still the creator", '"creator" not in create.content'
            ),
        ],
    },
    "Levels.user": {
        "return inf": [
            Slip("a creator's level is 100 in version 12", "return 100"),
            Slip("a creator's level is the greatest integer in version 12", "return 2**53 - 1"),
        ],
        'levels.named.get("users_default", 0)': [
            Slip("users_default defaults to 50", 'levels.named.get("users_default", 50)'),
        ],
        'return levels.named.get("users_default", 0) if level is None else level': [
            Slip(
                "a creator whom the power levels do not list keeps 100",
                """
                if level is None and self._is_creator(user):
                    return 100
                return levels.named.get("users_default", 0) if level is None else level
                """,
            ),
        ],
    },
    "Levels.named": {
        "return DEFAULTS[name]": [
            Slip(
                "without power levels, the level for state events is 0",
                'return 0 if name == "state_default" else DEFAULTS[name]',
                "older implementations",
            ),
        ],
        "self.levels.named.get(name, DEFAULTS[name])": [
            Slip(
                "if power levels lack state_default, it is 0",
                'self.levels.named.get(name, 0 if name == "state_default" else DEFAULTS[name])',
            ),
        ],
    },
    "Levels.required": {
        "levels.events.get(kind)": [
            Slip("the entry for the event type is not read", "None"),
        ],
        '"state_default" if is_state else "events_default"': [
            Slip(
                "among messages, only m.room.message needs the level events_default",
                '"events_default" if kind == "m.room.message" else "state_default"',
                "Rocket.Chat homeserver, before 0.1.10",
            ),
        ],
    },
}
