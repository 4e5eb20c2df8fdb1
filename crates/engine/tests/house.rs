//! Pipelines that run by themselves over real connections: waiting, splitting, files that start runs, what goes with
//! time, and what is counted meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use levada_core::config::{Commands, File, Project, Variables};
use levada_core::connector::Registry;
use levada_core::id::RunId;
use levada_core::run::{RunState, State};
use levada_core::schedule::Catchup;
use levada_core::time::{Clock, Timestamp};
use levada_engine::house::{
    Executor, Keeper, Landing, Nobody, Removed, Scheduler, Surroundings, SystemClock, Worker, WorkerOptions,
};
use levada_engine::metrics::{Outcome, metrics};
use levada_store::{Kind, Location, NewDocument, NewRun, NewSchedule, Run, RunFilter, Spec, Store, When};
use tokio_util::sync::CancellationToken;

const DAY: u64 = 86_400;

/// The machine's clock, which can be put forward.
#[derive(Default)]
pub struct Shifted(AtomicI64);

impl Shifted {
    pub fn pass(&self, seconds: u64) {
        self.0.fetch_add(i64::try_from(seconds).unwrap() * 1_000_000, Relaxed);
    }
}

impl Clock for Shifted {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(SystemClock.now().as_micros() + self.0.load(Relaxed))
    }
}

/// A store, a worker and a folder `in` that a connection `drop` leads to.
pub struct House {
    pub folder: tempfile::TempDir,
    pub store: Store,
    pub clock: Arc<Shifted>,
    executor: Arc<Executor>,
    project: String,
    stop: CancellationToken,
}

impl Drop for House {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl House {
    async fn new() -> Self {
        Self::allowing(Commands::Enabled).await
    }

    /// In a process that allows this much of commands.
    async fn allowing(commands: Commands) -> Self {
        Self::with(levada_connectors::registry(), commands).await
    }

    /// With these connectors.
    pub async fn with(registry: Registry, commands: Commands) -> Self {
        Self::saying(registry, commands, "").await
    }

    /// With more in the project.
    pub async fn saying(registry: Registry, commands: Commands, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("in")).unwrap();
        let project = format!(
            "version: 1\nconnections:\n  drop: {{ type: files, root: {0:?}, settle_ms: 0 }}\n  \
             numbers: {{ type: sqlite, path: {1:?} }}\n  nowhere: {{ type: files, root: \"/nowhere/at/all\" }}\n\
             retention: {{ runs: 90d, logs: 30d, artifacts: 10d, keep: 5 }}\n{more}",
            folder.path().join("in"),
            folder.path().join("numbers.db")
        );
        let store = Store::open(&Location::File(folder.path().join("store.db"))).await.unwrap();
        let clock = Arc::new(Shifted::default());
        let executor = Arc::new(Executor::new(Surroundings {
            registry,
            store: store.clone(),
            clock: clock.clone(),
            env: Arc::new(|_| None),
            secrets: Arc::new(|_| Box::pin(std::future::ready(Ok(None)))),
            project_dir: folder.path().to_path_buf(),
            data_dir: folder.path().join("data"),
            network: Arc::default(),
            commands,
            own: false,
            observer: Arc::new(Nobody),
        }));
        let options = WorkerOptions {
            name: "test".to_owned(),
            slots: 4,
            labels: Vec::new(),
            own: false,
            drain: Duration::from_secs(1),
        };
        let stop = CancellationToken::new();
        let worker = Worker::sign_on(store.clone(), clock.clone(), executor.clone(), options).await.unwrap();
        tokio::spawn(worker.work(stop.clone(), stop.clone()));
        let house = Self { folder, store, clock, executor, project, stop };
        house.keep(Kind::Project, "", &house.project, Vec::new()).await;
        house
    }

    /// Also lets a scheduler tick, for retries and looks that are due.
    pub fn tick(&self) {
        let scheduler = Scheduler::new(self.store.clone(), self.clock.clone(), true);
        let stop = self.stop.clone();
        tokio::spawn(async move { scheduler.run(stop).await });
    }

