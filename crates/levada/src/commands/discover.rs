//! `levada discover`: the streams of a connection, and on request the pipeline that loads them.

use std::fmt::Write as _;
use std::path::Path;

use levada_core::config::edit::scalar;
use levada_core::error::{Context as _, Error, ErrorKind};
use levada_core::text::counted;
use levada_engine::browse::{self, Stream};
use serde_json::json;

use super::{Context, Errors, Outcome, block_on, check, one};
use crate::cli::DiscoverArgs;
use crate::output::{Cell, Table, bytes, printable};
use crate::project::check_connection;

/// Lists the streams.
pub fn execute(context: &Context, args: &DiscoverArgs) -> Outcome {
    let (known, streams) = find(context, args)?;
    if streams.is_empty() {
        let error = args.stream.as_deref().map_or_else(browse::no_streams, |name| {
            Error::new(ErrorKind::NotFound, format!("no stream matches `{name}`"))
                .advise("Leave `--stream` out to list all, or check the rights of the connection's user.")
        });
        return Err(one(error.at(source_name(args))));
    }
    if let Some(path) = &args.write {
        write_pipeline(path, &pipeline(&known, args, &streams))?;
        context.output.note(&format!("{}: written, {}", path.display(), counted(streams.len() as u64, "stream")));
        return Ok(0);
    }
    if context.output.is_json() {
        context.output.json(&json!({ "streams": streams }));
    } else {
        show(context, &streams, args.stream.is_some());
    }
    Ok(0)
}

/// The names of the project's connections, and the streams of one: from here with the documents as they lie in the folder,
/// from a server with those that are applied there.
fn find(context: &Context, args: &DiscoverArgs) -> Result<(Vec<String>, Vec<Stream>), Errors> {
    if let Some(client) = context.remote()? {
        return block_on(async {
            let known = check::connections(&client).await?;
            check_connection(&args.target, &known)?;
            let input = json!({ "connection": args.target, "stream": args.stream });
            Ok((known, client.all("listStreams", input).await?))
        });
    }
    let project = context.project()?;
    let source = project.open(&args.target)?;
    let source = source.connection.source().map_err(one)?;
    let streams = block_on(async {
        source.discover(args.stream.as_deref()).await.at(format!("connection `{}`", source_name(args))).map_err(one)
    })?;
    let known = project.shared.connections.iter().map(|connection| connection.name.clone()).collect();
    Ok((known, streams.iter().map(|info| Stream::new(source.as_ref(), info)).collect()))
}

/// The connection as messages may show it.
fn source_name(args: &DiscoverArgs) -> String {
    if args.target.contains("://") { "source".to_owned() } else { args.target.clone() }
}

fn show(context: &Context, streams: &[Stream], with_columns: bool) {
    let mut table = Table::new(&["stream", "columns", "key", "rows", "size"]);
    for stream in streams {
        table.row([
            Cell::text(&stream.stream),
            Cell::count(stream.columns.len() as u64),
            Cell::text(stream.key.join(", ")),
            stream.rows_estimate.map_or(Cell::right("?"), Cell::count),
            Cell::right(stream.bytes_estimate.map_or("?".to_owned(), |size| bytes(size as f64))),
        ]);
    }
    context.output.table(&table);
    // the columns of a few streams that were asked for by name
    if !with_columns {
        return;
    }
    for stream in streams {
        let mut table = Table::new(&["column", "type", "native type", "null"]);
        for column in &stream.columns {
            let native =
                column.native.as_deref().map(|native| native.split_once(':').map_or(native, |native| native.1));
            table.row([
                Cell::text(&column.name),
                Cell::text(&column.type_),
                Cell::text(native.unwrap_or_default()),
                Cell::text(if column.nullable { "yes" } else { "no" }),
            ]);
        }
        context.output.line(&format!("\n{}", printable(&stream.stream)));
        context.output.table(&table);
    }
}

/// A pipeline that loads the streams in full; what can be told of each stands beside it.
fn pipeline(known: &[String], args: &DiscoverArgs, streams: &[Stream]) -> String {
    let to = args.to.as_deref().unwrap_or("://");
    let named = |target: &str| known.iter().any(|name| name == target);
    let (mut connections, mut sides) = (String::new(), Vec::new());
    for (target, name, variable) in [(&args.target[..], "source", "SOURCE_URL"), (to, "destination", "DESTINATION_URL")]
    {
        if named(target) {
            sides.push(target.to_owned());
            continue;
        }
        // a URL may hold a password, which does not belong into a file
        let address = if target.contains("://") { format!("${{{variable}}}") } else { target.to_owned() };
        let _ = writeln!(connections, "  {name}: {}", scalar(&address));
        sides.push(name.to_owned());
    }
    let mut text = "version: 1\n".to_owned();
    if !connections.is_empty() {
        let _ = write!(text, "connections:\n{connections}");
    }
    let _ = write!(text, "sync:\n  from: {}\n  to: {}\n  streams:\n", scalar(&sides[0]), scalar(&sides[1]));
    for stream in streams {
        let mut facts = vec![counted(stream.columns.len() as u64, "column")];
        if !stream.key.is_empty() {
            facts.push(format!("key {}", stream.key.join(", ")));
        }
        if let Some(rows) = stream.rows_estimate {
            facts.push(format!("about {}", counted(rows, "row")));
        }
        let facts: String = facts.join("; ").chars().filter(|c| !c.is_control()).collect();
        let _ = writeln!(text, "    {}: {{}} # {facts}", scalar(&stream.stream));
    }
    text
}

fn write_pipeline(path: &Path, text: &str) -> Result<(), Errors> {
    use std::io::Write as _;
    let shown = path.display().to_string();
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).at(&shown).map_err(one)?;
    }
    let created = std::fs::OpenOptions::new().write(true).create_new(true).open(path);
    let mut file = created.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => one(Error::new(ErrorKind::Usage, "the file exists")
            .at(&shown)
            .advise("Choose another name, or remove the file.")),
        _ => one(Error::from(error).at(&shown)),
    })?;
    file.write_all(text.as_bytes()).at(shown).map_err(one)
}
