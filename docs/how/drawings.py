"""The pictures of the pages, by name. `roomver graph --svg` draws the rooms."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

from click.testing import CliRunner

from roomver.cli import main
from roomver.types import EventId

from .auth_pictures import Column, auth_picture, in_set, set_columns
from .key_pictures import hashes_picture
from .merges import Merge, case_merge, room_merge
from .small_rooms import small_rooms

FOLDER: Final = Path(__file__).parent / "pictures"
"""Where the pictures are."""


def graph_picture(room: str, *options: str) -> str:
    """Return what `roomver graph --svg` prints for a small room."""
    path = small_rooms()[room].path
    result = CliRunner().invoke(main, ["graph", str(path), "--svg", *options], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def sets_picture(merge: Callable[[], Merge], title: str, algorithm: str) -> str:
    """Return the auth events of a merge with the sets of an algorithm."""
    found = merge()
    full = found.steps(algorithm).full_conflicted_set
    return auth_picture(found, title, set_columns(found, algorithm), full)


def depth_picture(merge: Callable[[], Merge], title: str) -> str:
    """Return the auth events of a merge with the states and depths, by which version 1 resolves."""
    found = merge()
    conflicted = {one for masks in found.steps("v1").conflicted.values() for one in masks}
    columns = [
        *(in_set(f"state {'ABC'[n]}", set(one.values()), "ABC"[n]) for n, one in enumerate(found.states)),
        in_set("conflicting", conflicted),
        Column("depth", lambda event_id: str(found.events[event_id].depth)),
    ]
    return auth_picture(found, title, columns, conflicted)


def mainline_picture(merge: Callable[[], Merge], title: str, algorithm: str) -> str:
    """Return the auth events of a merge with the mainline, and the positions of the events that it orders."""
    found = merge()
    steps = found.steps(algorithm)
    mainline = list(steps.mainline)

    def position(event_id: EventId) -> str:
        if event_id not in steps.mainline_order:
            return ""
        path = found.mainline_path(event_id, mainline)
        return str(mainline.index(path[-1])) if path and path[-1] in mainline else "∞"

    columns = [
        Column("mainline", lambda one: str(mainline.index(one)) if one in mainline else ""),
        Column("position", position),
    ]
    return auth_picture(found, title, columns, mainline)


_BAN: Final = partial(room_merge, "ban", "end")
_PROMOTIONS: Final = partial(room_merge, "promotions", "end")
_LEFT: Final = partial(room_merge, "left", "end")


def _case_picture(case: str, algorithm: str) -> Callable[[], str]:
    return partial(sets_picture, partial(case_merge, case), case, algorithm)


PICTURES: Final[Mapping[str, Callable[[], str]]] = {
    "ban-graph": partial(graph_picture, "ban"),
    "ban-auth": lambda: auth_picture(_BAN(), "ban: the auth events", []),
    "ban-sets": partial(sets_picture, _BAN, "ban: the sets of version 2", "v2"),
    "ban-depth": partial(depth_picture, _BAN, "ban: what version 1 looks at"),
    "promotions-graph": partial(graph_picture, "promotions"),
    "promotions-sets-v2": partial(sets_picture, _PROMOTIONS, "promotions: the sets of version 2", "v2"),
    "promotions-sets-v2.1": partial(sets_picture, _PROMOTIONS, "promotions: the sets of version 2.1", "v2.1"),
    "left-graph": partial(graph_picture, "left"),
    "left-sets": partial(sets_picture, _LEFT, "left: the sets of version 2.1", "v2.1"),
    "late-graph": partial(graph_picture, "late"),
    "hashes": partial(hashes_picture, "ban", "T0"),
    "order": _case_picture("resolve.order.forward.v11", "v2"),
    "chain": _case_picture("resolve.corner.chain_of_a_power_event.v11", "v2"),
    "mainline": partial(
        mainline_picture,
        partial(case_merge, "resolve.corner.off_the_mainline.v11"),
        "resolve.corner.off_the_mainline.v11",
        "v2",
    ),
    "promotions-case": _case_picture("resolve.promotions.v12", "v2.1"),
    "setter-case": _case_picture("resolve.setter_has_left.v12", "v2.1"),
    "members-unseen": partial(
        depth_picture,
        partial(case_merge, "resolve.passes.members_unseen.v1"),
        "resolve.passes.members_unseen.v1",
    ),
}
"""What draws each picture. Its file has the same name."""


def path_of(name: str) -> Path:
    """Return the file of a picture."""
    return FOLDER / f"{name}.svg"
