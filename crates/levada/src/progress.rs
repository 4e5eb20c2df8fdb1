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
        if let Some(line) = log_line(&progress.snapshot()) {
            output.note(&line);
        }
    }
}

/// The figures of the streams that are at work, if any is.
fn log_line(streams: &[StreamSnapshot]) -> Option<String> {
    let at_work: Vec<String> = streams.iter().filter(|stream| stream.phase != Phase::Ended).map(line).collect();
    (!at_work.is_empty()).then(|| at_work.join("; "))
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

#[cfg(test)]
mod tests {
    use levada_engine::progress::Bound;

    use super::*;

    /// A quarter of a table, after two seconds.
    fn orders() -> StreamSnapshot {
        StreamSnapshot {
            stream: "public.orders".to_owned(),
            rows_estimate: Some(10_000),
            rows_read: 2_500,
            bytes_read: 5_000_000,
            bytes_held: 0,
            rows_written: 2_000,
            rows_rejected: 0,
            seconds: 2.0,
            phase: Phase::Move,
            bound: Bound::Read,
        }
    }

    #[test]
    fn a_line_tells_how_fast_how_long_and_what_holds_it_back() {
        let name = format!("{:24}", "public.orders");
        assert_eq!(
            line(&orders()),
            format!("{name} 2,500 of about 10,000 rows  1,250 rows/s  2.5 MB/s  ETA 6.0s  bound by read")
        );
        // the same rows after ten times as long
        let late = StreamSnapshot { seconds: 20.0, rows_rejected: 7, bound: Bound::Write, ..orders() };
        assert_eq!(
            line(&late),
            format!("{name} 2,500 of about 10,000 rows  125 rows/s  250.0 kB/s  7 rejected  ETA 1m00s  bound by write")
        );
    }

    #[test]
    fn a_line_promises_nothing_that_is_not_known() {
        let unknown = StreamSnapshot { rows_estimate: None, ..orders() };
        let at_once = StreamSnapshot { rows_read: 0, bytes_read: 0, seconds: 0.0, ..orders() };
        let beyond = StreamSnapshot { rows_estimate: Some(2_000), ..orders() };
        for stream in [unknown, at_once, beyond] {
            assert!(!line(&stream).contains("ETA") && line(&stream).contains("rows/s"), "{}", line(&stream));
        }
    }

    #[test]
    fn a_line_tells_what_comes_after_the_rows() {
        let in_phase = |phase| line(&StreamSnapshot { phase, ..orders() });
        assert!(in_phase(Phase::Commit).ends_with("2.5 MB/s  committing"));
        assert!(in_phase(Phase::Verify).ends_with("verifying"));
        assert!(in_phase(Phase::Ended).ends_with("done in 2.0s"));
    }

    #[test]
    fn a_log_line_has_the_streams_at_work_only() {
        let other = StreamSnapshot { stream: "evil\u{1b}[2J".to_owned(), ..orders() };
        let ended = StreamSnapshot { phase: Phase::Ended, ..orders() };
        let told = log_line(&[ended.clone(), orders(), other]).unwrap_or_default();
        assert_eq!(told.matches("public.orders").count(), 1);
        assert!(told.contains("; evil\\u{1b}[2J"), "{told}");
        assert_eq!((log_line(&[ended]), log_line(&[])), (None, None));
    }
}
