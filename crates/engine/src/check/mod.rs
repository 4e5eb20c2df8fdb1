//! Tests of what a dataset holds, over its rows as they stream by: one read for all tests, and one more for the rows that
//! break a rule about several rows, if there are any.

mod canonical;
mod keys;
mod ordinal;
mod probe;
mod read;
mod tally;

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use levada_core::config::{Allowed, DataTest, DatasetCheck, Rule, Share};
use levada_core::connector::Connection;
use levada_core::error::{Context, Error, ErrorKind, Result};
use levada_core::naming::first_of;
use levada_core::quality::{Severity, TestResult, Verdict};
use levada_core::query::QUERY_STREAM;
use levada_core::time::Timestamp;
use tokio_util::sync::CancellationToken;

use keys::{Keys, Sorted};
use read::Stream;
use tally::{Kept, Tally};

/// Bytes of failing rows that the tests of a task keep together, and of one test.
const FAILING_BYTES_MAX: usize = 256 << 10;
const FAILING_BYTES_OF_TEST: usize = 32 << 10;
/// Bytes of a batch.
const BATCH_BYTES: usize = 1 << 20;

/// Everything that a check needs.
pub struct CheckJob {
    /// What is tested, and how.
    pub check: DatasetCheck,
    /// The connections that it names.
    pub connections: BTreeMap<String, Arc<dyn Connection>>,
    /// The results of its queries, each by the place of its test.
    pub queries: BTreeMap<usize, Arc<dyn Connection>>,
    /// How many rows there were the last times, by the place of the test that asks.
    pub history: BTreeMap<usize, Vec<u64>>,
    /// What time it is.
    pub now: Timestamp,
    /// A folder for what does not fit into memory; whoever calls removes it.
    pub spill: PathBuf,
    /// Ends the work.
    pub stop: CancellationToken,
}

/// What was found for a test, before it is judged.
struct Found {
    failed: u64,
    found: Option<String>,
    wanted: String,
    /// How many rows a share is of, if not those of the dataset.
    of: Option<u64>,
    failing: Vec<String>,
}

/// Tests a dataset. The results are in the order of the tests.
///
/// # Errors
/// Of reading; `Config` for a column that is not there or whose type the rule cannot be tested on; `Data` for rows that cannot
/// be read; `Interrupted` when it is stopped.
pub async fn run(job: CheckJob) -> Result<Vec<TestResult>> {
    let stop = job.stop.clone();
    tokio::select! {
        () = stop.cancelled() => Err(Error::new(ErrorKind::Interrupted, "stopped")),
        results = all(job) => results,
    }
}

/// The error of a check of which some tests failed; none if none did.
pub fn failure(results: &[TestResult]) -> Option<Error> {
    const TOLD: usize = 5;
    let failed: Vec<&TestResult> = results.iter().filter(|result| result.verdict == Verdict::Failed).collect();
    let first = failed.first()?;
    let told: Vec<String> = failed.iter().map(|result| format!("`{}` ({})", result.test, result.told())).collect();
    let told = first_of(&told, TOLD);
    let message = format!("{} of {} tests of {} failed: {told}", failed.len(), results.len(), first.dataset);
    Some(Error::new(ErrorKind::Task, message).advise(
        "Look at the failing rows in the results; correct the data, or allow for it by `allow` or `severity: warn`.",
    ))
}

async fn all(job: CheckJob) -> Result<Vec<TestResult>> {
    let check = &job.check;
    let bounds = Bounds::of(&job);
    let mut found: BTreeMap<usize, Found> = BTreeMap::new();
    let rows = match check.tests.iter().any(reads) {
        true => Some(over_rows(&job, &bounds, &mut found).await?),
        false => None,
    };
    for (at, connection) in &job.queries {
        let name = &check.tests[*at].name;
        found.insert(*at, query(connection.clone(), &bounds).await.at(format!("test `{name}`"))?);
    }
    let results = check.tests.iter().enumerate().filter_map(|(at, test)| {
        let found = found.remove(&at)?;
        Some(judged(check, test, found, rows.filter(|_| reads(test))))
    });
    Ok(results.collect())
}

/// Whether a test is about the rows of the dataset. A share of the rows of a query is one of those of the dataset.
fn reads(test: &DataTest) -> bool {
    !matches!((&test.rule, test.allowed), (Rule::Sql(_), Allowed::Rows(_)))
}

