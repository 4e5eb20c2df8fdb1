//! Delta tables as streams and targets: one folder of a local disk or a bucket for each, read at one version, written in
//! commits that carry data and position at once.

mod columns;
mod commit;
mod config;
mod cursor;
mod destination;
mod disk;
mod error;
mod files;
mod load;
mod maintain;
mod merge;
mod only;
mod output;
mod place;
mod pool;
mod positions;
mod quarantine;
mod session;
mod source;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use futures_util::future::BoxFuture;
use levada_core::connector::{CheckStep, Connection, Connector, Descriptor};
use levada_core::destination::{Destination, WriteMode};
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::source::Source;
use serde_json::Value;
use url::Url;

use config::{Root, Settings};
use place::Place;

/// Says whether a connection may use a path of this machine.
pub type PathRule = Arc<dyn Fn(&Path) -> Result<()> + Send + Sync>;

/// The connector `delta`.
pub struct Delta {
    rule: PathRule,
}

impl Delta {
    /// A connector whose local tables lie where the rule allows.
    pub fn new(rule: PathRule) -> Self {
        Self { rule }
    }
}

impl Connector for Delta {
    fn descriptor(&self) -> Descriptor {
        Descriptor {
            name: "delta",
            title: "Delta Lake",
            summary: "Delta tables in a local folder or an S3-compatible bucket.",
            schemes: &["delta", "delta+s3"],
            settings: config::schema(),
            namespaces: false,
            writes: &[WriteMode::Replace, WriteMode::Append, WriteMode::Merge],
            own_order: false,
            files: false,
        }
    }

    fn settings_from_url(&self, url: &Url) -> Result<Value> {
        config::from_url(url).map(Value::Object)
    }

    fn connect(&self, settings: Value) -> Result<Arc<dyn Connection>> {
        Ok(Arc::new(Lake { settings: Settings::parse(settings)?, rule: self.rule.clone() }))
    }
}

/// A folder of tables; both faces of the connection.
#[derive(Clone)]
struct Lake {
    settings: Settings,
    rule: PathRule,
}

impl Lake {
    /// Opened anew by every operation, as it may appear or move in between.
    fn place(&self) -> Result<Place> {
        Place::open(&self.settings, &self.rule)
    }

    /// The bytes that one read or merge may keep in memory.
    fn memory(&self) -> usize {
        (self.settings.memory_mb as usize) << 20
    }
}

impl Connection for Lake {
    fn address(&self) -> String {
        match self.settings.root() {
            Ok(Root::Local(path)) => format!("delta:{}", std::path::absolute(&path).unwrap_or(path).display()),
            _ => self.settings.location.clone(),
        }
    }

    fn source(self: Arc<Self>) -> Result<Arc<dyn Source>> {
        Ok(self)
    }

    fn destination(self: Arc<Self>) -> Result<Arc<dyn Destination>> {
        if self.settings.as_of.is_some() {
            return Err(Error::new(
                ErrorKind::Config,
                "the connection reads the past (`as_of`), which is not written to",
            )
            .advise("Write with a connection of its own, without that setting."));
        }
        Ok(self)
    }

    fn check(&self) -> BoxFuture<'_, Vec<CheckStep>> {
        Box::pin(async move {
            let started = Instant::now();
            let read = async { self.place()?.names().await };
            let outcome = read.await.map(|names| format!("{} tables", names.len()));
            let readable = outcome.is_ok();
            let mut steps = vec![CheckStep { step: "read", took: started.elapsed(), outcome }];
            if readable && self.settings.as_of.is_none() {
                let started = Instant::now();
                let outcome = async { try_writing(&self.place()?).await }.await;
                steps.push(CheckStep { step: "write", took: started.elapsed(), outcome });
            }
            steps
        })
    }
}

/// Puts a file where nothing is, twice: the store has to refuse the second, or two writers would overwrite each other's
/// commits.
async fn try_writing(place: &Place) -> Result<String> {
    let path = format!("_levada/check-{}", uuid::Uuid::new_v4().simple());
    let first = match place.put_new(&path, Vec::new()).await {
        Err(error) if matches!(error.kind(), ErrorKind::Permission | ErrorKind::Auth) => {
            return Ok(format!("no: {} (enough for a source)", error.message()));
        }
        first => first?,
    };
    let second = place.put_new(&path, Vec::new()).await;
    place.remove(&path).await;
    if !first || second? {
        return Err(Error::new(ErrorKind::Unsupported, "the store overwrites files that it is asked not to overwrite")
            .advise("Use a store with conditional puts (`If-None-Match`): two writers would lose each other's rows."));
    }
    Ok("yes: files may be put here, and are not overwritten".to_owned())
}
