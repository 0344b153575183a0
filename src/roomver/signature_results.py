"""The results of checking signatures: of one signature, of one server, and of an event.

What is unknown stays undecided. `SigningStatus` says which results are decided, and what more keys may
change.
Nothing is checked here. `roomver.signatures` does that.

Source: https://spec.matrix.org/latest/server-server-api/#validating-hashes-and-signatures-on-received-events
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final, NamedTuple, NoReturn

from .errors import SHOWN, Defect, refuse_truth
from .types import KeyId, ServerName

__all__ = ["ServerResult", "SignatureReport", "SignatureResult", "SignatureStatus", "SigningStatus"]

POLICY_SERVER_KEY: Final[KeyId] = "ed25519:policy_server"
"""The ID of the key in ``m.room.policy``: "The Key ID for the `ed25519` key in `m.room.policy` is *always*
`ed25519:policy_server`." It is not a published key."""


class SignatureStatus(Enum):
    """The result of checking one signature."""

    VERIFIED = "verified"
    FAILED = "does not verify"
    UNREADABLE = "is not 64 bytes of base64"
    UNKNOWN_ALGORITHM = "ignored: unknown algorithm"
    UNKNOWN_KEY = "ignored: unknown key"
    KEY_EXPIRED = "ignored: the key had expired"
    KEY_LAPSED = "ignored: the key is not known to be valid at the time of the event"
    TIME_AHEAD = "ignored: the event is more than 7 days ahead of now"

    @property
    def ignored(self) -> bool:
        """Whether the signature counts neither for nor against the event."""
        return self not in (self.VERIFIED, self.FAILED, self.UNREADABLE)

    @property
    def open(self) -> bool:
        """Whether the signature is ignored only until more of the server's keys are known."""
        return self in (self.UNKNOWN_KEY, self.KEY_LAPSED)


class SigningStatus(Enum):
    """Whether a server that must sign has signed; for an event, whether all of these servers have.

    `KEY_UNKNOWN` is undecided. The others are decided: more keys do not change them, with two
    exceptions. The specification ignores a signature by an unknown key. So if a server is `VALID` by one of
    its keys, it becomes `INVALID` when another of its keys becomes known and the signature by that key does
    not verify. Contradictory sources can change any result: if one of them says that a key has expired, or if
    two of them give different keys under one ID (`KeyRing.clashes`).
    """

    VALID = "valid"
    """A signature verifies with a known key that was valid, and no other signature by such a key fails."""
    INVALID = "invalid"
    """A signature by a known, valid key fails or is unreadable; or every signature is ignored, and no
    further key would change that."""
    MISSING = "missing"
    """The server has no signature of a supported algorithm on the event. No key is needed to see it."""
    KEY_UNKNOWN = "key unknown"
    """No signature fails and none verifies: a key is unknown, or not known to be valid at that time."""
    NOT_REQUIRED = "not required"
    """No server must sign the event, so no signature was checked. Only of an event, as a whole."""

    @property
    def decided(self) -> bool:
        """Whether more keys change nothing, with the exceptions above."""
        return self is not self.KEY_UNKNOWN


class SignatureResult(NamedTuple):
    """One signature and the result of checking it."""

    key_id: KeyId
    status: SignatureStatus
    detail: str = ""
    """The times that decide the status, as text: the key's validity and the time of the event."""

    def __str__(self) -> str:
        detail = f" ({self.detail})" if self.detail else ""
        return f"{self.key_id} {self.status.value}{detail}"


class ServerResult(NamedTuple):
    """The signatures of one server, and whether they suffice.

    It has no truth value: use `valid` or `status`.

    Attributes:
        server: the server that must sign.
        signatures: every signature under the server's name, sorted by key ID.
        status: the result for the server.
    """

    server: ServerName
    signatures: tuple[SignatureResult, ...]
    status: SigningStatus

    @property
    def valid(self) -> bool:
        """Whether at least one signature is not ignored, and every one that is not ignored verifies."""
        return self.status is SigningStatus.VALID

    @property
    def unknown_keys(self) -> tuple[KeyId, ...]:
        """The IDs of the keys that are needed to decide; empty if the status is decided.

        A policy server's key is not published. It is left out if there are other keys.
        """
        if self.status is not SigningStatus.KEY_UNKNOWN:
            return ()
        wanted = tuple(result.key_id for result in self.signatures if result.status.open)
        return tuple(key_id for key_id in wanted if key_id != POLICY_SERVER_KEY) or wanted

    def __bool__(self) -> NoReturn:  # noqa: PLE0304 - it never returns
        refuse_truth(self, ".valid")

    def __str__(self) -> str:
        if self.valid:
            return f"{self.server}: signed"
        if not self.signatures:
            return f"{self.server}: no signature"
        why = "; ".join(
            str(result) for result in self.signatures if result.status is not SignatureStatus.VERIFIED
        )
        return f"{self.server}: {why}"


class SignatureReport(NamedTuple):
    """Whether an event has its required signatures, and why.

    It has no truth value: use `valid` or `status`.

    Attributes:
        servers: a result for each server that must sign, sorted by name. Empty for a third-party
            invite, which needs no server's signature.
        defect: why the servers that must sign cannot be determined, or None. With a defect the event is
            not validly signed.
    """

    servers: tuple[ServerResult, ...]
    defect: Defect | None = None

    @property
    def valid(self) -> bool:
        """Whether every server that must sign has signed. True if no server must sign."""
        return self.status in (SigningStatus.VALID, SigningStatus.NOT_REQUIRED)

    @property
    def status(self) -> SigningStatus:
        """The worst status of a server: invalid, then missing, then key unknown. Without servers: not
        required."""
        if self.defect is not None:
            return SigningStatus.INVALID
        if not self.servers:
            return SigningStatus.NOT_REQUIRED
        worst = SigningStatus.VALID
        for result in self.servers:
            if result.status is not worst and _SEVERITY[result.status] > _SEVERITY[worst]:
                worst = result.status
        return worst

    @property
    def keys_tried(self) -> tuple[tuple[ServerName, KeyId, bool], ...]:
        """The known keys that signatures were checked with, and whether these verify: the first `SHOWN`."""
        tried = [
            (server.server, one.key_id, one.status is SignatureStatus.VERIFIED)
            for server in self.servers
            for one in server.signatures
            if one.status is SignatureStatus.VERIFIED or one.status is SignatureStatus.FAILED
        ]
        return tuple(tried[:SHOWN])

    def __bool__(self) -> NoReturn:  # noqa: PLE0304 - it never returns
        refuse_truth(self, ".valid")

    def __str__(self) -> str:
        if self.defect is not None:
            return str(self.defect)
        return ", ".join(map(str, self.servers)) or "no signature is needed"


_SEVERITY: Final[Mapping[SigningStatus, int]] = {
    SigningStatus.NOT_REQUIRED: 0,
    SigningStatus.VALID: 0,
    SigningStatus.KEY_UNKNOWN: 1,
    SigningStatus.MISSING: 2,
    SigningStatus.INVALID: 3,
}
