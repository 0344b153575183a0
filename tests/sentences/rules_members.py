"""The sentences of the lists of authorisation rules on ``m.room.member`` events."""

from collections.abc import Iterator

from .records import ALTERED, DROPPED, INVERTED, WIDENED, Change, Sentence
from .rules import LISTS, changed, numbers_of, rule

_LAST = "The last rule for member events rejects it, too."
_NEXT = "Later rules compare the missing value with something, and refuse the event too."


def _member() -> Iterator[Sentence]:
    at = "member_rules"
    yield rule(
        "member",
        "Member events have rules of their own",
        "state_rules",
        '(lambda: kind == "m.room.member", self.member_rules())',
    )
    yield rule(
        "member.malformed",
        "A member event without a state key, or without `membership`, is rejected",
        at,
        '(lambda: self.state_key is None or "membership" not in content, REJECT)',
    )
    for membership, what in (
        ("join", "Joins"),
        ("invite", "Invites"),
        ("leave", "Leaves and kicks"),
        ("ban", "Bans"),
        ("knock", "Knocks"),
    ):
        function = "join_rules" if membership == "join" else f"{membership}_rules"
        yield rule(
            f"member.{membership}",
            f"{what} have rules of their own",
            at,
            f'(lambda: content["membership"] == "{membership}", self.{function}())',
        )
    yield rule("member.unknown", "Any other membership is rejected", at, "(otherwise, REJECT)")
    yield Sentence(
        {
            text: number.rpartition(".")[0]
            for text, number in numbers_of("member.authoriser_signature").items()
        },
        "The key `join_authorised_via_users_server` makes a signature necessary",
        (
            Change(DROPPED, "signatures.py", "required_signers", _HAS_AUTHORISER, "has_authoriser = False"),
            Change(
                INVERTED,
                "signatures.py",
                "required_signers",
                "if int(version) >= 8 and has_authoriser: ...",
                "if int(version) >= 8 and membership == 'join' and not has_authoriser:\n    servers.add('')",
            ),
            Change(
                WIDENED,
                "signatures.py",
                "required_signers",
                _HAS_AUTHORISER,
                'has_authoriser = "join_authorised_via_users_server" in content',
                "memberships other than join",
            ),
        ),
    )
    yield Sentence(
        numbers_of("member.authoriser_signature"),
        "The server of the authorising user has signed the event",
        (
            Change(DROPPED, "signatures.py", "required_signers", _ADD_AUTHORISER, "pass"),
            Change(
                INVERTED,
                "signatures.py",
                "required_signers",
                _ADD_AUTHORISER,
                'servers.discard(domain(content["join_authorised_via_users_server"]))\n'
                'servers.discard(domain(event["sender"]))',
                "no signature is needed then",
            ),
        ),
    )


_HAS_AUTHORISER = 'has_authoriser = membership == "join" and "join_authorised_via_users_server" in content'
_ADD_AUTHORISER = 'servers.add(domain(content["join_authorised_via_users_server"]))'


def _join() -> Iterator[Sentence]:
    at = "join_rules"
    yield rule(
        "member.join.creator",
        "The creator joins right after the create event",
        at,
        "(lambda: previous == [self.create_id] and self.state_key == self.creator(), ALLOW)",
        further=[
            changed(
                ALTERED,
                "Rules.creator",
                'self.create["content"].get("creator") if self.version <= 10 else self.create["sender"]',
                new,
                detail,
            )._replace(
                only=tuple(text for text, version in LISTS.items() if (int(version) >= 11) is new_lists)
            )
            for new, detail, new_lists in (
                ('self.create["content"].get("creator")', "the user in `creator`", True),
                ('self.create["sender"]', "the sender of the create event", False),
            )
        ],
    )
    yield rule(
        "member.join.sender_is_target",
        "Nobody joins for another user",
        at,
        "(lambda: self.sender != self.state_key, REJECT)",
    )
    yield rule(
        "member.join.banned",
        "A banned user may not join",
        at,
        '(lambda: self.membership(self.sender) == "ban", REJECT)',
    )
    yield rule(
        "member.join.invited",
        "Where a join needs an invite, invited and joined users may join",
        at,
        """(
            lambda: (
                self.join_rule() in as_invite and self.membership(self.state_key) in ("invite", "join")
            ),
            ALLOW,
        )""",
        further=_words(
            at,
            'as_invite = ["invite", "knock"] if v >= 7 else ["invite"]',
            "as_invite",
            "invite knock",
            7,
            "private",
        ),
    )
    yield rule(
        "member.join.restricted",
        "Restricted join rules have rules of their own",
        at,
        """(
            lambda: self.join_rule() in restricted,
            [
                (lambda: self.membership(self.state_key) in ("join", "invite"), ALLOW),
                (
                    lambda: (
                        not (
                            is_user_id(authoriser)
                            and self.membership(authoriser) == "join"
                            and self.power_level(str(authoriser)) >= self.named("invite")
                        )
                    ),
                    REJECT,
                ),
                (otherwise, ALLOW),
            ],
        )""",
        further=_words(
            at,
            'restricted = ["restricted", "knock_restricted"] if v >= 10 else ["restricted"]',
            "restricted",
            "restricted knock_restricted",
            10,
            "private",
        ),
    )
    yield rule(
        "member.join.restricted.already_in",
        "Joined and invited users need no authorising user",
        at,
        '(lambda: self.membership(self.state_key) in ("join", "invite"), ALLOW)',
    )
    yield rule(
        "member.join.restricted.authoriser",
        "The authorising user is joined, and may invite",
        at,
        """(
            lambda: (
                not (
                    is_user_id(authoriser)
                    and self.membership(authoriser) == "join"
                    and self.power_level(str(authoriser)) >= self.named("invite")
                )
            ),
            REJECT,
        )""",
    )
    yield rule("member.join.restricted.allowed", "Otherwise the join is allowed", at, "(otherwise, ALLOW)")
    yield rule(
        "member.join.public",
        "Anyone may join a public room",
        at,
        '(lambda: self.join_rule() == "public", ALLOW)',
    )
    yield rule(
        "member.join.otherwise",
        "Any other join is rejected",
        at,
        "(otherwise, REJECT)",
        silent={DROPPED: _LAST},
    )


