//! The operation `time`: how long `resolve` of ruma takes, for benchmarks.

use std::{cell::RefCell, time::Instant};

use cpu_time::ProcessTime;
use ruma_common::{
    OwnedEventId,
    room_version_rules::{RoomVersionRules, StateResolutionV2Rules},
};
use ruma_state_res::{StateMap, utils::event_id_set::EventIdSet};
use serde::Deserialize;
use serde_json::{json, value::RawValue};

use crate::{
    Answer, Outcome, read,
    room::{
        Events, ResolveInput, State, auth_chain, done, parsed, resolved, sorted_ids, state_of,
        states_of, subgraph,
    },
};

const IMPLEMENTATION: &str = "ruma-state-res 0.18.0";

#[derive(Deserialize)]
struct TimeInput {
    #[serde(default)]
    again: bool,
    operation: Option<String>,
    input: Option<ResolveInput>,
    #[serde(default)]
    changes: Vec<Change>,
    runs: usize,
    mode: Option<String>,
}

/// A state, given by how it differs from the first.
#[derive(Deserialize)]
struct Change {
    remove: Vec<OwnedEventId>,
    add: Vec<OwnedEventId>,
}

/// A resolution with what is ready before the clock starts.
struct Timing {
    events: Events,
    states: Vec<State>,
    ready: Option<Ready>,
}

/// What an index of a server has: the auth chain of each state and, for version 12, the conflicted subgraph.
#[derive(Clone)]
struct Ready {
    chains: Vec<EventIdSet<OwnedEventId>>,
    subgraph: Option<EventIdSet<OwnedEventId>>,
}

thread_local! {
    /// What was measured last, to be measured again.
    static LAST: RefCell<Option<Timing>> = const { RefCell::new(None) };
}

pub fn time(input: &RawValue, rules: &RoomVersionRules) -> Outcome {
    let Some(resolution) = rules.state_res.v2_rules() else {
        return Ok(Answer::Unsupported);
    };
    let given = read::<TimeInput>(input)?;
    if !given.again {
        let (Some("resolve"), Some(input)) = (given.operation.as_deref(), given.input) else {
            return Ok(Answer::Unsupported);
        };
        let warm = match given.mode.as_deref() {
            Some("warm") => true,
            Some("cold") => false,
            _ => return Ok(Answer::Unsupported),
        };
        LAST.set(None);
        let mut timing = Timing::new(input, given.changes)?;
        if warm {
            timing.prepare(rules, resolution)?;
        }
        LAST.set(Some(timing));
    }
    LAST.with_borrow(|last| match last {
        Some(timing) => timing.run(given.runs, rules, resolution),
        None => Err("nothing was measured before".to_owned()),
    })
}

impl Timing {
    fn new(input: ResolveInput, changes: Vec<Change>) -> Result<Self, String> {
        let events = parsed(input.events, &input.rejected);
        let mut states = states_of(input.state_sets, &events)?;
        for change in changes {
            let mut state = states.first().ok_or("there is no first state")?.clone();
            for key in state_of(change.remove, &events)?.keys() {
                state.remove(key);
            }
            state.extend(state_of(change.add, &events)?);
            states.push(state);
        }
        Ok(Self {
            events,
            states,
            ready: None,
        })
    }

    fn prepare(
        &mut self,
        rules: &RoomVersionRules,
        resolution: &StateResolutionV2Rules,
    ) -> Result<(), String> {
        let chains = self.chains();
        let asked = RefCell::new(None);
        resolved(
            &self.states,
            chains.clone(),
            &self.events,
            rules,
            resolution,
            |conflicted| {
                let found = self.between(conflicted);
                *asked.borrow_mut() = Some(found.clone());
                found
            },
        )?;
        let subgraph = asked.into_inner();
        self.ready = Some(Ready { chains, subgraph });
        Ok(())
    }

    fn chains(&self) -> Vec<EventIdSet<OwnedEventId>> {
        self.states
            .iter()
            .map(|state| auth_chain(state, &self.events))
            .collect()
    }

    fn between(&self, conflicted: &StateMap<Vec<OwnedEventId>>) -> EventIdSet<OwnedEventId> {
        subgraph(conflicted.values().flatten(), &self.events)
    }

    fn run(
        &self,
        runs: usize,
        rules: &RoomVersionRules,
        resolution: &StateResolutionV2Rules,
    ) -> Outcome {
        let mut seconds = Vec::new();
        let mut cpu_seconds = Vec::new();
        let mut state = State::new();
        for _ in 0..runs {
            // The function consumes the chains and the subgraph: they are copied before the clock starts.
            let copy = self.ready.clone();
            let cpu = ProcessTime::now();
            let start = Instant::now();
            let (chains, subgraph) = match copy {
                Some(ready) => (ready.chains, ready.subgraph),
                None => (self.chains(), None),
            };
            let subgraph = RefCell::new(subgraph);
            let result = resolved(
                &self.states,
                chains,
                &self.events,
                rules,
                resolution,
                |conflicted| subgraph.take().unwrap_or_else(|| self.between(conflicted)),
            )?;
            seconds.push(start.elapsed().as_secs_f64());
            cpu_seconds.push(cpu.elapsed().as_secs_f64());
            state = result; // and the last one is dropped, off the clock
        }
        let given: &[&str] = match &self.ready {
            Some(Ready { subgraph: None, .. }) => &["auth chains"],
            Some(_) => &["auth chains", "conflicted subgraph"],
            None => &[],
        };
        done(json!({
            "seconds": seconds,
            "cpu_seconds": cpu_seconds,
            "state": sorted_ids(state),
            "implementation": IMPLEMENTATION,
            "given": given,
        }))
    }
}
