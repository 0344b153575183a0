//! Operations on the events of a room: authorisation and state resolution.

use std::collections::{HashMap, HashSet};

use ruma_common::{
    EventId, OwnedEventId,
    room_version_rules::{RoomIdFormatVersion, RoomVersionRules, StateResolutionV2Rules},
};
use ruma_events::StateEventType;
use ruma_state_res::{
    Event, StateMap, auth_types_for_event, check_state_dependent_auth_rules,
    check_state_independent_auth_rules, utils::event_id_set::EventIdSet,
};
use serde::Deserialize;
use serde_json::{json, value::RawValue};

use crate::{
    pdu::{Fields, OneEvent, Pdu},
    shared::{Answer, Outcome, done, read},
};

pub type Events = HashMap<OwnedEventId, Pdu>;
pub type State = StateMap<OwnedEventId>;

#[derive(Deserialize)]
struct AuthInput {
    events: HashMap<OwnedEventId, Fields>,
    event: OwnedEventId,
    state: Option<Vec<OwnedEventId>>,
    #[serde(default)]
    rejected: HashSet<OwnedEventId>,
}

#[derive(Deserialize)]
pub struct ResolveInput {
    pub events: HashMap<OwnedEventId, Fields>,
    pub state_sets: Vec<Vec<OwnedEventId>>,
    #[serde(default)]
    pub rejected: HashSet<OwnedEventId>,
}

pub fn parsed(events: HashMap<OwnedEventId, Fields>, rejected: &HashSet<OwnedEventId>) -> Events {
    events
        .into_iter()
        .map(|(id, fields)| {
            let rejected = rejected.contains(&id);
            (id.clone(), Pdu::new(id, fields, rejected))
        })
        .collect()
}

pub fn state_of(
    ids: impl IntoIterator<Item = OwnedEventId>,
    events: &Events,
) -> Result<State, String> {
    let mut state = State::new();
    for id in ids {
        let event = events
            .get(&id)
            .ok_or_else(|| format!("unknown event {id}"))?;
        let state_key = event
            .state_key()
            .ok_or_else(|| format!("no state event {id}"))?;
        let kind = StateEventType::from(event.event_type().to_string());
        state.insert((kind, state_key.to_owned()), id);
    }
    Ok(state)
}

pub fn auth_types(input: &RawValue, rules: &RoomVersionRules) -> Outcome {
    let event = Pdu::new(
        OwnedEventId::try_from("$event:example.org").map_err(|error| error.to_string())?,
        read::<OneEvent>(input)?.event,
        false,
    );
    let mut keys = auth_types_for_event(
        event.event_type(),
        event.sender(),
        event.state_key(),
        event.content(),
        &rules.authorization,
    )?
    .into_iter()
    .map(|(kind, state_key)| (kind.to_string(), state_key))
    .collect::<Vec<_>>();
    keys.sort();
    keys.dedup();
    done(json!({"keys": keys}))
}

pub fn auth(input: &RawValue, rules: &RoomVersionRules) -> Outcome {
    let given = read::<AuthInput>(input)?;
    let events = parsed(given.events, &given.rejected);
    let event = events.get(&given.event).ok_or("unknown event")?;
    let fetch = |id: &EventId| events.get(id);
    let verdict =
        check_state_independent_auth_rules(&rules.authorization, event, fetch).and_then(|()| {
            let state = match given.state {
                Some(ids) => state_of(ids, &events)?,
                None => cited(event, rules, &events),
            };
            check_state_dependent_auth_rules(&rules.authorization, event, |kind, state_key| {
                state
                    .get(&(kind.clone(), state_key.to_owned()))
                    .and_then(|id| events.get(id))
            })
        });
    done(json!({"allowed": verdict.is_ok(), "detail": verdict.err()}))
}

/// The state that an event's own auth events make up, with the create event that its room ID names.
fn cited(event: &Pdu, rules: &RoomVersionRules, events: &Events) -> State {
    let mut state = State::new();
    for id in event.auth_events().cloned().chain(create_id(event, rules)) {
        if let Some((kind, state_key)) = events.get(&id).and_then(|other| {
            Some((
                other.event_type().to_string(),
                other.state_key()?.to_owned(),
            ))
        }) {
            state.insert((kind.into(), state_key), id);
        }
    }
    state
}

