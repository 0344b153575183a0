"""Where an event keeps what it says."""

from ..slip import Slip, Table

SLIPS: Table = {
    "_build": {
        'content.get("redacts") if version.redacts_in_content else pdu.get("redacts")': [
            Slip("version 11 reads the target of a redaction from the top level", 'pdu.get("redacts")'),
            Slip(
                "the target of a redaction may stand in either place",
                'content.get("redacts") or pdu.get("redacts")',
            ),
        ],
    },
}
