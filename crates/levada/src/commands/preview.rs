//! `levada preview`: the first rows of a stream.

use levada_core::error::Context as _;
use levada_core::text;
use levada_engine::browse::{self, Column};
use levada_server::routes::browse::Preview;
use serde_json::{Value as Json, json};

use super::{Context, Errors, Outcome, block_on, check, one};
use crate::cli::PreviewArgs;
use crate::output::{Cell, Table};
use crate::project::check_connection;

/// Shows the rows.
pub fn execute(context: &Context, args: &PreviewArgs) -> Outcome {
    let rows = match context.remote()? {
        Some(client) => {
            let input = json!({ "connection": args.target, "stream": args.stream, "limit": args.limit });
            block_on(async {
                check_connection(&args.target, &check::connections(&client).await?)?;
                client.call("previewStream", input).await
            })?
        }
        None => local(context, args)?,
    };
    if context.output.is_json() {
        context.output.json(&json!({ "stream": rows.stream, "rejected": rows.rejected, "rows": rows.rows }));
    } else {
        show(context, &rows);
    }
    if rows.rejected > 0 {
        context.output.note(&format!("{} before these could not be represented", text::counted(rows.rejected, "row")));
    }
    Ok(0)
}

/// From here, with the documents as they lie in the folder; every value as a whole.
fn local(context: &Context, args: &PreviewArgs) -> Result<Preview, Errors> {
    let opened = context.project()?.open(&args.target)?;
    let place = format!("connection `{}`", opened.name);
    let found = block_on(async {
        let preview = browse::preview(opened.connection, args.stream.as_deref(), args.limit);
        preview.await.at(place).map_err(one)
    })?;
    Ok(shown(found))
}

/// Rows as they are shown.
pub(super) fn shown(found: browse::Preview) -> Preview {
    let columns = found.stream.schema.fields().iter().map(|field| Column::from(field.as_ref())).collect();
    let rows = found.batches.iter().flat_map(|batch| (0..batch.num_rows()).map(move |row| text::row_json(batch, row)));
    let rows = rows.filter_map(|row| serde_json::from_str(&row).ok()).collect();
    Preview { stream: found.stream.name, columns, rows, rejected: found.rejected as u64 }
}

/// Shows rows as a table.
pub(super) fn show(context: &Context, rows: &Preview) {
    let headings: Vec<&str> = rows.columns.iter().map(|column| column.name.as_str()).collect();
    let mut table = Table::new(&headings);
    for row in &rows.rows {
        table.row(rows.columns.iter().map(|column| match row.get(&column.name) {
            Some(Json::String(text)) if is_number(&column.type_) => Cell::right(text),
            Some(Json::String(text)) => Cell::text(text),
            _ => Cell::text("NULL"),
        }));
    }
    context.output.table(&table);
}

/// Whether a type, as columns name it, is one of numbers.
fn is_number(name: &str) -> bool {
    ["int", "uint", "float", "decimal"].iter().any(|kind| name.starts_with(kind))
}
