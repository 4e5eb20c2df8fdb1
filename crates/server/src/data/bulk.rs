//! Many rows at once: up to 1,000 as JSON, or any number as a stream of CSV or of JSON lines.

use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes};
use axum::http::StatusCode;
use axum::response::Response;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use levada_core::config::Collection;
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::rows::{Action, Batch, Cell, Change, Effect, Loaded, Mode, Outcome, Row, RowError, Table};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Ask;
use super::csv::{self, Field};
use super::rows::{answer, unknown};
use crate::problem::Problem;

/// The media type of JSON lines.
pub(super) const LINES: &str = "application/x-ndjson";
/// Another name of it.
const LINES_TOO: &str = "application/jsonl";
/// Most rows of a body of JSON, and of a batch of a stream.
const ROWS_MAX: usize = 1_000;
/// Most bytes of a body of JSON.
const JSON_BYTES_MAX: usize = 16 << 20;
/// How long a body may stand still: whoever reads it holds a transaction of the database open.
const STILL_MAX: Duration = Duration::from_secs(30);
/// Most bytes of a line, and of a batch of a stream but for its last row.
const BYTES_MAX: usize = 4 << 20;

/// Rows as JSON.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rows {
    rows: Vec<Row>,
    #[serde(default)]
    mode: Kept,
    upsert: Option<String>,
}

/// What is kept if some rows cannot be written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kept {
    #[default]
    All,
    Each,
}

/// Adds rows.
pub(super) async fn add(ask: Ask, at: usize) -> Result<Response, Problem> {
    let body = ask.body();
    match ask.media_type().as_str() {
        "application/json" => of_json(&ask, at, body).await,
        csv::MEDIA_TYPE => streamed(&ask, at, body, true).await,
        LINES | LINES_TOO => streamed(&ask, at, body, false).await,
        _ => Err(Problem::MediaType(format!("`application/json`, `{}` or `{LINES}`", csv::MEDIA_TYPE))),
    }
}

async fn of_json(ask: &Ask, at: usize, body: Body) -> Result<Response, Problem> {
    if let Some((name, _)) = ask.query().first() {
        return Err(unknown(name, &[]));
    }
    let bytes = tokio::time::timeout(ask.app.limits.time_max, axum::body::to_bytes(body, JSON_BYTES_MAX)).await;
    let bytes = bytes.map_err(|_| Problem::TimedOut)?.map_err(|_| Problem::TooLarge(JSON_BYTES_MAX))?;
    let wrong = |error: serde_json::Error| Problem::Malformed(format!("The body is not a list of rows: {error}."));
    let Rows { rows: given, mode, upsert } = serde_json::from_slice(&bytes).map_err(wrong)?;
    drop(bytes);
    if !(1..=ROWS_MAX).contains(&given.len()) {
        return Err(Problem::Malformed(format!(
            "`rows` has 1 to {ROWS_MAX} rows; a stream of CSV or JSON lines may have more."
        )));
    }
    let (collection, tables, rows) = ask.collection(at).await?;
    let changes = given.into_iter().map(Change::from).collect();
    let batch = Batch { action: action(upsert), mode: mode.into(), changes };
    let written = ask.done(rows.write(tables, &collection.table.name, batch).await)?;
    let mut loaded = Loaded { committed: written.committed, ..Loaded::default() };
    loaded.add(&written);
    if !written.committed {
        return Err(refused(loaded));
    }
    let outcome = |(row, outcome): (usize, Outcome)| match outcome {
        Outcome::Done { key, effect } => json!({ "row": row, "key": key, "effect": effect }),
        Outcome::Failed(errors) => json!({ "row": row, "errors": errors }),
        Outcome::Left => json!({ "row": row }),
    };
    let has_failed = loaded.failed > 0;
    let inserted_only = written.outcomes.iter().all(|o| matches!(o, Outcome::Done { effect: Effect::Inserted, .. }));
    let items: Vec<Value> = written.outcomes.into_iter().enumerate().map(outcome).collect();
    let mut told = told(&loaded);
    told["items"] = Value::Array(items);
    let status = if inserted_only && !has_failed { StatusCode::CREATED } else { StatusCode::OK };
    Ok(answer(status, &told))
}

