//! How far a task that reads works ahead of the reader that it serves: a batch or two, but not past a huge one, which would
//! be held twice.

use levada_core::batch::Batch;
use levada_core::error::{Error, Result};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

/// After a batch of this size the task rests until the next one is asked for.
const HUGE_BYTES: usize = 16 << 20;

/// The reader's end.
pub struct Taker {
    batches: mpsc::Receiver<Result<Batch>>,
    asked: watch::Sender<u64>,
}

/// The task's end.
pub struct Giver {
    batches: mpsc::Sender<Result<Batch>>,
    asked: watch::Receiver<u64>,
    given: u64,
    runtime: Handle,
}

/// Both ends, made within the runtime of the reader; at most `ahead` batches wait between them.
pub fn ahead(ahead: usize) -> (Giver, Taker) {
    let (sender, batches) = mpsc::channel(ahead);
    let (asks, asked) = watch::channel(0);
    let runtime = Handle::current();
    (Giver { batches: sender, asked, given: 0, runtime }, Taker { batches, asked: asks })
}

impl Taker {
    /// The next batch, the task's error, or `None` when the task has ended.
    pub async fn take(&mut self) -> Option<Result<Batch>> {
        self.asked.send_modify(|asked| *asked += 1);
        self.batches.recv().await
    }
}

impl Giver {
    /// Hands a batch over; false if nobody wants more.
    pub async fn give(&mut self, batch: Batch) -> bool {
        let is_huge = batch.bytes() >= HUGE_BYTES;
        if self.batches.send(Ok(batch)).await.is_err() {
            return false;
        }
        self.given += 1;
        !is_huge || self.wanted().await
    }

    /// Waits until the next batch is asked for, as before the first one; false if nobody wants it.
    pub async fn wanted(&mut self) -> bool {
        let given = self.given;
        self.asked.wait_for(|asked| *asked > given).await.is_ok()
    }

    /// Hands over why there will be no more.
    pub async fn fail(&self, error: Error) {
        let _ = self.batches.send(Err(error)).await;
    }

    /// [`Giver::give`] for a thread of its own.
    pub fn give_blocking(&mut self, batch: Batch) -> bool {
        let runtime = self.runtime.clone();
        runtime.block_on(self.give(batch))
    }

    /// [`Giver::wanted`] for a thread of its own.
    pub fn wanted_blocking(&mut self) -> bool {
        let runtime = self.runtime.clone();
        runtime.block_on(self.wanted())
    }

    /// [`Giver::fail`] for a thread of its own.
    pub fn fail_blocking(&self, error: Error) {
        self.runtime.block_on(self.fail(error));
    }

    /// Waits until nobody wants more.
    pub fn closed(&self) -> impl Future<Output = ()> + Send + use<> {
        let batches = self.batches.clone();
        async move { batches.closed().await }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;

    #[tokio::test]
    async fn nothing_is_read_ahead_of_a_huge_batch() {
        let (mut giver, mut taker) = ahead(2);
        let task = tokio::spawn(async move {
            for bytes in [10, HUGE_BYTES, 20] {
                assert!(giver.give(Batch::raw(1, Bytes::from(vec![0; bytes]))).await);
            }
        });
        assert_eq!(taker.take().await.unwrap().unwrap().bytes(), 10);
        assert_eq!(taker.take().await.unwrap().unwrap().bytes(), HUGE_BYTES);
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(taker.batches.is_empty() && !task.is_finished());
        assert_eq!(taker.take().await.unwrap().unwrap().bytes(), 20);
        assert!(taker.take().await.is_none());
    }

    #[tokio::test]
    async fn a_reader_that_is_dropped_ends_the_task() {
        let (mut giver, mut taker) = ahead(1);
        let closed = giver.closed();
        let task = tokio::spawn(async move { giver.give(Batch::raw(1, Bytes::from(vec![0; HUGE_BYTES]))).await });
        assert!(taker.take().await.is_some());
        drop(taker);
        assert!(!task.await.unwrap());
        closed.await;
    }
}
