"""The rule on redactions, and the test before one is applied."""

from ...slip import Slip, Table

_NO_OTHER_LEVEL = "the level for the target's type and its sender's level do not matter: matrix-spec #2249"

SLIPS: Table = {
    "check_redaction": {
        "_same_server(event.redacts, event.event_id)": [
            Slip(
                "versions 1 and 2 compare the domain of the sender, not that of the event ID",
                "_same_server(event.redacts, event.sender)",
                "gomatrixserverlib",
            ),
        ],
        "event.redacts is not None and _same_server(event.redacts, event.event_id)": [
            Slip(
                "a redaction that names no event is allowed",
                "event.redacts is None or _same_server(event.redacts, event.event_id)",
                "Synapse, ruma",
            ),
        ],
    },
    "_same_server": {
        '":" in one and server_of(one) == server_of(other)': [
            Slip(
                "an event ID without a domain matches any other",
                '":" not in one or server_of(one) == server_of(other)',
            ),
        ],
    },
    "redaction_applies": {
        "level >= needed": [
            Slip(
                "a redaction needs the level for the target's type",
                "level >= max(needed, context.levels.required(target.type, target.state_key is not None))",
                _NO_OTHER_LEVEL,
            ),
            Slip(
                "a redaction needs a higher level than the target's sender has",
                "level >= needed and (context.outranks(target.sender) or target.sender == redaction.sender)",
                _NO_OTHER_LEVEL,
            ),
        ],
        "server_of(redaction.sender) == server_of(target.sender)": [
            Slip(
                "without the redact level, users can only redact their own events",
                "redaction.sender == target.sender",
            ),
            Slip(
                "from version 3 on, the domains of the event IDs are compared",
                "server_of(redaction.event_id) == server_of(target.event_id)",
            ),
        ],
    },
}
