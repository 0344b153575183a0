"""A real browser for the tests of the page, and what each page did: requests, errors, violations.

The tests are skipped, with the reason, where Playwright or a browser is missing. `ROOMVER_BROWSER` names a
browser; otherwise one of the distribution's Chromium, and the one that Playwright has downloaded, is taken.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import run

playwright = pytest.importorskip(
    "playwright.sync_api", reason="Playwright is not installed: the group `browser`"
)

HERE = Path(__file__).parent
NAMES = ("chromium", "chromium-browser", "chrome-headless-shell", "google-chrome")

Open = Callable[..., "Opened"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)


class Opened:
    """A page in the browser.

    Attributes:
        page: Playwright's page.
        requests: the addresses that it asked for, without its own.
        errors: its errors, and messages of the console.
        violations: what its policy forbade.
        dialogs: the dialogs that it opened.
    """

    def __init__(self, context: Any, file: Path, wanted: str = "") -> None:
        self.requests: list[str] = []
        self.errors: list[str] = []
        self.dialogs: list[str] = []
        page = self.page = context.new_page()
        self._address = file.as_uri()
        # What the protocol of the developer tools reports: also what the policy stops.
        network = context.new_cdp_session(page)
        network.send("Network.enable")
        network.on("Network.requestWillBeSent", lambda sent: self._asked(sent["request"]["url"]))
        page.on("request", lambda request: self._asked(request.url))
        page.on("console", lambda message: self.errors.append(message.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("dialog", self._dialog)
        page.add_init_script(
            "window.violations = []; addEventListener('securitypolicyviolation',"
            " (event) => window.violations.push(event.violatedDirective + ' ' + event.blockedURI));"
        )
        page.goto(self._address + wanted, wait_until="commit")
        page.wait_for_selector("html[data-ready]", timeout=60_000)
        page.wait_for_selector("#right h2")

    def _asked(self, url: str) -> None:
        if url.partition("#")[0] != self._address:
            self.requests.append(url)

    def _dialog(self, dialog: Any) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    @property
    def violations(self) -> list[str]:
        found: list[str] = self.page.evaluate("window.violations")
        return found

    def chosen(self) -> str:
        """Return the heading of the chosen event."""
        text: str = self.page.inner_text("#right h2")
        return text

    def check_quiet(self) -> None:
        """Check that nothing was asked for, that nothing failed and that no policy was violated."""
        assert self.requests == []
        assert self.errors == []
        assert self.violations == []
        assert self.dialogs == []
        assert self.page.evaluate("window.harmed === undefined")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    named = os.environ.get("ROOMVER_BROWSER") or next(filter(None, map(shutil.which, NAMES)), None)
    with playwright.sync_playwright() as driver:
        try:
            started = driver.chromium.launch(executable_path=named)
        except playwright.Error as error:
            pytest.skip(f"there is no browser: {str(error).splitlines()[0]}")
        yield started
        started.close()


@pytest.fixture
def open_room(browser: Any, tmp_path: Path) -> Iterator[Open]:
    """Return a function that makes the page of a room and opens it. Each page must have been quiet."""
    contexts = []
    opened = []

    def open_it(*source: str, file: Path | None = None, wanted: str = "", **options: Any) -> Opened:
        target = file or tmp_path / "room.html"
        if file is None:
            result = run("report", *source, "--unsigned", "-o", str(target))
            assert result.exit_code == 0, result.output
        options = {"viewport": {"width": 1360, "height": 860}, **options}
        context = browser.new_context(**options)
        contexts.append(context)
        opened.append(Opened(context, target, wanted))
        return opened[-1]

    yield open_it
    for one in opened:
        one.check_quiet()
    for context in contexts:
        context.close()
