//! Answers the requests of the test vectors, in JSON Lines, with rezzy.
//!
//! It translates and never decides: what it answers is what a function of rezzy gives for the input.

mod auth;
mod content;
mod room;
#[path = "../../rust/shared.rs"]
mod shared;
mod timing;

use std::io;

use mimalloc::MiMalloc;
use rezzy::StateResVersion;

use crate::shared::{Answer, Outcome, Request, serve, time};

/// The allocator that rezzy's own program uses.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> io::Result<()> {
    serve(run)
}

fn run(request: &Request<'_>) -> Outcome {
    let Some(version) = StateResVersion::from_room_version(&request.room_version) else {
        return Ok(Answer::Unsupported);
    };
    match request.operation.as_str() {
        "auth" => auth::auth(request.input, version),
        "auth_types" => auth::auth_types(request.input, version),
        "event_id" => auth::event_id(request.input),
        "resolve" => room::resolve(request.input, version),
        "time" => time::<timing::Timing>(request.input, &version),
        _ => Ok(Answer::Unsupported),
    }
}
