//! The kind of tasks that tests datasets: opens what the tests read, and tells what they found.

use std::collections::BTreeMap;

use levada_core::config::{DatasetCheck, Rule};
use levada_core::error::{Context, Result};
use levada_core::quality::{TestResult, Verdict};
use serde_json::json;

use super::execute::{Attempt, Executor, Seen, first};
use super::kinds::Spill;
use super::worker::{Done, Executed};
use crate::check::{self, CheckJob};
use crate::queries::{self, Asked};
use crate::task::command::OWN_PREFIX;

/// The least memory that a query is given.
const QUERY_BYTES_MIN: u64 = 32 << 20;

impl Executor {
    /// Tests a dataset.
    pub(super) async fn check(&self, attempt: &Attempt<'_>, check: &DatasetCheck) -> Result<Executed> {
        // an attempt that was killed may have left something
        let spill = Spill::new(attempt.context.run_dir.join(format!("{OWN_PREFIX}spill")));
        let mut connections = BTreeMap::new();
        for name in check.connections() {
            if !connections.contains_key(name) {
                connections.insert(name.to_owned(), self.open(attempt, name)?.connection);
            }
        }
        let mut queries = BTreeMap::new();
        if check.queries().next().is_some() {
            std::fs::create_dir_all(&spill.0).at(spill.0.display().to_string())?;
        }
        for (at, query) in check.queries() {
            let memory_bytes = check.memory_bytes.max(QUERY_BYTES_MIN);
            let asked = Asked { sql: &query.query, params: &query.params, memory_bytes };
            let open = |name: &str| self.open(attempt, name).map_err(|error| vec![error]);
            let opened = queries::open(&self.around.registry, asked, spill.0.join(at.to_string()), open);
            let place = format!("test `{}`", check.tests[at].name);
            queries.insert(at, opened.map_err(first).at(place)?.connection);
        }
        let job = CheckJob {
            check: check.clone(),
            connections,
            queries,
            history: self.history(attempt, check).await?,
            now: self.around.clock.now(),
            spill: spill.0.clone(),
            stop: attempt.context.stop.clone(),
        };
        let tests = check::run(job).await?;
        for result in &tests {
            attempt.context.log.sys(&format!("{} {}: {}", result.verdict.name(), result.test, result.told()));
        }
        self.around.observer.see(attempt.claim, Seen::Tested(&tests)).await;
        if let Some(error) = check::failure(&tests) {
            return Ok(Executed::Failed { error, loads: Vec::new(), tests });
        }
        let outputs = Some(outputs(&tests).to_string());
        Ok(Executed::Done(Done { outputs, tests, ..Done::default() }))
    }

    /// How many rows there were the last times, for the tests that ask.
    async fn history(&self, attempt: &Attempt<'_>, check: &DatasetCheck) -> Result<BTreeMap<usize, Vec<u64>>> {
        let claim = attempt.claim;
        let mut history = BTreeMap::new();
        for (at, test) in check.tests.iter().enumerate() {
            let Rule::Volume { over, .. } = &test.rule else { continue };
            let place = [check.dataset.to_string(), claim.pipeline.clone(), claim.task.clone(), test.name.clone()];
            let found = self.around.store.found_before(place, claim.task_run, *over as usize).await?;
            history.insert(at, found.iter().filter_map(|rows| rows.parse().ok()).collect());
        }
        Ok(history)
    }
}

/// What tasks after it can use: how many tests there were, and how many of them only warned.
fn outputs(tests: &[TestResult]) -> serde_json::Value {
    let warned = tests.iter().filter(|result| result.verdict == Verdict::Warned).count();
    json!({ "tests": tests.len(), "passed": tests.len() - warned, "warned": warned })
}
