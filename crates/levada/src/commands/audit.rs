//! `levada audit`: who asked for what, and whether the log of it is as it was written.

use levada_core::text::counted;
use levada_server::route::Page;
use levada_server::routes::audit::{Line, Verdict};
use serde_json::json;

use super::{Context, Outcome, block_on, runs};
use crate::cli::AuditCommand;
use crate::output::{Cell, Table, instant};

/// Shows or checks the log.
pub fn execute(context: &Context, command: &AuditCommand) -> Outcome {
    match command {
        AuditCommand::List { actor, action, outcome, since, limit } => {
            let since = since.map(runs::since);
            let input = json!({ "actor": actor, "action": action, "outcome": outcome, "since": since, "limit": limit });
            let found: Page<Line> = block_on(async { context.client().await?.call("listAudit", input).await })?;
            list(context, &found.items);
            Ok(0)
        }
        AuditCommand::Verify { head } => verify(context, head.as_deref()),
    }
}

fn list(context: &Context, lines: &[Line]) {
    if context.output.is_json() {
        context.output.json(&json!({ "lines": lines }));
        return;
    }
    let mut table = Table::new(&["line", "at", "actor", "address", "action", "object", "outcome"]);
    for line in lines {
        table.row([
            Cell::right(line.number.to_string()),
            Cell::text(instant(line.at)),
            Cell::text(&line.actor),
            Cell::text(line.address.as_deref().unwrap_or("-")),
            Cell::text(&line.action),
            Cell::text(&line.object),
            Cell::text(&line.outcome),
        ]);
    }
    context.output.table(&table);
}

fn verify(context: &Context, head: Option<&str>) -> Outcome {
    let found: Verdict =
        block_on(async { context.client().await?.call("verifyAudit", json!({ "head": head })).await })?;
    let (number, what) = (found.number, found.what.as_deref().map(words));
    let head = found.hash.map(|hash| format!("{number}:{hash}"));
    if context.output.is_json() {
        context.output.json(&json!({ "whole": found.whole, "number": number, "what": what, "head": head }));
    } else if let Some(what) = what {
        context.output.line(&format!("line {number} {what}"));
    } else {
        let lines = counted(number.unsigned_abs(), "line");
        context.output.line(&format!("{lines}, each as it was written; head {}", head.unwrap_or_default()));
    }
    Ok(u8::from(!found.whole))
}

/// What is wrong with a line, as the end of a sentence.
fn words(what: &str) -> &str {
    match what {
        "missing" => "is missing",
        "changed" => "was changed",
        "cut off" => "was cut off",
        "added" => "was added",
        "replaced" => "is of another log",
        other => other,
    }
}
