//! One sync: plans every stream before it touches any, then takes each through read, map, write and commit, tries again
//! what can succeed later, and reports the proof.

pub mod checkpoint;
mod extract;
mod fingerprint;
mod lane;
mod load;
pub mod met;
pub mod plan;
mod replay;
mod sent_rows;
mod targets;
mod transform;
mod verify;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use levada_core::config::{Retry, StreamOptions, Sync, Verify};
use levada_core::connector::Connection;
use levada_core::destination::{Durable, Load, LoadEnd, WriteMode};
use levada_core::error::{Context, Error, ErrorKind, Result};
use levada_core::source::{Extract, ReadMode, ReadRequest, StreamInfo};
use levada_core::transform::Transform;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::channel::Channel;
use crate::progress::{Phase, Progress, StreamProgress};
use crate::report::{Failure, Proof, Report, StreamReport};
use checkpoint::{OverlapFilter, State};
use lane::{CutOff, Lanes, RejectBin};
use plan::{Ends, Planned};
use transform::Columns;
use verify::{Mapping, Sent, Side};

pub use replay::replay;

/// What a batch aims for in memory where the budget allows it.
const BATCH_BYTES_MAX: usize = 4 << 20;
/// How long a load that failed may take to clean up behind itself, and one that was interrupted, whose process is waited for.
const ABORT_LIMIT: Duration = Duration::from_secs(30);
const ABORT_LIMIT_STOPPED: Duration = Duration::from_secs(4);
/// How often a commit whose answer was lost is looked for, one second apart.
const COMMIT_LOOKUPS: u32 = 20;

/// One sync to carry out.
pub struct SyncJob {
    /// Names the stored positions: `pipeline/task`, or the source's address.
    pub pipeline: String,
    /// What to do.
    pub sync: Sync,
    /// The connection named by `sync.from`.
    pub source: Arc<dyn Connection>,
    /// The connection named by `sync.to`.
    pub destination: Arc<dyn Connection>,
    /// Whether the source's namespaces are kept in the destination (both have them).
    pub keep_namespaces: bool,
    /// Whether stored positions are ignored and every target is replaced.
    pub full_refresh: bool,
    /// Only this stream, by its name at the source.
    pub only_stream: Option<String>,
    /// What the load is for, told from everything else that ever loads the stream: what is committed for it is not done again, when
    /// the answer was lost with a worker. `None` where a load can be done twice.
    pub once: Option<String>,
    /// How often and when a stream that failed for a passing reason is tried again.
    pub retry: Retry,
    /// Ends the run when cancelled.
    pub stop: CancellationToken,
}

impl SyncJob {
    /// Readers per stream at most.
    fn readers(&self) -> usize {
        self.sync.parallel.readers.map_or_else(cores, usize::from)
    }

    /// Writers per stream at most.
    fn writers(&self) -> usize {
        self.sync.parallel.writers.map_or_else(cores, usize::from)
    }

    /// Bytes of batches between the reading and the end of the writing; what encoding them takes is the rest.
    fn channel_bytes(&self) -> usize {
        usize::try_from(self.sync.memory_bytes / 2).unwrap_or(usize::MAX)
    }

    /// What one batch aims for: each reader and each writer has one, and as many wait between them.
    fn batch_bytes(&self) -> usize {
        let batches = 2 * (self.readers() + self.writers());
        (self.channel_bytes() / batches).clamp(64 << 10, BATCH_BYTES_MAX)
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from).clamp(1, 8)
}

/// Plans every stream of a job, and changes nothing.
///
/// # Errors
/// The first stream that cannot be planned; `Config` if two streams have one target.
pub async fn plan_all(job: &SyncJob) -> Result<Vec<Planned>> {
    let ends = Ends::open(job)?;
    let mut planned: Vec<Planned> = Vec::new();
    let selected = plan::select(job, &ends).await?;
    let targets = targets::names(job, ends.destination.as_ref(), &selected).await?;
    for ((info, options), target) in selected.into_iter().zip(targets) {
        let name = info.name.clone();
        if job.only_stream.as_ref().is_some_and(|only| *only != name) {
            continue;
        }
        let next = plan::plan(job, &ends, info, options, target).await.at(format!("stream `{name}`"))?;
        if let Some(twin) = planned.iter().find(|other| other.spec.target == next.spec.target) {
            return Err(Error::new(
                ErrorKind::Config,
                format!("streams `{}` and `{name}` would both load into `{}`", twin.info.name, next.spec.target),
            )
            .advise("Give one of them another target with `rename`."));
        }
        planned.push(next);
    }
    Ok(planned)
}

