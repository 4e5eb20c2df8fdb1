//! What starts pipelines by itself: schedules by time, and triggers by files, datasets and the ends of other pipelines.
//!
//! A schedule remembers the first fire that has not been seen to. It stays where it is while the schedule is paused, so
//! that its catch-up rule decides on resumption about what was missed, as it does after a time in which nothing ran.
//! Events, on the other hand, are of the moment: a load or an end that happens during a pause starts nothing later.

use std::time::Duration;

use levada_core::error::{Error, ErrorKind, Result};
use levada_core::run::RunState;
use levada_core::schedule::{Catchup, Schedule};
use levada_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Store;
use crate::db::{Signal, Tx, Value};
use crate::runs::{Cause, Created, History, NewRun, create, create_run};

/// Most missed fires of one schedule that are made up for at once.
pub const CATCHUP_MAX: usize = 100;
/// A fire that is not older is on time, even if missed ones are not made up for.
pub const GRACE: Duration = Duration::from_secs(60);

/// A schedule as a pipeline's document has it.
#[derive(Debug, Clone)]
pub struct NewSchedule {
    /// Its name, unique in its pipeline.
    pub name: String,
    /// What it does.
    pub spec: Spec,
    /// Whether it is paused when it is new; later only people pause and resume it.
    pub paused: bool,
}

/// What a schedule does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    /// What makes it fire.
    pub when: When,
    /// Which missed fires are made up for.
    #[serde(default)]
    pub catchup: Catchup,
    /// The parameters of its runs.
    #[serde(default)]
    pub params: serde_json::Map<String, serde_json::Value>,
}

/// What makes a schedule fire.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// Time.
    Time(Schedule),
    /// The end of a run of another pipeline in one of these states.
    Pipeline {
        /// The pipeline.
        name: String,
        /// The states.
        states: Vec<RunState>,
    },
    /// The load of a dataset.
    Dataset(String),
    /// The arrival of files.
    File {
        /// The connection.
        connection: String,
        /// The path or wildcard.
        path: String,
        /// How often they are looked for.
        every: Duration,
    },
}

/// A schedule as the store knows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Scheduled {
    /// The pipeline.
    pub pipeline: String,
    /// The schedule.
    pub name: String,
    /// What it does.
    pub spec: Spec,
    /// Whether it is paused by itself.
    pub is_paused: bool,
    /// Whether its pipeline is.
    pub is_pipeline_paused: bool,
    /// The next fire, or the next look at the files.
    pub next_at: Option<Timestamp>,
    /// The last fire.
    pub last_at: Option<Timestamp>,
}

/// What came of looking at the schedules that are due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fired {
    /// Runs made.
    pub runs: usize,
    /// Fires that were missed and are not made up for.
    pub dropped: usize,
    /// The next fire of any schedule; not later than now if there is more to do.
    pub next: Option<Timestamp>,
}

/// Files that are to be looked for.
#[derive(Debug, Clone, PartialEq)]
pub struct FileWatch {
    /// The pipeline.
    pub pipeline: String,
    /// Its schedule.
    pub schedule: String,
    /// The connection.
    pub connection: String,
    /// The path or wildcard.
    pub path: String,
    /// Whether files count that are there when they are looked for the first time.
    pub catchup: Catchup,
    /// The pipeline's document.
    pub document: i64,
    /// The project's.
    pub project: Option<i64>,
    /// What the last look left behind.
    pub memo: Option<String>,
}

/// What came of looking for files.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FileLook {
    /// What the next look is to know.
    pub memo: Option<String>,
    /// Names the files that are new, if there are any.
    pub occasion: Option<String>,
    /// Parameters of the run that they start.
    pub params: serde_json::Map<String, serde_json::Value>,
}

/// Why a schedule does not fire, as bits of a column; 0 means that it does.
const BY_ITSELF: i64 = 1;
const BY_PIPELINE: i64 = 2;
const REMOVED: i64 = 4;

