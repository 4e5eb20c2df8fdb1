//! The one queue between readers and writers: bounded in bytes, many producers, many consumers.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use levada_core::batch::Batch;
use tokio::sync::Notify;

/// A queue of batches that holds at most a budget of bytes, or one batch if that alone is larger.
pub struct Channel {
    state: Mutex<State>,
    /// Woken when there is room, or the channel is closed.
    room: Notify,
    /// Woken when there is a batch, or no more will come.
    filled: Notify,
    bytes_max: usize,
}

#[derive(Default)]
struct State {
    queue: VecDeque<(Batch, usize)>,
    bytes: usize,
    producers: usize,
    closed: bool,
}

impl Channel {
    /// A channel that ends once `producers` of them have called [`Channel::done`].
    pub fn new(bytes_max: usize, producers: usize) -> Self {
        let state = Mutex::new(State { producers, ..State::default() });
        Self { state, room: Notify::new(), filled: Notify::new(), bytes_max }
    }

    /// Waits for room and queues a batch. False if the channel was closed: the batch is dropped and nobody wants more.
    pub async fn send(&self, batch: Batch) -> bool {
        let bytes = batch.bytes();
        let mut batch = Some(batch);
        loop {
            let room = self.room.notified();
            {
                let mut state = self.lock();
                if state.closed {
                    return false;
                }
                if state.bytes == 0 || state.bytes + bytes <= self.bytes_max {
                    if let Some(batch) = batch.take() {
                        state.bytes += bytes;
                        state.queue.push_back((batch, bytes));
                    }
                    drop(state);
                    self.filled.notify_one();
                    return true;
                }
            }
            room.await;
        }
    }

    /// The next batch, or `None` when all producers are done and the queue is empty, or the channel was closed.
    pub async fn receive(&self) -> Option<Batch> {
        loop {
            let filled = self.filled.notified();
            {
                let mut state = self.lock();
                if state.closed {
                    return None;
                }
                if let Some((batch, bytes)) = state.queue.pop_front() {
                    state.bytes -= bytes;
                    let more = !state.queue.is_empty();
                    drop(state);
                    self.room.notify_waiters();
                    self.room.notify_one();
                    if more {
                        self.filled.notify_one();
                    }
                    return Some(batch);
                }
                if state.producers == 0 {
                    drop(state);
                    self.filled.notify_one();
                    return None;
                }
            }
            filled.await;
        }
    }

    /// One producer has ended.
    pub fn done(&self) {
        let mut state = self.lock();
        state.producers = state.producers.saturating_sub(1);
        drop(state);
        self.filled.notify_one();
    }

    /// Ends everything at once: queued batches are dropped, senders and receivers return.
    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.queue.clear();
        drop(state);
        self.room.notify_waiters();
        self.filled.notify_waiters();
        self.room.notify_one();
        self.filled.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;

    fn batch(bytes: usize) -> Batch {
        Batch::raw(1, Bytes::from(vec![0; bytes]))
    }

    #[tokio::test]
    async fn every_batch_arrives_once_whatever_the_number_of_ends() {
        let channel = Arc::new(Channel::new(100, 3));
        let producers: Vec<_> = (0..3)
            .map(|_| {
                let channel = channel.clone();
                tokio::spawn(async move {
                    for _ in 0..500 {
                        assert!(channel.send(batch(30)).await);
                        tokio::task::yield_now().await;
                    }
                    channel.done();
                })
            })
            .collect();
        let consumers: Vec<_> = (0..4)
            .map(|_| {
                let channel = channel.clone();
                tokio::spawn(async move {
                    let mut seen = 0;
                    while channel.receive().await.is_some() {
                        seen += 1;
                    }
                    seen
                })
            })
            .collect();
        for producer in producers {
            producer.await.unwrap();
        }
        let mut seen = 0;
        for consumer in consumers {
            seen += consumer.await.unwrap();
        }
        assert_eq!(seen, 1500);
    }

    #[tokio::test]
    async fn it_holds_no_more_than_its_budget_but_passes_a_larger_batch_alone() {
        let channel = Channel::new(100, 1);
        assert!(channel.send(batch(1000)).await);
        let blocked = tokio::time::timeout(Duration::from_millis(20), channel.send(batch(1))).await;
        assert!(blocked.is_err());
        assert_eq!(channel.receive().await.unwrap().bytes(), 1000);
        assert!(channel.send(batch(60)).await);
        assert!(tokio::time::timeout(Duration::from_millis(20), channel.send(batch(60))).await.is_err());
    }

    #[tokio::test]
    async fn closing_wakes_both_ends() {
        let channel = Arc::new(Channel::new(1, 1));
        assert!(channel.send(batch(1)).await);
        let sender = tokio::spawn({
            let channel = channel.clone();
            async move { channel.send(batch(1)).await }
        });
        tokio::task::yield_now().await;
        channel.close();
        assert!(!sender.await.unwrap());
        assert!(channel.receive().await.is_none());
    }
}
