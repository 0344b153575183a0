//! Operations on one JSON text, object or event.

use ruma_common::{
    CanonicalJsonObject, CanonicalJsonValue,
    canonical_json::redact as redact_object,
    room_version_rules::{EventIdFormatVersion, RoomVersionRules},
    serde::{Base64, base64::Standard},
};
use ruma_signatures::{
    Ed25519KeyPair, PublicKeyMap, PublicKeySet, hash_and_sign_event, reference_hash,
    required_server_signatures_to_verify_event, verify_event,
};
use ruma_state_res::check_pdu_format;
use serde::Deserialize;
use serde_json::{json, value::RawValue};

use crate::{
    pdu::OneEvent,
    shared::{Answer, Outcome, read},
};

/// What precedes the seed of an Ed25519 key in PKCS #8, version 1 (RFC 8410).
const PKCS8: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

#[derive(Deserialize)]
struct Text {
    json: String,
}

#[derive(Deserialize)]
struct EventInput {
    event: CanonicalJsonObject,
}

#[derive(Deserialize)]
struct Key {
    key: String,
}

#[derive(Deserialize)]
struct Signed {
    event: CanonicalJsonObject,
    keys: std::collections::BTreeMap<String, std::collections::BTreeMap<String, Key>>,
}

#[derive(Deserialize)]
struct Signing {
    #[serde(alias = "event")]
    object: CanonicalJsonObject,
    server: String,
    key_id: String,
    seed: String,
}

fn done(value: serde_json::Value) -> Outcome {
    Ok(Answer::Output(value))
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

pub fn canonical_json(input: &RawValue) -> Outcome {
    let value: CanonicalJsonValue =
        serde_json::from_str(&read::<Text>(input)?.json).map_err(text)?;
    done(json!({"canonical": serde_json::to_string(&value).map_err(text)?}))
}

pub fn event_format(input: &RawValue, rules: &RoomVersionRules) -> Outcome {
    // An event that is not a canonical JSON object cannot be handed to the check, and one without a value of
    // the right type for each method of `ruma_state_res::Event` cannot be handed to the rules.
    let valid = read::<EventInput>(input)
        .and_then(|given| check_pdu_format(&given.event, &rules.event_format))
        .and_then(|()| read::<OneEvent>(input).map(drop));
    done(json!({"valid": valid.is_ok(), "detail": valid.err()}))
}

pub fn content_hash(input: &RawValue) -> Outcome {
    let event = read::<EventInput>(input)?.event;
    let hash = ruma_signatures::content_hash(&event).map_err(text)?;
    done(json!({"sha256": hash.encode()}))
}

pub fn event_id(input: &RawValue, rules: &RoomVersionRules) -> Outcome {
    let event = read::<EventInput>(input)?.event;
    let id = match rules.event_id_format {
        EventIdFormatVersion::V1 => match event.get("event_id") {
            Some(CanonicalJsonValue::String(id)) => id.clone(),
            _ => return Err("no event_id".to_owned()),
        },
        _ => format!("${}", reference_hash(&event, rules).map_err(text)?),
    };
    done(json!({"event_id": id}))
}

pub fn redact(input: &RawValue, rules: &RoomVersionRules) -> Outcome {
    let event = read::<EventInput>(input)?.event;
    let redacted = redact_object(event, &rules.redaction, None).map_err(text)?;
    done(json!({"event": redacted}))
}

pub fn required_signers(input: &RawValue, rules: &RoomVersionRules) -> Outcome {
    let event = read::<EventInput>(input)?.event;
    let servers =
        required_server_signatures_to_verify_event(&event, &rules.signatures).map_err(text)?;
    done(json!({"servers": servers}))
}

pub fn verify_signatures(input: &RawValue, rules: &RoomVersionRules) -> Outcome {
    let given = read::<Signed>(input)?;
    let mut keys = PublicKeyMap::new();
    for (server, by_id) in given.keys {
        let mut set = PublicKeySet::new();
        for (key_id, key) in by_id {
            if let Ok(key) = Base64::parse(&key.key) {
                set.insert(key_id, key);
            }
        }
        keys.insert(server, set);
    }
    let verified = verify_event(&keys, &given.event, rules);
    done(json!({"valid": verified.is_ok(), "detail": verified.err().map(text)}))
}

fn key_pair(given: &Signing) -> Result<Ed25519KeyPair, String> {
    let seed = Base64::<Standard>::parse(&given.seed).map_err(text)?;
    let document = [&PKCS8, seed.as_bytes()].concat();
    let version = given
        .key_id
        .split_once(':')
        .map_or("", |(_, version)| version);
    Ed25519KeyPair::from_der(&document, version.to_owned()).map_err(text)
}

pub fn sign_json(input: &RawValue) -> Outcome {
    let mut given = read::<Signing>(input)?;
    let pair = key_pair(&given)?;
    ruma_signatures::sign_json(&given.server, &pair, &mut given.object).map_err(text)?;
    done(json!({"object": given.object}))
}

pub fn sign_event(input: &RawValue, rules: &RoomVersionRules) -> Outcome {
    let mut given = read::<Signing>(input)?;
    let pair = key_pair(&given)?;
    hash_and_sign_event(&given.server, &pair, &mut given.object, &rules.redaction).map_err(text)?;
    done(json!({"event": given.object}))
}
