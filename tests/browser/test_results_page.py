"""The page of results in a real browser: it fits a phone, needs no script, and asks for nothing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import run

from roomver.suite.operations import OPERATIONS
from roomver.versions import ROOM_VERSIONS

PHONE = {"width": 375, "height": 667}


def results(name: str, failing: int) -> dict[str, Any]:
    """Return a line with every operation in every version; every `failing`-th case fails."""
    operations: dict[str, Any] = {}
    failures = []
    for row, operation in enumerate(OPERATIONS):
        for column, version in enumerate((*ROOM_VERSIONS, "org.example.x")):
            failed = (row + column) % failing == 0
            operations.setdefault(operation, {})[version] = {"passed": 1234, "failed": 56 if failed else 0}
            if failed:
                failures.append(
                    {
                        "name": f"{operation}.{'a_long_name_' * 6}.v{version}",
                        "operation": operation,
                        "room_version": version,
                        "expected": '{"state": ["' + "$abcdefghij" * 25 + '"]}',
                        "got": "died with exit code 1",
                    }
                )
    return {"name": name, "url": "https://example.org/", "operations": operations, "failures": failures}


NAMES = (
    "matrix-synapse 1.163.2",
    "ruma-state-res 0.18.0",
    "gomatrixserverlib 2025-08-15",
    "mautrix",
    "rezzy",
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    import json  # noqa: PLC0415 - only here

    source, page = tmp_path / "report.json", tmp_path / "report.html"
    listed = [results(name, number + 2) for number, name in enumerate(NAMES)]
    source.write_text(json.dumps({"report_format": "roomver-report/1", "implementations": listed}))
    done = run("vectors", "report", str(source), "--html", str(page))
    assert done.exit_code == 0, done.output
    return page


@pytest.fixture
def opened(browser: Any, file: Path) -> Iterator[tuple[Any, list[str]]]:
    """Return the page on a phone without scripts, and what it asked for or complained about."""
    context = browser.new_context(viewport=PHONE, java_script_enabled=False)
    page = context.new_page()
    told: list[str] = []
    page.on("request", lambda request: told.append(request.url))
    page.on("console", lambda message: told.append(message.text))
    page.goto(file.as_uri())
    yield page, told
    context.close()


def test_the_page_fits_a_phone_and_asks_for_nothing(opened: tuple[Any, list[str]], file: Path) -> None:
    page, told = opened
    assert told == [file.as_uri()]
    size = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert size == [PHONE["width"], PHONE["width"]]
    # No table of versions is wider than the screen, and its texts fit their cells.
    assert page.evaluate(
        """[...document.querySelectorAll(".versions td")].every((cell) => {
          const box = cell.getBoundingClientRect();
          return cell.scrollWidth <= Math.ceil(box.width) && box.left >= 0 && box.right <= innerWidth;
        })"""
    )
    # The overview may scroll in its own box; the names of the operations stay where they are.
    assert page.evaluate("getComputedStyle(document.querySelector('.wide')).overflowX") == "auto"
    heights = page.evaluate(
        "[...document.querySelectorAll('.versions td a')].map((a) => a.getBoundingClientRect().height)"
    )
    assert min(heights) >= 24  # the size of a target that a finger hits


def test_a_cell_opens_the_list_of_its_failures_without_a_script(opened: tuple[Any, list[str]]) -> None:
    page, _ = opened
    lists = page.locator("details")
    assert page.evaluate("[...document.querySelectorAll('details')].every((one) => !one.open)")
    page.locator(".versions td.failed a").first.click()
    (anchor,) = page.evaluate("[location.hash.slice(1)]")
    assert anchor == "0-canonical_json"
    assert page.evaluate(
        "[...document.querySelectorAll('details')].filter((one) => one.open).map((one) => one.lastChild.id)"
    ) == [anchor]
    assert lists.locator("dt").first.is_visible()
    box = page.locator(f"[id='{anchor}']").bounding_box()
    assert 0 <= box["y"] < PHONE["height"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_have_contrast_and_a_wide_screen_shows_both_numbers(
    browser: Any, file: Path, scheme: str
) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    page.goto(file.as_uri())
    cell = page.locator(".versions td.failed a").first
    assert cell.inner_text() == "1234/1290"
    # https://www.w3.org/TR/WCAG22/#contrast-minimum
    ratios = page.evaluate(
        """() => {
          const light = (text) => {
            const [r, g, b] = text.match(/[0-9.]+/g).slice(0, 3).map((n) => n / 255)
              .map((n) => n <= 0.04045 ? n / 12.92 : ((n + 0.055) / 1.055) ** 2.4);
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
          };
          const found = {};
          for (const kind of ["failed", "passed"]) {
            const style = getComputedStyle(document.querySelector(`.versions td.${kind}`));
            const [a, b] = [light(style.color), light(style.backgroundColor)].sort().reverse();
            found[kind] = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
          }
          return found;
        }"""
    )
    assert min(ratios.values()) >= 4.5, ratios
    context.close()
