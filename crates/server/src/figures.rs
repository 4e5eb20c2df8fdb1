//! The figures of this process and of the store, in the text format of Prometheus; names and units by its conventions.

use std::fmt::{Display, Write as _};

use levada_core::error::Result;
use levada_engine::metrics::{KINDS, OUTCOMES, metrics};

use crate::Server;

/// Every figure.
///
/// # Errors
/// As the store has them.
pub async fn text(server: &Server) -> Result<String> {
    let now = metrics().snapshot(&server.store);
    let mut page = Page::default();
    page.head("levada_build_info", "gauge", "The version that runs");
    page.line("levada_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    let runs = now.runs;
    page.head("levada_runs_started_total", "counter", "Runs that started, as this process wrote it");
    page.line("levada_runs_started_total", &[], runs.started);
    page.head("levada_runs_total", "counter", "Runs that ended, by what became of them, as this process wrote it");
    let states = [("succeeded", runs.succeeded), ("failed", runs.failed), ("cancelled", runs.cancelled)];
    for (state, count) in states {
        page.line("levada_runs_total", &[("state", state)], count);
    }
    page.head("levada_open_runs", "gauge", "Runs that have not ended");
    for (pipeline, count) in server.store.open_runs().await? {
        page.line("levada_open_runs", &[("pipeline", &pipeline)], count);
    }
    page.head("levada_attempts_total", "counter", "Attempts at tasks of this process");
    for (kind, row) in KINDS.iter().zip(now.attempts) {
        for (outcome, count) in OUTCOMES.iter().zip(row) {
            page.line("levada_attempts_total", &[("kind", kind), ("outcome", outcome)], count);
        }
    }
    page.head("levada_attempt_seconds_total", "counter", "Time that attempts took");
    for (kind, us) in KINDS.iter().zip(now.attempt_us) {
        page.line("levada_attempt_seconds_total", &[("kind", kind)], seconds(us));
    }
    let waits = [("levada_run_wait_seconds_total", runs.wait_us), ("levada_run_seconds_total", runs.run_us)];
    for ((name, us), help) in waits.into_iter().zip(["Time until their first tasks started", "Time from there on"]) {
        page.head(name, "counter", help);
        page.line(name, &[], seconds(us));
    }
    let counters = [
        ("levada_rows_written_total", "Rows that destinations took", now.rows.to_string()),
        ("levada_read_bytes_total", "Bytes that were read for them", now.bytes.to_string()),
        ("levada_workers_lost_total", "Workers that were found dead or silent", now.reaped.to_string()),
        ("levada_ticks_total", "Iterations of the scheduler", now.ticks.to_string()),
        ("levada_tick_seconds_total", "Time that they took", seconds(now.tick_us).to_string()),
        ("levada_store_writes_total", "Transactions of the metadata store", now.store.jobs.to_string()),
        ("levada_store_commits_total", "Durable commits that they shared", now.store.commits.to_string()),
    ];
    for (name, help, value) in counters {
        page.head(name, "counter", help);
        page.line(name, &[], value);
    }
    page.head("levada_workers", "gauge", "Workers that are signed on");
    page.line("levada_workers", &[], server.store.workers().await?.len());
    Ok(page.text)
}

/// The text so far.
#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.text, "# HELP {name} {help}.\n# TYPE {name} {kind}");
    }

    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.text.push_str(name);
        for (place, (label, value)) in labels.iter().enumerate() {
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.text, "{}{label}=\"{value}\"", if place == 0 { "{" } else { "," });
        }
        let _ = writeln!(self.text, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }
}

fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}
