//! Pipelines as a project has them: which version is the newest, whether they are paused, and what happens to those that
//! the project has no more.

use levada_core::error::{Error, ErrorKind, Result};
use levada_core::id::RunId;
use levada_core::run::{Graph, RunState};
use levada_core::time::Timestamp;

use crate::db::{Signal, Tx};
use crate::documents::{self, Document, Kept, NewDocument};
use crate::runs::{History, admit};
use crate::schedules::{self, NewSchedule};
use crate::views::Bound;
use crate::{Store, views};

/// A pipeline at a glance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pipeline {
    /// Its name.
    pub name: String,
    /// Names the newest version among all documents.
    pub document: i64,
    /// The newest version, counted from 1.
    pub version: u32,
    /// Whether nothing of it starts.
    pub is_paused: bool,
    /// The next fire of its schedules.
    pub next_at: Option<Timestamp>,
    /// Runs that have not ended.
    pub open: u64,
    /// The newest run.
    pub last: Option<LastRun>,
}

/// The newest run of a pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastRun {
    /// Which.
    pub run: RunId,
    /// Where it stands.
    pub state: RunState,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

impl Store {
    /// Keeps a document as the newest version of its pipeline, with its schedules.
    pub async fn apply_pipeline(
        &self,
        document: NewDocument,
        schedules: Vec<NewSchedule>,
        now: Timestamp,
    ) -> Result<Kept> {
        self.db.write(async move |tx: &mut Tx| apply(tx, &document, Some(&schedules), now).await).await
    }

    /// Takes the pipelines out that are not among the names: nothing starts them any more, what runs goes on. Answers which.
    pub async fn remove_other_pipelines(&self, names: Vec<String>) -> Result<Vec<String>> {
        self.db.write(async move |tx: &mut Tx| remove_others(tx, &names).await).await
    }

    /// Pauses a pipeline: its schedules do not fire, and runs that are made wait. What runs goes on. Or resumes it.
    ///
    /// # Errors
    /// `NotFound` where there is no such pipeline.
    pub async fn pause_pipeline(&self, name: String, paused: bool, now: Timestamp) -> Result<()> {
        self.db.write(async move |tx: &mut Tx| pause(tx, &name, paused, now).await).await
    }

    /// The document that new runs of a pipeline follow; none if there is no such pipeline.
    pub async fn pipeline_document(&self, name: String) -> Result<Option<Document>> {
        self.db.read(async move |tx: &mut Tx| document(tx, &name).await).await
    }

    /// The structure that new runs of a pipeline follow; none if there is no such pipeline.
    pub async fn pipeline_graph(&self, name: String) -> Result<Option<Graph>> {
        self.db.read(async move |tx: &mut Tx| current_graph(tx, &name).await).await
    }

    /// Versions of the document of a pipeline, also of one that was taken out: the newest first, from before a version on.
    pub async fn pipeline_versions(&self, name: String, before: Option<i64>, limit: usize) -> Result<Vec<Document>> {
        let before = Bound::Before(before.unwrap_or(i64::MAX));
        self.db.read(async move |tx: &mut Tx| versions(tx, &name, before, limit).await).await
    }

    /// The same, the oldest first, after a version; from the first one on without it.
    pub async fn pipeline_versions_after(
        &self,
        name: String,
        version: Option<i64>,
        limit: usize,
    ) -> Result<Vec<Document>> {
        let from = Bound::From(version.unwrap_or_default().saturating_add(1));
        self.db.read(async move |tx: &mut Tx| versions(tx, &name, from, limit).await).await
    }

    /// The pipelines of the project, in order of their names.
    pub async fn pipelines(&self) -> Result<Vec<Pipeline>> {
        self.db.read(async move |tx: &mut Tx| pipelines(tx).await).await
    }
}

/// Keeps a document; without `schedules`, these stay as they are.
pub(crate) async fn apply(
    tx: &mut Tx,
    document: &NewDocument,
    schedules: Option<&[NewSchedule]>,
    now: Timestamp,
) -> Result<Kept> {
    let kept = documents::keep(tx, document, now).await?;
    documents::set_pipeline(tx, &document.name, kept.id).await?;
    if let Some(schedules) = schedules {
        schedules::set(tx, &document.name, schedules, now).await?;
    }
    // the new version may allow more runs at once
    let mut history = History::new(now);
    admit(tx, &mut history, &document.name).await?;
    history.write(tx).await?;
    Ok(kept)
}

