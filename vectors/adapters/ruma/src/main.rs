//! Answers the requests of the test vectors, in JSON Lines, with ruma's libraries.
//!
//! It translates and never decides: what it answers is what a function of ruma gives for the input.

mod one_event;
mod pdu;
mod room;
#[path = "../../rust/shared.rs"]
mod shared;
mod timing;

use std::io;

use mimalloc::MiMalloc;
use ruma_common::RoomVersionId;

use crate::shared::{Answer, Outcome, Request, serve};

/// The servers that use ruma do not use the system's allocator either.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> io::Result<()> {
    serve(run)
}

fn run(request: &Request<'_>) -> Outcome {
    let Some(rules) = RoomVersionId::try_from(request.room_version.as_str())
        .ok()
        .and_then(|version| version.rules())
    else {
        return Ok(Answer::Unsupported);
    };
    let input = request.input;
    match request.operation.as_str() {
        "canonical_json" => one_event::canonical_json(input),
        "event_format" => one_event::event_format(input, &rules),
        "content_hash" => one_event::content_hash(input),
        "event_id" => one_event::event_id(input, &rules),
        "redact" => one_event::redact(input, &rules),
        "required_signers" => one_event::required_signers(input, &rules),
        "verify_signatures" => one_event::verify_signatures(input, &rules),
        "sign_json" => one_event::sign_json(input),
        "sign_event" => one_event::sign_event(input, &rules),
        "auth_types" => room::auth_types(input, &rules),
        "auth" => room::auth(input, &rules),
        "resolve" => room::resolve(input, &rules),
        "time" => timing::time(input, &rules),
        _ => Ok(Answer::Unsupported),
    }
}
