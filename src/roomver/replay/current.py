"""The current state at the end of a replay: the merge of the states after the forward extremities."""

from collections.abc import Mapping, Sequence
from typing import Final

from ..errors import MissingEvents
from ..resolution import split_states
from ..state import PartialState, Unknown, apply_changes
from ..types import EventId, StateMap
from .fold import Fold, why_undecided
from .groups import split_groups
from .open_states import Open
from .result import Merge
from .states import KnownState, plain

ENDS_UNCERTAIN: Final = "the forward extremities are not certain"
"""Why a current state is known in part, if the states that may be merged into it agree only in part."""


def resolve_open(fold: Fold, ends: Mapping[int | None, Open], *, most: int) -> KnownState | None:
    """Merge the states after the ends; return None if there are too many.

    Args:
        fold: the fold, at its end.
        ends: the ends by the group of the state after them. These states are known.
        most: how many states are merged if one of them is known in part.
    """
    result = fold.result
    groups = sorted(group for group in ends if group is not None)
    if not groups:
        return {}
    if len(groups) == 1:
        return result._state(groups[0])
    if any(group in result._unknown for group in groups):
        if len(groups) > most:
            result.too_many_states = True
            return None
        return _merged(fold, ends, groups)
    found = split_groups(result, groups)
    if found is None:
        result.too_many_states = True
        return None
    order, split = found
    state = dict(split.base)
    try:
        resolved = fold.resolved(split, len(order), fold.algorithm)
    except MissingEvents as error:
        if len(groups) <= most and any(group in fold.filled for group in groups):
            return _merged(fold, ends, groups)
        # No algorithm changes an entry that all branches agree on.
        return PartialState(
            {key: event_id for key, event_id in state.items() if key not in split.conflicted},
            why_undecided(error),
        )
    if split.conflicted:
        parents = [sorted(ends[group].ends) for group in order]
        result.merges.append(Merge.of(None, result.forward_extremities, split))
        fold.note_resets(None, fold.resets_at(split, resolved, parents))
    apply_changes(state, resolved.items())
    return state


def _merged(fold: Fold, ends: Mapping[int | None, Open], groups: Sequence[int]) -> KnownState:
    states = {
        end: here.state
        for here in map(ends.__getitem__, groups)
        if here.state is not None
        for end in here.ends
    }
    return plain(fold.merge(None, dict(sorted(states.items())))[0])


def agreed_among(states: Sequence[StateMap[EventId]] | None) -> PartialState[EventId] | None:
    """Return the current state, known in part, if some of these states are merged and nothing tells which.

    Args:
        states: the known entries of each; None if one of the states is unknown as a whole.

    Returns:
        The entries that all states have, which no algorithm changes; None if there are none.
    """
    if not states:
        return None
    agreed = split_states(states).unconflicted
    return PartialState(agreed, [Unknown.everything(ENDS_UNCERTAIN)]) if agreed else None