impl Store {
    /// Fires the schedules by time that are due, `limit` at most, in one transaction.
    pub async fn fire_due(&self, now: Timestamp, limit: usize) -> Result<Fired> {
        let fired = self.db.write(async move |tx: &mut Tx| fire_due(tx, now, limit).await).await?;
        let next = self.db.read(async move |tx: &mut Tx| next_at(tx, "time").await).await?;
        Ok(Fired { next, ..fired })
    }

    /// When the next schedule fires, or files are looked for.
    pub async fn next_fire(&self) -> Result<Option<Timestamp>> {
        let next = async move |tx: &mut Tx| {
            let times = [next_at(tx, "time").await?, next_at(tx, "file").await?];
            Ok(times.into_iter().flatten().min())
        };
        self.db.read(next).await
    }

    /// The files to look for now.
    pub async fn due_files(&self, now: Timestamp) -> Result<Vec<FileWatch>> {
        self.db.read(async move |tx: &mut Tx| due_files(tx, now).await).await
    }

    /// When files are next to be looked for.
    pub async fn next_files(&self) -> Result<Option<Timestamp>> {
        self.db.read(async move |tx: &mut Tx| next_at(tx, "file").await).await
    }

    /// Notes what a look at files left behind. With an `occasion` a run is made, once for each. Does nothing for a schedule
    /// that was paused meanwhile, or of which another process has noted something since the watch was read.
    pub async fn files_seen(&self, watch: FileWatch, look: FileLook, now: Timestamp) -> Result<Option<Created>> {
        self.db.write(async move |tx: &mut Tx| files_seen(tx, &watch, &look, now).await).await
    }

    /// The schedules of a pipeline, or of all.
    pub async fn schedules(&self, pipeline: Option<String>) -> Result<Vec<Scheduled>> {
        self.db.read(async move |tx: &mut Tx| schedules(tx, pipeline.as_deref()).await).await
    }

    /// Pauses or resumes one schedule.
    ///
    /// # Errors
    /// `NotFound` where there is no such schedule.
    pub async fn pause_schedule(&self, pipeline: String, name: String, paused: bool) -> Result<()> {
        let pause = async move |tx: &mut Tx| {
            if set_paused(tx, &pipeline, Some(&name), BY_ITSELF, paused).await? == 0 {
                let message = format!("the pipeline {pipeline} has no schedule {name}");
                return Err(Error::new(ErrorKind::NotFound, message).advise("List what there is."));
            }
            Ok(())
        };
        self.db.write(pause).await
    }
}

