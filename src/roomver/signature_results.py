"""The results of checking signatures: of one signature, of one server, and of an event.

What is not known stays open. `SigningStatus` says which answers are decided, and what more keys may change.
Nothing is checked here. `roomver.signatures` does that.

Source: https://spec.matrix.org/latest/server-server-api/#validating-hashes-and-signatures-on-received-events
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final, NamedTuple, NoReturn

from .errors import Defect, refuse_truth
from .types import KeyId, ServerName

__all__ = ["ServerResult", "SignatureReport", "SignatureResult", "SignatureStatus", "SigningStatus"]

# "The Key ID for the `ed25519` key in `m.room.policy` is *always* `ed25519:policy_server`."
_POLICY_SERVER_KEY: Final = "ed25519:policy_server"


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
        """Whether the signature is ignored only until more is known of the server's keys."""
        return self in (self.UNKNOWN_KEY, self.KEY_LAPSED)


class SigningStatus(Enum):
    """Whether a server that must sign has signed; of an event, whether all of them have.

    `KEY_UNKNOWN` is open. The other three are decided: more keys do not change them, with these exceptions.
    The specification ignores a signature by an unknown key. So a server that is `VALID` by one of its keys
    becomes `INVALID` when another key of it becomes known and its signature beside the first does not verify.
    Sources that contradict each other change any answer: a key that is said to have expired after all, or two
    different keys with the same ID (`KeyRing.clashes`).
    """

    VALID = "valid"
    """A signature verifies with a known key that was valid, and no other signature by such a key fails."""
    INVALID = "invalid"
    """A signature by a known key that was valid fails or is unreadable; or every signature is ignored,
    and no further key would change that."""
    MISSING = "missing"
    """The server has no signature of a supported algorithm on the event. No key is needed to see it."""
    KEY_UNKNOWN = "key unknown"
    """No signature fails and none verifies: a key is unknown, or not known to be valid at that time."""

    @property
    def decided(self) -> bool:
        """Whether more keys change nothing, with the exceptions above."""
        return self is not self.KEY_UNKNOWN


class SignatureResult(NamedTuple):
    """One signature and the result of checking it."""

    key_id: KeyId
    status: SignatureStatus
    detail: str = ""
    """The times that made the status, as text: the key's validity and the time of the event."""

    def __str__(self) -> str:
        detail = f" ({self.detail})" if self.detail else ""
        return f"{self.key_id} {self.status.value}{detail}"


class ServerResult(NamedTuple):
    """The signatures of one server, and whether they are enough.

    It has no truth value: use `valid` or `status`.

    Attributes:
        server: the server that must sign.
        signatures: every signature under the server's name, sorted by key ID.
        status: what follows from them.
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
        """The IDs of the keys that would decide; empty if the status is decided.

        The key of a policy server is not published, and is left out where there are others.
        """
        if self.status is not SigningStatus.KEY_UNKNOWN:
            return ()
        wanted = tuple(result.key_id for result in self.signatures if result.status.open)
        return tuple(key_id for key_id in wanted if key_id != _POLICY_SERVER_KEY) or wanted

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
    """Whether an event has the signatures that it needs, and why.

    It has no truth value: use `valid` or `status`.

    Attributes:
        servers: a result for each server that must sign, sorted by name. Empty for a third-party
            invite, which needs no server's signature.
        defect: why the servers that must sign cannot be told, or None. With a defect the event is not
            valid.
    """

    servers: tuple[ServerResult, ...]
    defect: Defect | None = None

    @property
    def valid(self) -> bool:
        """Whether every server that must sign has signed."""
        return self.status is SigningStatus.VALID

    @property
    def status(self) -> SigningStatus:
        """The worst status of a server: invalid, then missing, then key unknown."""
        if self.defect is not None:
            return SigningStatus.INVALID
        worst = SigningStatus.VALID
        for result in self.servers:
            if _SEVERITY[result.status] > _SEVERITY[worst]:
                worst = result.status
        return worst

    def __bool__(self) -> NoReturn:  # noqa: PLE0304 - it never returns
        refuse_truth(self, ".valid")

    def __str__(self) -> str:
        if self.defect is not None:
            return str(self.defect)
        return ", ".join(map(str, self.servers)) or "no signature is needed"


_SEVERITY: Final[Mapping[SigningStatus, int]] = {
    SigningStatus.VALID: 0,
    SigningStatus.KEY_UNKNOWN: 1,
    SigningStatus.MISSING: 2,
    SigningStatus.INVALID: 3,
}
