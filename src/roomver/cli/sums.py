"""What the checks of one event come to, in one line: the first line of ``roomver auth``."""

from collections.abc import Sequence
from typing import cast

from ..errors import UnknownState, counted
from ..replay import CurrentCheck
from ..rules import Verdict
from ..types import EventId
from .answers import Answer
from .common import console
from .escaped import printable
from .heard import say
from .tables import wrapped

__all__ = ["print_sum", "tell_unchecked"]


def print_sum(answer: Answer) -> None:
    """Print what the checks of an event come to."""
    out = console()
    out.print(wrapped(printable(_sum(answer)), out.width), style="bold", soft_wrap=True)


def tell_unchecked(answer: Answer) -> None:
    """Say on standard error how many events of the room have signatures that could not be checked."""
    if answer.unchecked:
        events = counted(answer.unchecked, "event", "events")
        told = (
            f"the signatures of {events} could not be checked: keys are missing; `roomver check` names them"
        )
        say(f"roomver: {told}")


def _sum(answer: Answer) -> str:
    """Return what the checks come to, in one line."""
    third = None if answer.third is None else answer.third.check
    refused = next((row for row in answer.rows if row.allowed is False), None)
    if refused is not None:
        assert refused.verdict is not None  # it says so
        # Only an event of a room is rejected.
        status = "rejected" if len(answer.rows) > 1 else "refused"
        return _sum_text(status, answer.recorded, _why_refused(refused.verdict, refused.event.type))
    if third is not None and third.allowed is False:
        failure, kind = third.failure, answer.rows[0].event.type
        why = _why_refused(failure, kind) if isinstance(failure, Verdict) else str(failure)
        return _sum_text("soft-failed", answer.recorded, why)
    unknown = next((row for row in answer.rows if row.allowed is None and not row.instead), None)
    if unknown is not None:
        why = _why_undecided(unknown.missing, unknown.unknown, None)
        return _sum_text("undecided", answer.recorded, why)
    if third is not None and third.allowed is None and third.made:
        return _sum_text("undecided", answer.recorded, _why_undecided(third.missing, None, third))
    form = "in its redacted form" if answer.findings else ""
    return _sum_text("accepted" if answer.recorded else "allowed", answer.recorded, form)


def _sum_text(status: str, recorded: str, why: str) -> str:
    """Return the sum of the checks of an event.

    Args:
        status: the result here, such as ``rejected``.
        recorded: what the recording server did with it; empty if that is unknown.
        why: the reason; empty if there is none to tell.
    """
    if not recorded:
        said = status
    elif recorded == status:
        said = f"{status} here and by the server"
    elif status == "undecided":
        said = f"undecided here, {recorded} by the server"
    else:
        said = f"{status} here, but {recorded} by the server"
    return f"{said}: {why}" if why else said


def _why_refused(verdict: Verdict, event_type: str) -> str:
    """Return why the rules refuse an event: the values first, without the events that they are from."""
    detail = cast(dict[str, object], verdict.to_dict()["detail"])
    if verdict.rule.name == "required_level":
        has = f"{detail['sender']} has level {detail['sender_level']}"
        return f"{has}, {event_type} needs {detail['required_level']}"
    values = [
        f"{name.replace('_', ' ')} {value}" for name, value in detail.items() if not name.endswith("_from")
    ]
    return f"{verdict.reason} ({', '.join(values)})" if values else verdict.reason


def _why_undecided(
    missing: Sequence[EventId], unknown: UnknownState | None, current: CurrentCheck | None
) -> str:
    """Return why an event is undecided, as far as one line tells it."""
    if missing:
        number = len(missing)
        return f"{number:,} events are missing" if number > 1 else f"{missing[0]} is missing"
    if unknown is not None:
        return str(unknown)
    return "" if current is None else current.why
