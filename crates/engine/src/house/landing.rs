//! Files that start pipelines: looks for them as often as their schedules say, and starts one run for each set of files
//! that are new or changed. What a schedule has seen is kept with it in the store, so that no file counts twice, however
//! many processes look.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use levada_core::config::Variables;
use levada_core::connector::FoundFile;
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::schedule::Catchup;
use levada_core::time::{Clock, Timestamp};
use levada_store::{FileLook, FileWatch, Signal, Store};
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use super::execute::{Executor, first};
use crate::connections;

/// Places that are looked at at once.
const LOOKS_MAX: usize = 8;
/// How long one look may take.
const LOOK_LIMIT: Duration = Duration::from_secs(30);
/// Most files that one schedule remembers.
const FILES_MAX: usize = 10_000;
/// The longest sleep, so that a clock that was set is noticed.
const SLEEP_MAX: Duration = Duration::from_secs(10);
/// The pause after the store could not be reached.
const STORE_PAUSE: Duration = Duration::from_secs(1);
/// The parameter that gets the paths, in pipelines that have it.
const FILES_PARAM: &str = "files";

/// Looks for the files that a schedule waits for.
pub trait LookForFiles: Send + Sync {
    /// The files that are there now.
    ///
    /// # Errors
    /// As the connection has it.
    fn look<'a>(&'a self, watch: &'a FileWatch) -> BoxFuture<'a, Result<Landed>>;
}

/// Files that are there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Landed {
    /// In the order of their names.
    pub files: Vec<FoundFile>,
    /// Whether the pipeline has the parameter `files`.
    pub has_param: bool,
}

/// Looks for files whenever that is due.
pub struct Landing {
    store: Store,
    clock: Arc<dyn Clock>,
    look: Arc<dyn LookForFiles>,
}

impl Landing {
    /// Nothing is looked for yet.
    pub fn new(store: Store, clock: Arc<dyn Clock>, look: Arc<dyn LookForFiles>) -> Self {
        Self { store, clock, look }
    }

    /// Looks until it is stopped.
    pub async fn run(&self, stop: CancellationToken) {
        let mut due = self.store.watch(Signal::Due);
        loop {
            let look = async {
                match self.look().await {
                    Ok(Some(next)) => next.since(self.clock.now()).min(SLEEP_MAX),
                    Ok(None) => SLEEP_MAX,
                    Err(error) => {
                        tracing::warn!("files cannot be looked for: {error}");
                        STORE_PAUSE
                    }
                }
            };
            let pause = tokio::select! {
                () = stop.cancelled() => return,
                pause = look => pause,
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
                _ = due.changed() => {}
            }
        }
    }

    /// Looks for all files that are due, and says when the next are. Connections that fail are told in the log, and tried
    /// again after the interval of their schedule.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn look(&self) -> Result<Option<Timestamp>> {
        let due = self.store.due_files(self.clock.now()).await?;
        let looks = futures_util::stream::iter(due).map(|watch| self.look_once(watch)).buffer_unordered(LOOKS_MAX);
        let ended: Vec<Result<()>> = looks.collect().await;
        ended.into_iter().collect::<Result<()>>()?;
        self.store.next_files().await
    }

    async fn look_once(&self, watch: FileWatch) -> Result<()> {
        let found = tokio::time::timeout(LOOK_LIMIT, self.look.look(&watch)).await;
        let found = found.unwrap_or_else(|_| {
            let message = format!("the files could not be listed within {} s", LOOK_LIMIT.as_secs());
            Err(Error::new(ErrorKind::Busy, message))
        });
        let look = found.and_then(|landed| compare(&watch, &landed)).unwrap_or_else(|error| {
            tracing::warn!(pipeline = watch.pipeline, schedule = watch.schedule, "files cannot be looked for: {error}");
            FileLook { memo: watch.memo.clone(), ..FileLook::default() }
        });
        self.store.files_seen(watch, look, self.clock.now()).await.map(drop)
    }
}

