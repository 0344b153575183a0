//! Canonical JSON, redaction, content hashes and event IDs of room versions 1 to 12.

use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use base64::Engine;
use serde_json::{Map, Number, Value};
use sha2::{Digest, Sha256};

type Object = Map<String, Value>;

const LARGEST: i64 = (1 << 53) - 1;

/// Returns the canonical JSON of a value. Strict is from room version 6 on: integers alone, within 2^53.
pub fn canonical(value: &Value, strict: bool) -> Result<String, String> {
    let mut out = String::new();
    write_value(value, strict, &mut out)?;
    Ok(out)
}

fn write_value(value: &Value, strict: bool, out: &mut String) -> Result<(), String> {
    match value {
        Value::Object(object) => {
            out.push('{');
            // serde_json sorts keys by their bytes in UTF-8, which is the order of code points.
            for (number, (key, value)) in object.iter().enumerate() {
                if number > 0 {
                    out.push(',');
                }
                out.push_str(&quoted(key));
                out.push(':');
                write_value(value, strict, out)?;
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (number, item) in items.iter().enumerate() {
                if number > 0 {
                    out.push(',');
                }
                write_value(item, strict, out)?;
            }
            out.push(']');
        }
        Value::String(text) => out.push_str(&quoted(text)),
        Value::Number(number) => out.push_str(&written(number, strict)?),
        literal => out.push_str(&literal.to_string()),
    }
    Ok(())
}

fn written(number: &Number, strict: bool) -> Result<String, String> {
    let text = number.to_string();
    if !text.contains(['.', 'e', 'E']) {
        let within = text
            .parse()
            .is_ok_and(|one: i64| (-LARGEST..=LARGEST).contains(&one));
        return match text.as_str() {
            _ if strict && !within => Err("an integer beyond 2^53 - 1".to_owned()),
            "-0" => Ok("0".to_owned()),
            _ => Ok(text),
        };
    }
    let float: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if strict || !float.is_finite() || float.fract() == 0.0 {
        return Err("a number that is not written as an integer".to_owned());
    }
    Ok(text)
}

fn quoted(text: &str) -> String {
    // serde_json escapes what canonical JSON escapes, in the same way.
    Value::from(text).to_string()
}

fn only(from: &Object, keys: &[&str]) -> Object {
    let kept = from.iter().filter(|(key, _)| keys.contains(&key.as_str()));
    kept.map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

fn kept_content(kind: &str, version: u8) -> Vec<&'static str> {
    let mut keys = match kind {
        "m.room.member" => vec!["membership"],
        "m.room.create" => vec!["creator"],
        "m.room.join_rules" => vec!["join_rule"],
        "m.room.power_levels" => vec![
            "ban",
            "events",
            "events_default",
            "kick",
            "redact",
            "state_default",
            "users",
            "users_default",
        ],
        "m.room.history_visibility" => vec!["history_visibility"],
        "m.room.aliases" if version <= 5 => vec!["aliases"],
        _ => vec![],
    };
    match kind {
        "m.room.member" if version >= 9 => keys.push("join_authorised_via_users_server"),
        "m.room.join_rules" if version >= 8 => keys.push("allow"),
        "m.room.power_levels" if version >= 11 => keys.push("invite"),
        "m.room.redaction" if version >= 11 => keys.push("redacts"),
        _ => {}
    }
    keys
}

pub fn redact(event: &Value, version: u8) -> Result<Object, String> {
    let event = event.as_object().ok_or("not an event")?;
    let mut keys = vec![
        "event_id",
        "type",
        "room_id",
        "sender",
        "state_key",
        "content",
        "hashes",
        "signatures",
        "depth",
        "prev_events",
        "auth_events",
        "origin_server_ts",
    ];
    if version <= 10 {
        keys.extend(["origin", "membership", "prev_state"]);
    }
    let mut kept = only(event, &keys);
    let content = event
        .get("content")
        .and_then(Value::as_object)
        .ok_or("no content to redact")?;
    let kind = event
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if kind == "m.room.create" && version >= 11 {
        return Ok(kept); // with all of its content
    }
    let mut left = only(content, &kept_content(kind, version));
    if let (Some(Value::Object(invite)), "m.room.member", 11..) =
        (content.get("third_party_invite"), kind, version)
    {
        left.insert(
            "third_party_invite".to_owned(),
            only(invite, &["signed"]).into(),
        );
    }
    kept.insert("content".to_owned(), left.into());
    Ok(kept)
}

fn digest(mut object: Object, without: &[&str], version: u8) -> Result<Vec<u8>, String> {
    object.retain(|key, _| !without.contains(&key.as_str()));
    let text = canonical(&Value::Object(object), version >= 6)?;
    Ok(Sha256::digest(text).to_vec())
}

pub fn content_hash(event: &Value, version: u8) -> Result<String, String> {
    let event = event.as_object().ok_or("not an event")?.clone();
    let hash = digest(event, &["unsigned", "signatures", "hashes"], version)?;
    Ok(STANDARD_NO_PAD.encode(hash))
}

pub fn event_id(event: &Value, version: u8) -> Result<String, String> {
    if version <= 2 {
        let id = event["event_id"]
            .as_str()
            .ok_or("an event without its ID")?;
        return Ok(id.to_owned());
    }
    let hash = digest(redact(event, version)?, &["signatures"], version)?;
    let alphabet = if version == 3 {
        STANDARD_NO_PAD
    } else {
        URL_SAFE_NO_PAD
    };
    Ok(format!("${}", alphabet.encode(hash)))
}
