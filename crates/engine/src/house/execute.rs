//! From a claim to what its task does: finds the version of the documents that the run follows, resolves every reference,
//! and hands the work to the module that knows its kind.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use levada_core::config::{
    self, Channel, Commands, File, ForEach, NamedChannel, Reference, RunKey, Task, Variables, Work,
};
use levada_core::connector::Registry;
use levada_core::error::{Context, Error, ErrorKind, Result};
use levada_core::id::WorkerId;
use levada_core::quality::TestResult;
use levada_core::redact::Redactor;
use levada_core::time::{Clock, Timestamp};
use levada_store::{Claim, NewProgress, Store};
use serde_json::{Map, Value as Json};
use tokio_util::sync::CancellationToken;

use super::doors_here;
use super::log_files::{file_name, log_path};
use super::moving::Moving;
use super::worker::{Done, Execute, Executed};
use crate::connections::{self, Opened};
use crate::log::TaskLog;
use crate::metrics::{self, metrics};
use crate::network::Network;
use crate::progress::Progress;
use crate::queries;
use crate::report::Report;
use crate::task::run_files::run_folder;
use crate::task::{Outcome, TaskContext, command, http, processes};

/// How long a task that has run out of time may take to end.
const STOP_LIMIT: Duration = Duration::from_secs(15);
/// How long a look may take that comes when the time of its task is over.
const LAST_LOOK: Duration = Duration::from_secs(10);
/// Most versions of documents kept in memory.
const DOCUMENTS_MAX: usize = 500;

/// Environment variables by name.
pub type Env = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;
/// Secrets by name.
pub type Secrets = Arc<dyn Fn(String) -> BoxFuture<'static, Result<Option<String>>> + Send + Sync>;

/// What the executor is given.
pub struct Surroundings {
    /// Every connector of this build.
    pub registry: Registry,
    /// The metadata.
    pub store: Store,
    /// What instant it is.
    pub clock: Arc<dyn Clock>,
    /// Environment variables.
    pub env: Env,
    /// Secrets.
    pub secrets: Secrets,
    /// Where requests of tasks may go.
    pub network: Arc<Network>,
    /// The project's folder.
    pub project_dir: PathBuf,
    /// Where logs and the files of runs lie.
    pub data_dir: PathBuf,
    /// Whether this process runs commands; no document allows what it does not.
    pub commands: Commands,
    /// Whether the runs that tasks start belong to the worker.
    pub own: bool,
    /// Who wants to see how it goes.
    pub observer: Arc<dyn Observer>,
}

/// Sees how task runs go, while they do.
pub trait Observer: Send + Sync {
    /// Is told something of a task run.
    fn see<'a>(&'a self, claim: &'a Claim, seen: Seen<'a>) -> BoxFuture<'a, ()>;
}

