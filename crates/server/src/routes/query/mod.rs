//! Queries over the streams of connections, as somebody asks them: answered in rows with limits, or whole as a file. They are
//! confined like those of tasks, and end when nobody waits for them any more.

mod file;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use axum::http::StatusCode;
use axum::http::header::ACCEPT;
use axum::response::Response;
use levada_core::config::ReportFormat;
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::redact::Redactor;
use levada_core::text;
use levada_engine::browse::{self, Column, Rows};
use levada_engine::connections::Opened;
use levada_engine::queries::{self, Asked};
use schemars::{JsonSchema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Nothing;
use super::browse::VALUE_CHARS_MAX;
use crate::problem::Problem;
use crate::queries::{QueryLimits, Told};
use crate::route::{Answer, Call, Download, Output, Shape};
use crate::{App, identity};

/// Rows of an answer that nobody said the length of.
const ROWS: usize = 1_000;
/// Characters of a query that the audit log keeps.
const AUDITED_CHARS: usize = 1_000;
/// Values that an answer has at most; one row has all of its own.
const CELLS_MAX: usize = 1_000_000;
/// Digits of a decimal number that a floating-point one always keeps.
const DIGITS_MAX: usize = 15;

/// A query.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// One statement that reads; streams are `connection.stream`.
    pub sql: String,
    /// The values of its parameters, by their names without `$`: texts, numbers, booleans or null.
    #[serde(default)]
    pub params: BTreeMap<String, Value>,
    /// How many rows; 1,000 unless given. Not for files, which are whole.
    pub limit: Option<usize>,
}

/// The answer to a query.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct QueryAnswer {
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its rows, each a list of texts and nulls in the order of the columns; long texts are cut, and end with `…`.
    pub rows: Vec<Vec<Option<String>>>,
    /// Why there are more rows than these; null if these are all.
    pub cut: Option<Cut>,
    /// How many texts were cut.
    pub shortened: u64,
    /// How long it took, in milliseconds.
    pub ms: f64,
}

/// Why an answer ends before its last row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "QueryCut")]
pub enum Cut {
    /// It has as many rows as were asked for.
    Rows,
    /// It has as many bytes as an answer may have.
    Bytes,
}

/// An answer in the form that was asked for.
pub enum Found {
    /// Rows.
    Rows(Answer<QueryAnswer>),
    /// A file.
    File(Download),
}

impl Output for Found {
    fn shape(schemas: &mut SchemaGenerator) -> Shape {
        let mut content = Answer::<QueryAnswer>::shape(schemas).content;
        content.extend([("text/csv", None), ("application/vnd.apache.parquet", None)]);
        Shape { status: StatusCode::OK, content, etag: false }
    }

    fn respond(self) -> Response {
        match self {
            Self::Rows(answer) => answer.respond(),
            Self::File(download) => download.respond(),
        }
    }
}

/// What queries may take.
pub async fn limits(call: Call<Nothing>) -> Result<Answer<Told>, Problem> {
    let limits = call.app.limits.queries;
    Ok(Told {
        at_once: limits.at_once,
        time_max_s: limits.time_max.as_secs(),
        memory_bytes: limits.memory_bytes,
        rows_max: limits.rows_max,
        bytes_max: limits.bytes_max,
        value_chars_max: VALUE_CHARS_MAX,
        file_rows_max: limits.file_rows_max,
        file_bytes_max: limits.file_bytes_max,
    }
    .into())
}

/// The answer to a query. Whoever goes away ends it: its work is part of this future.
pub async fn run(call: Call<Ask>) -> Result<Found, Problem> {
    let begun = Instant::now();
    let (format, address) = (format(call.header(ACCEPT.as_str())), call.peer().map(|peer| peer.address));
    let Call { app, caller, input, .. } = call;
    let limits = app.limits.queries;
    let rows_max = rows_max(input.limit, format, limits)?;
    check_params(&input.params)?;
    let asked = Asked { sql: &input.sql, params: &input.params, memory_bytes: limits.memory_bytes };
    let reads = known(&app, asked).await?;
    // made before what works in it, and gone after that
    let room = app.queries.room(&app.data_dir, limits.time_max).await?;
    let (opened, redactors) = opened(&app, &reads).await?;
    // written down before anything is read
    let (told, object) = (told(asked.sql, &redactors), object(&reads));
    identity::audit(&app, &caller, address, "runQuery", &object, ("asked", Some(told))).await?;
    let result = queries::open(&app.registry, asked, room.folder.join("spill"), |name| opened_of(&opened, name))?;
    let work = async {
        let mut rows = browse::rows(result.connection, None).await?;
        match format {
            None => answer(&mut rows, rows_max, limits, begun).await.map(Found::Rows),
            Some(format) => file::written(&mut rows, format, limits, &room).await.map(Found::File),
        }
    };
    let done = tokio::time::timeout(limits.time_max, work).await.unwrap_or_else(|_| Err(late(limits.time_max)));
    done.map_err(|error| placed(redactors.iter().fold(error, |error, redactor| redactor.error(error))).into())
}

