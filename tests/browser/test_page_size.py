"""A page of 100,000 events: its size, how fast it opens, and how it scrolls."""

import json
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest
from command_line import run

from browser.conftest import Open
from roomver import get_room_version
from roomver.hashing import compute_content_hash, compute_event_id

EVENTS = 100_000
ALICE = "@alice:hq.example"

pytestmark = pytest.mark.slow


def large_room(path: Path, events: int) -> None:
    """Write a room with forks, joins, power levels and messages; with texts as large as signatures."""
    rng = Random(1)
    version = get_room_version("11")
    state: dict[tuple[str, str], str] = {}
    users = [f"@user{number}:server{number % 97}.example" for number in range(3_000)]
    joined = [ALICE]
    with path.open("w", encoding="utf-8") as file:

        def add(
            kind: str, sender: str, content: Any, prev: list[str], depth: int, key: str | None = None
        ) -> str:
            keys = [("m.room.create", ""), ("m.room.power_levels", ""), ("m.room.member", sender)]
            keys += [("m.room.join_rules", "")] if kind == "m.room.member" else []
            pdu: dict[str, Any] = {
                "type": kind,
                "sender": sender,
                "content": content,
                "room_id": "!large:hq.example",
                "depth": depth,
                "origin_server_ts": 1_700_000_000_000 + 7_000 * depth,
                "prev_events": prev,
                "auth_events": [state[one] for one in keys if one in state] if depth > 1 else [],
                "signatures": {sender.partition(":")[2]: {"ed25519:a_key": rng.randbytes(64).hex()[:86]}},
            }
            if key is not None:
                pdu["state_key"] = key
            pdu["hashes"] = {"sha256": compute_content_hash(pdu, version)}
            event_id = compute_event_id(pdu, version)
            file.write(json.dumps(pdu) + "\n")
            if key is not None:
                state[kind, key] = event_id
            return event_id

        ends = [add("m.room.create", ALICE, {"room_version": "11"}, [], 1, "")]
        ends = [add("m.room.member", ALICE, {"membership": "join"}, ends, 2, ALICE)]
        ends = [add("m.room.power_levels", ALICE, {"users": {ALICE: 100}}, ends, 3, "")]
        ends = [add("m.room.join_rules", ALICE, {"join_rule": "public"}, ends, 4, "")]
        for depth in range(5, events + 1):
            if rng.random() < 0.03 and len(joined) < len(users):
                user = users[len(joined) - 1]
                joined.append(user)
                made = add("m.room.member", user, {"membership": "join"}, ends, depth, user)
            elif rng.random() < 0.01:
                made = add("m.room.topic", ALICE, {"topic": f"Topic {depth}"}, ends, depth, "")
            else:
                body = "some words of a message " * rng.randrange(1, 5)
                content = {"msgtype": "m.text", "body": f"{depth} {body}"}
                made = add("m.room.message", rng.choice(joined), content, ends, depth)
            # Now and then an event is not followed by the next one, but by the one after that.
            ends = [*ends, made] if len(ends) < 3 and rng.random() < 0.05 else [made]


def test_a_page_of_100_000_events_is_small_opens_fast_and_scrolls_smoothly(
    open_room: Open, tmp_path: Path
) -> None:
    large_room(tmp_path / "room.jsonl", EVENTS)
    target = tmp_path / "room.html"
    result = run("report", str(tmp_path / "room.jsonl"), "--unsigned", "-o", str(target))
    assert result.exit_code == 0, result.output
    size = target.stat().st_size / 1e6
    # The best of three: other processes take their time too.
    seconds = []
    for _ in range(3):
        start = time.monotonic()
        opened = open_room(file=target)
        seconds.append(time.monotonic() - start)
    page = opened.page
    frames = page.evaluate(
        """async () => {
        const list = document.getElementById('list');
        const times = [];
        let most = 0, last = performance.now();
        for (let i = 0; i < 240; i++) {
          list.scrollTop += i < 200 ? 240 : 50000;
          await new Promise(requestAnimationFrame);
          const now = performance.now();
          times.push(now - last);
          last = now;
          most = Math.max(most, document.querySelectorAll('.row').length);
        }
        times.sort((a, b) => a - b);
        return {median: times[120], nearly_all: times[228], rows: most};
      }"""
    )
    print(f"{size:.1f} MB, opened in {min(seconds):.2f} s, frames {frames}")
    assert size < 40
    assert min(seconds) < 3
    assert frames["rows"] < 120
    assert frames["median"] < 34  # two frames at 60 Hz
    assert frames["nearly_all"] < 100
    page.fill("#search", "topic 99")
    page.wait_for_selector("#clear:not([hidden])")
    page.keyboard.press("Enter")
    page.wait_for_selector("#right h2:has-text('topic')")
