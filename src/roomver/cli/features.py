"""The feature table: how the room versions differ. Each cell is made from a room version's record alone."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from ..versions import ROOM_VERSIONS, EventIdForm, RoomIdForm, RoomVersion, StateResolution

YES: Final = "●"
NO: Final = "-"


class Feature(NamedTuple):
    """One row of the feature table."""

    label: str
    cell: Callable[[RoomVersion], str]
    """The text of the cell for a room version."""


def _mark(holds: bool) -> str:
    return YES if holds else NO


def _event_id_form(v: RoomVersion) -> str:
    match v.event_id_form:
        case EventIdForm.CHOSEN:
            return "C"
        case EventIdForm.HASH:
            return "S"
        case EventIdForm.URLSAFE_HASH:
            return "U"


def _first_phase(v: RoomVersion) -> str:
    match v.state_resolution:
        case StateResolution.V1:
            return NO
        case StateResolution.V2:
            return "U"
        case StateResolution.V2_1:
            return "∅"


def _keeps(event_type: str, key: str) -> Callable[[RoomVersion], str]:
    return lambda v: _mark(key in v.redaction_keeps_content.get(event_type, ()))


def _keeps_create(v: RoomVersion) -> str:
    return "all" if "m.room.create" in v.redaction_keeps_all_content else "C"


_LEGACY_KEYS = frozenset({"origin", "membership", "prev_state"})

FEATURES: Final[tuple[Feature, ...]] = (
    Feature("State resolution algorithm", lambda v: v.state_resolution.value),
    Feature("Event ID: C chosen by the sender, S hash in base64, U in URL-safe base64", _event_id_form),
    Feature("Events carry event_id", lambda v: _mark(v.event_id_form is EventIdForm.CHOSEN)),
    Feature(
        "auth_events, prev_events: P pairs of ID and hashes, I IDs", lambda v: "IP"[v.references_carry_hashes]
    ),
    Feature(
        "Room ID: D with a server name, H hash of the create event",
        lambda v: "D" if v.room_id_form is RoomIdForm.DOMAIN else "H",
    ),
    Feature(
        "Create event carries room_id (● must, - must not)",
        lambda v: _mark(v.room_id_form is RoomIdForm.DOMAIN),
    ),
    Feature("All other events carry room_id", lambda _: YES),
    Feature("Server in the event ID must sign", lambda v: _mark(v.event_id_server_signs)),
    Feature(
        "Server of join_authorised_via_users_server must sign", lambda v: _mark(v.authorising_server_signs)
    ),
    Feature("Signing keys must be valid at origin_server_ts", lambda v: _mark(v.key_validity_enforced)),
    Feature(
        "Canonical JSON is strict: no floats, integers within ±(2^53 - 1)",
        lambda v: _mark(v.strict_canonical_json),
    ),
    Feature("Maximum depth is 2^n - 1; n is", lambda v: str(v.max_depth.bit_length())),
    Feature("Power levels may be floats, truncated to integers", lambda v: _mark(v.float_power_levels)),
    Feature("Power levels may be decimal strings", lambda v: _mark(v.string_power_levels)),
    Feature("Power level event: all levels must be integers", lambda v: _mark(v.power_level_types_checked)),
    Feature("Power level change: notifications checked too", lambda v: _mark(v.notification_levels_checked)),
    Feature("m.room.aliases has an authorisation rule", lambda v: _mark(v.aliases_rule)),
    Feature("Redactions checked by the authorisation rules", lambda v: _mark(v.redaction_rule)),
    Feature("Redactions checked when they are applied", lambda v: _mark(not v.redaction_rule)),
    Feature("redacts is at: T top level, C content", lambda v: "TC"[v.redacts_in_content]),
    Feature("Membership and join rule knock", lambda v: _mark(v.knock)),
    Feature("Join rule restricted", lambda v: _mark(v.restricted_joins)),
    Feature("Join rule knock_restricted", lambda v: _mark(v.knock_restricted)),
    Feature("Create event must have content.creator", lambda v: _mark(v.creator_in_content)),
    Feature("The creator: C content.creator, S sender", lambda v: "SC"[v.creator_in_content]),
    Feature(
        "Create event's room_id must have the sender's server name",
        lambda v: _mark(v.room_id_form is RoomIdForm.DOMAIN),
    ),
    Feature(
        "auth_events must cite the create event (● must, - must not)",
        lambda v: _mark(v.create_in_auth_events),
    ),
    Feature(
        "room_id must name an accepted create event",
        lambda v: _mark(v.room_id_form is RoomIdForm.CREATE_HASH),
    ),
    Feature("additional_creators honoured", lambda v: _mark(v.additional_creators)),
    Feature(
        "Creators' power level (100 applies only while there is no power-levels event)",
        lambda v: "∞" if v.infinite_creator_level else "100",
    ),
    Feature("Power level event must not list creators", lambda v: _mark(v.infinite_creator_level)),
    Feature("Auth events must be in the same room", lambda _: YES),
    Feature(
        "Redaction keeps top-level origin, membership, prev_state",
        lambda v: _mark(v.redaction_keeps >= _LEGACY_KEYS),
    ),
    Feature("Redaction of m.room.create keeps: C content.creator, or all content", _keeps_create),
    Feature("Redaction keeps m.room.aliases aliases", _keeps("m.room.aliases", "aliases")),
    Feature("Redaction keeps m.room.join_rules allow", _keeps("m.room.join_rules", "allow")),
    Feature(
        "Redaction keeps m.room.member join_authorised_via_users_server",
        _keeps("m.room.member", "join_authorised_via_users_server"),
    ),
    Feature(
        "Redaction keeps m.room.member third_party_invite.signed",
        lambda v: _mark(v.redaction_keeps_signed_invite),
    ),
    Feature("Redaction keeps m.room.power_levels invite", _keeps("m.room.power_levels", "invite")),
    Feature("Redaction keeps m.room.redaction redacts", _keeps("m.room.redaction", "redacts")),
    Feature(
        "State resolution: a key that only some states have is a conflict",
        lambda v: _mark(v.state_resolution is not StateResolution.V1),
    ),
    Feature(
        "State resolution: first auth checks start from U unconflicted state, ∅ nothing",
        _first_phase,
    ),
    Feature(
        "State resolution: conflicted subgraph joins the full conflicted set",
        lambda v: _mark(v.state_resolution is StateResolution.V2_1),
    ),
)
"""Every feature in which room versions differ, and two constant rows shown for contrast."""


_ACL_KEYS = frozenset({"allow", "deny", "allow_ip_literals"})

UNSTABLE_FEATURES: Final[tuple[Feature, ...]] = (
    Feature(
        "State keys have owners, and users with a higher level may set them",
        lambda v: _mark(v.owned_state_keys),
    ),
    Feature("Maximum length of a state key in bytes", lambda v: str(v.max_state_key_bytes)),
    Feature(
        "Redaction keeps m.room.server_acl allow, deny, allow_ip_literals",
        lambda v: _mark(v.redaction_keeps_content.get("m.room.server_acl", frozenset()) >= _ACL_KEYS),
    ),
    Feature("Redaction keeps m.relates_to rel_type, event_id", lambda v: _mark(v.redaction_keeps_relation)),
)
"""The features in which no stable room version differs from the others."""

_STABLE: Final = tuple(ROOM_VERSIONS.values())


def feature_rows(versions: Sequence[RoomVersion] = _STABLE) -> list[tuple[str, tuple[str, ...]]]:
    """Return the feature table: label, and a cell for each room version, by default for the stable ones."""
    features = FEATURES if versions is _STABLE else FEATURES + UNSTABLE_FEATURES
    return [(feature.label, tuple(map(feature.cell, versions))) for feature in features]


def feature_markdown(versions: Sequence[RoomVersion] = _STABLE) -> str:
    """Return the feature table in Markdown."""
    head = ["Feature", *map(str, versions)]
    lines = [f"| {' | '.join(head)} |", f"|---|{':-:|' * len(versions)}"]
    lines += [f"| {label} | {' | '.join(cells)} |" for label, cells in feature_rows(versions)]
    return "\n".join(lines)
