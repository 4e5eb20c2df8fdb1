//! What tests of datasets found: kept in the transaction that ends their task run, and told by dataset and by run. Of each test of
//! a task the last results stay, also when their runs are gone.

use std::collections::{BTreeMap, BTreeSet};

use levada_core::error::Result;
use levada_core::id::{RunId, TaskRunId};
use levada_core::quality::{TestResult, Verdict};
use levada_core::time::Timestamp;

use super::read::all;
use super::record::{Pipelines, each};
use crate::Store;
use crate::db::{Column, Row, Tx, Value};

/// How many of the last results of a test are known.
pub const RESULTS_KEPT: u64 = 100;

/// What a test found, and by whom.
pub(crate) struct Tested<'a> {
    pub run: RunId,
    pub task_run: TaskRunId,
    pub task: String,
    pub result: &'a TestResult,
}

/// What a test of a dataset found in a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetTest {
    /// The run.
    pub run: RunId,
    /// The run of the task.
    pub task_run: TaskRunId,
    /// The pipeline.
    pub pipeline: String,
    /// The task.
    pub task: String,
    /// When.
    pub at: Timestamp,
    /// What was found, without failing rows.
    pub result: TestResult,
    /// How many failing rows are kept.
    pub kept: u64,
}

/// A place between results of a dataset, the newest of which come first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestPlace {
    /// The run of the task.
    pub task_run: i64,
    /// The test.
    pub test: String,
}

/// Which results of a dataset to list.
#[derive(Debug, Clone, Default)]
pub struct TestFilter {
    /// The dataset.
    pub dataset: String,
    /// The test.
    pub test: Option<String>,
    /// Only the last result of each test of each task.
    pub latest: bool,
}

/// Whether a result can be kept: databases index no longer names.
pub(super) fn fits(tested: &Tested<'_>) -> bool {
    let is_fine = |name: &str, most| !name.is_empty() && name.len() <= most && !name.contains('\0');
    is_fine(&tested.result.dataset, 1_000) && is_fine(&tested.result.test, 300)
}

