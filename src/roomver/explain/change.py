"""What an accepted state event changed, what became of it, and what a merge event brought together."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ..errors import counted
from ..event import Event
from ..replay import Replay, Reset
from ..state import PartialState, entries_of
from ..types import EventId, JsonObject, JsonValue, StateKey
from .said import Part, Said, entry, event, joined, said, value

__all__ = ["Change", "Joint", "change_said", "find_change", "find_joint", "joint_said", "levels_said"]

_LEVELS: Final = 4  # changed levels that are named


@dataclass(frozen=True, slots=True)
class Change:
    """What an accepted state event changed.

    Attributes:
        event_id: the event.
        key: its key.
        known_before: whether the value before it is known.
        before: that value: the event that it replaced; None if the key had none.
        replaced_by: the first accepted events that replaced it, each on a branch, in order. Soft-failed ones
            are left out: each is a value on its own branch only.
        undone: the merges at which state resolution undid it, each with the value that came back. A merge of
            None is that of the forward extremities.
        known_now: whether the current value of the key is known.
        now: the current value; None if the key has none.
    """

    event_id: EventId
    key: StateKey
    known_before: bool
    before: EventId | None
    replaced_by: tuple[EventId, ...]
    undone: tuple[tuple[EventId | None, EventId | None], ...]
    known_now: bool
    now: EventId | None

    def to_dict(self) -> JsonObject:
        """Return the change as a JSON object."""
        return {
            "event_id": self.event_id,
            "type": self.key[0],
            "state_key": self.key[1],
            "known_before": self.known_before,
            "before": self.before,
            "replaced_by": [*self.replaced_by],
            "undone": [{"merge": merge, "restored": restored} for merge, restored in self.undone],
            "known_now": self.known_now,
            "now": self.now,
        }


@dataclass(frozen=True, slots=True)
class Joint:
    """A merge of states that did not agree.

    Attributes:
        event_id: the event before which they were merged.
        parents: the events that the merged states follow.
        conflicted: the number of keys on which they differ.
        keys: the first of these keys.
        resets: the number of changes that state resolution undid there.
    """

    event_id: EventId
    parents: tuple[EventId, ...]
    conflicted: int
    keys: tuple[StateKey, ...]
    resets: int

    def to_dict(self) -> JsonObject:
        """Return the merge as a JSON object."""
        return {
            "event_id": self.event_id,
            "parents": [*self.parents],
            "conflicted": self.conflicted,
            "keys": [[*key] for key in self.keys],
            "resets": self.resets,
        }


def current_value(replay: Replay, key: StateKey) -> tuple[bool, EventId | None]:
    """Return whether the current value of a key is known, and the value."""
    state = replay.current_state
    if state is None or (isinstance(state, PartialState) and state.why_unknown(key) is not None):
        return False, None
    return True, entries_of(state).get(key)


def find_change(replay: Replay, subject: Event) -> Change:
    """Return what an accepted state event changed.

    Cost: one pass over the events of the room.
    """
    assert subject.state_key is not None
    key = (subject.type, subject.state_key)
    values = replay.values_of(key)
    own = subject.event_id
    known, before = values.before(own)
    kind, state_key = key
    of_key = {
        one.event_id for one in replay.events.values() if one.type == kind and one.state_key == state_key
    }
    replaced_by = [
        event_id
        for event_id in replay.order
        if event_id in of_key
        and replay.outcomes[event_id].accepted
        and event_id not in replay.soft_failed
        and values.before(event_id) == (True, own)
    ]
    undone = [(one.merge, one.restored) for one in replay.resets() if one.key == key and one.lost == own]
    return Change(own, key, known, before, tuple(replaced_by), tuple(undone), *current_value(replay, key))


def change_said(change: Change, *, soft_failed: bool) -> Said:
    """Say what an accepted state event changed, and what became of it."""
    if soft_failed:
        # It is a value on its own branch only, until that is merged.
        return _now_said(change, soft_failed=True)
    key = entry(change.key)
    sentences: list[Said] = []
    if change.before is not None:
        sentences.append(said("It replaced {before}.", before=event(change.before)))
    elif change.known_before:
        sentences.append(said("{key} had no value before it.", key=key))
    else:
        sentences.append(said("What it replaced is unknown."))
    if change.replaced_by:
        sentences.append(said("Later {after} replaced it.", after=event(change.replaced_by[0])))
    for merge, restored in change.undone[:1]:
        text, back = "State resolution undid it {where}: {back} came back.", restored
        if back is None:
            text = "State resolution undid it {where}, and left the key without a value."
        sentences.append(said(text, where=where_said(merge), back="" if back is None else event(back)))
        more = len(change.undone) - 1
        if more:
            sentences.append(said("{more} undid it too.", more=counted(more, "other merge", "other merges")))
    sentences.append(_now_said(change, soft_failed=soft_failed))
    return joined(sentences)


def _now_said(change: Change, *, soft_failed: bool) -> Said:
    if not change.known_now:
        return said("Whether it is the current value is unknown.")
    if change.now is None:
        return said("The key has no current value.")
    if change.now == change.event_id:
        again = " all the same" if change.replaced_by else ""
        return said("It is the current value{again}.", again=again)
    if change.replaced_by[:1] == (change.now,) and not soft_failed:
        return said("That is the current value.")
    return said("The current value is {now}.", now=event(change.now))


def levels_said(before: Event, after: Event, *, all_users: bool = False) -> Said:
    """Say which entries of the power levels an event changed, against the one that it replaced.

    Args:
        before: the event that was replaced.
        after: the event.
        all_users: name every user whose level changed, not only the first ones.

    Returns:
        The first entries, as in ``users["@a:b"] from 50 to 0``, those of users first; empty if none changed.
    """
    old, new = _level_entries(before.content), _level_entries(after.content)
    changed = [
        path for path in sorted({*old, *new}, key=_users_first) if _differ(old.get(path), new.get(path))
    ]
    users = sum(path.startswith("users[") for path in changed) if all_users else 0
    told = [
        said("{path} from {old} to {new}", path=value(path), old=_level(old, path), new=_level(new, path))
        for path in changed[: max(_LEVELS, users)]
    ]
    more = len(changed) - len(told)
    listed = joined(told, ", ")
    return said("{listed} and {more} more", listed=listed, more=f"{more:,}") if more > 0 else listed


def _level_entries(content: JsonObject) -> dict[str, JsonValue]:
    """Return the entries of the content of power levels by what they are called. A list or map is not one."""
    entries: dict[str, JsonValue] = {}
    for name, found in content.items():
        if type(found) is dict:
            entries |= {f"{name}[{json.dumps(key, ensure_ascii=False)}]": one for key, one in found.items()}
        else:
            entries[name] = found
    return {path: one for path, one in entries.items() if type(one) not in (dict, list)}


def _users_first(path: str) -> tuple[bool, str]:
    return not path.startswith("users["), path


def _differ(old: JsonValue, new: JsonValue) -> bool:
    return type(old) is not type(new) or old != new


def _level(entries: dict[str, JsonValue], path: str) -> Said | Part:
    if path not in entries and path.startswith("users["):
        return said("the default {level}", level=value(entries.get("users_default", 0)))
    return value(entries.get(path, "absent"))


def where_said(merge: EventId | None) -> Said:
    """Say where states were merged."""
    if merge is None:
        return said("at the merge of the newest events")
    return said("at the merge before {merge}", merge=event(merge))


def find_joint(replay: Replay, event_id: EventId) -> Joint | None:
    """Return the merge of states that an event makes; None if its previous events agree on the state."""
    for merge in replay.merges:
        if merge.event_id == event_id:
            resets: Sequence[Reset] = [one for one in replay.resets() if one.merge == event_id]
            return Joint(event_id, merge.parents, merge.conflicted, merge.keys, len(resets))
    return None


def joint_said(joint: Joint) -> Said:
    """Say what a merge event brought together."""
    keys = joined([said("{key}", key=entry(key)) for key in joint.keys[:3]], ", ")
    more = joint.conflicted - min(3, len(joint.keys))
    named = said("{keys} and {more} more", keys=keys, more=f"{more:,}") if more > 0 else keys
    branches = counted(len(joint.parents), "branch", "branches")
    text = (
        "It joins {branches} whose states differ in {number} ({keys}); state resolution undid {resets} there."
    )
    return said(
        text,
        branches=branches,
        number=counted(joint.conflicted, "entry", "entries"),
        keys=named,
        resets=counted(joint.resets, "change", "changes") if joint.resets else "nothing",
    )