/// What there is to see of a task run, in this order.
pub enum Seen<'a> {
    /// An attempt starts.
    Started(&'a Work),
    /// Rows are moved, and these are the figures.
    Moves(Arc<Progress>),
    /// It has ended.
    Moved(Report),
    /// The tests of a dataset have found this.
    Tested(&'a [TestResult]),
    /// The attempt has ended.
    Ended(&'a Result<Executed>),
}

/// Sees nothing.
pub struct Nobody;

impl Observer for Nobody {
    fn see<'a>(&'a self, _: &'a Claim, _: Seen<'a>) -> BoxFuture<'a, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// Executes task runs.
pub struct Executor {
    pub(super) around: Surroundings,
    pub(super) moving: Moving,
    documents: Mutex<HashMap<Versions, Arc<Documents>>>,
}

/// The versions of a pipeline's document and of the project's.
type Versions = (i64, Option<i64>);

/// The documents that a run follows.
pub(super) struct Documents {
    pub file: File,
    pub project: config::Project,
    /// Names of secrets that any of them mentions.
    secrets: Vec<String>,
    /// Whether tasks can ask for what tasks before them put out.
    use_outputs: bool,
}

/// One attempt, with all that it needs.
pub(super) struct Attempt<'a> {
    pub claim: &'a Claim,
    pub worker: WorkerId,
    pub documents: &'a Documents,
    pub job: Job,
    pub params: BTreeMap<String, String>,
    pub secrets: BTreeMap<String, String>,
    pub context: TaskContext,
}

/// What an attempt is about.
pub(super) enum Job {
    /// What a task does.
    Task(Box<Task>),
    /// The items that it does it for.
    Items(ForEach),
}

impl Executor {
    /// An executor in its surroundings.
    pub fn new(around: Surroundings) -> Self {
        Self { around, moving: Moving::default(), documents: Mutex::new(HashMap::new()) }
    }

    async fn run(&self, claim: &Claim, worker: WorkerId, stop: CancellationToken) -> Result<Executed> {
        let documents = self.documents(claim.document, claim.project).await?;
        let mut attempt = self.attempt(claim, worker, &documents, stop.clone()).await?;
        if let Job::Task(task) = &attempt.job {
            self.around.observer.see(claim, Seen::Started(&task.work)).await;
        }
        if !attempt.looks_again() {
            attempt.context.log.sys(&format!("attempt {} of task {}", claim.attempt, claim.task));
        }
        let own_stop = stop.child_token();
        attempt.context.stop = own_stop.clone();
        let (left, started) = (attempt.time_left(self.around.clock.now()), Instant::now());
        let result = {
            let work = self.work(&attempt);
            tokio::pin!(work);
            tokio::select! {
                result = &mut work => result,
                () = sleep(left) => {
                    own_stop.cancel();
                    let _ = tokio::time::timeout(STOP_LIMIT, &mut work).await;
                    Err(out_of_time(attempt.timeout().unwrap_or_default()))
                }
            }
        };
        let (result, loads, tests) = match result {
            Ok(Executed::Failed { error, loads, tests }) => (Err(error), loads, tests),
            result => (result, Vec::new(), Vec::new()),
        };
        let outcome = match &result {
            Ok(Executed::Deferred { .. }) => metrics::Outcome::Deferred,
            Ok(_) => metrics::Outcome::Succeeded,
            Err(_) if stop.is_cancelled() => metrics::Outcome::Stopped,
            Err(_) => metrics::Outcome::Failed,
        };
        metrics().attempt(attempt.job.kind(), outcome, started.elapsed());
        // other systems quote what they were given
        let result = result.map_err(|error| attempt.context.redactor.error(error));
        match &result {
            Ok(Executed::Deferred { .. }) if attempt.looks_again() => {}
            Ok(_) => attempt.context.log.sys("ended"),
            Err(error) => attempt.context.log.sys(&format!("failed: {error}")),
        }
        match attempt.context.log.close().and(result) {
            Err(error) if !loads.is_empty() || !tests.is_empty() => Ok(Executed::Failed { error, loads, tests }),
            result => result,
        }
    }

    async fn work(&self, attempt: &Attempt<'_>) -> Result<Executed> {
        let task = match &attempt.job {
            Job::Items(items) => return self.items(attempt, items).await,
            Job::Task(task) => task,
        };
        match &task.work {
            Work::Sync(sync) => self.sync(attempt, task, sync).await,
            Work::Sql(sql) => self.sql(attempt, task, sql).await,
            Work::Check(check) => self.check(attempt, check).await,
            Work::Command(command) => {
                let allowed = attempt.documents.project.commands.max(self.around.commands);
                if let Some((message, advice)) = allowed.refusal() {
                    return Err(Error::new(ErrorKind::Refused, message).advise(advice));
                }
                if attempt.claim.attempt > 1 {
                    // a worker that was killed, or does not know yet that it is not asked any more, may have left processes
                    for left in processes::attempts_in(&attempt.context.run_dir).await? {
                        processes::kill_by_cookie(&left.cookie).await?;
                    }
                }
                command::execute(command, &attempt.context).await.map(executed)
            }
            Work::Http(request) => {
                self.avoid_doors().await?;
                http::execute(request, &attempt.context).await.map(executed)
            }
            Work::Notify(notify) => {
                self.avoid_doors().await?;
                self.notify(attempt, notify).await
            }
            Work::Pipeline(start) => self.pipeline(attempt, start, task.timeout).await,
            Work::Wait(wait) => self.wait(attempt, wait, task.timeout).await,
            Work::Backup(backup) => self.backup(attempt, task, backup).await,
            Work::Restore(restore) => self.restore(attempt, task, restore).await,
        }
    }

    /// Keeps requests from servers of this store on this machine, whenever they were started.
    async fn avoid_doors(&self) -> Result<()> {
        let ports = doors_here(&self.around.store).await?;
        self.around.network.others_answer_at(ports);
        Ok(())
    }

    /// Versions of documents, parsed once for all that follow them.
    pub(super) async fn documents(&self, document: i64, project: Option<i64>) -> Result<Arc<Documents>> {
        let key = (document, project);
        let known = self.documents.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let pipeline = self.text(document).await?;
        let project = match project {
            Some(id) => Some(self.text(id).await?),
            None => None,
        };
        let file = File::parse(&pipeline.0, &pipeline.1).map_err(first)?;
        let others = project.as_ref().map(|(path, text)| File::parse(path, text)).transpose().map_err(first)?;
        let texts = std::iter::once(&pipeline).chain(&project).map(|(_, text)| text.as_str());
        let secrets = texts.flat_map(config::secret_names).map(str::to_owned).collect();
        let project = config::Project::of(std::iter::once(&file).chain(&others));
        let use_outputs = pipeline.1.contains("${tasks.") || pipeline.1.contains("command");
        let documents = Arc::new(Documents { file, project, secrets, use_outputs });
        let mut kept = self.documents.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= DOCUMENTS_MAX {
            kept.clear();
        }
        kept.insert(key, documents.clone());
        Ok(documents)
    }

    async fn text(&self, document: i64) -> Result<(String, String)> {
        let found = self.around.store.document(document).await?;
        let missing = || Error::new(ErrorKind::NotFound, "the version of the document that the run follows is gone");
        found.map(|document| (document.path, document.text)).ok_or_else(missing)
    }

    /// Resolves all that the task says.
    async fn attempt<'a>(
        &self,
        claim: &'a Claim,
        worker: WorkerId,
        documents: &'a Documents,
        stop: CancellationToken,
    ) -> Result<Attempt<'a>> {
        let secrets = self.secrets(documents).await?;
        let known = Redactor::new(secrets.values().map(String::as_str))?;
        let first = |errors: Vec<Error>| known.error(first(errors));
        let given: Map<String, Json> = serde_json::from_str(&claim.params).unwrap_or_default();
        let given = given.into_iter().map(|(name, value)| (name, text_of(&value))).collect();
        let outputs = if documents.use_outputs { self.outputs(claim).await? } else { BTreeMap::new() };
        let item: Option<Json> = claim.item.as_deref().and_then(|item| serde_json::from_str(item).ok());
        let resolve = |reference: &Reference| Ok(resolve(reference, claim, &outputs, item.as_ref()));
        let env = |name: &str| (self.around.env)(name);
        let secret = |name: &str| Ok(secrets.get(name).cloned());
        let mut variables = Variables { env: &env, secret: &secret, params: given, runtime: Some(&resolve) };
        let params = documents.file.params(&variables).map_err(first)?;
        variables.params = params.clone();
        let job = match claim.is_split {
            true => Job::Items(documents.file.items(&claim.task, &variables).map_err(first)?),
            false => {
                let task = documents.file.task(&claim.task, &documents.project, &variables).map_err(first)?;
                Job::Task(Box::new(task))
            }
        };
        let in_use = match &job {
            Job::Task(task) => self.secrets_in_use(task, &documents.project, &variables),
            Job::Items(_) => Vec::new(),
        };
        let redactor = match in_use.is_empty() {
            true => known,
            false => Redactor::new(secrets.values().chain(&in_use).map(String::as_str))?,
        };
        let redactor = Arc::new(redactor);
        let item_index = claim.item_index.and_then(|index| usize::try_from(index).ok());
        let name = file_name(&claim.task, item_index);
        let log = log_path(&self.around.data_dir, claim.run, &claim.task, item_index, claim.attempt);
        let context = TaskContext {
            run: claim.run,
            task_run: claim.task_run,
            attempt: claim.attempt,
            pipeline: claim.pipeline.clone(),
            task: claim.task.clone(),
            item,
            fire_time: claim.fire_time,
            run_dir: run_folder(&self.around.data_dir, claim.run).join(name),
            project_dir: self.around.project_dir.clone(),
            inputs: serde_json::json!({ "params": params, "tasks": outputs }),
            log: TaskLog::new(log, redactor.clone(), self.around.clock.clone()),
            redactor,
            network: self.around.network.clone(),
            stop,
            memo: claim
                .memo
                .as_deref()
                .and_then(|memo| serde_json::from_str(memo).ok())
                .filter(|memo| *memo != Json::Null),
        };
        Ok(Attempt { claim, worker, documents, job, params, secrets, context })
    }

    /// What the tasks of the run have put out so far.
    async fn outputs(&self, claim: &Claim) -> Result<BTreeMap<String, Json>> {
        let texts = self.around.store.outputs(claim.run).await?;
        let parse = |text: String| serde_json::from_str(&text).unwrap_or_default();
        Ok(texts.into_iter().map(|(task, text)| (task, parse(text))).collect())
    }

    /// The values of all secrets that the documents mention.
    pub(super) async fn secrets(&self, documents: &Documents) -> Result<BTreeMap<String, String>> {
        let mut values = BTreeMap::new();
        for name in &documents.secrets {
            let value = (self.around.secrets)(name.clone()).await?;
            values.extend(value.map(|value| (name.clone(), value)));
        }
        Ok(values)
    }

    /// The secrets that a task is given otherwise than by their names: in plain, or by variables of the environment.
    fn secrets_in_use(&self, task: &Task, project: &config::Project, variables: &Variables<'_>) -> Vec<String> {
        let names = queries::connections(&self.around.registry, task);
        let used = project.connections.iter().filter(|connection| names.contains(&connection.name));
        let mut found = task.work.secrets();
        found.extend(used.flat_map(|used| connections::secrets(&self.around.registry, used, variables)));
        if let Work::Notify(notify) = &task.work {
            let channel = project.channels.iter().find(|channel| channel.name == notify.channel);
            match channel.and_then(|channel| channel.settings(variables).ok()) {
                Some(Channel::Webhook(url) | Channel::Slack(url)) => found.push(url.expose().to_owned()),
                Some(Channel::Email(email)) => found.extend(email.password.map(|secret| secret.expose().to_owned())),
                None => {}
            }
        }
        found
    }

    /// Opens a connection that the attempt may use.
    pub(super) fn open(&self, attempt: &Attempt<'_>, name: &str) -> Result<Opened> {
        let found = attempt.documents.project.connections.iter().find(|connection| connection.name == name);
        let missing = || Error::new(ErrorKind::Config, format!("there is no connection `{name}`"));
        let connection = found.ok_or_else(missing)?;
        self.with_variables(attempt, |variables| connections::open(&self.around.registry, connection, variables))
    }

    /// The settings of a channel.
    pub(super) fn channel(&self, attempt: &Attempt<'_>, channel: &NamedChannel) -> Result<Channel> {
        self.with_variables(attempt, |variables| channel.settings(variables))
    }

    fn with_variables<T>(
        &self,
        attempt: &Attempt<'_>,
        look: impl FnOnce(&Variables<'_>) -> Result<T, Vec<Error>>,
    ) -> Result<T> {
        let env = |name: &str| (self.around.env)(name);
        let secret = |name: &str| Ok(attempt.secrets.get(name).cloned());
        look(&Variables { env: &env, secret: &secret, params: attempt.params.clone(), runtime: None }).map_err(first)
    }
}

