"""README.md and the other documents are current.

The generated parts and the outputs of commands in the README and in docs/ match what the code gives, the
README's table lists every command, and local links have targets.

`python tests/test_readme.py` rewrites these parts:

- the text between ``<!-- generated: NAME -->`` and ``<!-- end of generated -->``;
- each block of text below ``<!-- output of: COMMAND -->``: the command and what it prints.
"""

import lzma
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import pytest
from readme_parts import PICTURE, correctness, digest_in, drawn, speed, write_picture
from test_floors import FLOORS
from unreadable_files import told

from roomver.cli import main
from roomver.cli.features import feature_markdown
from roomver.rules import list_rules
from roomver.versions import FIELDS, UNSTABLE_ROOM_VERSIONS

ROOT = Path(__file__).parents[1]
DATABASE = "homeserver.db"
PACKED = ROOT / "tests" / "data" / f"{DATABASE}.xz"
GENERATED: Mapping[str, Callable[[], str]] = {
    "versions": feature_markdown,
    "unreadable": told,
    "correctness": correctness,
    "speed": speed,
}
"""What makes each generated part."""

MANUAL: Mapping[str, tuple[str, ...]] = {
    "README.md": ("correctness", "speed"),
    **{path.relative_to(ROOT).as_posix(): () for path in sorted((ROOT / "docs").rglob("*.md"))},
    "docs/sources.md": ("unreadable",),
    "docs/differences.md": ("versions",),
}
"""The documents that have generated parts and outputs of commands, and the names of these parts."""
WITHOUT_OUTPUTS = frozenset(
    {
        *("docs/index.md", "docs/afterwards.md"),
        *("docs/library.md", "docs/resolving.md", "docs/replaying.md", "docs/storing.md", "docs/servers.md"),
        *("docs/homeserver.md", "docs/room-versions.md"),
        *("docs/commands.md", "docs/differences.md", "docs/other-implementations.md"),
        *("docs/correctness.md", "docs/speed.md", "docs/limits.md"),
    }
)

DOCUMENTS = (*MANUAL, "CHANGELOG.md", "CONTRIBUTING.md", "benchmarks/README.md")

_GENERATED = re.compile(r"(<!-- generated: (\S+) -->\n).*?(<!-- end of generated -->\n)", re.DOTALL)
_OUTPUT = re.compile(r"(<!-- output of: (.+?) -->\n```text\n).*?(```\n)", re.DOTALL)
_COMMAND = re.compile(r"<!-- command: (\S+) -->\n```sh\n(.*?)```\n", re.DOTALL)


def output_of(command: str) -> str:
    """Return what a shell prints for a command.

    `roomver` in it is the one under test, and homeserver.db the database of a made-up homeserver.
    """
    with TemporaryDirectory() as folder:
        database = Path(folder) / DATABASE
        if DATABASE in command:
            database.write_bytes(lzma.decompress(PACKED.read_bytes()))
        shim = Path(folder) / "roomver"
        shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m roomver "$@"\n')
        shim.chmod(0o755)
        environment = {
            **os.environ,
            "PATH": os.pathsep.join([folder, os.environ["PATH"]]),
            "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH")])),
            "PYTHONIOENCODING": "utf-8",
            # As in a pipe, where no line is broken.
            "COLUMNS": "200",
        }
        result = subprocess.run(
            ["/bin/sh", "-c", command.replace(DATABASE, str(database))],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env=environment,
            check=False,
            timeout=120,
        )
    # Tables are padded to their full width. Editors strip such spaces.
    lines = [line.rstrip() for line in result.stdout.decode().replace(str(database), DATABASE).splitlines()]
    return "\n".join([f"$ {command}", *lines]) + "\n"


def regenerated(text: str) -> str:
    """Return a document with its generated parts rewritten."""
    text = _GENERATED.sub(lambda m: f"{m[1]}{GENERATED[m[2]]()}\n{m[3]}", text)
    return _OUTPUT.sub(lambda m: m[1] + output_of(m[2]) + m[3], text)


