"""The redaction algorithm, as the page of each room version lists it.

Source: https://spec.matrix.org/latest/rooms/v1/#redactions, and the same section of the page of each
other version. Every page has complete lists, and so does this module: no list is written as a difference from
another version.
"""

from typing import Any

Table = tuple[list[str], dict[str, list[str] | str]]

ALL = "allows all keys"

# Versions 1 to 5 show the same text.
PAGE_1: Table = (
    [
        "event_id",
        "type",
        "room_id",
        "sender",
        "state_key",
        "content",
        "hashes",
        "signatures",
        "depth",
        "prev_events",
        "prev_state",
        "auth_events",
        "origin",
        "origin_server_ts",
        "membership",
    ],
    {
        "m.room.member": ["membership"],
        "m.room.create": ["creator"],
        "m.room.join_rules": ["join_rule"],
        "m.room.power_levels": [
            "ban",
            "events",
            "events_default",
            "kick",
            "redact",
            "state_default",
            "users",
            "users_default",
        ],
        "m.room.aliases": ["aliases"],
        "m.room.history_visibility": ["history_visibility"],
    },
)

# Versions 6 and 7.
PAGE_6: Table = (
    [
        "event_id",
        "type",
        "room_id",
        "sender",
        "state_key",
        "content",
        "hashes",
        "signatures",
        "depth",
        "prev_events",
        "prev_state",
        "auth_events",
        "origin",
        "origin_server_ts",
        "membership",
    ],
    {
        "m.room.member": ["membership"],
        "m.room.create": ["creator"],
        "m.room.join_rules": ["join_rule"],
        "m.room.power_levels": [
            "ban",
            "events",
            "events_default",
            "kick",
            "redact",
            "state_default",
            "users",
            "users_default",
        ],
        "m.room.history_visibility": ["history_visibility"],
    },
)

PAGE_8: Table = (
    [
        "event_id",
        "type",
        "room_id",
        "sender",
        "state_key",
        "content",
        "hashes",
        "signatures",
        "depth",
        "prev_events",
        "prev_state",
        "auth_events",
        "origin",
        "origin_server_ts",
        "membership",
    ],
    {
        "m.room.member": ["membership"],
        "m.room.create": ["creator"],
        "m.room.join_rules": ["join_rule", "allow"],
        "m.room.power_levels": [
            "ban",
            "events",
            "events_default",
            "kick",
            "redact",
            "state_default",
            "users",
            "users_default",
        ],
        "m.room.history_visibility": ["history_visibility"],
    },
)

# Versions 9 and 10.
PAGE_9: Table = (
    [
        "event_id",
        "type",
        "room_id",
        "sender",
        "state_key",
        "content",
        "hashes",
        "signatures",
        "depth",
        "prev_events",
        "prev_state",
        "auth_events",
        "origin",
        "origin_server_ts",
        "membership",
    ],
    {
        "m.room.member": ["membership", "join_authorised_via_users_server"],
        "m.room.create": ["creator"],
        "m.room.join_rules": ["join_rule", "allow"],
        "m.room.power_levels": [
            "ban",
            "events",
            "events_default",
            "kick",
            "redact",
            "state_default",
            "users",
            "users_default",
        ],
        "m.room.history_visibility": ["history_visibility"],
    },
)

# Versions 11 and 12.
PAGE_11: Table = (
    [
        "event_id",
        "type",
        "room_id",
        "sender",
        "state_key",
        "content",
        "hashes",
        "signatures",
        "depth",
        "prev_events",
        "auth_events",
        "origin_server_ts",
    ],
    {
        "m.room.member": ["membership", "join_authorised_via_users_server"],
        "m.room.create": ALL,
        "m.room.join_rules": ["join_rule", "allow"],
        "m.room.power_levels": [
            "ban",
            "events",
            "events_default",
            "invite",
            "kick",
            "redact",
            "state_default",
            "users",
            "users_default",
        ],
        "m.room.history_visibility": ["history_visibility"],
        "m.room.redaction": ["redacts"],
    },
)

PAGES: dict[str, Table] = {
    "1": PAGE_1,
    "2": PAGE_1,
    "3": PAGE_1,
    "4": PAGE_1,
    "5": PAGE_1,
    "6": PAGE_6,
    "7": PAGE_6,
    "8": PAGE_8,
    "9": PAGE_9,
    "10": PAGE_9,
    "11": PAGE_11,
    "12": PAGE_11,
}


# What unstable versions are based on.
BASES = {
    "org.matrix.hydra.11": "12",
    "org.matrix.msc2870": "11",
    "org.matrix.msc3389.10": "10",
    "org.matrix.msc3757.10": "10",
    "org.matrix.msc3757.11": "11",
}


def redact(event: dict[str, Any], version: str) -> dict[str, Any]:
    """ "the server must strip off any keys not in the following list" """
    unstable, version = version, BASES.get(version, version)
    keys, types = PAGES[version]
    result = {key: value for key, value in event.items() if key in keys}
    if version == "12" and result["type"] == "m.room.create":
        # The text keeps the room ID, but a create event must not have one: it is derived from the hash of
        # the event. Synapse strips it, and so does the library.
        result.pop("room_id", None)
    # "The content object must also be stripped of all keys, unless it is one of the following event types"
    content = result["content"]
    allowed = types.get(result["type"], [])
    if unstable == "org.matrix.msc2870" and result["type"] == "m.room.server_acl":
        # "the allow, deny, and allow_ip_literals fields of the m.room.server_acl state event are protected
        # from redaction"
        allowed = ["allow", "deny", "allow_ip_literals"]
    if allowed == ALL:
        return result
    stripped = {key: value for key, value in content.items() if key in allowed}
    if version in ("11", "12") and result["type"] == "m.room.member" and "third_party_invite" in content:
        # "Additionally, it allows the `signed` key of the `third_party_invite` key." The text does not say
        # what is left of one that lacks this key or is not an object. This follows Synapse.
        invite = content["third_party_invite"]
        if isinstance(invite, dict):
            stripped["third_party_invite"] = {}
            if "signed" in invite:
                stripped["third_party_invite"]["signed"] = invite["signed"]
    if unstable == "org.matrix.msc3389.10" and isinstance(content.get("m.relates_to"), dict):
        # "The m.relates_to.rel_type and m.relates_to.event_id fields should be preserved over redactions
        # [...] If [...] m.relates_to would be an empty object after redacting any other keys, then
        # m.relates_to should also be removed from content."
        stripped["m.relates_to"] = dict(content["m.relates_to"])
        for key in content["m.relates_to"]:
            if key not in ("rel_type", "event_id"):
                del stripped["m.relates_to"][key]
        if stripped["m.relates_to"] == {}:
            del stripped["m.relates_to"]
    result["content"] = stripped
    return result
