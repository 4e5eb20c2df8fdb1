//! Random pipelines: graphs of every shape, with all that a node can ask for, and schedules whose fires are easy to tell.

use std::time::Duration;

use levada_core::config::{Backoff, Retry};
use levada_core::run::{FanOut, Graph, Node, RunState, When};
use levada_core::schedule::{Catchup, Every, Rule, Schedule, Zone};
use levada_store::{NewSchedule, Spec, When as Fires};
use levada_testkit::shop::chance::Chance;

/// The kind of a task that starts a run of the pipeline `child`, and waits for its end.
pub const PIPELINE: &str = "pipeline";
/// The kind of a task that looks at something several times, and holds no worker in between.
pub const WAIT: &str = "wait";
/// The pipeline that others start.
pub const CHILD: &str = "child";
/// The pools, and their slots.
pub const POOLS: [(&str, u32); 2] = [("narrow", 1), ("wide", 3)];

/// A pipeline of the simulation.
pub struct Pipeline {
    pub name: String,
    pub graph: Graph,
    pub timers: Vec<Timer>,
    /// It starts when a run of another pipeline ends in this state.
    pub follows: Option<(String, RunState)>,
}

/// A schedule that fires at every multiple of its period since the epoch.
#[derive(Clone)]
pub struct Timer {
    pub name: String,
    pub period_s: i64,
    pub catchup: Catchup,
    pub as_cron: bool,
}

/// Three pipelines: one that others start, one that may start it, and one that may follow on the second.
pub fn draw(chance: &mut Chance) -> Vec<Pipeline> {
    let child = Pipeline { timers: Vec::new(), follows: None, ..pipeline(chance, CHILD, false) };
    let first = pipeline(chance, "first", true);
    let mut second = pipeline(chance, "second", true);
    if chance.once_in(2) {
        let state = if chance.once_in(2) { RunState::Succeeded } else { RunState::Failed };
        second.follows = Some(("first".to_owned(), state));
    }
    vec![child, first, second]
}

fn pipeline(chance: &mut Chance, name: &str, starts_others: bool) -> Pipeline {
    let size = 1 + chance.below(if starts_others { 7 } else { 3 }) as usize;
    let nodes = (0..size).map(|index| node(chance, index, starts_others)).collect();
    let concurrency = chance.once_in(2).then(|| 1 + chance.below(3) as u32);
    let graph = Graph { nodes, concurrency, priority: chance.below(3) as i32 };
    let timers = (0..chance.below(3)).map(|index| timer(chance, index)).collect();
    Pipeline { name: name.to_owned(), graph, timers, follows: None }
}

fn node(chance: &mut Chance, index: usize, starts_others: bool) -> Node {
    let after: Vec<usize> = (0..index).filter(|_| chance.once_in(3)).collect();
    let when = match chance.below(6) {
        0 => When::AllDone,
        1 if !after.is_empty() => When::AnyFailed,
        _ => When::AllSucceeded,
    };
    let kind = match chance.below(8) {
        0 if starts_others => PIPELINE,
        1 => WAIT,
        _ => "command",
    };
    let backoff = if chance.once_in(2) { Backoff::Constant } else { Backoff::Exponential };
    let (initial, max) = (Duration::from_secs(1 + chance.below(20)), Duration::from_secs(30));
    Node {
        name: format!("t{index}"),
        kind: kind.to_owned(),
        after,
        when,
        retry: Retry { attempts: 1 + chance.below(3) as u32, backoff, initial, max },
        lost_max: chance.below(4) as u32,
        timeout: None,
        pool: chance.once_in(3).then(|| {
            let (name, slots) = POOLS[chance.below(2) as usize];
            (name.to_owned(), 1 + chance.below(u64::from(slots)) as u32)
        }),
        priority: chance.below(3) as i32,
        runs_on: if chance.once_in(6) { vec!["gpu".to_owned()] } else { Vec::new() },
        fan_out: (kind == "command" && chance.once_in(4))
            .then(|| FanOut { items_max: 100, concurrency: chance.once_in(2).then(|| 1 + chance.below(3) as u32) }),
    }
}

fn timer(chance: &mut Chance, index: u64) -> Timer {
    let minutes = [1, 2, 5, 10][chance.below(4) as usize];
    let as_cron = chance.once_in(2);
    Timer {
        name: format!("s{index}"),
        period_s: if as_cron { minutes * 60 } else { 45 * minutes },
        catchup: [Catchup::None, Catchup::Last, Catchup::All][chance.below(3) as usize],
        as_cron,
    }
}

impl Pipeline {
    /// All its schedules, as its document would have them.
    pub fn schedules(&self) -> Vec<NewSchedule> {
        let timers = self.timers.iter().map(|timer| (timer.name.clone(), timer.rule(), timer.catchup));
        let follows = self.follows.iter().map(|(name, state)| {
            let when = Fires::Pipeline { name: name.clone(), states: vec![*state] };
            ("follows".to_owned(), when, Catchup::None)
        });
        let spec = |when, catchup| Spec { when, catchup, params: serde_json::Map::new() };
        timers
            .chain(follows)
            .map(|(name, when, catchup)| NewSchedule { name, spec: spec(when, catchup), paused: false })
            .collect()
    }
}

impl Timer {
    fn rule(&self) -> Fires {
        let rule = if self.as_cron {
            Rule::Cron(format!("*/{} * * * *", self.period_s / 60).parse().unwrap())
        } else {
            Rule::Every(Every::new(Duration::from_secs(self.period_s as u64)).unwrap())
        };
        Fires::Time(Schedule::new(rule, Zone::UTC))
    }
}
