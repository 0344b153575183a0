"""Synapse's functions in this process, for what is asked of one event at a time, and for the sort.

Whole resolutions run in a process of their own: see `peers`. Installed by `pip install 'roomver[peer]'`.
"""

from collections.abc import Callable, Mapping
from typing import Any

from .measure import optional

HOW_TO_INSTALL = "pip install '.[peer]'"


def installed() -> bool:
    """Tell whether the wheel is there."""
    return optional("synapse.server") is not None


def module(name: str) -> Any:
    """Import a module of Synapse's; `synapse.server` comes first, or they import each other in a
    circle."""
    if optional("synapse.server") is None:
        raise RuntimeError(f"matrix-synapse is not installed: {HOW_TO_INSTALL}")
    return optional(f"synapse.{name}")


def parser(version: str) -> Callable[[Mapping[str, Any]], Any]:
    """Return Synapse's `make_event_from_dict` for a room version."""
    make = module("events").make_event_from_dict
    known = module("api.room_versions").KNOWN_ROOM_VERSIONS[version]
    return lambda pdu: make(pdu, known)
