//! `levada copy`: one sync from the command line. Builds what a document would say, so that every rule is the same.

use levada_core::config::amount::{BytesText, parse_bytes};
use levada_core::config::{Columns, Parallel, Problem, Retry, StreamDocument, Streams, Sync, SyncDocument};
use levada_core::error::{Error, ErrorKind, Result};
use levada_engine::browse;
use levada_engine::connections::Opened;
use levada_engine::planning::{Work, plans};
use levada_engine::report::StreamReport;

use super::sync::{carry_out, show_proof, show_report, stop_on_interrupt};
use super::{Context, Errors, Outcome, one, plan};
use crate::cli::CopyArgs;
use crate::wiring;

/// Copies streams.
pub fn execute(context: &Context, args: &CopyArgs) -> Outcome {
    let project = context.project()?;
    let (source, destination) = (project.open(&args.source)?, project.open(&args.destination)?);
    let runtime = wiring::runtime().map_err(one)?;
    // connections live in one runtime: choosing the stream, planning and running share it
    let outcome = runtime.block_on(copy(context, args, source, destination));
    runtime.shutdown_background();
    outcome
}

async fn copy(context: &Context, args: &CopyArgs, source: Opened, destination: Opened) -> Outcome {
    let output = context.output;
    let stop = stop_on_interrupt(output);
    let streams = match args.streams.as_slice() {
        [] => tokio::select! {
            name = only_stream(&source) => vec![name.map_err(|error| one(error.at(&source.name)))?],
            () = stop.cancelled() => return Err(one(Error::new(ErrorKind::Interrupted, "stopped"))),
        },
        streams => streams.to_vec(),
    };
    let work = Work {
        task: None,
        pipeline: source.connection.address(),
        sync: sync(args, streams, &source, &destination)?,
        source,
        destination,
        full_refresh: args.full_refresh,
        only_stream: None,
        retry: Retry::default(),
        timeout: None,
    };
    if args.dry_run {
        let plans = tokio::select! {
            plans = plans(vec![work]) => plans?,
            () = stop.cancelled() => return Err(one(Error::new(ErrorKind::Interrupted, "stopped"))),
        };
        plan::show(output, &plans, &[]);
        return Ok(0);
    }
    let report = carry_out(work, &stop, output).await.map_err(one)?;
    if output.is_json() {
        output.json(&report);
    } else {
        let streams: Vec<&StreamReport> = report.streams.iter().collect();
        show_report(output, &streams);
        show_proof(output, &streams);
    }
    Ok(report.exit_code())
}

/// The name of the one stream there is, where none was named.
async fn only_stream(source: &Opened) -> Result<String> {
    let mut streams = source.connection.clone().source()?.discover(None).await?;
    if streams.len() == 1 {
        return Ok(streams.remove(0).name);
    }
    if streams.is_empty() {
        return Err(browse::no_streams());
    }
    let names: Vec<String> = streams.iter().take(20).map(|stream| stream.name.clone()).collect();
    let message = format!("there are {} streams to choose from", streams.len());
    // a wildcard of a system without tables may be one stream of all that it matches
    let by_wildcard = source.connection.clone().source()?.discover(Some("*")).await.unwrap_or_default();
    let same = by_wildcard.iter().map(|stream| &stream.name).eq(streams.iter().map(|stream| &stream.name));
    let all = if same { ", or `--stream '*'` for all" } else { ", once for each" };
    let advice = format!("Give `--stream NAME`{all}: {}.", names.join(", "));
    Err(Error::new(ErrorKind::Usage, message).advise(advice))
}

/// The sync that a document with the same options would give.
fn sync(args: &CopyArgs, streams: Vec<String>, source: &Opened, destination: &Opened) -> Result<Sync, Errors> {
    let memory = args.memory.as_deref().map(parse_bytes).transpose().map_err(|message| {
        one(Error::new(ErrorKind::Usage, message.replace('\n', ". ")).at("--memory").advise("For instance `128MB`."))
    })?;
    let columns = Columns {
        include: args.include.clone(),
        exclude: args.exclude.clone(),
        rename: args.rename_column.iter().cloned().collect(),
        cast: args.cast.iter().cloned().collect(),
        hash: args.hash.clone(),
    };
    let options = StreamDocument {
        read: args.read,
        cursor: args.cursor.clone(),
        lag: args.lag.clone(),
        key: (!args.key.is_empty()).then(|| args.key.clone()),
        write: args.write,
        rename: args.rename.clone(),
        columns: Some(columns),
        on_bad_row: args.on_bad_row,
        on_schema_change: args.on_schema_change,
        verify: args.verify,
        paused: None,
        transform: None,
    };
    let document = SyncDocument {
        from: source.name.clone(),
        to: destination.name.clone(),
        defaults: StreamDocument::default(),
        streams: Streams(streams.into_iter().map(|name| (name, options.clone())).collect()),
        keys: std::collections::BTreeMap::new(),
        parallel: Some(Parallel { readers: args.readers, writers: args.writers }),
        memory: memory.map(BytesText),
    };
    document.resolve().map_err(|problems| {
        let mut problems: Vec<Problem> = problems;
        // every stream has the same options: what is wrong with one is wrong with all
        problems.dedup_by(|a, b| a.message == b.message);
        problems.into_iter().map(|problem| as_usage(&problem)).collect::<Errors>()
    })
}

/// A broken rule in the words of the command line.
fn as_usage(problem: &Problem) -> Error {
    let option =
        problem.path.iter().skip(2).find(|key| *key != "columns").map(|key| format!("--{}", key.replace('_', "-")));
    let error = Error::new(ErrorKind::Usage, problem.message.clone()).advise(problem.advice.clone());
    match option {
        Some(option) => error.at(option),
        None => error,
    }
}
