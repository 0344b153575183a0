"""Cases for the rules on an event's auth events and, in version 12, on its room ID.

They also show which state an event is checked against: its own auth events, or a state of the room.
"""

from .auth_cases import Book
from .constants import (
    AUTHORISER,
    CREATE,
    CREATE_KEY,
    JOIN_RULES_KEY,
    MEMBER,
    MESSAGE,
    POWER_LEVELS,
    POWER_LEVELS_KEY,
    THIRD_PARTY_INVITE,
    TOPIC,
    Key,
)
from .observed import OBSERVED_CITES_ITSELF, OBSERVED_NO_STATE_EVENT
from .rooms import ALICE, BOB, CAROL, HELLO, MALLORY, Room, plain_room, server_of
from .suite import differ
from .versions import ALL, Versions, since

FILE = "auth_events"


def cases(book: Book) -> None:
    """Write the cases of one room version."""
    _shape(book)
    _not_selected(book)
    _other_room(book)
    _which_state(book)
    if book.number >= 12:
        _room_id(book)


def _topic(room: Room, auth: list[str] | None = None) -> str:
    return room.make(ALICE, TOPIC, {"topic": "Vectors"}, "", auth=auth)


def _chosen(room: Room) -> list[str]:
    return room.select(ALICE, TOPIC, {}, "")


def _shape(book: Book) -> None:
    room = plain_room(book.version)
    old = room.state[POWER_LEVELS_KEY]
    room.power(ban=60)
    chosen = _chosen(room)
    book.allow("auth_events.plain", room, _topic(room), "otherwise", versions=ALL)
    book.allow(
        "auth_events.order",
        room,
        _topic(room, chosen[::-1]),
        "otherwise",
        "The order of the auth events does not matter.",
        versions=ALL,
    )
    notes = "Two auth events are power levels, so two entries have the same type and state key."
    bad = _topic(room, [*chosen, old])
    book.reject(
        "auth_events.two_of_a_kind",
        room,
        bad,
        "auth_events.duplicate",
        notes,
        twin="auth_events.plain",
        versions=ALL,
    )
    bad = _topic(room, [*chosen, chosen[-1]])
    notes = "The same event ID is listed twice, so two entries have the same type and state key."
    book.reject(
        "auth_events.twice", room, bad, "auth_events.duplicate", notes, twin="auth_events.plain", versions=ALL
    )
    if book.number <= 11:
        bad = _topic(room, chosen[1:])
        book.reject(
            "auth_events.no_create",
            room,
            bad,
            "auth_events.no_create",
            twin="auth_events.plain",
            versions=since("1", "11"),
        )
        notes = "The event does not cite the create event, although the room state contains it."
        book.reject(
            "auth_events.no_create.state",
            room,
            bad,
            "auth_events.no_create",
            notes,
            twin="auth_events.plain",
            state=room.state.values(),
            versions=since("1", "11"),
        )
    room.member(BOB, "join")
    refused = room.make(BOB, POWER_LEVELS, room.levels({BOB: 100}), "")
    bad = _topic(room, [refused if one == room.state[POWER_LEVELS_KEY] else one for one in chosen])
    notes = "The event cites power levels that were rejected."
    book.reject(
        "auth_events.rejected",
        room,
        bad,
        "auth_events.rejected",
        notes,
        twin="auth_events.plain",
        rejected=[refused],
        versions=ALL,
    )
    if book.number <= 2:
        _itself(book)
    notes = "An auth event is missing, so the event cannot be checked. It must not be allowed."
    book.error("auth_events.unknown", room, _topic(room), notes, [room.state[POWER_LEVELS_KEY]], versions=ALL)


def _itself(book: Book) -> None:
    """In versions 1 and 2 the sender chooses the event ID, so an event can cite itself."""
    room = plain_room(book.version)
    room.join_rule("invite")
    usual = room.select(MALLORY, MEMBER, {"membership": "join"}, MALLORY)
    references = room.events[room.try_member(MALLORY, "join", auth=usual)]["auth_events"]
    own = f"$own:{server_of(MALLORY)}"
    top = {"event_id": own, "auth_events": [*references, [own, {"sha256": ""}]]}
    bad = room.try_member(MALLORY, "join", top=top)
    notes = "The event cites itself as the sender's membership, as if the sender were already joined."
    twin = "member.join.invite.join"
    book.reject(
        "auth_events.itself",
        room,
        bad,
        "auth_events.rejected",
        notes,
        twin=twin,
        versions=since("1", "2"),
        disputed=OBSERVED_CITES_ITSELF,
    )


