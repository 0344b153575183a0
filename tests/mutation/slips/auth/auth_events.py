"""The rules on an event's own auth events."""

from ...slip import Slip, Table

SLIPS: Table = {
    "cited_events": {
        "[events[event_id] for event_id in wanted]": [
            Slip(
                "an unknown auth event is passed over",
                "[events[event_id] for event_id in wanted if event_id in events]",
            ),
            Slip(
                "an unknown create event is passed over",
                "[events[event_id] for event_id in wanted"
                " if event_id in events or event_id in event.auth_event_ids]",
            ),
        ],
    },
    "check_auth_events": {
        "keys = [(other.type, other.state_key) for other in cited]": [
            Slip(
                "a message among the auth events raises",
                """
                assert all(other.state_key is not None for other in cited)
                keys = [(other.type, other.state_key) for other in cited]
                """,
                "tuwunel before 1.9, continuwuity",
            ),
        ],
        "[(other.type, other.state_key) for other in cited]": [
            Slip(
                "the same auth event may be cited twice",
                "[(other.type, other.state_key) for other in dict.fromkeys(cited)]",
            ),
        ],
        "select_auth_types(event)": [
            Slip("the create event may be cited in version 12", "select_auth_types(event) | {CREATE}"),
        ],
        "entries <= selectable": [
            Slip(
                "a message of a selected type counts as a state event",
                '{(kind, state_key or "") for kind, state_key in entries} <= selectable',
            ),
        ],
        "version.create_in_auth_events and CREATE not in entries": [
            Slip("the create event may be left out if the event has a room ID", "not event.room_id"),
        ],
        "other.room_id != room_id": [
            Slip(
                "only the create event must be of the same room",
                'other.type == "m.room.create" and other.room_id != room_id',
                "all auth events must be: MSC4307",
            ),
        ],
    },
}
