//! Answers the requests of the test vectors, in JSON Lines, with rezzy.
//!
//! It translates and never decides: what it answers is what a function of rezzy gives for the input.

mod content;
mod room;
mod timing;

use std::{
    any::Any,
    io::{self, BufRead, Write},
    panic::{self, AssertUnwindSafe},
};

use mimalloc::MiMalloc;
use rezzy::StateResVersion;
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

/// The allocator that rezzy's own program uses.
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
    let Some(version) = StateResVersion::from_room_version(&request.room_version) else {
        return Ok(Answer::Unsupported);
    };
    match request.operation.as_str() {
        "resolve" => room::resolve(request.input, version),
        "time" => timing::time(request.input, version),
        _ => Ok(Answer::Unsupported),
    }
}

/// Read an input.
pub fn read<'a, T: Deserialize<'a>>(input: &'a RawValue) -> Result<T, String> {
    serde_json::from_str(input.get()).map_err(|error| error.to_string())
}
