//! The operation `time`: how long `resolve` of ruma takes, for benchmarks.

use std::{cell::RefCell, thread::LocalKey};

use ruma_common::{
    OwnedEventId,
    room_version_rules::{RoomVersionRules, StateResolutionV2Rules},
};
use ruma_state_res::{StateMap, utils::event_id_set::EventIdSet};
use serde_json::{Value, json, value::RawValue};

use crate::{
    room::{
        Events, ResolveInput, State, auth_chain, parsed, resolved, sorted_ids, state_of, states_of,
        subgraph,
    },
    shared::{self, Answer, Change, Clock, Outcome},
};

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
    if rules.state_res.v2_rules().is_none() {
        return Ok(Answer::Unsupported);
    }
    shared::time::<Timing>(input, rules)
}

fn algorithm(rules: &RoomVersionRules) -> Result<&StateResolutionV2Rules, &str> {
    rules.state_res.v2_rules().ok_or("not version 2")
}

impl shared::Timing for Timing {
    type Input = ResolveInput;
    type Id = OwnedEventId;
    type State = State;
    type Rules = RoomVersionRules;

    const IMPLEMENTATION: &str = "ruma-state-res 0.18.0";

    fn last() -> &'static LocalKey<RefCell<Option<Self>>> {
        &LAST
    }

    fn new(
        input: ResolveInput,
        changes: Vec<Change<OwnedEventId>>,
        _: &RoomVersionRules,
    ) -> Result<Self, String> {
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

    fn prepare(&mut self, rules: &RoomVersionRules) -> Result<(), String> {
        let chains = self.chains();
        let asked = RefCell::new(None);
        resolved(
            &self.states,
            chains.clone(),
            &self.events,
            rules,
            algorithm(rules)?,
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

    fn run(&mut self, rules: &RoomVersionRules, clock: &mut Clock) -> Result<State, String> {
        let resolution = algorithm(rules)?;
        // The function consumes the chains and the subgraph: they are copied before the clock starts.
        let copy = self.ready.clone();
        clock.measure(|| {
            let (chains, subgraph) = match copy {
                Some(ready) => (ready.chains, ready.subgraph),
                None => (self.chains(), None),
            };
            let subgraph = RefCell::new(subgraph);
            resolved(
                &self.states,
                chains,
                &self.events,
                rules,
                resolution,
                |conflicted| subgraph.take().unwrap_or_else(|| self.between(conflicted)),
            )
        })
    }

    fn sorted_ids(state: State) -> Value {
        json!(sorted_ids(state))
    }

    fn given(&self) -> &'static [&'static str] {
        match &self.ready {
            Some(Ready { subgraph: None, .. }) => &["auth chains"],
            Some(_) => &["auth chains", "conflicted subgraph"],
            None => &[],
        }
    }
}

impl Timing {
    fn chains(&self) -> Vec<EventIdSet<OwnedEventId>> {
        self.states
            .iter()
            .map(|state| auth_chain(state, &self.events))
            .collect()
    }

    fn between(&self, conflicted: &StateMap<Vec<OwnedEventId>>) -> EventIdSet<OwnedEventId> {
        subgraph(conflicted.values().flatten(), &self.events)
    }
}
