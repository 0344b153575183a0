"""Cases for third-party invites: the ``m.room.third_party_invite`` events, and the invites that use them."""

from typing import Any

from .auth_cases import Book
from .constants import IDENTITY, MEMBER, THIRD_PARTY_INVITE
from .independent import public_key, seed_of
from .observed import OBSERVED_BAD_SIGNATURE, OBSERVED_ODD_ENTRY
from .rooms import ALICE, BOB, CAROL, ROOM_KEY_ID, Room, plain_room, signed_by
from .suite import differ
from .versions import ALL, ONE_PER_LIST, SAMPLE, Versions

FILE = "third_party"

TOKEN = "token"


def cases(book: Book) -> None:
    """Write the cases of one room version."""
    _signatures(book)
    _refusals(book)
    _whatever_else(book)
    _offers(book)


def key(name: str) -> str:
    """Return the public key that belongs to a name."""
    return public_key(seed_of(name, ROOM_KEY_ID))


def signed(mxid: Any = BOB, *keys: str, **more: Any) -> Any:
    """Return a signed block with one signature per key, each under its own key ID."""
    block = {"mxid": mxid, "token": TOKEN, **more}
    for number, name in enumerate(keys or ("one",)):
        block = signed_by(block, IDENTITY, name, f"ed25519:{number}")
    return block


def offered(book: Book, content: dict[str, Any] | None = None, **named: Any) -> Room:
    """Return a room in which Carol has sent a third-party invite."""
    room = plain_room(book.version, {CAROL: 10}, joined=[CAROL], **named)
    usual = {
        "display_name": "b...",
        "key_validity_url": f"https://{IDENTITY}/valid",
        "public_key": key("one"),
    }
    room.put(CAROL, THIRD_PARTY_INVITE, usual if content is None else content, TOKEN)
    return room


def invite(room: Room, block: Any, target: str = BOB, sender: str = CAROL, **more: Any) -> str:
    """Build the invite that uses the third-party invite."""
    taken = {"display_name": "b...", "signed": block}
    return room.try_member(target, "invite", sender, content={"third_party_invite": taken}, **more)


