"""The site that `python -m docs` builds: all pages, all names, all commands, no broken link, no network.

`ROOMVER_SITE` names a site that is built already. Without it, the tests build one, which takes half a minute.
"""

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("sphinx", reason="Sphinx is not installed: the group docs")

import roomver
from docs.__main__ import MARK, build, claim, unsafe
from docs.how.links import case_folders
from docs.sitebuild import command_pages, links, llms, navigation, python_pages, staging

ROOT = Path(__file__).parents[1]


def built(folder: Path) -> Path:
    """Return the folder of the site."""
    named = os.environ.get("ROOMVER_SITE")
    if named:
        return Path(named)
    command = [sys.executable, "-m", "docs", str(folder / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "site"


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("site"))


def text_of(site: Path, name: str) -> str:
    return (site / f"{name}.html").read_text(encoding="utf-8")


pytestmark = pytest.mark.slow


# The site


def test_every_page_of_the_navigation_is_built_and_is_in_the_navigation(site: Path) -> None:
    first = text_of(site, "index")
    for page in navigation.pages():
        assert (site / f"{page.name}.html").is_file()
        assert f'href="{page.name}.html"' in first


def test_every_public_name_is_in_the_reference(site: Path) -> None:
    anchors = {}
    for module in python_pages.modules():
        text = text_of(site, f"reference/python/{module}")
        anchors[module] = set(re.findall(r'\bid="([^"]+)"', text))
        for name in importlib.import_module(module).__all__:
            home = python_pages.places()[f"{module}.{name}"]
            if home == f"{module}.{name}":
                assert home in anchors[module], home
            else:
                assert re.search(rf'href="[^"]*#{re.escape(home)}"', text), (module, name)
    package = text_of(site, "reference/python/roomver")
    for name in roomver.__all__:
        assert f"#{python_pages.places()[f'roomver.{name}']}" in package, name


def test_every_docstring_of_a_public_name_is_in_the_reference(site: Path) -> None:
    for module in python_pages.modules():
        text = re.sub(r"<[^>]+>", "", text_of(site, f"reference/python/{module}"))
        shown = " ".join(text.replace("&quot;", '"').replace("&#x27;", "'").replace("&lt;", "<").split())
        for name in importlib.import_module(module).__all__:
            value = getattr(importlib.import_module(module), name)
            if f"{getattr(value, '__module__', '')}.".startswith(f"{module}.") and callable(value):
                told = " ".join((value.__doc__ or "").partition("\n\n")[0].split())
                first = re.sub(r"`+", "", told.partition(". ")[0])[:60]
                assert first in shown, (module, name)


@pytest.mark.parametrize("path", [path for path, _ in command_pages.commands()])
def test_a_command_has_its_options_exit_codes_and_schema(path: str, site: Path) -> None:
    command = dict(command_pages.commands())[path]
    text = text_of(site, f"reference/commands/{'-'.join(path.split()[1:])}")
    for option in command.params:
        for name in option.opts:
            assert f">{name}<" in text or not name.startswith("-"), name
    codes = re.findall(r"<tr[^>]*><td><p>(\d)</p></td>", text)
    assert codes[0] == "0"
    assert "2" in codes or not any(param.required for param in command.params)
    assert codes == sorted(set(codes))
    assert ('<section id="json">' in text) == any("--json" in one.opts for one in command.params)
    assert f'href="../reference/commands/{"-".join(path.split()[1:])}.html"' in text_of(site, "docs/commands")


def test_llms_txt_lists_every_page_with_a_sentence(site: Path) -> None:
    text = (site / "llms.txt").read_text(encoding="utf-8")
    assert text.startswith("# roomver\n\n> ")
    listed = re.findall(r"^- \[([^]]+)\]\(([^)]+)\): (\S.*)$", text, re.MULTILINE)
    assert [name for _, name, _ in listed] == [f"{page.name}.html" for page in navigation.pages()]
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == [one.caption for one in navigation.SECTIONS]
    for title, name, _ in listed:
        assert (site / name).is_file()
        assert title


def test_no_link_is_broken_and_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    assert links.find_problems(site) == []


def test_the_recording_format_and_the_source_of_the_homeserver_are_included(site: Path) -> None:
    assert "forward_extremities" in text_of(site, "reference/recording")
    shown = re.sub(r"<[^>]+>", "", text_of(site, "reference/homeserver"))
    for name in ("server.py", "store.py", "__main__.py"):
        source = (ROOT / "docs" / "homeserver" / name).read_text(encoding="utf-8")
        functions = re.findall(r"def \w+", source)
        assert functions
        assert all(one in shown for one in functions)


# What builds it


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    (tmp_path / "there.html").write_text('<h1 id="a">A</h1><p id="b"></p><p id="b"></p>')
    (tmp_path / "style.css").write_text(
        'a { background: url("https://x.example/a.png") } b { src: url(data:,x) }'
    )
    (tmp_path / "page.html").write_text(
        '<a href="there.html#a">1</a><a href="there.html#c">2</a><a href="gone.html">3</a>'
        '<a href="https://spec.matrix.org/latest/#x">4</a><a href="https://nowhere">5</a><a href="ftp://a.b">6</a>'
        '<script src="https://cdn.example/x.js"></script><img src="gone.png">'
        '<link rel="stylesheet" href="style.css">'
        '<a href="#here">7</a><a href="https://a.example/a b">8</a>'
    )
    assert sorted(links.find_problems(tmp_path)) == sorted(
        [
            "there.html: the id 'b' is there twice",
            "page.html: links to there.html#c, and that page has no such anchor",
            "page.html: links to gone.html, which does not exist",
            "page.html: links to https://nowhere, which is not a web address",
            "page.html: links to ftp://a.b, which is not a web address",
            "page.html: links to #here, and that page has no such anchor",
            "page.html: links to https://a.example/a b, which has characters that an address cannot have",
            "page.html: loads https://cdn.example/x.js from elsewhere",
            "page.html: loads gone.png, which does not exist",
            "style.css: loads https://x.example/a.png from elsewhere",
        ]
    )


def test_a_link_in_the_sources_to_nothing_is_found(tmp_path: Path) -> None:
    text = (
        "[a](sources.md) [b](gone.md#x)\n```sh\n[c](gone.md)\n```\n"
        "[d](../vectors/adapters) [e](schemas/may.schema.json)"
    )
    found, problems = staging.staged(
        "docs/index", text, {"docs/sources", "vectors/adapters/README"}, tmp_path
    )
    assert problems == ["docs/index: links to gone.md, which does not exist"]
    # The first page is at the top of the site.
    assert found.splitlines()[0] == "[a](docs/sources.md) b"
    assert "[c](gone.md)" in found
    assert found.splitlines()[-1] == "[d](vectors/adapters/README.md) [e](docs/schemas/may.schema.json)"
    assert (tmp_path / "docs" / "schemas" / "may.schema.json").is_file()


def test_a_link_to_a_file_of_cases_is_left_out(tmp_path: Path) -> None:
    folders = {"auth", "base", "custom", "disputed", "receipt", "resolution"}
    assert {*case_folders()} == folders
    text = " ".join(f"[{folder}](../vectors/{folder}/x.json)" for folder in sorted(folders))
    assert staging.staged("docs/vectors", text, set(), tmp_path) == (" ".join(sorted(folders)), [])
    assert not any(tmp_path.iterdir())


def test_pages_of_what_is_built_in_the_checkout_are_not_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("docs/a", "vectors/adapters/x/README", "benchmarks/b"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / f"{name}.md").touch()
    for folder in ("target", "venv", ".venv"):
        other = tmp_path / "vectors" / "adapters" / "x" / folder / "doc"
        other.mkdir(parents=True)
        (other / "other.md").touch()
    monkeypatch.setattr(staging, "ROOT", tmp_path)
    pages = {"docs/a", "vectors/adapters/x/README", "benchmarks/b", "CONTRIBUTING", "CHANGELOG"}
    assert staging._documents() == pages


@pytest.mark.parametrize("occupied", ["site", "work"])
def test_a_folder_that_no_build_made_is_not_emptied(occupied: str, tmp_path: Path) -> None:
    kept = tmp_path / occupied / "thesis.txt"
    kept.parent.mkdir()
    kept.write_text("years of work")
    (problem,) = build(tmp_path / "site", tmp_path / "work")
    assert problem.startswith(f"{kept.parent}: not a site that was built before")
    assert kept.read_text() == "years of work"
    assert [path.name for path in tmp_path.iterdir()] == [occupied]


def test_a_file_is_not_a_folder_to_empty(tmp_path: Path) -> None:
    file = tmp_path / "site"
    file.write_text("x")
    assert unsafe(file) is not None


def test_a_new_an_empty_and_a_built_folder_may_be_emptied(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    assert unsafe(folder) is None
    folder.mkdir()
    assert unsafe(folder) is None
    claim(folder)
    (folder / "index.html").touch()
    assert unsafe(folder) is None
    (folder / MARK).unlink()
    assert unsafe(folder) is not None


def test_exit_codes_are_read_from_the_help() -> None:
    codes, rest = command_pages.exit_codes(
        "Exit code: 0 yes, or not, 1 a, b or c, 2 usage error. Of several, one."
    )
    assert codes == [("0", "yes, or not"), ("1", "a, b or c"), ("2", "usage error")]
    assert rest == "Of several, one."


def test_names_in_docstrings_become_links_only_where_they_lead_somewhere() -> None:
    (line,) = python_pages.linked(
        ["`Event`s, `roomver.resolve`, `nothing`, ``x``"], "roomver.event.parse_event"
    )
    assert line == (
        ":py:obj:`Event <roomver.event.Event>`\\ s, :py:obj:`roomver.resolve <roomver.resolution.resolve>`,"
        " ``nothing``, ``x``"
    )


def test_the_first_sentence_of_a_page_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        '<h1>A &amp; B<a class="headerlink" href="#">x</a></h1><p>Read <b>FILE...</b>: now. Then.</p>'
    )
    assert llms.entry(tmp_path, navigation.Page("a")) == "- [A & B](a.html): Read FILE...: now"