impl Job {
    fn kind(&self) -> &'static str {
        match self {
            Self::Task(task) => task.work.kind(),
            Self::Items(_) => "items",
        }
    }
}

impl Attempt<'_> {
    /// How long its task may take.
    fn timeout(&self) -> Option<Duration> {
        match &self.job {
            Job::Task(task) => task.timeout,
            Job::Items(_) => None,
        }
    }

    /// How long this attempt may take. A task that only looks at something counts its time over all its looks; the last of
    /// them comes when that time is over.
    fn time_left(&self, now: Timestamp) -> Option<Duration> {
        let timeout = self.timeout()?;
        let looks = matches!(&self.job, Job::Task(task) if matches!(task.work, Work::Wait(_) | Work::Pipeline(_)));
        if !looks {
            return Some(timeout);
        }
        let left = self.since(now).plus(timeout).since(now);
        Some(if left.is_zero() { LAST_LOOK } else { left })
    }

    /// Whether it has looked before. A look that finds what the one before it found says nothing, and so leaves no log.
    fn looks_again(&self) -> bool {
        self.context.memo.is_some()
    }

    /// When a task that looks again and again looked first.
    pub(super) fn since(&self, now: Timestamp) -> Timestamp {
        let memo = self.context.memo.as_ref();
        memo.and_then(|memo| Timestamp::parse(memo.get("since")?.as_str()?)).unwrap_or(now)
    }
}