def _signatures(book: Book) -> None:
    start = "member.invite.third_party"
    allowed, refused = f"{start}.signed", f"{start}.otherwise"
    room = offered(book)
    book.allow(f"{start}.public_key", room, invite(room, signed()), allowed, versions=ALL)

    def listed(*names: str, **more: str) -> Room:
        return offered(book, {"public_keys": [{"public_key": key(name)} for name in names], **more})

    room = listed("one", "two")
    book.allow(f"{start}.public_keys.first", room, invite(room, signed(BOB, "one")), allowed, versions=SAMPLE)
    book.allow(f"{start}.public_keys.second", room, invite(room, signed(BOB, "two")), allowed, versions=ALL)
    notes = (
        "Every signature is tried with every key. Only the second signature is valid, under the second key."
        " Synapse drops a key after the first signature that fails under it, and rejects this."
    )
    book.allow(
        f"{start}.any_with_any", room, invite(room, signed(BOB, "three", "two")), allowed, notes, versions=ALL
    )
    room = listed("two", public_key=key("one"))
    notes = "The key in public_key counts in addition to those in public_keys."
    book.allow(f"{start}.both", room, invite(room, signed(BOB, "one")), allowed, notes, versions=ONE_PER_LIST)
    room = listed("one", public_key="no+key")
    notes = "A value that is not a key is skipped."
    book.allow(f"{start}.bad_key", room, invite(room, signed()), allowed, notes, versions=ONE_PER_LIST)
    room = listed("one", public_key=key("two")[:-2])
    notes = "A key with too few bytes is skipped."
    book.allow(f"{start}.short_key", room, invite(room, signed()), allowed, notes, versions=SAMPLE)
    block = signed()
    block["signatures"]["a.example.org"] = {"ed25519:0": "no+signature!", "ed25519:1": "AAAA"}
    room = offered(book)
    notes = "Malformed signatures are skipped."
    book.allow(
        f"{start}.bad_signatures",
        room,
        invite(room, block),
        allowed,
        notes,
        versions=SAMPLE,
        disputed=OBSERVED_BAD_SIGNATURE,
    )
    room = offered(book, {"public_keys": [key("one"), 5, None, [key("one")], {"public_key": key("two")}]})
    notes = "Entries of public_keys that are not objects are passed over."
    event = invite(room, signed(BOB, "two"))
    odd = OBSERVED_ODD_ENTRY
    book.allow(f"{start}.odd_public_keys", room, event, allowed, notes, versions=SAMPLE, disputed=odd)
    block = signed()
    block["signatures"] = {
        "a.example.org": None,
        "b.example.org": "text",
        IDENTITY: {"ed25519:number": 5, "ed25519:null": None, **block["signatures"][IDENTITY]},
    }
    room = offered(book)
    notes = "What is not a signature is passed over: an entry of a server, or of a key ID, of another type."
    event = invite(room, block)
    book.allow(f"{start}.odd_signatures", room, event, allowed, notes, versions=SAMPLE, disputed=odd)
    notes = (
        "The signature covers all keys in the block. gomatrixserverlib loses the keys that it does not know."
    )
    book.allow(
        f"{start}.more_fields", room, invite(room, signed(sender=CAROL, n=1)), allowed, notes, versions=ALL
    )
    notes = "The signature does not cover `unsigned`, as in any signed JSON."
    block = {**signed(), "unsigned": {"age": 5}}
    book.allow(f"{start}.unsigned", room, invite(room, block), allowed, notes, versions=ONE_PER_LIST)
    other = signed_by({"mxid": BOB, "token": TOKEN}, "z.example.org", "one", "ed25519:z")
    notes = "The server names and key IDs in the block are only labels."
    book.allow(f"{start}.label", room, invite(room, other), allowed, notes, versions=SAMPLE)

    twin = f"{start}.public_key"
    for label, block, versions in (
        ("added_field", {**signed(), "n": 1}, ALL),
        ("other_key", signed(BOB, "two"), SAMPLE),
        ("no_signatures", {"mxid": BOB, "token": TOKEN}, SAMPLE),
        ("empty_signatures", {"mxid": BOB, "token": TOKEN, "signatures": {IDENTITY: {}}}, SAMPLE),
        (
            "bad_base64",
            {"mxid": BOB, "token": TOKEN, "signatures": {IDENTITY: {ROOM_KEY_ID: "AAAA"}}},
            SAMPLE,
        ),
        ("signatures_null", {"mxid": BOB, "token": TOKEN, "signatures": None}, SAMPLE),
    ):
        book.reject(f"{start}.{label}", room, invite(room, block), refused, twin=twin, versions=versions)
    bad = invite(room, signed_by({"mxid": BOB, "token": TOKEN}, IDENTITY, "one", "x25519:0"))
    notes = "The signature is valid, but its key ID names an algorithm that is not for signing."
    book.reject(f"{start}.algorithm", room, bad, refused, notes, twin=twin, versions=ONE_PER_LIST)
    room = offered(book, {})
    notes = "A redacted m.room.third_party_invite event has no keys."
    book.reject(f"{start}.no_keys", room, invite(room, signed()), refused, notes, twin=twin, versions=SAMPLE)


