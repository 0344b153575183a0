"""Results as TAP, the Test Anything Protocol, version 13."""

from collections.abc import Container, Iterator, Sequence

from ...suite.document import CaseResult, Outcome
from ..escaped import ascii_json
from .difference import difference_lines
from .results import as_listed, expected_json


def as_tap(results: Sequence[CaseResult], known: Container[str], stopped: str = "") -> str:
    """Return results as TAP: one test point per case, in the order of the results.

    Args:
        results: of one run.
        known: the names of known failures; see `as_listed`. They are marked as TODO; one that passes is a
            failure.
        stopped: why the run ended before its last case, or empty.
    """
    lines = ["TAP version 13", f"1..{len(results)}"]
    for number, result in enumerate(results, 1):
        lines += _point(number, result, known=as_listed(result, known))
    if stopped:
        lines.append(f"Bail out! {stopped}")
    return "\n".join(lines) + "\n"


def _point(number: int, result: CaseResult, *, known: bool) -> Iterator[str]:
    name, outcome = result.case.name, result.outcome
    if outcome is Outcome.UNSUPPORTED:
        yield f"ok {number} - {name} # SKIP unsupported"
    elif outcome is Outcome.PASSED:
        yield f"{'not ok' if known else 'ok'} {number} - {name}"
        if known:
            yield from _block({"message": "passes, but is listed as a known failure"})
    else:
        yield f"not ok {number} - {name}" + (" # TODO known failure" if known else "")
        case = result.case
        texts = {
            "about": case.notes,
            "message": result.reason,
            "operation": case.operation,
            "room_version": case.room_version,
            "rule": case.rule,
            "spec": case.spec,
        }
        values: dict[str, object] = {key: text for key, text in texts.items() if text}
        if result.got is not None:
            values |= {"expected": expected_json(case), "got": result.got}
        if differences := list(difference_lines(result)):
            values["differences"] = differences
        if result.log:
            values["stderr"] = list(result.log)
        yield from _block(values)


def _block(values: dict[str, object]) -> Iterator[str]:
    """Yield values as a block of YAML. Each value is JSON on one line, which is YAML too."""
    yield "  ---"
    for key, value in values.items():
        yield f"  {key}: {ascii_json(value, sort_keys=True)}"
    yield "  ..."
