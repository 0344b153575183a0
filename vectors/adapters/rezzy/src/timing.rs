//! The operation `time`: how long rezzy takes to resolve, for benchmarks.

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    thread::LocalKey,
};

use rezzy::{
    LeanEvent, LocalAuthCache, StateResVersion, compute_v2_1_conflicted_subgraph,
    partition_state_maps, resolve_iterative_sort_with_cache, resolve_state_maps,
};
use serde_json::{Value, json};

use crate::{
    content::Content,
    room::{Events, Id, ResolveInput, State, entry, sorted_ids},
    shared::{self, Change, Clock},
};

/// A resolution with what is ready before the clock starts.
pub struct Timing {
    version: StateResVersion,
    events: Events,
    states: Vec<State>,
    ready: Option<Ready>,
}

/// What a server may keep from one resolution to the next.
struct Ready {
    /// The conflicted subgraph, which only version 12 has.
    subgraph: Vec<Id>,
    local_auth: LocalAuthCache<Id, Content>,
    levels: HashMap<Id, i64>,
}

thread_local! {
    /// What was measured last, to be measured again.
    static LAST: RefCell<Option<Timing>> = const { RefCell::new(None) };
}

impl shared::Timing for Timing {
    type Input = ResolveInput;
    type Id = String;
    type State = State;
    type Rules = StateResVersion;

    const IMPLEMENTATION: &str = "rezzy 0.5.2";

    fn last() -> &'static LocalKey<RefCell<Option<Self>>> {
        &LAST
    }

    fn new(
        mut input: ResolveInput,
        changes: Vec<Change<String>>,
        version: &StateResVersion,
    ) -> Result<Self, String> {
        let events = input.events();
        let mut states = input.states(&events)?;
        if states.is_empty() {
            return Err("there is no state".to_owned());
        }
        // Each state shares what it can with the first one, as states do that follow from one another.
        for other in 1..states.len() {
            states[other] = changed(&states[0], &states[other]);
        }
        for change in changes {
            let mut state = states[0].clone();
            for id in &change.remove {
                state.remove(&entry(id, &events)?.0);
            }
            for id in &change.add {
                let (key, id) = entry(id, &events)?;
                state.insert(key, id);
            }
            states.push(state);
        }
        Ok(Self {
            version: *version,
            events,
            states,
            ready: None,
        })
    }

    fn prepare(&mut self, _: &StateResVersion) -> Result<(), String> {
        let mut ready = Ready {
            subgraph: self.subgraph(),
            local_auth: LocalAuthCache::new(self.version),
            levels: HashMap::new(),
        };
        self.resolve_warm(&mut ready); // which fills the caches
        self.ready = Some(ready);
        Ok(())
    }

    fn run(&mut self, _: &StateResVersion, clock: &mut Clock) -> Result<State, String> {
        let mut ready = self.ready.take();
        let state = clock.measure(|| match &mut ready {
            Some(ready) => self.resolve_warm(ready),
            None => resolve_state_maps(&self.states, &self.events, self.version),
        });
        self.ready = ready;
        Ok(state)
    }

    fn sorted_ids(state: State) -> Value {
        json!(sorted_ids(&state))
    }

    fn given(&self) -> &'static [&'static str] {
        match &self.ready {
            None => &[],
            Some(_) if self.version == StateResVersion::V2_1 => {
                &["conflicted subgraph", "caches of levels and of auth events"]
            }
            Some(_) => &["caches of levels and of auth events"],
        }
    }
}

impl Timing {
    /// The conflicted subgraph, as `resolve_state_maps` makes it.
    fn subgraph(&self) -> Vec<Id> {
        if self.version != StateResVersion::V2_1 {
            return Vec::new();
        }
        let states = self.states.iter().map(AsRef::as_ref);
        let (_, conflicted) = partition_state_maps(states, self.states.len());
        let graph = self
            .events
            .iter()
            .map(|(id, event)| (id.clone(), edges_of(event)))
            .collect::<HashMap<Id, LeanEvent<Id>>>();
        let subgraph = compute_v2_1_conflicted_subgraph(&graph, &conflicted);
        subgraph.into_keys().collect()
    }

    /// Do what `resolve_state_maps` does, with the public functions that it calls, the subgraph and the caches.
    fn resolve_warm(&self, ready: &mut Ready) -> State {
        let states = self.states.iter().map(AsRef::as_ref);
        let (unconflicted, conflicted) = partition_state_maps(states, self.states.len());
        if conflicted.is_empty() {
            return unconflicted;
        }
        let ids = conflicted.into_iter().chain(ready.subgraph.iter().cloned());
        let conflicted = ids
            .collect::<HashSet<_>>()
            .into_iter()
            .map(|id| {
                let event = self.events[&id].clone();
                (id, event)
            })
            .collect::<Events>();
        resolve_iterative_sort_with_cache(
            unconflicted,
            conflicted,
            &self.events,
            Some(&mut ready.local_auth),
            self.version,
            &mut ready.levels,
        )
    }
}

/// The second state, sharing with the first one the entries that both have.
fn changed(first: &State, second: &State) -> State {
    let mut state = first.clone();
    for key in first.keys() {
        if !second.contains_key(key) {
            state.remove(key);
        }
    }
    for (key, id) in second {
        if state.get(key) != Some(id) {
            state.insert(key.clone(), id.clone());
        }
    }
    state
}

/// An event with no more than the search for the subgraph reads.
fn edges_of(event: &LeanEvent<Id, Content>) -> LeanEvent<Id> {
    LeanEvent {
        event_id: event.event_id.clone(),
        event_type: String::new(),
        state_key: None,
        power_level: 0,
        origin_server_ts: 0,
        sender: String::new(),
        content: Value::Null,
        prev_events: Vec::new(),
        auth_events: event.auth_events.clone(),
        depth: 0,
        rejected: false,
        soft_fail: false,
    }
}
