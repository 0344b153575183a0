"""The rule on ``m.room.aliases``."""

from ...slip import Slip, Table

SLIPS: Table = {
    "check_aliases": {
        "server_of(event.sender) != event.state_key": [
            Slip(
                "any server may use the empty state key",
                "event.state_key and server_of(event.sender) != event.state_key",
            ),
        ],
    },
}
