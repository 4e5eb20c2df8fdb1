//! Tasks that load the result of a query, over an engine that knows one form of it: what the house does with queries is the same
//! whatever executes them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use levada_core::batch::Batch;
use levada_core::config::{Commands, File, Project, Task, Variables};
use levada_core::connector::Registry;
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::query::{Outline, QUERY_STREAM, Query, QueryEngine, StreamName};
use levada_core::run::{RunState, State};
use levada_core::secret::Secret;
use levada_core::source::{Extract, ReadRequest, Reader, Source, StreamInfo};
use levada_core::time::Clock;
use levada_engine::house::SystemClock;
use levada_engine::queries::{connections, mistakes};
use serde_json::{Value, json};

use crate::house::House;

/// Knows `ALL connection.stream`, and `SOME connection.stream $name`: both mean all rows, after a word in the folder for what
/// does not fit into memory. `HANG connection.stream` never comes to an end; `BUSY connection.stream` does at the second time.
#[derive(Default)]
struct Words {
    busy: AtomicU32,
}

impl QueryEngine for Words {
    fn check(&self, sql: &str) -> Result<Outline> {
        let mut words = sql.split_whitespace();
        let (Some("ALL" | "SOME" | "HANG" | "BUSY"), Some(name)) = (words.next(), words.next()) else {
            return Err(Error::new(ErrorKind::Config, "line 1, column 1: this is no SQL").advise("Correct the query."));
        };
        let (connection, stream) = name.split_once('.').unwrap();
        let params = words.filter_map(|word| word.strip_prefix('$')).map(str::to_owned).collect();
        let name = StreamName { connection: connection.to_owned(), stream: stream.trim_matches('"').to_owned() };
        Ok(Outline { reads: vec![name], params })
    }

    fn check_columns(&self, _: &BTreeMap<String, String>, _: &BTreeSet<String>) -> Vec<(String, Error)> {
        Vec::new()
    }

    fn computed(
        &self,
        source: Arc<dyn Source>,
        _: BTreeMap<String, String>,
        _: BTreeMap<String, Secret>,
    ) -> Arc<dyn Source> {
        source
    }

    fn source(&self, query: Query) -> Result<Arc<dyn Source>> {
        let read = self.check(&query.sql)?.reads.remove(0);
        let source = query.connections[&read.connection].clone().source()?;
        if query.sql.starts_with("SOME") {
            assert_eq!(json!(query.params), json!({ "least": 2 }), "bound as what they are");
        }
        let busy = query.sql.starts_with("BUSY") && self.busy.fetch_add(1, Relaxed) == 0;
        let (hangs, spill) = (query.sql.starts_with("HANG"), query.spill);
        Ok(Arc::new(All { source, stream: read.stream, hangs, busy: AtomicU32::new(busy.into()), spill }))
    }
}

struct All {
    source: Arc<dyn Source>,
    stream: String,
    hangs: bool,
    /// How often a read still fails for a passing reason.
    busy: AtomicU32,
    spill: PathBuf,
}

impl Source for All {
    fn discover<'a>(&'a self, _: Option<&'a str>) -> BoxFuture<'a, Result<Vec<StreamInfo>>> {
        Box::pin(async {
            let mut found = self.source.discover(Some(&self.stream)).await?;
            let info = found.remove(0);
            Ok(vec![StreamInfo {
                name: QUERY_STREAM.into(),
                table: QUERY_STREAM.into(),
                namespace: None,
                raw: None,
                ..info
            }])
        })
    }

    fn read<'a>(&'a self, request: ReadRequest) -> BoxFuture<'a, Result<Extract>> {
        Box::pin(async move {
            std::fs::create_dir_all(&self.spill)?;
            std::fs::write(self.spill.join("left"), "behind")?;
            if self.busy.swap(0, Relaxed) > 0 {
                return Err(Error::new(ErrorKind::Busy, "come again"));
            }
            if self.hangs {
                let readers: Vec<Box<dyn Reader>> = vec![Box::new(Hang)];
                return Ok(Extract { readers, position: None, warnings: Vec::new(), again: Vec::new() });
            }
            let stream = self.source.discover(Some(&self.stream)).await?.remove(0);
            self.source.read(ReadRequest { stream, ..request }).await
        })
    }
}

struct Hang;

impl Reader for Hang {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Batch>>> {
        Box::pin(std::future::pending())
    }
}

pub fn registry() -> Registry {
    levada_connectors::registry().with_queries(Arc::new(Words::default()))
}

async fn house() -> House {
    let house = House::with(registry(), Commands::Enabled).await;
    house.put("a.csv", "id,name\n1,ann\n2,bob\n3,O'Hara\n");
    house
}

fn pipeline(query: &str, more: &str, to: &str) -> String {
    format!(
        "version: 1\nname: p\nparams: {{ least: {{ type: int, default: 2 }} }}\ntasks:\n  sums:\n    retry: {{ attempts: 2, initial: 10ms \
         }}\n    sql:\n      query: {query:?}\n      {more}\n      to: {{ connection: numbers, stream: people, {to} }}\n  told:\n    \
         after: [sums]\n    command: {{ script: \"echo ${{tasks.sums.outputs.read}} ${{tasks.sums.outputs.written}} >> told\" }}\n"
    )
}

fn rows(house: &House) -> Vec<String> {
    let connection = rusqlite::Connection::open(house.folder.path().join("numbers.db")).unwrap();
    let mut statement = connection.prepare("SELECT id || ' ' || name FROM people ORDER BY id, name").unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(|row| row.unwrap()).collect()
}

