//! The one queue between readers and writers: many producers, many consumers, and one budget in bytes for every batch from
//! the moment it is read until it is written.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use levada_core::batch::Batch;
use tokio::sync::Notify;

/// A queue whose batches, those in the hands of readers and writers included, take at most a budget of bytes, or are one
/// batch if that alone is larger.
///
/// How large a batch will be is not known before it is read: readers reserve what the last ones were. Where two of that
/// size would be over the budget, one reader goes on alone, so that the others do not each hold a huge value.
pub struct Channel {
    state: Mutex<State>,
    /// Woken when there is room, or the channel is closed.
    room: Notify,
    /// Woken when there is a batch, or no more will come.
    filled: Notify,
    bytes_max: usize,
    /// What batches take, for whoever shows it.
    held: Arc<AtomicU64>,
}

#[derive(Default)]
struct State {
    queue: VecDeque<(Batch, usize)>,
    /// Reserved by readers, waiting, or being written.
    bytes: usize,
    /// What the next batch will probably take.
    expected: usize,
    /// The reader that goes on alone.
    alone: Option<usize>,
    producers: usize,
    closed: bool,
}

/// Room for one batch. Dropping it gives the room back.
pub struct Room<'c> {
    channel: &'c Channel,
    bytes: usize,
}

impl Channel {
    /// A channel that ends once `producers` of them have called [`Channel::done`]. The first batch is expected to take
    /// `expected` bytes.
    pub fn new(bytes_max: usize, expected: usize, producers: usize) -> Self {
        let state = Mutex::new(State { expected, producers, ..State::default() });
        Self { state, room: Notify::new(), filled: Notify::new(), bytes_max, held: Arc::default() }
    }

    /// Tells there how many bytes its batches take.
    pub fn telling(mut self, held: Arc<AtomicU64>) -> Self {
        self.held = held;
        self
    }

