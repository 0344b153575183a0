"""Provide Synapse's functions in this process, for questions about single events and for the sort.

Whole resolutions run in a process of their own: see `peers`. `pip install . --group peer` installs Synapse.
"""

from collections.abc import Callable, Mapping
from typing import Any

from .measure import optional

HOW_TO_INSTALL = "pip install --group peer"


def installed() -> bool:
    """Return whether Synapse is installed."""
    return optional("synapse.server") is not None


def module(name: str) -> Any:
    """Import and return a module of Synapse.

    `synapse.server` is imported first: without it, Synapse's modules import each other in a circle.
    """
    if optional("synapse.server") is None:
        raise RuntimeError(f"matrix-synapse is not installed: {HOW_TO_INSTALL}")
    return optional(f"synapse.{name}")


def parser(version: str) -> Callable[[Mapping[str, Any]], Any]:
    """Return Synapse's `make_event_from_dict` for a room version."""
    make = module("events").make_event_from_dict
    room_version = module("api.room_versions").KNOWN_ROOM_VERSIONS[version]
    return lambda pdu: make(pdu, room_version)
