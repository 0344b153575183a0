"""The sentences of the iterative auth checks, and of the algorithm that uses them."""

from collections.abc import Iterator

from .records import ALTERED, DROPPED, INVERTED, WIDENED, Change, Sentence
from .resolutions import BEGINS, EXPLAINS, TWELVE, TWO, both, changed


def _checks() -> Iterator[Sentence]:
    scope = "Resolution.iterative_auth_checks"

    def change(how: str, old: str, new: str, detail: str = "") -> Change:
        return changed(how, scope, old, new, detail)

    applied = "state[event.type, event.state_key] = event_id"
    allowed = "if allowed: ..."
    yield Sentence(
        both("iterative_auth_checks.1"),
        "Each event that the rules allow is applied to the state",
        (
            change(DROPPED, applied, "pass"),
            change(INVERTED, allowed, "if not allowed: ..."),
            change(
                ALTERED,
                applied,
                "state.setdefault((event.type, event.state_key), event_id)",
                "the first stays",
            ),
            change(
                ALTERED,
                "allowed = check_against_state(event, required).allowed",
                "first = {key: events[e] for key, e in initial.items() if e in events}\n"
                "allowed = check_against_state(event, {**required, **first}).allowed",
                "checked against the first state",
            ),
        ),
    )
    yield Sentence(
        both("iterative_auth_checks.2"),
        "An event that is not allowed is ignored",
        (change(DROPPED, allowed, "if True: ...", "it is applied"),),
    )
    current = "current = state.get(key)"
    rejected = "if key_of(events[cited]) == key and cited not in rejected: ..."
    yield Sentence(
        both("iterative_auth_checks.3"),
        "What the state lacks is taken from the event's auth events, unless that is rejected",
        (
            change(DROPPED, rejected, "if False: ..."),
            change(INVERTED, current, "current = None", "the auth events come first"),
            change(ALTERED, rejected, "if key_of(events[cited]) == key: ...", "even if it is rejected"),
        ),
    )
    init = "Resolution.__init__"

    def step(how: str, old: str, new: str, detail: str = "") -> Change:
        return changed(how, init, old, new, detail)

    def set_x(how: str, old: str, new: str, detail: str = "") -> Change:
        return changed(how, "set_x", old, new, detail)

    yield Sentence(both("algorithm.1"), "The steps follow", idle=BEGINS)
    picked = "x = {event_id for event_id in full_conflicted_set if is_power_event(events[event_id])}"
    larger = "larger = x | {a for e in x for a in auth_events(events[e], events) if a in full_conflicted_set}"
    yield Sentence(
        both("algorithm.2"),
        "The power events of the full conflicted set are selected",
        (
            set_x(DROPPED, picked, "x = set()"),
            set_x(INVERTED, picked, picked.replace("if is_", "if not is_")),
            set_x(WIDENED, picked, "x = set(full_conflicted_set)"),
            changed(
                ALTERED,
                init,
                "x = set_x(self.full_conflicted_set, events)",
                "x = set_x(self.conflicted, events)",
                "only those that conflict",
            ),
        ),
    )
    yield Sentence(
        both("algorithm.3"),
        "With them, the events of their auth chains in the full conflicted set",
        (
            set_x(DROPPED, larger, "larger = x"),
            set_x(
                WIDENED,
                larger,
                "larger = x | {a for e in x for a in auth_events(events[e], events)}",
                "and those outside of the set",
            ),
            set_x(
                ALTERED,
                "return x",
                "return {e for e in full_conflicted_set if is_power_event(events[e])}"
                " | {a for e in full_conflicted_set if is_power_event(events[e])"
                " for a in auth_events(events[e], events) if a in full_conflicted_set}",
                "only their own auth events",
            ),
        ),
    )
    sort = "self.power_order = reverse_topological_power_ordering(x, events)"
    yield Sentence(
        both("algorithm.4"),
        "They are sorted by the power ordering",
        (
            step(DROPPED, sort, "self.power_order = sorted(x)", "by event ID"),
            step(
                ALTERED,
                sort,
                "top = self.unconflicted.get(POWER_LEVELS)\n"
                "self.power_order = mainline_ordering(x, mainline_of(top, events), events)",
                "by the mainline ordering",
            ),
        ),
    )
    start = "start = {} if v2_1 else self.unconflicted"
    yield Sentence(
        {TWO: "algorithm.5"},
        "The first checks start from what is not in conflict",
        (step(DROPPED, start, "start = {}", "from an empty state"),),
    )
    yield Sentence(
        {TWELVE: "algorithm.5"},
        "The first checks start from an empty state",
        (step(INVERTED, start, "start = self.unconflicted", "from what is not in conflict"),),
    )
    order = "self.mainline_order = mainline_ordering(self.full_conflicted_set - x, self.mainline, events)"
    power_levels = "self.mainline = mainline_of(self.partial_state.get(POWER_LEVELS), events)"
    yield Sentence(
        both("algorithm.6"),
        "All other events are sorted by the mainline of the power levels so far",
        (
            step(DROPPED, order, "self.mainline_order = []", "they are left out"),
            step(
                ALTERED,
                order,
                order.replace("self.full_conflicted_set - x", "self.conflicted - x"),
                "only those that conflict",
            ),
            step(WIDENED, order, order.replace(" - x", ""), "and those that were sorted before"),
            step(
                ALTERED,
                order,
                "left = self.full_conflicted_set - x\n"
                "self.mainline_order = reverse_topological_power_ordering(left, events)",
                "by the power ordering",
            ),
            step(
                ALTERED,
                power_levels,
                "self.mainline = mainline_of(self.unconflicted.get(POWER_LEVELS), events)",
                "of the power levels that are not in conflict",
            ),
        ),
    )
    checks = "state = self.iterative_auth_checks(self.partial_state, self.mainline_order)"
    yield Sentence(
        both("algorithm.7"),
        "They are checked, from the state so far",
        (
            step(DROPPED, checks, "state = dict(self.partial_state)", "none is"),
            step(
                ALTERED,
                checks,
                "state = self.iterative_auth_checks(start, self.mainline_order)",
                "from the first state",
            ),
            step(
                ALTERED,
                checks,
                "state = {**self.partial_state, **{key_of(events[e]): e for e in self.mainline_order}}",
                "without a check",
            ),
        ),
    )
    end = "self.state = {**state, **self.unconflicted}"
    yield Sentence(
        both("algorithm.8"),
        "At the end, what was not in conflict is as it was",
        (
            step(DROPPED, end, "self.state = state"),
            step(INVERTED, end, "self.state = {**self.unconflicted, **state}", "unless it was replaced"),
        ),
    )
    yield Sentence(
        both("rejected_events.1"),
        "Rejected events are handled as usual",
        (
            step(
                INVERTED,
                "self.skip_rejected = skip_rejected",
                "self.skip_rejected = True",
                "they are skipped",
            ),
        ),
    )
    yield Sentence(both("rejected_events.2"), "Others that are rejected are in no state", idle=EXPLAINS)
    yield Sentence(
        both("rejected_events.3"),
        "Rejected auth events are not used in the checks",
        (change(INVERTED, rejected, "if key_of(events[cited]) == key: ...", "they are"),),
    )


def sentences() -> Iterator[Sentence]:
    """Yield the sentences."""
    yield from _checks()
