"""State resolution of version 2 and 2.1."""

from ...slip import Slip, Table

SLIPS: Table = {
    "resolve_v2": {
        "mainline_order = None": [
            Slip(
                "states without power levels cannot be resolved",
                """
                mainline_order = None
                assert power_levels is not None
                """,
                "Rocket.Chat homeserver, before 0.1.10",
            ),
        ],
        "base.get(POWER_LEVELS)": [
            Slip(
                "in version 2.1, the mainline starts from the unconflicted power levels",
                "split.get(POWER_LEVELS)",
            ),
        ],
    },
    "_full_conflicted_set": {
        "graph.conflicted_subgraph(conflicted)": [
            Slip(
                "unconflicted events of the conflicted state subgraph are not replayed",
                "conflicted",
                "gomatrixserverlib",
            ),
            Slip(
                "the conflicted state subgraph has auth events beside its paths",
                "set(graph.conflicted_subgraph(conflicted)).union("
                "*(known.events[one].auth_parents for one in graph.conflicted_subgraph(conflicted)))",
                "tuwunel, before 1.8.3: some of them",
            ),
        ],
    },
    "_is_power_event": {
        "banned_or_kicked and state_key is not None and event.sender != state_key": [
            Slip("a user's own leave is a power event", "banned_or_kicked"),
        ],
    },
    "_sender_level": {
        "Levels(create, power_levels)": [
            Slip(
                "in the order of power events, a creator without power levels has level 0",
                "Levels(None, power_levels)",
                "Synapse before 1.133, in version 11; continuwuity",
            ),
        ],
    },
    "_power_order.sort_key": {
        "-_sender_level(event, events)": [
            Slip("power events are not ordered by the sender's level", "0", "ruma, before 0.13"),
        ],
    },
}
