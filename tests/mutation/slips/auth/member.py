"""The rule on member events."""

from ...slip import Slip, Table

SLIPS: Table = {
    "check_member": {
        "return check_join(context, target)": [
            Slip(
                "a join with third_party_invite is judged as an invite",
                """
                if "third_party_invite" in event.content:
                    return check_invite(context, target)
                return check_join(context, target)
                """,
            ),
        ],
        "context.reject(MEMBER_UNKNOWN, membership=shorten(unknown))": [
            Slip(
                "an unknown membership is allowed",
                "context.allow(MEMBER_UNKNOWN, membership=shorten(unknown))",
            ),
        ],
    },
}
