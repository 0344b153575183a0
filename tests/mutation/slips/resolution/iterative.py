"""The iterative auth checks."""

from ...slip import Slip, Table

SLIPS: Table = {
    "_StateView.accept": {
        "self.events[key] = event": [
            Slip("the checks that follow do not see an event that was allowed", ""),
        ],
    },
}
