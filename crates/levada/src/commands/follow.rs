//! A run that others execute, watched to its end: what becomes of its tasks, one line for each change, and on a terminal
//! a live line for each sync that is at work.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use levada_core::error::{Error, ErrorKind};
use levada_core::id::RunId;
use levada_server::client::Client;
use levada_server::client::events::Events;
use levada_server::live::listener::Topic;
use levada_server::routes::runs::{Progress, Run, TaskRun};
use serde_json::json;
use tokio::time::Instant;

use super::{Errors, show};
use crate::output::{Output, bytes, grouped, instant, printable, seconds};

/// How often a run is looked at, should nothing be heard of it.
const LOOK: Duration = Duration::from_secs(2);
/// The pause between two looks, however much is heard.
const PAUSE: Duration = Duration::from_millis(200);

/// Watches a run until it has ended.
pub async fn until_ended(output: Output, client: &Client, id: RunId) -> Result<Run, Errors> {
    let (mut events, mut watch) = (Events::new(client), Watch::new(output));
    loop {
        let next = Instant::now() + PAUSE;
        match look(client, id, &mut watch).await {
            Ok(run) if run.ended_at.is_some() => return Ok(run),
            Ok(_) => {}
            // a server that is away for a moment ends no run; the events know when it is there again, or not
            Err(errors) if client.is_remote() && errors.iter().all(can_pass) => {}
            Err(errors) => return Err(errors),
        }
        if let Ok(heard) = tokio::time::timeout(LOOK, events.next(&[Topic::Run(id.0)])).await {
            heard?;
        }
        tokio::time::sleep_until(next).await;
    }
}

/// Whether the same can succeed in a moment.
pub fn can_pass(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Connect | ErrorKind::Busy)
}

async fn look(client: &Client, id: RunId, watch: &mut Watch) -> Result<Run, Errors> {
    // the run first: of one that has ended, every task then has its last state
    let run: Run = client.call("getRun", json!({ "run": id })).await?;
    if !watch.output.is_json() {
        watch.see(&show::tasks(client, id.0).await?);
    }
    Ok(run)
}

/// What was told so far.
struct Watch {
    output: Output,
    told: BTreeMap<i64, Told>,
    /// The lines of syncs at work, on a terminal.
    screen: Option<MultiProgress>,
    bars: BTreeMap<i64, ProgressBar>,
}

/// What was told of a task last.
#[derive(PartialEq, Eq)]
struct Told {
    state: String,
    failed: u32,
}

impl Watch {
    fn new(output: Output) -> Self {
        let is_live = std::io::stderr().is_terminal() && !output.is_json();
        let screen = is_live.then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr()));
        Self { output, told: BTreeMap::new(), screen, bars: BTreeMap::new() }
    }

    fn see(&mut self, tasks: &[TaskRun]) {
        for task in tasks {
            if let Some(line) = self.news(task) {
                self.note(&format!("task `{}`: {}", printable(&task.task), printable(&line)));
            }
            self.draw(task);
        }
    }

    /// What there is to tell of a task that was not told before.
    fn news(&mut self, task: &TaskRun) -> Option<String> {
        let line = words(task)?;
        let now = Told { state: task.state.clone(), failed: task.failed };
        let before = self.told.get(&task.id.0);
        // a task that waits looks again and again, which is no news
        let looks = before.is_some_and(|before| before.state == "waiting" && before.failed == now.failed);
        if before == Some(&now) || (looks && task.ended_at.is_none()) {
            return None;
        }
        self.told.insert(task.id.0, now);
        Some(line)
    }

    fn note(&self, line: &str) {
        match &self.screen {
            Some(screen) => screen.suspend(|| self.output.note(line)),
            None => self.output.note(line),
        }
    }

    fn draw(&mut self, task: &TaskRun) {
        let Some(screen) = &self.screen else { return };
        let Some(progress) = task.progress.as_ref().filter(|_| task.state == "running") else {
            self.bars.remove(&task.id.0).into_iter().for_each(|bar| bar.finish_and_clear());
            return;
        };
        let bar = self.bars.entry(task.id.0).or_insert_with(|| {
            let style = ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
            screen.add(ProgressBar::new_spinner().with_style(style))
        });
        bar.set_message(figures(&task.task, progress));
    }
}

/// What a task does now, or what became of it; nothing of one that waits for its turn.
fn words(task: &TaskRun) -> Option<String> {
    let took = || match (task.started_at, task.ended_at) {
        (Some(start), Some(end)) => format!(" after {}", seconds(end.since(start).as_secs_f64())),
        _ => String::new(),
    };
    Some(match task.state.as_str() {
        "running" if task.failed > 0 => format!("running, after {} failed", attempts(task.failed)),
        "waiting" if task.items.is_some() => "its items are at work".to_owned(),
        "waiting" if task.failed > 0 => format!("{}, is tried again at {}", failure(task), instant(task.until)),
        "waiting" => format!("waits, and looks again at {}", instant(task.until)),
        "failed" => format!("{}{}", failure(task), took()),
        "succeeded" | "cancelled" => format!("{}{}", task.state, took()),
        "running" | "stopping" | "skipped" => task.state.clone(),
        _ => return None,
    })
}

fn attempts(failed: u32) -> String {
    levada_core::text::counted(u64::from(failed), "attempt")
}

fn failure(task: &TaskRun) -> String {
    let message = task.error.as_ref().and_then(|error| error["message"].as_str()).unwrap_or_default();
    match message.trim_end_matches('.') {
        "" => "failed".to_owned(),
        message => format!("failed ({message})"),
    }
}

/// The figures of a sync in a line.
fn figures(task: &str, progress: &Progress) -> String {
    let (sums, all, ended) = (&progress.figures.sums, progress.figures.streams_total, progress.figures.streams_ended);
    let streams = if all > 1 { format!(", {ended} of {all} streams") } else { String::new() };
    format!(
        "{}: {} rows read, {} rows/s, {}/s{streams}",
        printable(task),
        grouped(sums.rows_read),
        grouped(sums.rows_per_second),
        bytes(sums.bytes_per_second as f64),
    )
}
