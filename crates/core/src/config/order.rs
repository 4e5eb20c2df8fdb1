//! The order of things that wait for each other: tasks of a pipeline, pipelines of a project.

use std::collections::{BTreeMap, BTreeSet};

/// The tasks in an order in which each comes after those it waits for, or the names of tasks that wait for each other.
/// Tasks that are free to go keep the order given. All names that are waited for exist.
pub fn in_order(tasks: &[(String, Vec<String>)]) -> Result<Vec<usize>, Vec<String>> {
    let index: BTreeMap<&str, usize> = tasks.iter().enumerate().map(|(i, (name, _))| (name.as_str(), i)).collect();
    let mut missing: Vec<usize> = tasks.iter().map(|(_, after)| after.len()).collect();
    let mut dependents = vec![Vec::new(); tasks.len()];
    for (task, (_, after)) in tasks.iter().enumerate() {
        for before in after.iter().filter_map(|name| index.get(name.as_str())) {
            dependents[*before].push(task);
        }
    }
    let mut ready: BTreeSet<usize> = (0..tasks.len()).filter(|task| missing[*task] == 0).collect();
    let mut order = Vec::new();
    while let Some(task) = ready.pop_first() {
        order.push(task);
        for dependent in &dependents[task] {
            missing[*dependent] -= 1;
            if missing[*dependent] == 0 {
                ready.insert(*dependent);
            }
        }
    }
    if order.len() == tasks.len() { Ok(order) } else { Err(cycle(tasks, &order)) }
}

/// One cycle among the tasks that are not done; there is one, as each of them waits for another of them.
fn cycle(tasks: &[(String, Vec<String>)], done: &[usize]) -> Vec<String> {
    let open: Vec<&(String, Vec<String>)> =
        tasks.iter().enumerate().filter(|(index, _)| !done.contains(index)).map(|(_, task)| task).collect();
    let Some(mut current) = open.first().copied() else { return Vec::new() };
    let mut path: Vec<String> = Vec::new();
    loop {
        if let Some(start) = path.iter().position(|name| *name == current.0) {
            path.push(current.0.clone());
            return path.split_off(start);
        }
        path.push(current.0.clone());
        match open.iter().find(|(name, _)| current.1.contains(name)) {
            Some(next) => current = next,
            None => return path,
        }
    }
}

/// Which task waits for which, directly or by way of others.
pub struct Upstream<'a>(BTreeMap<&'a str, &'a [String]>);

impl<'a> Upstream<'a> {
    /// Of tasks with those they wait for.
    pub fn new(tasks: &'a [(String, Vec<String>)]) -> Self {
        Self(tasks.iter().map(|(name, after)| (name.as_str(), after.as_slice())).collect())
    }

    /// The names of the tasks.
    pub fn names(&self) -> Vec<&'a str> {
        self.0.keys().copied().collect()
    }

    /// Whether a task waits for another.
    pub fn waits_for(&self, task: &str, other: &str) -> bool {
        let mut seen = BTreeSet::new();
        let mut open = vec![task];
        while let Some(next) = open.pop() {
            for before in self.0.get(next).copied().unwrap_or_default() {
                if before == other {
                    return true;
                }
                if seen.insert(before.as_str()) {
                    open.push(before);
                }
            }
        }
        false
    }
}
