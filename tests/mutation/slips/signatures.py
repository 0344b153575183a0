"""Required signatures, and their verification."""

from ..slip import Slip, Table

SLIPS: Table = {
    "_signers": {
        'membership == "invite" and "third_party_invite" in fields': [
            Slip(
                "the sender of an m.room.third_party_invite event need not sign, that of its invite must",
                'pdu.get("type") == "m.room.third_party_invite"',
                "ruma, before ruma-signatures 0.17.1",
            ),
        ],
    },
    "_conclude": {
        "SignatureStatus.FAILED in statuses or SignatureStatus.UNREADABLE in statuses": [
            Slip(
                "a signature with an unknown key makes the others worthless",
                "SignatureStatus.FAILED in statuses or SignatureStatus.UNREADABLE in statuses"
                " or SignatureStatus.UNKNOWN_KEY in statuses",
                "ruma before ruma-signatures 0.20, mautrix-go before 0.27, palpo;"
                " continuwuity before 26.7, for the key of a policy server",
            ),
        ],
    },
}
