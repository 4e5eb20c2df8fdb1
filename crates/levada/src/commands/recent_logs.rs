//! `levada logs --recent`: the last lines of all pipelines, the newest at the end.

use std::io::IsTerminal as _;

use levada_server::routes::recent_lines::{RecentLine, RecentLines};
use serde_json::json;

use super::{Context, Outcome, block_on, one, runs};
use crate::cli::LogsArgs;
use crate::output::{Output, instant, printable};

/// Shows them.
pub fn execute(context: &Context, args: &LogsArgs) -> Outcome {
    let input = json!({
        "level": args.level,
        "pipeline": args.pipeline,
        "since": args.since.map(runs::since),
        "limit": args.tail,
    });
    let found: RecentLines = block_on(async { context.client().await?.call("listRecentLines", input).await })?;
    let is_terminal = std::io::stdout().is_terminal();
    let told: String = found.items.iter().rev().map(|line| told(context.output, line, is_terminal) + "\n").collect();
    if !told.is_empty() {
        context.output.lines(&told).map_err(one)?;
    }
    if found.is_cut && !context.output.is_json() {
        context.output.note("note: older lines may be missing: of many logs only a part is looked at");
    }
    Ok(0)
}

/// A line, with the run and the task that it is of.
fn told(output: Output, line: &RecentLine, is_terminal: bool) -> String {
    if output.is_json() {
        return json!(line).to_string();
    }
    let item = line.item.map(|item| format!(".{item}")).unwrap_or_default();
    let text = if is_terminal { printable(&line.line.text) } else { line.line.text.clone() };
    let [pipeline, task] = [&line.pipeline, &line.task].map(|name| printable(name));
    format!("{} {pipeline} {} {task}{item} | {text}", instant(line.line.at), line.run)
}
