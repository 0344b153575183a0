"""The sentences that define sets of events: power events, conflicts, auth chains, the subgraph."""

from collections.abc import Iterator

from .records import ALTERED, DROPPED, INVERTED, WIDENED, Change, Sentence
from .resolutions import BEGINS, EXPLAINS, SAME, TWELVE, TWO, both, changed


def _definitions() -> Iterator[Sentence]:
    yield Sentence(both("definitions.1"), "Definitions follow", idle=BEGINS)
    types = 'if event.type in ("m.room.power_levels", "m.room.join_rules", "m.room.create"): ...'
    removed = 'removed = event.content.get("membership") in ("leave", "ban")'
    last = "return removed and event.state_key is not None and event.sender != event.state_key"

    def power(how: str, old: str, new: str, detail: str = "") -> Change:
        return changed(how, "is_power_event", old, new, detail)

    yield Sentence(
        both("power_events.1"),
        "Power events are power levels, join rules, kicks and bans",
        (
            power(DROPPED, types, types.replace('"m.room.power_levels", ', ""), "power levels are not"),
            power(DROPPED, types, types.replace('"m.room.join_rules", ', ""), "join rules are not"),
            power(DROPPED, removed, removed.replace('("leave", "ban")', '("ban",)'), "kicks are not"),
            power(DROPPED, removed, removed.replace('("leave", "ban")', '("leave",)'), "bans are not"),
            power(INVERTED, last, last.replace("!=", "=="), "leaves of the sender's own are"),
            power(WIDENED, last, "return removed", "all leaves and bans are"),
            power(WIDENED, removed, "removed = True", "invites are"),
            power(WIDENED, "return False", "return event.type == 'm.room.topic'", "topics are"),
            power(
                WIDENED,
                'return event.state_key == ""',
                "return event.state_key is not None",
                "with any state key",
            ),
        ),
    )
    yield Sentence(both("power_events.2"), "They may take an ability away", idle=EXPLAINS)
    for number, what in (
        ("1", "The keys of a state are types and state keys"),
        ("2", "The values are state events"),
        ("3", "The entries are divided into two collections"),
    ):
        yield Sentence(both(f"conflicts.{number}"), what, idle=BEGINS)
    same = "if all(key in other and other[key] == value for other in state_sets): ..."

    def split(how: str, old: str, new: str, detail: str = "") -> Change:
        return changed(how, "split", old, new, detail)

    yield Sentence(
        both("conflicts.4"),
        "An entry that all states have is not in conflict",
        (
            split(DROPPED, same, "if False: ..."),
            split(
                INVERTED,
                same,
                "if not all(key in other and other[key] == value for other in state_sets): ...",
            ),
            split(
                WIDENED,
                same,
                "if all(other.get(key, value) == value for other in state_sets): ...",
                "nor is one that some states lack",
            ),
        ),
    )
    yield Sentence(
        both("conflicts.5"),
        "Any other entry is in conflict",
        (
            split(DROPPED, "conflicted.add(value)", "pass"),
            split(
                ALTERED,
                "conflicted.add(value)",
                "conflicted.add(value) if len([1 for o in state_sets if o.get(key) == value]) == 1 else None",
                "only if one state alone has it",
            ),
        ),
    )
    yield Sentence(both("conflicts.6"), "Several events in conflict may have one key", idle=EXPLAINS)
    chain = "frontier = {a for e in frontier for a in auth_events(events[e], events)} - reached"
    yield Sentence(
        both("auth_chain.1"),
        "An auth chain has the auth events, their auth events, and so on",
        (
            changed(DROPPED, "auth_chain", "reached |= frontier", "pass"),
            changed(
                ALTERED,
                "auth_chain",
                "reached |= frontier",
                "reached |= frontier\nbreak",
                "only the first step",
            ),
            changed(
                ALTERED,
                "auth_chain",
                chain,
                f"{chain}\nfrontier = {{e for e in frontier if events[e].type != 'm.room.member'}}",
                "without members",
            ),
        ),
    )
    yield Sentence(both("auth_chain.2"), "They are reached along auth events", idle=SAME)
    full = "return {*here, *chain.from_iterable(auth_chain(event_id, events) for event_id in here)}"
    difference = "return set().union(*chains) - chains[0].intersection(*chains)"
    yield Sentence(
        both("auth_difference.1"),
        "The auth difference has what is in the auth chains of some states, but not of all",
        (
            changed(DROPPED, "auth_difference", difference, "return set()"),
            changed(INVERTED, "auth_difference", difference, "return chains[0].intersection(*chains)"),
            changed(WIDENED, "auth_difference", difference, "return set().union(*chains)", "or of all"),
            changed(
                ALTERED,
                "auth_difference",
                difference,
                "return chains[0].symmetric_difference(chains[-1])",
                "of two states",
            ),
            changed(
                ALTERED,
                "auth_difference",
                difference,
                "found = set()\nfor one in chains:\n    found ^= one\nreturn found",
                "of an odd number of states",
            ),
            changed(
                ALTERED,
                "auth_difference",
                difference,
                "return chains[0].union(*chains) - set().union(*chains[:-1]).intersection(chains[-1])",
                "of the last and any other",
            ),
            changed(
                ALTERED,
                "full_auth_chain",
                full,
                "return set(chain.from_iterable(auth_chain(event_id, events) for event_id in here))",
                "chains without the events of the state",
            ),
        ),
    )
    yield Sentence(both("auth_difference.2"), "It is the union without the intersection", idle=SAME)
    yield Sentence(
        {TWO: "full_conflicted_set.1", TWELVE: "full_conflicted_set.1"},
        "The full conflicted set has what conflicts, the auth difference and, in version 12, the subgraph",
        tuple(
            changed(
                DROPPED,
                "Resolution.__init__",
                "self.full_conflicted_set = self.conflicted | self.auth_difference | self.subgraph",
                f"self.full_conflicted_set = {new}",
                detail,
            )
            for new, detail in (
                ("self.auth_difference | self.subgraph", "what conflicts"),
                ("self.conflicted | self.subgraph", "the auth difference"),
                ("self.conflicted | self.auth_difference", "the subgraph"),
            )
        ),
        silent={
            f"{DROPPED}: the subgraph": "These versions have no subgraph.",
            f"{DROPPED}: what conflicts": "The full auth chain of a state has the state's own events, so they"
            " are in the auth difference.",
        },
        silent_in={f"{DROPPED}: the subgraph": (TWO,), f"{DROPPED}: what conflicts": (TWELVE,)},
    )


