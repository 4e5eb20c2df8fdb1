//! Reports: the answer to a query as a file.

use std::time::Duration;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float32Type, Float64Type};
use arrow_array::{Array as _, RecordBatch};
use arrow_schema::{DataType, Schema, SchemaRef};
use axum::body::Body;
use axum::http::header::ACCEPT;
use axum::response::Response;
use levada_core::config::{Report, ReportFormat};
use levada_core::error::{Error, ErrorKind};
use levada_core::rows::{Answer, Cell, Kind, ReportRequest};
use levada_core::schema::Logical;
use levada_core::text;
use parquet::arrow::ArrowWriter;
use serde_json::{Map, Number, Value};

use super::rows::unknown;
use super::{Ask, csv};
use crate::problem::Problem;
use crate::route::{Download, Output as _};

/// Most bytes of an answer, before it is written.
const BYTES_MAX: usize = 256 << 20;
/// How long a query may take; the request has a little more.
const TIME_MAX: Duration = Duration::from_secs(25);
/// The integers that every reader of JSON holds: up to 2^53 either way.
const INTEGER_MAX: u64 = 1 << 53;

/// A report.
pub(super) async fn get(ask: Ask, at: usize) -> Result<Response, Problem> {
    let missing = || Problem::NotFound("There is nothing at this path.".to_owned());
    let report = ask.serving.reports.get(at).ok_or_else(missing)?;
    let (params, format) = parameters(report, &ask.query())?;
    let format = match format {
        Some(format) => format,
        None => accepted(report, ask.header(ACCEPT)).ok_or_else(|| not_served(report))?,
    };
    let request = ReportRequest {
        statement: report.statement.clone(),
        params,
        rows_max: report.rows_max as usize,
        bytes_max: BYTES_MAX,
        time_max: TIME_MAX.min(ask.app.limits.time_max),
    };
    let (_, rows) = ask.serving.place(&ask.app, &report.connection).await?;
    let found = ask.done(rows.report(&request).await)?;
    let name = report.file_name(&request.params, format);
    let body = write(found, format)?;
    let bytes = Some(body.len() as u64);
    let content_type = media_type(format).to_owned();
    Ok(Download { name, content_type, body: Body::from(body), bytes }.respond())
}

/// The media type of a form.
pub(crate) fn media_type(format: ReportFormat) -> &'static str {
    match format {
        ReportFormat::Csv => "text/csv; charset=utf-8",
        ReportFormat::Json => "application/json",
        ReportFormat::Parquet => "application/vnd.apache.parquet",
    }
}

/// The values of the parameters, and the form that is asked for.
type Parameters = (Vec<(String, Kind, Cell)>, Option<ReportFormat>);

fn parameters(report: &Report, query: &[(String, String)]) -> Result<Parameters, Problem> {
    let known: Vec<&str> = report.params.iter().map(|param| param.name.as_str()).chain(["format"]).collect();
    let mut format = None;
    for (name, value) in query {
        if !known.contains(&name.as_str()) {
            return Err(unknown(name, &known));
        }
        if name == "format" && report.params.iter().all(|param| param.name != "format") {
            let found = report.formats.iter().find(|format| format.name() == value);
            format = Some(*found.ok_or_else(|| not_served(report))?);
        }
    }
    let mut values = Vec::with_capacity(report.params.len());
    for param in &report.params {
        let name = &param.name;
        let given = query.iter().find(|(given, _)| given == name).map(|(_, value)| value);
        let value = match (given, &param.default) {
            (Some(text), _) => Cell::from_text(param.kind, text)
                .map_err(|misfit| Problem::Malformed(format!("The parameter `{name}` {misfit}.")))?,
            (None, Some(default)) => default.clone(),
            (None, None) => return Err(Problem::Malformed(format!("The parameter `{name}` must be given."))),
        };
        values.push((name.clone(), param.kind, value));
    }
    Ok((values, format))
}

/// The form that a client likes best of those that are served.
fn accepted(report: &Report, accept: Option<&str>) -> Option<ReportFormat> {
    let first = report.formats.first().copied();
    let Some(accept) = accept else { return first };
    for wanted in accept.split(',') {
        let wanted = wanted.split(';').next().unwrap_or_default().trim();
        if wanted == "*/*" {
            return first;
        }
        let is_wanted = |format: &&ReportFormat| media_type(**format).split(';').next() == Some(wanted);
        if let Some(format) = report.formats.iter().find(is_wanted) {
            return Some(*format);
        }
    }
    first
}

fn not_served(report: &Report) -> Problem {
    let all: Vec<&str> = report.formats.iter().map(|format| format.name()).collect();
    Problem::Malformed(format!("The report is served as {}.", all.join(", ")))
}

fn write(answer: Answer, format: ReportFormat) -> Result<Vec<u8>, Problem> {
    match format {
        ReportFormat::Csv => {
            let mut out = String::new();
            csv::write_names(&mut out, answer.schema.fields().iter().map(|field| field.name().as_str()));
            answer.batches.iter().for_each(|batch| csv::write_rows(&mut out, batch));
            Ok(out.into_bytes())
        }
        ReportFormat::Json => Ok(json(&answer).into_bytes()),
        ReportFormat::Parquet => parquet(&answer).map_err(|error| {
            Error::new(ErrorKind::Internal, format!("the answer could not be written as Parquet: {error}")).into()
        }),
    }
}

/// A list of objects. Integers up to 2^53 and floats are numbers, booleans themselves, JSON is what it is, and all else is
/// its text.
fn json(answer: &Answer) -> String {
    let mut out = String::from("[");
    for batch in &answer.batches {
        for row in 0..batch.num_rows() {
            out.push_str(if out.len() > 1 { ",\n" } else { "\n" });
            let mut object = Map::new();
            for (field, column) in answer.schema.fields().iter().zip(batch.columns()) {
                object.insert(field.name().clone(), value(field, column, row));
            }
            out.push_str(&Value::Object(object).to_string());
        }
    }
    out.push_str("\n]\n");
    out
}

fn value(field: &arrow_schema::Field, column: &arrow_array::ArrayRef, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    let shown = text::value(column, row).unwrap_or_default();
    let float = match column.data_type() {
        DataType::Boolean => return Value::Bool(column.as_boolean().value(row)),
        DataType::Float64 => Some(column.as_primitive::<Float64Type>().value(row)),
        DataType::Float32 => Some(f64::from(column.as_primitive::<Float32Type>().value(row))),
        _ => None,
    };
    if let Some(number) = float.and_then(Number::from_f64) {
        return Value::Number(number);
    }
    if column.data_type().is_integer()
        && let Some(whole) = shown.parse::<i64>().ok().filter(|whole| whole.unsigned_abs() <= INTEGER_MAX)
    {
        return Value::from(whole);
    }
    if Logical::of(field) == Some(Logical::Json)
        && let Ok(value) = serde_json::from_str(&shown)
    {
        return value;
    }
    Value::from(shown)
}

fn parquet(answer: &Answer) -> parquet::errors::Result<Vec<u8>> {
    let schema = plain(&answer.schema);
    let mut writer = ArrowWriter::try_new(Vec::new(), schema.clone(), None)?;
    for batch in &answer.batches {
        let batch = RecordBatch::try_new(schema.clone(), batch.columns().to_vec())?;
        writer.write(&batch)?;
    }
    writer.into_inner()
}

/// The same columns without what they were in the database, which means nothing to readers of a file.
pub(crate) fn plain(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| field.as_ref().clone().with_metadata(Default::default()));
    std::sync::Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}
