"""The programs that `peers` and `growth` compare, how each is started and built, and where results differ.

Each is an adapter of `vectors/adapters`, or roomver itself. Some are measured in two modes of `time`.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import roomver

from .measure import optional
from .resolution import KEPT
from .run import ROOT

OURS = "roomver"
SYNAPSE, RUMA, GOMATRIXSERVERLIB, REZZY = "Synapse", "ruma", "gomatrixserverlib", "rezzy"
CACHED = "Synapse, conflicts cached"
DENDRITE = "gomatrixserverlib, as Dendrite calls it"
PEERS = (SYNAPSE, RUMA, GOMATRIXSERVERLIB, REZZY)
COMPARED = (SYNAPSE, RUMA, DENDRITE, REZZY)
"""The columns that goals refer to, warm. From gomatrixserverlib it is the function that a server calls."""
ADAPTERS = ROOT / "vectors" / "adapters"
_SYNAPSE_VENV = "vectors/adapters/synapse/venv"

_NO_STATES = (
    "in version 12 its function for states panics, and its function for events does not have the states"
)
_OTHER_ORDER = (
    "it adds only conflicted events with a power event, and sorts by the number of steps to the mainline"
    " before the time"
)
_OLDER = (
    "its older function finds another auth difference, and sorts by the number of steps to the mainline"
    " before the time"
)
_FIRST_LEVELS = "in its order, the creator has no power where an event cites no power levels"
_ALGORITHM_2 = "Dendrite resolves version 12 by the algorithm of version 2"
_NO_DIFFERENCE = "it does not add the auth difference to the conflicted events"
_JOIN_RULES = (
    "it also replays join rules of the auth chains, and these replace join rules that the states agree on"
)
_ONE_ORDER = "its version 1 takes the steps of version 2, ordered by depth"
DEPARTURES: Mapping[tuple[str, str], str] = {
    ("toy v12", GOMATRIXSERVERLIB): _NO_STATES,
    ("hq v12", GOMATRIXSERVERLIB): _NO_STATES,
    ("busy v12", GOMATRIXSERVERLIB): _NO_STATES,
    ("busy v11", GOMATRIXSERVERLIB): _OTHER_ORDER,
    ("busy v11", DENDRITE): _OLDER,
    ("deep v11", DENDRITE): _FIRST_LEVELS,
    ("busy v12", DENDRITE): _ALGORITHM_2,
    ("busy v11", REZZY): _NO_DIFFERENCE,
    ("busy v12", REZZY): _NO_DIFFERENCE,
    ("hq v12", REZZY): _JOIN_RULES,
    ("storm v1", REZZY): _ONE_ORDER,
}
"""The listed differences: shapes that an implementation resolves to another state, with the reason."""


@dataclass
class Program:
    """An implementation that answers `time`.

    Attributes:
        name: its name in the table.
        command: the command that starts it.
        build: the command that builds it.
        there: whether it has been built.
        environment: the environment variables that it needs.
        mode: the mode that replaces *warm*; with it, the program runs in no other mode.
    """

    name: str
    command: list[str]
    build: str
    there: bool
    environment: Mapping[str, str] = field(default_factory=dict)
    mode: str = ""


def programs() -> list[Program]:
    """Return the implementations, roomver first."""
    ruma = ADAPTERS / "ruma" / "target" / "release" / "roomver-adapter-ruma"
    rezzy = ADAPTERS / "rezzy" / "target" / "release" / "roomver-adapter-rezzy"
    go = ADAPTERS / "gomatrixserverlib" / "adapter"
    venv = ADAPTERS / "synapse" / "venv" / "bin" / "python"
    python = str(venv) if venv.exists() else sys.executable
    # The roomver that is imported here, wherever it is installed.
    path = os.pathsep.join([str(Path(roomver.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    serve = [sys.executable, "-m", "roomver", "vectors", "serve"]
    environment = {"PYTHONPATH": path.rstrip(os.pathsep)}
    return [
        Program(OURS, serve, "", True, environment),
        Program(KEPT, serve, "", True, environment, mode="kept"),
        *(
            Program(
                name,
                [python, str(ADAPTERS / "synapse" / "adapter.py")],
                f"python3 -m venv {_SYNAPSE_VENV} && {_SYNAPSE_VENV}/bin/pip install -q -r"
                " vectors/adapters/synapse/requirements.txt",
                venv.exists() or optional("synapse") is not None,
                mode=mode,
            )
            for name, mode in ((SYNAPSE, ""), (CACHED, "cached"))
        ),
        Program(
            RUMA,
            [str(ruma)],
            "cargo build --release --manifest-path vectors/adapters/ruma/Cargo.toml",
            ruma.exists(),
        ),
        *(
            Program(
                name,
                [str(go)],
                "go build -C vectors/adapters/gomatrixserverlib -o adapter .",
                go.exists(),
                mode=mode,
            )
            for name, mode in ((GOMATRIXSERVERLIB, ""), (DENDRITE, "split"))
        ),
        Program(
            REZZY,
            [str(rezzy)],
            "cargo build --release --manifest-path vectors/adapters/rezzy/Cargo.toml",
            rezzy.exists(),
        ),
    ]
