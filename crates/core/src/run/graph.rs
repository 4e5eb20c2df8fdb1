//! The structure of a pipeline as far as the store needs it to lead a run: which task waits for which, and what each
//! needs in order to start. What a task does is not in it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::State;
use crate::config::Retry;

/// The tasks of a pipeline, each after those it waits for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Graph {
    /// The tasks.
    pub nodes: Vec<Node>,
    /// Runs of the pipeline at once.
    pub concurrency: Option<u32>,
    /// Runs of a higher priority go first.
    pub priority: i32,
}

/// One task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// The key in the document that says what it does: `sync`, `command`, ..
    pub kind: String,
    /// The tasks it waits for, as indices into [`Graph::nodes`]; all less than its own.
    pub after: Vec<usize>,
    /// What has to have become of them.
    pub when: When,
    /// What happens when it fails.
    pub retry: Retry,
    /// Most workers that may be lost with it before it is given up.
    pub lost_max: u32,
    /// How long one attempt may take.
    pub timeout: Option<Duration>,
    /// The pool of which it takes slots, and how many.
    pub pool: Option<(String, u32)>,
    /// Added to the priority of the run.
    pub priority: i32,
    /// Labels that a worker needs, in order.
    pub runs_on: Vec<String>,
    /// How it is split into items.
    pub fan_out: Option<FanOut>,
}

/// How a task is split into items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FanOut {
    /// Most items; more make the task fail.
    pub items_max: u32,
    /// Items at work at once.
    pub concurrency: Option<u32>,
}

/// What has to have become of the tasks before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// Every one of them succeeded.
    #[default]
    AllSucceeded,
    /// Every one of them ended, in whatever way.
    AllDone,
    /// Every one of them ended, and at least one failed.
    AnyFailed,
}

/// Whether a task may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// Not all tasks before it have ended.
    Blocked,
    /// It may go.
    Ready,
    /// It never will.
    RuledOut,
}

impl When {
    /// Whether a task may go, by the states of those before it.
    pub fn readiness(self, before: impl IntoIterator<Item = State>) -> Readiness {
        let (mut all_succeeded, mut any_failed) = (true, false);
        for state in before {
            if !state.is_terminal() {
                return Readiness::Blocked;
            }
            all_succeeded &= state == State::Succeeded;
            any_failed |= state == State::Failed;
        }
        let goes = match self {
            Self::AllSucceeded => all_succeeded,
            Self::AllDone => true,
            Self::AnyFailed => any_failed,
        };
        if goes { Readiness::Ready } else { Readiness::RuledOut }
    }
}

impl Graph {
    /// The tasks that wait for one, as indices.
    pub fn dependents(&self, of: usize) -> impl Iterator<Item = usize> {
        self.nodes.iter().enumerate().filter(move |(_, node)| node.after.contains(&of)).map(|(index, _)| index)
    }

    /// The index of a task.
    pub fn index(&self, name: &str) -> Option<usize> {
        self.nodes.iter().position(|node| node.name == name)
    }
}
