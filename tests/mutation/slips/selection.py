"""The selection of auth events."""

from ..slip import Slip, Table

SLIPS: Table = {
    "third_party_token": {
        'invite.get("signed") if type(invite) is dict else None': [
            Slip("the token is read from beside signed, not from signed", "invite"),
            Slip("a third-party invite without signed raises", 'invite["signed"]', "Synapse"),
        ],
        """
        token = signed.get("token") if type(signed) is dict else None
        return token if type(token) is str else None
        """: [
            Slip(
                "a token that is not a string raises",
                'return signed.get("token") if type(signed) is dict else None',
                "Synapse",
            ),
        ],
    },
    "list_auth_types": {
        'membership in ("join", "invite", "knock")': [
            Slip("join rules are not selected for an invite", 'membership in ("join", "knock")'),
            Slip("join rules are not selected for a knock", 'membership in ("join", "invite")'),
            Slip(
                "join rules are selected for a knock from version 7 on only",
                'membership in ("join", "invite") or (membership == "knock" and version.knock)',
            ),
            Slip("join rules are selected for every membership", "membership"),
        ],
        'content.get("join_authorised_via_users_server")': [
            Slip(
                "the authorising user is read from a key with another name",
                'content.get("authorised_via_users_server")',
                "mautrix-go, before 0.28",
            ),
        ],
        "type(authoriser) is str": [
            Slip("an authorising user that is not a string raises", "authoriser is not None", "Synapse"),
        ],
    },
}
