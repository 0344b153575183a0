"""Rooms whose names, topics, IDs, types, keys and reasons are written to harm whoever shows them."""

import unicodedata
from typing import Any, Final

from builder import ALICE, BOB, Room
from command_line import entries, header

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
    "\x9b2J\x9d0;harmed\x9c\x7f\x85 \u3164\u115f\u034f\ufe0f\U000e0101",
    '"];\nend\nclick n0 href "javascript:alert(1)"\nn0[["',
    '" ]; evil -> x; n0 [URL="http://x", label="',
    '\\" \\N \\G \\l\\',
    "&#34; &quot; #34; #quot; #lt; %%{init: {}}%%",
    "]]><x/><!-- --> <?xml?>",
    "`**markdown**` [a](b) | *c*",
    "宽" * 100,
    "subgraph end style click",
    "$(touch harmed) `id`",
    "\\u0022 \x1b]8;;http://harm.example\x1b\\x",
    "\u0301\u0301\u0301",
)


def hostile_room(version: str = "11", *, merged: bool = True) -> Room:
    """Return a room in which every text that can be is one of `TEXTS`, also in events that are refused.

    If it is to be merged, it has at the end a merge at which keys were reset whose types and keys are such
    texts.
    """
    built = Room(version)
    built.join(ALICE)
    levels = {} if version == "12" else {ALICE: 100}
    built.power({"users": {**levels, BOB: 50}})
    built.join_rule("public")
    built.join(BOB)
    for number, text in enumerate(TEXTS):
        short = text[:80]
        built.add("m.room.name", ALICE, {"name": text}, state_key="")
        built.add("m.room.topic", ALICE, {"topic": text, text[:200]: text[:200]}, state_key="")
        built.add("m.room.message", ALICE, {"body": text, "msgtype": text[:100]})
        built.add(short, ALICE, {"value": text}, state_key=short)
        plain = text[:60].replace(":", " ")  # an ID has at most 255 bytes
        if version in ("1", "2"):
            event_id = f"${plain}{number}:a.example"
            built.add("m.room.message", ALICE, {"body": text}, event_id=event_id)
        user = f"@{plain}{number}:b.example"
        built.join(user)
        built.add("m.room.topic", user, {"topic": text}, state_key="")  # refused
        built.member(user, "ban", by=ALICE, more={"reason": text, "displayname": short})
        built.add("m.room.message", user, {"body": text})  # refused
    built.add("m.room.name", ALICE, {"name": TEXTS[0]}, state_key="")
    if merged:
        _add_merge(built, levels)
    return built


def _add_merge(built: Room, levels: dict[str, int]) -> None:
    """Add two branches and their merge: one changes hostile keys, the other demotes who did that."""
    fork, base = dict(built.state), built.last
    assert base is not None
    for text in TEXTS:
        built.add(text[:80], BOB, {"value": f"{text[:80]} anew"}, state_key=text[:80])
    built.add("m.room.topic", BOB, {"topic": TEXTS[8]}, state_key="")
    one, state = built.last, dict(built.state)
    built.state = fork
    other = built.power({"users": {**levels, BOB: 0}}, prev=[base])
    built.state = {**state, (other.type, ""): other}
    assert one is not None
    built.add("m.room.message", ALICE, {"body": TEXTS[10]}, prev=[one, other])


def hostile_lines(version: str = "11") -> list[dict[str, Any]]:
    """Return the lines of a recording of `hostile_room`, with events that are not in the event format."""
    lines = [header(version), *entries(hostile_room(version))]
    pdu = {**lines[-1]["pdu"], "type": "\ud800\x1b[2J", "content": {"\udfff": "\ud83d"}}
    bad = {text[:80]: text[:80] for text in TEXTS}
    return [*lines, {"pdu": pdu}, {"pdu": {**lines[-1]["pdu"], "prev_events": TEXTS[8], **bad}}]


def harms(text: str, *, lines: bool = True) -> str | None:
    """Return what is harmful in text that is shown: a control, an invisible character, a stack of marks.

    Args:
        text: what a program wrote.
        lines: whether line ends are expected.
    """
    marks = 0
    for at, character in enumerate(text):
        category = unicodedata.category(character)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        hidden = category in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") or character in _HIDDEN
        if (hidden and not (lines and character == "\n")) or marks > 2:
            return f"{character!r} in {text[max(0, at - 60) : at + 60]!r}"
    return None


_HIDDEN: Final = "\u3164\u115f\u1160\u034f\ufe0f\ufe0e\U000e0101"