fn judged(check: &DatasetCheck, test: &DataTest, found: Found, rows: Option<u64>) -> TestResult {
    let is_passed = match &test.rule {
        Rule::Freshness { .. } | Rule::Volume { .. } => found.failed == 0,
        _ => test.allowed.takes(found.failed, found.of.or(rows).unwrap_or_default()),
    };
    let verdict = match (is_passed, test.severity) {
        (true, _) => Verdict::Passed,
        (false, Severity::Warn) => Verdict::Warned,
        (false, Severity::Fail) => Verdict::Failed,
    };
    TestResult {
        dataset: check.dataset.to_string(),
        test: test.name.clone(),
        rule: test.rule.kind().to_owned(),
        verdict,
        rows,
        failed: found.failed,
        found: found.found,
        wanted: found.wanted,
        failing: found.failing,
    }
}

/// What tests may take, and what they are measured by.
struct Bounds {
    /// Bytes of memory for each set of values.
    keys_bytes: usize,
    batch_bytes: usize,
    /// Failing rows that are kept of each test, and their bytes.
    failing_max: usize,
    failing_bytes: usize,
    now: Timestamp,
    spill: PathBuf,
}

impl Bounds {
    fn of(job: &CheckJob) -> Self {
        let sets = job.check.tests.iter().map(|test| match test.rule {
            Rule::Unique(_) => 1,
            Rule::Relationships { .. } => 2,
            _ => 0,
        });
        let memory = usize::try_from(job.check.memory_bytes).unwrap_or(usize::MAX);
        let batch_bytes = BATCH_BYTES.min(memory / 8);
        Self {
            // a batch is held by its reader and by the tests
            keys_bytes: (memory - 2 * batch_bytes) / sets.sum::<usize>().max(1),
            batch_bytes,
            failing_max: job.check.keep as usize,
            failing_bytes: (FAILING_BYTES_MAX / job.check.tests.len().max(1)).min(FAILING_BYTES_OF_TEST),
            now: job.now,
            spill: job.spill.clone(),
        }
    }

    fn keys(&self, is_distinct: bool) -> Keys {
        Keys::new(self.keys_bytes, is_distinct, &self.spill)
    }

    fn kept(&self) -> Kept {
        Kept::new(self.failing_max, self.failing_bytes)
    }
}

/// The tests of the dataset's rows. Gives how many there are.
async fn over_rows(job: &CheckJob, bounds: &Bounds, found: &mut BTreeMap<usize, Found>) -> Result<u64> {
    let check = &job.check;
    let dataset = check.dataset.to_string();
    let stream = Stream::find(connection(job, &check.dataset.connection)?, &check.dataset.stream).await.at(&dataset)?;
    let wanted = check.tests.iter().flat_map(|test| test.rule.columns());
    let columns = stream.columns(wanted).at(&dataset)?;
    let mut tallies = Vec::new();
    for test in &check.tests {
        tallies.push(Tally::new(&test.rule, &columns, bounds).at(format!("test `{}`", test.name)).at(&dataset)?);
    }
    let (tallies, rows) = stream.each(&columns, bounds.batch_bytes, tallies, see).await.at(&dataset)?;
    let mut suspects = Vec::new();
    for (at, tally) in tallies.into_iter().enumerate() {
        let test = &check.tests[at];
        let one = finish(job, test, at, tally, rows, bounds).await.at(format!("test `{}`", test.name))?;
        let Some((one, hashes)) = one else { continue };
        found.insert(at, one);
        if !hashes.is_empty() {
            suspects.push(Suspects {
                at,
                probe: probe::Hasher::new(&columns, &test.rule)?,
                hashes,
                kept: bounds.kept(),
            });
        }
    }
    if bounds.failing_max > 0 && !suspects.is_empty() {
        let (suspects, _) = stream.each(&columns, bounds.batch_bytes, suspects, show).await.at(&dataset)?;
        for suspect in suspects {
            found.entry(suspect.at).and_modify(|found| found.failing = suspect.kept.rows);
        }
    }
    Ok(rows)
}

fn see(mut tallies: Vec<Tally>, rows: &RecordBatch) -> Result<(Vec<Tally>, bool)> {
    tallies.iter_mut().try_for_each(|tally| tally.see(rows))?;
    Ok((tallies, true))
}

