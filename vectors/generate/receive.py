"""Cases for a whole room in the order of arrival: all seven checks on receipt, with soft failure."""

from typing import Any

from .constants import JOIN_RULES, MEMBER, MESSAGE, REDACTION, TOPIC
from .events import key_entry
from .independent import base64
from .policy import CONTENT as POLICY_CONTENT
from .policy import POLICY, recommend
from .rooms import ALICE, BOB, CAROL, DAN, ROOM_KEY_ID, server_of
from .suite import SPEC, EventsFile, File
from .tale import BASE, Place, Tale, TaleCases
from .versions import ALL, since

CHECKS = f"{SPEC}/server-server-api/#checks-performed-on-receipt-of-a-pdu"
SOFT_FAILED, REJECTED, DROPPED, UNDECIDED = "soft-failed", "rejected", "dropped", "undecided"


def _plain(cases: TaleCases) -> None:
    for version in ALL:
        tale = Tale(version)
        tale.message("M", CAROL)
        notes = "Every event is accepted, one after the other."
        cases.case("plain", tale, notes, state=BASE, ends="M", spec=CHECKS)
    for version in cases.versions():
        tale = Tale(version)
        tale.topic("T", CAROL)
        tale.room.state.pop((TOPIC, ""))
        tale.message("M", BOB)
        notes = "A rejected event changes no state. An event may follow it."
        cases.case("rejected", tale, notes, state=BASE, ends="M", spec=CHECKS, T=REJECTED)
    for version in cases.versions(count=6):
        tale = Tale(version)
        before = tale.here()
        tale.levels("P2", {BOB: 50, CAROL: 100}, CAROL)
        tale.topic("T", CAROL)
        tale.back(Place(tale.room.heads, before.state))
        tale.message("M", BOB)
        notes = (
            "P2 is rejected: its sender has level 0. T cites P2 as an auth event, so T is rejected too."
            " Neither keeps the event that follows them out."
        )
        cases.case(
            "rejected.auth_event", tale, notes, state=BASE, ends="M", spec=CHECKS, P2=REJECTED, T=REJECTED
        )


def _ban(cases: TaleCases) -> None:
    """The example of the specification: an event beside the ban of its sender."""

    def beside(version: str) -> tuple[Tale, Place, Place]:
        tale = Tale(version)
        fork = tale.here()
        tale.member("B", BOB, "ban", ALICE)
        ban = tale.here()
        tale.back(fork)
        tale.topic("T", BOB)
        return tale, ban, tale.here()

    banned = "C MA P JR B MC"
    for version in ALL:
        tale, ban, late = beside(version)
        notes = (
            "T evades the ban B of its sender, and arrives after B: it is soft-failed, and not in the state."
        )
        cases.case("ban.evaded", tale, notes, state=banned, ends="B", T=SOFT_FAILED)
        # In version 1, a key that only some of the states have is not in conflict.
        merged = f"{banned} T" if version == "1" else banned
        order = f"{BASE} T B"
        notes = (
            "T arrives before the ban B of its sender, so it is accepted. State resolution decides about it."
        )
        cases.case("ban.in_time", tale, notes, state=merged, ends="B T", order=order)
        tale.merge(ban, late, state=ban)
        tale.message("D", ALICE)
        notes = (
            "D follows the ban B and the soft-failed T. It is handled as usual: the states after B and T are"
            " resolved, and T takes part in that."
        )
        cases.case("ban.merged", tale, notes, state=merged, ends="D", T=SOFT_FAILED)
    for version in cases.versions(count=6):
        tale, ban, late = beside(version)
        tale.message("U", BOB)
        tale.back(late)
        tale.message("V", CAROL)
        merged = f"{banned} T" if version == "1" else banned
        notes = (
            "U and V follow the soft-failed T. U is soft-failed too, because its sender is banned. V is"
            " accepted, because its sender is in the room: to follow a soft-failed event is no reason to"
            " refuse an event."
        )
        cases.case("ban.followed", tale, notes, state=merged, ends="B V", T=SOFT_FAILED, U=SOFT_FAILED)
    for version in cases.versions():
        tale, ban, _ = beside(version)
        tale.back(ban)
        tale.member("L", BOB, "leave", ALICE)
        tale.member("J", BOB, "join")
        tale.message("M", BOB)
        notes = "T arrives while its sender is banned, and stays soft-failed after the ban is lifted."
        order = f"{BASE} B T L J M"
        cases.case("ban.lifted", tale, notes, state="C MA P JR J MC", ends="M", order=order, T=SOFT_FAILED)
        again = "C MA P JR J MC"
        merged = f"{again} T" if version == "1" else again
        notes = (
            "The same events, but T arrives after the ban was lifted and its sender has joined again. So T"
            " is accepted. From version 2 on state resolution leaves it out, because T comes after the ban"
            " and before the new join."
        )
        order = f"{BASE} B L J T M"
        cases.case("ban.lifted_before", tale, notes, state=merged, ends="M T", order=order)


