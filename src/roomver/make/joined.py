"""The answers to a join and to a knock, checked on the server whose user joins or knocks.

The answer to a leave is empty.

Source: https://spec.matrix.org/latest/server-server-api/#put_matrixfederationv2send_joinroomideventid and
https://spec.matrix.org/latest/server-server-api/#put_matrixfederationv1send_knockroomideventid
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, NamedTuple, NoReturn

from ..canonical import plain_object, shorten
from ..check import check_event
from ..errors import Defect, MalformedEvent, MissingEvents, refuse_truth
from ..event import Event, parse_event
from ..findings import EventCheck
from ..hashing import compute_reference_hash
from ..identifiers import is_server_name
from ..keys import NO_KEYS
from ..receive.checks import check_by_auth_events, keys_wanted
from ..receive.given import GivenState, check_given_steps
from ..receive.known import Known
from ..receive.receipt import Receipt
from ..rules import Verdict
from ..selection import select_auth_types
from ..signatures import list_required_signers
from ..state import PartialState, State, changed_entries
from ..steps import NeedKeys, Steps
from ..types import EventId, JsonObject, KeyId, ServerName
from .handshake import below
from .invite import StrippedState, check_stripped, defects_of
from .returned import take_signature

# The second name of each is that of servers before it was in the specification.
_OMITTED: Final = ("members_omitted", "org.matrix.msc3706.partial_state")
_SERVERS: Final = ("servers_in_room", "org.matrix.msc3706.servers_in_room")


class JoinCheck(NamedTuple):
    """The response to a join, checked. It has no truth value: use `refused`."""

    join: Event
    """The join, with the signatures of the response that it needs."""
    check: EventCheck
    """Checks 1 to 3 of the join."""
    given: GivenState
    """The state before the join, and the receipts of the other events, which are to be stored."""
    verdict: Verdict | None
    """The verdict on the join against its own auth events (check 4); None if one of these is missing or
    undecided."""
    members_omitted: bool
    """Whether members were left out of the state. It is completed by the response to ``/state``."""
    servers: tuple[ServerName, ...]
    """The servers in the room, if the response names them, without those whose name is malformed."""
    defects: tuple[Defect, ...]
    """Why the response must be refused. Try to join through another server."""

    @property
    def unknown_keys(self) -> tuple[tuple[ServerName, KeyId], ...]:
        """The missing keys of the join's signatures. `GivenState.unknown_keys` are those of other events."""
        return self.check.unknown_keys

    @property
    def state(self) -> State[EventId] | None:
        """The state before the join: pass it to `roomver.receive.receive_steps`. None if it is unknown.

        If members were omitted, or some events cannot be used, it is a `roomver.PartialState`.
        """
        return self.given.state

    @property
    def receipts(self) -> tuple[Receipt, ...]:
        """The receipts of the other events of the response: see `roomver.receive.GivenState.receipts`."""
        return self.given.receipts

    @property
    def refused(self) -> bool | None:
        """Whether the response must be refused; None if that depends on missing keys or events."""
        if self.defects or (self.verdict is not None and not self.verdict.allowed):
            return True
        return None if self.verdict is None or self.unknown_keys else self.given.refused

    def __bool__(self) -> NoReturn:  # noqa: PLE0304 - it never returns
        refuse_truth(self, ".refused")


def check_send_join_steps(
    response: object, join: Event, *, same_server: bool = False, signatures: bool = True
) -> Steps[JoinCheck]:
    """Check the response to ``/send_join``: the state before the join, its auth chain, and the join in it.

    This is a generator: run it with `roomver.steps.run` or `roomver.steps.run_async`. It asks for keys, and
    for the events that the response has or cites; a store of a new room is empty. Nothing is stored. If
    `JoinCheck.refused` is False, store the receipts, and then receive the join, with `JoinCheck.state` as
    ``state_before``.

    - The state has the create event of this room and of this room version. In version 12 its hash is the
      room ID, which proves it.
    - Each event is in the event format and validly signed, is of this room, and passes the rules against its
      own auth events (checks 1 to 4). What an event that does not would be in the state is unknown.
    - The join that comes back is the one that was sent, passes the rules against its own auth events, and has
      all required signatures: in a restricted room also that of the authorising user's server.

    Source: https://spec.matrix.org/latest/server-server-api/#put_matrixfederationv2send_joinroomideventid

    Args:
        response: the body of the response of version 1 or 2. It is not trusted.
        join: the join as it was sent: see `complete_template`.
        same_server: whether the server that answers also gave the template. Then the auth events of the join
            are what this server says of its state. So if members are omitted, those that the join depends on
            are known nevertheless: the join is decided, and its user can send events before the state is
            complete.
        signatures: check the signatures. Leave this out only for made-up events, which have none.

    >>> from roomver import parse_event
    >>> from roomver.receive import MemoryStore
    >>> from roomver.steps import run
    >>> join = parse_event({
    ...     "type": "m.room.member", "sender": "@al:b.org", "state_key": "@al:b.org", "room_id": "!r:a.org",
    ...     "content": {"membership": "join"}, "depth": 2, "prev_events": ["$x"], "auth_events": ["$x"],
    ...     "origin_server_ts": 1, "hashes": {"sha256": "YSp6h2CBWzKoeXsH9H0c6CPYCsXLQXlXTfgVBbPyZh0"},
    ... }, "11")
    >>> checked = run(check_send_join_steps({"state": [], "auth_chain": []}, join), MemoryStore())
    >>> checked.refused, checked.state
    (True, None)
    >>> print(checked.defects[0])
    state: expected the m.room.create event of the room, found none
    """
    version = join.room_version
    body, defects = _body_of(response)
    if body is None:
        nothing = GivenState(None, (), tuple(defects))
        check = check_event(join.pdu, version, keys=None)
        return JoinCheck(join, check, nothing, None, False, (), tuple(defects))
    # Anything but false: what is left out must never be taken for absent.
    omitted = any(body.get(name, False) is not False for name in _OMITTED)
    servers, of_servers = _servers_of(body, omitted=omitted)
    known = Known()
    given = yield from check_given_steps(
        body, version, join.room_id, known, "state", omitted=omitted, signatures=signatures
    )
    if same_server and isinstance(given.state, PartialState):
        given = given._replace(state=_with_cited(given.state, join, known))
    join, of_join = _signed(join, body)
    check = check_event(join.pdu, version, keys=NO_KEYS if signatures else None)
    wanted = keys_wanted(check)
    if wanted:
        check = check_event(join.pdu, version, keys=(yield NeedKeys(wanted)))
    try:
        verdict = yield from check_by_auth_events(join, known)
    except MissingEvents:
        verdict = None
    defects = [*given.defects, *of_servers, *of_join, *defects_of(check, "event")]
    return JoinCheck(join, check, given, verdict, omitted, servers, tuple(defects))


