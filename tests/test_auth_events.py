"""The authorisation rules on an event's auth events, and on the room ID in version 12. Tests are named
after the specification's sentences."""

import pytest
from auth_rooms import open_room
from builder import ALICE, BOB, CAROL, DAVE, VERSIONS, Content, Room, allows, refuses, versions_from

from roomver import Event, MissingEvents, Verdict, check_state_independent, rules, select_auth_types

# Considering the event's auth_events


@pytest.mark.parametrize("version", VERSIONS)
def test_the_selected_events_are_accepted(version: str) -> None:
    room = open_room(version)
    for event in list(room.events.values()):
        verdict = room.verdict(event)
        assert verdict.allowed, str(verdict)
        independent = check_state_independent(event, room.events)
        assert independent == (verdict if event is room.create else None)


@pytest.mark.parametrize("version", VERSIONS)
def test_if_there_are_duplicate_entries_for_a_type_and_state_key_reject(version: str) -> None:
    room = open_room(version)
    first = room.state["m.room.power_levels", ""]
    second = room.power({"users": {}, "ban": 50})
    member = room.state["m.room.member", BOB]
    cited: list[Event] = [first, second, member]
    for auth in (cited, [first, first, member], [member, member]):
        refuses(room.verdict(room.make("m.room.message", BOB, auth=auth)), rules.AUTH_EVENTS_DUPLICATE)


@pytest.mark.parametrize("version", VERSIONS)
def test_if_there_are_entries_that_the_selection_does_not_specify_reject(version: str) -> None:
    room = open_room(version)
    topic = room.add("m.room.topic", ALICE, state_key="")
    message = room.add("m.room.message", ALICE)
    wrong_key = room.make_power({}, state_key="x")
    room.take(wrong_key)
    # A message of a selected type is not a state event.
    no_state = room.take(room.make_power({}, state_key=None))
    for extra in (
        room.state["m.room.join_rules", ""],
        room.state["m.room.member", ALICE],
        topic,
        message,
        wrong_key,
        no_state,
    ):
        good = [room.state[key] for key in sorted(select_auth_types(topic)) if key in room.state]
        cited = [e for e in good if (e.type, e.state_key) != ("m.room.member", ALICE)]
        event = room.make("m.room.message", BOB, auth=[*cited, room.state["m.room.member", BOB], extra])
        refuses(room.verdict(event), rules.AUTH_EVENTS_NOT_SELECTED)


def test_in_version_12_the_create_event_must_not_be_selected() -> None:
    room = open_room("12")
    auth = [room.create, room.state["m.room.member", BOB]]
    refuses(room.verdict(room.make("m.room.message", BOB, auth=auth)), rules.AUTH_EVENTS_NOT_SELECTED)


@pytest.mark.parametrize("version", versions_from(1, 7))
def test_before_restricted_rooms_an_authoriser_is_not_selected(version: str) -> None:
    room = open_room(version)
    event = room.make_member(CAROL, "join", more={"join_authorised_via_users_server": BOB})
    allows(room.verdict(event), rules.JOIN_PUBLIC)
    cited = [*event.auth_event_ids, room.state["m.room.member", BOB]]
    event = room.make_member(CAROL, "join", more={"join_authorised_via_users_server": BOB}, auth=cited)
    refuses(room.verdict(event), rules.AUTH_EVENTS_NOT_SELECTED)


@pytest.mark.parametrize("version", versions_from(8))
def test_an_authoriser_is_selected_whatever_the_join_rule(version: str) -> None:
    room = open_room(version)
    event = room.make_member(CAROL, "join", more={"join_authorised_via_users_server": BOB})
    assert room.state["m.room.member", BOB].event_id in event.auth_event_ids
    allows(room.verdict(event), rules.JOIN_PUBLIC)


@pytest.mark.parametrize("version", VERSIONS)
def test_if_there_are_entries_which_were_themselves_rejected_reject(version: str) -> None:
    room = open_room(version)
    event = room.make("m.room.message", BOB)
    for cited in event.auth_event_ids:
        refuses(room.verdict(event, rejected={cited}), rules.AUTH_EVENTS_REJECTED)
    allows(room.verdict(event, rejected={room.state["m.room.join_rules", ""].event_id}), rules.OTHERWISE)