fn create_id(event: &Pdu, rules: &RoomVersionRules) -> Option<OwnedEventId> {
    if rules.room_id_format == RoomIdFormatVersion::V1 {
        return None;
    }
    EventId::parse(format!("${}", event.room_id()?.strip_sigil())).ok()
}

pub fn resolve(input: &RawValue, rules: &RoomVersionRules) -> Outcome {
    let Some(resolution) = rules.state_res.v2_rules() else {
        return Ok(Answer::Unsupported);
    };
    let given = read::<ResolveInput>(input)?;
    let events = parsed(given.events, &given.rejected);
    let states = states_of(given.state_sets, &events)?;
    if states.is_empty() {
        return done(json!({"state": []})); // the function wants one state at least
    }
    let chains = states
        .iter()
        .map(|state| auth_chain(state, &events))
        .collect();
    let between = |conflicted: &StateMap<Vec<_>>| subgraph(conflicted.values().flatten(), &events);
    let state = resolved(&states, chains, &events, rules, resolution, between)?;
    done(json!({"state": sorted_ids(state)}))
}

pub fn states_of(sets: Vec<Vec<OwnedEventId>>, events: &Events) -> Result<Vec<State>, String> {
    sets.into_iter().map(|ids| state_of(ids, events)).collect()
}

pub fn resolved(
    states: &[State],
    chains: Vec<EventIdSet<OwnedEventId>>,
    events: &Events,
    rules: &RoomVersionRules,
    resolution: &StateResolutionV2Rules,
    subgraph: impl Fn(&StateMap<Vec<OwnedEventId>>) -> EventIdSet<OwnedEventId>,
) -> Result<State, String> {
    ruma_state_res::resolve(
        &rules.authorization,
        resolution,
        states,
        chains,
        |id| events.get(id),
        |conflicted| Some(subgraph(conflicted)),
    )
    .map_err(|error| error.to_string())
}

/// What is answered of a resolved state.
pub fn sorted_ids(state: State) -> Vec<OwnedEventId> {
    let mut ids = state.into_values().collect::<Vec<_>>();
    ids.sort();
    ids
}

/// The events of a state and all that lies above them, as the library's own tests make it.
pub fn auth_chain(state: &State, events: &Events) -> EventIdSet<OwnedEventId> {
    let mut chain = EventIdSet::new();
    let mut stack = state.values().collect::<Vec<_>>();
    while let Some(id) = stack.pop() {
        if chain.contains(id) {
            continue;
        }
        chain.insert(id.clone());
        if let Some(event) = events.get(id) {
            stack.extend(event.auth_events());
        }
    }
    chain
}

/// The conflicted state subgraph: conflicted events and what lies on a path between two of them.
pub fn subgraph<'a>(
    conflicted: impl Iterator<Item = &'a OwnedEventId>,
    events: &'a Events,
) -> EventIdSet<OwnedEventId> {
    let given = conflicted.collect::<HashSet<_>>();
    // What lies above them, each after what rests on it.
    let mut below = HashMap::<&OwnedEventId, Vec<&OwnedEventId>>::new();
    let mut seen = given.clone();
    let mut stack = given.iter().copied().collect::<Vec<_>>();
    while let Some(id) = stack.pop() {
        let Some(event) = events.get(id) else {
            continue;
        };
        for parent in event.auth_events() {
            below.entry(parent).or_default().push(id);
            if seen.insert(parent) {
                stack.push(parent);
            }
        }
    }
    // From each conflicted event that lies above others down to these: all on the way is between.
    let mut result = EventIdSet::new();
    let mut reaches = HashSet::<&OwnedEventId>::new();
    let mut stack = given.iter().copied().collect::<Vec<_>>();
    while let Some(id) = stack.pop() {
        if reaches.insert(id) {
            result.insert(id.clone());
            stack.extend(below.get(id).into_iter().flatten());
        }
    }
    result
}
