//! A pipeline, checked: what it is, when it runs, and its tasks in an order in which each comes after those it waits
//! for.

use std::collections::BTreeMap;
use std::time::Duration;

use super::document::{OnLost, Param};
use super::retry::Retry;
use super::schedule::Schedule;
use super::work::{Condition, ForEach, Items, Work};
use crate::run::{FanOut, Graph, Node, When};

/// Most workers that may be lost with a task before it is given up.
const LOST_MAX: u32 = 3;

/// A named graph of tasks, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Pipeline {
    /// The name that the destinations remember positions by.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// Runs of a higher priority go first.
    pub priority: i32,
    /// Runs at once.
    pub concurrency: Option<u32>,
    /// What a run can be given.
    pub params: BTreeMap<String, Param>,
    /// When it runs by itself.
    pub schedules: Vec<Schedule>,
    /// The tasks, each after those it waits for; last the hooks.
    pub tasks: Vec<Task>,
}

/// One task of a pipeline.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// Its name.
    pub name: String,
    /// Tasks that have to end first.
    pub after: Vec<String>,
    /// How they have to end.
    pub when: When,
    /// What it does. References that only a run resolves are still in it, unless it comes from
    /// [`File::task`](super::File::task).
    pub work: Work,
    /// The items it is run for.
    pub for_each: Option<ForEach>,
    /// What happens when it fails for a reason that may pass.
    pub retry: Retry,
    /// How long one attempt may take.
    pub timeout: Option<Duration>,
    /// The pool of which it takes slots, and how many.
    pub pool: Option<(String, u32)>,
    /// Added to the priority of the pipeline.
    pub priority: i32,
    /// Labels that a worker needs, in order.
    pub runs_on: Vec<String>,
    /// What happens when its worker is lost.
    pub on_lost: OnLost,
}

impl Pipeline {
    /// The structure that the store needs to lead a run.
    pub fn graph(&self) -> Graph {
        let index = |name: &String| self.tasks.iter().position(|task| task.name == *name);
        let nodes = self.tasks.iter().map(|task| task.node(task.after.iter().filter_map(index).collect())).collect();
        Graph { nodes, concurrency: self.concurrency, priority: self.priority }
    }
}

impl Task {
    /// The connections that it names. What a query reads is known to those who know SQL.
    pub fn connections(&self) -> Vec<&str> {
        let mut names = match &self.work {
            Work::Sync(sync) => vec![sync.from.as_str(), sync.to.as_str()],
            Work::Sql(sql) => vec![sql.load.to.as_str()],
            Work::Check(check) => check.connections(),
            Work::Wait(wait) => match &wait.condition {
                Condition::File(file) => vec![file.connection.as_str()],
                Condition::Query(query) => vec![query.connection.as_str()],
                Condition::For(_) | Condition::Until(_) | Condition::Dataset { .. } => Vec::new(),
            },
            Work::Backup(backup) => vec![backup.from.as_str(), backup.to.as_str()],
            Work::Restore(restore) => vec![restore.from.as_str(), restore.to.as_str()],
            Work::Command(_) | Work::Http(_) | Work::Notify(_) | Work::Pipeline(_) => Vec::new(),
        };
        match self.for_each.as_ref().map(|for_each| &for_each.items) {
            Some(Items::Query(query)) => names.push(&query.connection),
            Some(Items::Files(files)) => names.push(&files.connection),
            Some(Items::List(_) | Items::Dates(_) | Items::Outputs(_)) | None => {}
        }
        names
    }

    fn node(&self, after: Vec<usize>) -> Node {
        Node {
            name: self.name.clone(),
            kind: self.work.kind().to_owned(),
            after,
            when: self.when,
            retry: self.retry,
            lost_max: match self.on_lost {
                OnLost::Retry => LOST_MAX,
                OnLost::Fail => 0,
            },
            timeout: self.timeout,
            pool: self.pool.clone(),
            priority: self.priority,
            runs_on: self.runs_on.clone(),
            fan_out: self
                .for_each
                .as_ref()
                .map(|items| FanOut { items_max: items.max, concurrency: items.concurrency }),
        }
    }
}
