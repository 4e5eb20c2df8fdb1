//! The `files` connector: its conformance on a local folder and in a bucket, and the cases that only files have.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod checks;
mod conformance;
mod crashes;
mod csv;
mod json;
mod ranges;
mod sets;

use std::sync::Arc;

use levada_core::batch::{Data, Reject};
use levada_core::connector::Connection;
use levada_core::error::Result;
use levada_core::source::{Extract, ReadMode, ReadRequest, Source, StreamInfo};
use levada_testkit::rows::{self, Row};
use serde_json::{Value, json};

/// A connection by its settings.
pub fn connect(settings: Value) -> Result<Arc<dyn Connection>> {
    levada_connectors::registry().get("files")?.connect(settings)
}

/// A folder with files, and settings that read it at once.
pub fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    folder
}

/// The source on a folder.
pub fn source(folder: &tempfile::TempDir, more: Value) -> Arc<dyn Source> {
    let mut settings = json!({ "root": folder.path(), "settle_ms": 0 });
    settings.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    connect(settings).unwrap().source().unwrap()
}

/// The one stream a selector names.
pub async fn stream(source: &dyn Source, selector: &str) -> StreamInfo {
    let mut found = source.discover(Some(selector)).await.unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

/// Opens a read of a stream as it was discovered.
pub async fn open(source: &dyn Source, stream: &StreamInfo, mode: ReadMode, chunk: usize) -> Result<Extract> {
    let request = ReadRequest {
        stream: stream.clone(),
        columns: stream.schema.clone(),
        mode,
        raw: None,
        only: Vec::new(),
        limit: None,
        readers: 3,
        batch_bytes: chunk,
    };
    source.read(request).await
}

/// Drains the readers of a read.
pub async fn drain(extract: Extract) -> Result<(Vec<Row>, Vec<Reject>)> {
    let (mut rows, mut rejects) = (Vec::new(), Vec::new());
    for mut reader in extract.readers {
        while let Some(batch) = reader.next().await? {
            rejects.extend(batch.rejects);
            if let Data::Arrow(data) = batch.data {
                rows.extend(rows::of(&data));
            }
        }
    }
    rows.sort();
    Ok((rows, rejects))
}

/// All rows of a stream, ordered, and its rejects.
pub async fn read_all(source: &dyn Source, selector: &str) -> (StreamInfo, Vec<Row>, Vec<Reject>) {
    let stream = stream(source, selector).await;
    let extract = open(source, &stream, ReadMode::Full, 64 << 10).await.unwrap();
    let (rows, rejects) = drain(extract).await.unwrap();
    (stream, rows, rejects)
}

/// The type names of a stream's columns.
pub fn types(stream: &StreamInfo) -> Vec<String> {
    stream.schema.fields().iter().map(|field| levada_core::schema::type_name(field)).collect()
}