/// The full name of every stream's target, by the stream's name. Changes nothing.
///
/// # Errors
/// What looking at the streams or reading the stored commits failed with.
pub async fn targets_of(job: &SyncJob) -> Result<Vec<(String, String)>> {
    let ends = Ends::open(job)?;
    let selected = plan::select(job, &ends).await?;
    let targets = targets::names(job, ends.destination.as_ref(), &selected).await?;
    Ok(selected.into_iter().zip(targets).map(|((info, _), target)| (info.name, target)).collect())
}

/// Carries out a job. A stream that fails does not stop the others; its error stands in the report. In a job that is
/// stopped, the streams that were not done yet report that they were interrupted.
///
/// # Errors
/// What makes the whole job impossible, found before anything moved.
pub async fn run(job: SyncJob, progress: Arc<Progress>) -> Result<Report> {
    let stopped = || Error::new(ErrorKind::Interrupted, "the run was stopped");
    let planned = tokio::select! {
        biased;
        () = job.stop.cancelled() => return Err(stopped()),
        planned = plan_all(&job) => planned?,
    };
    let mut report = Report::default();
    for first in planned {
        let stream = run_stream(&job, first, &progress).await;
        report.streams.push(stream);
    }
    Ok(report)
}

/// Tries one stream until it succeeds, fails for good, or the attempts are used up.
async fn run_stream(job: &SyncJob, planned: Planned, progress: &Progress) -> StreamReport {
    let figures = progress.start(&planned.info.name, planned.info.rows_estimate);
    let (info, options, target) = (planned.info.clone(), planned.options.clone(), planned.spec.target.clone());
    let mut report = StreamReport {
        stream: planned.info.name.clone(),
        target: planned.spec.target.clone(),
        load_id: String::new(),
        proof: Proof::default(),
        quarantine: None,
        changes: crate::report::Changes::default(),
        bytes: 0,
        seconds: 0.0,
        bound: None,
        route: "arrow",
        attempts: 0,
        warnings: Vec::new(),
        met: None,
        error: None,
    };
    let mut planned = Some(planned);
    let mut failed = 0;
    let error = loop {
        report.attempts += 1;
        let tried = match planned.take() {
            Some(planned) => try_stream(job, planned, &figures, &mut report).await,
            None => again(job, &info, &options, &target, &figures, &mut report).await,
        };
        match tried {
            Ok(None) => break None,
            Ok(Some(error)) if job.stop.is_cancelled() => break Some(error),
            Ok(Some(error)) => {
                failed = 0;
                report.warnings.push(format!(
                    "the read was cut off; the {} rows read so far are committed, and it went on from there: {error}",
                    report.proof.read
                ));
            }
            Err(error) => {
                failed += 1;
                let retry = error.kind().policy().retry && failed < job.retry.attempts && !job.stop.is_cancelled();
                if !retry {
                    break Some(error);
                }
                report.warnings.push(format!("attempt {} failed and was repeated: {error}", report.attempts));
                figures.restart();
            }
        }
        let pause = job.retry.pause(failed, uuid::Uuid::new_v4().as_u64_pair().0);
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = job.stop.cancelled() => {}
        }
    };
    figures.end();
    let snapshot = figures.snapshot();
    report.seconds = snapshot.seconds;
    report.bytes = snapshot.bytes_read;
    report.bound = Some(snapshot.bound);
    report.error = error.map(|error| Failure::from(&error.at(format!("stream `{}`", info.name))));
    report
}

async fn again(
    job: &SyncJob,
    info: &StreamInfo,
    options: &StreamOptions,
    target: &str,
    figures: &Arc<StreamProgress>,
    report: &mut StreamReport,
) -> Result<Option<Error>> {
    let ends = Ends::open(job)?;
    let found = ends.source.discover(Some(&info.name)).await?;
    let fresh = found.into_iter().find(|other| other.name == info.name).unwrap_or_else(|| info.clone());
    let planned = plan::plan(job, &ends, fresh, options.clone(), target.to_owned()).await?;
    try_stream(job, planned, figures, report).await
}

