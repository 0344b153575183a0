"""The servers whose signatures an event needs."""

from .constants import AUTHORISER, MEMBER
from .events import OTHER_SERVER, OTHER_USER, SERVER, USER, bare, third_party_signed, whole
from .independent import Object, redacted
from .observed import OBSERVED_ID_SERVER_MUST_SIGN
from .suite import ERROR, SPEC, Dispute, File, page
from .versions import ALL, since, spread

SIGNATURES = f"{SPEC}/server-server-api/#validating-hashes-and-signatures-on-received-events"

# Name, user ID, its server, note.
SENDER_SERVERS = (
    ("port", "@alice:example.org:8448", "example.org:8448", "The port is part of the server name."),
    (
        "ipv6",
        "@alice:[2001:db8::1]",
        "[2001:db8::1]",
        "The server name is everything after the first colon, not after the last.",
    ),
    (
        "ipv6_port",
        "@alice:[2001:db8::1]:8448",
        "[2001:db8::1]:8448",
        "The server name is everything after the first colon, not after the last.",
    ),
    ("case", "@alice:Example.ORG", "Example.ORG", "Server names are case-sensitive and are not changed."),
    ("empty_localpart", "@:x.example", "x.example", ""),
    ("historical", "@Ü/ b:x.example", "x.example", ""),
)


def third_party_invite(version: str, **more: object) -> Object:
    """Return a third-party invite by a user of `SERVER`."""
    content = {
        "membership": "invite",
        "third_party_invite": {"display_name": "B.", "signed": third_party_signed()},
    }
    return bare(version, MEMBER, content, state_key=OTHER_USER, **more)


def _signers(
    file: File,
    slug: str,
    version: str,
    event: Object,
    servers: list[str],
    notes: str,
    spec: str = "",
    disputed: Dispute | None = None,
) -> None:
    file.add(
        f"required_signers.{slug}",
        version,
        {"event": event},
        {"servers": sorted(servers)},
        spec=spec or SIGNATURES,
        notes=notes,
        disputed=disputed,
    )


def files() -> list[File]:
    """Return the files of this area."""
    file = File("base/required_signers.json", "Required signatures of an event")
    for version in ALL:
        old = version in ("1", "2")
        _signers(file, "message", version, whole(version), [SERVER], "The sender's server must sign.")
        event = whole(version, MEMBER, {"membership": "join"}, state_key=USER)
        _signers(file, "join", version, event, [SERVER], "")
        event = whole(version, MEMBER, {"membership": "invite"}, state_key=OTHER_USER)
        notes = "The invited user's server does not have to sign. gomatrixserverlib requires it."
        _signers(file, "invite", version, event, [SERVER], notes)
        invite = third_party_invite(version)
        notes = "A third-party invite may be sent by a server other than the sender's."
        if old:
            notes += " It is open whether the server in the event ID, which is the sender's, must sign it."
        servers = [SERVER] if old else []
        disputed = OBSERVED_ID_SERVER_MUST_SIGN if old else None
        _signers(file, "third_party_invite", version, invite, servers, notes, disputed=disputed)
        short = redacted(invite, version)
        kept = version in ("11", "12")
        notes = (
            "The event is redacted. Redaction removes `third_party_invite` up to version 10 and keeps it"
            " from version 11 on."
        )
        _signers(
            file, "third_party_invite_redacted", version, short, [SERVER] if old or not kept else [], notes
        )
        event = bare(version, MEMBER, {**invite["content"], "membership": "join"}, state_key=USER)
        notes = "`third_party_invite` counts only on invites."
        _signers(file, "third_party_join", version, event, [SERVER], notes)
        event = bare(version, "org.example.thing", invite["content"], state_key=OTHER_USER)
        _signers(
            file,
            "third_party_other_type",
            version,
            event,
            [SERVER],
            "`third_party_invite` counts only on member events.",
        )
        event = bare(version, MEMBER, {"membership": "join", AUTHORISER: OTHER_USER}, state_key=USER)
        authorised = version in since("8")
        servers = [SERVER, OTHER_SERVER] if authorised else [SERVER]
        notes = (
            "From version 8 on, the server of the user who authorises a restricted join must also sign it."
        )
        _signers(
            file, "restricted_join", version, event, servers, notes, page(version, "authorisation-rules")
        )
        short = redacted(event, version)
        servers = [SERVER, OTHER_SERVER] if version in since("9") else [SERVER]
        notes = (
            "The event is redacted. In version 8 redaction removes the authorising user; from version 9 on,"
            " it is kept."
        )
        _signers(
            file, "restricted_join_redacted", version, short, servers, notes, page(version, "redactions")
        )
    for version in since("8"):
        event = bare(
            version, MEMBER, {"membership": "join", AUTHORISER: "@carol:example.org"}, state_key=USER
        )
        _signers(
            file,
            "restricted_join_own",
            version,
            event,
            [SERVER],
            "Both users belong to the same server, which is named once.",
        )
        for slug, value, versions in (
            ("number", 1, ("9", "11")),
            ("null", None, ("9", "12")),
            ("no_server", "@bob", ("9", "12")),
            ("empty", "", ("8", "10")),
        ):
            if version in versions:
                event = bare(version, MEMBER, {"membership": "join", AUTHORISER: value}, state_key=USER)
                notes = "The value is not a user ID, so nobody can have signed for it."
                spec = page(version, "authorisation-rules")
                file.add(
                    f"required_signers.authoriser_{slug}",
                    version,
                    {"event": event},
                    ERROR,
                    spec=spec,
                    notes=notes,
                )
    for version in ("1", "2", "3", "4"):
        chosen: Object = {"event_id": "$event:example.com"} if version in ("1", "2") else {}
        servers = [SERVER, OTHER_SERVER] if chosen else [SERVER]
        notes = (
            "The server in the event ID must also sign if it is not the sender's. In later versions the"
            " event ID contains no server."
        )
        _signers(file, "event_id_server", version, whole(version, **chosen), servers, notes)
        servers = [OTHER_SERVER] if chosen else []
        notes = (
            "Only the server in the event ID must sign a third-party invite."
            if chosen
            else "The sender's server need not sign a third-party invite. The event ID contains no server."
        )
        _signers(file, "event_id_third_party", version, third_party_invite(version, **chosen), servers, notes)
    for version in ("1", "2"):
        event = whole(version, sender="@alice:Example.org", event_id="$x:example.org")
        notes = "Server names are compared with case and port, so these are two servers."
        _signers(file, "event_id_case", version, event, ["Example.org", "example.org"], notes)
        event = whole(version, sender="@alice:example.org:8448", event_id="$x:example.org")
        _signers(file, "event_id_port", version, event, ["example.org", "example.org:8448"], notes)
    for index, (slug, sender, server, notes) in enumerate(SENDER_SERVERS):
        for version in spread(index, since("3"), 2):
            _signers(file, f"sender_{slug}", version, whole(version, sender=sender), [server], notes)
    return [file]
