"""The event format."""

from ..slip import Slip, Table

SLIPS: Table = {
    "find_defects": {
        "scan(pdu, strict=version.strict_canonical_json)": [
            Slip(
                "only the content must be canonical JSON",
                "max(scan(pdu, strict=False),"
                ' scan(pdu.get("content"), strict=version.strict_canonical_json))',
                "Synapse, before 1.127.1",
            ),
        ],
    },
}
