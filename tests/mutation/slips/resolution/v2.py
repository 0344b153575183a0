"""State resolution of version 2 and 2.1."""

from ...slip import Slip, Table

SLIPS: Table = {
    "resolve_v2": {
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
        ],
    },
    "_is_power_event": {
        "banned_or_kicked and state_key is not None and event.sender != state_key": [
            Slip("a user's own leave is a power event", "banned_or_kicked"),
        ],
    },
    "_power_order.sort_key": {
        "-_sender_level(event, events)": [
            Slip("power events are not ordered by the sender's level", "0", "seen in another implementation"),
        ],
    },
}
