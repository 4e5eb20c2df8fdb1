//! What is behind a connection: whether it works, step by step; its streams; the first rows of one. Reaches out to other
//! systems, so that every operation has a limit of time.

use std::time::{Duration, Instant};

use levada_core::connector::CheckStep;
use levada_core::error::{Context as _, Error, ErrorKind, Result};
use levada_core::redact::Redactor;
use levada_core::source::StreamInfo;
use levada_core::text;
use levada_engine::browse::{self, Column, Stream};
use levada_engine::connections::Opened;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::connections::given;
use super::{limit, matches};
use crate::connections::Written;
use crate::problem::{Mistake, Problem};
use crate::route::{Answer, Call, Page};
use crate::sort::{Rank, Sort, orders};

/// How long a test may take.
const TEST_TIME: Duration = Duration::from_secs(15);
/// How long looking at streams or rows may take.
pub(super) const BROWSE_TIME: Duration = Duration::from_secs(25);
/// Rows of a preview at most.
const ROWS_MAX: u32 = 50;
/// Characters that are shown of one value.
pub(super) const VALUE_CHARS_MAX: usize = 2_000;

/// A connection.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct One {
    /// Its name.
    pub connection: String,
}

/// A connection that may not be saved.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Unsaved {
    /// The saved connection whose secrets stand as `***` in the settings.
    pub connection: Option<String>,
    /// The connector, with `settings`.
    pub connector: Option<String>,
    /// Its settings.
    pub settings: Option<Map<String, Value>>,
    /// A URL or a path, in place of connector and settings.
    pub url: Option<String>,
}

orders! {
    /// What streams are in order of.
    StreamOrder(false) { Name = "name", Rows = "rows" }
}

/// Which streams to list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Streams {
    /// The connection.
    pub connection: String,
    /// With this text in the name.
    pub search: Option<String>,
    /// A name or a wildcard such as `public.dim_*`, which the other system looks up; for files a path.
    pub stream: Option<String>,
    /// The order; `-` before it is the other way round.
    #[serde(default)]
    pub sort: Sort<StreamOrder>,
    /// The `next` of the page before.
    pub after: Option<String>,
    /// How many; 50 unless given, 1,000 at most.
    pub limit: Option<u32>,
}

/// Which rows to look at.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rows {
    /// The connection.
    pub connection: String,
    /// The stream; not needed where there is only one.
    pub stream: Option<String>,
    /// How many; 50 at most, and unless given.
    pub limit: Option<u32>,
}

/// What came of a test.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Tested {
    /// Whether every step succeeded.
    pub ok: bool,
    /// Where the connection leads, without credentials.
    pub address: String,
    /// The steps, up to the first that failed.
    pub steps: Vec<Step>,
}

/// One step of a test.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// What was tried: `name`, `tcp`, `tls`, `auth`, `read` or `write`.
    pub step: String,
    /// How long it took, in milliseconds.
    pub ms: f64,
    /// What was found.
    pub found: Option<String>,
    /// Why it failed.
    pub error: Option<Mistake>,
}

/// The first rows of a stream.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Preview {
    /// The stream.
    pub stream: String,
    /// Its columns.
    pub columns: Vec<Column>,
    /// The rows, each an object of texts and nulls; long texts are cut, and end with `…`.
    pub rows: Vec<Map<String, Value>>,
    /// How many of the rows that were read could not be represented.
    pub rejected: u64,
}

/// Tries a connection of the project, step by step, and keeps what came of it.
pub async fn test(call: Call<One>) -> Result<Answer<Tested>, Problem> {
    let (opened, redactor) = call.app.open_connection(&call.input.connection).await?;
    let tested = tested(opened, &redactor).await;
    let outcome = serde_json::to_string(&tested).map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?;
    call.app.store.set_connection_test(&call.input.connection, Some(outcome), call.now()).await?;
    Ok(tested.into())
}

/// Tries settings that are not saved, step by step.
pub async fn test_unsaved(call: Call<Unsaved>) -> Result<Answer<Tested>, Problem> {
    let Unsaved { connection, connector, settings, url } = call.input;
    let written = Written::new(&call.app.registry, given(connector, settings, url)?);
    let old = match &connection {
        Some(name) => match call.app.connection(name).await {
            Ok((_, found)) => Some(Written::new(&call.app.registry, found.written()?)),
            // it may be about to be made
            Err(Problem::NotFound(_)) => None,
            Err(problem) => return Err(problem),
        },
        None => None,
    };
    let written = written.restored(old.as_ref())?;
    let name = connection.unwrap_or_else(|| "new".to_owned());
    let (opened, redactor) = call.app.open_given(&name, &written).await?;
    Ok(tested(opened, &redactor).await.into())
}