def _words(scope: str, old: str, name: str, words: str, since: int, other: str) -> list[Change]:
    """Return changes of a list of words, the last of which only room versions from one on have."""
    *early, late = words.split()
    before, after = (
        tuple(text for text, version in LISTS.items() if (int(version) >= since) is new)
        for new in (False, True)
    )

    def change(found: list[str], detail: str, only: tuple[str, ...] = ()) -> Change:
        return changed(ALTERED, f"Rules.{scope}", old, f"{name} = {found}", detail)._replace(only=only)

    return [
        *(change([one for one in (*early, late) if one != word], f"without {word}") for word in early),
        change(early, f"without {late}", after),
        change([*early, late], f"with {late}", before),
        change([*early, late, other], f"with {other}"),
    ]


def _invite() -> Iterator[Sentence]:
    at = "invite_rules"
    yield rule(
        "member.invite.third_party",
        "Invites with `third_party_invite` have rules of their own",
        at,
        '(lambda: "third_party_invite" in self.content, self.third_party_rules())',
    )
    yield rule(
        "member.invite.sender_not_joined",
        "Only joined users may invite",
        at,
        '(lambda: self.membership(self.sender) != "join", REJECT)',
    )
    yield rule(
        "member.invite.target_in_room",
        "Joined and banned users cannot be invited",
        at,
        '(lambda: self.membership(self.state_key) in ("join", "ban"), REJECT)',
    )
    yield rule(
        "member.invite.level",
        "The sender has the invite level",
        at,
        '(lambda: self.power_level(self.sender) >= self.named("invite"), ALLOW)',
    )
    yield rule(
        "member.invite.otherwise",
        "Any other invite is rejected",
        at,
        "(otherwise, REJECT)",
        silent={DROPPED: _LAST},
    )
    at = "third_party_rules"
    group = "member.invite.third_party"
    yield rule(
        f"{group}.banned",
        "A banned user cannot be invited",
        at,
        '(lambda: self.membership(self.state_key) == "ban", REJECT)',
    )
    yield rule(
        f"{group}.not_signed",
        "`third_party_invite` has `signed`",
        at,
        '(lambda: not isinstance(invite, dict) or "signed" not in invite, REJECT)',
        silent={DROPPED: _NEXT, ALTERED: _NEXT},
    )
    yield rule(
        f"{group}.incomplete",
        "`signed` has `mxid` and `token`",
        at,
        """(
            lambda: not isinstance(signed(), dict) or "mxid" not in signed() or "token" not in signed(),
            REJECT,
        )""",
        silent={DROPPED: _NEXT, ALTERED: _NEXT},
    )
    yield rule(
        f"{group}.other_user",
        "`mxid` is the invited user",
        at,
        '(lambda: signed()["mxid"] != self.state_key, REJECT)',
    )
    yield rule(
        f"{group}.no_event",
        "The state has an `m.room.third_party_invite` event for the token",
        at,
        "(lambda: offer() is None, REJECT)",
        silent={DROPPED: _NEXT},
    )
    yield rule(
        f"{group}.other_sender",
        "That event has the same sender",
        at,
        '(lambda: self.sender != offer()["sender"], REJECT)',
    )
    yield rule(
        f"{group}.signed",
        "A signature in `signed` verifies with a key of that event",
        at,
        '(lambda: any_signature_matches_any_key(signed(), offer()["content"]), ALLOW)',
    )
    keys = numbers_of(f"{group}.signed")
    yield Sentence(
        {text: f"{number}.1" for text, number in keys.items()},
        "The key may be in `public_key`",
        (
            changed(
                DROPPED, "any_signature_matches_any_key", 'keys = [offer.get("public_key")]', "keys = []"
            ),
            changed(
                ALTERED,
                "any_signature_matches_any_key",
                'keys = [offer.get("public_key")]',
                'keys = [offer.get("public_key")] if "public_keys" not in offer else []',
                "only without `public_keys`",
            ),
        ),
    )
    yield Sentence(
        {text: f"{number}.2" for text, number in keys.items()},
        "The key may be in the list `public_keys`",
        (
            changed(
                DROPPED, "any_signature_matches_any_key", 'listed = offer.get("public_keys")', "listed = []"
            ),
            changed(
                ALTERED,
                "any_signature_matches_any_key",
                'listed = offer.get("public_keys")',
                'listed = offer.get("public_keys", [])[:1]',
                "only the first of the list",
            ),
            changed(
                ALTERED,
                "any_signature_matches_any_key",
                'listed = offer.get("public_keys")',
                'listed = [] if "public_key" in offer else offer.get("public_keys")',
                "only without `public_key`",
            ),
        ),
    )
    yield rule(f"{group}.otherwise", "Otherwise the invite is rejected", at, "(otherwise, REJECT)")