/// No folder of a query is left, whatever became of it.
pub fn nothing_is_left(house: &House) {
    let mut open = vec![house.folder.path().join("data")];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            assert!(!path.ends_with("left") && !path.to_string_lossy().contains("spill"), "{}", path.display());
            open.extend(path.is_dir().then_some(path));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_result_of_a_query_is_loaded_as_a_stream_is() {
    let house = house().await;
    let ways = [
        ("write: replace", 3),
        ("write: append", 6),
        ("write: replace", 3),
        ("write: merge, key: [id], verify: checksum", 3),
    ];
    for (to, rounds) in ways {
        let text = pipeline("SOME drop.\"a.csv\" $least", "params: { least: \"${param.least}\" }", to);
        let run = house.start("p", house.apply("p", &text).await).await;
        house.succeeds(run).await;
        assert_eq!(rows(&house).len(), rounds, "{to}");
        nothing_is_left(&house);
        let outputs = house.store.outputs(run).await.unwrap();
        let outputs: Value = serde_json::from_str(&outputs["sums"]).unwrap();
        let wanted = json!({ "read": 3, "written": 3, "rejected": 0 });
        assert!(wanted.as_object().unwrap().iter().all(|(key, value)| outputs[key] == *value), "{outputs}");
        assert_eq!(outputs["streams"]["query"]["read"], 3, "{outputs}");
        let dataset = house.store.dataset_updated_at("numbers.people".to_owned()).await.unwrap();
        assert!(dataset.is_some(), "those who wait for the dataset are told");
    }
    assert_eq!(std::fs::read_to_string(house.folder.path().join("told")).unwrap(), "3 3\n".repeat(4));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_fails_for_a_passing_reason_is_tried_again() {
    let house = house().await;
    let text = pipeline("BUSY drop.\"a.csv\"", "memory: 64MB", "write: append");
    let run = house.start("p", house.apply("p", &text).await).await;
    house.succeeds(run).await;
    assert_eq!(rows(&house), ["1 ann", "2 bob", "3 O'Hara"]);
    nothing_is_left(&house);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_is_stopped_at_once_and_leaves_nothing() {
    let house = house().await;
    house.sql("CREATE TABLE people (id int, name text); INSERT INTO people VALUES (9, 'before');");
    let text = pipeline("HANG drop.\"a.csv\"", "", "write: replace");
    let run = house.start("p", house.apply("p", &text).await).await;
    let deadline = Instant::now() + Duration::from_secs(10);
    let spilled =
        || std::fs::read_dir(house.folder.path().join("data/runs")).is_ok_and(|mut runs| runs.next().is_some());
    while !spilled() {
        assert!(Instant::now() < deadline, "the query does not begin");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let asked = Instant::now();
    house.store.stop_run(run, SystemClock.now()).await.unwrap();
    assert_eq!(house.ended(run).await.state, RunState::Cancelled);
    assert!(asked.elapsed() < Duration::from_secs(4), "{:?}", asked.elapsed());
    assert_eq!(rows(&house), ["9 before"]);
    nothing_is_left(&house);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_query_fails_its_task() {
    let house = house().await;
    for (query, wanted) in [("NONE drop.x", "this is no SQL"), ("ALL dorp.x", "there is no connection `dorp`")] {
        let run = house.start("p", house.apply("p", &pipeline(query, "", "write: append")).await).await;
        assert_eq!(house.ended(run).await.state, RunState::Failed);
        let task_runs = house.store.task_runs(run).await.unwrap();
        let failed = task_runs.iter().find(|task_run| task_run.state == State::Failed).unwrap();
        assert!(failed.error.as_deref().unwrap_or_default().contains(wanted), "{failed:?}");
    }
}

fn task(text: &str) -> Task {
    let text = format!("{text}connections: {{ drop: ./in, numbers: ./numbers.db }}\n");
    let file = File::parse("p.yaml", &text).unwrap();
    let (env, secret) = (|_: &str| None, |_: &str| Ok(None));
    let variables = Variables { env: &env, secret: &secret, params: Default::default(), runtime: None };
    file.check(&Project::of([&file]), &variables).unwrap().0.tasks.remove(0)
}

#[test]
fn mistakes_are_told_without_touching_a_system() {
    let registry = registry();
    let told = |query: &str, more: &str| -> Vec<String> {
        let found = mistakes(&registry, &task(&pipeline(query, more, "write: append")), &["drop", "numbers"]);
        found.into_iter().map(|(keys, error)| format!("{}: {error}", keys.join("."))).collect()
    };
    assert_eq!(told("ALL drop.x", ""), [""; 0]);
    assert_eq!(told("NONE", ""), ["sql.query: line 1, column 1: this is no SQL. Correct the query."]);
    let wanted = "sql.query: the query reads from `dorp`, which is no connection. Did you mean `drop`? Connections: drop, numbers.";
    assert_eq!(told("ALL dorp.x", ""), [wanted]);
    assert_eq!(
        told("SOME drop.x $least", "params: { laest: 1 }"),
        [
            "sql.query: the query wants a value for `$least`. Add `params: { least: .. }` beside it.",
            "sql.params.laest: the query has no parameter `$laest`. Did you mean `least`? Its parameters: least."
        ]
    );
    assert_eq!(connections(&registry, &task(&pipeline("ALL drop.x", "", "write: append"))), ["numbers", "drop"]);
    assert_eq!(
        mistakes(&levada_connectors::registry(), &task(&pipeline("ALL drop.x", "", "write: append")), &[])[0].1.kind(),
        ErrorKind::Unsupported
    );
}