/// Makes the schedules of a pipeline what its document says. One that stays as it was keeps its next fire, its pause and
/// its memory; of one that changed, the new rule holds from the first fire that was not seen to.
pub(crate) async fn set(tx: &mut Tx, pipeline: &str, new: &[NewSchedule], now: Timestamp) -> Result<()> {
    let lock = tx.lock("s");
    let sql = format!("SELECT s.name, s.spec, s.next_at, s.paused FROM schedules s WHERE s.pipeline = $1{lock}");
    let mut known = std::collections::BTreeMap::new();
    for mut row in tx.rows(&sql, &[pipeline.into()]).await? {
        known.insert(row.text()?, (row.text()?, row.time_or_null()?, row.int()?));
    }
    let is_paused = tx.row("SELECT paused FROM pipelines WHERE name = $1", &[pipeline.into()]).await?;
    let by_pipeline = if is_paused.map_or(Ok(false), |mut row| row.flag())? { BY_PIPELINE } else { 0 };
    tx.later("DELETE FROM triggers WHERE pipeline = $1", &[pipeline.into()]).await?;
    for schedule in new {
        let spec = serde_json::to_string(&schedule.spec)
            .map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?;
        add_triggers(tx, pipeline, schedule).await?;
        let (memo_stays, unseen, paused) = match known.remove(&schedule.name) {
            Some((before, _, paused)) if before == spec && paused & REMOVED == 0 => continue,
            Some((before, next_at, paused)) => {
                let unseen = next_at.filter(|_| paused & REMOVED == 0);
                (before == spec, unseen, (paused & BY_ITSELF) | by_pipeline)
            }
            None => (false, None, if schedule.paused { BY_ITSELF | by_pipeline } else { by_pipeline }),
        };
        let from = unseen.map_or(now, |at| at.minus(Duration::from_micros(1)).min(now));
        let (kind, next_at) = match &schedule.spec.when {
            When::Time(rule) => ("time", rule.next_after(from)),
            When::File { .. } => ("file", Some(now)),
            When::Pipeline { .. } | When::Dataset(_) => ("event", None),
        };
        let sql = "INSERT INTO schedules (pipeline, name, kind, spec, paused, next_at) VALUES ($1, $2, $3, $4, $5, $6) \
                   ON CONFLICT (pipeline, name) DO UPDATE SET kind = $3, spec = $4, paused = $5, next_at = $6, \
                   memo = CASE WHEN $7 = 1 THEN schedules.memo ELSE NULL END";
        let values = [
            pipeline.into(),
            schedule.name.as_str().into(),
            kind.into(),
            spec.into(),
            paused.into(),
            next_at.into(),
            memo_stays.into(),
        ];
        tx.later(sql, &values).await?;
    }
    for name in known.into_keys() {
        tx.later("DELETE FROM schedules WHERE pipeline = $1 AND name = $2", &[pipeline.into(), name.into()]).await?;
    }
    tx.signal(Signal::Due);
    Ok(())
}

/// The events that a schedule waits for, by the names under which they are announced.
async fn add_triggers(tx: &mut Tx, pipeline: &str, schedule: &NewSchedule) -> Result<()> {
    let (kind, keys) = match &schedule.spec.when {
        When::Pipeline { name, states } => {
            ("pipeline", states.iter().map(|state| format!("{name}:{}", state.name())).collect())
        }
        When::Dataset(name) => ("dataset", vec![name.clone()]),
        When::Time(_) | When::File { .. } => return Ok(()),
    };
    for key in keys {
        let sql = "INSERT INTO triggers (kind, key, pipeline, schedule) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
        tx.later(sql, &[kind.into(), key.into(), pipeline.into(), schedule.name.as_str().into()]).await?;
    }
    Ok(())
}

/// Pauses or resumes the schedules of a pipeline for its sake.
pub(crate) async fn pause_all(tx: &mut Tx, pipeline: &str, paused: bool) -> Result<()> {
    set_paused(tx, pipeline, None, BY_PIPELINE, paused).await.map(drop)
}

/// Turns the schedules of a pipeline off for good.
pub(crate) async fn remove_all(tx: &mut Tx, pipeline: &str) -> Result<()> {
    set_paused(tx, pipeline, None, REMOVED, true).await.map(drop)
}

async fn set_paused(tx: &mut Tx, pipeline: &str, name: Option<&str>, reason: i64, paused: bool) -> Result<u64> {
    // the reason's bit is set or cleared, the others stay
    let sql = "UPDATE schedules SET paused = (paused & $1) | $2 WHERE pipeline = $3 AND ($4 = '' OR name = $4)";
    let set = if paused { reason } else { 0 };
    tx.signal(Signal::Due);
    tx.execute(sql, &[(!reason).into(), set.into(), pipeline.into(), name.unwrap_or_default().into()]).await
}

/// A schedule that is due.
struct Pending {
    pipeline: String,
    name: String,
    spec: String,
    next_at: Timestamp,
    document: i64,
}

