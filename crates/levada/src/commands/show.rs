//! `levada show` and `levada why`: one run with its tasks, their bars on a common scale, their errors and outputs; and what
//! it is waiting for.

use levada_core::error::{Error, ErrorKind};
use levada_core::naming::{did_you_mean, nearest};
use levada_core::run::Tally;
use levada_core::time::Timestamp;
use levada_server::client::Client;
use levada_server::route::Page;
use levada_server::routes::quality::Test;
use levada_server::routes::runs::{Run, TaskRun, Why};
use serde_json::{Value as Json, json};

use super::{Context, Errors, Outcome, block_on, one, quality, runs};
use crate::cli::{ShowArgs, WhyArgs};
use crate::output::{Cell, Table, instant, printable, seconds};
use crate::service;

/// Columns of the terminal for the bars.
const BAR: usize = 30;
/// Failed items that are named.
const ITEMS_NAMED: usize = 5;
/// Items looked through for them.
const ITEMS_PAGE: usize = 1_000;

/// A task run of a run: a task, or one item of it.
pub struct Found {
    /// What it is.
    pub task_run: TaskRun,
    /// Which item.
    pub item: Option<usize>,
}

/// Shows a run.
pub fn execute(context: &Context, args: &ShowArgs) -> Outcome {
    block_on(async {
        let client = context.client().await?;
        let run = client.call("getRun", json!({ "run": args.run })).await?;
        show(context, &client, &run).await?;
        Ok(0)
    })
    .map_err(no_such_run)
}

/// Tells who names a run that is not there where those stand that are.
pub fn no_such_run(errors: Errors) -> Errors {
    let is_run = |error: &Error| error.kind() == ErrorKind::NotFound && error.message().starts_with("there is no run ");
    let named = |error| if is_run(&error) { error.advise("`levada runs` lists the last ones.") } else { error };
    errors.into_iter().map(named).collect()
}

/// Tells what a run or a task waits for.
pub fn why(context: &Context, args: &WhyArgs) -> Outcome {
    let Why { why } = block_on(async {
        let client = context.client().await?;
        match &args.task {
            Some(task) => {
                let found = find_task(&client, args.run, task).await?;
                client.call("whyTask", json!({ "task_run": found.task_run.id })).await
            }
            None => client.call("whyRun", json!({ "run": args.run })).await,
        }
    })
    .map_err(no_such_run)?;
    if context.output.is_json() {
        context.output.json(&json!({ "run": args.run, "task": args.task, "why": why }));
    } else {
        context.output.line(&printable(&why));
    }
    Ok(0)
}

/// The tasks of a run.
pub async fn tasks(client: &Client, run: i64) -> Result<Vec<TaskRun>, Errors> {
    client.all("listTasks", json!({ "run": run })).await
}

/// Items of a task from one on, as many as are shown of one.
pub async fn items(client: &Client, run: i64, task: &str, from: usize, count: usize) -> Result<Vec<TaskRun>, Errors> {
    let input = json!({ "run": run, "task": task, "after": from.to_string(), "limit": count });
    Ok(client.call::<Page<TaskRun>>("listItems", input).await?.items)
}

/// A task run as the user names it: a task, or `TASK.ITEM`.
pub async fn find_task(client: &Client, run: i64, name: &str) -> Result<Found, Errors> {
    let mut tasks = tasks(client, run).await?;
    if let Some(place) = tasks.iter().position(|task_run| task_run.task == name) {
        return Ok(Found { task_run: tasks.swap_remove(place), item: None });
    }
    let split = name.rsplit_once('.').and_then(|(task, item)| Some((task, item.parse::<usize>().ok()?)));
    if let Some((task, item)) = split.filter(|(task, _)| tasks.iter().any(|task_run| task_run.task == *task)) {
        let found = items(client, run, task, item, 1).await?;
        return found.into_iter().next().map(|task_run| Found { task_run, item: Some(item) }).ok_or_else(|| {
            one(Error::new(ErrorKind::NotFound, format!("the task `{task}` has no item {item}"))
                .advise(format!("See what there is with `levada show {run}`.")))
        });
    }
    let known: Vec<&str> = tasks.iter().map(|task_run| task_run.task.as_str()).collect();
    let near = did_you_mean(nearest(name, &known));
    Err(one(Error::new(ErrorKind::NotFound, format!("the run has no task `{name}`"))
        .advise(format!("{near}Tasks: {}.", known.join(", ")))))
}

