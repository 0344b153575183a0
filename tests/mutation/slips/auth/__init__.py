"""The order of the rules, and the state that they look at."""

from ...slip import Slip, Table

SLIPS: Table = {
    "check_auth": {
        "state is None": [
            Slip(
                "the state that the auth events make up decides, not the room state",
                "True",
                "a server checks an event against both, and against the current state too",
            ),
        ],
    },
    "check_own_auth_events": {
        "_check_cited(event, cited, events, rejected)": [
            Slip("the rules on auth events are left out", "None"),
        ],
        "state_of(cited)": [
            Slip(
                "the state that the auth events make up lacks the create event in version 12",
                "state_of(cited[: len(event.auth_event_ids)])",
            ),
        ],
    },
}
