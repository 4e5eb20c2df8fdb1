//! Reads that break on the way and tell how far they came: a merge keeps what it has and goes on from there.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use futures_util::future::BoxFuture;
use levada_core::batch::{Batch, Data};
use levada_core::connector::{CheckStep, Connection};
use levada_core::destination::Destination;
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::position::Position;
use levada_core::source::{Extract, ReadRequest, Reader, Source, StreamInfo};
use levada_testkit::memory::Memory;

use crate::stage::{append, carry_out, job, merge, rows, schema};

/// A system whose first reads break after 40 rows.
struct Breaking {
    inner: Memory,
    left: AtomicU32,
}

impl Connection for Breaking {
    fn address(&self) -> String {
        "breaking".to_owned()
    }

    fn source(self: Arc<Self>) -> Result<Arc<dyn Source>> {
        Ok(self)
    }

    fn destination(self: Arc<Self>) -> Result<Arc<dyn Destination>> {
        Err(Error::new(ErrorKind::Unsupported, "it is only read"))
    }

    fn check(&self) -> BoxFuture<'_, Vec<CheckStep>> {
        Box::pin(async { Vec::new() })
    }
}

impl Source for Breaking {
    fn discover<'a>(&'a self, selector: Option<&'a str>) -> BoxFuture<'a, Result<Vec<StreamInfo>>> {
        self.inner.discover(selector)
    }

    fn read<'a>(&'a self, request: ReadRequest) -> BoxFuture<'a, Result<Extract>> {
        Box::pin(async move {
            let mut extract = self.inner.read(ReadRequest { readers: 1, batch_bytes: 1 << 20, ..request }).await?;
            let breaks = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
            if breaks {
                let inner = extract.readers.remove(0);
                extract.readers.push(Box::new(BreakingReader { inner, last: None }));
            }
            Ok(extract)
        })
    }
}

struct BreakingReader {
    inner: Box<dyn Reader>,
    last: Option<i64>,
}

impl Reader for BreakingReader {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Batch>>> {
        Box::pin(async {
            if let Some(last) = self.last {
                let position = Position(serde_json::json!({ "cursor": last.to_string() }));
                return Err(Error::new(ErrorKind::Busy, "cut off").reached(position));
            }
            let Some(batch) = self.inner.next().await? else { return Ok(None) };
            let Data::Arrow(rows) = batch.data else { return Ok(None) };
            let rows = rows.slice(0, 40);
            self.last = Some(rows.column(1).as_primitive::<Int64Type>().value(39));
            Ok(Some(Batch::arrow(rows)))
        })
    }
}

#[tokio::test]
async fn a_merge_keeps_what_was_read_and_goes_on() {
    let (inner, target) = (Memory::new(), Memory::new());
    inner.put("t", &schema(), rows(0, 100));
    let source = Breaking { inner, left: AtomicU32::new(2) };
    let report = carry_out(job(Arc::new(source), Arc::new(target.clone()), merge())).await.unwrap().streams.remove(0);
    assert!(report.error.is_none(), "{:?}", report.error);
    assert_eq!(target.rows("t").unwrap().len(), 100);
    // Rows 0 to 39, 39 to 78, and 78 to 99: a read is inclusive.
    assert_eq!((report.attempts, report.proof.read, report.proof.written), (3, 102, 102));
    assert_eq!((report.changes.inserted, report.changes.updated), (100, 2));
    assert!(report.warnings.iter().all(|warning| warning.contains("committed")), "{:?}", report.warnings);
    assert_eq!(report.warnings.len(), 2);
}

#[tokio::test]
async fn an_append_cannot_keep_a_part_and_changes_nothing() {
    let (inner, target) = (Memory::new(), Memory::new());
    inner.put("t", &schema(), rows(0, 100));
    let source = Breaking { inner, left: AtomicU32::new(1) };
    let report = carry_out(job(Arc::new(source), Arc::new(target.clone()), append())).await.unwrap().streams.remove(0);
    assert_eq!(report.error.expect("one attempt is allowed").code, "busy");
    assert_eq!(target.rows("t"), None);
}
