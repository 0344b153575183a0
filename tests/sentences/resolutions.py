"""The sentences on the state before and after an event, and those of the algorithm of version 1."""

from collections.abc import Iterator, Mapping

from .records import ALTERED, DROPPED, INVERTED, WIDENED, Change, Sentence

ONE, TWO, TWELVE = "resolution.v1", "resolution.v2", "resolution.v12"
EXPLAINS = "It explains, and asks nothing more."
BEGINS = "It only introduces what follows."
SAME = "It says in other words what another sentence says."


def _replay(how: str, scope: str, old: str, new: str, detail: str = "") -> Change:
    return Change(how, "replay.py", f"Replayed.{scope}", old, new, detail)


def changed(how: str, scope: str, old: str, new: str, detail: str = "") -> Change:
    return Change(how, "resolution.py", scope, old, new, detail)


def both(identifier: str) -> Mapping[str, str]:
    return {TWO: identifier, TWELVE: identifier}


def _states() -> Iterator[Sentence]:
    """Yield the sentences about the state after an event, which all algorithms have."""
    for at, what in (
        ({ONE: "5", TWO: "1", TWELVE: "5"}, "The state after an event is defined by the state before it"),
        ({ONE: "9", TWO: "5", TWELVE: "9"}, "The algorithm says how states are resolved"),
    ):
        yield Sentence(at, what, idle=BEGINS)
    after = "if event.state_key is not None: ..."
    change = "self.after[event_id] = {**before, (event.type, event.state_key): event_id}"
    yield Sentence(
        {ONE: "6", TWO: "2", TWELVE: "6"},
        "A message does not change the state",
        (
            _replay(
                INVERTED,
                "receive",
                f"{after}",
                "self.after[event_id] = {**before, (event.type, event.state_key or ''): event_id}",
                "it does",
            ),
        ),
    )
    yield Sentence(
        {ONE: "7", TWO: "3", TWELVE: "7"},
        "A state event takes the place of the one with its type and state key",
        (
            _replay(DROPPED, "receive", change, "pass"),
            _replay(
                INVERTED,
                "receive",
                change,
                "self.after[event_id] = {(event.type, event.state_key): event_id, **before}",
                "the older one stays",
            ),
            _replay(
                WIDENED,
                "receive",
                change,
                "self.after[event_id] = {**{key: one for key, one in before.items() if key[0] != event.type},"
                " (event.type, event.state_key): event_id}",
                "of those with its type",
            ),
            _replay(ALTERED, "receive", after, "if event.state_key: ...", "an empty state key is none"),
        ),
    )
    before = "before = self.resolved([self.after[parent] for parent in dict.fromkeys(event.prev_event_ids)])"
    yield Sentence(
        {ONE: "8", TWO: "4", TWELVE: "8"},
        "The state before an event is resolved from the states after its previous events",
        (
            _replay(
                DROPPED,
                "receive",
                before,
                "before = self.resolved([self.after[parent] for parent in event.prev_event_ids[:1]])",
                "only the first counts",
            ),
            _replay(
                ALTERED,
                "receive",
                before,
                "before = self.resolved([self.after[parent] for parent in event.prev_event_ids[-1:]])",
                "only the last counts",
            ),
            _replay(
                ALTERED,
                "receive",
                before,
                before.replace("self.after[", "self.before["),
                "the states before them",
            ),
        ),
    )


