//! What tests of datasets found: by dataset, with the results of the runs before, and by run.

use levada_core::id::{RunId, TaskRunId};
use levada_core::quality::Verdict;
use levada_core::time::Timestamp;
use levada_store::{DatasetTest, TestFilter, TestPlace};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{datasets, limit, object};
use crate::problem::Problem;
use crate::route::{Answer, Call, Page};

/// What a test of a dataset found in a run.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "DatasetTest")]
pub struct Test {
    /// The dataset, as `connection.stream`.
    pub dataset: String,
    /// What the test is called.
    pub test: String,
    /// The rule that it is of, for instance `not_null`.
    pub rule: String,
    /// What became of it.
    pub verdict: Verdict,
    /// Rows that were looked at; null where only a query tells them.
    pub rows: Option<u64>,
    /// Rows that break the rule. Of `row_count` and `volume`, how many are too few or too many; of `freshness`, 1 if it is stale.
    pub failed: u64,
    /// What was found, where the rule is about all rows: their number, or the latest value.
    pub found: Option<String>,
    /// What was wanted, in words.
    pub wanted: String,
    /// How many of the rows that break the rule are kept.
    pub kept: u64,
    /// The run, which may have been removed.
    pub run: RunId,
    /// The run of the task.
    pub task_run: TaskRunId,
    /// The pipeline.
    pub pipeline: String,
    /// The task.
    pub task: String,
    /// When.
    pub at: Timestamp,
}

/// A row that breaks a rule.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct FailingRow {
    /// The columns that were read, each a text or null.
    pub row: Map<String, Value>,
}

/// Which results of a dataset.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OfDataset {
    /// The dataset.
    pub dataset: String,
    /// Of this test.
    pub test: Option<String>,
    /// Only the last result of each test of each task.
    #[serde(default)]
    pub latest: bool,
    /// The `next` of the page before.
    pub after: Option<String>,
    /// How many; 50 unless given, 1,000 at most.
    pub limit: Option<u32>,
}

/// Which results of a run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OfRun {
    /// The run.
    pub run: i64,
    /// The `next` of the page before.
    pub after: Option<String>,
    /// How many; 50 unless given, 1,000 at most.
    pub limit: Option<u32>,
}

/// Which failing rows.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Failing {
    /// The run.
    pub run: i64,
    /// The run of the task.
    pub task_run: i64,
    /// The test.
    pub test: String,
}

/// Results of tests of a dataset, the newest first.
pub async fn of_dataset(call: Call<OfDataset>) -> Result<Answer<Page<Test>>, Problem> {
    let OfDataset { dataset, test, latest, after, limit: asked } = call.input;
    let (limit, after) = (limit(asked)?, place(after.as_deref())?);
    let dataset = datasets::known(&call.app, dataset).await?;
    if test.as_ref().is_some_and(|test| test.contains('\0')) {
        return Ok(Page { items: Vec::new(), next: None }.into());
    }
    let found = call.app.store.dataset_tests(TestFilter { dataset, test, latest }, after, limit).await?;
    Ok(page(found, limit).into())
}

/// Results of tests in a run, in the order of tasks and tests.
pub async fn of_run(call: Call<OfRun>) -> Result<Answer<Page<Test>>, Problem> {
    let OfRun { run, after, limit: asked } = call.input;
    let (store, run, limit, after) = (&call.app.store, RunId(run), limit(asked)?, place(after.as_deref())?);
    store.run(run).await?.ok_or_else(|| Problem::no("run", run))?;
    Ok(page(store.tests_of_run(run, after, limit).await?, limit).into())
}

/// The rows that are kept of those that break the rule of a test.
pub async fn failing(call: Call<Failing>) -> Result<Answer<Page<FailingRow>>, Problem> {
    let Failing { run, task_run, test } = call.input;
    let (store, run) = (&call.app.store, RunId(run));
    store.run(run).await?.ok_or_else(|| Problem::no("run", run))?;
    let is_text = !test.contains('\0');
    let found = match is_text {
        true => store.failing_rows(run, TaskRunId(task_run), test.clone()).await?,
        false => None,
    };
    let missing = || {
        Problem::NotFound(format!(
            "the task run {task_run} of the run {run} has no test `{test}`. List those of the run."
        ))
    };
    let rows = found.ok_or_else(missing)?;
    let items = rows.iter().map(|row| FailingRow { row: object(row) }).collect();
    Ok(Page { items, next: None }.into())
}

fn place(after: Option<&str>) -> Result<Option<TestPlace>, Problem> {
    let wrong = || Problem::Malformed("`after` is the `next` of the page before.".to_owned());
    let place = |text: &str| {
        let (task_run, test) = text.split_once(':').filter(|(_, test)| !test.contains('\0')).ok_or_else(wrong)?;
        Ok::<_, Problem>(TestPlace { task_run: task_run.parse().map_err(|_| wrong())?, test: test.to_owned() })
    };
    after.map(place).transpose()
}

fn page(found: Vec<DatasetTest>, limit: usize) -> Page<Test> {
    let next = |last: &DatasetTest| format!("{}:{}", last.task_run.0, last.result.test);
    let next = found.last().filter(|_| found.len() == limit).map(next);
    Page { items: found.into_iter().map(Test::from).collect(), next }
}

impl From<DatasetTest> for Test {
    fn from(found: DatasetTest) -> Self {
        let DatasetTest { run, task_run, pipeline, task, at, result, kept } = found;
        Self {
            dataset: result.dataset,
            test: result.test,
            rule: result.rule,
            verdict: result.verdict,
            rows: result.rows,
            failed: result.failed,
            found: result.found,
            wanted: result.wanted,
            kept,
            run,
            task_run,
            pipeline,
            task,
            at,
        }
    }
}
