//! Files as streams: CSV, JSON, Parquet and Avro, on local disks and in object stores.

mod archive;
mod borders;
mod check;
mod chunks;
mod columnar;
mod destination;
mod discover;
mod format;
mod listing;
mod load;
mod manifest;
mod open;
mod place;
mod position;
mod quarantine;
mod ranges;
mod settings;
mod source;
mod text;

use std::io::Read;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use levada_core::backup::Archive;
use levada_core::connector::{CheckStep, Connection, Connector, Descriptor, FoundFile};
use levada_core::destination::{Destination, WriteMode};
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::source::Source;
use serde_json::Value;
use url::Url;

pub(crate) use format::{cells, json, values};
use settings::{Root, Settings};

use crate::kit::off_limits::OffLimits;

/// The connector for files.
pub struct FilesConnector {
    off_limits: OffLimits,
}

impl FilesConnector {
    /// A connector whose local files are outside of what is off limits.
    pub fn new(off_limits: OffLimits) -> Self {
        Self { off_limits }
    }
}

impl Connector for FilesConnector {
    fn descriptor(&self) -> Descriptor {
        Descriptor {
            name: "files",
            title: "Files",
            summary: "CSV, JSON, Parquet and Avro files in a local folder or an S3-compatible bucket.",
            schemes: &["file", "s3"],
            settings: settings::schema(),
            namespaces: false,
            writes: &[WriteMode::Replace, WriteMode::Append],
            own_order: true,
            files: true,
        }
    }

    fn settings_from_url(&self, url: &Url) -> Result<Value> {
        settings::from_url(url)
    }

    fn connect(&self, settings: Value) -> Result<Arc<dyn Connection>> {
        let settings = Settings { off_limits: self.off_limits.clone(), ..Settings::parse(settings)? };
        Ok(Arc::new(Files { settings: Arc::new(settings) }))
    }
}

/// A configured root; it is opened anew by every operation, as it may appear or move in between.
pub struct Files {
    settings: Arc<Settings>,
}

impl Connection for Files {
    fn address(&self) -> String {
        match self.settings.place() {
            Ok(Root::Local(path)) => std::path::absolute(&path).unwrap_or(path).display().to_string(),
            _ => self.settings.root.clone(),
        }
    }

    fn source(self: Arc<Self>) -> Result<Arc<dyn Source>> {
        Ok(self)
    }

    fn destination(self: Arc<Self>) -> Result<Arc<dyn Destination>> {
        Ok(self)
    }

    fn check(&self) -> BoxFuture<'_, Vec<CheckStep>> {
        check::check(self.settings.clone())
    }

    fn archive(self: Arc<Self>) -> Result<Arc<dyn Archive>> {
        Ok(self)
    }

    fn list<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Vec<FoundFile>>> {
        let (settings, path) = (self.settings.clone(), path.to_owned());
        blocking(move || source::list(&settings, &path))
    }

    fn open<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<(FoundFile, Box<dyn Read + Send>)>> {
        let (settings, path) = (self.settings.clone(), path.to_owned());
        blocking(move || source::open(&settings, &path))
    }
}

/// Runs blocking work on a thread for it.
fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> BoxFuture<'static, Result<T>> {
    Box::pin(async move {
        match tokio::task::spawn_blocking(work).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Error::new(ErrorKind::Internal, "a thread that worked on files died")),
        }
    })
}