def _refusals(book: Book) -> None:
    start = "member.invite.third_party"
    twin = f"{start}.public_key"
    room = offered(book)
    bad = room.try_member(BOB, "invite", CAROL, content={"third_party_invite": {"display_name": "b..."}})
    book.reject(f"{start}.not_signed", room, bad, f"{start}.not_signed", twin=twin, versions=ALL)
    blocks: list[tuple[str, Any, str, Versions]] = [
        ("no_mxid", signed_by({"token": TOKEN}, IDENTITY, "one"), "incomplete", ALL),
        ("no_token", signed_by({"mxid": BOB}, IDENTITY, "one"), "incomplete", SAMPLE),
        ("block_null", None, "incomplete", SAMPLE),
        ("block_string", "signed", "incomplete", SAMPLE),
        ("mxid", signed(CAROL), "other_user", ALL),
        ("mxid_null", signed(mxid=None), "other_user", SAMPLE),
        ("token_unknown", signed(token="other"), "no_event", ALL),
        ("token_number", signed(token=5), "no_event", SAMPLE),
        ("token_list", signed(token=[TOKEN]), "no_event", SAMPLE),
    ]
    for label, block, why, versions in blocks:
        notes = "A malformed block must be rejected, and the check must not fail." if "_n" in label else ""
        book.reject(
            f"{start}.{label}",
            room,
            invite(room, block),
            f"{start}.{why}",
            notes,
            twin=twin,
            versions=versions,
        )
    notes = (
        "The room state contains another m.room.third_party_invite event by the same sender, with the key"
        " that signed."
    )
    bad = invite(room, signed(token="other"))
    state = list(room.state.values())
    name = f"{start}.token_of_none"
    book.reject(name, room, bad, f"{start}.no_event", notes, twin=twin, state=state, versions=SAMPLE)
    bad = invite(room, signed(), sender=ALICE)
    notes = (
        "The sender of the m.room.third_party_invite event must also send the invite, whatever another"
        " user's level. gomatrixserverlib does not check this."
    )
    book.reject(f"{start}.other_sender", room, bad, f"{start}.other_sender", notes, twin=twin, versions=ALL)
    cited = room.select(CAROL, MEMBER, {"membership": "invite"}, BOB)
    bad = invite(room, signed(), auth=cited)
    notes = "The m.room.third_party_invite event is in the room, but not among the event's auth events."
    book.reject(f"{start}.not_cited", room, bad, f"{start}.no_event", notes, twin=twin, versions=SAMPLE)
    room.member(BOB, "ban", ALICE)
    notes = "The target is banned. gomatrixserverlib does not check this."
    book.reject(
        f"{start}.banned", room, invite(room, signed()), f"{start}.banned", notes, twin=twin, versions=ALL
    )

    room = plain_room(book.version)
    notes = (
        "Disputed: the property is present although it is null, so this is a third-party invite without a"
        " signed block. Synapse rejects it; ruma and gomatrixserverlib treat it as a plain invite and allow"
        " it."
    )
    bad = room.try_member(BOB, "invite", ALICE, content={"third_party_invite": None})
    twin = "member.invite.none"
    book.reject(
        f"{start}.null",
        room,
        bad,
        f"{start}.not_signed",
        notes,
        twin=twin,
        disputed=differ("", "ruma and gomatrixserverlib"),
        versions=ALL,
    )


def _whatever_else(book: Book) -> None:
    """Invites that are allowed although another rule would reject them."""
    start = "member.invite.third_party"
    allowed = f"{start}.signed"
    room = offered(book, None, invite=10)
    room.power({CAROL: 0}, invite=10)
    notes = (
        "Once the m.room.third_party_invite event exists, the sender's level and membership no longer matter."
    )
    book.allow(f"{start}.level", room, invite(room, signed()), allowed, notes, versions=SAMPLE)
    room.member(CAROL, "leave")
    book.allow(f"{start}.sender_left", room, invite(room, signed()), allowed, notes, versions=ALL)
    room = offered(book)
    room.member(BOB, "join")
    notes = "The rule checks whether the target is banned, not whether the target is in the room."
    book.allow(f"{start}.target_joined", room, invite(room, signed()), allowed, notes, versions=SAMPLE)


def _offers(book: Book) -> None:
    content = {
        "display_name": "b...",
        "key_validity_url": f"https://{IDENTITY}/valid",
        "public_key": key("one"),
    }
    start = "third_party_invite"
    rule_name = "third_party_invite.level"
    for where, needed in (("given", 30), ("default", 0)):
        for label, by in (("below", -1), ("equal", 0), ("above", 1)):
            if where == "default" and by == 1:
                continue
            named = {"invite": needed} if where == "given" else {}
            room = plain_room(book.version, {CAROL: needed + by}, joined=[CAROL], **named)
            event = room.make(CAROL, THIRD_PARTY_INVITE, content, TOKEN)
            name = f"{start}.{where}.{label}"
            versions = SAMPLE if (where, by) in (("given", 1), ("default", -1)) else ALL
            if by < 0:
                book.reject(name, room, event, rule_name, twin=f"{start}.{where}.equal", versions=versions)
            else:
                book.allow(name, room, event, rule_name, versions=versions)
    room = plain_room(book.version, {CAROL: 0}, joined=[CAROL], events={THIRD_PARTY_INVITE: 100})
    notes = "The event requires the invite level. The level that its event type requires is not used."
    book.allow(
        f"{start}.events",
        room,
        room.make(CAROL, THIRD_PARTY_INVITE, content, TOKEN),
        rule_name,
        notes,
        versions=ALL,
    )
    notes = "The rule on state keys that start with @ comes later. gomatrixserverlib applies it."
    book.allow(
        f"{start}.at",
        room,
        room.make(CAROL, THIRD_PARTY_INVITE, content, BOB),
        rule_name,
        notes,
        versions=ALL,
    )
    bad = room.make(BOB, THIRD_PARTY_INVITE, content, TOKEN)
    book.reject(
        f"{start}.stranger", room, bad, "sender.not_joined", twin=f"{start}.default.equal", versions=ALL
    )
