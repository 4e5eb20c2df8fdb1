//! A connection whose streams go by other names than it gives them: those of a backup's folders for tables, and those of the
//! tables for the folders.

use std::sync::Arc;

use arrow_schema::Field;
use futures_util::future::BoxFuture;
use levada_core::connector::{CheckStep, Connection};
use levada_core::destination::Destination;
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::source::{Extract, ReadRequest, Source, StreamInfo};

/// A stream under another name.
#[derive(Debug, Clone)]
pub struct Name {
    /// What its connection calls it.
    pub inner: String,
    /// What it is called.
    pub name: String,
    /// The namespace it is said to be in.
    pub namespace: Option<String>,
    /// What its table is said to be called.
    pub table: String,
}

/// Some streams of a connection under other names.
pub struct Renamed {
    inner: Arc<dyn Connection>,
    names: Vec<Name>,
}

struct RenamedSource {
    inner: Arc<dyn Source>,
    names: Vec<Name>,
}

impl Renamed {
    /// Of a connection that is read.
    pub fn of(inner: Arc<dyn Connection>, names: Vec<Name>) -> Arc<dyn Connection> {
        Arc::new(Self { inner, names })
    }
}

impl Connection for Renamed {
    fn address(&self) -> String {
        self.inner.address()
    }

    fn source(self: Arc<Self>) -> Result<Arc<dyn Source>> {
        Ok(Arc::new(RenamedSource { inner: self.inner.clone().source()?, names: self.names.clone() }))
    }

    fn destination(self: Arc<Self>) -> Result<Arc<dyn Destination>> {
        Err(Error::new(ErrorKind::Internal, "a view of a connection is only read"))
    }

    fn check(&self) -> BoxFuture<'_, Vec<CheckStep>> {
        self.inner.check()
    }
}

impl RenamedSource {
    async fn find(&self, inner: &str) -> Result<StreamInfo> {
        let found = self.inner.discover(Some(inner)).await?;
        let gone = || Error::new(ErrorKind::NotFound, format!("`{inner}` is gone"));
        found.into_iter().find(|stream| stream.name == inner).ok_or_else(gone)
    }
}

impl Source for RenamedSource {
    fn discover<'a>(&'a self, selector: Option<&'a str>) -> BoxFuture<'a, Result<Vec<StreamInfo>>> {
        Box::pin(async move {
            let mut streams = Vec::new();
            for name in self.names.iter().filter(|name| selector.is_none_or(|selector| name.name == selector)) {
                let found = self.find(&name.inner).await?;
                let (namespace, table) = (name.namespace.clone(), name.table.clone());
                streams.push(StreamInfo { name: name.name.clone(), namespace, table, ..found });
            }
            Ok(streams)
        })
    }

    fn check_cursor(&self, column: &Field, lag: Option<&str>) -> Result<()> {
        self.inner.check_cursor(column, lag)
    }

    fn needs_cursor(&self, stream: &str) -> bool {
        self.inner.needs_cursor(stream)
    }

    fn reads_as_text(&self, column: &Field) -> bool {
        self.inner.reads_as_text(column)
    }

    fn read<'a>(&'a self, request: ReadRequest) -> BoxFuture<'a, Result<Extract>> {
        Box::pin(async move {
            let name = self.names.iter().find(|name| name.name == request.stream.name);
            let gone = || Error::new(ErrorKind::NotFound, format!("`{}` is gone", request.stream.name));
            let found = self.find(&name.ok_or_else(gone)?.inner).await?;
            let (name, namespace, table) = (found.name, found.namespace, found.table);
            let stream = StreamInfo { name, namespace, table, ..request.stream };
            self.inner.read(ReadRequest { stream, ..request }).await
        })
    }
}
