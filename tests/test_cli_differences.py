"""What ``check`` says of differing copies and keys: which copy is altered, and which key is right."""

import json
from pathlib import Path

from command_line import run

ROOM = Path(__file__).parent.parent / "vectors" / "rooms" / "v11.jsonl"
TOPIC = "$mWpd_ccHYuWRDQ2mjMmoe92HTJz73wwo6qwvxOsU5Wg"


def test_an_altered_copy_is_named_with_its_source_and_place(tmp_path: Path) -> None:
    text = ROOM.read_text(encoding="utf-8")
    altered = tmp_path / "altered.jsonl"
    altered.write_text(text.replace('"topic":"Made-up talk"', '"topic":"Made-up tale"'), encoding="utf-8")
    for sources in ((str(ROOM), "--also", str(altered)), (str(altered), "--also", str(ROOM))):
        told = f"  altered: {TOPIC}: the copy at {altered}, line 12 does not match its content hash;"
        checked = run("check", *sources)
        assert checked.exit_code == 1
        assert f"  {told} its content is not used\n" in checked.stdout
        assert f"      {ROOM}, line 12: has a copy that is whole\n" in checked.stdout
        assert f"      {altered}, line 12: has a copy that is altered\n" in checked.stdout
        assert f"{told} its content is not used\n" in run("auth", "--room", *sources, TOPIC).stdout


def test_two_altered_lines_of_one_file_are_told_by_their_lines(tmp_path: Path) -> None:
    lines = ROOM.read_text(encoding="utf-8").rstrip("\n").split("\n")
    twice = tmp_path / "twice.jsonl"
    line = lines[11].replace('"topic":"Made-up talk"', '"topic":"Made-up tale"')
    twice.write_text("\n".join([*lines, line]) + "\n", encoding="utf-8")
    told = f"altered: {TOPIC}: the copy at {twice}, line {len(lines) + 1} does not match its content hash;"
    assert told in run("check", str(twice)).stdout


def test_of_different_keys_under_one_id_the_one_that_verifies_is_named(tmp_path: Path) -> None:
    header, *lines = ROOM.read_text(encoding="utf-8").rstrip("\n").split("\n")
    fields = json.loads(header)
    server, by_id = next(iter(fields["keys"].items()))
    key_id, right = next(iter(by_id.items()))
    wrong = {
        **right,
        "key": next(key["key"] for s, ids in fields["keys"].items() if s != server for key in ids.values()),
    }
    fields["keys"][server] = {key_id: wrong}
    other = tmp_path / "other.jsonl"
    other.write_text("\n".join([json.dumps(fields), *lines]) + "\n", encoding="utf-8")
    checked = run("check", str(ROOM), "--also", str(other))
    assert checked.exit_code == 1
    assert f"    key: {server} {key_id}: different keys under one ID; each is tried\n" in checked.stdout
    signed = [server in json.loads(line)["pdu"].get("signatures", {}) for line in lines]
    number = min(100, sum(signed))
    tried = " that were tried" if number == 100 else ""
    assert f"      {ROOM}: {right['key']} verifies {number} of {number} signatures{tried}\n" in checked.stdout
    assert f"      {other}: {wrong['key']} verifies 0 of {number} signatures{tried}\n" in checked.stdout