def _changes(cases: TaleCases) -> None:
    for version in cases.versions(count=6):
        tale = Tale(version)
        fork = tale.here()
        tale.levels("P2", {BOB: 0})
        after = tale.here()
        tale.back(fork)
        tale.topic("T", BOB)
        tale.back(after)
        tale.message("M", BOB)
        notes = "T needs level 50, which its sender had before P2 and has no longer when T arrives."
        cases.case("levels.lowered", tale, notes, state="C MA P2 JR MB MC", ends="M", T=SOFT_FAILED)
    for version in cases.versions(count=6):
        tale = Tale(version)
        fork = tale.here()
        tale.levels("P2", {BOB: 0})
        after = tale.here()
        tale.back(fork)
        tale.levels("P3", {BOB: 50, CAROL: 50}, BOB)
        tale.topic("T", CAROL)
        tale.back(after)
        tale.message("M", CAROL)
        notes = (
            "P3 is soft-failed, so it does not change the current state. T follows P3 and is allowed by the"
            " state before it. The current state refuses T: its sender has level 0."
        )
        end = "C MA P2 JR MB MC"
        cases.case("levels.not_raised", tale, notes, state=end, ends="M", P3=SOFT_FAILED, T=SOFT_FAILED)
    for version in cases.versions():
        tale = Tale(version)
        fork = tale.here()
        tale.put("JR2", ALICE, JOIN_RULES, {"join_rule": "invite"}, "")
        tale.back(fork)
        tale.member("MD", DAN, "join")
        notes = "MD joins under the old join rule, and arrives after the room was closed."
        cases.case("join.late", tale, notes, state="C MA P JR2 MB MC", ends="JR2", MD=SOFT_FAILED)
    for version in cases.versions():
        tale = Tale(version)
        fork = tale.here()
        tale.member("L", CAROL, "leave")
        tale.back(fork)
        tale.message("M", CAROL)
        notes = "M was sent beside its sender's own leave, and arrives after it."
        cases.case("leave.late", tale, notes, state="C MA P JR MB L", ends="L", M=SOFT_FAILED)
    for version in cases.versions():
        tale = Tale(version)
        fork = tale.here()
        tale.message("M", BOB)
        told = tale.here()
        tale.back(fork)
        tale.member("B", BOB, "ban", ALICE)
        tale.back(told)
        tale.message("X", BOB)
        tale.message("Y", CAROL)
        notes = (
            "M and B are the ends of two branches. X follows M alone: the state before it allows it, and the"
            " current state, which both ends give, does not. Y follows X and is accepted."
        )
        cases.case("two_ends", tale, notes, state="C MA P JR B MC", X=SOFT_FAILED)


def _redactions(cases: TaleCases) -> None:
    def told(version: str, sender: str) -> Tale:
        tale = Tale(version)
        tale.message("M", BOB)
        target = tale.ids["M"]
        in_content = tale.number >= 11
        tale.put(
            "R",
            sender,
            REDACTION,
            {"redacts": target} if in_content else {},
            top=None if in_content else {"redacts": target},
        )
        return tale

    for version in cases.versions(count=6):
        notes = "The sender of R may redact events of others. A redaction that has effect is accepted."
        cases.case("redaction.permitted", told(version, ALICE), notes, state=BASE, ends="R", spec=CHECKS)
    for version in cases.versions(since("3"), 5):
        notes = (
            "R has no effect, because its sender may not redact M. From version 3 on no rule rejects it,"
            " and no check on receipt makes it soft-failed."
        )
        cases.case("redaction.not_permitted", told(version, CAROL), notes, state=BASE, ends="R", spec=CHECKS)
    for version in ("1", "2"):
        notes = (
            "The sender of R may not redact M, which is of another server. In this version a rule rejects R."
        )
        cases.case(
            "redaction.rejected", told(version, CAROL), notes, state=BASE, ends="M", spec=CHECKS, R=REJECTED
        )


def _policy(cases: TaleCases) -> None:
    def told(version: str) -> Tale:
        tale = Tale(version)
        tale.put("S", ALICE, POLICY, POLICY_CONTENT, "")
        return tale

    with_policy = f"{BASE} S"
    for version in ALL:
        tale = told(version)
        start = tale.here()
        tale.message("M", CAROL)
        tale.back(start)
        recommend(tale.room, tale.put("N", CAROL, MESSAGE, {"body": "N", "msgtype": "m.text"}))
        notes = (
            "S names a policy server and needs no signature itself. M is soft-failed, because the policy"
            " server has not signed it. N is accepted with its signature."
        )
        cases.case("policy", tale, notes, state=with_policy, ends="N", M=SOFT_FAILED)
    for version in cases.versions():
        tale = told(version)
        tale.topic("T", ALICE)
        recommend(tale.room, tale.put("N", CAROL, MESSAGE, {"body": "N", "msgtype": "m.text"}))
        notes = (
            "T is soft-failed, because the policy server has not signed it. N follows T and is accepted,"
            " and the state after N has T: soft-failed events take part in states as usual."
        )
        cases.case("policy.followed", tale, notes, state=f"{with_policy} T", ends="N", T=SOFT_FAILED)
    for version in cases.versions():
        tale = told(version)
        tale.topic("T", ALICE)
        notes = (
            "T is soft-failed, because the policy server has not signed it. It is not in the current state."
        )
        cases.case("policy.state", tale, notes, state=with_policy, ends="S", T=SOFT_FAILED)
    for version in cases.versions():
        tale = told(version)
        start = tale.here()
        recommend(tale.room, tale.put("L", BOB, MEMBER, {"membership": "leave"}, BOB))
        tale.message("M", CAROL)
        notes = "When the last user of the policy server has left, the room no longer uses it."
        cases.case("policy.left", tale, notes, state="C MA P JR L MC S", ends="M")
        tale.back(start)
        tale.put("D", ALICE, POLICY, {}, "")
        tale.message("X", CAROL)
        notes = "S is replaced by an event that names no server, which needs no signature. X needs none then."
        order = f"{BASE} S D X"
        cases.case("policy.disabled", tale, notes, state=f"{BASE} D", ends="X", order=order)


