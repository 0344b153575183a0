"""Canonical JSON."""

from ..slip import Slip, Table

SLIPS: Table = {
    "encode_scanned": {
        "if strict and (encoded := engine.encode_strict(value)) is not None: ...": [
            Slip(
                "keys are in the order of their UTF-16 code units, as in RFC 8785",
                """
                def in_order(node):
                    if type(node) is list:
                        return [in_order(one) for one in node]
                    if type(node) is not dict:
                        return node
                    keys = sorted(node, key=lambda key: key.encode("utf-16-be"))
                    return {key: in_order(node[key]) for key in keys}

                return json.dumps(in_order(value), ensure_ascii=False, separators=(",", ":")).encode()
                """,
                "mautrix-go, before 0.28",
            ),
            Slip(
                "control characters are not escaped",
                r"""
                text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
                return re.sub(r"\\[bfnrt]", lambda found: json.loads(f'"{found[0]}"'), text).encode()
                """,
                "Rocket.Chat homeserver, before 0.1.31",
            ),
        ],
    },
}