def check_send_knock_steps(response: object, knock: Event) -> Steps[StrippedState]:
    """Check the response to ``/send_knock``: the stripped state of the room, as it is shown to the user.

    It asks for keys only. The knock has been sent, whatever the response is.

    Source: https://spec.matrix.org/latest/server-server-api/#put_matrixfederationv1send_knockroomideventid

    Args:
        response: the body of the response. It is not trusted.
        knock: the knock as it was sent.
    """
    body = plain_object(response) or {}
    _, stripped = yield from check_stripped([], body, "knock_room_state", knock.room_version, knock.room_id)
    return stripped


def _body_of(response: object) -> tuple[JsonObject | None, list[Defect]]:
    """Return the body of a response: that of version 1 is an array of the status 200 and the body."""
    if type(response) is list and len(response) == 2 and response[0] == 200:
        response = response[1]
    body = plain_object(response)
    return body, [] if body is not None else [Defect("", "a JSON object", shorten(response))]


# "`servers_in_room`: **Required** if `members_omitted` is true. An array of server names, one for each server
# that has at least one joined user in the room."
def _servers_of(body: Mapping[str, object], *, omitted: bool) -> tuple[tuple[ServerName, ...], list[Defect]]:
    """Return the servers in the room, and what is wrong with them."""
    name = next((one for one in _SERVERS if one in body), _SERVERS[0])
    listed = body.get(name)
    if type(listed) is list and all(type(one) is str for one in listed):
        # A room may have users of servers that nobody can reach. To ask such a name would be to ask anything.
        return tuple(dict.fromkeys(one for one in listed if is_server_name(one))), []
    if name not in body and not omitted:
        return (), []
    found = shorten(listed) if name in body else "nothing"
    return (), [Defect(name, "an array of server names", found)]


# "The `auth_events` […] should be the following subset of the room state".
def _with_cited(state: PartialState[EventId], join: Event, known: Known) -> PartialState[EventId]:
    """Return a state with the members that a join cites, and without those that it would have to cite."""
    selected = {key for key in select_auth_types(join) if key[0] == "m.room.member"}
    cited = [known.events.get(event_id) for event_id in join.auth_event_ids]
    if None in cited or known.rejected.intersection(join.auth_event_ids):
        return state
    found = {(one.type, one.state_key): one.event_id for one in cited if one is not None}
    # Sorted, because set order varies between runs.
    added = {key: found[key] for key in sorted(selected - state.known.keys()) if key in found}
    absent = selected - state.known.keys() - added.keys()
    unknown = [replace(one, absent=frozenset(absent)) if one.types else one for one in state.unknown]
    return PartialState(changed_entries(state.known, added), unknown)


# "`event`: The membership event sent to the resident server, including a signature from the resident server.
# Required if the room is restricted and the joining user is authorised by one of the conditions."
def _signed(join: Event, body: Mapping[str, object]) -> tuple[Event, list[Defect]]:
    """Return a join with the required signatures of the response. Nothing else is taken."""
    returned = body.get("event")
    missing = [server for server in list_required_signers(join) if server not in join.signatures]
    if returned is None:
        return join, []
    try:
        event = parse_event(plain_object(returned) or {}, join.room_version)
        if event != join or compute_reference_hash(event) != compute_reference_hash(join):
            found = f"another event, {shorten(event.event_id, 300)}"
            return join, [Defect("event", f"the join {shorten(join.event_id, 300)}", found)]
        for server in missing:
            if server in event.signatures:
                join = take_signature(join, {"event": event.pdu}, server)
    except MalformedEvent as error:
        return join, [defect._replace(path=below("event", defect.path)) for defect in error.defects]
    return join, []