pub(crate) async fn fire_due(tx: &mut Tx, now: Timestamp, limit: usize) -> Result<Fired> {
    let lock = tx.lock_free("s");
    let sql = format!(
        "SELECT s.pipeline, s.name, s.spec, s.next_at, p.document FROM schedules s JOIN pipelines p ON p.name = s.pipeline \
         WHERE s.kind = 'time' AND s.paused = 0 AND s.next_at IS NOT NULL AND s.next_at <= $1 \
         ORDER BY s.next_at LIMIT $2{lock}"
    );
    let mut pending = Vec::new();
    for mut row in tx.rows(&sql, &[now.into(), limit.into()]).await? {
        let (pipeline, name, spec) = (row.text()?, row.text()?, row.text()?);
        pending.push(Pending { pipeline, name, spec, next_at: row.time()?, document: row.int()? });
    }
    // rows of pipelines are always locked in one order
    pending.sort_by(|a, b| (&a.pipeline, &a.name).cmp(&(&b.pipeline, &b.name)));
    let mut history = History::new(now);
    let mut fired = Fired::default();
    let project = if pending.is_empty() { None } else { crate::documents::current_project(tx).await? };
    let mut runs = Vec::new();
    for schedule in pending {
        runs.extend(fire(tx, now, &mut fired, &schedule, project).await?);
    }
    fired.runs = create(tx, &mut history, &runs).await?.iter().filter(|created| created.is_new).count();
    history.write(tx).await?;
    Ok(fired)
}

/// The runs that a schedule asks for; it is set to its next fire.
async fn fire(
    tx: &mut Tx,
    now: Timestamp,
    fired: &mut Fired,
    schedule: &Pending,
    project: Option<i64>,
) -> Result<Vec<NewRun>> {
    let Pending { pipeline, name, spec, next_at, document } = schedule;
    let spec = read(spec)?;
    let When::Time(rule) = &spec.when else { return Ok(Vec::new()) };
    let seen = next_at.minus(Duration::from_micros(1));
    let due = spec.catchup.due(rule, seen, now, GRACE, CATCHUP_MAX);
    let mut runs = Vec::with_capacity(due.fires.len());
    for fire in &due.fires {
        let mut new = NewRun::manual(pipeline, *document, format!("schedule:{pipeline}/{name}:{fire}"));
        new.cause = Cause::Schedule;
        new.project = project;
        new.schedule = Some(name.clone());
        new.fire_time = Some(*fire);
        new.params = params(&spec);
        runs.push(new);
    }
    fired.dropped += due.dropped;
    let sql = "UPDATE schedules SET next_at = $1, last_at = COALESCE($2, last_at) WHERE pipeline = $3 AND name = $4";
    let next = rule.next_after(now);
    let last = due.fires.last().copied();
    tx.later(sql, &[next.into(), last.into(), pipeline.as_str().into(), name.as_str().into()]).await?;
    Ok(runs)
}

pub(crate) async fn next_at(tx: &mut Tx, kind: &str) -> Result<Option<Timestamp>> {
    let sql = "SELECT MIN(next_at) FROM schedules WHERE kind = $1 AND paused = 0 AND next_at IS NOT NULL";
    tx.row(sql, &[kind.into()]).await?.map_or(Ok(None), |mut row| row.time_or_null())
}

/// Most files looked for at once.
const WATCHES_MAX: i64 = 500;

async fn due_files(tx: &mut Tx, now: Timestamp) -> Result<Vec<FileWatch>> {
    let sql = format!(
        "SELECT s.pipeline, s.name, s.spec, s.memo, p.document FROM schedules s JOIN pipelines p ON p.name = s.pipeline \
         WHERE s.kind = 'file' AND s.paused = 0 AND s.next_at IS NOT NULL AND s.next_at <= $1 \
         ORDER BY s.next_at LIMIT {WATCHES_MAX}"
    );
    let project = crate::documents::current_project(tx).await?;
    let mut watches = Vec::new();
    for mut row in tx.rows(&sql, &[now.into()]).await? {
        let (pipeline, schedule, spec, memo) = (row.text()?, row.text()?, read(&row.text()?)?, row.text_or_null()?);
        if let When::File { connection, path, .. } = spec.when {
            let (catchup, document) = (spec.catchup, row.int()?);
            watches.push(FileWatch { pipeline, schedule, connection, path, catchup, document, project, memo });
        }
    }
    Ok(watches)
}