pub(crate) async fn remove_others(tx: &mut Tx, names: &[String]) -> Result<Vec<String>> {
    let mut removed = Vec::new();
    for mut row in tx.rows("SELECT name FROM pipelines WHERE removed = 0 ORDER BY name", &[]).await? {
        let name = row.text()?;
        if names.contains(&name) {
            continue;
        }
        tx.execute("UPDATE pipelines SET removed = 1 WHERE name = $1", &[name.as_str().into()]).await?;
        schedules::remove_all(tx, &name).await?;
        removed.push(name);
    }
    Ok(removed)
}

async fn pause(tx: &mut Tx, name: &str, paused: bool, now: Timestamp) -> Result<()> {
    let sql = "UPDATE pipelines SET paused = $1 WHERE name = $2 AND removed = 0";
    if tx.execute(sql, &[paused.into(), name.into()]).await? == 0 {
        return Err(
            Error::new(ErrorKind::NotFound, format!("there is no pipeline {name}")).advise("List what there is.")
        );
    }
    schedules::pause_all(tx, name, paused).await?;
    let mut history = History::new(now);
    if !paused {
        admit(tx, &mut history, name).await?;
    }
    history.write(tx).await?;
    tx.signal(Signal::Due);
    Ok(())
}

async fn document(tx: &mut Tx, name: &str) -> Result<Option<Document>> {
    let sql = "SELECT d.id, d.version, d.path, d.text, d.applied_at FROM pipelines p \
               JOIN documents d ON d.id = p.document WHERE p.name = $1 AND p.removed = 0";
    tx.row(sql, &[name.into()]).await?.as_mut().map(documents::read).transpose()
}

async fn current_graph(tx: &mut Tx, name: &str) -> Result<Option<Graph>> {
    let sql =
        "SELECT d.graph FROM pipelines p JOIN documents d ON d.id = p.document WHERE p.name = $1 AND p.removed = 0";
    let Some(mut row) = tx.row(sql, &[name.into()]).await? else { return Ok(None) };
    let graph = serde_json::from_str(&row.text()?);
    graph.map(Some).map_err(|error| Error::new(ErrorKind::Internal, format!("the graph of {name}: {error}")))
}

async fn versions(tx: &mut Tx, name: &str, bound: Bound, limit: usize) -> Result<Vec<Document>> {
    let (version, compares, order) = bound.sql();
    let sql = format!(
        "SELECT id, version, path, text, applied_at FROM documents \
         WHERE kind = 'pipeline' AND name = $1 AND version {compares} $2 ORDER BY version {order} LIMIT $3"
    );
    let values = [name.into(), version.into(), limit.into()];
    tx.rows(&sql, &values).await?.iter_mut().map(documents::read).collect()
}

pub(crate) async fn pipelines(tx: &mut Tx) -> Result<Vec<Pipeline>> {
    // the next fires are looked up together: one by one, PostgreSQL can come to go through those of all pipelines each time.
    // `admitted` is always one of the two: with it, both databases find the index of runs that are open
    let sql = "SELECT p.name, p.document, d.version, p.paused, s.next_at, \
               (SELECT COUNT(*) FROM runs r WHERE r.pipeline = p.name AND r.ended_at IS NULL \
               AND r.admitted IN (0, 1)), \
               r.id, r.state, r.created_at, r.ended_at \
               FROM pipelines p JOIN documents d ON d.id = p.document \
               LEFT JOIN (SELECT pipeline, MIN(next_at) AS next_at FROM schedules WHERE kind = 'time' AND paused = 0 \
               AND next_at IS NOT NULL GROUP BY pipeline) s ON s.pipeline = p.name \
               LEFT JOIN runs r ON r.id = (SELECT MAX(l.id) FROM runs l WHERE l.pipeline = p.name) \
               WHERE p.removed = 0 ORDER BY p.name";
    let mut found = Vec::new();
    for mut row in tx.rows(sql, &[]).await? {
        let (name, document, version) = (row.text()?, row.int()?, row.small()?);
        let (is_paused, next_at, open) = (row.flag()?, row.time_or_null()?, row.count()?);
        let last = match row.int_or_null()? {
            Some(run) => Some(LastRun {
                run: RunId(run),
                state: views::run_state(&row.text()?)?,
                created_at: row.time()?,
                ended_at: row.time_or_null()?,
            }),
            None => None,
        };
        found.push(Pipeline { name, document, version, is_paused, next_at, open, last });
    }
    Ok(found)
}
