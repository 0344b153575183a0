//! State resolution, and events and states as rezzy wants them.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use rezzy::{EventContent, LeanEvent, SharedState, StateResVersion, resolve_state_maps};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

use crate::{
    content::Content,
    shared::{Outcome, done, read},
};

/// An event ID whose copies share the text.
pub type Id = Arc<str>;
pub type Event = LeanEvent<Id, Content>;
pub type Events = HashMap<Id, Event>;
pub type State = SharedState<Id>;

#[derive(Deserialize)]
pub struct ResolveInput {
    events: HashMap<String, Value>,
    state_sets: Vec<Vec<String>>,
    #[serde(default)]
    rejected: HashSet<String>,
}

impl ResolveInput {
    pub fn events(&mut self) -> Events {
        let mut events = std::mem::take(&mut self.events)
            .into_iter()
            .map(|(id, pdu)| {
                let rejected = self.rejected.contains(&id);
                let id = Id::from(id);
                (id.clone(), event(id, pdu, rejected))
            })
            .collect::<Events>();
        let founded = events
            .values()
            .filter(|event| creates_levels(event, &events))
            .map(|event| event.event_id.clone())
            .collect::<Vec<_>>();
        for id in founded {
            events.entry(id).and_modify(|event| event.power_level = 100);
        }
        events
    }

    pub fn states(&self, events: &Events) -> Result<Vec<State>, String> {
        let sets = self.state_sets.iter();
        sets.map(|ids| state_of(ids, events)).collect()
    }
}

/// Read an event as rezzy reads one from JSON, which the library does only for IDs that are `String`s. In room
/// versions 1 and 2, IDs stand before a hash.
pub fn event(event_id: Id, mut pdu: Value, rejected: bool) -> Event {
    let content = pdu.get_mut("content").map(Value::take).unwrap_or_default();
    let text = |key: &str| pdu.get(key).and_then(Value::as_str).map(str::to_owned);
    let number = |key: &str| pdu.get(key).and_then(Value::as_u64).unwrap_or(0);
    LeanEvent {
        event_id,
        event_type: text("type").unwrap_or_default(),
        state_key: text("state_key"),
        power_level: 0,
        origin_server_ts: number("origin_server_ts"),
        sender: text("sender").unwrap_or_default(),
        content: Content(Arc::new(content)),
        prev_events: ids(pdu.get("prev_events")),
        auth_events: ids(pdu.get("auth_events")),
        depth: number("depth"),
        rejected,
        soft_fail: false,
    }
}

/// Whether an event has its sender's level from the room's creation: it cites no power levels, and its sender
/// created the room. rezzy wants this level from its caller and reads all others from the cited power levels.
fn creates_levels(event: &Event, events: &Events) -> bool {
    let cited = || event.auth_events.iter().filter_map(|id| events.get(id));
    let create = cited().find(|other| other.event_type == "m.room.create");
    let levels = cited().any(|other| other.event_type == "m.room.power_levels");
    // From room version 11 on, the content has no creator: it is the sender.
    let creator = create.map(|one| one.content.get_creator().unwrap_or(&one.sender));
    !levels && creator == Some(event.sender.as_str())
}

fn ids(references: Option<&Value>) -> Vec<Id> {
    let references = references.and_then(Value::as_array).into_iter().flatten();
    references
        .filter_map(|one| one.as_str().or_else(|| one.get(0)?.as_str()))
        .map(Id::from)
        .collect()
}

pub fn state_of(ids: &[String], events: &Events) -> Result<State, String> {
    let entries = ids.iter().map(|id| entry(id, events));
    entries.collect()
}

/// The key of an event in a state, and its ID.
pub fn entry(id: &str, events: &Events) -> Result<((String, String), Id), String> {
    let event = events
        .get(id)
        .ok_or_else(|| format!("unknown event {id}"))?;
    let state_key = event
        .state_key
        .clone()
        .ok_or_else(|| format!("no state event {id}"))?;
    Ok((
        (event.event_type.clone(), state_key),
        event.event_id.clone(),
    ))
}

pub fn resolve(input: &RawValue, version: StateResVersion) -> Outcome {
    let mut given = read::<ResolveInput>(input)?;
    let events = given.events();
    let states = given.states(&events)?;
    if states.is_empty() {
        return done(json!({"state": []})); // the function wants one state at least
    }
    let state = resolve_state_maps(&states, &events, version);
    done(json!({"state": sorted_ids(&state)}))
}

/// What is answered of a resolved state.
pub fn sorted_ids(state: &State) -> Vec<&str> {
    let mut ids = state.values().map(AsRef::as_ref).collect::<Vec<_>>();
    ids.sort_unstable();
    ids
}
