//! `levada logs`: what tasks wrote, page by page and so in little memory, and as it is written if the user wants to follow.

use std::io::IsTerminal as _;
use std::time::Duration;

use levada_core::error::{Error, ErrorKind};
use levada_server::client::Client;
use levada_server::client::events::{Events, Heard};
use levada_server::live::listener::Topic;
use levada_server::routes::logs::{Line, Lines};
use levada_server::routes::runs::{Run, TaskRun};
use serde_json::json;

use super::follow::can_pass;
use super::{Context, Errors, Outcome, block_on_or, one, show};
use crate::cli::LogsArgs;
use crate::output::{Output, printable};

/// How often logs are looked at that nobody listens to, because there are more than a listener may have.
const LOOK: Duration = Duration::from_secs(1);
/// How often logs are looked at, should nothing be heard of them.
const LOOK_ANYWAY: Duration = Duration::from_secs(10);
/// Lines read at once.
const PAGE: usize = 1_000;
/// Items of one task whose logs are shown.
const ITEMS_MAX: usize = 1_000;
/// Logs that are listened to at once.
const LISTENED_MAX: usize = 10;

/// The log of one attempt that is being shown.
struct Log {
    /// The task, or `TASK.ITEM`.
    name: String,
    task: String,
    item: Option<usize>,
    task_run: i64,
    attempt: u32,
    /// The line that comes next; none before the first look.
    next: Option<u64>,
    /// Whether it is being written.
    is_open: bool,
    /// Whether all of it was shown.
    is_done: bool,
}

/// What to show of which run.
struct Logs<'a> {
    output: Output,
    client: &'a Client,
    args: &'a LogsArgs,
    /// The logs that there are, in the order of the document.
    logs: Vec<Log>,
    events: Events,
    is_terminal: bool,
    /// Whether there are logs of more than one task or item, some of them maybe not begun: each line says whose it is.
    many: bool,
}

/// Shows logs.
pub fn execute(context: &Context, args: &LogsArgs) -> Outcome {
    block_on_or("The run goes on.", async {
        let client = context.client().await?;
        let mut logs = Logs {
            output: context.output,
            client: &client,
            args,
            logs: Vec::new(),
            events: Events::new(&client),
            is_terminal: std::io::stdout().is_terminal(),
            many: false,
        };
        logs.show_all().await?;
        Ok(0)
    })
    .map_err(show::no_such_run)
}