def _by_itself(cases: TaleCases) -> None:
    """Checks 1 to 3: an event that is dropped, and one whose redacted form is used."""
    for version in cases.versions():
        tale = Tale(version)
        tale.topic("T", BOB)
        changed = {**tale.room.events[tale.ids["T"]], "content": {"topic": "Something else"}}
        notes = "The content hash of T does not match, so its redacted form is used. That is still a topic."
        cases.case("hash", tale, notes, state=f"{BASE} T", ends="T", spec=CHECKS, pdus={"T": changed})
    for version in cases.versions():
        tale = Tale(version)
        fork = tale.here()
        tale.message("M", BOB)
        tale.back(fork)
        tale.message("N", CAROL)
        servers = {server_of(user) for user in (ALICE, BOB, CAROL)}
        keys = {server: {ROOM_KEY_ID: key_entry(server, ROOM_KEY_ID)} for server in sorted(servers)}
        pdu = tale.room.events[tale.ids["M"]]
        server = server_of(BOB)
        forged = {**pdu, "signatures": {server: {ROOM_KEY_ID: base64(bytes(64))}}}
        notes = "M is dropped: the signature of its sender's server does not verify. N follows another event."
        cases.case(
            "signature",
            tale,
            notes,
            state=BASE,
            ends="N",
            spec=CHECKS,
            keys=keys,
            pdus={"M": forged},
            M=DROPPED,
        )


def _given(cases: TaleCases) -> None:
    """A join with the state that another server tells: whole, or without members."""

    def told(version: str) -> Tale:
        tale = Tale(version)
        tale.member("MD", DAN, "join")
        tale.member("LD", DAN, "leave")
        tale.message("Z", ALICE)  # not known to the server that joins
        tale.member("J", DAN, "join")
        tale.message("A1", ALICE)
        tale.message("B1", BOB)
        return tale

    def given(tale: Tale, labels: str, *unknown: list[str | None]) -> dict[str, Any]:
        state = sorted(tale.ids[one] for one in labels.split())
        return {tale.ids["J"]: {"state": state, **({"unknown": list(unknown)} if unknown else {})}}

    held = [*BASE.split(), "MD", "LD"]
    for version in cases.versions(count=6):
        tale = told(version)
        notes = (
            "The server joins by J and is given the state before J. The events that J follows are missing,"
            " which matters no more then."
        )
        cases.case(
            "given.whole",
            tale,
            notes,
            state="C MA P JR MB MC J",
            ends="B1",
            order="J A1 B1",
            spec=CHECKS,
            held=held,
            given=given(tale, "C MA P JR MB MC LD"),
        )
    for version in cases.versions(count=6):
        tale = told(version)
        after = tale.here()
        tale.back(Place([tale.ids["A1"]], after.state))
        tale.message("D1", DAN)
        notes = (
            "The server joins by J and is given the state before J without most members. A1 is accepted: its"
            " sender is known. B1 is undecided: its sender may have left since the event that it cites."
        )
        cases.case(
            "given.members_unknown",
            tale,
            notes,
            state="C MA P JR J",
            ends="D1",
            order="J A1 B1 D1",
            spec=CHECKS,
            held=held,
            given=given(tale, "C MA P JR LD", [MEMBER, None]),
            B1=UNDECIDED,
        )
    for version in cases.versions():
        tale = told(version)
        tale.message("A2", ALICE)
        notes = (
            "A2 follows B1, which is undecided. So the state before A2 is not known, and A2 is undecided too."
        )
        cases.case(
            "given.follows_undecided",
            tale,
            notes,
            state="C MA P JR J",
            ends="A1",
            order="J A1 B1 A2",
            spec=CHECKS,
            held=held,
            given=given(tale, "C MA P JR LD", [MEMBER, None]),
            B1=UNDECIDED,
            A2=UNDECIDED,
        )


def files() -> list[File]:
    """Return the files of this area."""
    file = EventsFile("receipt/receive.json", "Whole rooms in the order of arrival")
    cases = TaleCases(file)
    _plain(cases)
    _ban(cases)
    _changes(cases)
    _redactions(cases)
    _policy(cases)
    _by_itself(cases)
    _given(cases)
    return [file]