@pytest.mark.parametrize("version", ["1", "2"])
def test_an_event_that_cites_itself_is_not_authorised_by_itself(version: str) -> None:
    room = open_room(version)
    own = "$self:d.example:8448"
    cited = [room.create, room.state["m.room.join_rules", ""], own]
    event = room.make_member(DAVE, "join", auth=cited, event_id=own)
    room.take(event)
    refuses(room.verdict(event), rules.AUTH_EVENTS_REJECTED)


@pytest.mark.parametrize("version", versions_from(1, 11))
def test_if_there_is_no_create_event_among_the_entries_reject(version: str) -> None:
    room = open_room(version)
    auth = [room.state["m.room.power_levels", ""], room.state["m.room.member", BOB]]
    refuses(room.verdict(room.make("m.room.message", BOB, auth=auth)), rules.AUTH_EVENTS_NO_CREATE)
    refuses(room.verdict(room.make("m.room.message", BOB, auth=[])), rules.AUTH_EVENTS_NO_CREATE)


def test_in_version_12_no_entry_is_needed_for_the_create_event() -> None:
    room = Room("12")
    join = room.make_member(ALICE, "join")
    assert join.auth_event_ids == ()
    allows(room.verdict(join), rules.JOIN_CREATOR)


@pytest.mark.parametrize("version", VERSIONS)
def test_if_any_event_in_auth_events_has_another_room_id_reject(version: str) -> None:
    # MSC4307, in the specification since 1.16. Servers did so before, in every version.
    room, other = open_room(version), Room(version, name="other", creator=BOB)
    other.member(BOB, "join")
    member = other.state["m.room.member", BOB]
    room.events.update(other.events)
    cited = [] if version == "12" else [room.create]
    event = room.make("m.room.message", BOB, auth=[*cited, room.state["m.room.power_levels", ""], member])
    refuses(room.verdict(event), rules.AUTH_EVENTS_OTHER_ROOM)
    # The create event may be the one of another room.
    if version != "12":
        event = room.make("m.room.message", BOB, auth=[other.create, room.state["m.room.member", BOB]])
        refuses(room.verdict(event), rules.AUTH_EVENTS_OTHER_ROOM)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_rules_on_auth_events_are_checked_in_order(version: str) -> None:
    room, other = open_room(version), Room(version, name="other", creator=BOB)
    room.events.update(other.events)
    stranger = other.member(BOB, "join")
    room.events[stranger.event_id] = stranger
    topic = room.add("m.room.topic", ALICE, state_key="")
    own = room.state["m.room.member", BOB]
    create = [] if version == "12" else [room.create]
    rejected = {topic.event_id, own.event_id, stranger.event_id}

    def judge(*auth: Event) -> Verdict:
        return room.verdict(room.make("m.room.message", BOB, auth=list(auth)), rejected=rejected)

    refuses(judge(stranger, own, topic), rules.AUTH_EVENTS_DUPLICATE)
    refuses(judge(stranger, topic), rules.AUTH_EVENTS_NOT_SELECTED)
    refuses(judge(stranger), rules.AUTH_EVENTS_REJECTED)
    rejected.clear()
    if version != "12":
        refuses(judge(stranger), rules.AUTH_EVENTS_NO_CREATE)
    refuses(judge(*create, stranger), rules.AUTH_EVENTS_OTHER_ROOM)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_missing_auth_event_is_an_error(version: str) -> None:
    room = open_room(version)
    event = room.make("m.room.message", BOB, auth=["$b:x.org", room.create, "$a:x.org", "$b:x.org"])
    for judge in (room.verdict, lambda e: check_state_independent(e, room.events)):
        with pytest.raises(MissingEvents) as raised:
            judge(event)
        assert raised.value.event_ids == ("$a:x.org", "$b:x.org")


