"""The iterative auth checks."""

from ...slip import Slip, Table

SLIPS: Table = {
    "iterative_auth_checks": {
        "state[key] = event": [
            Slip("the checks that follow do not see an event that was allowed", ""),
        ],
        "allowed = allows(event)": [
            Slip(
                "an event that fails the checks ends the resolution",
                """
                allowed = allows(event)
                assert allowed
                """,
                "ruma, before 0.14, if the checks end in an error",
            ),
        ],
    },
}
