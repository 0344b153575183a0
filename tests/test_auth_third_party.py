"""The authorisation rules on third-party invites, which carry a signature inside the event. Tests are named
after the specification's sentences."""

from typing import Any

import pytest
from builder import ALICE, BOB, CAROL, VERSIONS, Content, Room, allows, public_key, refuses, signed_block

from roomver import Verdict, rules
from roomver.auth import third_party

TOKEN = "token"


def offering(version: str, content: Content | None = None, *, inviter: str = ALICE) -> Room:
    """Return a room with a third-party-invite event that holds the key of ``id.one``. ALICE is in it."""
    room = Room(version, signed=False)
    room.join(ALICE)
    if inviter != ALICE:
        room.take(room.make_member(inviter, "join", auth=[]))
    offer = {"public_key": public_key("id.one")} if content is None else content
    room.add("m.room.third_party_invite", inviter, offer, state_key=TOKEN)
    return room


def invite(room: Room, invited: Any, target: str = BOB, by: str = ALICE) -> Verdict:
    return room.verdict(room.make_member(target, "invite", by=by, more={"third_party_invite": invited}))


def good(*signers: str, **more: Any) -> Content:
    return {"display_name": "b", "signed": signed_block(BOB, TOKEN, *(signers or ("id.one",)), **more)}


@pytest.mark.parametrize("version", VERSIONS)
def test_if_any_signature_in_signed_matches_any_public_key_allow(version: str) -> None:
    allows(invite(offering(version), good()), rules.INVITE_THIRD_PARTY_SIGNED)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("membership", ["absent", "invite", "leave", "ban", "knock"])
def test_the_sender_need_not_be_in_the_room_or_have_the_invite_level(version: str, membership: str) -> None:
    room = offering(version)
    room.power({"invite": 100, "users": {}})
    room.take(room.make_member(ALICE, "leave" if membership == "absent" else membership, auth=[]))
    if membership == "absent":
        del room.state["m.room.member", ALICE]
    allows(invite(room, good()), rules.INVITE_THIRD_PARTY_SIGNED)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("membership", ["join", "invite", "leave", "knock", "ban"])
def test_if_target_user_is_banned_reject(version: str, membership: str) -> None:
    room = offering(version)
    room.take(room.make_member(BOB, membership, auth=[]))
    verdict = invite(room, good())
    if membership == "ban":
        refuses(verdict, rules.INVITE_THIRD_PARTY_BANNED)
        # This comes before the content of the invite is checked.
        refuses(invite(room, None), rules.INVITE_THIRD_PARTY_BANNED)
    else:
        # Even a user who is in the room can be invited.
        allows(verdict, rules.INVITE_THIRD_PARTY_SIGNED)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("invited", [None, {}, {"display_name": "b"}, "x", 5, True, [], ["signed"]])
def test_if_third_party_invite_does_not_have_a_signed_property_reject(version: str, invited: Any) -> None:
    # A null is a property, as in Synapse. ruma and gomatrixserverlib treat the event as a plain invite.
    refuses(invite(offering(version), invited), rules.INVITE_THIRD_PARTY_NOT_SIGNED)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "signed", [None, {}, [], "x", 5, {"mxid": BOB}, {"token": TOKEN}, {"signatures": {}}, ["mxid", "token"]]
)
def test_if_signed_does_not_have_mxid_and_token_properties_reject(version: str, signed: Any) -> None:
    refuses(invite(offering(version), {"signed": signed}), rules.INVITE_THIRD_PARTY_INCOMPLETE)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("mxid", [CAROL, None, 5, [BOB], BOB + " ", BOB.upper(), ""])
def test_if_mxid_does_not_match_state_key_reject(version: str, mxid: Any) -> None:
    signed = signed_block(mxid, TOKEN, "id.one")
    refuses(invite(offering(version), {"signed": signed}), rules.INVITE_THIRD_PARTY_OTHER_USER)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("token", ["other", "", None, 5, True, [TOKEN], {}])
def test_if_there_is_no_third_party_invite_event_with_state_key_matching_token_reject(
    version: str, token: Any
) -> None:
    signed = signed_block(BOB, token, "id.one")
    refuses(invite(offering(version), {"signed": signed}), rules.INVITE_THIRD_PARTY_NO_EVENT)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_third_party_invite_event_must_be_cited(version: str) -> None:
    room = offering(version)
    full = room.make_member(BOB, "invite", by=ALICE, more={"third_party_invite": good()})
    offer = room.state["m.room.third_party_invite", TOKEN].event_id
    cited = [event_id for event_id in full.auth_event_ids if event_id != offer]
    event = room.make_member(BOB, "invite", by=ALICE, more={"third_party_invite": good()}, auth=cited)
    refuses(room.verdict(event), rules.INVITE_THIRD_PARTY_NO_EVENT)


