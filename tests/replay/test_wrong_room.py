"""Events that do not belong to one room."""

from typing import Any

import pytest
from builder import ALICE, Room

from roomver import WrongRoom, replay_room


def test_events_of_two_rooms_or_two_versions_are_an_error() -> None:
    one, other = Room("11", signed=False), Room("11", name="other", signed=False)
    with pytest.raises(WrongRoom, match="events of more than one room"):
        replay_room([one.create, other.create])
    with pytest.raises(WrongRoom, match="events of more than one room"):
        replay_room([one.create, Room("10", signed=False).create])


@pytest.mark.parametrize(
    ("version", "named", "wrong"),
    [("11", "10", True), ("11", "made.up", False), ("11", 5, False), ("11", "11", False), ("3", None, True)],
)
def test_a_create_event_that_names_another_known_version_is_an_error(
    version: str, named: Any, wrong: bool
) -> None:
    content: dict[str, Any] = {"creator": ALICE}
    if named is not None:
        content["room_version"] = named
    create = Room(version, content=content, signed=False).create
    if wrong:
        with pytest.raises(WrongRoom, match="is read as"):
            replay_room([create])
    else:
        assert replay_room([create]).order == [create.event_id]