/// The rows of a test that is about several rows, by the hashes of their values.
struct Suspects {
    at: usize,
    probe: probe::Hasher,
    hashes: HashSet<u128>,
    kept: Kept,
}

fn show(mut all: Vec<Suspects>, rows: &RecordBatch) -> Result<(Vec<Suspects>, bool)> {
    for suspects in all.iter_mut().filter(|suspects| !suspects.kept.is_full()) {
        let Suspects { probe, hashes, kept, .. } = suspects;
        for (row, _) in probe.hashes(rows).filter(|(_, hash)| hashes.contains(hash)) {
            kept.push(rows, row);
        }
    }
    let goes_on = all.iter().any(|suspects| !suspects.kept.is_full());
    Ok((all, goes_on))
}

/// What a test found, and hashes of values whose rows are to be shown. Nothing for tests that are not about rows.
async fn finish(
    job: &CheckJob,
    test: &DataTest,
    at: usize,
    tally: Tally,
    rows: u64,
    bounds: &Bounds,
) -> Result<Option<(Found, HashSet<u128>)>> {
    let wanted = wanted(&test.rule);
    let plain = |failed, found| Found { failed, found, wanted: wanted.clone(), of: None, failing: Vec::new() };
    let rows_told = Some(rows.to_string());
    let most = bounds.failing_max;
    let none = HashSet::new;
    Ok(Some(match &test.rule {
        Rule::NotNull(_) | Rule::AcceptedValues(_) | Rule::Range(_) | Rule::Regex(_) => {
            let (failed, failing) = tally.broken();
            (Found { failing, ..plain(failed, None) }, none())
        }
        Rule::Freshness { .. } => {
            let (is_stale, latest) = tally.staleness();
            (plain(u64::from(is_stale), Some(latest.unwrap_or_else(|| "no value".to_owned()))), none())
        }
        Rule::Unique(_) => {
            let Some(keys) = tally.into_keys() else { return Ok(None) };
            let (failed, hashes) = blocking(move || keys::duplicates(keys.sorted()?, most)).await?;
            (plain(failed, None), hashes)
        }
        Rule::Relationships { to, field, .. } => {
            let Some(keys) = tally.into_keys() else { return Ok(None) };
            let known = known(job, &to.connection, &to.stream, field, bounds).await.at(to.to_string())?;
            let (failed, hashes) = blocking(move || keys::missing(keys.sorted()?, known, most)).await?;
            (plain(failed, None), hashes)
        }
        Rule::RowCount { min, max, equals } => {
            let (low, high, of) = match equals {
                Some(other) => {
                    let count = count(job, &other.connection, &other.stream, bounds).await.at(other.to_string())?;
                    (count, count, Some(count))
                }
                None => (min.unwrap_or(0), max.unwrap_or(u64::MAX), None),
            };
            let failed = low.saturating_sub(rows).max(rows.saturating_sub(high));
            let wanted = match of {
                Some(count) => format!("{count}, {wanted}"),
                None => wanted,
            };
            (Found { failed, found: rows_told, wanted, of, failing: Vec::new() }, none())
        }
        Rule::Volume { drop, rise, .. } => {
            let before = job.history.get(&at).map_or(&[][..], Vec::as_slice);
            (volume(rows, before, *drop, *rise), none())
        }
        Rule::Sql(_) => return Ok(None),
    }))
}

/// How far the number of rows is from the median of the last times.
fn volume(rows: u64, before: &[u64], drop: Option<Share>, rise: Option<Share>) -> Found {
    let plain = |failed, wanted| Found { failed, found: Some(rows.to_string()), wanted, of: None, failing: Vec::new() };
    let mut sorted = before.to_vec();
    sorted.sort_unstable();
    let Some(median) = sorted.get(sorted.len() / 2).copied() else {
        return plain(0, "anything the first time".to_owned());
    };
    let low = drop.map(|drop| median - drop.of(median).min(median));
    let high = rise.map(|rise| median.saturating_add(rise.of(median)));
    let failed = low.unwrap_or(0).saturating_sub(rows).max(rows.saturating_sub(high.unwrap_or(u64::MAX)));
    let ends = match (low, high) {
        (Some(low), Some(high)) => format!("{low} to {high}"),
        (Some(low), None) => format!("at least {low}"),
        (None, Some(high)) => format!("at most {high}"),
        (None, None) => "any number".to_owned(),
    };
    plain(
        failed,
        format!("{ends} after {median} in the median of {}", levada_core::text::counted(before.len() as u64, "run")),
    )
}

