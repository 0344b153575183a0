"""Unstable room versions: those of proposals (MSCs), which may still change.

They are found by their identifiers, and stay out of `ROOM_VERSIONS`. What Synapse 1.163.2 calls by the same
names differs as their comments say.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from .record import RoomVersion
from .stable import V10, V11, V12

__all__ = ["UNSTABLE_ROOM_VERSIONS"]


def _based(base: RoomVersion, identifier: str, **changes: Any) -> RoomVersion:
    return replace(base, identifier=identifier, based_on=base.identifier, **changes)


# What became room version 12, under the name that it was tried with: MSC4289, MSC4291 and MSC4297.
# Source: https://github.com/matrix-org/matrix-spec-proposals/blob/main/proposals/4304-room-version-12.md
_HYDRA_11 = _based(V12, "org.matrix.hydra.11")

# "implementations should apply the behaviours of this MSC on top of room version 10 or higher"
# Source: https://github.com/matrix-org/matrix-spec-proposals/pull/3757
# Synapse keeps the limit of 255 bytes for every state key.
_OWNED: Final[dict[str, Any]] = {"owned_state_keys": True, "max_state_key_bytes": 511}
_MSC3757_10 = _based(V10, "org.matrix.msc3757.10", **_OWNED)
_MSC3757_11 = _based(V11, "org.matrix.msc3757.11", **_OWNED)

# "the allow, deny, and allow_ip_literals fields of the m.room.server_acl state event are protected from
# redaction"
# Source: https://github.com/matrix-org/matrix-spec-proposals/pull/2870. Synapse does not have it.
_MSC2870 = _based(
    V11,
    "org.matrix.msc2870",
    redaction_keeps_content=MappingProxyType(
        {
            **V11.redaction_keeps_content,
            "m.room.server_acl": frozenset({"allow", "deny", "allow_ip_literals"}),
        }
    ),
)

# Source: https://github.com/matrix-org/matrix-spec-proposals/pull/3389
_MSC3389_10 = _based(V10, "org.matrix.msc3389.10", redaction_keeps_relation=True)

UNSTABLE_ROOM_VERSIONS: Final[Mapping[str, RoomVersion]] = MappingProxyType(
    {v.identifier: v for v in (_HYDRA_11, _MSC2870, _MSC3389_10, _MSC3757_10, _MSC3757_11)}
)
"""Every unstable room version by its identifier."""
