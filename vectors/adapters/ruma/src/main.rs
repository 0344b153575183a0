//! Answers the requests of the test vectors, in JSON Lines, with ruma's libraries.
//!
//! It translates and never decides: what it answers is what a function of ruma gives for the input.

mod one_event;
mod pdu;
mod room;
mod timing;

use std::{
    any::Any,
    io::{self, BufRead, Write},
    panic::{self, AssertUnwindSafe},
};

use mimalloc::MiMalloc;
use ruma_common::RoomVersionId;
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

/// The servers that use ruma do not use the system's allocator either.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// What an operation gives.
pub enum Answer {
    Output(Value),
    Unsupported,
}

pub type Outcome = Result<Answer, String>;

#[derive(Deserialize)]
struct Request<'a> {
    id: i64,
    operation: String,
    room_version: String,
    #[serde(borrow)]
    input: &'a RawValue,
}

fn main() -> io::Result<()> {
    panic::set_hook(Box::new(|_| {})); // a panic is answered as an error
    let mut input = io::stdin().lock();
    let mut output = io::stdout().lock();
    let mut line = String::new();
    while input.read_line(&mut line)? > 0 {
        if !line.trim().is_empty() {
            serde_json::to_writer(&mut output, &answer(&line))?;
            output.write_all(b"\n")?;
            output.flush()?;
        }
        line.clear();
    }
    Ok(())
}

fn answer(line: &str) -> Value {
    let request: Request<'_> = match serde_json::from_str(line) {
        Ok(request) => request,
        Err(error) => return json!({"id": -1, "error": error.to_string()}),
    };
    let id = request.id;
    match panic::catch_unwind(AssertUnwindSafe(|| run(&request))) {
        Ok(Ok(Answer::Output(output))) => json!({"id": id, "output": output}),
        Ok(Ok(Answer::Unsupported)) => json!({"id": id, "unsupported": true}),
        Ok(Err(error)) => json!({"id": id, "error": error}),
        Err(panic) => json!({"id": id, "error": format!("panic: {}", said(&panic))}),
    }
}

fn said(panic: &Box<dyn Any + Send>) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message")
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

/// Read an input.
pub fn read<'a, T: Deserialize<'a>>(input: &'a RawValue) -> Result<T, String> {
    serde_json::from_str(input.get()).map_err(|error| error.to_string())
}