async fn streamed(ask: &Ask, at: usize, body: Body, is_csv: bool) -> Result<Response, Problem> {
    let (mut mode, mut upsert) = (Mode::All, None);
    for (name, value) in ask.query() {
        match (name.as_str(), value.as_str()) {
            ("mode", "all") => mode = Mode::All,
            ("mode", "each") => mode = Mode::Each,
            ("mode", _) => return Err(Problem::Malformed("`mode` is `all` or `each`.".to_owned())),
            ("upsert", _) => upsert = Some(value),
            _ => return Err(unknown(&name, &["mode", "upsert"])),
        }
    }
    let (collection, tables, rows) = ask.collection(at).await?;
    let batches = batches(collection, body, is_csv);
    let loaded = rows.load(tables, &collection.table.name, action(upsert), mode, batches).await;
    let loaded = ask.done(loaded)?;
    if !loaded.committed {
        return Err(refused(loaded));
    }
    let mut body = told(&loaded);
    let failure = |(row, errors): &(u64, Vec<RowError>)| json!({ "row": row, "errors": errors });
    body["failures"] = loaded.failures.iter().map(failure).collect();
    Ok(answer(StatusCode::OK, &body))
}

fn action(upsert: Option<String>) -> Action {
    upsert.map_or(Action::Insert, |by| Action::Upsert { by })
}

fn told(loaded: &Loaded) -> Value {
    json!({
        "rows": loaded.rows,
        "inserted": loaded.inserted,
        "changed": loaded.changed,
        "failed": loaded.failed,
    })
}

fn refused(loaded: Loaded) -> Problem {
    let failures = loaded.failures.into_iter();
    Problem::Rows(failures.flat_map(|(row, errors)| errors.into_iter().map(move |error| (Some(row), error))).collect())
}

impl From<Kept> for Mode {
    fn from(kept: Kept) -> Self {
        match kept {
            Kept::All => Self::All,
            Kept::Each => Self::Each,
        }
    }
}

/// Rows of a body that is read piece by piece.
struct Pieces {
    body: BodyDataStream,
    parser: Parser,
    ready: Vec<Row>,
    is_done: bool,
    /// How long the body may stand still.
    still_max: Duration,
}

enum Parser {
    Csv { reader: csv::Reader, names: Option<Vec<String>>, table: Table },
    Lines { line: Vec<u8>, number: u64 },
}

/// Batches of the rows of a body.
fn batches(collection: &Collection, body: Body, is_csv: bool) -> BoxStream<'static, Result<Vec<Change>>> {
    let parser = match is_csv {
        true => Parser::Csv { reader: csv::Reader::default(), names: None, table: collection.table.clone() },
        false => Parser::Lines { line: Vec::new(), number: 0 },
    };
    let pieces = Pieces::new(body, parser, STILL_MAX);
    stream::unfold(Some(pieces), async |pieces| {
        let mut pieces = pieces?;
        match pieces.batch().await {
            Ok(rows) if rows.is_empty() => None,
            Ok(rows) => Some((Ok(rows.into_iter().map(Change::from).collect()), Some(pieces))),
            Err(error) => Some((Err(error), None)),
        }
    })
    .boxed()
}

impl Pieces {
    fn new(body: Body, parser: Parser, still_max: Duration) -> Self {
        Self { body: body.into_data_stream(), parser, ready: Vec::new(), is_done: false, still_max }
    }

    async fn batch(&mut self) -> Result<Vec<Row>> {
        let mut bytes = 0;
        while !self.is_done && self.ready.len() < ROWS_MAX && bytes < BYTES_MAX {
            let piece = tokio::time::timeout(self.still_max, self.body.next()).await;
            match piece.map_err(|_| broken("the body stood still for too long"))? {
                Some(piece) => {
                    let piece = piece.map_err(|_| broken("the request ended before its body"))?;
                    bytes += piece.len();
                    self.take(&piece)?;
                }
                None => {
                    self.is_done = true;
                    self.parser.finish(&mut self.ready)?;
                }
            }
        }
        let rest = self.ready.split_off(self.ready.len().min(ROWS_MAX));
        Ok(std::mem::replace(&mut self.ready, rest))
    }