/// The form that a client likes best; none for rows.
fn format(accept: Option<&str>) -> Option<ReportFormat> {
    let wanted = accept.unwrap_or_default().split(',').map(|part| part.split(';').next().unwrap_or_default().trim());
    for wanted in wanted {
        match wanted {
            "text/csv" => return Some(ReportFormat::Csv),
            "application/vnd.apache.parquet" => return Some(ReportFormat::Parquet),
            "application/json" | "*/*" => return None,
            _ => {}
        }
    }
    None
}

fn rows_max(asked: Option<usize>, format: Option<ReportFormat>, limits: QueryLimits) -> Result<usize, Problem> {
    match (asked, format) {
        (Some(_), Some(_)) => {
            Err(Problem::Malformed("A file is whole and takes no `limit`: write LIMIT into the query.".to_owned()))
        }
        (None, _) => Ok(ROWS.min(limits.rows_max)),
        (Some(rows), None) if rows > 0 && rows <= limits.rows_max => Ok(rows),
        (Some(_), None) => Err(Problem::Malformed(format!("`limit` is between 1 and {}.", limits.rows_max))),
    }
}

/// The connections that a query reads, all of which there are.
async fn known(app: &App, asked: Asked<'_>) -> Result<Vec<String>, Problem> {
    let (_, file) = app.project_with_file().await?;
    let known = file.iter().flat_map(|file| &file.connections).map(|connection| connection.name.as_str());
    let known: Vec<&str> = known.collect();
    match queries::check(&app.registry, asked, &known) {
        Ok(reads) => Ok(reads.into_iter().collect()),
        Err(errors) => Err(Problem::Failed(errors.into_iter().map(placed).collect())),
    }
}

/// Opens connections. Answers also what keeps their secrets out of messages.
async fn opened(app: &App, names: &[String]) -> Result<(Vec<Opened>, Vec<Redactor>), Problem> {
    let (mut all, mut redactors) = (Vec::with_capacity(names.len()), Vec::with_capacity(names.len()));
    for name in names {
        let (opened, redactor) = app.open_connection(name).await?;
        all.push(opened);
        redactors.push(redactor);
    }
    Ok((all, redactors))
}

fn opened_of(all: &[Opened], name: &str) -> Result<Opened, Vec<Error>> {
    let found = all.iter().find(|opened| opened.name == name);
    let found = found.ok_or_else(|| vec![Error::new(ErrorKind::Config, format!("there is no connection `{name}`"))])?;
    let Opened { name, connection, namespaces } = found;
    Ok(Opened { name: name.clone(), connection: connection.clone(), namespaces: *namespaces })
}

/// What the audit log keeps of a query; values of its parameters are nobody's business.
fn told(sql: &str, redactors: &[Redactor]) -> String {
    // of a secret that is cut nobody would know that it is one
    let sql = redactors.iter().fold(sql.to_owned(), |sql, redactor| redactor.text(&sql).into_owned());
    let sql = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    match sql.char_indices().nth(AUDITED_CHARS) {
        Some((end, _)) => format!("{} ..", &sql[..end]),
        None => sql,
    }
}

/// Refuses numbers that JSON may have rounded on their way: floating-point numbers tell 15 digits.
fn check_params(params: &BTreeMap<String, Value>) -> Result<()> {
    for (name, value) in params.iter().filter(|(_, value)| value.is_f64()) {
        let text = value.to_string();
        let digits: String =
            text.split(['e', 'E']).next().unwrap_or_default().chars().filter(char::is_ascii_digit).collect();
        let told = digits.trim_matches('0').len();
        if told > DIGITS_MAX || value.as_f64().is_some_and(|number| number.abs() >= 1e15) {
            return Err(Error::new(ErrorKind::Config, "the number has more digits than JSON keeps for sure")
                .at(format!("params.{name}"))
                .advise("Give it as text, and write for instance `CAST($name AS DECIMAL(20,2))`."));
        }
    }
    Ok(())
}

