"""Target: the commands, in this process, with spoiled files and arguments."""

import json
import os
import re
from contextlib import chdir
from itertools import pairwise
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, Final

import click
from click.testing import CliRunner

from roomver.cli import main

from . import corpus
from .mutations import CONTROLS, mutated, mutated_bytes, mutated_lines
from .promises import Invalid, in_case, promised
from .specs import of_bytes

# The arguments of each command. A capital letter stands for a file; V is a room version. Options that run
# programs or write files are left out.
_CALLS: Final = (
    "check R",
    "check --json R",
    "check --alone --all R",
    "check --unsigned --all R",
    "check --require-signatures --keys K R",
    "check --room-version V --also O R",
    "check --json --unsigned R O",
    "check -",
    "check --as-recorded --all R",
    "check --as-recorded --json --also O R",
    "record -o - R",
    "record --also O -o - R",
    "record --anonymise --unsigned -o - R",
    "record --anonymise --keys K -o - R",
    "state R",
    "state --json --unsigned R",
    "state --as-recorded R",
    "state --at $a --before R",
    "state --type m.room.member --key @a:x R",
    "resolve --unsigned R",
    "resolve --unsigned --trace --json R",
    "resolve --unsigned --trace R",
    "resolve --unsigned --as-recorded R",
    "resolve --unsigned --sets S --sets O R",
    "resolve --algorithm v2.1 --why m.room.topic @a:x R",
    "auth --room R E",
    "auth --room R --json $",
    "auth --room R --as-recorded $",
    "auth --room R --as-recorded --json E",
    "auth --unsigned --state R E",
    "auth --room-version V --json --state R E",
    "event-id --room-version V E",
    "hash --room-version V --json E",
    "redact --room-version V E",
    "sign --room-version V --server a.example --seed-file Z E",
    "verify --room-version V --keys K E",
    "canonical R",
    "canonical --lenient --unique-keys --integral-floats -",
    "rules --room-version V --json",
    "versions --json",
    "vectors run T",
    "vectors run --json T",
    "vectors run --diff --tap - -x T",
    "vectors list T O",
    "vectors show N T",
    "vectors show --json N T",
    "vectors coverage T",
    "vectors report P",
    "vectors serve",
)
_ODD: Final = (
    "",
    "-",
    "--",
    "--json",
    "--all",
    "$",
    "$\x1b[2J",
    "12",
    "-1",
    "é\u202e",
    CONTROLS.replace("\0", ""),
    "x.json",
)
_JSON_OUT: Final = ("canonical", "record", "redact", "sign")  # commands that print the input's own text

# What a terminal obeys, or does not show.
_UNSAFE: Final = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


def draw_call(rng: Random) -> Any:
    """Draw a call of a command with the files that it reads."""
    version, room = corpus.file_of_a_room(rng)
    files: dict[str, Any] = {}

    def spoiled(data: bytes, share: float = 0.6) -> Any:
        if rng.random() >= share:
            return of_bytes(data)
        return mutated_bytes(rng, data) if rng.random() < 0.4 else mutated_lines(rng, data)

    call = rng.choice(_CALLS).split()
    if "--as-recorded" in call:
        room = _recording(rng, version)
    event = rng.choice(corpus.pdus(version) if rng.random() < 0.3 else corpus.small(version)[1:])
    event = event[1] if type(event) is tuple else event
    if rng.random() < 0.6:
        event = mutated(rng, event)
    names = {"N": "x", "$": rng.choice(["$", rng.choice(corpus.small(version))[0]])}
    for letter in call:
        match letter:
            case "R" | "-":
                files["R"] = spoiled(room)
            case "O" | "S":
                files[letter] = spoiled(corpus.other_file(rng))
            case "K":
                files["K"] = spoiled(json.dumps(corpus.KEYS).encode(), 0.4)
            case "Z":
                files["Z"] = spoiled(b"ed25519 1 " + b"A" * 43 + b"\n", 0.3)
            case "E":
                files["E"] = {"$json": event}
            case "T":
                document = corpus.vector_file(rng)
                names["N"] = json.loads(document)["cases"][0]["name"]
                files["T"] = _spoiled_json(rng, document)
            case "P":
                files["P"] = _spoiled_json(rng, corpus.results_file(rng))
            case "serve":
                requests = [_request(rng) for _ in range(3)]
                files["R"] = spoiled("".join(json.dumps(one) + "\n" for one in requests).encode(), 0.8)
            case _:
                pass
    arguments = [version if one == "V" else names.get(one, one) for one in call]
    if rng.random() < 0.15:
        at = rng.randrange(1, len(arguments) + 1)
        arguments[at : at + rng.randrange(2)] = [rng.choice(_ODD)]
    return {"arguments": arguments, "files": files}