    /// Waits until the producer with this number may read its next batch. `None` if the channel was closed.
    pub async fn reserve(&self, producer: usize) -> Option<Room<'_>> {
        loop {
            let room = self.room.notified();
            {
                let mut state = self.lock();
                if state.closed {
                    return None;
                }
                let bytes = state.expected;
                let is_huge = bytes > self.bytes_max / 2;
                let may = !is_huge || state.alone.is_none_or(|alone| alone == producer);
                if may && (state.bytes == 0 || state.bytes + bytes <= self.bytes_max) {
                    state.alone = is_huge.then_some(producer);
                    state.bytes += bytes;
                    self.held.store(state.bytes as u64, Relaxed);
                    return Some(Room { channel: self, bytes });
                }
            }
            room.await;
        }
    }

    /// Queues a batch in the room reserved for it. False if the channel was closed: the batch is dropped and nobody wants
    /// more.
    pub fn send(&self, batch: Batch, mut room: Room<'_>) -> bool {
        let bytes = batch.bytes();
        let mut state = self.lock();
        if state.closed {
            return false;
        }
        // After a huge batch comes a cautious time: the expectation sinks by halves.
        state.expected = bytes.max(state.expected / 2);
        state.bytes = state.bytes - std::mem::take(&mut room.bytes) + bytes;
        self.held.store(state.bytes as u64, Relaxed);
        state.queue.push_back((batch, bytes));
        drop(state);
        self.filled.notify_one();
        self.room.notify_waiters();
        true
    }

    /// The next batch and the room it takes until that is dropped; `None` when all producers are done and the queue is
    /// empty, or the channel was closed.
    pub async fn receive(&self) -> Option<(Batch, Room<'_>)> {
        loop {
            let filled = self.filled.notified();
            {
                let mut state = self.lock();
                if state.closed {
                    return None;
                }
                if let Some((batch, bytes)) = state.queue.pop_front() {
                    let more = !state.queue.is_empty();
                    drop(state);
                    if more {
                        self.filled.notify_one();
                    }
                    return Some((batch, Room { channel: self, bytes }));
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

    /// The producer with this number has ended.
    pub fn done(&self, producer: usize) {
        let mut state = self.lock();
        state.producers = state.producers.saturating_sub(1);
        state.alone = state.alone.filter(|alone| *alone != producer);
        drop(state);
        self.filled.notify_one();
        self.room.notify_waiters();
    }

    /// Ends everything at once: queued batches are dropped, senders and receivers return.
    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.queue.clear();
        drop(state);
        self.room.notify_waiters();
        self.filled.notify_waiters();
        self.filled.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        if self.bytes > 0 {
            let mut state = self.channel.lock();
            state.bytes -= self.bytes;
            self.channel.held.store(state.bytes as u64, Relaxed);
            drop(state);
            self.channel.room.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;

    fn batch(bytes: usize) -> Batch {
        Batch::raw(1, Bytes::from(vec![0; bytes]))
    }

    async fn send(channel: &Channel, producer: usize, bytes: usize) {
        let room = channel.reserve(producer).await.unwrap();
        assert!(channel.send(batch(bytes), room));
    }

    async fn waits(channel: &Channel, producer: usize) -> bool {
        tokio::time::timeout(Duration::from_millis(20), channel.reserve(producer)).await.is_err()
    }

    #[tokio::test]
    async fn every_batch_arrives_once_whatever_the_number_of_ends() {
        let channel = Arc::new(Channel::new(100, 10, 3));
        let producers: Vec<_> = (0..3)
            .map(|producer| {
                let channel = channel.clone();
                tokio::spawn(async move {
                    for number in 0..500 {
                        // Now and then one that is over the budget by itself.
                        send(&channel, producer, if number % 50 == producer { 1000 } else { 30 }).await;
                        tokio::task::yield_now().await;
                    }
                    channel.done(producer);
                })
            })
            .collect();
        let consumers: Vec<_> = (0..4)
            .map(|_| {
                let channel = channel.clone();
                tokio::spawn(async move {
                    let mut seen = 0;
                    while let Some((_, _room)) = channel.receive().await {
                        tokio::task::yield_now().await;
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
    async fn a_batch_counts_until_it_is_written() {
        let held = Arc::new(AtomicU64::new(0));
        let channel = Channel::new(100, 40, 1).telling(held.clone());
        send(&channel, 0, 40).await;
        send(&channel, 0, 40).await;
        assert!(waits(&channel, 0).await);
        let (_, writing) = channel.receive().await.unwrap();
        assert!(waits(&channel, 0).await);
        assert_eq!(held.load(Relaxed), 80);
        drop(writing);
        assert_eq!(held.load(Relaxed), 40);
        assert!(!waits(&channel, 0).await);
    }

    #[tokio::test]
    async fn after_a_huge_batch_its_reader_goes_on_alone_until_batches_are_small_again() {
        let channel = Channel::new(100, 10, 2);
        send(&channel, 0, 1000).await;
        assert!(waits(&channel, 0).await);
        drop(channel.receive().await.unwrap());
        for _ in 0..4 {
            send(&channel, 0, 10).await;
            drop(channel.receive().await.unwrap());
            assert!(waits(&channel, 1).await);
        }
        send(&channel, 0, 10).await;
        send(&channel, 1, 10).await;
        // A reader that ends while it is alone makes room for the others.
        send(&channel, 0, 1000).await;
        for _ in 0..3 {
            drop(channel.receive().await.unwrap());
        }
        drop(channel.reserve(0).await.unwrap());
        channel.done(0);
        assert!(!waits(&channel, 1).await);
    }

    #[tokio::test]
    async fn closing_wakes_both_ends() {
        let channel = Arc::new(Channel::new(1, 1, 1));
        send(&channel, 0, 1).await;
        let reader = tokio::spawn({
            let channel = channel.clone();
            async move { channel.reserve(0).await.is_none() }
        });
        tokio::task::yield_now().await;
        channel.close();
        assert!(reader.await.unwrap());
        assert!(channel.receive().await.is_none());
    }
}
