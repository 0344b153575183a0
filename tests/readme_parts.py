"""The generated parts of the README: its numbers, its table of speed, its picture."""

import hashlib
import io
import json
import re
import textwrap
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

from command_line import run
from embedding.synapse.expected import EXPECTED
from mutation.auto import chosen, survivors
from mutation.mutants import mutants
from mutation.slip import PACKAGE
from mutation.slips import SLIPS

from roomver.readers.suite import load_suite
from roomver.suite.coverage import measure_coverage
from roomver.versions import ROOM_VERSIONS

ROOT = Path(__file__).parents[1]
ROOMS = ROOT / "vectors" / "rooms"
PICTURE = ROOT / "docs" / "pictures" / "report.png"
PICTURED = "tests/data/cases/m_16629_reset.jsonl"

# Of the rooms in docs/speed.md, and of the columns, those that the README shows.
_ROOMS = ("hq v11 warm", "hq v11 cold", "hq v12 warm", "wide v11 warm", "busy v11 warm", "toy v11 warm")
_LEFT_OUT = ("Synapse, cached", "gomatrixserverlib")
_PROPERTY = re.compile(r"^@given\b", re.MULTILINE)


def correctness() -> str:
    """Return how correctness is shown, in five lines whose numbers are counted here."""
    cases = load_suite()
    rows = measure_coverage(cases)
    rules = len(rows)
    lacking = sum(bool(row.lacking) for row in rows)
    recordings = sorted(ROOMS.glob("*.jsonl"))
    events = sum(file.read_bytes().count(b"\n") - 1 for file in recordings)
    tests = sum(
        len(_PROPERTY.findall(file.read_text("utf-8"))) for file in (ROOT / "tests").rglob("test_*.py")
    )
    changes = sum(len(list(mutants(name, (PACKAGE / name).read_text("utf-8")))) for name in chosen([]))
    kept = len(survivors())
    text = (ROOT / "docs" / "other-implementations.md").read_text("utf-8")
    table = text.partition("| Subject | Synapse | roomver |\n")[2].partition("\n\n")[0]
    differences = table.count("\n| ")
    lines = [
        f"**Test vectors.** {len(cases):,} cases pass. {rules} rules in {len(ROOM_VERSIONS)} room versions"
        f" have the cases that they need; {lacking} lack one. The expectations are computed without roomver.",
        f"**A real homeserver.** On {len(recordings)} rooms with {events:,} events that Synapse 1.163.2"
        " had, both agree on each ID, hash, signature, rejected event, forward extremity and"
        " state.",
        "**A second implementation**, slow and word by word from the specification. Property tests compare"
        f" roomver with it on random input; {tests} tests draw such input.",
        "**Synapse.** Peer tests compare random events, verdicts and resolutions. The known differences are"
        f" of {differences} kinds, each with its reason. Synapse's own tests run on roomver: {len(EXPECTED)}"
        " fail, each for a listed reason.",
        f"**Bugs on purpose.** A vector catches each of {len(SLIPS)} small bugs put into the source. Of all"
        f" {changes:,} small changes to the core, vectors catch {changes - kept:,}; the others are listed,"
        " each with the reason.",
    ]
    return "\n".join(
        textwrap.fill(line, 128, initial_indent=f"{number}. ", subsequent_indent="   ")
        for number, line in enumerate(lines, 1)
    )


def speed() -> str:
    """Return the rows of the table in docs/speed.md that the README shows."""
    text = (ROOT / "docs" / "speed.md").read_text("utf-8")
    lines = text[text.index("| A whole resolution |") :].partition("\n\n")[0].splitlines()
    head, line, *rows = ([cell.strip() for cell in line[1:-1].split("|")] for line in lines)
    shown = [number for number, name in enumerate(head) if name not in _LEFT_OUT]
    found = {row[0]: row for row in rows}
    table = (head, line, *(found[room] for room in _ROOMS))
    return "\n".join(f"| {' | '.join(row[number] for number in shown)} |" for row in table)


def drawn() -> tuple[bytes, str]:
    """Return the picture of a report, and a digest of what was drawn in it.

    The pixels depend on the fonts of the machine. The shapes, and the words with their sizes, do not.
    """
    from roomver.cli.page import picture  # noqa: PLC0415 - needs an extra

    calls: list[Any] = []

    class Brush(picture._Brush):
        def line(self, *given: Any, **options: Any) -> None:
            calls.append(["line", given, options])
            super().line(*given, **options)

        def circle(self, *given: Any, **options: Any) -> None:
            calls.append(["circle", given, options])
            super().circle(*given, **options)

        def text(self, x: float, y: float, text: str, *given: Any, **options: Any) -> float:
            calls.append(["text", y, text, given, options])
            return super().text(x, y, text, *given, **options)

    with TemporaryDirectory() as folder, mock.patch.object(picture, "_Brush", Brush):
        file = Path(folder) / PICTURE.name
        done = run("report", str(ROOT / PICTURED), "--unsigned", "--png", "-o", str(file))
        assert done.exit_code == 0, done.output
        data = file.read_bytes()
    assert len(calls) > 50
    return data, hashlib.sha256(json.dumps(calls, sort_keys=True, default=str).encode()).hexdigest()


def digest_in(file: Path) -> str:
    """Return the digest that `write_picture` put into a picture."""
    from PIL import Image  # noqa: PLC0415 - an extra

    with Image.open(file) as image:
        return str(image.info.get("drawn"))


def write_picture() -> None:
    """Write the picture of the README, unless what is drawn in it is the same."""
    from PIL import Image  # noqa: PLC0415 - an extra
    from PIL.PngImagePlugin import PngInfo  # noqa: PLC0415

    data, digest = drawn()
    if PICTURE.exists() and digest_in(PICTURE) == digest:
        return
    told = PngInfo()
    told.add_text("drawn", digest)
    with Image.open(io.BytesIO(data)) as image:
        # 64 colours are enough, and make it a fifth as large.
        image.quantize(64).save(PICTURE, "PNG", optimize=True, pnginfo=told)
