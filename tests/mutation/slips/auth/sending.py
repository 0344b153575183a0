"""The rules on every event other than member events."""

from ...slip import Slip, Table

SLIPS: Table = {
    "check_sender": {
        'membership != "join"': [
            Slip("an invited user can send events", 'membership not in ("join", "invite")'),
        ],
    },
    "check_state_key": {
        "key != event.sender": [
            Slip(
                "a state key may be the sender's ID and anything after it",
                "not key.startswith(event.sender)",
            ),
        ],
        'key is not None and key != event.sender and key.startswith("@")': [
            Slip(
                "a state key may be the ID of a user with a lower level",
                'key is not None and key != event.sender and key.startswith("@")'
                " and not context.outranks(key)",
            ),
            Slip(
                "a state key that starts with @ must not be another user's ID, but may be anything else",
                'key is not None and key != event.sender and key.startswith("@") and ":" in key',
            ),
        ],
    },
}
