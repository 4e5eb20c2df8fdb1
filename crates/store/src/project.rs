//! A project as one thing: all its documents are applied in one transaction, and read back as they were applied.

use std::collections::BTreeMap;

use levada_core::error::{Error, ErrorKind, Result};
use levada_core::time::Timestamp;

use crate::Store;
use crate::db::{Dialect, Tx};
use crate::documents::{self, Document, Kept, NewDocument};
use crate::pipelines;
use crate::schedules::NewSchedule;

/// Everything that a project is to be.
#[derive(Debug, Clone)]
pub struct NewProject {
    /// Its own document.
    pub document: NewDocument,
    /// Slots by pool.
    pub pools: BTreeMap<String, u32>,
    /// Every pipeline with its schedules. Those that are not among them are taken out.
    pub pipelines: Vec<(NewDocument, Vec<NewSchedule>)>,
    /// The documents that it was made from; if they are no longer those of the project, nothing is applied. `None` takes
    /// the place of whatever there is.
    pub based_on: Option<Project>,
}

/// What became of the documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The project's own.
    pub document: (Change, Kept),
    /// Each pipeline, in the order given.
    pub pipelines: Vec<(Change, Kept)>,
    /// The pipelines that were taken out, with their paths.
    pub removed: Vec<(String, String)>,
}

/// What became of one document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The project did not have it.
    Created,
    /// It has a new version.
    Changed,
    /// It is what it was.
    Unchanged,
}

/// The documents of a project as they were applied last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Project {
    /// Its own; none if nothing was ever applied.
    pub document: Option<Document>,
    /// Those of its pipelines by name.
    pub pipelines: BTreeMap<String, Document>,
}

impl Project {
    /// Whether both are of the same versions.
    fn is_same(&self, other: &Self) -> bool {
        let ids = |project: &Self| -> Vec<(String, i64)> {
            project.pipelines.iter().map(|(name, document)| (name.clone(), document.id)).collect()
        };
        let own = |project: &Self| project.document.as_ref().map(|document| document.id);
        own(self) == own(other) && ids(self) == ids(other)
    }
}

impl Change {
    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
        }
    }

    fn of(was_there: bool, kept: Kept) -> Self {
        match (was_there, kept.is_new) {
            (false, _) => Self::Created,
            (true, true) => Self::Changed,
            (true, false) => Self::Unchanged,
        }
    }
}

impl Store {
    /// Makes the project what its documents say, all or nothing.
    pub async fn apply(&self, project: NewProject, now: Timestamp) -> Result<Applied> {
        self.db.write(async move |tx: &mut Tx| apply(tx, &project, now).await).await
    }

    /// The project's own document as it was applied last, without those of pipelines.
    pub async fn project_document(&self) -> Result<Option<Document>> {
        let read = async move |tx: &mut Tx| match documents::current_project(tx).await? {
            Some(id) => documents::document(tx, id).await,
            None => Ok(None),
        };
        self.db.read(read).await
    }

    /// Which version of it that is, for whoever keeps what he made of one.
    pub async fn project_document_id(&self) -> Result<Option<i64>> {
        self.db.read(async move |tx: &mut Tx| documents::current_project(tx).await).await
    }

    /// The documents as they were applied last.
    pub async fn project(&self) -> Result<Project> {
        self.db.read(async move |tx: &mut Tx| project(tx).await).await
    }
}

async fn apply(tx: &mut Tx, new: &NewProject, now: Timestamp) -> Result<Applied> {
    alone(tx).await?;
    let before = project(tx).await?;
    if new.based_on.as_ref().is_some_and(|based_on| !based_on.is_same(&before)) {
        return Err(Error::new(ErrorKind::Busy, "the documents were changed meanwhile"));
    }
    let kept = documents::keep(tx, &new.document, now).await?;
    let document = (Change::of(before.document.is_some(), kept), kept);
    let before = before.pipelines;
    // rows of pipelines are always locked in one order, and before those of pools
    let mut places: Vec<usize> = (0..new.pipelines.len()).collect();
    places.sort_by_key(|place| new.pipelines.get(*place).map(|(document, _)| &document.name));
    let mut changes = BTreeMap::new();
    for place in places {
        let Some((document, schedules)) = new.pipelines.get(place) else { continue };
        let kept = pipelines::apply(tx, document, Some(schedules), now).await?;
        changes.insert(place, (Change::of(before.contains_key(&document.name), kept), kept));
    }
    let names: Vec<String> = new.pipelines.iter().map(|(document, _)| document.name.clone()).collect();
    let removed = pipelines::remove_others(tx, &names).await?;
    documents::set_pools(tx, &new.pools).await?;
    let path = |name: String| {
        let path = before.get(&name).map(|document| document.path.clone()).unwrap_or_default();
        (name, path)
    };
    let removed = removed.into_iter().map(path).collect();
    Ok(Applied { document, pipelines: changes.into_values().collect(), removed })
}

/// One process at a time applies, so that versions are counted without a gap. SQLite has one writer only.
async fn alone(tx: &mut Tx) -> Result<()> {
    match tx.dialect() {
        Dialect::Sqlite => Ok(()),
        Dialect::Postgres => tx.script("SELECT pg_advisory_xact_lock(6224073, hashtext(current_schema()::text))").await,
    }
}

async fn project(tx: &mut Tx) -> Result<Project> {
    let mut found = Project::default();
    if let Some(id) = documents::current_project(tx).await? {
        found.document = documents::document(tx, id).await?;
    }
    let sql = "SELECT p.name, d.id, d.version, d.path, d.text, d.applied_at FROM pipelines p \
               JOIN documents d ON d.id = p.document WHERE p.removed = 0 ORDER BY p.name";
    for mut row in tx.rows(sql, &[]).await? {
        found.pipelines.insert(row.text()?, documents::read(&mut row)?);
    }
    Ok(found)
}
