"""Events that the library makes: the matrix-synapse wheel accepts them."""

import warnings

import pytest
from builder import ALICE, BOB, VERSIONS
from make.test_make import public

pytest.importorskip("synapse")

with warnings.catch_warnings():
    # Twisted warns about its own deprecated parts when Synapse imports it.
    warnings.simplefilter("ignore", DeprecationWarning)
    import synapse.server  # noqa: F401 - first, to break an import cycle
    from synapse import event_auth

from .store import Store, finish, made

pytestmark = pytest.mark.peer


@pytest.mark.parametrize("version", VERSIONS)
def test_synapse_accepts_what_is_made(version: str) -> None:
    server = public(version, BOB)
    server.send("m.room.topic", BOB, {"topic": "x"}, state_key="")
    message = server.send("m.room.message", ALICE, {"body": "x"})
    server.send("m.room.redaction", ALICE, redacts=message.event_id)
    server.send("m.room.member", ALICE, {"membership": "ban"}, state_key=BOB)
    stored = server.store.stored
    store = Store([one.event for one in stored.values()], frozenset())
    for event_id, (event, *_) in stored.items():
        theirs = made(event, frozenset())
        assert theirs.event_id == event_id
        finish(event_auth.check_state_independent_auth_rules(store, theirs))
        if event.type != "m.room.create":
            before = server.store.states[event.prev_event_ids[0]]
            state = [made(stored[one].event, frozenset()) for one in before.as_dict().values()]
            event_auth.check_state_dependent_auth_rules(theirs, state)
