//! A project that lives: real `levada serve` and `levada worker` processes on a store of their own, which tests start, stop
//! and kill, and a look at the store from outside.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use levada_core::config::{File, Project, Variables};
use levada_core::id::RunId;
use levada_core::run::{Event, Policy, RunState, State, advance};
use levada_core::secret::Secret;
use levada_core::time::{Clock as _, Timestamp};
use levada_engine::house::SystemClock;
use levada_store::{Happening, Kind, Location, NewDocument, NewRun, Run, Store, TaskRun};
use levada_testkit::services;
use tempfile::TempDir;

use crate::support::{Database, LEVADA, psql};

/// A project with a store, and the processes that work for it.
pub struct House {
    folder: TempDir,
    database: Option<String>,
    runtime: tokio::runtime::Runtime,
    pub store: Store,
    project: Option<i64>,
    runs: u64,
}

/// A process of the house; it is killed with the test.
pub struct Process {
    child: Child,
    arguments: Vec<String>,
}

impl House {
    /// A house on SQLite.
    pub fn sqlite() -> Self {
        let folder = TempDir::new().unwrap();
        let location = Location::File(folder.path().join(".levada/levada.db"));
        Self::on(folder, None, &location)
    }

    /// A house on PostgreSQL, in a database of its own.
    pub fn postgres(name: &str) -> Self {
        let admin = url::Url::parse(&services::postgres()).unwrap();
        let url = Database::postgres(name).url();
        let query = admin.query().map(|query| format!("?{query}")).unwrap_or_default();
        let url = format!("{}{query}", url.split('?').next().unwrap());
        Self::on(TempDir::new().unwrap(), Some(url.clone()), &Location::Url(Secret::new(url)))
    }

