"""The calls of `roomver` in the documentation, and a folder in which each of them can run.

A call may have placeholders, such as SOURCE or '$eventid'. `filled` puts something of the folder in their
place.
"""

import json
import re
import shlex
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Final

from command_line import run
from homeservers import room_named, unpacked_sqlite
from test_recorded_answers import ANSWERS, ROOMS

ROOT: Final = Path(__file__).parents[1]
CASES: Final = ROOT / "tests" / "data" / "cases"

FENCE: Final = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_SPAN = re.compile(r"(?<!`)`(?:\.venv/bin/)?(roomver [^`]+)`")
# A name of commands alone, such as `roomver vectors run`.
_NAME = re.compile(r"roomver(?: [a-z-]+)+")

RECORDING: Final = ROOT / "vectors" / "rooms" / "v11.jsonl"
MERGE: Final = "$f-O1KOsZIrIppuD6ceddbYPmGWNlEJ0zoG3pnT1ufdg"
"""An event of the recording at which branches with different states meet."""

DATABASES: Final = ("homeserver.db", "mine.db", "theirs.db", "MAIN")


def shell_lines(text: str) -> Iterator[str]:
    """Yield the command lines of a document's fenced shell code, without comments."""
    for indent, language, code in FENCE.findall(text):
        if language == "sh":
            for line in code.replace("\\\n", " ").splitlines():
                words = line.removeprefix(indent).partition(" # ")[0].strip()
                if words and not words.startswith("#"):
                    yield words


def calls(text: str) -> list[str]:
    """Return the calls of `roomver` in a document: in fenced shell code, and in backticks."""
    fenced = [line for line in shell_lines(text) if re.match(r"(?:\.venv/bin/)?roomver ", line)]
    spans = _SPAN.findall(_COMMENT.sub("", FENCE.sub("", text)))
    spans = [" ".join(span.split()) for span in spans]
    found = [line.removeprefix(".venv/bin/") for line in fenced] + [
        span for span in spans if not _NAME.fullmatch(span)
    ]
    return list(dict.fromkeys(found))


def make_folder(folder: Path) -> Mapping[str, str]:
    """Fill a folder with what the placeholders stand for. Return what each of them becomes."""
    for name in ("vectors", "tests"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "databases").mkdir()
    database = unpacked_sqlite(folder / "databases")
    for name in DATABASES:
        (folder / name).symlink_to(database)
    lines = RECORDING.read_text("utf-8").split("\n")[:-1]
    header, *events = map(json.loads, lines)
    for name in ("source", "room", "small", "copy", "before", "after"):
        shutil.copyfile(RECORDING, folder / f"{name}.jsonl")
    state = header["state"]
    _write(folder / "event.json", events[-1]["pdu"])
    for name, answer in (("state", "state"), ("template", "make_join"), ("sync", "sync, federation format")):
        _write(folder / f"{name}.json", ANSWERS[f"v11 {answer}"])
    (folder / "reply.txt").write_text(
        f"PDU:\n```json\n{json.dumps(ANSWERS['v11 state']['pdus'][-1], indent=2)}\n```\n"
    )
    _write(folder / "state_ids.json", {"pdu_ids": state, "auth_chain_ids": []})
    _write(folder / "keys.json", header["keys"])
    (folder / "signing.key").write_text("ed25519 1 YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1")
    (folder / "version.toml").write_text('identifier = "org.example.x"\nbased_on = "12"\n')
    for name in ("event", "state"):
        shutil.copyfile(CASES / f"p_whatif_{name}.json", folder / f"whatif_{name}.json")
    shutil.copyfile(CASES / "b_sendjoin_full.json", folder / "send_join.json")
    with closing(sqlite3.connect(database)) as connection:
        query = "SELECT json FROM event_json WHERE room_id = ? LIMIT 1"
        (stored,) = connection.execute(query, (room_named("local-v11"),)).fetchone()
    (folder / "stored.json").write_text(stored)
    results = run("vectors", "run", "--operation", "redact", "--json")
    (folder / "results.json").write_text(results.stdout)
    event = header["soft_failed"][0]
    capture = ("vectors", "capture", str(RECORDING), event, "-o", str(folder / "case.json"))
    done = run(*capture)
    assert done.exit_code == 0, done.output
    return {
        **dict.fromkeys(("SOURCE", "FILE", "ROOM", "A", "MINE", "CHAIN"), "source.jsonl"),
        **dict.fromkeys(("B", "MORE", "THEIRS"), "copy.jsonl"),
        **dict.fromkeys(("IDS", "LIST", "ROWS", "ids.json", "state.txt"), "state_ids.json"),
        **dict.fromkeys(("--sets A", "--sets B"), "state_ids.json"),
        **dict.fromkeys(("--keys A", "--keys B", "KEYS"), "keys.json"),
        "EVENT": "event.json",
        "DRAFT": "whatif_event.json",
        "STATE": "whatif_state.json",
        "ANSWER": "send_join.json",
        "KEY": "signing.key",
        "--room-version-file FILE": "version.toml",
        "USER": "@bob:hs.example",
        "ACTION": "join",
        "TYPE": "m.room.topic",
        **dict.fromkeys(("NAME", "CASE"), "resolve.topic_against_ban.v11"),
        "--server NAME": "one.example",
        "FOLDER": "exported",
        "STATES": "theirs.db",
        "RESULTS.json": "results.json",
        "!answered": ROOMS["11"]["room_id"],
        "PREDICATE": f"verdict {event} soft-failed",
        "$event": event,
        "$merge": MERGE,
        "!room": room_named("local-v11"),
    }


def _write(file: Path, value: object) -> None:
    file.write_text(json.dumps(value), "utf-8")


def filled(call: str, known: Mapping[str, str], folder: Path) -> list[str]:
    """Return the words of a call, without `roomver`, after its placeholders are replaced."""
    call = re.split(r" \\?\| | > ", call)[0]
    call = re.sub(r" \[[^\]]*\](?:\.\.\.)?", "", call)
    words: list[str] = []
    in_database = any(name in call for name in DATABASES)
    for word in shlex.split(call)[1:]:
        plain = word.removesuffix("...").removesuffix("…")
        after = f"{words[-1]} {plain}" if words else plain
        if re.match(r"\$(?:event|EVENT|missing|$)", plain):
            event = known["$merge" if "--merge" in call else "$event"]
            words.append("$XQEosjYO" if in_database else event)
        elif plain in ("!", "!roomid"):
            words.append(known["!room" if in_database else "!answered"])
        elif in_database and plain == "event.json":
            words.append("stored.json")
        elif "*" in plain:
            words += sorted(str(path.relative_to(folder)) for path in folder.glob(plain))
        else:
            words.append(known.get(after, known.get(plain, plain or word)))
    return words
