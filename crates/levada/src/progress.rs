//! The progress of a run while it lasts: on a terminal one live line per stream, else one log line every ten seconds.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use levada_engine::progress::{Phase, Progress, StreamSnapshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::commands::bound_word;
use crate::output::{Output, bytes, grouped, printable, seconds};

/// How often live lines are drawn.
const DRAW_INTERVAL: Duration = Duration::from_millis(200);
/// How often a line is logged where there is no terminal.
const LOG_INTERVAL: Duration = Duration::from_secs(10);
/// The widest name of a stream in a live line.
const NAME_WIDTH: usize = 32;

/// Progress being shown; end it before anything else is written.
pub struct Shown {
    end: CancellationToken,
    task: JoinHandle<()>,
}

/// Starts showing progress on standard error.
pub fn show(progress: Arc<Progress>, output: Output) -> Shown {
    let end = CancellationToken::new();
    let ended = end.clone();
    let task = if std::io::stderr().is_terminal() && !output.is_json() {
        tokio::spawn(async move { draw(&progress, &ended).await })
    } else {
        tokio::spawn(async move { log(&progress, output, &ended).await })
    };
    Shown { end, task }
}

impl Shown {
    /// Shows the last figures, and leaves the screen to others.
    pub async fn end(self) {
        self.end.cancel();
        let _ = self.task.await;
    }
}

async fn draw(progress: &Progress, end: &CancellationToken) {
    let screen = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
    let mut bars: BTreeMap<usize, ProgressBar> = BTreeMap::new();
    loop {
        let last = tokio::select! {
            () = tokio::time::sleep(DRAW_INTERVAL) => false,
            () = end.cancelled() => true,
        };
        for (number, stream) in progress.snapshot().iter().enumerate() {
            let bar =
                bars.entry(number).or_insert_with(|| screen.add(ProgressBar::new_spinner().with_style(style.clone())));
            if bar.is_finished() {
                continue;
            }
            bar.set_message(line(stream));
            if stream.phase == Phase::Ended {
                bar.finish();
            }
        }
        if last {
            // the final table says the same and more
            let _ = screen.clear();
            return;
        }
    }
}

async fn log(progress: &Progress, output: Output, end: &CancellationToken) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOG_INTERVAL) => {}
            () = end.cancelled() => return,
        }
        let running: Vec<String> =
            progress.snapshot().iter().filter(|stream| stream.phase != Phase::Ended).map(line).collect();
        if !running.is_empty() {
            output.note(&running.join("; "));
        }
    }
}

/// One stream's figures in a line.
fn line(stream: &StreamSnapshot) -> String {
    let name: String = printable(&stream.stream).chars().take(NAME_WIDTH).collect();
    let rows = match stream.rows_estimate {
        Some(estimate) if estimate > stream.rows_read => {
            format!("{} of about {} rows", grouped(stream.rows_read), grouped(estimate))
        }
        _ => format!("{} rows", grouped(stream.rows_read)),
    };
    let time = stream.seconds.max(0.001);
    let rows_rate = stream.rows_read as f64 / time;
    let mut parts = vec![
        format!("{name:<width$} {rows}", width = NAME_WIDTH.min(24)),
        format!("{} rows/s", grouped(rows_rate as u64)),
        format!("{}/s", bytes(stream.bytes_read as f64 / time)),
    ];
    if stream.rows_rejected > 0 {
        parts.push(format!("{} rejected", grouped(stream.rows_rejected)));
    }
    let other = match stream.phase {
        Phase::Move => None,
        Phase::Commit => Some("committing".to_owned()),
        Phase::Verify => Some("verifying".to_owned()),
        Phase::Ended => Some(format!("done in {}", seconds(stream.seconds))),
    };
    if let Some(other) = other {
        parts.push(other);
        return parts.join("  ");
    }
    if let Some(left) = stream.rows_estimate.and_then(|estimate| estimate.checked_sub(stream.rows_read))
        && rows_rate > 0.0
    {
        parts.push(format!("ETA {}", seconds(left as f64 / rows_rate)));
    }
    parts.push(format!("bound by {}", bound_word(stream.bound)));
    parts.join("  ")
}
