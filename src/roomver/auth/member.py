"""The rule on member events: rule 5 in versions 1 to 5 and 12, rule 4 in the others."""

from ..canonical import shorten
from ..rules import MEMBER_MALFORMED, MEMBER_UNKNOWN, Verdict
from .ban import check_ban
from .context import Context
from .invite import check_invite
from .join import check_join
from .knock import check_knock
from .leave import check_leave


def check_member(context: Context) -> Verdict:
    """Check an ``m.room.member`` event by its membership.

    The specification has a rule here on the signature of the authorising user's server. It never decides,
    because the caller must have verified the signatures (`roomver.signatures.list_required_signers` names
    that server).
    """
    event = context.event
    # If there is no state_key property, or no membership property in content, reject.
    if event.state_key is None or "membership" not in event.content:
        lacking = "state_key" if event.state_key is None else "membership"
        return context.reject(MEMBER_MALFORMED, lacking=lacking)
    target = event.state_key
    match event.content["membership"]:
        case "join":
            return check_join(context, target)
        case "invite":
            return check_invite(context, target)
        case "leave":
            return check_leave(context, target)
        case "ban":
            return check_ban(context, target)
        case "knock" if context.version.knock:
            return check_knock(context, target)
        case unknown:
            # Otherwise, the membership is unknown. Reject.
            return context.reject(MEMBER_UNKNOWN, membership=shorten(unknown))