@pytest.mark.parametrize("version", VERSIONS)
def test_if_sender_does_not_match_sender_of_the_third_party_invite_event_reject(version: str) -> None:
    room = offering(version)
    room.take(room.make_member(CAROL, "join", auth=[]))
    refuses(invite(room, good(), by=CAROL), rules.INVITE_THIRD_PARTY_OTHER_SENDER)
    refuses(invite(room, good(), by=BOB), rules.INVITE_THIRD_PARTY_OTHER_SENDER)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_public_keys_are_in_public_key_and_in_public_keys(version: str) -> None:
    one, two, three = ({"public_key": public_key(f"id.{name}")} for name in ("one", "two", "three"))
    for content in (
        {**two, "public_keys": [one]},
        {"public_keys": [two, three, one]},
        {**one, "public_keys": []},
        {"public_keys": [{**one, "key_validity_url": "https://id.example/"}]},
    ):
        allows(invite(offering(version, content), good()), rules.INVITE_THIRD_PARTY_SIGNED)
    without: list[Content] = [{}, two, {**two, "public_keys": [three]}, {"public_keys": []}]
    for content in without:
        refuses(invite(offering(version, content), good()), rules.INVITE_THIRD_PARTY_OTHERWISE)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "signers", [("id.two", "id.one"), ("id.one", "id.two"), ("id.three", "id.two", "id.one")]
)
def test_any_signature_under_any_key_is_enough_even_if_others_fail(
    version: str, signers: tuple[str, ...]
) -> None:
    # Synapse gives up on a key at the first signature that fails under it.
    keys: list[Content] = [{"public_key": public_key("id.four")}, {"public_key": public_key("id.one")}]
    offers: list[Content] = [{"public_keys": keys}, {"public_keys": keys[::-1]}, keys[1]]
    for offer in offers:
        allows(invite(offering(version, offer), good(*signers)), rules.INVITE_THIRD_PARTY_SIGNED)


@pytest.mark.parametrize("version", VERSIONS)
def test_server_names_and_key_ids_are_only_labels(version: str) -> None:
    block = good()
    (text,) = block["signed"]["signatures"]["id.one"].values()
    block["signed"]["signatures"] = {"any.example": {"ed25519:any": text}}
    allows(invite(offering(version), block), rules.INVITE_THIRD_PARTY_SIGNED)
    block["signed"]["signatures"] = {"any.example": {"curve25519:1": text}}
    refuses(invite(offering(version), block), rules.INVITE_THIRD_PARTY_OTHERWISE)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_signature_covers_all_of_signed_but_signatures_and_unsigned(version: str) -> None:
    room = offering(version)
    allows(invite(room, good(sender=ALICE, more={"deep": [1]})), rules.INVITE_THIRD_PARTY_SIGNED)
    for change, verdict in (({"added": 1}, False), ({"unsigned": {"age": 1}}, True)):
        block = good()
        block["signed"].update(change)
        check, rule = (
            (allows, rules.INVITE_THIRD_PARTY_SIGNED)
            if verdict
            else (refuses, rules.INVITE_THIRD_PARTY_OTHERWISE)
        )
        check(invite(room, block), rule)
    block = good(extra=1)
    del block["signed"]["extra"]
    refuses(invite(room, block), rules.INVITE_THIRD_PARTY_OTHERWISE)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "signatures",
    [None, {}, [], "x", {"id.one": None}, {"id.one": []}, {"id.one": {}}, {"id.one": {"ed25519:1": None}}]
    + [{"id.one": {"ed25519:1": text}} for text in ("", "!", "A", "AAAA", "A" * 85, "A" * 86, "A" * 87)],
)
def test_otherwise_reject(version: str, signatures: Any) -> None:
    block = good()
    block["signed"]["signatures"] = signatures
    refuses(invite(offering(version), block), rules.INVITE_THIRD_PARTY_OTHERWISE)
    del block["signed"]["signatures"]
    refuses(invite(offering(version), block), rules.INVITE_THIRD_PARTY_OTHERWISE)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("odd", ["", "!", "AAAA", "A" * 42, "A" * 43, "A" * 44, None, 5, [], {}])
