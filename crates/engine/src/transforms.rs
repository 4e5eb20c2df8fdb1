//! A connection to read from as a sync sees it: where the sync computes columns of a stream, the stream has them.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_schema::Field;
use futures_util::future::BoxFuture;
use levada_core::config::Sync;
use levada_core::connector::{CheckStep, Connection, Registry};
use levada_core::destination::Destination;
use levada_core::error::{Context, Error, ErrorKind, Result};
use levada_core::query::QueryEngine;
use levada_core::source::{Extract, Origin, ReadRequest, Source, StreamInfo};
use tokio::sync::OnceCell;

/// The connection as it is if the sync computes nothing.
///
/// # Errors
/// `Unsupported` where nothing executes SQL.
pub fn seen(registry: &Registry, connection: Arc<dyn Connection>, sync: &Sync) -> Result<Arc<dyn Connection>> {
    if sync.streams.iter().all(|(_, options)| options.transform.is_empty()) {
        return Ok(connection);
    }
    let queries = registry.queries()?.clone();
    Ok(Arc::new(Transformed { inner: connection, sync: sync.clone(), queries }))
}

struct Transformed {
    inner: Arc<dyn Connection>,
    sync: Sync,
    queries: Arc<dyn QueryEngine>,
}

impl Connection for Transformed {
    fn address(&self) -> String {
        self.inner.address()
    }

    fn source(self: Arc<Self>) -> Result<Arc<dyn Source>> {
        let source = self.inner.clone().source()?;
        Ok(Arc::new(TransformedSource {
            source,
            sync: self.sync.clone(),
            queries: self.queries.clone(),
            entries: OnceCell::new(),
        }))
    }

    fn destination(self: Arc<Self>) -> Result<Arc<dyn Destination>> {
        self.inner.clone().destination()
    }

    fn check(&self) -> BoxFuture<'_, Vec<CheckStep>> {
        self.inner.check()
    }
}

struct TransformedSource {
    source: Arc<dyn Source>,
    sync: Sync,
    queries: Arc<dyn QueryEngine>,
    /// Which entry of the sync selects a stream, by the stream's name.
    entries: OnceCell<BTreeMap<String, usize>>,
}

impl TransformedSource {
    /// As the sync selects: an entry may name a stream in any way that the connector understands.
    async fn entries(&self) -> Result<&BTreeMap<String, usize>> {
        let look = async {
            let mut entries = BTreeMap::new();
            for (at, (name, options)) in self.sync.streams.iter().enumerate() {
                if options.paused {
                    continue;
                }
                for info in self.source.discover(Some(name)).await? {
                    if self.sync.is_selected_by(at, &info.name) {
                        entries.entry(info.name).or_insert(at);
                    }
                }
            }
            Ok(entries)
        };
        self.entries.get_or_try_init(|| look).await
    }

    /// The source of a stream of which columns are computed.
    fn computed(&self, entry: usize) -> Option<Arc<dyn Source>> {
        let (_, options) = self.sync.streams.get(entry).filter(|(_, options)| !options.transform.is_empty())?;
        let (columns, keys) = (options.transform.clone(), self.sync.keys.clone());
        Some(self.queries.computed(self.source.clone(), columns, keys))
    }

    /// The source of a stream. One that no entry selects is not read: it might be read as it is where it must not be.
    async fn of(&self, stream: &str) -> Result<Arc<dyn Source>> {
        let Some(entry) = self.entries().await?.get(stream) else {
            return Err(Error::new(ErrorKind::Busy, format!("`{stream}` came while the sync looked for its streams"))
                .advise("Run again."));
        };
        Ok(self.computed(*entry).unwrap_or_else(|| self.source.clone()))
    }
}

impl Source for TransformedSource {
    fn discover<'a>(&'a self, selector: Option<&'a str>) -> BoxFuture<'a, Result<Vec<StreamInfo>>> {
        Box::pin(async move {
            let mut all = Vec::new();
            let entries = self.entries().await?;
            for info in self.source.discover(selector).await? {
                let Some(computed) = entries.get(&info.name).and_then(|entry| self.computed(*entry)) else {
                    all.push(info);
                    continue;
                };
                let seen = computed.discover(Some(&info.name)).await.at(format!("stream `{}`", info.name))?;
                all.extend(seen.into_iter().filter(|seen| seen.name == info.name));
            }
            Ok(all)
        })
    }

    fn check_cursor(&self, column: &Field, lag: Option<&str>) -> Result<()> {
        self.source.check_cursor(column, lag)
    }

    fn needs_cursor(&self, stream: &str) -> bool {
        self.source.needs_cursor(stream)
    }

    fn reads_as_text(&self, _: &Field) -> bool {
        false
    }

    fn origins<'a>(&'a self, stream: &'a StreamInfo) -> BoxFuture<'a, Result<Option<Vec<Origin>>>> {
        Box::pin(async move { self.of(&stream.name).await?.origins(stream).await })
    }

    fn read<'a>(&'a self, request: ReadRequest) -> BoxFuture<'a, Result<Extract>> {
        Box::pin(async move { self.of(&request.stream.name).await?.read(request).await })
    }
}
