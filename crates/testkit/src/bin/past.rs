//! Gives a store of metadata a long past, to see how pages and lists do with it: `past STORE [--runs N]`. The runs are those of
//! the pipelines that are applied there, task by task, one after the other until now; nothing was really done.

use std::io::{Write, stderr};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use rusqlite::{Connection, params};
use serde_json::Value;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const USAGE: &str = "usage: past STORE [--runs N]
  STORE     the file of a store on SQLite, such as .levada/levada.db
  --runs N  how many runs ended in the past (default 100000)";
/// One run in so many failed.
const FAILED_EVERY: u64 = 50;
/// From the start of a run to that of the next one.
const PAUSE: Duration = Duration::from_secs(20);
/// Hours of which the store tells what was moved.
const HOURS: i64 = 24;

/// A pipeline as it is applied.
struct Pipeline {
    name: String,
    document: i64,
    tasks: Vec<String>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (store, runs) = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [store] => ((*store).to_owned(), Some(100_000)),
        [store, "--runs", runs] => ((*store).to_owned(), runs.parse().ok()),
        _ => (String::new(), None),
    };
    let (problem, code) = match runs.map(|runs| fill(&store, runs)) {
        Some(Ok(())) => return ExitCode::SUCCESS,
        Some(Err(failed)) => (format!("past: {failed}"), 1),
        None => (USAGE.to_owned(), 2),
    };
    let _ = writeln!(stderr(), "{problem}");
    ExitCode::from(code)
}

fn fill(store: &str, runs: u64) -> Result<()> {
    let mut connection = Connection::open(store)?;
    let pipelines = pipelines(&connection)?;
    if pipelines.is_empty() {
        return Err("no pipeline is applied there".into());
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let transaction = connection.transaction()?;
    {
        let mut add_run = transaction.prepare(
            "INSERT INTO runs (pipeline, document, cause, identity, fire_time, params, state, admitted, priority, open, \
             created_at, started_at, ended_at) VALUES (?1, ?2, 'schedule', ?3, ?4, '{}', ?5, 1, 0, 0, ?4, ?6, ?7)",
        )?;
        let mut add_task = transaction.prepare(
            "INSERT INTO task_runs (run, task, name, state, blockers, attempt, failed, priority, error, started_at, ended_at) \
             VALUES (?1, ?2, ?3, ?4, 0, 1, ?5, 0, ?6, ?7, ?8)",
        )?;
        for number in 0..runs {
            let pipeline = &pipelines[number as usize % pipelines.len()];
            let is_failed = number % FAILED_EVERY == 0;
            let state = if is_failed { "failed" } else { "succeeded" };
            let created = (now - PAUSE * (runs - number) as u32).as_micros() as i64;
            // durations differ, the same ones each time
            let each = 1_000_000 + (number * 7_919 % 20_000) as i64 * 1_000;
            let started = created + 200_000;
            let ended = started + each * pipeline.tasks.len() as i64;
            let identity = format!("past {number}");
            add_run.execute(params![pipeline.name, pipeline.document, identity, created, state, started, ended])?;
            let run = transaction.last_insert_rowid();
            for (place, task) in pipeline.tasks.iter().enumerate() {
                let at = started + each * place as i64;
                let is_last = is_failed && place + 1 == pipeline.tasks.len();
                let error = is_last
                    .then_some(r#"{"code":"E0104","message":"the program ended with 1","advice":"Read its log."}"#);
                let state = if is_last { "failed" } else { "succeeded" };
                add_task.execute(params![run, place as i64, task, state, is_last, error, at, at + each])?;
            }
        }
        let mut add_hour = transaction.prepare("INSERT INTO moved VALUES (?1, 0, ?2, ?3)")?;
        let hour = now.as_secs() as i64 / 3_600;
        for back in 0..HOURS {
            let rows = 40_000 + back * 7_919 % 60_000;
            add_hour.execute(params![hour - back, rows, rows * 120])?;
        }
    }
    transaction.commit()?;
    Ok(())
}

fn pipelines(connection: &Connection) -> Result<Vec<Pipeline>> {
    let sql = "SELECT p.name, d.id, d.graph FROM pipelines p JOIN documents d ON d.id = p.document \
               WHERE p.removed = 0 AND d.graph IS NOT NULL ORDER BY p.name";
    let mut statement = connection.prepare(sql)?;
    let mut found = Vec::new();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let graph: Value = serde_json::from_str(&row.get::<_, String>(2)?)?;
        let nodes = graph["nodes"].as_array().map(Vec::as_slice).unwrap_or_default();
        let tasks: Vec<String> = nodes.iter().filter_map(|node| Some(node["name"].as_str()?.to_owned())).collect();
        // the past of a pipeline with thousands of tasks would be most of it
        if tasks.len() < 100 {
            found.push(Pipeline { name: row.get(0)?, document: row.get(1)?, tasks });
        }
    }
    Ok(found)
}
