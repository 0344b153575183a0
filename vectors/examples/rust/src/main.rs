//! Answers the requests of the test vectors: four operations, with serde_json and sha2.
//!
//! To test a library of yours, keep `main` and `answer`, and let the operations call it.

mod events;

use std::io::{self, BufRead, Write};

use serde::Deserialize;
use serde_json::{json, Deserializer, Value};

/// Parses one JSON value, as deep as the stack allows.
fn parse(text: &str) -> Result<Value, String> {
    let mut reader = Deserializer::from_str(text);
    reader.disable_recursion_limit();
    let value = Value::deserialize(&mut reader).map_err(|error| error.to_string())?;
    reader.end().map_err(|error| error.to_string())?;
    Ok(value)
}

/// Returns the output of an operation, or None if it is not offered.
fn run(operation: &str, input: &Value, version: u8) -> Option<Result<Value, String>> {
    let event = &input["event"];
    Some(match operation {
        "canonical_json" => input["json"]
            .as_str()
            .ok_or_else(|| "no text".to_owned())
            .and_then(parse)
            .and_then(|value| events::canonical(&value, version >= 6))
            .map(|text| json!({ "canonical": text })),
        "content_hash" => {
            events::content_hash(event, version).map(|hash| json!({ "sha256": hash }))
        }
        "event_id" => events::event_id(event, version).map(|id| json!({ "event_id": id })),
        "redact" => events::redact(event, version).map(|event| json!({ "event": event })),
        _ => return None,
    })
}

/// Returns the answer to a request.
fn answer(request: &Value) -> Value {
    let id = &request["id"];
    let operation = request["operation"].as_str().unwrap_or_default();
    let version = request["room_version"]
        .as_str()
        .and_then(|text| text.parse().ok());
    let offered = version.filter(|version| (1..=12).contains(version));
    match offered.and_then(|version| run(operation, &request["input"], version)) {
        Some(Ok(output)) => json!({ "id": id, "output": output }),
        Some(Err(error)) => json!({ "id": id, "error": error }),
        None => json!({ "id": id, "unsupported": true }),
    }
}

fn serve() -> io::Result<()> {
    let mut out = io::stdout().lock();
    // `lines` has no limit: a request has up to 1 MiB.
    for line in io::stdin().lock().lines() {
        let line = line?;
        if !line.trim().is_empty() {
            let request = parse(&line).map_err(io::Error::other)?;
            writeln!(out, "{}", answer(&request))?;
            out.flush()?;
        }
    }
    Ok(())
}

fn main() -> io::Result<()> {
    // Events may be nested deeply, and the parser recurses.
    let builder = std::thread::Builder::new().stack_size(256 << 20);
    builder
        .spawn(serve)?
        .join()
        .expect("the thread does not panic")
}
