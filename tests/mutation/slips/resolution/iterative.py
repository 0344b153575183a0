"""The iterative auth checks."""

from ...slip import Slip, Table

SLIPS: Table = {
    "iterative_auth_checks": {
        "state[key] = event": [
            Slip("the checks that follow do not see an event that was allowed", ""),
        ],
    },
}
