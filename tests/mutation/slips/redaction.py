"""Redaction."""

from ..slip import Slip, Table

SLIPS: Table = {
    "kept": {
        "key in keeps": [
            Slip(
                "a redaction keeps its top-level redacts",
                'key in keeps or (key == "redacts" and pdu.get("type") == "m.room.redaction")',
                "mautrix-go, before 0.32",
            ),
        ],
    },
}
