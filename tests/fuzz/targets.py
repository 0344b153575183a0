"""All targets, by name."""

from collections.abc import Mapping
from typing import Final

from .commands import draw_call, run_call
from .files import draw_file, run_file
from .promises import Target
from .rooms import draw_room, run_room
from .stores import draw_store, run_store
from .values import draw_pdu, draw_rules, draw_text, run_pdu, run_rules, run_text

TARGETS: Final[Mapping[str, Target]] = {
    target.name: target
    for target in (
        Target("text", draw_text, run_text),
        Target("pdus", draw_pdu, run_pdu),
        Target("rules", draw_rules, run_rules),
        Target("rooms", draw_room, run_room),
        Target("stores", draw_store, run_store),
        Target("files", draw_file, run_file),
        Target("commands", draw_call, run_call),
    )
}