    fn take(&mut self, piece: &Bytes) -> Result<()> {
        self.parser.feed(piece, &mut self.ready)
    }
}

impl Parser {
    fn feed(&mut self, piece: &[u8], rows: &mut Vec<Row>) -> Result<()> {
        match self {
            Self::Csv { reader, names, table } => {
                let mut wrong = None;
                let fed = reader.feed(piece, |line| named(names, table, line, rows, &mut wrong));
                fed.map_err(|problem| broken(&problem.details().detail))?;
                wrong.map_or(Ok(()), Err)
            }
            Self::Lines { line, number } => {
                let mut rest = piece;
                while let Some(at) = rest.iter().position(|byte| *byte == b'\n') {
                    line.extend_from_slice(&rest[..at]);
                    rest = &rest[at + 1..];
                    *number += 1;
                    rows.extend(json_line(line, *number)?);
                    line.clear();
                }
                line.extend_from_slice(rest);
                if line.len() > BYTES_MAX {
                    return Err(broken(&format!("line {} of the file is too long", *number + 1)));
                }
                Ok(())
            }
        }
    }

    fn finish(&mut self, rows: &mut Vec<Row>) -> Result<()> {
        match self {
            Self::Csv { reader, names, table } => {
                let mut wrong = None;
                let fed = reader.finish(|line| named(names, table, line, rows, &mut wrong));
                fed.map_err(|problem| broken(&problem.details().detail))?;
                wrong.map_or(Ok(()), Err)
            }
            Self::Lines { line, number } => {
                rows.extend(json_line(line, *number + 1)?);
                Ok(())
            }
        }
    }
}

fn json_line(line: &[u8], number: u64) -> Result<Option<Row>> {
    if line.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    serde_json::from_slice(line).map(Some).map_err(|error| {
        let error = error.to_string();
        let error = error.split(" at line ").next().unwrap_or_default();
        broken(&format!("line {number} of the file is not a JSON object: {error}"))
    })
}

/// A line as a row; the first one has the names.
fn named(
    names: &mut Option<Vec<String>>,
    table: &Table,
    line: Vec<Field>,
    rows: &mut Vec<Row>,
    wrong: &mut Option<Error>,
) {
    let Some(names) = names else {
        let given = line.into_iter().map(Option::unwrap_or_default);
        // some programs start a file with a mark of its encoding
        *names = Some(given.map(|name| name.trim_start_matches('\u{feff}').to_owned()).collect());
        return;
    };
    if line.len() != names.len() {
        let message = format!("a line of the file has {} fields, and its first line {}", line.len(), names.len());
        wrong.get_or_insert_with(|| broken(&message));
        return;
    }
    let value = |name: &str, field: Field| {
        let Some(text) = field else { return Value::Null };
        let kind = table.column(name).map(|column| column.kind);
        // what is no value of the column is told with all that is wrong with the row
        kind.and_then(|kind| Cell::from_text(kind, &text).ok()).map_or(Value::from(text), |cell| cell.to_json())
    };
    // what a line does not give is left out, so that it has its default
    let given = names.iter().zip(line).filter(|(_, field)| field.is_some());
    rows.push(given.map(|(name, field)| (name.clone(), value(name, field))).collect());
}

/// That a body cannot be read; with `mode=each`, rows before were kept.
fn broken(what: &str) -> Error {
    Error::new(ErrorKind::Usage, what.trim_end_matches('.'))
        .advise("Correct the file. Where rows are kept one by one, those of the batches before are kept.")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn a_body_that_stands_still_is_given_up() {
        let rows = stream::iter([Ok::<_, std::io::Error>(Bytes::from("{\"name\":\"a\"}\n"))]);
        let body = Body::from_stream(rows.chain(stream::pending()));
        let lines = Parser::Lines { line: Vec::new(), number: 0 };
        let error = Pieces::new(body, lines, Duration::from_millis(10)).batch().await.unwrap_err();
        assert!(error.message().contains("stood still"), "{error}");
    }
}