impl Logs<'_> {
    async fn show_all(&mut self) -> Result<(), Errors> {
        loop {
            match self.look().await {
                Ok(true) => break,
                Ok(false) => {}
                // a server that is away for a moment ends no log
                Err(errors) if self.args.follow && self.client.is_remote() && errors.iter().all(can_pass) => {}
                Err(errors) => return Err(errors),
            }
            if !self.listen().await? {
                break;
            }
        }
        if self.logs.iter().all(|log| log.next.unwrap_or_default() == 0) {
            let advice = "It lies in the data folder of the worker that executed the task; see `levada why` if none has. A \
                          `wait` logs its first and its last look only: see `--attempt 1`.";
            return Err(one(Error::new(ErrorKind::NotFound, "there is no log here").advise(advice)));
        }
        Ok(())
    }

    /// Shows all that there is now. Answers whether nothing more is wanted.
    async fn look(&mut self) -> Result<bool, Errors> {
        // asked before the lines are read, so that none written before the end is missed
        let is_over = !self.args.follow || self.is_over().await?;
        self.find().await?;
        for index in 0..self.logs.len() {
            if !self.drain(index).await? {
                return Ok(true);
            }
        }
        Ok(is_over)
    }

    async fn is_over(&self) -> Result<bool, Errors> {
        let Some(task) = &self.args.task else {
            let run: Run = self.client.call("getRun", json!({ "run": self.args.run })).await?;
            return Ok(run.ended_at.is_some());
        };
        Ok(show::find_task(self.client, self.args.run, task).await?.task_run.ended_at.is_some())
    }

    /// Finds the logs that have come up since.
    async fn find(&mut self) -> Result<(), Errors> {
        let tasks = match &self.args.task {
            Some(task) => {
                let found = show::find_task(self.client, self.args.run, task).await?;
                vec![(found.task_run, found.item)]
            }
            None => {
                let tasks = show::tasks(self.client, self.args.run).await?;
                tasks.into_iter().map(|task_run| (task_run, None)).collect()
            }
        };
        self.many |= tasks.len() > 1 || tasks.iter().any(|(task, item)| task.items.is_some() && item.is_none());
        for (task_run, item) in tasks {
            self.add(&task_run, item);
            if task_run.items.is_some() && item.is_none() {
                let items = show::items(self.client, self.args.run, &task_run.task, 0, ITEMS_MAX).await?;
                items.iter().enumerate().for_each(|(item, task_run)| self.add(task_run, Some(item)));
            }
        }
        Ok(())
    }

    fn add(&mut self, task_run: &TaskRun, item: Option<usize>) {
        let attempt = self.args.attempt.unwrap_or(task_run.attempt);
        let is_open = task_run.ended_at.is_none() && attempt >= task_run.attempt;
        let mut is_known = false;
        let mut is_again = false;
        for log in self.logs.iter_mut().filter(|log| log.task_run == task_run.id.0) {
            log.is_open = is_open && log.attempt == attempt;
            is_known |= log.attempt == attempt;
            is_again = true;
        }
        if is_known || attempt == 0 {
            return;
        }
        if is_again {
            // another attempt has lines of its own, from the first on
            self.events.restart();
        }
        let name = item.map_or_else(|| task_run.task.clone(), |item| format!("{}.{item}", task_run.task));
        let task = task_run.task.clone();
        self.logs.push(Log { name, task, item, task_run: task_run.id.0, attempt, next: None, is_open, is_done: false });
    }

    /// Shows what a log has to say until now. Answers whether somebody still reads.
    async fn drain(&mut self, index: usize) -> Result<bool, Errors> {
        let many = self.many;
        let Some(log) = self.logs.get_mut(index).filter(|log| !log.is_done) else { return Ok(true) };
        loop {
            let (from, limit) = match (log.next, self.args.tail) {
                (None, Some(tail)) => (None, tail.clamp(1, PAGE)),
                (next, _) => (Some(next.unwrap_or_default()), PAGE),
            };
            let input = json!({
                "run": self.args.run,
                "task": log.task,
                "item": log.item,
                "attempt": log.attempt,
                "from": from,
                "limit": limit,
            });
            let page: Lines = self.client.call("readLog", input).await?;
            let lines = if self.args.tail == Some(0) && from.is_none() { Vec::new() } else { page.lines };
            let told: String = lines.iter().map(|line| told(self.output, log, line, many, self.is_terminal)).collect();
            let next = lines.last().map(|line| line.number + 1).or(from).or(page.total);
            log.next = next;
            if !told.is_empty() && !self.output.lines(&told).map_err(one)? {
                return Ok(false);
            }
            if lines.is_empty() {
                log.is_done = !log.is_open;
                return Ok(true);
            }
        }
    }

    /// Shows lines as they are written, until something else has to be looked at. Answers whether somebody still reads.
    async fn listen(&mut self) -> Result<bool, Errors> {
        let many = self.many;
        loop {
            let open = self.logs.iter().filter(|log| log.is_open);
            let topics =
                open.clone().take(LISTENED_MAX).map(|log| Topic::Log(log.task_run, log.next.unwrap_or_default()));
            let topics: Vec<Topic> = std::iter::once(Topic::Run(self.args.run)).chain(topics).collect();
            let pause = if open.count() > LISTENED_MAX { LOOK } else { LOOK_ANYWAY };
            let Ok(heard) = tokio::time::timeout(pause, self.events.next(&topics)).await else { return Ok(true) };
            let Heard::Line { task_run, attempt, line } = heard? else { return Ok(true) };
            let is_meant = |log: &&mut Log| log.task_run == task_run && log.attempt == attempt;
            let Some(log) = self.logs.iter_mut().find(is_meant) else { return Ok(true) };
            match log.next {
                Some(next) if line.number == next => {
                    log.next = Some(next + 1);
                    if !self.output.lines(&told(self.output, log, &line, many, self.is_terminal)).map_err(one)? {
                        return Ok(false);
                    }
                }
                // shown already
                Some(next) if line.number < next => {}
                _ => return Ok(true),
            }
        }
    }
}

/// A line as it is told, with its end.
fn told(output: Output, log: &Log, line: &Line, many: bool, is_terminal: bool) -> String {
    let mut told = match output.is_json() {
        true => as_json(log, line),
        false => text(log, line, many, is_terminal),
    };
    told.push('\n');
    told
}

/// `08:15:30 load | what it says`; what Levada itself says goes with `--`.
fn text(log: &Log, line: &Line, many: bool, is_terminal: bool) -> String {
    let at = line.at.map(|at| at.to_string()).unwrap_or_default();
    let time = at.get(11..19).unwrap_or("--:--:--");
    let task = if many { format!(" {} |", printable(&log.name)) } else { String::new() };
    let own = if line.stream == "sys" { " --" } else { "" };
    let text = if is_terminal { printable(&line.text) } else { line.text.clone() };
    format!("{time}{task}{own} {text}")
}

/// One object in one line, so that a program can read while it is written.
fn as_json(log: &Log, line: &Line) -> String {
    json!({
        "task": log.name,
        "attempt": log.attempt,
        "number": line.number,
        "at": line.at,
        "stream": line.stream,
        "text": line.text,
    })
    .to_string()
}