/// One attempt: read, map, write, commit, verify. Whatever fails before the commit leaves nothing behind. Gives the error
/// that cut the read off, if there is more to read.
async fn try_stream(
    job: &SyncJob,
    planned: Planned,
    figures: &Arc<StreamProgress>,
    report: &mut StreamReport,
) -> Result<Option<Error>> {
    let ends = Ends::open(job)?;
    if job.once.is_some() && job.once == planned.state.once {
        return done_before(&ends, &planned, report).await.map(|()| None);
    }
    report.load_id.clone_from(&planned.spec.load_id);
    report.route = if planned.plan.raw.is_some() { "raw" } else { "arrow" };
    let mut load = tokio::select! {
        biased;
        () = job.stop.cancelled() => return Err(Error::new(ErrorKind::Interrupted, "the run was stopped")),
        load = ends.destination.begin(planned.spec.clone(), planned.plan.clone()) => load.at(format!("connection `{}`", job.sync.to))?,
    };
    let attempt = async {
        let extract = ends.source.read(planned.request.clone()).await.at(format!("connection `{}`", job.sync.from))?;
        refuse_doubled(&planned, &extract)?;
        report.warnings.extend(extract.warnings.iter().cloned());
        let end_position = extract.position.clone();
        let transform = planned.plan.raw.is_none().then(|| columns_of(&planned));
        let lanes = pump(job, &planned, extract, load.as_mut(), transform, figures).await?;
        let proof = prove(&lanes)?;
        let known = lanes.rejects.len();
        let cut_off = lanes.cut_off.take();
        let end_position = lanes.position().or(end_position);
        let position = cut_off.as_ref().map_or(end_position, |cause| cause.position().cloned());
        let end = LoadEnd {
            state: state_after(job, &planned, position, &lanes)?,
            rows_written: proof.written,
            rejects: lanes.rejects.take(),
            replayed: None,
        };
        figures.enter(Phase::Commit);
        let durable = commit(&ends, &planned, load.as_mut(), end).await?;
        Ok::<_, Error>((proof, durable, lanes, cut_off, known))
    };
    let outcome = tokio::select! {
        biased;
        () = job.stop.cancelled() => Err(Error::new(ErrorKind::Interrupted, "the run was stopped")),
        outcome = attempt => outcome,
    };
    let (mut proof, durable, lanes, cut_off, known) = match outcome {
        Ok(done) => done,
        Err(error) => {
            give_up(load, &job.stop).await;
            return Err(error);
        }
    };
    drop(load);
    proof.written = proof.written.saturating_sub(durable.rejected);
    proof.rejected += durable.rejected;
    figures.rejected(durable.rejected);
    let refused = durable.rejected;
    report.changes.add(durable);
    if let Some(sent) = &lanes.sent {
        figures.enter(Phase::Verify);
        forget_refused(&ends, &planned, sent, known, refused).await?;
        proof.verified = Some(compare(&ends, &planned, sent).await?);
    }
    if proof.rejected > 0 {
        report.quarantine = ends.destination.quarantine(&planned.spec.target, &planned.spec.load_id);
    }
    report.proof.add(proof);
    report.met = Some(met::Met::of(&ends, &planned, proof).await);
    Ok(cut_off)
}

/// Lets a load clean up behind itself; nobody waits for long once the run is stopped.
async fn give_up(load: Box<dyn Load>, stop: &CancellationToken) {
    let hurried = async {
        stop.cancelled().await;
        tokio::time::sleep(ABORT_LIMIT_STOPPED).await;
    };
    tokio::select! {
        () = load.abort() => {}
        () = hurried => {}
        () = tokio::time::sleep(ABORT_LIMIT) => {}
    }
}

/// Reports what an attempt committed of which nobody heard.
async fn done_before(ends: &Ends, planned: &Planned, report: &mut StreamReport) -> Result<()> {
    if planned.options.verify == Verify::Checksum {
        let message = "the load is committed, and was interrupted before its content was compared";
        let advice = "Compare it yourself, or start a new run. Nothing was loaded twice.";
        return Err(Error::new(ErrorKind::Refused, message).advise(advice));
    }
    let Some(commit) = ends.destination.committed(&planned.spec.key).await? else {
        return Err(Error::new(ErrorKind::Refused, "the commit of this load was there, and is gone"));
    };
    let (written, rejected) = (commit.rows_written, commit.rows_rejected);
    report.proof.add(Proof { read: written + rejected, repeated: 0, written, rejected, verified: None });
    report.warnings.push("an attempt before had committed this load; it was not done again".to_owned());
    if rejected > 0 {
        report.quarantine = ends.destination.quarantine(&planned.spec.target, &commit.load_id);
    }
    report.load_id = commit.load_id;
    Ok(())
}

