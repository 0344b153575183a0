"""How long does the lexicographic topological sort of 100,000 events take, beside the sorts of networkx and
Synapse?

Each sorts the same graph with the same keys. roomver and networkx are measured twice: with the graph
prepared, and with the graph built on the clock from the parents of each event. roomver's graph is the number
of each event's parents and the list of its children; that of networkx is a `DiGraph`. Synapse gets a copy of
its mapping, because its sort consumes it. All must return the same order.
"""

from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from random import Random
from typing import Any

from roomver.ordering import lexicographic_topological_sort

from . import synapse
from .measure import Contender, Goal, Row, optional, ratios
from .run import Run

OURS = "roomver, graph given"
BUILT = "roomver, graph built"
NETWORKX = "networkx, graph given"
NETWORKX_BUILT = "networkx, graph built"
THEIRS = "Synapse"

# NOTES.md ("Where the time of `sort` goes") says why the first of these was once 10.
GOALS = [
    Goal(subject, f"{theirs} / {ours}", "x", at_least=5)
    for theirs, ours in ((NETWORKX, OURS), (NETWORKX_BUILT, BUILT))
    for subject in ("chains", "hubs")
]

Key = tuple[int, int, str]


def ask(run: Run) -> Iterator[Row]:
    """Sort two graphs."""
    for subject, make, note in (
        ("chains", chains, "one or two parents among the last 50"),
        ("hubs", hubs, "four parents, like auth events: a few hubs, and the sender's last event"),
    ):
        parents, keys = make(run.count(100_000))
        contenders: list[Contender[list[str]]] = [
            Contender(OURS, partial(_ours, keys), lambda: _counted(parents)),  # noqa: B023
            Contender(BUILT, lambda: _ours(keys, *_counted(parents))),  # noqa: B023
        ]
        networkx = optional("networkx")
        if networkx is not None:
            contenders += [
                Contender(NETWORKX, partial(_networkx, networkx, keys), lambda: (_graph(networkx, parents),)),  # noqa: B023
                Contender(NETWORKX_BUILT, lambda: _networkx(networkx, keys, _graph(networkx, parents))),  # noqa: B023
            ]
        if synapse.installed():
            sort = synapse.module("state.v2").lexicographical_topological_sort
            contenders.append(
                Contender(
                    THEIRS,
                    partial(_by_synapse, sort, keys),
                    lambda: ({key: set(above) for key, above in parents.items()},),  # noqa: B023
                )
            )
        row = run.compare(
            subject,
            contenders,
            note=f"{len(parents)} events, {note}",
        )
        if NETWORKX_BUILT in row.times:
            built = ratios(row.times[NETWORKX_BUILT].values, row.times[BUILT].values)
            row.figures[f"{NETWORKX_BUILT} / {BUILT}"] = built.median
        if networkx is None:
            row.skipped["networkx"] = "pip install networkx"
        if not synapse.installed():
            row.skipped[THEIRS] = synapse.HOW_TO_INSTALL
        yield row


def _names(rng: Random, count: int) -> list[str]:
    return ["$" + urlsafe_b64encode(rng.randbytes(32)).decode().rstrip("=") for _ in range(count)]


def _keys(rng: Random, names: list[str]) -> dict[str, Key]:
    """Return a sort key for each name: a power level, a time with some ties, and the ID."""
    return {
        name: (-rng.choice([0, 0, 0, 50, 100]), number // 3 + rng.randrange(100), name)
        for number, name in enumerate(names)
    }


def chains(count: int) -> tuple[dict[str, list[str]], dict[str, Key]]:
    """Return the parents and sort keys of events that follow each other on several branches."""
    rng = Random(12)
    names = _names(rng, count)
    parents = {
        name: rng.sample(names[max(0, place - 50) : place], min(place, rng.choice([1, 1, 1, 2])))
        for place, name in enumerate(names)
    }
    return parents, _keys(rng, names)


def hubs(count: int) -> tuple[dict[str, list[str]], dict[str, Key]]:
    """Return the parents and sort keys of events that cite as auth events do.

    Each has as parents the create event, the latest event of two kinds, and its sender's last event.
    """
    rng = Random(13)
    names = _names(rng, count)
    parents: dict[str, list[str]] = {}
    latest: dict[object, str] = {}
    for place, name in enumerate(names):
        sender = rng.randrange(max(1, count // 5))
        latest.setdefault("create", name)
        above = (latest.get(kind) for kind in ("create", "levels", "rules", sender))
        parents[name] = list(dict.fromkeys(parent for parent in above if parent not in (None, name)))
        latest[sender] = name
        if place % 1000 in (1, 2):
            latest["levels" if place % 1000 == 1 else "rules"] = name
    return parents, _keys(rng, names)


def _counted(parents: Mapping[str, list[str]]) -> tuple[dict[str, int], dict[str, list[str]]]:
    """Return the number of each event's parents, and the children of each event that has any."""
    children: dict[str, list[str]] = {}
    for name, above in parents.items():
        for parent in above:
            if parent in children:
                children[parent].append(name)
            else:
                children[parent] = [name]
    return {name: len(above) for name, above in parents.items()}, children


def _ours(keys: Mapping[str, Key], counts: dict[str, int], children: dict[str, list[str]]) -> list[str]:
    return lexicographic_topological_sort(counts, children, keys.__getitem__)


def _graph(networkx: Any, parents: Mapping[str, list[str]]) -> Any:
    graph = networkx.DiGraph()
    graph.add_nodes_from(parents)
    graph.add_edges_from((parent, name) for name, above in parents.items() for parent in above)
    return graph


def _networkx(networkx: Any, keys: Mapping[str, Key], graph: Any) -> list[str]:
    return list(networkx.lexicographical_topological_sort(graph, key=keys.__getitem__))


def _by_synapse(
    sort: Callable[..., Iterator[str]], keys: Mapping[str, Key], graph: dict[str, set[str]]
) -> list[str]:
    return list(sort(graph, key=keys.__getitem__))
