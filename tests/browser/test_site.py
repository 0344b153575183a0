"""The site in a real browser, from its files: accessible, searchable, dark where asked for, and silent.

axe-core looks for what keeps people out: contrast, names, roles, landmarks, what a keyboard cannot reach.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("axe_playwright_python", reason="axe-core is not installed: the extra browser")
pytest.importorskip("sphinx", reason="Sphinx is not installed: the extra docs")

from axe_playwright_python.sync_playwright import Axe
from test_site import built

pytestmark = pytest.mark.slow

# One page of each kind.
KINDS = (
    *("index", "search", "genindex", "py-modindex"),
    *("docs/operators", "docs/explaining/graph", "docs/library", "docs/differences", "docs/speed"),
    *("vectors/FORMAT", "vectors/results/judgements", "reference/homeserver"),
    *("reference/python/index", "reference/python/roomver.receive", "reference/python/roomver.errors"),
    *("reference/commands/check", "reference/schemas/check"),
)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("site")).resolve()


@pytest.fixture(params=["light", "dark"])
def page(request: pytest.FixtureRequest, browser: Any, site: Path) -> Iterator[Any]:
    """A page of the browser. If it asks for anything but files of the site, the test fails."""
    context = browser.new_context(color_scheme=request.param, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    asked: list[str] = []
    errors: list[str] = []
    page.on("request", lambda one: asked.append(one.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.scheme = request.param
    yield page
    context.close()
    assert [url for url in asked if not url.startswith((f"{site.as_uri()}/", "data:"))] == []
    assert errors == []


def violations(page: Any, context: Any = None, *, contrast: bool = True) -> list[str]:
    """Return what axe-core finds on a page, or in a part of it, one line each."""
    rules = {"color-contrast": {"enabled": contrast}}
    options = {"resultTypes": ["violations"], "preload": False, "rules": rules}
    found = Axe().run(page, context=context, options=options).response["violations"]
    return [f"{one['id']} ({one['impact']}): {one['nodes'][0]['html'][:200]}" for one in found]


def test_each_kind_of_page_is_accessible_in_both_schemes(page: Any, site: Path) -> None:
    found = {}
    for name in KINDS:
        page.goto((site / f"{name}.html").as_uri())
        found[name] = violations(page)
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_every_page_is_accessible(browser: Any, site: Path) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    found = {}
    for path in sorted(site.rglob("*.html")):
        page.goto(path.as_uri())
        name = path.relative_to(site).as_posix()
        # The navigation, and the colours of the reference, are those of the pages of each kind.
        contrast = not name.startswith("reference/")
        found[name] = violations(page, {"exclude": [".sidebar-drawer"]}, contrast=contrast)
    context.close()
    assert len(found) > 100
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_what_axe_looks_for_is_found(browser: Any, tmp_path: Path) -> None:
    file = tmp_path / "bad.html"
    file.write_text(
        '<html><body style="color: #999"><img src="x"><p>Pale</p><pre style="overflow: auto"></pre>'
    )
    context = browser.new_context()
    page = context.new_page()
    page.goto(file.as_uri())
    kinds = {line.partition(" ")[0] for line in violations(page)}
    context.close()
    assert kinds >= {"color-contrast", "image-alt", "html-has-lang", "document-title"}


def test_the_search_finds_a_page_from_a_file(page: Any, site: Path) -> None:
    page.goto((site / "search.html").as_uri() + "?q=mainline")
    page.wait_for_selector("#search-results ul.search li a")
    links = page.eval_on_selector_all(
        "#search-results li a", "all => all.map(one => one.getAttribute('href'))"
    )
    assert any("roomver.resolution" in link for link in links)
    page.click("#search-results li a >> nth=0")
    page.wait_for_selector("h1")


def test_the_site_is_dark_where_that_is_asked_for(page: Any, site: Path) -> None:
    page.goto((site / "docs" / "operators.html").as_uri())
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = sum(int(part) for part in colour[colour.index("(") + 1 : -1].split(",")[:3])
    assert (brightness < 200) == (page.scheme == "dark")


def test_a_page_works_without_scripts(browser: Any, site: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((site / "index.html").as_uri())
    page.click("article a >> text=Test your implementation")
    assert page.inner_text("h1").startswith("Test your implementation")
    context.close()


@pytest.mark.parametrize("width", [320, 640, 1120, 1320, 1600])
def test_a_window_scrolls_sideways_only_what_is_wide(browser: Any, site: Path, width: int) -> None:
    """WCAG 1.4.10: at 320 pixels, only tables and code scroll in two directions."""
    context = browser.new_context(viewport={"width": width, "height": 700})
    page = context.new_page()
    for name in ("index", "docs/operators", "docs/differences", "docs/checking", "docs/explaining"):
        page.goto((site / f"{name}.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
    context.close()