def read(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


@pytest.mark.parametrize("document", MANUAL)
def test_a_document_has_its_generated_parts(document: str) -> None:
    text = read(document)
    assert tuple(match[2] for match in _GENERATED.finditer(text)) == MANUAL[document]
    assert text.count("<!-- generated: ") == len(MANUAL[document])
    outputs = len(_OUTPUT.findall(text))
    assert text.count("<!-- output of: ") == outputs
    assert (outputs == 0) == (document in WITHOUT_OUTPUTS)


@pytest.mark.parametrize(("document", "name"), [(one, name) for one in MANUAL for name in MANUAL[one]])
def test_a_generated_part_is_current(document: str, name: str) -> None:
    (found,) = [match for match in _GENERATED.finditer(read(document)) if match[2] == name]
    expected = f"{found[1]}{GENERATED[name]()}\n{found[3]}"
    assert found[0] == expected, "run: python tests/test_readme.py"


@pytest.mark.skipif(os.name != "posix", reason="the commands are for a POSIX shell")
@pytest.mark.parametrize(
    ("document", "command"), [(one, match[2]) for one in MANUAL for match in _OUTPUT.finditer(read(one))]
)
def test_the_output_of_a_command_is_current(document: str, command: str) -> None:
    (found,) = [match for match in _OUTPUT.finditer(read(document)) if match[2] == command]
    assert found[0] == found[1] + output_of(command) + found[3], "run: python tests/test_readme.py"


def test_the_two_commands_are_one_line_each() -> None:
    commands = dict(_COMMAND.findall(read("README.md")))
    assert list(commands) == ["main", "test"]
    assert all(text.count("\n") == 1 for text in commands.values())


def commands(group: click.Group, path: str) -> Iterator[str]:
    """Yield the full names of all commands, without groups."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}"


def test_the_table_lists_exactly_the_commands() -> None:
    rows = [line for line in read("docs/commands.md").splitlines() if line.startswith("| `roomver ")]
    named = [name for row in rows for name in re.findall(r"`([^`]+)`", row.split(" | ")[0])]
    assert sorted(named) == sorted(commands(main, "roomver"))


def test_contributing_shows_the_floors() -> None:
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.M)
    shown = {int(floor): tuple(re.findall(r"`(\w+)/?`", names)) for floor, names in rows}
    assert shown == dict(enumerate(FLOORS))


_LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")


@pytest.mark.parametrize(
    ("document", "target"),
    sorted(
        {
            (name, link)
            for name in DOCUMENTS
            for link in _LINK.findall((ROOT / name).read_text(encoding="utf-8"))
        }
    ),
)
def test_a_local_link_has_a_target(document: str, target: str) -> None:
    assert ((ROOT / document).parent / target).exists()


_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_ANCHOR = re.compile(r"\]\((?!https?:)([^)#]*)#([^)]+)\)")


def anchors(path: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = _HEADING.findall(path.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(
    ("document", "target", "anchor"),
    sorted({(name, target, anchor) for name in DOCUMENTS for target, anchor in _ANCHOR.findall(read(name))}),
)
def test_a_link_to_a_heading_has_one(document: str, target: str, anchor: str) -> None:
    path = (ROOT / document).parent / target if target else ROOT / document
    assert anchor in anchors(path)


def test_the_page_on_room_versions_has_every_field_rule_and_version() -> None:
    text = (ROOT / "docs" / "room-versions.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"^\| Field \| Value \|$\n((?:\|.*\n)+)", text, re.MULTILINE)
    cells = [row.split(" | ")[0] for row in table.splitlines()[1:]]
    assert sorted(re.findall(r"`(\w+)`", " ".join(cells))) == sorted(set(FIELDS) - {"identifier", "based_on"})
    assert all(f"| `{name}` | {one.based_on} |" in text for name, one in UNSTABLE_ROOM_VERSIONS.items())
    owned = UNSTABLE_ROOM_VERSIONS["org.matrix.msc3757.11"]
    assert all(f"| {rule.number(owned)} | `{rule.name}` |" in text for rule in list_rules(owned) if rule.url)


def test_the_readme_has_at_most_250_lines() -> None:
    assert len(read("README.md").splitlines()) <= 250


def test_the_picture_of_a_report_is_current() -> None:
    pytest.importorskip("PIL", reason="needs the extra report")
    assert digest_in(PICTURE) == drawn()[1], "run: python tests/test_readme.py"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_picture_exists_and_has_words_for_it(document: str) -> None:
    for source, words in re.findall(r'<img src="([^"]+)"[^>]*? alt="([^"]*)"', read(document)):
        assert words
        assert ((ROOT / document).parent / source).is_file()
    assert read(document).count("<img ") == len(re.findall(r'<img src="[^"]+"[^>]*? alt="', read(document)))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_each_column_of_a_table_has_a_heading(document: str) -> None:
    heads = re.findall(r"^ *(\|.+\|)\n *\| *:?---", read(document), re.MULTILINE)
    assert [head for head in heads if re.search(r"\| *\|", head)] == []


if __name__ == "__main__":
    write_picture()
    for one in MANUAL:
        (ROOT / one).write_text(regenerated(read(one)), encoding="utf-8")
