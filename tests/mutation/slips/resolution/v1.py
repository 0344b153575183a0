"""State resolution of room version 1."""

from ...slip import Slip, Table

SLIPS: Table = {
    "_first_that_fails_stops": {
        "break": [
            Slip("a pass goes on after an event that is refused", "continue"),
        ],
    },
    "_first_that_passes": {
        "reversed(_sort(ids, known))": [
            Slip("other events are tried from the lowest depth up", "_sort(ids, known)"),
        ],
    },
}
