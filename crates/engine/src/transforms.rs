//! A connection to read from as a sync sees it: where the sync computes columns of a stream, the stream has them.

use std::sync::Arc;

use arrow_schema::Field;
use futures_util::future::BoxFuture;
use levada_core::config::Sync;
use levada_core::connector::{CheckStep, Connection, Registry};
use levada_core::destination::Destination;
use levada_core::error::Result;
use levada_core::query::QueryEngine;
use levada_core::source::{Extract, Origin, ReadRequest, Source, StreamInfo};

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
        Ok(Arc::new(TransformedSource { source, sync: self.sync.clone(), queries: self.queries.clone() }))
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
}

impl TransformedSource {
    /// The source of a stream.
    fn of(&self, stream: &str) -> Arc<dyn Source> {
        let entry = self.sync.entry_for(stream).and_then(|at| self.sync.streams.get(at));
        match entry.filter(|(_, options)| !options.transform.is_empty()) {
            Some((_, options)) => self.queries.computed(self.source.clone(), options.transform.clone()),
            None => self.source.clone(),
        }
    }
}

impl Source for TransformedSource {
    fn discover<'a>(&'a self, selector: Option<&'a str>) -> BoxFuture<'a, Result<Vec<StreamInfo>>> {
        Box::pin(async move {
            let mut all = Vec::new();
            for info in self.source.discover(selector).await? {
                let seen = self.of(&info.name).discover(Some(&info.name)).await?;
                all.push(seen.into_iter().find(|seen| seen.name == info.name).unwrap_or(info));
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
        Box::pin(async move { self.of(&stream.name).origins(stream).await })
    }

    fn read<'a>(&'a self, request: ReadRequest) -> BoxFuture<'a, Result<Extract>> {
        Box::pin(async move { self.of(&request.stream.name).read(request).await })
    }
}