    /// Has another project from now on.
    pub async fn say(&mut self, more: &str) {
        let (known, _) = self.project.split_once("lineage:").unwrap_or((&self.project, ""));
        self.project = format!("{known}{more}");
        self.keep(Kind::Project, "", &self.project, Vec::new()).await;
    }

    async fn keep(&self, kind: Kind, name: &str, text: &str, schedules: Vec<NewSchedule>) -> i64 {
        let graph = (kind == Kind::Pipeline).then(|| {
            let project = File::parse("levada.yaml", &self.project).unwrap();
            let file = File::parse("p.yaml", text).unwrap();
            let (env, secret) = (|_: &str| None, |_: &str| Ok(None));
            let variables = Variables { env: &env, secret: &secret, params: Default::default(), runtime: None };
            let all = Project::of([&file, &project]);
            file.check(&all, &variables).unwrap_or_else(|errors| panic!("{errors:?}")).0.graph()
        });
        let document = NewDocument { kind, name: name.into(), path: "p.yaml".into(), text: text.into(), graph };
        match kind {
            Kind::Pipeline => self.store.apply_pipeline(document, schedules, self.clock.now()).await.unwrap().id,
            _ => self.store.keep_document(document, self.clock.now()).await.unwrap().id,
        }
    }

    pub async fn apply(&self, name: &str, text: &str) -> i64 {
        self.keep(Kind::Pipeline, name, text, Vec::new()).await
    }

    pub async fn start(&self, name: &str, document: i64) -> RunId {
        static NEXT: AtomicI64 = AtomicI64::new(0);
        let mut new = NewRun::manual(name, document, format!("test:{}", NEXT.fetch_add(1, Relaxed)));
        new.project = self.store.current_project().await.unwrap().map(|project| project.id);
        self.store.create_run(new, self.clock.now()).await.unwrap().run
    }

    pub async fn ended(&self, run: RunId) -> Run {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let found = self.store.run(run).await.unwrap().unwrap();
            if found.ended_at.is_some() {
                return found;
            }
            assert!(Instant::now() < deadline, "run {run} does not end: {:?}", self.store.task_runs(run).await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Every task of a run waits until an instant.
    async fn waits(&self, run: RunId) {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let found = self.store.task_runs(run).await.unwrap();
            if found.iter().all(|task_run| matches!(task_run.state, State::Waiting { .. })) {
                return;
            }
            assert!(Instant::now() < deadline, "run {run} does not wait: {found:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub async fn succeeds(&self, run: RunId) {
        let ended = self.ended(run).await;
        assert_eq!(ended.state, RunState::Succeeded, "{:?}", self.store.task_runs(run).await.unwrap());
    }

    /// All runs of a pipeline, the oldest first.
    async fn runs(&self, pipeline: &str) -> Vec<Run> {
        let filter = RunFilter { pipeline: Some(pipeline.to_owned()), limit: 100, ..RunFilter::default() };
        let mut runs = self.store.runs(filter).await.unwrap();
        runs.reverse();
        runs
    }

    pub fn put(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join("in").join(name), text).unwrap();
    }

    pub fn sql(&self, sql: &str) {
        rusqlite::Connection::open(self.folder.path().join("numbers.db")).unwrap().execute_batch(sql).unwrap();
    }

    fn landing(&self) -> Landing {
        Landing::new(self.store.clone(), self.clock.clone(), self.executor.clone())
    }

    /// Files that tasks wrote, ordered.
    fn told(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.path().join("told")).unwrap_or_default();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }
}

/// A schedule that waits for files.
fn landed(connection: &str, path: &str, catchup: Catchup) -> NewSchedule {
    let when = When::File { connection: connection.into(), path: path.into(), every: Duration::from_secs(30) };
    let spec = Spec { when, catchup, params: Default::default() };
    NewSchedule { name: format!("{connection}-{path}"), spec, paused: false }
}

const NOTHING: &str = "version: 1\nname: p\ntasks:\n  t: { command: { argv: [\"true\"] } }\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_task_waits_for_a_file_and_for_a_querys_truth() {
    let house = House::new().await;
    house.tick();
    house.sql("CREATE TABLE t (n); INSERT INTO t VALUES (0)");
    let text = "version: 1\nname: p\ntasks:\n  file: { wait: { file: { connection: drop, path: \"*.csv\" }, every: 200ms } }\n  \
                truth: { wait: { query: { connection: numbers, sql: \"SELECT max(n) FROM t\" }, every: 200ms } }\n";
    let document = house.apply("p", text).await;
    let run = house.start("p", document).await;
    tokio::time::sleep(Duration::from_millis(800)).await;
    let open = house.store.task_runs(run).await.unwrap();
    assert!(open.iter().all(|task_run| !task_run.state.is_terminal()), "{open:?}");
    house.put("a.csv", "x\n1\n");
    house.sql("INSERT INTO t VALUES (1)");
    house.succeeds(run).await;
    let wrong = text.replace("max(n)", "max(m)");
    let document = house.apply("p", &wrong).await;
    let run = house.start("p", document).await;
    assert_eq!(house.ended(run).await.state, RunState::Failed);
    let failed = house.store.task_runs(run).await.unwrap();
    let error = failed.iter().find_map(|task_run| task_run.error.clone()).unwrap();
    assert!(error.contains("no such column: m") && error.contains("numbers.db"), "{error}");
}

