//! `levada logs`: what tasks wrote, page by page and so in little memory, and as it is written if the user wants to follow.

use std::collections::BTreeSet;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use levada_core::error::{Error, ErrorKind};
use levada_core::id::RunId;
use levada_engine::house::log_path;
use levada_engine::log::{Cursor, LogLine, LogReader, Stream};
use levada_store::{Store, TaskRun};
use serde_json::json;

use super::{Context, Errors, Outcome, block_on_or, one, show};
use crate::cli::LogsArgs;
use crate::output::{Output, printable};

/// How often new lines are looked for.
const LOOK: Duration = Duration::from_millis(300);
/// Lines read at once.
const PAGE: usize = 1_000;
/// Items of one task whose logs are shown.
const ITEMS_MAX: usize = 1_000;

/// The log of one attempt that is being shown.
struct Log {
    task: String,
    attempt: u32,
    cursor: Cursor,
}

/// What to show of which run.
struct Logs<'a> {
    output: Output,
    store: &'a Store,
    data: PathBuf,
    run: RunId,
    args: &'a LogsArgs,
    /// The logs that were opened already.
    known: BTreeSet<PathBuf>,
    open: Vec<Log>,
    is_terminal: bool,
}

/// Shows logs.
pub fn execute(context: &Context, args: &LogsArgs) -> Outcome {
    block_on_or("The run goes on.", async {
        let (places, store) = context.store().await?;
        let run = show::find(&store, args.run).await?;
        let mut logs = Logs {
            output: context.output,
            store: &store,
            data: places.data,
            run: run.id,
            args,
            known: BTreeSet::new(),
            open: Vec::new(),
            is_terminal: std::io::stdout().is_terminal(),
        };
        logs.show_all().await?;
        Ok(0)
    })
}

impl Logs<'_> {
    async fn show_all(&mut self) -> Result<(), Errors> {
        loop {
            // asked before the lines are read, so that none written before the end is missed
            let is_over = !self.args.follow || self.is_over().await?;
            self.find().await?;
            let many = self.open.len() > 1;
            for index in 0..self.open.len() {
                if !self.drain(index, many).map_err(one)? {
                    return Ok(());
                }
            }
            if is_over {
                break;
            }
            tokio::time::sleep(LOOK).await;
        }
        if self.known.is_empty() {
            let advice =
                "It lies in the data folder of the worker that executed the task; see `levada why` if none has.";
            return Err(one(Error::new(ErrorKind::NotFound, "there is no log here").advise(advice)));
        }
        Ok(())
    }

    async fn is_over(&self) -> Result<bool, Errors> {
        let run = self.store.run(self.run).await.map_err(one)?;
        let Some(task) = &self.args.task else { return Ok(run.is_none_or(|run| run.ended_at.is_some())) };
        Ok(show::find_task(self.store, self.run, task).await?.task_run.ended_at.is_some())
    }

    /// Opens the logs that have come up since.
    async fn find(&mut self) -> Result<(), Errors> {
        match &self.args.task {
            Some(task) => {
                let found = show::find_task(self.store, self.run, task).await?;
                self.add(&found.task_run, found.item)?;
                if found.item.is_none() {
                    self.add_items(&found.task_run).await?;
                }
            }
            None => {
                for task_run in self.store.task_runs(self.run).await.map_err(one)? {
                    self.add(&task_run, None)?;
                    self.add_items(&task_run).await?;
                }
            }
        }
        Ok(())
    }

    async fn add_items(&mut self, task: &TaskRun) -> Result<(), Errors> {
        if task.items.is_none() {
            return Ok(());
        }
        let items = self.store.items(self.run, task.task.clone(), 0, ITEMS_MAX).await.map_err(one)?;
        items.iter().enumerate().try_for_each(|(item, task_run)| self.add(task_run, Some(item)))
    }

    fn add(&mut self, task_run: &TaskRun, item: Option<usize>) -> Result<(), Errors> {
        let attempt = self.args.attempt.unwrap_or(task_run.attempt);
        let path = log_path(&self.data, self.run, &task_run.task, item, attempt);
        if attempt == 0 || self.known.contains(&path) || !path.exists() {
            return Ok(());
        }
        let cursor = self.cursor(&path).map_err(one)?;
        let item = item.map(|item| format!(".{item}")).unwrap_or_default();
        self.known.insert(path);
        self.open.push(Log { task: format!("{}{item}", task_run.task), attempt, cursor });
        Ok(())
    }

    fn cursor(&self, path: &Path) -> Result<Cursor, Error> {
        let reader = LogReader::new(path);
        let from = match self.args.tail {
            Some(tail) => reader.count()?.saturating_sub(tail.min(1_000) as u64),
            None => 0,
        };
        reader.follow(from)
    }

    /// Shows what a log has to say until now. Answers whether somebody still reads.
    fn drain(&mut self, index: usize, many: bool) -> Result<bool, Error> {
        let Some(log) = self.open.get_mut(index) else { return Ok(true) };
        loop {
            let page = log.cursor.page(PAGE)?;
            let mut lines = String::new();
            for line in &page {
                lines.push_str(&match self.output.is_json() {
                    true => as_json(log, line),
                    false => text(log, line, many, self.is_terminal),
                });
                lines.push('\n');
            }
            if page.is_empty() {
                return Ok(true);
            }
            if !self.output.lines(&lines)? {
                return Ok(false);
            }
        }
    }
}

/// `08:15:30 load | what it says`; what Levada itself says goes with `--`.
fn text(log: &Log, line: &LogLine, many: bool, is_terminal: bool) -> String {
    let at = line.at.map(|at| at.to_string()).unwrap_or_default();
    let time = at.get(11..19).unwrap_or("--:--:--");
    let task = if many { format!(" {} |", printable(&log.task)) } else { String::new() };
    let own = if line.stream == Stream::Sys { " --" } else { "" };
    let text = if is_terminal { printable(&line.text) } else { line.text.clone() };
    format!("{time}{task}{own} {text}")
}

/// One object in one line, so that a program can read while it is written.
fn as_json(log: &Log, line: &LogLine) -> String {
    json!({
        "task": log.task,
        "attempt": log.attempt,
        "number": line.number,
        "at": line.at,
        "stream": line.stream.name(),
        "text": line.text,
    })
    .to_string()
}
