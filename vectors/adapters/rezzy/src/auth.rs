//! The authorisation rules, what they need of a state, and event IDs.

use std::{
    cell::Cell,
    collections::{HashMap, HashSet},
};

use rezzy::{
    EventVerifier, LeanEvent, StateResVersion,
    auth::{
        ForwardExtremityResult, RoomState, auth_types_for_event, check_auth,
        validate_forward_extremity,
    },
};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

use crate::{
    content::Content,
    room::{Event, Events, Id, entry, event},
    shared::{Answer, Outcome, done, read},
};

#[derive(Deserialize)]
struct OneEvent {
    event: Value,
}

#[derive(Deserialize)]
struct AuthInput {
    events: HashMap<String, Value>,
    event: String,
    state: Option<Vec<String>>,
    #[serde(default)]
    rejected: HashSet<String>,
}

/// Notes whether rezzy asks its caller to verify the signature of a third-party invite.
#[derive(Default)]
struct Asked(Cell<bool>);

impl EventVerifier<Id> for Asked {
    fn verify_third_party_invite(&self, _: &Id, _: &str) -> Result<(), String> {
        self.0.set(true);
        Ok(())
    }
}

/// Check an event against its own auth events, and then against the state if there is one.
///
/// rezzy leaves signatures to its caller. Where it allows an event if one is good, there is no answer.
pub fn auth(input: &RawValue, version: StateResVersion) -> Outcome {
    let mut given = read::<AuthInput>(input)?;
    let create = create_id(&given.events[&given.event], version);
    let events = std::mem::take(&mut given.events)
        .into_iter()
        .map(|(id, pdu)| {
            let rejected = given.rejected.contains(&id);
            let id = Id::from(id);
            (id.clone(), event(id, pdu, rejected))
        })
        .collect::<Events>();
    let checked = &events[given.event.as_str()];
    let mut cited = checked
        .auth_events
        .iter()
        .map(AsRef::as_ref)
        .collect::<Vec<_>>();
    cited.extend(create.as_deref());
    let cited = state_of(cited, &events)?;
    let asked = Asked::default();
    let verdict = match given.state {
        None => check_auth::<_, _, Event>(checked, &cited, version, Some(&asked)),
        Some(ids) => {
            let state = state_of(ids.iter().map(String::as_str), &events)?;
            match validate_forward_extremity(checked, &cited, &state, version, Some(&asked)) {
                ForwardExtremityResult::Valid => Ok(()),
                ForwardExtremityResult::SoftFailed(error)
                | ForwardExtremityResult::Rejected(error) => Err(error),
            }
        }
    };
    if verdict.is_ok() && asked.0.get() {
        return Ok(Answer::Unsupported);
    }
    done(json!({
        "allowed": verdict.is_ok(),
        "detail": verdict.err().map(|error| error.to_string()),
    }))
}

fn state_of<'a>(
    ids: impl IntoIterator<Item = &'a str>,
    events: &Events,
) -> Result<RoomState<Id, Content>, String> {
    let entries = ids.into_iter().map(|id| {
        let (key, id) = entry(id, events)?;
        Ok((key, events[&id].clone()))
    });
    entries.collect()
}

/// The create event that a room ID names from room version 12 on. rezzy's events have no room ID.
fn create_id(pdu: &Value, version: StateResVersion) -> Option<String> {
    if !version.is_v2_1_plus() {
        return None;
    }
    let room_id = pdu.get("room_id")?.as_str()?;
    Some(format!("${}", room_id.get(1..)?))
}

pub fn auth_types(input: &RawValue, version: StateResVersion) -> Outcome {
    let pdu = read::<OneEvent>(input)?.event;
    let text = |key: &str| pdu.get(key).and_then(Value::as_str);
    let mut keys = auth_types_for_event(
        text("type").unwrap_or_default(),
        text("sender").unwrap_or_default(),
        text("state_key"),
        pdu.get("content").unwrap_or(&Value::Null),
        version,
    );
    keys.sort();
    keys.dedup();
    done(json!({"keys": keys}))
}

/// The ID that an event has when rezzy has read it: it computes one if the event has none.
pub fn event_id(input: &RawValue) -> Outcome {
    let pdu = read::<OneEvent>(input)?.event;
    match serde_json::from_value::<LeanEvent>(pdu) {
        Ok(event) => done(json!({"event_id": event.event_id})),
        Err(error) => Err(error.to_string()),
    }
}