    fn on(folder: TempDir, database: Option<String>, location: &Location) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let store = runtime.block_on(Store::open(location)).unwrap();
        Self { folder, database, runtime, store, project: None, runs: 0 }
    }

    /// The project's folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What the tasks have written into a file of the project's folder, by line.
    pub fn lines(&self, file: &str) -> Vec<String> {
        let text = fs::read_to_string(self.folder().join(file)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Keeps the project's document.
    pub fn project(&mut self, text: &str) {
        fs::write(self.folder().join("levada.yaml"), text).unwrap();
        let pools = Project::of([&File::parse("levada.yaml", text).unwrap()]).pools;
        self.project = Some(self.keep(Kind::Project, "", text));
        self.block_on(self.store.set_pools(pools)).unwrap();
    }

    /// Keeps a pipeline, and answers its version.
    pub fn pipeline(&self, name: &str, text: &str) -> i64 {
        self.keep(Kind::Pipeline, name, text)
    }

    fn keep(&self, kind: Kind, name: &str, text: &str) -> i64 {
        let path = if name.is_empty() { "levada.yaml".to_owned() } else { format!("{name}.yaml") };
        let graph = (kind == Kind::Pipeline).then(|| {
            let file = File::parse(&path, text).unwrap();
            let shared = fs::read_to_string(self.folder().join("levada.yaml")).unwrap_or("version: 1".to_owned());
            let shared = File::parse("levada.yaml", &shared).unwrap();
            let env = |_: &str| None;
            let secret = |_: &str| Ok(None);
            let variables = Variables { env: &env, secret: &secret, params: BTreeMap::new(), runtime: None };
            file.pipeline(&Project::of([&file, &shared]), &variables).unwrap().0.graph()
        });
        let document = NewDocument { kind, name: name.to_owned(), path, text: text.to_owned(), graph };
        self.block_on(self.store.keep_document(document, now())).unwrap().id
    }

    /// Makes a run of a version of a pipeline.
    pub fn start(&mut self, name: &str, document: i64) -> RunId {
        self.runs += 1;
        let mut new = NewRun::manual(name, document, format!("test:{}", self.runs));
        new.project = self.project;
        self.block_on(self.store.create_run(new, now())).unwrap().run
    }

    /// Starts a process: `serve` or `worker` with options.
    pub fn process(&self, arguments: &[&str]) -> Process {
        let mut process = Process {
            arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
            child: Command::new("true").spawn().unwrap(),
        };
        self.revive(&mut process);
        process
    }

    /// Starts a process that was killed once more.
    pub fn revive(&self, process: &mut Process) {
        process.child.wait().unwrap();
        let errors = fs::OpenOptions::new().create(true).append(true).open(self.folder().join("stderr")).unwrap();
        let mut command = Command::new(LEVADA);
        command.args(&process.arguments).current_dir(self.folder()).env_remove("LEVADA_DATABASE");
        if let Some(database) = &self.database {
            command.env("LEVADA_DATABASE", database);
        }
        process.child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors).spawn().unwrap();
    }

    /// What a command of the binary prints.
    pub fn levada(&self, arguments: &[&str]) -> std::process::Output {
        Command::new(LEVADA).args(arguments).current_dir(self.folder()).output().unwrap()
    }

    /// Whether something comes true in time.
    pub fn eventually(&self, limit: Duration, mut look: impl FnMut(&Self) -> bool) -> bool {
        let start = Instant::now();
        while !look(self) {
            if start.elapsed() > limit {
                return false;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        true
    }

    /// Waits for the end of a run; tells all about it if it does not come in time.
    pub fn ended(&self, run: RunId, limit: Duration) -> RunState {
        if !self.eventually(limit, |house| house.run(run).ended_at.is_some()) {
            let tasks = self.tasks(run);
            let errors = self.lines("stderr").join("\n");
            panic!("run {run} has not ended after {limit:?}: {tasks:#?}\n{errors}");
        }
        self.run(run).state
    }

    pub fn run(&self, run: RunId) -> Run {
        self.block_on(self.store.run(run)).unwrap().unwrap()
    }

    pub fn runs(&self) -> Vec<Run> {
        let filter = levada_store::RunFilter { limit: 1_000, ..Default::default() };
        self.block_on(self.store.runs(filter)).unwrap()
    }

    pub fn tasks(&self, run: RunId) -> Vec<TaskRun> {
        self.block_on(self.store.task_runs(run)).unwrap()
    }

    /// The only task of a run.
    pub fn task(&self, run: RunId) -> TaskRun {
        self.tasks(run).remove(0)
    }

    pub fn cancel(&self, run: RunId) {
        self.block_on(self.store.stop_run(run, now())).unwrap();
    }

    /// The whole history of a run.
    pub fn history(&self, run: RunId) -> Vec<Happening> {
        let mut found: Vec<Happening> = Vec::new();
        loop {
            let after = found.last().map_or(0, |last| last.id);
            let page = self.block_on(self.store.happenings(run, after, 1_000)).unwrap();
            if page.is_empty() {
                return found;
            }
            found.extend(page);
        }
    }

    /// Nothing is counted wrong, and the history of a run is one that the state machine allows.
    pub fn check(&self, run: RunId) {
        assert_eq!(self.block_on(self.store.audit()).unwrap(), Vec::<String>::new());
        let mut states: BTreeMap<_, (State, u32)> = BTreeMap::new();
        for line in self.history(run) {
            let Some(task_run) = line.task_run else { continue };
            let (state, attempt) = states.entry(task_run).or_insert((State::Queued, 0));
            // how often it may fail or be lost is left open: only where events lead is checked
            let policies = [1, 9].map(|most| Policy {
                retry: levada_core::config::Retry { attempts: most, ..Default::default() },
                lost_max: most - 1,
                ..Policy::default()
            });
            let events = Event::ALL.into_iter().filter(|event| event.name() == line.event);
            let next = events
                .flat_map(|event| policies.map(|policy| advance(*state, event, line.at, &policy)))
                .find_map(|next| next.ok().filter(|next| next.name() == line.state));
            let next = next.unwrap_or_else(|| panic!("{state:?} cannot become {} by {}", line.state, line.event));
            *attempt += u32::from(line.event == "claimed");
            assert_eq!(*attempt, line.attempt, "the attempt of {line:?}");
            *state = next;
        }
    }

    /// Processes that tasks of this project have started and that still live.
    pub fn orphans(&self) -> Vec<PathBuf> {
        let own = format!("LEVADA_RUN_DIR={}", self.folder().display());
        let carries = |process: &PathBuf| {
            let environment = fs::read(process.join("environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|entry| entry.starts_with(own.as_bytes()))
        };
        fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path()).filter(carries).collect()
    }

    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }
}

impl Process {
    pub fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// SIGKILL, and gone.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The exit code, if it ends in time.
    pub fn exit_code(&mut self, limit: Duration) -> Option<i32> {
        let start = Instant::now();
        while start.elapsed() < limit {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        None
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if let Some(url) = &self.database {
            let name = url::Url::parse(url).unwrap().path().trim_start_matches('/').to_owned();
            let admin = Database::admin();
            let drop_it = || psql(&admin, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(drop_it));
        }
    }
}

pub fn now() -> Timestamp {
    SystemClock.now()
}
