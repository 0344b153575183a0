"""The commands that take one event: IDs, hashes, redaction, signatures, canonical JSON."""

import click

from ..canonical import encode_canonical, scan
from ..errors import BadKey
from ..hashing import check_content_hash, compute_content_hash, compute_reference_hash
from ..hashing import compute_event_id as id_of
from ..identifiers import is_server_name
from ..keys import ALGORITHM, SigningKey
from ..readers import InputError
from ..redaction import redact as redacted_form
from ..signatures import verify_signatures
from ..signing import sign_event
from ..types import KeyId
from ..versions import RoomVersion
from .common import (
    WIRE_KEYS,
    display_name,
    example,
    file_argument,
    keys_option,
    now_option,
    opened,
    read_event,
    read_json,
    read_key_files,
    write_json,
)
from .escaped import ascii_json, printable
from .version_options import room_version_option

_VERSION_HELP = "The version of the event's room."
_BEFORE_HASHES = tuple(key for key in WIRE_KEYS if key != "hashes")


@click.command("event-id", epilog=example("roomver event-id --room-version 11 event.json"))
@file_argument()
@room_version_option(_VERSION_HELP)
def event_id(file: str, version: RoomVersion) -> None:
    """Print the ID of an event.

    In room versions 1 and 2 the event carries its ID. In later versions the ID is computed from what
    redaction keeps. FILE holds one event, in any format that `roomver check` reads; by default it is standard
    input. If it also gives an event ID, the two are compared.

    Exit code: 0 printed, 1 the event's ID is not the one in the file, 2 usage error or not an event.
    """
    given = read_event(file, version)
    click.echo(printable(id_of(given.pdu, version)))
    if not given.compare_ids(version):
        raise click.exceptions.Exit(1)


@click.command("hash", epilog=example("roomver hash --room-version 11 event.json"))
@file_argument()
@room_version_option(_VERSION_HELP)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def hash_command(file: str, version: RoomVersion, as_json: bool) -> None:
    """Print the content hash and the reference hash of an event.

    Both are SHA-256 in unpadded base64. The content hash is what the event should carry as hashes.sha256.
    "check" says whether it does: "intact", "mismatch" (a server uses the redacted form) or "unreadable" (a
    server drops the event). FILE holds one event, in any format that `roomver check` reads; by default it is
    standard input.

    Exit code: 0 printed, whatever the hashes say, 2 usage error or not an event.
    """
    given = read_event(file, version, _BEFORE_HASHES)
    given.compare_ids(version)
    event = given.pdu
    result = {
        "content_hash": compute_content_hash(event, version),
        "reference_hash": compute_reference_hash(event, version),
        "check": check_content_hash(event, version).value,
    }
    if as_json:
        click.echo(ascii_json(result))
    else:
        for name, value in result.items():
            click.echo(f"{name:<14} {value}")


@click.command(epilog=example("roomver redact --room-version 11 event.json"))
@file_argument()
@room_version_option(_VERSION_HELP)
def redact(file: str, version: RoomVersion) -> None:
    """Print the redacted form of an event, as canonical JSON.

    FILE holds one event, in any format that `roomver check` reads; by default it is standard input.

    Exit code: 0 printed, 2 usage error or not an event.
    """
    given = read_event(file, version, _BEFORE_HASHES)
    given.compare_ids(version)
    strict = version.strict_canonical_json
    write_json(encode_canonical(redacted_form(given.pdu, version), strict=strict))


