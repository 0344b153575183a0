"""The sentences on the two orders of events, from version 2 on."""

from collections.abc import Iterator

from .records import ALTERED, DROPPED, INVERTED, WIDENED, Change, Sentence
from .resolutions import BEGINS, EXPLAINS, TWO, both, changed


def _orders() -> Iterator[Sentence]:
    def order(how: str, old: str, new: str, detail: str = "") -> Change:
        return changed(how, "reverse_topological_power_ordering", old, new, detail)

    candidates = "candidates = [e for e in left if not left.intersection(auth_events(events[e], events))]"
    smallest = "smallest = min(candidates, key=comparison)"
    compared = "return -sender_level(event, events), event.origin_server_ts, event_id"
    yield Sentence(
        both("power_ordering.1"),
        "The order is topological: auth events come first",
        (
            order(DROPPED, candidates, "candidates = list(left)"),
            order(
                INVERTED,
                candidates,
                "cited = {a for e in left for a in auth_events(events[e], events)}\n"
                "candidates = [e for e in left if e not in cited]",
            ),
        ),
    )
    yield Sentence(
        both("power_ordering.2"),
        "The earliest event comes first",
        (order(INVERTED, "return ordered", "return ordered[::-1]"),),
    )
    yield Sentence(both("power_ordering.3"), "Events are compared", idle=BEGINS)
    yield Sentence(
        both("power_ordering.4"),
        "The event of the sender with the greater level is smaller",
        (
            order(DROPPED, compared, "return 0, event.origin_server_ts, event_id"),
            order(INVERTED, compared, compared.replace("-sender", "sender")),
            changed(
                ALTERED,
                "sender_level",
                "cited = [events[event_id] for event_id in auth_events(event, events)]",
                "cited = [e for e in events.values() if key_of(e) in (CREATE, POWER_LEVELS)]",
                "by power levels that it does not cite",
            ),
            changed(
                ALTERED,
                "sender_level",
                "return 100 if creator == event.sender else 0",
                "return 0",
                "without power levels the creator has none",
            )._replace(only=(TWO,)),
            changed(
                ALTERED,
                "sender_level",
                'level = auth.level(content.get("users_default"), version)',
                "level = None",
                "without `users_default`",
            ),
        ),
    )
    yield Sentence(
        both("power_ordering.5"),
        "At the same level the older event is smaller",
        (
            order(DROPPED, compared, "return -sender_level(event, events), 0, event_id"),
            order(INVERTED, compared, compared.replace("event.origin", "-event.origin")),
            order(ALTERED, compared, compared.replace("origin_server_ts", "depth"), "by depth"),
        ),
    )
    yield Sentence(
        both("power_ordering.6"),
        "At the same level and time the smaller event ID is smaller",
        (order(INVERTED, compared, compared.replace(", event_id", ", [-ord(c) for c in event_id]")),),
    )
    yield Sentence(
        both("power_ordering.7"),
        "At each step the smallest event is taken whose auth events are taken",
        (
            order(INVERTED, smallest, smallest.replace("min", "max")),
            order(
                ALTERED,
                smallest,
                "*earlier, smallest = sorted(candidates, key=comparison)\n"
                "ordered.extend(earlier)\nleft.difference_update(earlier)",
                "all candidates are taken before new ones are looked for",
            ),
        ),
    )
    main = "for cited in events[event_id].auth_event_ids: ..."
    yield Sentence(both("mainline_ordering.1"), "The mainline starts at power levels", idle=BEGINS)
    step = "p = power_levels_of(p, events)"
    yield Sentence(
        both("mainline_ordering.2"),
        "The next is the power levels that these cite",
        (
            changed(DROPPED, "mainline_of", step, "p = None"),
            changed(
                ALTERED,
                "power_levels_of",
                main,
                "for cited in events[event_id].auth_event_ids[:2]: ...",
                "if they are among the first two auth events",
            ),
            changed(
                WIDENED,
                "power_levels_of",
                "if cited in events and key_of(events[cited]) == POWER_LEVELS: ...",
                "if cited in events and events[cited].type == 'm.room.join_rules': ...",
                "or other events",
            ),
        ),
    )
    yield Sentence(
        both("mainline_ordering.3"),
        "It goes on until no power levels are cited",
        (
            changed(
                DROPPED,
                "mainline_of",
                step,
                f"{step}\nif len(mainline) == 2:\n    break",
                "it ends after two",
            ),
        ),
    )
    yield Sentence(
        both("mainline_ordering.4"),
        "The mainline is the list of all of them",
        (
            changed(
                ALTERED,
                "mainline_of",
                "return mainline",
                "return mainline[1:]",
                "without the first",
            ),
        ),
    )
    listed = "listed = mainline_of(power_levels_of(event_id, events), events)"
    position = "return mainline.index(e_j)"

    def at(how: str, old: str, new: str, detail: str = "") -> Change:
        return changed(how, "mainline_position", old, new, detail)

    yield Sentence(both("mainline_ordering.5"), "Another event is placed by it", idle=BEGINS)
    yield Sentence(
        both("mainline_ordering.6"),
        "The power levels that the event cites, those that they cite, and so on",
        (
            at(
                DROPPED,
                listed,
                "listed = mainline_of(power_levels_of(event_id, events), events)[:1]",
                "only the first",
            ),
        ),
    )
    yield Sentence(
        both("mainline_ordering.7"),
        "The event itself is not in the list",
        idle="Power levels are power events, so no event that is placed is on the mainline.",
    )
    yield Sentence(both("mainline_ordering.8"), "The list may be empty", idle=EXPLAINS)
    yield Sentence(both("mainline_ordering.9"), "The lists are compared", idle=BEGINS)
    yield Sentence(
        both("mainline_ordering.10"),
        "The first of the list that is on the mainline counts",
        (at(INVERTED, "for e_j in listed: ...", "for e_j in listed[::-1]: ...", "the last"),),
    )
    yield Sentence(
        both("mainline_ordering.11"),
        "The position is its place on the mainline",
        (
            at(DROPPED, position, "return 0"),
            at(INVERTED, position, "return -mainline.index(e_j)"),
            at(ALTERED, position, "return listed.index(e_j)", "its place in the list"),
        ),
    )
    infinite = "return INFINITE"
    yield Sentence(
        both("mainline_ordering.12"),
        "Otherwise the position is infinite",
        (
            at(DROPPED, infinite, "return 0", "it is the first"),
            at(ALTERED, infinite, "return len(mainline) - 1", "it is that of the oldest"),
            at(INVERTED, infinite, "return -1"),
        ),
    )
    yield Sentence(both("mainline_ordering.13"), "That is the mainline position", idle=BEGINS)

    def mainline(how: str, old: str, new: str, detail: str = "") -> Change:
        return changed(how, "mainline_ordering", old, new, detail)

    compared = "return -position, events[event_id].origin_server_ts, event_id"
    yield Sentence(
        both("mainline_ordering.14"),
        "The events are sorted from the smallest to the largest",
        (
            mainline(
                INVERTED,
                "return sorted(event_ids, key=comparison)",
                "return sorted(event_ids, key=comparison, reverse=True)",
            ),
        ),
    )
    yield Sentence(
        both("mainline_ordering.15"),
        "The event with the greater position is smaller",
        (
            mainline(DROPPED, compared, "return 0, events[event_id].origin_server_ts, event_id"),
            mainline(INVERTED, compared, compared.replace("-position", "position")),
        ),
    )
    yield Sentence(
        both("mainline_ordering.16"),
        "At the same position the older event is smaller",
        (
            mainline(DROPPED, compared, "return -position, 0, event_id"),
            mainline(INVERTED, compared, compared.replace(" events[", " -events[")),
            mainline(ALTERED, compared, compared.replace("origin_server_ts", "depth"), "by depth"),
        ),
    )
    yield Sentence(
        both("mainline_ordering.17"),
        "At the same position and time the smaller event ID is smaller",
        (mainline(INVERTED, compared, compared.replace(", event_id", ", [-ord(c) for c in event_id]")),),
    )


def sentences() -> Iterator[Sentence]:
    """Yield the sentences."""
    yield from _orders()