def _leave() -> Iterator[Sentence]:
    at = "leave_rules"
    yield rule(
        "member.leave.self",
        "Users leave on their own if they are in the room, invited, or knocking",
        at,
        """(
            lambda: self.membership(self.sender) in own if self.sender == self.state_key else None,
            ALLOW_IF_AND_ONLY_IF,
        )""",
        further=_words(
            at,
            'own = ["invite", "join", "knock"] if self.version >= 7 else ["invite", "join"]',
            "own",
            "invite join knock",
            7,
            "leave",
        ),
    )
    yield rule(
        "member.leave.sender_not_joined",
        "Only joined users may kick and unban",
        at,
        '(lambda: self.membership(self.sender) != "join", REJECT)',
    )
    yield rule(
        "member.leave.banned",
        "Unbanning a user takes the ban level",
        at,
        """(
            lambda: (
                self.membership(self.state_key) == "ban"
                and self.power_level(self.sender) < self.named("ban")
            ),
            REJECT,
        )""",
    )
    yield rule(
        "member.leave.level",
        "A kick takes the kick level, and more power than the target has",
        at,
        """(
            lambda: (
                self.power_level(self.sender) >= self.named("kick")
                and self.power_level(self.state_key) < self.power_level(self.sender)
            ),
            ALLOW,
        )""",
    )
    yield rule(
        "member.leave.otherwise",
        "Any other leave is rejected",
        at,
        "(otherwise, REJECT)",
        silent={DROPPED: _LAST},
    )
    at = "ban_rules"
    yield rule(
        "member.ban.sender_not_joined",
        "Only joined users may ban",
        at,
        '(lambda: self.membership(self.sender) != "join", REJECT)',
    )
    yield rule(
        "member.ban.level",
        "A ban takes the ban level, and more power than the target has",
        at,
        """(
            lambda: (
                self.power_level(self.sender) >= self.named("ban")
                and self.power_level(self.state_key) < self.power_level(self.sender)
            ),
            ALLOW,
        )""",
    )
    yield rule(
        "member.ban.otherwise",
        "Any other ban is rejected",
        at,
        "(otherwise, REJECT)",
        silent={DROPPED: _LAST},
    )
    at = "knock_rules"
    yield rule(
        "member.knock.join_rule",
        "The join rule lets users knock",
        at,
        "(lambda: self.join_rule() not in knockable, REJECT)",
        further=_words(
            at,
            'knockable = ["knock", "knock_restricted"] if self.version >= 10 else ["knock"]',
            "knockable",
            "knock knock_restricted",
            10,
            "private",
        ),
    )
    yield rule(
        "member.knock.sender_is_target",
        "Nobody knocks for another user",
        at,
        "(lambda: self.sender != self.state_key, REJECT)",
    )
    yield rule(
        "member.knock.allowed",
        "A user who is not banned, invited or joined may knock",
        at,
        '(lambda: self.membership(self.sender) not in ("ban", "invite", "join"), ALLOW)',
    )
    yield rule(
        "member.knock.otherwise",
        "Any other knock is rejected",
        at,
        "(otherwise, REJECT)",
        silent={DROPPED: _LAST},
    )


def sentences() -> Iterator[Sentence]:
    """Yield the sentences."""
    for part in (_member, _join, _invite, _leave):
        yield from part()