def test_an_invalid_key_is_skipped(version: str, odd: Any) -> None:
    one = public_key("id.one")
    for content in (
        {"public_key": odd, "public_keys": [{"public_key": one}]},
        {"public_keys": [odd, {}, {"public_key": odd}, {"public_key": one}]},
        {"public_key": one, "public_keys": odd},
    ):
        allows(invite(offering(version, content), good()), rules.INVITE_THIRD_PARTY_SIGNED)
    for content in ({"public_key": odd}, {"public_keys": odd}, {"public_keys": [odd, {"public_key": odd}]}):
        refuses(invite(offering(version, content), good()), rules.INVITE_THIRD_PARTY_OTHERWISE)


def test_keys_and_signatures_may_be_in_either_alphabet_and_padded() -> None:
    key = public_key("id.one")
    block = good()
    (text,) = block["signed"]["signatures"]["id.one"].values()
    urlsafe = str.maketrans("+/", "-_")
    block["signed"]["signatures"] = {"x": {"ed25519:1": text.translate(urlsafe) + "=="}}
    offer = {"public_key": key.translate(urlsafe) + "="}
    allows(invite(offering("11", offer), block), rules.INVITE_THIRD_PARTY_SIGNED)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_rules_on_third_party_invites_are_checked_in_order(version: str) -> None:
    room = offering(version)
    signed: Content = {}
    invited: Content = {}
    sender = CAROL

    def judge() -> Verdict:
        return invite(room, invited, by=sender)

    refuses(judge(), rules.INVITE_THIRD_PARTY_NOT_SIGNED)
    invited["signed"] = signed
    refuses(judge(), rules.INVITE_THIRD_PARTY_INCOMPLETE)
    signed.update(mxid=CAROL, token="other")
    refuses(judge(), rules.INVITE_THIRD_PARTY_OTHER_USER)
    signed["mxid"] = BOB
    refuses(judge(), rules.INVITE_THIRD_PARTY_NO_EVENT)
    signed["token"] = TOKEN
    refuses(judge(), rules.INVITE_THIRD_PARTY_OTHER_SENDER)
    sender = ALICE
    refuses(judge(), rules.INVITE_THIRD_PARTY_OTHERWISE)
    invited.update(good())
    allows(judge(), rules.INVITE_THIRD_PARTY_SIGNED)


def test_a_flood_of_keys_and_signatures_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    # Two events of full size could require half a million checks.
    tried = []

    def counting(key: bytes, message: bytes, signature: bytes) -> bool:
        tried.append((key, signature))
        return False

    monkeypatch.setattr(third_party, "verify_bytes", counting)
    keys = [{"public_key": public_key(f"k{n}")} for n in range(50)]
    texts = {f"ed25519:{n}": f"{n:04}" + "A" * 82 for n in range(100)}
    signed = {"mxid": BOB, "token": TOKEN, "signatures": {"x": texts}}
    refuses(
        invite(offering("11", {"public_keys": keys}), {"signed": signed}), rules.INVITE_THIRD_PARTY_OTHERWISE
    )
    assert len(tried) == third_party.MAX_PAIRS == 1024


def test_the_same_key_and_the_same_signature_are_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def counting(key: bytes, message: bytes, signature: bytes) -> bool:
        tried.append((key, signature))
        return False

    monkeypatch.setattr(third_party, "verify_bytes", counting)
    entry = {"public_key": public_key("id.one")}
    texts = {f"ed25519:{n}": "A" * 86 for n in range(5)}
    signed = {"mxid": BOB, "token": TOKEN, "signatures": {"x": texts, "y": texts}}
    invite(offering("11", {**entry, "public_keys": [entry, entry]}), {"signed": signed})
    assert len(tried) == 1


@pytest.mark.parametrize("version", VERSIONS)
def test_a_token_may_look_like_a_user_id(version: str) -> None:
    # The rule on state keys that begin with @ is not reached: the rule on this type decides before it.
    room = Room(version, signed=False)
    room.join(ALICE)
    offer = room.add(
        "m.room.third_party_invite", ALICE, {"public_key": public_key("id.one")}, state_key="@zz:x"
    )
    allows(room.verdict(offer), rules.THIRD_PARTY_INVITE_LEVEL)
    signed = signed_block(BOB, "@zz:x", "id.one")
    allows(invite(room, {"signed": signed}), rules.INVITE_THIRD_PARTY_SIGNED)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_third_party_invite_event_with_another_token_does_not_count(version: str) -> None:
    room = offering(version)
    event = room.make_member(
        BOB, "invite", by=ALICE, more={"third_party_invite": {"signed": signed_block(BOB, "other", "id.one")}}
    )
    refuses(room.against_state(event), rules.INVITE_THIRD_PARTY_NO_EVENT)
