"""Finding records of room versions, deriving new ones, and keeping one object per value.

The rules compare records with ``is`` before they compare values, so equal records had better be one object,
also after they were pickled one by one.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from enum import Enum
from types import MappingProxyType
from typing import Any, Final
from weakref import WeakValueDictionary

from ..canonical import shorten
from ..errors import BadRoomVersion, UnknownRoomVersion
from ..types import JsonValue
from .checks import KEYS_BY_TYPE, KINDS, NAMES, texts_of
from .forms import EventIdForm, RoomIdForm, StateResolution
from .record import FIELDS, RoomVersion, values_of
from .stable import ROOM_VERSIONS
from .unstable import UNSTABLE_ROOM_VERSIONS

__all__ = ["derived", "get_room_version", "is_known", "list_changes", "version_named", "version_record"]

_SHIPPED: Final[Mapping[str, RoomVersion]] = MappingProxyType({**ROOM_VERSIONS, **UNSTABLE_ROOM_VERSIONS})
_MADE: Final[WeakValueDictionary[tuple[object, ...], RoomVersion]] = WeakValueDictionary()
_FORMS: Final[Mapping[str, type[Enum]]] = {
    "event_id_form": EventIdForm,
    "room_id_form": RoomIdForm,
    "state_resolution": StateResolution,
}
# `derive` sets these.
_NOT_CHANGES: Final = ("identifier", "based_on")


def get_room_version(identifier: str) -> RoomVersion:
    """Return the record of the room version with this identifier.

    Args:
        identifier: as in ``content.room_version`` of a create event: of a stable version, or of an unstable
            one that this package has. Nothing is guessed: an integer, or a version that this package does
            not know, is an error. `RoomVersion.derive` makes other versions.

    Raises:
        UnknownRoomVersion: with the identifiers that are known.

    >>> get_room_version("11").redacts_in_content
    True
    >>> get_room_version("org.matrix.msc3757.11").owned_state_keys
    True
    >>> get_room_version("13")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    roomver.errors.UnknownRoomVersion: unknown room version '13'; known versions: 1, 2, ...
    """
    if is_known(identifier):
        return _SHIPPED[identifier]
    raise UnknownRoomVersion(identifier, _SHIPPED)


def is_known(identifier: object) -> bool:
    """Tell whether this package has a room version with this identifier."""
    # The type check comes first because JSON may be unhashable.
    return type(identifier) is str and identifier in _SHIPPED


def version_record(version: RoomVersion | str) -> RoomVersion:
    """Return the record of a room version, which may be passed as its identifier.

    Raises:
        UnknownRoomVersion: if there is no such version.
    """
    return version if isinstance(version, RoomVersion) else get_room_version(version)


def version_named(identifier: object, given: RoomVersion | None) -> RoomVersion:
    """Return the record of the room version that an input names.

    Args:
        identifier: the name in the input.
        given: the record that was passed in with the input, which may be a derived one.

    Raises:
        UnknownRoomVersion: if it names neither the given version nor a known one.
    """
    if given is not None and identifier == given.identifier:
        return given
    return get_room_version(identifier)  # type: ignore[arg-type]  # what is not a string is unknown


def derived(identifier: str, base: RoomVersion | str, changes: Mapping[str, object]) -> RoomVersion:
    """Return a new room version. See `RoomVersion.derive`."""
    record = version_record(base)
    faults = [_no_such_field(name) for name in changes if name not in FIELDS or name in _NOT_CHANGES]
    if is_known(identifier):
        faults.append(f"identifier: roomver has a room version {identifier}; choose another name")
    if faults:
        raise BadRoomVersion(identifier, faults)
    values: dict[str, Any] = {name: _as_field(name, value, record) for name, value in changes.items()}
    return _one(replace(record, identifier=identifier, based_on=record.identifier, **values))


def list_changes(version: RoomVersion) -> dict[str, JsonValue]:
    """Return the fields that differ from the version that another one is based on, as JSON values.

    `RoomVersion.derive` takes them. All fields that can change are returned if it is based on no version, or
    on one that this package does not have.

    >>> list_changes(get_room_version("org.matrix.msc3757.11"))
    {'max_state_key_bytes': 511, 'owned_state_keys': True}
    """
    base = _SHIPPED.get(version.based_on or "")
    changes: dict[str, JsonValue] = {}
    for name in FIELDS:
        value = getattr(version, name)
        old = None if base is None else getattr(base, name)
        if name in _NOT_CHANGES or value == old:
            continue
        if isinstance(value, Mapping):
            before: Mapping[str, frozenset[str]] = old or {}
            # Whichever version `derive` is given as the base: types that it has and this one has not.
            others = () if base else (kind for one in _SHIPPED.values() for kind in getattr(one, name))
            listed = {*value, *before, *others}
            kinds = sorted(kind for kind in listed if base is None or value.get(kind) != before.get(kind))
            changes[name] = {kind: [*sorted(value.get(kind, ()))] for kind in kinds}
        elif isinstance(value, frozenset):
            changes[name] = [*sorted(value)]
        elif isinstance(value, Enum):
            changes[name] = next(text for text, one in texts_of(type(value)).items() if one is value)
        else:
            changes[name] = value
    return changes


def _no_such_field(name: str) -> str:
    close = get_close_matches(name, [field for field in FIELDS if field not in _NOT_CHANGES], 1)
    return f"{shorten(name)} is not a field" + (f"; did you mean {close[0]}?" if close else "")


def _as_field(name: str, value: object, base: RoomVersion) -> object:
    """Return a value in the type of a field; one that cannot be in it as it is, to be refused."""
    if name in _FORMS and type(value) is str:
        return texts_of(_FORMS[name]).get(value, value)
    if KINDS.get(name) is NAMES:
        return _names(value)
    if KINDS.get(name) is KEYS_BY_TYPE and isinstance(value, Mapping):
        given = {kind: _names(keys) for kind, keys in value.items()}
        if all(type(keys) is frozenset for keys in given.values()):
            changed = {**base.redaction_keeps_content, **given}
            return MappingProxyType({kind: keys for kind, keys in changed.items() if keys})
    return value


def _names(value: object) -> object:
    if isinstance(value, list | tuple | set | frozenset) and all(type(one) is str for one in value):
        return frozenset(value)
    return value


def _one(record: RoomVersion) -> RoomVersion:
    """Return the object for a value: the first that was made with it, as long as it is in use."""
    key = tuple(frozenset(one.items()) if isinstance(one, Mapping) else one for one in values_of(record))
    return _MADE.setdefault(key, record)


def reduced(record: RoomVersion) -> tuple[Callable[..., RoomVersion], tuple[object, ...]]:
    """Return how to pickle a record. See `RoomVersion.__reduce__`."""
    if _SHIPPED.get(record.identifier) is record:
        return get_room_version, (record.identifier,)
    values = dict(zip(FIELDS, values_of(record), strict=True))
    values["redaction_keeps_content"] = dict(record.redaction_keeps_content)
    return _restored, (values,)


def _restored(values: dict[str, Any]) -> RoomVersion:
    kept = MappingProxyType(values["redaction_keeps_content"])
    return _one(RoomVersion(**{**values, "redaction_keeps_content": kept}))