@pytest.mark.parametrize("version", VERSIONS)
def test_an_event_that_omits_an_auth_event_is_checked_without_it(version: str) -> None:
    # Check 4 on receipt reads only the event's own auth events.
    room = open_room(version)
    room.power({"users": {} if version == "12" else {ALICE: 100}, "events": {"m.room.message": 50}})
    full = room.make("m.room.message", BOB)
    refuses(room.verdict(full), rules.REQUIRED_LEVEL)
    create = [] if version == "12" else [room.create]
    # Without the power levels the defaults apply. Check 5, against the state, refuses the event.
    event = room.make("m.room.message", BOB, auth=[*create, room.state["m.room.member", BOB]])
    allows(room.verdict(event), rules.OTHERWISE)
    refuses(room.verdict(event, room.state), rules.REQUIRED_LEVEL)
    # Without its own member event its sender is not in the room.
    event = room.make("m.room.message", BOB, auth=[*create, room.state["m.room.power_levels", ""]])
    refuses(room.verdict(event), rules.SENDER_NOT_JOINED)
    refuses(room.verdict(event, room.state), rules.REQUIRED_LEVEL)


# Version 12: the event's room_id


def test_if_the_room_id_is_not_an_event_id_for_an_accepted_create_event_reject() -> None:
    room = open_room("12")
    allows(room.verdict(room.make("m.room.message", BOB)), rules.OTHERWISE)
    event = room.make("m.room.message", BOB)
    refuses(room.verdict(event, rejected={room.create.event_id}), rules.ROOM_ID_OF_CREATE)
    # An event that is not a create event.
    topic = room.add("m.room.topic", ALICE, state_key="")
    event = room.make("m.room.message", BOB, room_id="!" + topic.event_id[1:])
    refuses(room.verdict(event), rules.ROOM_ID_OF_CREATE)
    # A create event that is not the one of the room state.
    odd = room.make("m.room.create", ALICE, {"room_version": "12"}, state_key="x", auth=[], prev=[])
    room.events[odd.event_id] = odd
    event = room.make("m.room.message", BOB, room_id="!" + odd.event_id[1:])
    refuses(room.verdict(event), rules.ROOM_ID_OF_CREATE)


@pytest.mark.parametrize("named", ["absent", "11", "1"])
def test_a_create_event_that_names_another_version_is_not_of_a_room_of_version_12(named: str) -> None:
    content: Content = {} if named == "absent" else {"room_version": named}
    room = Room("12", content=content)
    refuses(room.verdict(room.make_member(ALICE, "join")), rules.ROOM_ID_OF_CREATE)


def test_a_missing_create_event_is_an_error() -> None:
    room = open_room("12")
    event = room.make("m.room.message", BOB, room_id="!unknown")
    assert event.auth_parents == (*event.auth_event_ids, "$unknown")
    with pytest.raises(MissingEvents) as raised:
        room.verdict(event)
    assert raised.value.event_ids == ("$unknown",)


@pytest.mark.parametrize("version", versions_from(1, 11))
def test_up_to_version_11_the_auth_parents_are_the_auth_events(version: str) -> None:
    room = open_room(version)
    assert room.create.auth_parents == ()
    event = room.make("m.room.message", BOB)
    assert event.auth_parents == event.auth_event_ids
    assert room.create.event_id in event.auth_parents


def test_in_version_12_a_create_event_is_not_its_own_auth_parent() -> None:
    room = open_room("12")
    assert room.create.auth_parents == ()
    # Whatever its state key: one that has a state key is not the room's create event, and has a room ID.
    odd = room.make("m.room.create", ALICE, {"room_version": "12"}, state_key="x", auth=[], prev=[])
    assert odd.auth_parents == ()


def test_the_room_id_comes_before_the_auth_events() -> None:
    room = open_room("12")
    event = room.make("m.room.message", BOB, auth=[room.create, room.create])
    refuses(room.verdict(event, rejected={room.create.event_id}), rules.ROOM_ID_OF_CREATE)


def test_a_create_event_is_checked_without_any_other_event() -> None:
    room = Room("12")
    assert check_state_independent(room.create, {}) == room.verdict(room.create)