/// Keeps results; one that is told again takes the place of the one before.
pub(super) async fn record(tx: &mut Tx, now: Timestamp, tested: &[&Tested<'_>], pipelines: &Pipelines) -> Result<()> {
    const COLUMNS: &[Column] = &[
        ("of_dataset", "text"),
        ("by_pipeline", "text"),
        ("by_task", "text"),
        ("of_test", "text"),
        ("by_task_run", "bigint"),
        ("by_run", "bigint"),
        ("now", "bigint"),
        ("of_rule", "text"),
        ("was", "text"),
        ("rows_seen", "bigint"),
        ("rows_failed", "bigint"),
        ("was_found", "text"),
        ("was_wanted", "text"),
        ("rows_kept", "bigint"),
        ("those_rows", "text"),
    ];
    // each once, and in order
    let key = |tested: &Tested| (tested.result.dataset.clone(), tested.task_run.0, tested.result.test.clone());
    let tested: BTreeMap<_, &Tested> = tested.iter().map(|tested| (key(tested), *tested)).collect();
    let mut values: Vec<Value> = Vec::new();
    let mut old = BTreeSet::new();
    for Tested { run, task_run, task, result } in tested.into_values() {
        let Some(pipeline) = pipelines.get(run) else { continue };
        let text = |text: &str| text.replace('\0', "\u{fffd}");
        values.extend([result.dataset.as_str().into(), pipeline.as_str().into(), task.as_str().into()]);
        values.extend([result.test.as_str().into(), (*task_run).into(), (*run).into(), now.into()]);
        values.extend([result.rule.as_str().into(), result.verdict.name().into()]);
        values.extend([result.rows.into(), result.failed.into()]);
        values.extend([result.found.as_deref().map(text).into(), text(&result.wanted).into()]);
        values.extend([result.failing.len().into(), serde_json::json!(result.failing).to_string().into()]);
        old.insert((result.dataset.as_str(), pipeline.as_str(), task.as_str()));
    }
    let sql = "INSERT INTO dataset_tests (dataset, pipeline, task, test, task_run, run, at, rule, verdict, rows_seen, \
               rows_failed, found, wanted, kept, failing) SELECT v.of_dataset, v.by_pipeline, v.by_task, v.of_test, \
               v.by_task_run, v.by_run, v.now, v.of_rule, v.was, v.rows_seen, v.rows_failed, v.was_found, v.was_wanted, \
               v.rows_kept, v.those_rows FROM {rows} WHERE true \
               ON CONFLICT (dataset, pipeline, task, test, task_run) DO UPDATE SET at = excluded.at, \
               rule = excluded.rule, verdict = excluded.verdict, rows_seen = excluded.rows_seen, \
               rows_failed = excluded.rows_failed, found = excluded.found, wanted = excluded.wanted, \
               kept = excluded.kept, failing = excluded.failing";
    each(tx, sql, COLUMNS, &values).await?;
    for (dataset, pipeline, task) in old {
        let sql = "DELETE FROM dataset_tests WHERE dataset = $1 AND pipeline = $2 AND task = $3 AND task_run <= \
                   (SELECT DISTINCT task_run FROM dataset_tests WHERE dataset = $1 AND pipeline = $2 AND task = $3 \
                   ORDER BY task_run DESC LIMIT 1 OFFSET $4)";
        tx.later(sql, &[dataset.into(), pipeline.into(), task.into(), RESULTS_KEPT.into()]).await?;
    }
    Ok(())
}

const RESULT: &str = "t.dataset, t.test, t.task_run, t.run, t.pipeline, t.task, t.at, t.rule, t.verdict, t.rows_seen, \
                      t.rows_failed, t.found, t.wanted, t.kept";

fn result(row: &mut Row) -> Result<DatasetTest> {
    let (dataset, test, task_run, run) = (row.text()?, row.text()?, TaskRunId(row.int()?), RunId(row.int()?));
    let (pipeline, task, at, rule, verdict) = (row.text()?, row.text()?, row.time()?, row.text()?, row.text()?);
    let verdict = match verdict.as_str() {
        "passed" => Verdict::Passed,
        "warned" => Verdict::Warned,
        _ => Verdict::Failed,
    };
    let rows = row.int_or_null()?.and_then(|rows| u64::try_from(rows).ok());
    let (failed, found, wanted, kept) = (row.count()?, row.text_or_null()?, row.text()?, row.count()?);
    let result = TestResult { dataset, test, rule, verdict, rows, failed, found, wanted, failing: Vec::new() };
    Ok(DatasetTest { run, task_run, pipeline, task, at, result, kept })
}

impl Store {
    /// Results of tests of a dataset, the newest first, from a place on.
    pub async fn dataset_tests(
        &self,
        filter: TestFilter,
        after: Option<TestPlace>,
        limit: usize,
    ) -> Result<Vec<DatasetTest>> {
        let TestFilter { dataset, test, latest } = filter;
        let TestPlace { task_run, test: after } =
            after.unwrap_or(TestPlace { task_run: i64::MAX, test: String::new() });
        let mut values: Vec<Value> = vec![dataset.into(), task_run.into(), after.into(), limit.into()];
        let mut sql = format!(
            "SELECT {RESULT} FROM dataset_tests t WHERE t.dataset = $1 AND (t.task_run < $2 OR (t.task_run = $2 AND t.test > $3))"
        );
        if let Some(test) = test {
            values.push(test.into());
            sql.push_str(" AND t.test = $5");
        }
        if latest {
            sql.push_str(
                " AND t.task_run = (SELECT MAX(o.task_run) FROM dataset_tests o WHERE o.dataset = t.dataset \
                 AND o.pipeline = t.pipeline AND o.task = t.task AND o.test = t.test)",
            );
        }
        sql.push_str(" ORDER BY t.task_run DESC, t.test LIMIT $4");
        self.db.read(async move |tx: &mut Tx| all(tx.rows(&sql, &values).await?, result)).await
    }

    /// Results of tests in a run, in the order of tasks and tests, from a place on.
    pub async fn tests_of_run(&self, run: RunId, after: Option<TestPlace>, limit: usize) -> Result<Vec<DatasetTest>> {
        let sql = format!(
            "SELECT {RESULT} FROM dataset_tests t WHERE t.run = $1 AND (t.task_run > $2 OR (t.task_run = $2 AND t.test > $3)) \
             ORDER BY t.task_run, t.test LIMIT $4"
        );
        let TestPlace { task_run, test } = after.unwrap_or(TestPlace { task_run: -1, test: String::new() });
        let values = [run.into(), task_run.into(), test.into(), limit.into()];
        self.db.read(async move |tx: &mut Tx| all(tx.rows(&sql, &values).await?, result)).await
    }

    /// The failing rows that are kept of a test in a run, each a JSON object; none if there is no such result.
    pub async fn failing_rows(&self, run: RunId, task_run: TaskRunId, test: String) -> Result<Option<Vec<String>>> {
        let sql = "SELECT failing FROM dataset_tests WHERE run = $1 AND task_run = $2 AND test = $3";
        let values = [run.into(), task_run.into(), test.into()];
        let read = async move |tx: &mut Tx| {
            let row = tx.row(sql, &values).await?;
            row.map(|mut row| Ok(super::read::listed(&row.text()?))).transpose()
        };
        self.db.read(read).await
    }

    /// What a test found the last times before a task run, the newest first; it is told by its dataset, its pipeline, its task
    /// and its name.
    pub async fn found_before(&self, test: [String; 4], task_run: TaskRunId, limit: usize) -> Result<Vec<String>> {
        let sql = "SELECT found FROM dataset_tests WHERE dataset = $1 AND pipeline = $2 AND task = $3 AND test = $4 \
                   AND task_run < $5 AND found IS NOT NULL ORDER BY task_run DESC LIMIT $6";
        let mut values: Vec<Value> = test.map(Value::from).into();
        values.extend([task_run.into(), limit.into()]);
        self.db.read(async move |tx: &mut Tx| all(tx.rows(sql, &values).await?, |row| row.text())).await
    }
}
