//! What `run`, `copy` and `plan` share: one sync carried out under the eyes of the user, its report shown, and the way
//! out when the user presses Ctrl-C.

use std::sync::Arc;
use std::time::Duration;

use levada_core::error::{Error, ErrorKind, Result};
use levada_engine::planning::Work;
use levada_engine::progress::{Bound, Progress};
use levada_engine::report::{Report, StreamReport};
use tokio_util::sync::CancellationToken;

use super::interrupted;
use crate::output::{Cell, Output, Table, grouped, printable, seconds};
use crate::progress;

/// How long a stopped run may take to clean up; what it leaves after that, the next run removes.
const STOP_LIMIT: Duration = Duration::from_millis(4_800);

/// A token that the first Ctrl-C or SIGTERM cancels; the second ends the process at once.
pub fn stop_on_interrupt(output: Output) -> CancellationToken {
    let stop = CancellationToken::new();
    let token = stop.clone();
    tokio::spawn(async move {
        interrupted().await;
        output.note("stopping: what is not committed is undone; press Ctrl-C again to end at once");
        token.cancel();
        interrupted().await;
        std::process::exit(i32::from(ErrorKind::Interrupted.policy().exit_code));
    });
    stop
}

/// Carries out a sync while its progress is shown.
pub async fn carry_out(work: Work, stop: &CancellationToken, output: Output) -> Result<Report> {
    let figures = Arc::new(Progress::default());
    let own = stop.child_token();
    let timeout = work.timeout;
    let job = work.job(&own);
    let shown = progress::show(figures.clone(), output);
    let running = levada_engine::run::run(job, figures);
    tokio::pin!(running);
    let result = tokio::select! {
        result = &mut running => result,
        () = own.cancelled() => {
            let ended = tokio::time::timeout(STOP_LIMIT, &mut running).await;
            ended.unwrap_or_else(|_| Err(Error::new(ErrorKind::Interrupted, "the run was stopped")))
        }
        () = sleep(timeout) => {
            own.cancel();
            let _ = tokio::time::timeout(STOP_LIMIT, &mut running).await;
            let limit = seconds(timeout.unwrap_or_default().as_secs_f64());
            Err(Error::new(ErrorKind::Busy, format!("the task took longer than its timeout of {limit}"))
                .advise("Raise `timeout`; streams that were done stay loaded."))
        }
    };
    shown.end().await;
    result
}

async fn sleep(timeout: Option<Duration>) {
    match timeout {
        Some(timeout) => tokio::time::sleep(timeout).await,
        None => std::future::pending().await,
    }
}

/// A heading, and what stands below it.
type Column = (&'static str, fn(&StreamReport) -> Cell);

/// The final table: per stream, the counts of both sides.
pub fn show_report(output: Output, streams: &[&StreamReport]) {
    if streams.is_empty() {
        return;
    }
    // a column that says the same of every stream is left out, but for the proof
    let renamed = streams.iter().any(|stream| stream.target != stream.stream);
    let repeated = streams.iter().any(|stream| stream.proof.repeated > 0);
    let verified = streams.iter().any(|stream| stream.proof.verified.is_some());
    let columns: Vec<Column> = [
        (true, ("stream", (|s| Cell::text(&s.stream)) as fn(&StreamReport) -> Cell)),
        (renamed, ("target", |s| Cell::text(&s.target))),
        (true, ("read", |s| Cell::count(s.proof.read))),
        (repeated, ("repeated", |s| Cell::count(s.proof.repeated))),
        (true, ("written", |s| Cell::count(s.proof.written))),
        (true, ("rejected", |s| Cell::count(s.proof.rejected))),
        (true, ("changes", |s| Cell::text(changes(s)))),
        (verified, ("verified", |s| s.proof.verified.map_or(Cell::right("-"), Cell::count))),
        (true, ("time", |s| Cell::right(seconds(s.seconds)))),
        (true, ("rows/s", |s| Cell::count(rate(s.proof.read, s.seconds)))),
        (true, ("MB/s", |s| Cell::right(format!("{:.1}", rate(s.bytes, s.seconds) as f64 / 1e6)))),
        (true, ("bound by", |s| Cell::text(s.bound.map_or("-", bound_word)))),
        (true, ("result", |s| Cell::text(if s.error.is_none() { "proved" } else { "FAILED" }))),
    ]
    .into_iter()
    .filter_map(|(shown, column)| shown.then_some(column))
    .collect();
    let mut table = Table::new(&columns.iter().map(|(heading, _)| *heading).collect::<Vec<_>>());
    for stream in streams {
        table.row(columns.iter().map(|(_, cell)| cell(stream)));
    }
    output.table(&table);
    show_notes(output, streams);
}

/// Warnings, and why streams failed.
fn show_notes(output: Output, streams: &[&StreamReport]) {
    for stream in streams {
        for warning in &stream.warnings {
            output.note(&format!("warning: {}: {}", stream.stream, printable(warning)));
        }
        let rejected = stream.proof.rejected;
        if rejected > 0 && stream.error.is_none() {
            let rows = if rejected == 1 { "row is" } else { "rows are" };
            let place = stream.quarantine.as_ref().map(|place| format!(" `{}`", printable(place))).unwrap_or_default();
            output.note(&format!(
                "warning: {}: {} {rows} in the quarantine{place}, under load {}",
                stream.stream,
                grouped(rejected),
                stream.load_id
            ));
        }
        if let Some(failure) = &stream.error {
            output.note(&format!(
                "error: {}. {}",
                printable(failure.message.trim_end_matches('.')),
                printable(&failure.advice)
            ));
        }
    }
}

/// The proof in one line.
pub fn show_proof(output: Output, streams: &[&StreamReport]) {
    if streams.is_empty() {
        return;
    }
    let done: Vec<_> = streams.iter().filter(|stream| stream.error.is_none()).collect();
    let sum = |count: fn(&StreamReport) -> u64| grouped(done.iter().map(|stream| count(stream)).sum());
    output.line(&format!(
        "\n{} of {} streams proved: {} rows read = {} written + {} rejected + {} repeated",
        done.len(),
        streams.len(),
        sum(|s| s.proof.read),
        sum(|s| s.proof.written),
        sum(|s| s.proof.rejected),
        sum(|s| s.proof.repeated),
    ));
}

fn changes(stream: &StreamReport) -> String {
    let changes = stream.changes;
    let parts = [('+', changes.inserted), ('~', changes.updated), ('-', changes.deleted), ('=', changes.superseded)];
    let parts: Vec<String> = parts
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(sign, count)| format!("{sign}{}", grouped(*count)))
        .collect();
    if parts.is_empty() { "none".to_owned() } else { parts.join(" ") }
}

/// What holds a stream back, in a word.
pub fn bound_word(bound: Bound) -> &'static str {
    match bound {
        Bound::Read => "read",
        Bound::Transform => "transform",
        Bound::Write => "write",
    }
}

/// Rows or bytes per second.
pub fn rate(count: u64, seconds: f64) -> u64 {
    if seconds > 0.0 { (count as f64 / seconds) as u64 } else { count }
}