/// No document can allow what the process does not: tasks, hooks and items of a task are refused as they come.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_without_commands_runs_none() {
    let house = House::allowing(Commands::Forbidden).await;
    house.keep(Kind::Project, "", &format!("{}commands: enabled\n", house.project), Vec::new()).await;
    let command = "command: { script: \"echo ran >> told\" }";
    for task in [command.to_owned(), format!("for_each: {{ list: [1, 2] }}, {command}")] {
        let text = format!(
            "version: 1\nname: p\ntasks:\n  t: {{ {task} }}\non_failure: [{{ {command} }}]\nretry: {{ attempts: 1 }}\n"
        );
        let document = house.apply("p", &text).await;
        let run = house.start("p", document).await;
        assert_eq!(house.ended(run).await.state, RunState::Failed);
        let failed = house.store.task_runs(run).await.unwrap();
        let told = failed.iter().filter_map(|task_run| task_run.error.clone());
        assert!(told.clone().any(|error| error.contains("commands are switched off here")), "{failed:?}");
    }
    assert_eq!(house.told(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_looks_again_and_again_has_its_time_for_all_its_looks() {
    let house = House::new().await;
    let slow = house.apply("slow", "version: 1\nname: slow\ntasks:\n  t: { wait: { for: 900d } }\n").await;
    let text = "version: 1\nname: p\ntasks:\n  long: { wait: { for: 2h }, timeout: 1h }\n  \
                file: { wait: { file: { connection: drop, path: \"*.csv\" }, every: 900d }, timeout: 1h }\n  \
                child: { pipeline: slow, timeout: 1h }\n";
    let document = house.apply("p", text).await;
    let run = house.start("p", document).await;
    house.waits(run).await;
    // a look that comes late does not make up for it
    house.clock.pass(3 * 3_600);
    house.store.wake_due(house.clock.now()).await.unwrap();
    assert_eq!(house.ended(run).await.state, RunState::Failed);
    for task_run in house.store.task_runs(run).await.unwrap() {
        let error = task_run.error.unwrap_or_default();
        assert!(error.contains("longer than its timeout of 3600 s"), "{}: {error}", task_run.task);
    }
    let children = house.runs("slow").await;
    assert_eq!(children.iter().map(|child| (child.document, child.ended_at)).collect::<Vec<_>>(), [(slow, None)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_tells_what_for_and_leaves_the_logs_of_its_first_and_last_look() {
    let house = House::new().await;
    let text = "version: 1\nname: p\ntasks:\n  \
                t: { wait: { file: { connection: drop, path: \"*.csv\" }, every: 60s }, timeout: 2h }\n";
    let document = house.apply("p", text).await;
    let run = house.start("p", document).await;
    let task = async || house.store.task_runs(run).await.unwrap().remove(0);
    house.waits(run).await;
    let first = task().await;
    for look in 2..=3 {
        house.clock.pass(61);
        house.store.wake_due(house.clock.now()).await.unwrap();
        while task().await.attempt < look {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        house.waits(run).await;
    }
    let why = house.store.why_task_run(first.id, house.clock.now()).await.unwrap();
    assert!(
        why.starts_with("it waits for the file *.csv of the connection drop, looked 3 times, looks again at "),
        "{why}"
    );
    assert!(why.contains(", gives up at 20"), "{why}");
    house.put("a.csv", "x\n1\n");
    house.clock.pass(61);
    house.store.wake_due(house.clock.now()).await.unwrap();
    house.succeeds(run).await;
    let last = task().await;
    assert_eq!((last.attempt, last.started_at), (4, first.started_at), "it took from its first look on");
    let logs = levada_engine::house::logs_of(&house.folder.path().join("data"), run).unwrap();
    let mut attempts: Vec<u32> = logs.iter().map(|log| log.attempt).collect();
    attempts.sort_unstable();
    assert_eq!(attempts, [1, 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_that_failed_is_started_again_by_a_retry() {
    let house = House::new().await;
    house.tick();
    let failing = NOTHING.replace("name: p", "name: failing").replace("true", "false");
    house.apply("failing", &failing).await;
    let text = "version: 1\nname: p\ntasks:\n  t: { pipeline: failing, retry: { attempts: 3, initial: 100ms } }\n";
    let document = house.apply("p", text).await;
    let run = house.start("p", document).await;
    assert_eq!(house.ended(run).await.state, RunState::Failed);
    assert_eq!(house.runs("failing").await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_done_for_each_row_of_a_query_and_each_file() {
    let house = House::new().await;
    house.sql("CREATE TABLE t (id, name); INSERT INTO t VALUES (2, 'zwei'), (9007199254740993, 'viel')");
    house.put("a.csv", "x\n");
    house.put("b.csv", "x\n");
    house.put("c.csv.tmp", "x\n");
    let text = "version: 1\nname: p\ntasks:\n  \
        rows: { for_each: { query: { connection: numbers, sql: \"SELECT * FROM t ORDER BY id\" } }, \
                command: { script: \"echo row ${item.id} ${item.name} >> told\" } }\n  \
        files: { for_each: { files: { connection: drop, path: \"*.csv\" } }, \
                 command: { script: \"echo file ${item} >> told\" } }\n";
    let document = house.apply("p", text).await;
    let run = house.start("p", document).await;
    house.succeeds(run).await;
    assert_eq!(house.told(), ["file a.csv", "file b.csv", "row 2 zwei", "row 9007199254740993 viel"]);
    let few = text.replace("files: { connection", "max: 1, files: { connection");
    let document = house.apply("p", &few).await;
    let run = house.start("p", document).await;
    assert_eq!(house.ended(run).await.state, RunState::Failed);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_start_a_run_once_for_each_set_however_many_look() {
    let house = House::new().await;
    house.put("before.csv", "x\n");
    let schedules = vec![landed("drop", "*.csv", Catchup::Last)];
    let text = "version: 1\nname: p\nparams: { files: { default: \"[]\" } }\ntasks:\n  \
        t: { for_each: { outputs: \"${param.files}\" }, command: { script: \"echo ${item} >> told\" } }\n";
    house.keep(Kind::Pipeline, "p", text, schedules).await;
    let all = vec![landed("drop", "*.csv", Catchup::All)];
    house.keep(Kind::Pipeline, "all", &NOTHING.replace("name: p", "name: all"), all).await;
    let (one, other) = (house.landing(), house.landing());
    let look = async || {
        let (first, second) = tokio::join!(one.look(), other.look());
        assert!(first.unwrap() > Some(house.clock.now()));
        second.unwrap();
        house.clock.pass(30);
    };
    look().await;
    assert_eq!(house.runs("p").await, [], "what was there before starts nothing");
    assert_eq!(house.runs("all").await.len(), 1, "unless the schedule says so");
    look().await;
    house.put("a.csv", "x\n");
    house.put("b.csv", "x\n");
    house.put("c.csv.part", "x\n");
    look().await;
    look().await;
    assert_eq!(house.runs("p").await.len(), 1);
    assert_eq!(house.runs("all").await[1].params, "{}", "only pipelines that have the parameter get the names");
    house.put("a.csv", "x\ny\n");
    look().await;
    std::fs::remove_file(house.folder.path().join("in/b.csv")).unwrap();
    look().await;
    let runs = house.runs("p").await;
    let params: Vec<&str> = runs.iter().map(|run| run.params.as_str()).collect();
    assert_eq!(params, [r#"{"files":"[\"a.csv\",\"b.csv\"]"}"#, r#"{"files":"[\"a.csv\"]"}"#]);
    for run in runs {
        house.succeeds(run.id).await;
    }
    assert_eq!(house.told(), ["a.csv", "a.csv", "b.csv"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_fails_keeps_nobody_from_looking() {
    let house = House::new().await;
    let schedules = vec![landed("nowhere", "*.csv", Catchup::All), landed("unknown", "*.csv", Catchup::All)];
    house.keep(Kind::Pipeline, "bad", &NOTHING.replace("name: p", "name: bad"), schedules).await;
    house.keep(Kind::Pipeline, "p", NOTHING, vec![landed("drop", "*.csv", Catchup::Last)]).await;
    let scheduler = Scheduler::new(house.store.clone(), house.clock.clone(), true).looking(house.executor.clone());
    let stop = house.stop.clone();
    let runs = tokio::spawn(async move { scheduler.run(stop).await });
    tokio::time::sleep(Duration::from_millis(500)).await;
    house.put("a.csv", "x\n");
    house.clock.pass(30);
    let deadline = Instant::now() + Duration::from_secs(15);
    while house.runs("p").await.is_empty() {
        assert!(Instant::now() < deadline, "the file was not seen");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(house.runs("bad").await, []);
    // they are tried again, not given up
    let next = house.store.schedules(Some("bad".to_owned())).await.unwrap();
    assert!(next.iter().all(|schedule| schedule.next_at.is_some()), "{next:?}");
    house.stop.cancel();
    runs.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_no_longer_goes_with_its_logs_and_files() {
    let house = House::new().await;
    let text =
        "version: 1\nname: p\ntasks:\n  t: { command: { script: \"echo x > $LEVADA_RUN_DIR/x\", artifacts: [x] } }\n";
    let document = house.apply("p", text).await;
    let mut runs = Vec::new();
    for _ in 0..8 {
        let run = house.start("p", document).await;
        house.succeeds(run).await;
        runs.push(run);
    }
    let data = house.folder.path().join("data");
    let keeper = Keeper::new(house.store.clone(), house.clock.clone(), data.clone());
    let there = |kind: &str| {
        let entries = std::fs::read_dir(data.join(kind)).unwrap();
        let mut found: Vec<i64> =
            entries.map(|entry| entry.unwrap().file_name().to_str().unwrap().parse().unwrap()).collect();
        found.sort_unstable();
        found
    };
    let ids: Vec<i64> = runs.iter().map(|run| run.0).collect();
    assert_eq!((there("logs"), there("runs")), (ids.clone(), ids.clone()));
    let removed = keeper.round().await.unwrap();
    assert_eq!((removed.runs, removed.folders), (3, 0), "the project keeps five of a pipeline");
    assert_eq!((there("logs"), there("runs")), (ids[3..].to_vec(), ids[3..].to_vec()));
    assert_eq!(keeper.round().await.unwrap().runs, 0);
    house.clock.pass(11 * DAY);
    assert_eq!(keeper.round().await.unwrap().folders, 5, "files of runs stay for ten days");
    assert_eq!((there("logs"), there("runs")), (ids[3..].to_vec(), Vec::new()));
    // an open run keeps what it has, however long it takes
    let open = house.apply("q", "version: 1\nname: q\ntasks:\n  t: { wait: { for: 900d } }\n").await;
    let open = house.start("q", open).await;
    while !data.join("logs").join(open.to_string()).exists() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    house.clock.pass(31 * DAY);
    assert_eq!(keeper.round().await.unwrap().folders, 5);
    assert_eq!(there("logs"), [open.0]);
    house.clock.pass(60 * DAY);
    assert_eq!(keeper.round().await.unwrap().runs, 4, "the last that succeeded stays");
    assert_eq!(house.runs("p").await.iter().map(|run| run.id).collect::<Vec<_>>(), [runs[7]]);
    assert_eq!(house.runs("q").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_cleans_its_folder_of_runs_that_others_removed() {
    let house = House::new().await;
    let text = "version: 1\nname: p\ntasks:\n  t: { command: { script: \"echo x > $LEVADA_RUN_DIR/x\" } }\n";
    let document = house.apply("p", text).await;
    for _ in 0..7 {
        let run = house.start("p", document).await;
        house.succeeds(run).await;
    }
    let keeper = |folder: &str| Keeper::new(house.store.clone(), house.clock.clone(), house.folder.path().join(folder));
    assert_eq!(keeper("data").of_folder().round().await.unwrap(), Removed { runs: 0, folders: 0 });
    // the server has another folder, and can remove only what is in the store
    assert_eq!(keeper("elsewhere").round().await.unwrap(), Removed { runs: 2, folders: 0 });
    let worker = keeper("data").of_folder();
    assert_eq!(worker.round().await.unwrap().folders, 0, "what was written today is left alone");
    house.clock.pass(DAY + 3_600);
    assert_eq!(worker.round().await.unwrap().folders, 4, "logs and files of two runs");
    house.clock.pass(10 * DAY);
    assert_eq!(worker.round().await.unwrap().folders, 5, "files of runs stay for ten days");
    house.clock.pass(90 * DAY);
    assert_eq!(
        worker.round().await.unwrap(),
        Removed { runs: 0, folders: 5 },
        "logs go, runs stay for others to remove"
    );
    assert_eq!(house.runs("p").await.len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_is_counted() {
    let house = House::new().await;
    house.put("a.csv", "x\n1\n2\n");
    let before = metrics().snapshot(&house.store);
    let text = "version: 1\nname: p\ntasks:\n  copy: { sync: { from: drop, to: numbers, streams: [a.csv] } }\n  \
                bad: { command: { argv: [\"false\"] }, after: [copy] }\n";
    let document = house.apply("p", text).await;
    let run = house.start("p", document).await;
    assert_eq!(house.ended(run).await.state, RunState::Failed);
    let scheduler = Scheduler::new(house.store.clone(), house.clock.clone(), true);
    scheduler.tick(house.clock.now()).await.unwrap();
    let after = metrics().snapshot(&house.store);
    let runs = (after.runs.started, after.runs.succeeded, after.runs.failed, after.runs.cancelled);
    assert_eq!(runs, (1, 0, 1, 0));
    assert!(after.runs.run_us > 0 && after.runs.run_us < 20_000_000, "{:?}", after.runs);
    assert!(after.store.commits > before.store.commits && after.store.jobs >= after.store.commits);
    let grown = |kind: &str, outcome: Outcome| after.attempts_of(kind, outcome) - before.attempts_of(kind, outcome);
    // other tests of this process count as well
    assert!(grown("sync", Outcome::Succeeded) >= 1 && grown("command", Outcome::Failed) >= 1, "{after:?}");
    assert!(after.rows - before.rows >= 2 && after.bytes > before.bytes && after.ticks > before.ticks);
    assert!(after.attempt_us.iter().sum::<u64>() > before.attempt_us.iter().sum::<u64>());
}