/// Shows a run as it stands.
pub async fn show(context: &Context, client: &Client, run: &Run) -> Result<(), Errors> {
    let tasks = tasks(client, run.id.0).await?;
    let mut failed_items = Vec::new();
    for task in tasks.iter().filter(|task| task.items.is_some_and(|items| items.failed > 0)) {
        let items = items(client, run.id.0, &task.task, 0, ITEMS_PAGE).await?;
        let failed = items.into_iter().enumerate().filter(|(_, item)| item.state == "failed");
        failed_items.extend(failed.take(ITEMS_NAMED));
    }
    let tests: Vec<Test> = client.all("listRunTests", json!({ "run": run.id })).await?;
    if context.output.is_json() {
        let mut shown = runs::as_json(run);
        shown["tasks"] = tasks.iter().map(as_json).collect();
        shown["tests"] = json!(tests);
        context.output.json(&shown);
        return Ok(());
    }
    head(context, run);
    context.output.table(&table(run, &tasks));
    quality::show_kept(context.output, &tests, false);
    let failed = tasks.iter().map(|task| (task.task.clone(), task));
    let failed = failed.chain(failed_items.iter().map(|(item, task)| (format!("{}.{item}", task.task), task)));
    for (name, error) in failed.filter_map(|(name, task)| Some((name, error(task)?))) {
        context.output.line(&format!("{}: {}", printable(&name), printable(&error)));
    }
    for (task, outputs) in tasks.iter().filter_map(|task| Some((&task.task, task.outputs.as_ref()?))) {
        context.output.line(&format!("{} put out {}", printable(task), printable(&outputs.to_string())));
    }
    Ok(())
}

fn head(context: &Context, run: &Run) {
    let mut line = format!("run {} of {} (version {}): {}", run.id, run.pipeline, run.version, run.state.name());
    line.push_str(&format!(", {}, made {}", runs::cause(run), instant(run.created_at)));
    if let Some(fire_time) = run.fire_time {
        line.push_str(&format!(", for {}", instant(fire_time)));
    }
    if run.started_at.is_some() {
        line.push_str(&format!(", took {}", runs::took(run)));
    }
    context.output.line(&printable(&line));
    if !run.params.is_empty() {
        context.output.line(&format!("params {}", printable(&json!(run.params).to_string())));
    }
}

fn table(run: &Run, tasks: &[TaskRun]) -> Table {
    let mut table = Table::new(&["task", "state", "attempt", "took", "items", "time"]);
    let scale = Scale::of(run);
    for task in tasks {
        let took = task.started_at.map(|start| task.ended_at.unwrap_or(scale.end).since(start));
        table.row([
            Cell::text(&task.task),
            Cell::text(&task.state),
            Cell::count(u64::from(task.attempt)),
            Cell::right(took.map_or_else(|| "-".to_owned(), |took| seconds(took.as_secs_f64()))),
            Cell::text(task.items.map_or_else(|| "-".to_owned(), tally)),
            Cell::text(scale.bar(task)),
        ]);
    }
    table
}

/// `8 of 10, 1 failed`.
fn tally(items: Tally) -> String {
    let bad = items.failed + items.cancelled + items.skipped;
    let all = items.queued + items.active + items.succeeded + bad;
    let bad = if bad > 0 { format!(", {bad} not") } else { String::new() };
    format!("{} of {all} done{bad}", items.succeeded)
}

/// The time that the bars are drawn over.
struct Scale {
    start: Timestamp,
    end: Timestamp,
}

impl Scale {
    fn of(run: &Run) -> Self {
        let end = run.ended_at.unwrap_or_else(service::now);
        Self { start: run.started_at.unwrap_or(end), end }
    }

    /// Where a task lies between start and end of the run.
    fn bar(&self, task: &TaskRun) -> String {
        let Some(start) = task.started_at else { return String::new() };
        let whole = self.end.since(self.start).as_secs_f64();
        let place = |at: Timestamp| match whole > 0.0 {
            true => ((at.since(self.start).as_secs_f64() / whole * BAR as f64) as usize).min(BAR),
            false => 0,
        };
        let from = place(start).min(BAR - 1);
        let until = place(task.ended_at.unwrap_or(self.end)).max(from + 1);
        let mark = match task.state.as_str() {
            "failed" => "x",
            "cancelled" => "-",
            _ if task.ended_at.is_some() => "=",
            _ => ">",
        };
        format!("{}{}", " ".repeat(from), mark.repeat(until - from))
    }
}

/// Why a task failed, in words.
fn error(task: &TaskRun) -> Option<String> {
    let error = task.error.as_ref()?;
    let part = |key: &str| error[key].as_str().map(|text| text.trim_end_matches('.').to_owned());
    let message = part("message")?;
    let message = message.strip_prefix(&format!("task `{}`: ", task.task)).unwrap_or(&message).to_owned();
    Some(match part("advice").filter(|advice| !advice.is_empty()) {
        Some(advice) => format!("{message}. {advice}."),
        None => message,
    })
}

fn as_json(task: &TaskRun) -> Json {
    json!({
        "task": task.task,
        "state": task.state,
        "until": task.until,
        "attempt": task.attempt,
        "failed": task.failed,
        "lost": task.lost,
        "worker": task.worker,
        "started_at": task.started_at,
        "ended_at": task.ended_at,
        "items": task.items,
        "outputs": task.outputs,
        "error": task.error,
    })
}