def _not_selected(book: Book) -> None:
    room = plain_room(book.version, joined=[BOB])
    message = room.put(ALICE, MESSAGE, HELLO)
    chosen = _chosen(room)
    # From version 3 on, mautrix-go rejects it too.
    no_state_event = OBSERVED_NO_STATE_EVENT if book.number <= 2 else None
    for label, extra, disputed in (
        ("join_rules", room.state[JOIN_RULES_KEY], None),
        ("other_member", room.state[MEMBER, BOB], None),
        ("message", message, no_state_event),
    ):
        bad = _topic(room, [*chosen, extra])
        name = f"auth_events.not_selected.{label}"
        book.reject(
            name,
            room,
            bad,
            "auth_events.not_selected",
            twin="auth_events.plain",
            versions=ALL,
            disputed=disputed,
        )
    stray = room.put(ALICE, POWER_LEVELS, room.levels(), None)
    bad = _topic(room, [stray if one == room.state[POWER_LEVELS_KEY] else one for one in chosen])
    notes = (
        "The event cites an m.room.power_levels event without a state key. That is not a state event, and"
        " the auth events selection never picks it."
    )
    name = "auth_events.not_selected.no_state_key"
    book.reject(
        name,
        room,
        bad,
        "auth_events.not_selected",
        notes,
        twin="auth_events.plain",
        versions=ALL,
        disputed=no_state_event,
    )
    if book.number >= 12:
        bad = _topic(room, [room.create, *chosen])
        notes = (
            "The event cites the create event. Only versions 1 to 11 do that; in version 12 the room ID"
            " identifies the create event."
        )
        name = "auth_events.not_selected.create"
        book.reject(
            name, room, bad, "auth_events.not_selected", notes, twin="auth_events.plain", versions=since("12")
        )

    rule = room.state[JOIN_RULES_KEY]
    for label, sender, membership, rule_name in (
        ("leave", BOB, "leave", "member.leave.self"),
        ("ban", ALICE, "ban", "member.ban.level"),
    ):
        usual = room.select(sender, MEMBER, {"membership": membership}, BOB)
        good = room.try_member(BOB, membership, sender)
        bad = room.try_member(BOB, membership, sender, auth=[*usual, rule])
        notes = "The auth events selection picks the join rules only for joins, invites and knocks."
        rule_names = ("auth_events.not_selected", rule_name)
        book.pair(
            f"auth_events.not_selected.rules_on_{label}", room, bad, good, rule_names, notes, versions=ALL
        )

    offer = room.put(ALICE, THIRD_PARTY_INVITE, {"display_name": "c", "public_keys": []}, "token")
    usual = room.select(ALICE, MEMBER, {"membership": "invite"}, CAROL)
    good = room.try_member(CAROL, "invite", ALICE)
    bad = room.try_member(CAROL, "invite", ALICE, auth=[*usual, offer])
    rule_names = ("auth_events.not_selected", "member.invite.level")
    book.pair(
        "auth_events.not_selected.offer",
        room,
        bad,
        good,
        rule_names,
        "The event cites an m.room.third_party_invite event, but it is not a third-party invite.",
        versions=ALL,
    )

    # From version 8 on the selection picks the authoriser's membership, whatever the join rule is.
    content = {"membership": "join", AUTHORISER: BOB}
    usual = room.select(CAROL, MEMBER, content, CAROL)
    extra = room.state[MEMBER, BOB]
    if book.number >= 8:
        good = room.try_member(CAROL, "join", content=content)
        notes = "The selection depends only on the event, so it does not matter that the room is public."
        book.allow("auth_events.authoriser", room, good, "member.join.public", notes, versions=since("8"))
    else:
        good = room.try_member(CAROL, "join", content=content)
        bad = room.try_member(CAROL, "join", content=content, auth=[*usual, extra])
        rule_names = ("auth_events.not_selected", "member.join.public")
        notes = "This version has no restricted joins, so no authorising user is picked."
        book.pair(
            "auth_events.not_selected.authoriser",
            room,
            bad,
            good,
            rule_names,
            notes,
            versions=since("1", "7"),
        )


def _other_room(book: Book) -> None:
    room = plain_room(book.version)
    other = Room(book.version, {"m.federate": True}, name="other")
    other.member(ALICE, "join")
    other.power()
    chosen = _chosen(room)
    swaps: list[tuple[str, Key, Versions]] = [
        ("member", (MEMBER, ALICE), ALL),
        ("power_levels", POWER_LEVELS_KEY, ALL),
        ("create", CREATE_KEY, since("1", "11")),
    ]
    room.events.update(other.events)
    for label, key, versions in swaps:
        if book.version not in versions:
            continue
        bad = _topic(room, [other.state[key] if one == room.state[key] else one for one in chosen])
        notes = (
            "An auth event belongs to another room. Every server rejected this in every room version before"
            " the specification said so."
        )
        name = f"auth_events.other_room.{label}"
        book.reject(
            name, room, bad, "auth_events.other_room", notes, twin="auth_events.plain", versions=versions
        )


