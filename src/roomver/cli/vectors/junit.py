"""Results as JUnit XML, which CI systems read."""

import json
import re
from collections.abc import Container, Sequence
from typing import Any
from xml.etree import ElementTree as ET

from ...suite.document import CaseResult, Outcome
from .difference import difference_lines
from .results import as_listed

# Characters that XML 1.0 cannot represent, lone surrogates included.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def as_junit(results: Sequence[CaseResult], name: str, known: Container[str] = ()) -> bytes:
    """Return results as JUnit XML: a test suite per operation, a test case per case.

    Args:
        results: of one run.
        name: the name of the implementation.
        known: the names of known failures; see `as_listed`. They count as skipped; one that passes counts as
            failed.
    """
    root = ET.Element("testsuites", {"name": _text(name)})
    for operation in dict.fromkeys(result.case.operation for result in results):
        mine = [result for result in results if result.case.operation == operation]
        suite = ET.SubElement(root, "testsuite", {"name": operation, "tests": str(len(mine))})
        for result in mine:
            _add_case(suite, result, known=as_listed(result, known))
        for count, tag in (("failures", "failure"), ("skipped", "skipped")):
            suite.set(count, str(len(suite.findall(f"testcase/{tag}"))))
    ET.indent(root)
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def _add_case(suite: ET.Element, result: CaseResult, *, known: bool) -> None:
    case = result.case
    place = f"roomver.{case.operation}.v{case.room_version}"
    element = ET.SubElement(suite, "testcase", {"name": _text(case.name), "classname": place})
    if result.outcome is Outcome.UNSUPPORTED:
        ET.SubElement(element, "skipped", {"message": "unsupported"})
    elif result.outcome is Outcome.PASSED:
        if known:
            ET.SubElement(element, "failure", {"message": "passes, but is listed as a known failure"})
    else:
        expected = " or ".join(_json(one.outcome) for one in case.expected)
        got = _json(result.got)
        message = _text(result.reason) or "the output does not meet the expectation"
        kind, message = ("skipped", f"known failure: {message}") if known else ("failure", message)
        failure = ET.SubElement(element, kind, {"message": message})
        about = f"{case.notes}\n" if case.notes else ""
        lines = [f"expected {expected}", f"got {got}"] if result.got is not None else []
        if differences := list(difference_lines(result)):
            lines += ["", "differences (- is expected and missing, + is not expected):", *differences]
        if result.log:
            lines += ["standard error:", *(f"| {line}" for line in result.log)]
        failure.text = _text(about + "\n".join(lines))


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _text(text: str) -> str:
    return _NOT_XML.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
