//! `levada preview`: the first rows of a stream.

use levada_core::error::Context as _;
use levada_core::text;
use levada_engine::browse::{self, Preview};
use serde_json::json;
use serde_json::value::RawValue;

use super::{Context, Outcome, block_on, one};
use crate::cli::PreviewArgs;
use crate::output::{Cell, Table};

/// Shows the rows.
pub fn execute(context: &Context, args: &PreviewArgs) -> Outcome {
    let opened = context.project()?.open(&args.target)?;
    let place = format!("connection `{}`", opened.name);
    let rows = block_on(async {
        let preview = browse::preview(opened.connection, args.stream.as_deref(), args.limit);
        preview.await.at(place).map_err(one)
    })?;
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

fn show_text(context: &Context, rows: &Preview) {
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

fn show_json(context: &Context, rows: &Preview) {
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
