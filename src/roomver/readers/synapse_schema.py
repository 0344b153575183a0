"""The schema of Synapse's database: which versions of it are read, and which tables and columns."""

from typing import Final

from .database import Database, number_of
from .entries import InputError
from .unreadable import tell_database

OLDEST_SCHEMA: Final = 73
NEWEST_SCHEMA: Final = 94
"""The schema of Synapse 1.163.2, which this module was checked with."""
_CHECKED_WITH: Final = f"Synapse's schema versions {OLDEST_SCHEMA} to {NEWEST_SCHEMA} (Synapse 1.163.2)"

# The tables that are read, each with the columns that are read.
_TABLES: Final = {
    "rooms": ("room_id", "room_version"),
    "events": (
        "event_id",
        "room_id",
        "sender",
        "outlier",
        "rejection_reason",
        "stream_ordering",
        "topological_ordering",
    ),
    "event_json": ("event_id", "json", "internal_metadata"),
    "rejections": ("event_id",),
    "current_state_events": ("event_id", "room_id", "type", "state_key", "membership"),
    "event_forward_extremities": ("event_id", "room_id"),
    "event_to_state_groups": ("event_id", "state_group"),
    "partial_state_rooms": ("room_id", "join_event_id"),
    "partial_state_events": ("event_id", "room_id"),
    "server_signature_keys": ("server_name", "key_id", "verify_key", "ts_valid_until_ms"),
    "server_keys_json": ("server_name", "key_json"),
}
# They may be in a database of their own.
_STATE_TABLES: Final = {
    "state_groups": ("id", "room_id", "event_id"),
    "state_group_edges": ("state_group", "prev_state_group"),
    "state_groups_state": ("state_group", "type", "state_key", "event_id"),
}

NO_STATES: Final = (
    "states at gaps of rooms are unknown. If Synapse keeps states in another database (`databases:` in"
    " homeserver.yaml), give that one with --also"
)


def check_schema(database: Database) -> int:
    """Return the version of a database's schema.

    Raises:
        InputError: if it is not one of Synapse, or cannot be read here.
    """
    missing = [table for table, columns in _TABLES.items() if not set(columns) <= database.columns(table)]
    versioned = "version" in database.columns("schema_version")
    if not versioned or len(missing) == len(_TABLES):
        hidden = database.hidden("event_json") or database.hidden("state_groups")
        raise InputError(database.name, hidden or tell_database(database.columns))
    version = _single_number(database, "SELECT version FROM schema_version")
    compatible = version
    if "compat_version" in database.columns("schema_compat_version"):
        compatible = _single_number(database, "SELECT compat_version FROM schema_compat_version")
    if version is None or version < OLDEST_SCHEMA or (compatible or version) > NEWEST_SCHEMA:
        reason = (
            f"its schema has version {version}, compatible with {compatible}; readable are {_CHECKED_WITH}"
        )
        raise InputError(database.name, reason)
    if missing:
        tables = ", ".join(missing)
        raise InputError(
            database.name,
            f"schema version {version}: not as expected: {tables}; readable are {_CHECKED_WITH}",
        )
    return version


def _single_number(database: Database, sql: str) -> int | None:
    found = [number_of(number) for (number,) in database.rows(sql)]
    return found[0] if len(found) == 1 else None


def missing_state_table(database: Database) -> str | None:
    """Return a table of state groups that a database lacks, or that lacks columns; None if it has them."""
    for table, columns in _STATE_TABLES.items():
        if not set(columns) <= database.columns(table):
            return table
    return None


def has_only_states(database: Database) -> bool:
    """Tell whether a database has the state groups of a server, and not its events."""
    return missing_state_table(database) is None and not database.columns("event_json")
