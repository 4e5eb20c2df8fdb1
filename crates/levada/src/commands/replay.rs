//! `levada replay`: rows that a run put into the quarantine are loaded again.

use levada_server::routes::quarantine::{Replay, Stream};
use serde_json::json;

use super::{Context, Outcome, block_on};
use crate::cli::ReplayArgs;
use crate::output::{Cell, Table};

/// Loads the rows of a run, stream by stream.
pub fn execute(context: &Context, args: &ReplayArgs) -> Outcome {
    let done: Vec<(Stream, Replay)> = block_on(async {
        let client = context.client().await?;
        let streams: Vec<Stream> = client.all("listQuarantine", json!({ "run": args.run })).await?;
        let mut done = Vec::new();
        for stream in streams {
            let is_meant = args.task.as_ref().is_none_or(|task| *task == stream.task)
                && args.stream.as_ref().is_none_or(|name| *name == stream.stream);
            if is_meant {
                let input = json!({ "run": args.run, "task": stream.task, "stream": stream.stream });
                let replay = client.call("replayQuarantine", input).await?;
                done.push((stream, replay));
            }
        }
        Ok(done)
    })?;
    if context.output.is_json() {
        let streams: Vec<_> = done
            .iter()
            .map(|(stream, replay)| {
                json!({
                    "task": stream.task, "stream": stream.stream,
                    "read": replay.read, "written": replay.written, "rejected": replay.rejected,
                })
            })
            .collect();
        context.output.json(&json!({ "streams": streams }));
    } else {
        let mut table = Table::new(&["task", "stream", "read", "written", "rejected"]);
        for (stream, replay) in &done {
            let counts = [replay.read, replay.written, replay.rejected].map(Cell::count);
            let names = [Cell::text(&stream.task), Cell::text(&stream.stream)];
            table.row(names.into_iter().chain(counts));
        }
        context.output.table(&table);
    }
    Ok(u8::from(done.iter().any(|(_, replay)| replay.rejected > 0)))
}