/// What a rule wants, in words.
fn wanted(rule: &Rule) -> String {
    let columns = rule.columns().join(", ");
    let ends = |min: Option<String>, max: Option<String>| match (min, max) {
        (Some(min), Some(max)) => format!("{min} to {max}"),
        (Some(min), None) => format!("at least {min}"),
        (None, Some(max)) => format!("at most {max}"),
        (None, None) => "anything".to_owned(),
    };
    match rule {
        Rule::NotNull(_) => format!("a value in {columns}"),
        Rule::Unique(_) => format!("other values of {columns} in every row"),
        Rule::AcceptedValues(rule) => format!("{columns} among {}", short(&rule.values.join(", "))),
        Rule::Range(rule) => format!("{columns} of {}", ends(rule.min.clone(), rule.max.clone())),
        Rule::Regex(rule) => format!("{columns} like {}", short(&rule.pattern)),
        Rule::Relationships { to, field, .. } => format!("{columns} among the values of {field} in {to}"),
        Rule::RowCount { equals: Some(other), .. } => format!("as many as in {other}"),
        Rule::RowCount { min, max, .. } => ends(min.map(|n| n.to_string()), max.map(|n| n.to_string())),
        Rule::Freshness { within, .. } => {
            format!("{columns} no older than {}", levada_core::text::seconds(within.as_secs_f64()))
        }
        Rule::Volume { .. } => "about as many as before".to_owned(),
        Rule::Sql(_) => "no rows of the query".to_owned(),
    }
}

fn short(text: &str) -> String {
    const CHARS: usize = 100;
    let cut = if text.chars().nth(CHARS).is_some() { ".." } else { "" };
    text.chars().take(CHARS).chain(cut.chars()).collect()
}

/// The rows of a query, which are what is wrong.
async fn query(connection: Arc<dyn Connection>, bounds: &Bounds) -> Result<Found> {
    let stream = Stream::find(connection, QUERY_STREAM).await?;
    let columns = stream.all();
    let (kept, failed) = stream
        .each(&columns, bounds.batch_bytes, bounds.kept(), |mut kept: Kept, rows: &RecordBatch| {
            (0..rows.num_rows()).for_each(|row| kept.push(rows, row));
            Ok((kept, true))
        })
        .await?;
    Ok(Found { failed, found: None, wanted: "no rows of the query".to_owned(), of: None, failing: kept.rows })
}

/// The values that there are in a column of another dataset.
async fn known(job: &CheckJob, name: &str, stream: &str, field: &str, bounds: &Bounds) -> Result<Sorted> {
    let stream = Stream::find(connection(job, name)?, stream).await?;
    let columns = stream.only(field)?;
    let hasher = probe::Hasher::of(&columns, &[field])?;
    let add = move |mut keys: Keys, rows: &RecordBatch| {
        hasher.hashes(rows).try_for_each(|(_, hash)| keys.add(hash))?;
        Ok((keys, true))
    };
    let (keys, _) = stream.each(&columns, bounds.batch_bytes, bounds.keys(true), add).await?;
    blocking(move || keys.sorted()).await
}

/// How many rows another dataset has.
async fn count(job: &CheckJob, name: &str, stream: &str, bounds: &Bounds) -> Result<u64> {
    let stream = Stream::find(connection(job, name)?, stream).await?;
    let columns: SchemaRef = stream.columns(std::iter::empty())?;
    let ((), rows) = stream.each(&columns, bounds.batch_bytes, (), |(), _: &RecordBatch| Ok(((), true))).await?;
    Ok(rows)
}

fn connection(job: &CheckJob, name: &str) -> Result<Arc<dyn Connection>> {
    let missing = || Error::new(ErrorKind::Config, format!("there is no connection `{name}`"));
    job.connections.get(name).cloned().ok_or_else(missing)
}

/// Work that takes its time, or waits for the disk.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let ended = tokio::task::spawn_blocking(work).await;
    ended.unwrap_or_else(|error| Err(Error::new(ErrorKind::Internal, format!("a test ended early: {error}"))))
}
