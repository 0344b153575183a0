"""Policy servers."""

from ..slip import Slip, Table

SLIPS: Table = {
    "check_policy": {
        "(event.type, event.state_key) == POLICY": [
            Slip(
                "the policy server need not sign state events",
                "event.state_key is not None",
                "continuwuity, before 26.6",
            ),
            Slip(
                "the policy server need not sign member events",
                '(event.type, event.state_key) == POLICY or event.type == "m.room.member"',
                "Synapse",
            ),
        ],
        "joined is None": [
            Slip("a policy server without a joined user is used", "False"),
        ],
    },
    "check_policy_signature": {
        "essential_bytes(event.pdu, event.room_version)": [
            Slip(
                "the policy server's signature covers an event_id that the server has added",
                'essential_bytes({**event.pdu, "event_id": event.event_id}, event.room_version)',
                "continuwuity, before 26.6",
            ),
        ],
        "mine.get(POLICY_SERVER_KEY) if type(mine) is dict else None": [
            Slip(
                "any key ID will do for the policy server's signature",
                "next(iter(mine.values()), None) if type(mine) is dict else None",
            ),
        ],
    },
    "named_policy_server": {
        "type(via) is not str or type(text) is not str": [
            Slip(
                "a policy server whose key is not base64 is not used",
                "type(via) is not str or type(text) is not str or decode_unpadded(text) is None",
            ),
        ],
    },
}
