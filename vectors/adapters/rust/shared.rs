//! What the adapters in Rust share: requests are answered in JSON Lines, and resolutions are timed.
//!
//! Each adapter has this file as its module `shared`. It knows none of the libraries.

use std::{
    any::Any,
    cell::RefCell,
    io::{self, BufRead, Write},
    panic::{self, AssertUnwindSafe},
    thread::LocalKey,
    time::Instant,
};

use cpu_time::ProcessTime;
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

/// What an operation gives.
pub enum Answer {
    Output(Value),
    Unsupported,
}

pub type Outcome = Result<Answer, String>;

#[derive(Deserialize)]
pub struct Request<'a> {
    id: i64,
    pub operation: String,
    pub room_version: String,
    #[serde(borrow)]
    pub input: &'a RawValue,
}

/// Answer the requests on the standard input with `run`, until it ends.
pub fn serve(run: impl Fn(&Request<'_>) -> Outcome) -> io::Result<()> {
    panic::set_hook(Box::new(|_| {})); // a panic is answered as an error
    let mut input = io::stdin().lock();
    let mut output = io::stdout().lock();
    let mut line = String::new();
    while input.read_line(&mut line)? > 0 {
        if !line.trim().is_empty() {
            serde_json::to_writer(&mut output, &answer(&line, &run))?;
            output.write_all(b"\n")?;
            output.flush()?;
        }
        line.clear();
    }
    Ok(())
}

fn answer(line: &str, run: impl Fn(&Request<'_>) -> Outcome) -> Value {
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

/// Read an input.
pub fn read<'a, T: Deserialize<'a>>(input: &'a RawValue) -> Result<T, String> {
    serde_json::from_str(input.get()).map_err(|error| error.to_string())
}

pub fn done(value: Value) -> Outcome {
    Ok(Answer::Output(value))
}

/// The input of `time`. `Input` is that of `resolve`, and `Id` an event ID.
#[derive(Deserialize)]
struct TimeInput<Input, Id> {
    #[serde(default)]
    again: bool,
    operation: Option<String>,
    input: Option<Input>,
    #[serde(default = "Vec::new")]
    changes: Vec<Change<Id>>,
    runs: usize,
    mode: Option<String>,
}

/// A state, given by how it differs from the first.
#[derive(Deserialize)]
pub struct Change<Id> {
    pub remove: Vec<Id>,
    pub add: Vec<Id>,
}

/// A resolution with what is ready before the clock starts.
pub trait Timing: Sized + 'static {
    type Input: for<'a> Deserialize<'a>;
    type Id: for<'a> Deserialize<'a>;
    type State;
    /// What the library wants to know of the room version.
    type Rules: ?Sized;

    const IMPLEMENTATION: &str;

    /// Where the last one is kept, to be measured again.
    fn last() -> &'static LocalKey<RefCell<Option<Self>>>;

    fn new(
        input: Self::Input,
        changes: Vec<Change<Self::Id>>,
        rules: &Self::Rules,
    ) -> Result<Self, String>;

    /// Make what a server may keep from one resolution to the next.
    fn prepare(&mut self, rules: &Self::Rules) -> Result<(), String>;

    /// Resolve once, on the clock.
    fn run(&mut self, rules: &Self::Rules, clock: &mut Clock) -> Result<Self::State, String>;

    /// What is answered of a resolved state: its event IDs, sorted.
    fn sorted_ids(state: Self::State) -> Value;

    /// Name what was ready before the clock started.
    fn given(&self) -> &'static [&'static str];
}

/// How long the runs took, in seconds.
#[derive(Default)]
pub struct Clock {
    elapsed: Vec<f64>,
    cpu: Vec<f64>,
}

impl Clock {
    /// Measure a run.
    pub fn measure<T>(&mut self, run: impl FnOnce() -> T) -> T {
        let cpu = ProcessTime::now();
        let start = Instant::now();
        let result = run();
        self.elapsed.push(start.elapsed().as_secs_f64());
        self.cpu.push(cpu.elapsed().as_secs_f64());
        result
    }
}

/// The operation `time`: how long a library takes to resolve, for benchmarks.
pub fn time<T: Timing>(input: &RawValue, rules: &T::Rules) -> Outcome {
    let given = read::<TimeInput<T::Input, T::Id>>(input)?;
    if !given.again {
        let (Some("resolve"), Some(input)) = (given.operation.as_deref(), given.input) else {
            return Ok(Answer::Unsupported);
        };
        let warm = match given.mode.as_deref() {
            Some("warm") => true,
            Some("cold") => false,
            _ => return Ok(Answer::Unsupported),
        };
        T::last().set(None);
        let mut timing = T::new(input, given.changes, rules)?;
        if warm {
            timing.prepare(rules)?;
        }
        T::last().set(Some(timing));
    }
    T::last().with_borrow_mut(|last| {
        let timing = last.as_mut().ok_or("nothing was measured before")?;
        let mut clock = Clock::default();
        let mut state = None;
        for _ in 0..given.runs {
            state = Some(timing.run(rules, &mut clock)?); // and the last one is dropped, off the clock
        }
        done(json!({
            "seconds": clock.elapsed,
            "cpu_seconds": clock.cpu,
            "state": state.map_or_else(|| json!([]), T::sorted_ids),
            "implementation": T::IMPLEMENTATION,
            "given": timing.given(),
        }))
    })
}