/// What is new, compared with what the last look left behind.
fn compare(watch: &FileWatch, landed: &Landed) -> Result<FileLook> {
    if landed.files.len() > FILES_MAX {
        let message = format!("`{}` matches more than {FILES_MAX} files", watch.path);
        return Err(Error::new(ErrorKind::Refused, message).advise("Name fewer, or move those away that are done."));
    }
    let known: Option<BTreeSet<String>> = watch.memo.as_deref().and_then(|memo| serde_json::from_str(memo).ok());
    let marks: Vec<String> = landed.files.iter().map(mark).collect();
    let is_new = |mark: &String| match &known {
        Some(known) => !known.contains(mark),
        None => watch.catchup == Catchup::All,
    };
    let new: Vec<(&FoundFile, &String)> = landed.files.iter().zip(&marks).filter(|(_, mark)| is_new(mark)).collect();
    let mut look = FileLook { memo: Some(json!(marks).to_string()), ..FileLook::default() };
    if !new.is_empty() {
        let names: Vec<u8> = new.iter().flat_map(|(_, mark)| mark.bytes()).collect();
        look.occasion = Some(hex(&names, 32));
        if landed.has_param {
            let paths: Vec<&str> = new.iter().map(|(file, _)| file.path.as_str()).collect();
            look.params.insert(FILES_PARAM.to_owned(), Json::String(json!(paths).to_string()));
        }
    }
    Ok(look)
}

/// Tells a file from all others, and from what it was before it changed.
fn mark(file: &FoundFile) -> String {
    hex(format!("{}\0{}\0{}", file.path, file.bytes, file.modified).as_bytes(), 16)
}

/// The first digits of a SHA-256.
fn hex(bytes: &[u8], digits: usize) -> String {
    Sha256::digest(bytes).iter().take(digits / 2).map(|byte| format!("{byte:02x}")).collect()
}

impl LookForFiles for Executor {
    fn look<'a>(&'a self, watch: &'a FileWatch) -> BoxFuture<'a, Result<Landed>> {
        Box::pin(async move {
            let documents = self.documents(watch.document, watch.project).await?;
            let secrets = self.secrets(&documents).await?;
            let opened = {
                let env = |name: &str| (self.around.env)(name);
                let secret = |name: &str| Ok(secrets.get(name).cloned());
                let mut variables = Variables { env: &env, secret: &secret, params: Default::default(), runtime: None };
                // a parameter without a default has no value before there is a run
                variables.params = documents.file.params(&variables).unwrap_or_default();
                let found = documents.project.connections.iter().find(|connection| connection.name == watch.connection);
                let missing =
                    || Error::new(ErrorKind::Config, format!("there is no connection `{}`", watch.connection));
                connections::open(&self.around.registry, found.ok_or_else(missing)?, &variables).map_err(first)?
            };
            let files = opened.connection.list(&watch.path).await?;
            Ok(Landed { files, has_param: documents.file.has_param(FILES_PARAM) })
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn file(path: &str, bytes: u64) -> FoundFile {
        FoundFile { path: path.to_owned(), bytes, modified: "2026-01-01T00:00:00Z".to_owned() }
    }

    fn watch(catchup: Catchup, memo: Option<String>) -> FileWatch {
        let (pipeline, schedule, connection, path) = ("p".into(), "s".into(), "drop".into(), "*".into());
        FileWatch { pipeline, schedule, connection, path, catchup, document: 1, project: None, memo }
    }

    fn landed(files: &[FoundFile]) -> Landed {
        Landed { files: files.to_vec(), has_param: true }
    }

    #[test]
    fn only_what_is_new_or_changed_starts_something() {
        let (a, b, grown) = (file("a", 1), file("b", 1), file("a", 2));
        let first = compare(&watch(Catchup::Last, None), &landed(std::slice::from_ref(&a))).unwrap();
        assert_eq!((&first.occasion, first.params.len()), (&None, 0), "what was there before is not news");
        let all = compare(&watch(Catchup::All, None), &landed(std::slice::from_ref(&a))).unwrap();
        assert_eq!(all.params["files"], "[\"a\"]");
        let looks = |files: &[FoundFile]| compare(&watch(Catchup::Last, first.memo.clone()), &landed(files)).unwrap();
        assert_eq!(looks(&[]).occasion, None);
        assert_eq!(looks(std::slice::from_ref(&a)).occasion, None);
        assert_eq!(looks(&[a.clone(), b.clone()]).params["files"], "[\"b\"]");
        assert_eq!(looks(std::slice::from_ref(&grown)).params["files"], "[\"a\"]");
        assert_ne!(looks(&[a.clone(), b]).occasion, looks(&[grown]).occasion);
        let many: Vec<FoundFile> = (0..=FILES_MAX as u64).map(|number| file(&number.to_string(), 1)).collect();
        assert_eq!(compare(&watch(Catchup::Last, None), &landed(&many)).unwrap_err().kind(), ErrorKind::Refused);
    }
}
