"""Does the cost of the auth difference depend on the disagreement, or on the size of the room?

Measures only the auth difference, with the conflicted events as input, in the `hq` room at a tenth of its
size and at full size. The fork is the same, among the members who joined first.
"""

from collections.abc import Iterator
from functools import partial

from roomver.resolution import split_states

from .measure import Contender, Goal, Row
from .run import Run
from .shapes import Shape

SUBJECT = "early, 10 times the room"
SMALL, LARGE = "roomver, a tenth", "roomver, full size"

GOALS = [
    Goal(SUBJECT, f"{LARGE} / {SMALL}", "x", at_most=1.5),
    Goal(SUBJECT, f"{LARGE} / {SMALL}", "x", at_most=1.2),
]


def ask(run: Run) -> Iterator[Row]:
    """Measure the small and the large room in turns."""
    small, large = run.shape("early", "11", 0.1), run.shape("early", "11")
    contenders = [_contender(SMALL, small), _contender(LARGE, large)]
    yield run.compare(
        SUBJECT,
        contenders,
        same=None,
        note=f"{len(small.events)} and {len(large.events)} events; {', '.join(_sizes(contenders))}",
    )


def _sizes(contenders: list[Contender[set[str]]]) -> list[str]:
    return [f"{len(contender.run())} in the difference" for contender in contenders]


def _contender(name: str, shape: Shape) -> Contender[set[str]]:
    graph = shape.build_graph()
    split = split_states(shape.state_sets)
    masks = {event_id: mask for by_id in split.conflicted.values() for event_id, mask in by_id.items()}
    full = (1 << len(shape.state_sets)) - 1
    events = shape.events

    def is_shared(event_id: str) -> bool:
        event = events[event_id]
        return event.state_key is not None and split.get((event.type, event.state_key)) == event_id

    return Contender(name, partial(graph.auth_difference, masks, full, is_shared))