def _recording(rng: Random, version: str) -> bytes:
    """Draw a recorded room whose header says what its server decided."""
    room = corpus.small(version)
    drawn = {name: [one for one, _ in room if rng.random() < 0.2] for name in ("rejected", "soft_failed")}
    header: dict[str, Any] = {"format": "roomver-room/1", "room_version": version, **drawn}
    lines = [header, *({"event_id": event_id, "pdu": pdu} for event_id, pdu in room)]
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


def _request(rng: Random) -> Any:
    """Draw a request for `roomver vectors serve`: a case, or a measurement."""
    (case,) = corpus.some_cases(rng, 1)
    request = {"id": 1, **{key: case[key] for key in ("operation", "room_version", "input")}}
    if rng.random() < 0.4:
        listed = [one for one in corpus.resolutions() if one["operation"] == "resolve"]
        case = rng.choice(listed)
        timing: dict[str, Any] = {"operation": "resolve", "input": case["input"], "runs": 1}
        timing["mode"] = rng.choice(["warm", "cold", "kept"])
        if rng.random() < 0.5:
            ids = list(case["input"]["events"])
            timing["changes"] = [{"remove": [rng.choice(ids)], "add": [rng.choice(ids)]}]
        timing["input"] = mutated(rng, timing["input"], times=1) if rng.random() < 0.5 else timing["input"]
        request |= {"operation": "time", "room_version": case["room_version"], "input": timing}
    return request


def _spoiled_json(rng: Random, text: bytes) -> Any:
    if rng.random() < 0.5:
        return mutated_bytes(rng, text)
    document = json.loads(text)
    # The commands print what is in the cases, so that is what is spoiled.
    for case in document["cases"]:
        for key in ("notes", "rule", "spec", "input", "expected", "got", "reason", "name"):
            if rng.random() < 0.3:
                case[key] = mutated(rng, case.get(key, ""), times=1) if rng.random() < 0.7 else CONTROLS
    return {"$json": document}


def run_call(case: Any) -> None:
    """Call a command. It ends with a known exit code, and prints only what is safe to print."""
    arguments, files = in_case(case, "arguments", list), in_case(case, "files", dict)
    if not all(map(_can_be_passed, arguments)) or _writes(arguments):
        raise Invalid("arguments")
    with TemporaryDirectory() as folder, chdir(folder):
        for name, content in files.items():
            if type(content) is not bytes or len(name) != 1 or not name.isupper():
                raise Invalid("files")
            Path(name).write_bytes(content)
        result = CliRunner().invoke(main, arguments, input=files.get("R", b""))
        made = sorted(set(os.listdir()) - files.keys())
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    promised(result.exit_code in (0, 1, 2, 3), f"exit code {result.exit_code}")
    promised(not made, "nothing is written")
    promised("Traceback" not in result.stderr, "no traceback")
    is_data = any(one in _JSON_OUT for one in arguments[:1])
    shown = result.stderr if is_data else result.stdout + result.stderr
    unsafe = _UNSAFE.search(shown)
    promised(unsafe is None, f"an unsafe character: {unsafe and unsafe[0]!r}")
    if _asks_for_json(arguments) and result.stdout:
        json.loads(result.stdout)
    if arguments[:2] == ["vectors", "serve"]:
        for line in result.stdout.splitlines():
            promised("id" in json.loads(line), "every answer has an id")


def _can_be_passed(argument: Any) -> bool:
    """Tell whether a program can be called with an argument."""
    try:
        return type(argument) is str and b"\0" not in os.fsencode(argument)
    except UnicodeEncodeError:
        return False


def _asks_for_json(arguments: list[str]) -> bool:
    """Tell whether a call has the option --json. The same word may be the name of a file or another value."""
    command: click.Command | None = main
    left = list(arguments)
    while isinstance(command, click.Group):
        command = command.commands.get(left.pop(0)) if left else None
    if command is None:
        return False
    try:
        options, _, _ = command.make_parser(click.Context(command)).parse_args(left)
    except click.UsageError:
        return False
    return bool(options.get("as_json")) and not options.get("help")


def _writes(arguments: list[str]) -> bool:
    """Tell whether a call may run a program, or write files."""
    named = [name for option, name in pairwise(arguments) if option in ("-o", "--output")]
    if arguments[:1] == ["record"] and named != ["-"]:
        return True
    return any(re.match("export|--impl|--junit|--markdown|--html|/", one) is not None for one in arguments)