/// The streams behind a connection, in the order of their names.
pub async fn streams(call: Call<Streams>) -> Result<Answer<Page<Stream>>, Problem> {
    let Streams { connection, search, stream, sort, after, limit: asked } = call.input;
    let limit = limit(asked)?;
    let (opened, redactor) = call.app.open_connection(&connection).await?;
    let found = async {
        let source = opened.connection.source()?;
        let found = source.discover(stream.as_deref()).await?;
        Ok((source, found))
    };
    let (source, found) = in_time(BROWSE_TIME, &connection, found).await.map_err(|error| redactor.error(error))?;
    let wanted = found.iter().filter(|info| matches(search.as_deref(), [info.name.as_str()]));
    let place = |order, info: &&StreamInfo| {
        let rank = match order {
            StreamOrder::Name => None,
            StreamOrder::Rows => info.rows_estimate.map(Rank::from),
        };
        (rank, info.name.clone())
    };
    let Page { items, next } = sort.page(wanted, place, after.as_deref(), limit)?;
    Ok(Page { items: items.into_iter().map(|info| Stream::new(source.as_ref(), info)).collect(), next }.into())
}

/// The first rows of a stream.
pub async fn preview(call: Call<Rows>) -> Result<Answer<Preview>, Problem> {
    let Rows { connection, stream, limit } = call.input;
    let limit = limit.unwrap_or(ROWS_MAX);
    if limit == 0 || limit > ROWS_MAX {
        return Err(Problem::Malformed(format!("`limit` is between 1 and {ROWS_MAX}.")));
    }
    let (opened, redactor) = call.app.open_connection(&connection).await?;
    let found = browse::preview(opened.connection, stream.as_deref(), limit as usize);
    let found = in_time(BROWSE_TIME, &connection, found).await.map_err(|error| redactor.error(error))?;
    let columns = found.stream.schema.fields().iter().map(|field| Column::from(field.as_ref())).collect();
    let rows = found.batches.iter().flat_map(|batch| {
        let batch = batch.clone();
        (0..batch.num_rows()).map(move |row| {
            let fields = batch.schema_ref().fields().iter().map(|field| field.name().clone());
            let values =
                batch.columns().iter().map(|column| text::value(column.as_ref(), row).map_or(Value::Null, cut));
            fields.zip(values).collect()
        })
    });
    let (rows, rejected) = (rows.collect(), found.rejected as u64);
    Ok(Preview { stream: found.stream.name, columns, rows, rejected }.into())
}

impl From<CheckStep> for Step {
    fn from(step: CheckStep) -> Self {
        let (found, error) = match step.outcome {
            Ok(found) => (Some(found), None),
            Err(error) => (None, Some(Mistake::of(&error))),
        };
        Self { step: step.step.to_owned(), ms: step.took.as_secs_f64() * 1e3, found, error }
    }
}

async fn tested(opened: Opened, redactor: &Redactor) -> Tested {
    let started = Instant::now();
    let steps = tokio::time::timeout(TEST_TIME, opened.connection.check()).await;
    let steps = steps
        .unwrap_or_else(|_| vec![CheckStep { step: "time", took: started.elapsed(), outcome: Err(late(TEST_TIME)) }]);
    let clean = |step: CheckStep| {
        let outcome = step.outcome.map(|found| redactor.text(&found).into_owned());
        Step::from(CheckStep { outcome: outcome.map_err(|error| redactor.error(error)), ..step })
    };
    let steps: Vec<Step> = steps.into_iter().map(clean).collect();
    Tested { ok: steps.iter().all(|step| step.error.is_none()), address: opened.connection.address(), steps }
}

/// What another system answers, unless it takes too long.
pub(super) async fn in_time<T>(limit: Duration, connection: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
    let done = tokio::time::timeout(limit, work).await;
    done.unwrap_or_else(|_| Err(late(limit))).at(format!("connection `{connection}`"))
}

fn late(limit: Duration) -> Error {
    Error::new(ErrorKind::Busy, format!("the other system did not answer within {} s", limit.as_secs()))
        .advise("Try again later, or ask for less at once.")
}

fn cut(text: String) -> Value {
    match text.char_indices().nth(VALUE_CHARS_MAX) {
        Some((end, _)) => Value::String(format!("{}…", &text[..end])),
        None => Value::String(text),
    }
}
