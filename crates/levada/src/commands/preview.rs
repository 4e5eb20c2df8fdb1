//! `levada preview`: the first rows of a stream.

use levada_core::batch::Data;
use levada_core::connector::Connection;
use levada_core::error::{Context as _, Error, ErrorKind, Result};
use levada_core::source::{ReadMode, ReadRequest, Source, StreamInfo};
use levada_core::text;
use std::sync::Arc;

use arrow_array::RecordBatch;
use serde_json::json;
use serde_json::value::RawValue;

use super::{Context, Outcome, block_on, one};
use crate::cli::PreviewArgs;
use crate::output::{Cell, Table};

/// A preview looks at little, whatever the size of a stream.
const BATCH_BYTES: usize = 256 << 10;

/// Rows of a stream, and how many of those read could not be represented.
struct Rows {
    stream: StreamInfo,
    batches: Vec<RecordBatch>,
    rejected: usize,
}

/// Shows the rows.
pub fn execute(context: &Context, args: &PreviewArgs) -> Outcome {
    let opened = context.project()?.open(&args.target)?;
    let place = format!("connection `{}`", opened.name);
    let rows = block_on(async { read(opened.connection, args).await.at(place).map_err(one) })?;
    if context.output.is_json() {
        show_json(context, &rows);
    } else {
        show_text(context, &rows);
    }
    if rows.rejected > 0 {
        context.output.note(&format!("{} rows before these could not be represented", rows.rejected));
    }
    Ok(0)
}

async fn read(connection: Arc<dyn Connection>, args: &PreviewArgs) -> Result<Rows> {
    let source = connection.source()?;
    let stream = choose(source.as_ref(), args.stream.as_deref()).await?;
    let request = ReadRequest {
        columns: stream.schema.clone(),
        stream: stream.clone(),
        mode: ReadMode::Full,
        raw: None,
        readers: 1,
        batch_bytes: BATCH_BYTES,
    };
    let mut extract = source.read(request).await?;
    let mut rows = Rows { stream, batches: Vec::new(), rejected: 0 };
    let mut left = args.limit;
    for reader in &mut extract.readers {
        while left > 0 {
            let Some(batch) = reader.next().await? else { break };
            rows.rejected += batch.rejects.len();
            let Data::Arrow(batch) = batch.data else {
                return Err(Error::new(ErrorKind::Internal, "the source gave raw rows without being asked"));
            };
            let batch = batch.slice(0, batch.num_rows().min(left));
            left -= batch.num_rows();
            rows.batches.push(batch);
        }
    }
    Ok(rows)
}

/// The one stream that is meant.
async fn choose(source: &dyn Source, selector: Option<&str>) -> Result<StreamInfo> {
    let mut streams = source.discover(selector).await?;
    if streams.len() == 1 {
        return Ok(streams.remove(0));
    }
    if let Some(at) = streams.iter().position(|stream| Some(stream.name.as_str()) == selector) {
        return Ok(streams.remove(at));
    }
    let names: Vec<&str> = streams.iter().take(20).map(|stream| stream.name.as_str()).collect();
    let (kind, message) = match (selector, names.is_empty()) {
        (Some(selector), true) => (ErrorKind::NotFound, format!("there is no stream `{selector}`")),
        (None, true) => (ErrorKind::NotFound, "there are no streams".to_owned()),
        _ => (ErrorKind::Usage, format!("there are {} streams to choose from", streams.len())),
    };
    let error = Error::new(kind, message);
    Err(if names.is_empty() { error } else { error.advise(format!("Give one with `--stream`: {}.", names.join(", "))) })
}

fn show_text(context: &Context, rows: &Rows) {
    let fields = rows.stream.schema.fields();
    let headings: Vec<&str> = fields.iter().map(|field| field.name().as_str()).collect();
    let mut table = Table::new(&headings);
    for batch in &rows.batches {
        for row in 0..batch.num_rows() {
            table.row(batch.columns().iter().map(|column| {
                let cell = text::value(column.as_ref(), row);
                match cell {
                    Some(text) if column.data_type().is_numeric() => Cell::right(text),
                    Some(text) => Cell::text(text),
                    None => Cell::text("NULL"),
                }
            }));
        }
    }
    context.output.table(&table);
}

fn show_json(context: &Context, rows: &Rows) {
    let objects: Vec<Box<RawValue>> = rows
        .batches
        .iter()
        .flat_map(|batch| (0..batch.num_rows()).map(move |row| text::row_json(batch, row)))
        .filter_map(|row| RawValue::from_string(row).ok())
        .collect();
    let rows = json!({ "stream": rows.stream.name, "rejected": rows.rejected });
    let mut document = rows.as_object().cloned().unwrap_or_default();
    document.insert("rows".to_owned(), serde_json::to_value(objects).unwrap_or_default());
    context.output.json(&document);
}
