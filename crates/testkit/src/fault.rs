//! Faults on demand: a connection that behaves like the one it wraps until its Nth operation, which fails before or after
//! it took effect. "Fail the Nth operation, for N = 1.. until it passes, and check the invariants each time."

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_schema::Field;
use futures_util::future::BoxFuture;
use levada_core::batch::{Batch, Reject};
use levada_core::connector::{CheckStep, Connection};
use levada_core::destination::{Accepted, Destination, Durable, Load, LoadEnd, LoadPlan, LoadSpec, Writer};
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::naming::NameRules;
use levada_core::position::{Commit, StreamKey};
use levada_core::source::{Extract, ReadRequest, Reader, Source, StreamInfo};

/// An operation that can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Op {
    Discover,
    Read,
    Next,
    Describe,
    Plan,
    Committed,
    Begin,
    Writers,
    Write,
    Finish,
    Commit,
}

impl Op {
    /// All of them.
    pub const ALL: [Op; 11] = [
        Op::Discover,
        Op::Read,
        Op::Next,
        Op::Describe,
        Op::Plan,
        Op::Committed,
        Op::Begin,
        Op::Writers,
        Op::Write,
        Op::Finish,
        Op::Commit,
    ];
}

/// When the fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// The inner call is not made.
    Before,
    /// The inner call is made, and its answer lost.
    After,
}

/// Which calls fail: those of one operation (or of any) whose number, counted from 1, lies in a range.
#[derive(Debug)]
pub struct Faults {
    op: Option<Op>,
    first: u64,
    count: u64,
    when: When,
    kind: ErrorKind,
    calls: AtomicU64,
    fired: AtomicU64,
}

impl Faults {
    /// The Nth call (from 1) of an operation, or of any with `None`, fails once, as a broken connection does.
    pub fn nth(op: Option<Op>, nth: u64, when: When) -> Arc<Self> {
        Arc::new(Self::new(op, nth, 1, when, ErrorKind::Connect))
    }

    /// `count` calls fail from the Nth on, with an error of this kind.
    pub fn new(op: Option<Op>, first: u64, count: u64, when: When, kind: ErrorKind) -> Self {
        Self { op, first, count, when, kind, calls: AtomicU64::new(0), fired: AtomicU64::new(0) }
    }

    /// How many calls failed; 0 at the end of a test means that N was beyond the last call.
    pub fn fired(&self) -> u64 {
        self.fired.load(Ordering::SeqCst)
    }

    /// How many calls of the operation were made.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    /// When this very call is to fail, if it is.
    fn strike(&self, op: Op) -> Option<When> {
        if self.op.is_some_and(|wanted| wanted != op) {
            return None;
        }
        let number = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        let strikes = number >= self.first && number - self.first < self.count;
        if strikes {
            self.fired.fetch_add(1, Ordering::SeqCst);
        }
        strikes.then_some(self.when)
    }

    fn error(&self, op: Op) -> Error {
        Error::new(self.kind, format!("injected fault at {op:?} {}", self.calls()))
    }

    async fn around<T>(&self, op: Op, inner: impl Future<Output = Result<T>>) -> Result<T> {
        match self.strike(op) {
            None => inner.await,
            Some(When::Before) => Err(self.error(op)),
            Some(When::After) => {
                inner.await?;
                Err(self.error(op))
            }
        }
    }
}

/// A connection whose calls can fail.
#[derive(Clone)]
pub struct Faulty {
    inner: Arc<dyn Connection>,
    faults: Arc<Faults>,
}

impl Faulty {
    /// Wraps a connection.
    pub fn new(inner: Arc<dyn Connection>, faults: Arc<Faults>) -> Arc<Self> {
        Arc::new(Self { inner, faults })
    }
}

impl Connection for Faulty {
    fn address(&self) -> String {
        self.inner.address()
    }

    fn source(self: Arc<Self>) -> Result<Arc<dyn Source>> {
        Ok(Arc::new(FaultySource { inner: self.inner.clone().source()?, faults: self.faults.clone() }))
    }

    fn destination(self: Arc<Self>) -> Result<Arc<dyn Destination>> {
        Ok(Arc::new(FaultyDestination { inner: self.inner.clone().destination()?, faults: self.faults.clone() }))
    }

    fn check(&self) -> BoxFuture<'_, Vec<CheckStep>> {
        self.inner.check()
    }
}

struct FaultySource {
    inner: Arc<dyn Source>,
    faults: Arc<Faults>,
}