@click.command(
    epilog=example("roomver sign --room-version 11 --server example.org --seed-file signing.key event.json")
)
@file_argument()
@room_version_option(_VERSION_HELP)
@click.option("--server", metavar="NAME", required=True, help="The server that signs.")
@click.option(
    "--key-id", metavar="ID", help="The key's ID, such as ed25519:a_1, if its file does not give it."
)
@click.option(
    "--seed-file",
    metavar="FILE",
    required=True,
    help="The secret key: a seed of 32 bytes in unpadded base64, or Synapse's `ed25519 NAME SEED`.",
)
def sign(file: str, version: RoomVersion, server: str, key_id: str | None, seed_file: str) -> None:
    """Hash and sign an event, and print it as canonical JSON.

    The content hash is set, and the signature is added to any that are already there. FILE holds one event,
    in any format that `roomver check` reads; it need not have hashes yet. By default it is standard input.

    Exit code: 0 printed, 2 usage error or not an event.
    """
    if not is_server_name(server):
        raise click.BadParameter(f"{server!r} is not a server name", param_hint="--server")
    if seed_file == "-" and file == "-":
        raise click.UsageError("The event and the seed cannot both come from standard input.")
    key_id, seed = _read_seed(seed_file, key_id)
    try:
        key = SigningKey.from_seed(key_id, seed)
    except BadKey as error:
        raise InputError(display_name(seed_file), str(error)) from None
    given = read_event(file, version, _BEFORE_HASHES)
    signed = sign_event(given.pdu, version, server, key)
    given.compare_ids(version, signed)
    write_json(encode_canonical(signed, strict=version.strict_canonical_json))


def _read_seed(file: str, key_id: KeyId | None) -> tuple[KeyId, str]:
    with opened(file) as stream:
        words = stream.read(4096).decode("ascii", "replace").split()
    if len(words) == 3 and words[0] == ALGORITHM:
        return key_id or f"{ALGORITHM}:{words[1]}", words[2]
    if len(words) != 1:
        raise InputError(display_name(file), "expected a seed, or `ed25519 NAME SEED`, and nothing else")
    if key_id is None:
        raise click.UsageError("The seed file does not give the key's ID: give --key-id.")
    return key_id, words[0]


@click.command(epilog=example("roomver verify --room-version 11 --keys keys.json event.json"))
@file_argument()
@room_version_option(_VERSION_HELP)
@keys_option(required=True)
@now_option()
def verify(file: str, version: RoomVersion, key_files: tuple[str, ...], now: int | None) -> None:
    """Check that an event has the required signatures.

    Prints a line for each server that must sign. FILE holds one event, in any format that `roomver check`
    reads; by default it is standard input.

    Exit code: 0 all required signatures are valid, 1 one is missing or invalid, 2 usage error or not an
    event, 3 undecided, because a key is unknown.
    """
    keys = read_key_files(key_files, now)
    given = read_event(file, version)
    given.compare_ids(version)
    report = verify_signatures(given.pdu, keys, version)
    if report.defect is not None or not report.servers:
        click.echo(printable(str(report)))
    for server in report.servers:
        click.echo(printable(str(server)))
    if not report.valid:
        raise click.exceptions.Exit(1 if report.status.decided else 3)


@click.command(epilog=example("""echo '{"b": 1, "a": [true, "é"]}' | roomver canonical"""))
@file_argument()
@room_version_option("Be as strict as this room version is.", required=False)
@click.option(
    "--strict/--lenient", default=None, help="Refuse floats and integers outside ±(2^53 - 1), or accept them."
)
@click.option("--unique-keys", is_flag=True, help="Refuse an object in which a key occurs twice.")
@click.option(
    "--integral-floats", is_flag=True, help="Read 1e10 and 1.0 as integers. Servers refuse them in events."
)
def canonical(
    file: str, version: RoomVersion | None, strict: bool | None, unique_keys: bool, integral_floats: bool
) -> None:
    """Print any JSON as canonical JSON, by default strictly.

    FILE holds one JSON value; by default it is standard input.

    Exit code: 0 printed, 2 usage error, or the value cannot be encoded as canonical JSON.
    """
    if version is not None and strict is not None:
        raise click.UsageError("Give --room-version, or one of --strict and --lenient, but not both.")
    if strict is None:
        strict = version is None or version.strict_canonical_json
    value = read_json(file, unique_keys=unique_keys, integral_floats=integral_floats)
    scan(value, strict=strict)
    write_json(encode_canonical(value, strict=strict))