impl Execute for Executor {
    fn execute(&self, claim: Claim, worker: WorkerId, stop: CancellationToken) -> BoxFuture<'_, Result<Executed>> {
        Box::pin(async move {
            let result = self.run(&claim, worker, stop).await.at(format!("task `{}`", claim.task));
            self.around.observer.see(&claim, Seen::Ended(&result)).await;
            result
        })
    }

    fn progress(&self) -> Vec<NewProgress> {
        self.moving.look()
    }
}

fn executed(outcome: Outcome) -> Executed {
    match outcome {
        Outcome::Done { outputs, .. } => {
            let outputs = (!outputs.is_empty()).then(|| Json::Object(outputs).to_string());
            Executed::Done(Done { outputs, ..Done::default() })
        }
        Outcome::Deferred { until, memo } => Executed::Deferred { until, wake_on: None, memo: memo.to_string() },
        Outcome::Expanded { items } => Executed::Expanded { items: items.iter().map(Json::to_string).collect() },
    }
}

/// What a reference stands for in a run.
fn resolve(
    reference: &Reference,
    claim: &Claim,
    outputs: &BTreeMap<String, Json>,
    item: Option<&Json>,
) -> Option<Json> {
    let fire_time = claim.fire_time.unwrap_or(claim.created_at);
    match reference {
        Reference::Output { task, key } => outputs.get(task)?.get(key).cloned(),
        Reference::Item(None) => item.map(|item| match item {
            // of a row of a query, the first value
            Json::Object(row) => row.values().next().cloned().unwrap_or_default(),
            other => other.clone(),
        }),
        Reference::Item(Some(key)) => item?.get(key).cloned(),
        Reference::Run(RunKey::Id) => Some(claim.run.0.into()),
        Reference::Run(RunKey::Pipeline) => Some(claim.pipeline.clone().into()),
        Reference::Run(RunKey::FireTime) => Some(fire_time.to_string().into()),
        Reference::Run(RunKey::Date) => Some(fire_time.to_string().chars().take(10).collect::<String>().into()),
    }
}

/// A value as the text that stands for it in a document.
fn text_of(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Of several mistakes the first; documents were checked as a whole before.
pub(super) fn first(errors: Vec<Error>) -> Error {
    errors.into_iter().next().unwrap_or_else(|| Error::new(ErrorKind::Internal, "a document cannot be read"))
}

pub(super) fn out_of_time(limit: Duration) -> Error {
    Error::new(ErrorKind::Task, format!("the task took longer than its timeout of {} s", limit.as_secs_f64()))
        .advise("Raise `timeout`; what was committed stays.")
}

async fn sleep(timeout: Option<Duration>) {
    match timeout {
        Some(timeout) => tokio::time::sleep(timeout).await,
        None => std::future::pending().await,
    }
}