/// Rows that are appended must not have been loaded before.
fn refuse_doubled(planned: &Planned, extract: &Extract) -> Result<()> {
    let (Some(first), WriteMode::Append) = (extract.again.first(), planned.spec.write) else { return Ok(()) };
    let others = match extract.again.len() - 1 {
        0 => String::new(),
        more => format!(" (and {more} more)"),
    };
    let message = format!("`{first}`{others} was loaded before and has changed: `append` would load its rows twice");
    Err(Error::new(ErrorKind::Refused, message).advise(
        "Give the stream a `key`, so that rows are merged; or add rows in new files. `--full-refresh` loads all files anew.",
    ))
}

/// Moves all rows from the readers to the writers. The first failure ends everything.
async fn pump(
    job: &SyncJob,
    planned: &Planned,
    extract: Extract,
    load: &mut dyn Load,
    transform: Option<Arc<dyn Transform>>,
    figures: &Arc<StreamProgress>,
) -> Result<Arc<Lanes>> {
    let writers = load.writers().await?;
    let channel_bytes = job.channel_bytes();
    let key: Vec<usize> =
        planned.spec.key_columns.iter().filter_map(|key| planned.plan.schema.index_of(key).ok()).collect();
    let sent = || Sent::new(planned.spec.write, &planned.plan.schema, key, job.sync.memory_bytes);
    let overlap = || OverlapFilter::new(planned.state.overlap.clone(), planned.overlap_columns.clone());
    let lanes = Arc::new(Lanes {
        channel: Channel::new(channel_bytes, first_batch(planned, channel_bytes), extract.readers.len())
            .telling(figures.bytes_held()),
        transform,
        overlap: (!planned.overlap_columns.is_empty()).then(overlap),
        sent: (planned.options.verify == Verify::Checksum).then(sent),
        rejects: RejectBin::new(planned.spec.quarantine),
        // Rows after the position that was reached come again, which only a merge can bear.
        cut_off: CutOff::new(planned.spec.write == WriteMode::Merge),
        rows_read: AtomicU64::new(0),
        rows_written: AtomicU64::new(0),
        position: std::sync::Mutex::default(),
        progress: figures.clone(),
    });
    let mut tasks = JoinSet::new();
    for (number, reader) in extract.readers.into_iter().enumerate() {
        tasks.spawn(extract::extract(reader, number, lanes.clone()));
    }
    for writer in writers {
        tasks.spawn(load::load(writer, lanes.clone()));
    }
    while let Some(ended) = tasks.join_next().await {
        let failure = match ended {
            Ok(Ok(())) => continue,
            Ok(Err(error)) => error,
            Err(crash) => Error::new(ErrorKind::Internal, format!("a task of the load crashed: {crash}")),
        };
        lanes.channel.close();
        tasks.shutdown().await;
        return Err(failure);
    }
    Ok(lanes)
}

/// What the first batch will take: a row at least. Where nobody knows how long rows are, one reader finds out before the
/// others begin; not in an incremental read, which may pass over most of a table before it finds a row.
fn first_batch(planned: &Planned, channel_bytes: usize) -> usize {
    let (bytes, rows) = (planned.info.bytes_estimate, planned.info.rows_estimate.filter(|rows| *rows > 0));
    let per_row = bytes.zip(rows).and_then(|(bytes, rows)| usize::try_from(bytes / rows).ok());
    let unknown = if planned.request.mode == ReadMode::Full { channel_bytes } else { 0 };
    per_row.unwrap_or(unknown).max(planned.request.batch_bytes)
}

fn columns_of(planned: &Planned) -> Arc<dyn Transform> {
    Arc::new(Columns::new(planned.rules.clone(), planned.plan.schema.clone()))
}