impl Source for FaultySource {
    fn discover<'a>(&'a self, selector: Option<&'a str>) -> BoxFuture<'a, Result<Vec<StreamInfo>>> {
        Box::pin(self.faults.around(Op::Discover, self.inner.discover(selector)))
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
            let mut extract = self.faults.around(Op::Read, self.inner.read(request)).await?;
            extract.readers = extract
                .readers
                .into_iter()
                .map(|inner| Box::new(FaultyReader { inner, faults: self.faults.clone() }) as Box<dyn Reader>)
                .collect();
            Ok(extract)
        })
    }
}

struct FaultyReader {
    inner: Box<dyn Reader>,
    faults: Arc<Faults>,
}

impl Reader for FaultyReader {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Batch>>> {
        Box::pin(self.faults.around(Op::Next, self.inner.next()))
    }
}

struct FaultyDestination {
    inner: Arc<dyn Destination>,
    faults: Arc<Faults>,
}

impl Destination for FaultyDestination {
    fn columns_max(&self) -> usize {
        self.inner.columns_max()
    }

    fn quarantine(&self, target: &str, load_id: &str) -> Option<String> {
        self.inner.quarantine(target, load_id)
    }

    fn name_rules(&self) -> NameRules {
        self.inner.name_rules()
    }

    fn target(&self, namespace: Option<&str>, table: &str) -> String {
        self.inner.target(namespace, table)
    }

    fn describe<'a>(&'a self, target: &'a str) -> BoxFuture<'a, Result<Option<StreamInfo>>> {
        Box::pin(self.faults.around(Op::Describe, self.inner.describe(target)))
    }

    fn plan<'a>(&'a self, spec: &'a LoadSpec) -> BoxFuture<'a, Result<LoadPlan>> {
        Box::pin(self.faults.around(Op::Plan, self.inner.plan(spec)))
    }

    fn committed<'a>(&'a self, key: &'a StreamKey) -> BoxFuture<'a, Result<Option<Commit>>> {
        Box::pin(self.faults.around(Op::Committed, self.inner.committed(key)))
    }

    fn commits(&self) -> BoxFuture<'_, Result<Vec<Commit>>> {
        self.inner.commits()
    }

    fn rejects<'a>(&'a self, load_id: &'a str, skip: usize, limit: usize) -> BoxFuture<'a, Result<Vec<Reject>>> {
        self.inner.rejects(load_id, skip, limit)
    }

    fn forget<'a>(&'a self, key: &'a StreamKey) -> BoxFuture<'a, Result<bool>> {
        self.inner.forget(key)
    }

    fn begin<'a>(&'a self, spec: LoadSpec, plan: LoadPlan) -> BoxFuture<'a, Result<Box<dyn Load>>> {
        Box::pin(async move {
            let inner = self.faults.around(Op::Begin, self.inner.begin(spec, plan)).await?;
            Ok(Box::new(FaultyLoad { inner, faults: self.faults.clone() }) as Box<dyn Load>)
        })
    }
}

struct FaultyLoad {
    inner: Box<dyn Load>,
    faults: Arc<Faults>,
}

impl Load for FaultyLoad {
    fn writers(&mut self) -> BoxFuture<'_, Result<Vec<Box<dyn Writer>>>> {
        Box::pin(async move {
            let writers = self.faults.around(Op::Writers, self.inner.writers()).await?;
            let wrap = |inner| Box::new(FaultyWriter { inner, faults: self.faults.clone() }) as Box<dyn Writer>;
            Ok(writers.into_iter().map(wrap).collect())
        })
    }

    fn commit<'a>(&'a mut self, end: LoadEnd) -> BoxFuture<'a, Result<Durable>> {
        Box::pin(self.faults.around(Op::Commit, self.inner.commit(end)))
    }

    fn abort(self: Box<Self>) -> BoxFuture<'static, ()> {
        self.inner.abort()
    }
}

struct FaultyWriter {
    inner: Box<dyn Writer>,
    faults: Arc<Faults>,
}

impl Writer for FaultyWriter {
    fn write<'a>(&'a mut self, batch: Batch) -> BoxFuture<'a, Result<Accepted>> {
        Box::pin(self.faults.around(Op::Write, self.inner.write(batch)))
    }

    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<Accepted>> {
        Box::pin(async move { self.faults.around(Op::Finish, self.inner.finish()).await })
    }
}
