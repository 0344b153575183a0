"""The split into unconflicted state and conflicted events."""

from ...slip import Slip, Table

SLIPS: Table = {
    "split_states": {
        "masks.get(event_id, 0) | bit": [
            Slip("an event counts for only one of the states that have it", "bit"),
        ],
    },
}