/// The counts of both sides; a load that does not add up must not be committed.
fn prove(lanes: &Lanes) -> Result<Proof> {
    let proof = Proof {
        read: lanes.rows_read(),
        repeated: lanes.overlap.as_ref().map_or(0, OverlapFilter::repeated),
        written: lanes.rows_written.load(Relaxed),
        rejected: lanes.rejects.len(),
        verified: None,
    };
    if proof.holds() {
        return Ok(proof);
    }
    let Proof { read, repeated, written, rejected, .. } = proof;
    Err(Error::new(
        ErrorKind::Internal,
        format!("the counts do not add up: read {read}, repeated {repeated}, written {written}, rejected {rejected}"),
    )
    .advise("Nothing was committed. Run again; if it happens twice, please report it."))
}

fn state_after(
    job: &SyncJob,
    planned: &Planned,
    position: Option<levada_core::position::Position>,
    lanes: &Lanes,
) -> Result<serde_json::Value> {
    let state = State {
        position: position.or_else(|| planned.state.position.clone()),
        overlap: lanes.overlap.as_ref().and_then(OverlapFilter::next),
        names: planned.names.clone(),
        once: job.once.clone(),
    };
    serde_json::to_value(state).map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))
}

/// Commits; if the answer is lost, asks the destination whether the commit happened.
async fn commit(ends: &Ends, planned: &Planned, load: &mut dyn Load, end: LoadEnd) -> Result<Durable> {
    let rejects = end.rejects.len() as u64;
    let error = match load.commit(end).await {
        Ok(durable) => return Ok(durable),
        Err(error) if error.kind() == ErrorKind::Connect => error,
        Err(error) => return Err(error),
    };
    for _ in 0..COMMIT_LOOKUPS {
        match ends.destination.committed(&planned.spec.key).await {
            Ok(Some(found)) if found.load_id == planned.spec.load_id => {
                let rejected = found.rows_rejected.saturating_sub(rejects);
                return Ok(Durable { inserted: found.rows_written, rejected, ..Durable::default() });
            }
            Ok(_) => return Err(error),
            Err(_) => tokio::time::sleep(Duration::from_secs(1)).await,
        }
    }
    Err(Error::new(ErrorKind::Refused, format!("the connection broke during the commit: {}", error.message())).advise(
        "The destination holds either all of the load or nothing; run again, and it will go on from what is there.",
    ))
}

/// Takes out of what was sent the rows that the target refused in the commit; in the quarantine they follow those that were
/// `known` before it.
async fn forget_refused(ends: &Ends, planned: &Planned, sent: &Sent, known: u64, refused: u64) -> Result<()> {
    let number = |count| usize::try_from(count).unwrap_or(usize::MAX);
    if refused > 0 {
        let rejects = ends.destination.rejects(&planned.spec.load_id, number(known), number(refused)).await;
        sent.remove(&rejects.at("verify")?);
    }
    Ok(())
}

/// Compares the destination with what was sent.
async fn compare(ends: &Ends, planned: &Planned, sent: &Sent) -> Result<u64> {
    let target = &planned.spec.target;
    let found = ends.target.discover(Some(target)).await?.into_iter().next();
    let info = found.ok_or_else(|| Error::new(ErrorKind::NotFound, format!("`{target}` is gone after the load")))?;
    let fields = planned.plan.schema.fields().iter().map(|field| {
        let read = info.schema.field_with_name(field.name()).cloned();
        read.map_err(|_| Error::new(ErrorKind::NotFound, format!("column `{}` is gone after the load", field.name())))
    });
    let columns = Arc::new(arrow_schema::Schema::new(fields.collect::<Result<Vec<_>>>()?));
    let all = |stream: StreamInfo, columns| ReadRequest {
        stream,
        columns,
        mode: ReadMode::Full,
        raw: None,
        only: Vec::new(),
        limit: None,
        readers: 1,
        batch_bytes: planned.request.batch_bytes,
    };
    let read_back = Side {
        source: ends.target.as_ref(),
        request: all(info, columns),
        map: Mapping::Cast(planned.plan.schema.clone()),
    };
    let again = Side {
        source: ends.source.as_ref(),
        request: all(planned.info.clone(), planned.request.columns.clone()),
        map: Mapping::Transform(columns_of(planned)),
    };
    sent.compare(read_back, again).await.at("verify")
}
