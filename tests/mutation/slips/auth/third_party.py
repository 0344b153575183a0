"""The rule on third-party invites."""

from ...slip import Slip, Table

SLIPS: Table = {
    "check_third_party_invite": {
        'context.membership(target) == "ban"': [
            Slip(
                "a third-party invite cannot be for a joined user",
                'context.membership(target) in ("ban", "join")',
            ),
        ],
        'None if token is None else context.state.get(("m.room.third_party_invite", token))': [
            Slip(
                "a token that is not a string is looked up too",
                'context.state.get(("m.room.third_party_invite", signed["token"]))',
            ),
            Slip(
                "an m.room.third_party_invite event with any token will do",
                'next((e for k, e in context.state.items() if k[0] == "m.room.third_party_invite"), None)',
            ),
        ],
        'name not in ("signatures", "unsigned")': [
            Slip(
                "the signature covers only mxid and token",
                'name in ("mxid", "token")',
                "gomatrixserverlib loses unknown fields",
            ),
            Slip("the signature covers unsigned", 'name != "signatures"'),
        ],
        "_signatures(signed)": [
            Slip(
                "a key is given up at the first signature that fails",
                "islice(_signatures(signed), 1)",
                "Synapse",
            ),
        ],
        "_public_keys(offer)": [
            Slip("only the first key is tried", "islice(_public_keys(offer), 1)"),
        ],
    },
    "_public_keys": {
        'candidates = [content.get("public_key")]': [
            Slip("public_key is not read", "candidates: list[JsonValue] = []", "gomatrixserverlib"),
        ],
        '[entry.get("public_key") for entry in entries if type(entry) is dict]': [
            Slip(
                "only the first of public_keys is read",
                '[entry.get("public_key") for entry in entries[:1] if type(entry) is dict]',
            ),
        ],
        'candidates += [entry.get("public_key") for entry in entries if type(entry) is dict]': [
            Slip(
                "public_keys is not read if there is a public_key",
                """
                if "public_key" not in content:
                    candidates += [entry.get("public_key") for entry in entries if type(entry) is dict]
                """,
            ),
        ],
        """
        if key is not None and len(key) == 32:
            yield key
        """: [
            Slip(
                "a public key of another length raises",
                """
                assert key is not None and len(key) == 32
                yield key
                """,
            ),
        ],
    },
}
