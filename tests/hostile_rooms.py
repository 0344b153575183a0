"""Rooms whose names, topics, IDs, types and keys are written to harm whoever shows them."""

from typing import Final

from builder import ALICE, Room

TEXTS: Final = (
    "</script><script>window.harmed = 1</script>",
    '<img src=x onerror="window.harmed = 1">',
    "<svg onload=window.harmed=1>",
    "--><!-- ]]> <style>*{display:none}</style>",
    "{{ 7 * 7 }} {% for x in y %} ${window.harmed=1} `window.harmed=1`",
    "javascript:window.harmed=1",
    '" onclick="window.harmed=1" x="',
    "&lt;b&gt; &amp; &#60;",
    "\x1b[2J\x1b]0;harmed\x07",
    "left \u202e right \u2066 \u200b \ufeff",
    "one\ntwo\r\nthree\u2028four",
    "[bold red]rich[/] [link=https://harm.example]x[/link]",
    "__proto__",
    "constructor",
    'graph TD; A-->B; click A href "javascript:x"',
    'digraph { a [URL="javascript:x"] }',
    "a" + "\u0301\u0489" * 15_000,
    "\ufdfd" * 500,
    "\U000e0041\U0001f468\u200d\U0001f469",
)


def hostile_room(version: str = "11") -> Room:
    """Return a room in which every text that can be is one of `TEXTS`, also in events that are refused."""
    built = Room(version)
    built.join(ALICE)
    built.power({"users": {} if version == "12" else {ALICE: 100}})
    built.join_rule("public")
    for number, text in enumerate(TEXTS):
        short = text[:80]
        built.add("m.room.name", ALICE, {"name": text}, state_key="")
        built.add("m.room.topic", ALICE, {"topic": text, text[:200]: text[:200]}, state_key="")
        built.add("m.room.message", ALICE, {"body": text, "msgtype": text[:100]})
        built.add(short, ALICE, {"value": text}, state_key=short)
        plain = short.replace(":", " ")
        if version in ("1", "2"):
            event_id = f"${plain}{number}:a.example"
            built.add("m.room.message", ALICE, {"body": text}, event_id=event_id)
        user = f"@{plain}{number}:b.example"
        built.join(user)
        built.add("m.room.topic", user, {"topic": text}, state_key="")  # refused
    built.add("m.room.name", ALICE, {"name": TEXTS[0]}, state_key="")
    return built
