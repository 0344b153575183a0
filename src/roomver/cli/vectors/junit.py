"""Results as JUnit XML, which CI systems read."""

import json
import re
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree as ET

from ...suite.document import CaseResult, Outcome

# Characters that XML 1.0 cannot represent, lone surrogates included.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def as_junit(results: Sequence[CaseResult], name: str) -> bytes:
    """Return results as JUnit XML: a test suite per operation, a test case per case.

    Args:
        results: of one run.
        name: the name of the implementation.
    """
    root = ET.Element("testsuites", {"name": _text(name)})
    for operation in dict.fromkeys(result.case.operation for result in results):
        mine = [result for result in results if result.case.operation == operation]
        counts = {
            "tests": str(len(mine)),
            "failures": str(sum(result.outcome is Outcome.FAILED for result in mine)),
            "skipped": str(sum(result.outcome is Outcome.UNSUPPORTED for result in mine)),
        }
        suite = ET.SubElement(root, "testsuite", {"name": operation, **counts})
        for result in mine:
            _add_case(suite, result)
    ET.indent(root)
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def _add_case(suite: ET.Element, result: CaseResult) -> None:
    case = result.case
    place = f"roomver.{case.operation}.v{case.room_version}"
    element = ET.SubElement(suite, "testcase", {"name": _text(case.name), "classname": place})
    if result.outcome is Outcome.UNSUPPORTED:
        ET.SubElement(element, "skipped", {"message": "unsupported"})
    elif result.outcome is Outcome.FAILED:
        expected = " or ".join(_json(one.outcome) for one in case.expected)
        got = _json(result.got) if result.got is not None else "nothing"
        message = _text(result.reason) or "the output does not meet the expectation"
        failure = ET.SubElement(element, "failure", {"message": message})
        failure.text = _text(f"expected {expected}\ngot {got}")


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _text(text: str) -> str:
    return _NOT_XML.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
