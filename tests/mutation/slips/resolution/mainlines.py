"""The mainline ordering."""

from ...slip import Slip, Table

SLIPS: Table = {
    "order_by_mainline": {
        "by_time = by_position.get(position)": [
            Slip(
                "an event without a mainline ancestor has the position of the oldest",
                """
                position = len(mainline) - 1 if position == inf else position
                by_time = by_position.get(position)
                """,
                "gomatrixserverlib; ruma, before 0.17",
            ),
        ],
    },
}
