"""The protocol between servers, without I/O: requests, missing events, joins, and answers.

A server that embeds this keeps the database, the network, the clock and its key. The steps say what to ask
other servers for, and what to store: see `AsyncFederationStore`, and docs/homeserver.md for a whole server.

- `take_steps` receives an event, fetches what is missing before it, and stores it. `fetch_state_steps` and
  `complete_steps` complete a room that was joined without members, and `backfill_steps` fetches history.
- `answer_steps` answers other servers.
- `act_steps` makes an event of a user of this server. `ask_template_steps`, `send_join_steps` and
  `send_membership_steps` join and leave rooms of other servers.
- `create_room` and `first_levels` begin a room.
- `fetch_keys_steps`, `answer_keys` and `send_steps` are for verify keys and transactions.
- `sign_request`, `read_request` and `check_request_steps` are for the signatures of requests.

Source: https://spec.matrix.org/latest/server-server-api/
"""

from .acting import (
    Acted,
    Author,
    Joined,
    act_steps,
    ask_template_steps,
    create_room,
    first_levels,
    send_join_steps,
    send_membership_steps,
)
from .answering import Answer, answer_steps
from .asking import fetch_state_steps
from .fetching import answer_keys, fetch_keys_steps, send_steps
from .members import current_servers_steps, current_state_steps
from .needs import (
    AnswerKeys,
    Ask,
    AsyncFederationStore,
    Complete,
    FederationNeed,
    FederationSteps,
    FederationStore,
    Keep,
    LocalRoom,
    NeedFollowed,
    NeedRedactions,
    NeedResponse,
    NeedStatesBefore,
    NeedWaiting,
    Response,
    Wait,
    run,
    run_async,
)
from .receiving import (
    backfill_steps,
    complete_steps,
    take_steps,
)
from .requests import Request, check_request_steps, read_request, sign_request

__all__ = [
    "Acted",
    "Answer",
    "AnswerKeys",
    "Ask",
    "AsyncFederationStore",
    "Author",
    "Complete",
    "FederationNeed",
    "FederationSteps",
    "FederationStore",
    "Joined",
    "Keep",
    "LocalRoom",
    "NeedFollowed",
    "NeedRedactions",
    "NeedResponse",
    "NeedStatesBefore",
    "NeedWaiting",
    "Request",
    "Response",
    "Wait",
    "act_steps",
    "answer_keys",
    "answer_steps",
    "ask_template_steps",
    "backfill_steps",
    "check_request_steps",
    "complete_steps",
    "create_room",
    "current_servers_steps",
    "current_state_steps",
    "fetch_keys_steps",
    "fetch_state_steps",
    "first_levels",
    "read_request",
    "run",
    "run_async",
    "send_join_steps",
    "send_membership_steps",
    "send_steps",
    "sign_request",
    "take_steps",
]