/// What a query is asked of, as the audit log names things.
fn object(reads: &[String]) -> String {
    reads.iter().map(|name| format!("connection={name}")).collect::<Vec<_>>().join(" ")
}

/// The first rows, as texts.
async fn answer(rows: &mut Rows, rows_max: usize, limits: QueryLimits, begun: Instant) -> Result<Answer<QueryAnswer>> {
    let columns = rows.stream.schema.fields().iter().map(|field| Column::from(field.as_ref())).collect();
    let mut found = QueryAnswer { columns, rows: Vec::new(), cut: None, shortened: 0, ms: 0.0 };
    let (mut bytes, mut cells) = (0, 0);
    'all: while let Some(batch) = next(rows).await? {
        for row in 0..batch.num_rows() {
            if found.rows.len() == rows_max {
                found.cut = Some(Cut::Rows);
                break 'all;
            }
            let mut shortened = 0;
            let values = batch.columns().iter().map(|column| text::value(column.as_ref(), row));
            let values: Vec<_> = values.map(|value| value.map(|text| short(text, &mut shortened))).collect();
            // what JSON adds: quotes and a comma, or `null`
            bytes += values.iter().map(|value| value.as_ref().map_or(5, |text| text.len() + 3)).sum::<usize>();
            cells += values.len();
            // whatever one row has, it is shown
            if (bytes > limits.bytes_max || cells > CELLS_MAX) && !found.rows.is_empty() {
                found.cut = Some(Cut::Bytes);
                break 'all;
            }
            found.shortened += shortened;
            found.rows.push(values);
        }
    }
    found.ms = begun.elapsed().as_secs_f64() * 1e3;
    Ok(found.into())
}

/// The next rows of a result, all of which can be represented.
async fn next(rows: &mut Rows) -> Result<Option<RecordBatch>> {
    let batch = rows.next().await?;
    match rows.rejected {
        0 => Ok(batch),
        _ => Err(Error::new(ErrorKind::Data, "rows of the result cannot be represented")),
    }
}

fn short(text: String, shortened: &mut u64) -> String {
    match text.char_indices().nth(VALUE_CHARS_MAX) {
        Some((end, _)) => {
            *shortened += 1;
            format!("{}…", &text[..end])
        }
        None => text,
    }
}

fn late(limit: Duration) -> Error {
    Error::new(ErrorKind::Busy, format!("the query took longer than {} s", limit.as_secs_f64()))
        .advise("Ask for less at once, or load the result with a `sql` task, which has no such limit.")
}

/// An error with the line and the column of the query as its place, where it names them.
fn placed(error: Error) -> Error {
    let place = error.message().split_once(": ").filter(|(place, _)| is_place(place));
    let Some((place, message)) = place else { return error };
    let new = Error::new(error.kind(), message).advise(error.advice()).at(place);
    error.place().iter().rev().fold(new, |new, place| new.at(place.clone()))
}

/// Whether a text is a place such as `line 2, column 3`.
fn is_place(text: &str) -> bool {
    let numbers = text.strip_prefix("line ").and_then(|text| text.split_once(", column "));
    numbers.is_some_and(|(line, column)| line.parse::<u64>().is_ok() && column.parse::<u64>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_the_text_becomes_the_place_of_the_error() {
        let error = placed(Error::new(ErrorKind::Config, "line 2, column 13: this is no SQL: x").advise("Do y."));
        assert_eq!((error.message(), error.place()), ("this is no SQL: x", &["line 2, column 13".to_owned()][..]));
        assert_eq!(error.to_string(), "line 2, column 13: this is no SQL: x. Do y.");
        let other = placed(Error::new(ErrorKind::Data, "line x, column 1: y").at("here"));
        assert_eq!((other.message(), other.place()), ("line x, column 1: y", &["here".to_owned()][..]));
    }

    #[test]
    fn the_form_is_the_first_that_is_known() {
        assert_eq!(format(None), None);
        assert_eq!(format(Some("text/html, text/csv;q=0.5, application/json")), Some(ReportFormat::Csv));
        assert_eq!(format(Some("application/vnd.apache.parquet")), Some(ReportFormat::Parquet));
        assert_eq!(format(Some("application/json, text/csv")), None);
        assert_eq!(format(Some("image/png")), None);
    }
}