async fn files_seen(tx: &mut Tx, watch: &FileWatch, look: &FileLook, now: Timestamp) -> Result<Option<Created>> {
    let lock = tx.lock("s");
    let sql = format!(
        "SELECT s.spec, s.memo, p.document FROM schedules s JOIN pipelines p ON p.name = s.pipeline \
         WHERE s.pipeline = $1 AND s.name = $2 AND s.kind = 'file' AND s.paused = 0{lock}"
    );
    let (pipeline, name) = (watch.pipeline.as_str(), watch.schedule.as_str());
    let Some(mut row) = tx.row(&sql, &[pipeline.into(), name.into()]).await? else { return Ok(None) };
    let (mut spec, memo, document) = (read(&row.text()?)?, row.text_or_null()?, row.int()?);
    let When::File { connection, path, every } = &spec.when else { return Ok(None) };
    if (connection, path, &memo) != (&watch.connection, &watch.path, &watch.memo) {
        return Ok(None);
    }
    let last = look.occasion.as_ref().map(|_| now);
    let sql = "UPDATE schedules SET memo = $1, next_at = $2, last_at = COALESCE($3, last_at) \
               WHERE pipeline = $4 AND name = $5";
    let values: [Value; 5] =
        [look.memo.clone().into(), now.plus(*every).into(), last.into(), pipeline.into(), name.into()];
    tx.later(sql, &values).await?;
    let Some(occasion) = &look.occasion else { return Ok(None) };
    let mut new = NewRun::manual(pipeline, document, format!("trigger:{pipeline}/{name}:{occasion}"));
    new.cause = Cause::Trigger;
    new.project = crate::documents::current_project(tx).await?;
    new.schedule = Some(name.to_owned());
    new.fire_time = Some(now);
    spec.params.extend(look.params.clone());
    new.params = params(&spec);
    create_run(tx, new, now).await.map(Some)
}

async fn schedules(tx: &mut Tx, pipeline: Option<&str>) -> Result<Vec<Scheduled>> {
    let sql = format!(
        "SELECT pipeline, name, spec, paused, next_at, last_at FROM schedules \
         WHERE paused < {REMOVED} AND ($1 = '' OR pipeline = $1) ORDER BY pipeline, name"
    );
    let mut found = Vec::new();
    for mut row in tx.rows(&sql, &[pipeline.unwrap_or_default().into()]).await? {
        let (pipeline, name, spec, paused) = (row.text()?, row.text()?, read(&row.text()?)?, row.int()?);
        found.push(Scheduled {
            pipeline,
            name,
            spec,
            is_paused: paused & BY_ITSELF != 0,
            is_pipeline_paused: paused & BY_PIPELINE != 0,
            next_at: row.time_or_null()?,
            last_at: row.time_or_null()?,
        });
    }
    Ok(found)
}

/// The parameters that a schedule gives its runs, a JSON object.
pub(crate) async fn params_of(tx: &mut Tx, pipeline: &str, schedule: &str) -> Result<String> {
    let sql = "SELECT spec FROM schedules WHERE pipeline = $1 AND name = $2";
    match tx.row(sql, &[pipeline.into(), schedule.into()]).await? {
        Some(mut row) => read(&row.text()?).map(|spec| params(&spec)),
        None => Ok("{}".to_owned()),
    }
}

fn params(spec: &Spec) -> String {
    serde_json::Value::Object(spec.params.clone()).to_string()
}

fn read(spec: &str) -> Result<Spec> {
    serde_json::from_str(spec)
        .map_err(|error| Error::new(ErrorKind::Internal, format!("a stored schedule cannot be read: {error}")))
}