def _subgraph() -> Iterator[Sentence]:
    """Yield what only version 12 has."""
    for number, what in (
        ("1", "Version 12 changes three things"),
        ("2", "The first checks start from an empty state"),
        ("3", "There is a conflicted state subgraph"),
        ("4", "It is part of the full conflicted set"),
    ):
        yield Sentence(
            {TWELVE: number}, what, idle="The sentences of the algorithm say so, each in its place."
        )
    by_chains = "self.subgraph = conflicted_state_subgraph_by_chains(self.conflicted, events)"
    scope = "conflicted_state_subgraph_by_chains"
    above = "any(e == event_id or event_id in chains[e] for e in conflicted)"
    below = "any(e == event_id or e in chains[event_id] for e in conflicted)"
    yield Sentence(
        {TWELVE: "conflicted_state_subgraph.1"},
        "A path of auth events may lead from one conflicted event to another",
        (
            changed(
                ALTERED,
                scope,
                above,
                "any(e == event_id or event_id in auth_events(events[e], events) for e in conflicted)",
                "only one step from it",
            ),
            changed(
                ALTERED,
                scope,
                below,
                "any(e == event_id or e in auth_events(events[event_id], events) for e in conflicted)",
                "only one step to it",
            ),
        ),
    )
    yield Sentence(
        {TWELVE: "conflicted_state_subgraph.2"},
        "The events on such paths, with their ends, are the conflicted state subgraph",
        (
            changed(DROPPED, "Resolution.__init__", by_chains, "self.subgraph = set()"),
            changed(WIDENED, scope, above, "True", "events above a conflicted one, too"),
            changed(WIDENED, scope, below, "True", "events below a conflicted one, too"),
            changed(
                ALTERED,
                "Resolution.__init__",
                by_chains,
                f"{by_chains}\nself.subgraph -= self.conflicted",
                "without the ends",
            ),
        ),
    )


def sentences() -> Iterator[Sentence]:
    """Yield the sentences."""
    for part in (_definitions, _subgraph):
        yield from part()
