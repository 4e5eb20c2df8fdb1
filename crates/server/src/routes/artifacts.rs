//! The files that the tasks of a run left in its folder, on the machine that executed them.

use axum::body::Body;
use levada_core::time::Timestamp;
use levada_engine::task::run_files::{self, RunFile};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::logs::on_a_thread;
use super::{limit, matches, runs};
use crate::problem::Problem;
use crate::route::{Answer, Call, Download, Page};
use crate::sort::{Rank, Sort, orders};

/// A file that a task left.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Artifact {
    /// Its path in the run's folder; the first part is the folder of the task.
    pub path: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// When it was last written.
    pub modified_at: Option<Timestamp>,
    /// The SHA-256 of what the task left, in hexadecimal digits; null where no pattern of `artifacts` names it.
    pub sha256: Option<String>,
}

orders! {
    /// What files of a run are in order of.
    FileOrder(false) { Path = "path", Bytes = "bytes", ModifiedAt = "modified_at" }
}

/// Files of a run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// The run's number.
    pub run: i64,
    /// With this text in the path.
    pub search: Option<String>,
    /// The order; `-` before it is the other way round.
    #[serde(default)]
    pub sort: Sort<FileOrder>,
    /// The `next` of the page before.
    pub after: Option<String>,
    /// How many; 50 unless given, 1,000 at most.
    pub limit: Option<u32>,
}

/// A file of a run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct One {
    /// The run's number.
    pub run: i64,
    /// The path of the file, as it is listed.
    pub path: String,
}

/// The files of a run, in the order of their paths.
pub async fn list(call: Call<List>) -> Result<Answer<Page<Artifact>>, Problem> {
    let List { run, search, sort, after, limit: asked } = call.input;
    let limit = limit(asked)?;
    let folder = run_files::run_folder(&call.app.data_dir, runs::find(&call.app.store, run).await?.id);
    let found = on_a_thread(move || run_files::list(&folder)).await??;
    let shown = |RunFile { path, bytes, modified_at, sha256 }| Artifact { path, bytes, modified_at, sha256 };
    let wanted = found.into_iter().map(shown).filter(|file| matches(search.as_deref(), [file.path.as_str()]));
    let place = |order, file: &Artifact| {
        let rank = match order {
            FileOrder::Path => None,
            FileOrder::Bytes => Some(Rank::from(file.bytes)),
            FileOrder::ModifiedAt => file.modified_at.map(Rank::from),
        };
        (rank, file.path.clone())
    };
    Ok(sort.page(wanted, place, after.as_deref(), limit)?.into())
}

/// Takes a file of a run away.
pub async fn download(call: Call<One>) -> Result<Download, Problem> {
    let One { run, path } = call.input;
    let folder = run_files::run_folder(&call.app.data_dir, runs::find(&call.app.store, run).await?.id);
    let name = path.rsplit('/').next().unwrap_or_default().to_owned();
    let (real, bytes) = on_a_thread(move || run_files::find(&folder, &path)).await??;
    let file = tokio::fs::File::open(&real).await.map_err(|_| Problem::no("file", &name))?;
    let body = Body::from_stream(tokio_util::io::ReaderStream::new(file));
    // what a program wrote is never shown as a page
    Ok(Download { name, content_type: "application/octet-stream".to_owned(), body, bytes: Some(bytes) })
}