def _which_state(book: Book) -> None:
    room = plain_room(book.version, joined=[BOB], events_default=10)
    chosen = room.select(BOB, MESSAGE, HELLO, None)
    short = [one for one in chosen if one != room.state[POWER_LEVELS_KEY]]
    notes = "The event does not cite the power levels, so the default required level of 0 applies."
    event = room.make(BOB, MESSAGE, HELLO, auth=short)
    book.allow("state.no_power_levels", room, event, "otherwise", notes, versions=ALL)
    notes = "The event's own auth events would allow it, but the room state contains the power levels."
    book.reject(
        "state.power_levels",
        room,
        event,
        "required_level",
        notes,
        twin="state.no_power_levels",
        state=room.state.values(),
        versions=ALL,
    )
    bad = room.make(ALICE, MESSAGE, HELLO, auth=[one for one in chosen if one != chosen[-1]])
    good = room.make(ALICE, MESSAGE, HELLO)
    notes = "The event does not cite the sender's membership, so the sender is not joined."
    book.pair("state.no_member", room, bad, good, ("sender.not_joined", "otherwise"), notes, versions=ALL)

    room = plain_room(book.version, joined=[BOB])
    event = room.make(BOB, MESSAGE, HELLO)
    book.allow("state.joined", room, event, "otherwise", "", state=list(room.state.values()), versions=ALL)
    room.member(BOB, "leave")
    notes = "The sender is joined in the event's own auth events, but has left in the room state."
    book.reject(
        "state.left",
        room,
        event,
        "sender.not_joined",
        notes,
        twin="state.joined",
        state=room.state.values(),
        versions=ALL,
    )
    event = room.try_member(MALLORY, "join")
    state = [one for key, one in room.state.items() if key[0] != MEMBER or key[1] == ALICE]
    book.allow("state.public", room, event, "member.join.public", "", state=state, versions=ALL)
    room.join_rule("invite")
    state = [one for key, one in room.state.items() if key[0] != MEMBER or key[1] == ALICE]
    notes = "The join rule is public in the event's own auth events, but invite in the room state."
    book.reject(
        "state.rule_changed",
        room,
        event,
        "member.join.otherwise",
        notes,
        twin="state.public",
        state=state,
        versions=ALL,
    )


def _room_id(book: Book) -> None:
    room = plain_room(book.version)
    topic = _topic(room)
    book.allow("room_id.accepted", room, topic, "otherwise", versions=since("12"))
    notes = "The create event is known, but it was rejected."
    book.reject(
        "room_id.rejected",
        room,
        topic,
        "room_id.of_create",
        notes,
        twin="room_id.accepted",
        rejected=[room.create],
        versions=since("12"),
    )
    member = room.state[MEMBER, ALICE]
    bad = room.make(ALICE, TOPIC, {"topic": "x"}, "", auth=[], top={"room_id": "!" + member[1:]})
    notes = "The room ID is derived from an accepted event that is not a create event."
    book.reject("room_id.member", room, bad, "room_id.of_create", notes, twin="", versions=since("12"))
    # With a state of the real room, only the event that the room ID names can be the reason.
    topic = room.make(ALICE, TOPIC, {"topic": "x", "room_version": book.version}, "")
    bad = room.make(ALICE, TOPIC, {"topic": "x"}, "", auth=[], top={"room_id": "!" + topic[1:]})
    notes = "The room ID is derived from a topic event whose content has room_version, as in a create event."
    state = list(room.state.values())
    book.reject(
        "room_id.topic",
        room,
        bad,
        "room_id.of_create",
        notes,
        twin="room_id.accepted",
        state=state,
        versions=since("12"),
    )
    content = {"room_version": book.version}
    keyed = room.make(ALICE, CREATE, content, "x", auth=[], prev=[], top={"room_id": room.room_id})
    bad = room.make(ALICE, TOPIC, {"topic": "x"}, "", auth=[], top={"room_id": "!" + keyed[1:]})
    notes = "A create event with a non-empty state key does not create a room."
    book.reject(
        "room_id.keyed_create",
        room,
        bad,
        "room_id.of_create",
        notes,
        twin="room_id.accepted",
        state=state,
        odd=True,
        versions=since("12"),
    )
    older = Room(book.version, {"room_version": "11"})
    older.member(ALICE, "join")
    notes = (
        "Disputed: the create event has room version 11, so it does not create a room of version 12. Synapse"
        " does not compare it with the version that it uses for the room, and allows this."
    )
    bad = older.make(ALICE, TOPIC, {"topic": "x"}, "")
    book.reject(
        "room_id.other_version",
        older,
        bad,
        "room_id.of_create",
        notes,
        twin="room_id.accepted",
        odd=True,
        disputed=differ("", "Synapse"),
        versions=since("12"),
    )
    notes = "The create event that the room ID names is missing, so the event cannot be checked."
    book.error("room_id.unknown", room, topic, notes, [room.create], versions=since("12"))