def _first() -> Iterator[Sentence]:
    """Yield the sentences of the algorithm of version 1."""
    for number in ("1", "2", "3", "4"):
        yield Sentence({ONE: number}, "The algorithm has known faults", idle=EXPLAINS)
    yield Sentence({ONE: "10"}, "The state is built up in passes", idle=BEGINS)
    start = "r = {key: min(ids) for key, ids in values.items() if len(ids) == 1}"

    def change(how: str, old: str, new: str, detail: str = "") -> Change:
        return changed(how, "resolve_v1", old, new, detail)

    yield Sentence(
        {ONE: "11"},
        "The result begins as the union of the states, without what conflicts",
        (
            change(DROPPED, start, "r = {}"),
            change(
                ALTERED,
                start,
                "r = {key: min(ids) for key, ids in values.items()"
                " if all(key in state for state in state_sets) and len(ids) == 1}",
                "only what every state has",
            ),
            change(
                WIDENED, start, "r = {key: min(ids) for key, ids in values.items()}", "with what conflicts"
            ),
        ),
    )
    kinds = 'for kind in ("m.room.power_levels", "m.room.join_rules", "m.room.member"): ...'

    def passes(*names: str) -> str:
        return f"for kind in {tuple(f'm.room.{name}' for name in names)!r}: ..."

    yield Sentence(
        {ONE: "12"},
        "Conflicts of power levels are resolved first",
        (
            change(DROPPED, kinds, passes("join_rules", "member"), "they are resolved with all others"),
            change(ALTERED, kinds, passes("join_rules", "member", "power_levels"), "after the members"),
            change(ALTERED, kinds, passes("join_rules", "power_levels", "member"), "after the join rules"),
        ),
    )
    yield Sentence({ONE: "13"}, "Without a conflict the pass is skipped", idle=BEGINS)
    listed = "listed = sorted(ids, key=lambda e: (events[e].depth, -digest(e)))"
    yield Sentence(
        {ONE: "14"},
        "A pass takes the conflicting events of all states",
        (
            change(DROPPED, listed, listed.replace("ids,", "sorted(ids)[:1],"), "only one of them"),
            change(ALTERED, listed, listed.replace("ids,", "sorted(ids)[:2],"), "two of them at most"),
        ),
    )
    yield Sentence(
        {ONE: "15"},
        "They are sorted by ascending depth, then by descending SHA-1 of the event ID",
        (
            change(DROPPED, listed, "listed = sorted(ids)", "by event ID"),
            change(
                INVERTED,
                listed,
                "listed = sorted(ids, key=lambda e: (-events[e].depth, -digest(e)))",
                "by descending depth",
            ),
            change(
                INVERTED,
                listed,
                "listed = sorted(ids, key=lambda e: (events[e].depth, digest(e)))",
                "by ascending SHA-1",
            ),
            change(
                ALTERED, listed, "listed = sorted(ids, key=lambda e: (events[e].depth, e))", "without SHA-1"
            ),
            change(
                ALTERED,
                listed,
                "listed = sorted(ids, key=lambda e: (events[e].origin_server_ts, -digest(e)))",
                "by time",
            ),
        ),
    )
    room = "room = {**before, key: listed[0]}"
    yield Sentence(
        {ONE: "16"},
        "The first is taken without a check",
        (
            change(
                INVERTED,
                room,
                f"listed = [e for e in listed if allowed(e, before)] or listed[:1]\n{room}",
                "it is checked",
            ),
        ),
    )
    check = "if not allowed(event_id, room): ..."
    yield Sentence(
        {ONE: "17"},
        "Each later one is checked against the result so far",
        (
            change(DROPPED, check, "if False: ..."),
            change(INVERTED, check, "if allowed(event_id, room): ..."),
            change(
                ALTERED, check, "if not allowed(event_id, before): ...", "against the result before the pass"
            ),
        ),
    )
    taken = "room[key] = event_id"
    yield Sentence(
        {ONE: "18"},
        "An allowed one replaces the one before it",
        (
            change(DROPPED, taken, "pass"),
            change(ALTERED, taken, "room[key] = event_id\nbreak", "and ends the pass"),
        ),
    )
    yield Sentence(
        {ONE: "19"},
        "The pass ends at the first that is not allowed",
        (change(DROPPED, "break", "continue"),),
    )
    yield Sentence(
        {ONE: "20"},
        "Join rules are resolved next, in the same way",
        (
            change(DROPPED, kinds, passes("power_levels", "member"), "with all others"),
            change(ALTERED, kinds, passes("power_levels", "member", "join_rules"), "after the members"),
        ),
    )
    yield Sentence(
        {ONE: "21"},
        "Member events are resolved next, in the same way",
        (change(DROPPED, kinds, passes("power_levels", "join_rules"), "with all others"),),
    )
    rest = "listed = sorted(ids, key=lambda e: (-events[e].depth, digest(e)))"
    pick = "r[key] = next((event_id for event_id in listed if allowed(event_id, before)), listed[-1])"
    yield Sentence(
        {ONE: "22"},
        "Of other conflicts the deepest event that is allowed stays, or that with the lowest SHA-1",
        (
            change(DROPPED, pick, "r[key] = listed[0]", "without a check"),
            change(
                INVERTED,
                rest,
                "listed = sorted(ids, key=lambda e: (events[e].depth, digest(e)))",
                "by ascending depth",
            ),
            change(
                INVERTED,
                rest,
                "listed = sorted(ids, key=lambda e: (-events[e].depth, -digest(e)))",
                "by descending SHA-1",
            ),
            change(
                ALTERED, rest, "listed = sorted(ids, key=lambda e: (-events[e].depth, e))", "without SHA-1"
            ),
            change(
                ALTERED,
                pick,
                pick.replace("before)", "{})"),
                "checked without a state",
            ),
        ),
    )
    yield Sentence(
        {ONE: "23"},
        "A conflict is about different events with one type and state key",
        (
            change(
                ALTERED,
                "values = {key: {state[key] for state in state_sets if key in state} for key in keys}",
                "values = {key: {one for state in state_sets for other, one in state.items()"
                " if other == key or other[0] == key[0] == 'm.room.member'} for key in keys}",
                "or with different state keys",
            ),
        ),
    )
    yield Sentence({ONE: "24"}, "Such events are called conflicting", idle=BEGINS)


def sentences() -> Iterator[Sentence]:
    """Yield the sentences."""
    for part in (_states, _first):
        yield from part()
