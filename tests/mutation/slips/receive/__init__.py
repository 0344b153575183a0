"""The checks on receipt."""

from ...slip import Slip, Table

_ENDS = "ends = yield from extremities_after(event, extremities, known)"

SLIPS: Table = {
    "_now": {
        "return replace(receipt, status=ReceiptStatus.SOFT_FAILED)": [
            Slip(
                "a soft-failed event is a forward extremity, so it changes the current state",
                f"""
                {_ENDS}
                return replace(receipt, status=ReceiptStatus.SOFT_FAILED, forward_extremities=ends)
                """,
                "tuwunel, before 1.8.3",
            ),
            Slip(
                "an event that only the current state refuses is rejected",
                "return replace(receipt, status=ReceiptStatus.REJECTED)",
                "tuwunel, before 1.9",
            ),
        ],
        _ENDS: [
            Slip(
                "an event that follows a soft-failed one is rejected",
                f"""
                yield from known.fetch(event.prev_event_ids)
                if any(one in known.soft_failed for one in event.prev_event_ids):
                    return replace(receipt, status=ReceiptStatus.REJECTED)
                {_ENDS}
                """,
                "continuwuity, before 26.6",
            ),
        ],
        "not by_current.allowed or receipt.refusal is not None": [
            Slip(
                "redactions are soft-failed",
                "not by_current.allowed or receipt.refusal is not None"
                ' or (event.type == "m.room.redaction" and event.state_key is None)',
                "continuwuity 26.7, if they have effect",
            ),
        ],
    },
}
