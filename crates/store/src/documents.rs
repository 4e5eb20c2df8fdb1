//! Versions of documents: the text as a person wrote it, comments included, and the structure that runs follow. A version
//! never changes; a run keeps the one it started with.

use std::collections::BTreeMap;

use levada_core::error::Result;
use levada_core::run::Graph;
use levada_core::time::Timestamp;
use sha2::{Digest, Sha256};

use crate::db::{Row, Signal, Tx, Value, list};

/// What a document describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The connections, pools and channels.
    Project,
    /// One pipeline.
    Pipeline,
    /// The connections of a single run from a file, which change nothing for other runs.
    LocalProject,
    /// The pipeline of a single run from a file.
    LocalPipeline,
}

impl Kind {
    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Project => "project",
            Self::Pipeline => "pipeline",
            Self::LocalProject => "local_project",
            Self::LocalPipeline => "local_pipeline",
        }
    }
}

/// A document to keep.
#[derive(Debug, Clone)]
pub struct NewDocument {
    /// What it describes.
    pub kind: Kind,
    /// The pipeline's name; empty for the project.
    pub name: String,
    /// The file, relative to the project's folder.
    pub path: String,
    /// The text.
    pub text: String,
    /// The structure, for a pipeline.
    pub graph: Option<Graph>,
}

/// A version of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Names the version among all documents.
    pub id: i64,
    /// Counts from 1.
    pub version: u32,
    /// The file, relative to the project's folder.
    pub path: String,
    /// The text.
    pub text: String,
    /// When it was applied.
    pub applied_at: Timestamp,
}

/// A kept version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// Names the version among all documents.
    pub id: i64,
    /// Counts from 1.
    pub version: u32,
    /// Whether it differs from the version before.
    pub is_new: bool,
}

/// The hash by which versions are told apart: SHA-256 of path, graph and text, in hexadecimal digits.
fn hash(document: &NewDocument, graph: &str) -> String {
    let mut hash = Sha256::new();
    for part in [&document.path, &document.text, graph] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Keeps a document as its newest version, unless it is that already.
pub(crate) async fn keep(tx: &mut Tx, document: &NewDocument, now: Timestamp) -> Result<Kept> {
    let graph =
        document.graph.as_ref().map(serde_json::to_string).transpose().map_err(|error| {
            levada_core::error::Error::new(levada_core::error::ErrorKind::Internal, error.to_string())
        })?;
    let hash = hash(document, graph.as_deref().unwrap_or_default());
    let kind = document.kind.name();
    let newest = "SELECT id, version, hash FROM documents WHERE kind = $1 AND name = $2 ORDER BY version DESC LIMIT 1";
    let mut version = 1_u32;
    if let Some(mut row) = tx.row(newest, &[kind.into(), document.name.as_str().into()]).await? {
        let (id, last, last_hash) = (row.int()?, row.small()?, row.text()?);
        if last_hash == hash {
            return Ok(Kept { id, version: last, is_new: false });
        }
        version = last + 1;
    }
    let insert = "INSERT INTO documents (kind, name, version, path, text, hash, graph, applied_at) \
                  VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id";
    let values = [
        kind.into(),
        document.name.as_str().into(),
        version.into(),
        document.path.as_str().into(),
        document.text.as_str().into(),
        hash.into(),
        graph.into(),
        now.into(),
    ];
    let id = match tx.row(insert, &values).await? {
        Some(mut row) => row.int()?,
        None => 0,
    };
    Ok(Kept { id, version, is_new: true })
}

/// Makes a version the one that new runs of a pipeline follow.
pub(crate) async fn set_pipeline(tx: &mut Tx, name: &str, document: i64) -> Result<()> {
    let sql = "INSERT INTO pipelines (name, document) VALUES ($1, $2) \
               ON CONFLICT (name) DO UPDATE SET document = $2, removed = 0";
    tx.execute(sql, &[name.into(), document.into()]).await?;
    tx.signal(Signal::Work);
    Ok(())
}

/// Makes pools what the project says.
pub(crate) async fn set_pools(tx: &mut Tx, pools: &BTreeMap<String, u32>) -> Result<()> {
    let gone = format!("DELETE FROM pools WHERE name NOT IN {}", list(pools.len(), 1));
    if pools.is_empty() {
        tx.execute("DELETE FROM pools", &[]).await?;
    } else {
        let names: Vec<Value> = pools.keys().map(|name| name.as_str().into()).collect();
        tx.execute(&gone, &names).await?;
    }
    for (name, slots) in pools {
        // the row stays the same one: whoever is giving its slots away has it locked
        let sql = "INSERT INTO pools (name, slots) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET slots = $2";
        tx.execute(sql, &[name.as_str().into(), (*slots).into()]).await?;
    }
    tx.signal(Signal::Work);
    Ok(())
}

/// The newest version of the project's document.
pub(crate) async fn current_project(tx: &mut Tx) -> Result<Option<i64>> {
    let sql = "SELECT id FROM documents WHERE kind = 'project' ORDER BY version DESC LIMIT 1";
    match tx.row(sql, &[]).await? {
        Some(mut row) => row.int().map(Some),
        None => Ok(None),
    }
}

/// A version of a document.
pub(crate) async fn document(tx: &mut Tx, id: i64) -> Result<Option<Document>> {
    let sql = "SELECT id, version, path, text, applied_at FROM documents WHERE id = $1";
    tx.row(sql, &[id.into()]).await?.as_mut().map(read).transpose()
}

/// A version of a document, from the columns `id, version, path, text, applied_at`.
pub(crate) fn read(row: &mut Row) -> Result<Document> {
    Ok(Document {
        id: row.int()?,
        version: row.small()?,
        path: row.text()?,
        text: row.text()?,
        applied_at: row.time()?,
    })
}
