//! Work that waits for the thread that writes or reads, and who waits for its end.

use std::any::Any;

use futures_util::future::LocalBoxFuture;
use levada_core::error::{Error, Result};
use tokio::sync::oneshot;

use super::{Tx, closed};

/// Work that waits for its turn.
pub(super) trait Job: Any + Send {
    fn run<'a>(&'a mut self, tx: &'a mut Tx) -> LocalBoxFuture<'a, Result<()>>;
    fn answer(self: Box<Self>, end: Result<()>);

    /// How many wait for it.
    fn size(&self) -> usize {
        1
    }

    /// Whether it shares a transaction with its like only.
    fn is_apart(&self) -> bool {
        false
    }

    /// Does another job's work together with its own, or gives it back.
    fn join(&mut self, other: Box<dyn Job>) -> Result<(), Box<dyn Job>> {
        Err(other)
    }

    /// The halves of what was joined, or itself.
    fn halves(self: Box<Self>) -> Vec<Box<dyn Job>>;
}

/// Adds a job to those of a transaction.
pub(super) fn add(group: &mut Vec<Box<dyn Job>>, mut job: Box<dyn Job>) {
    for known in group.iter_mut() {
        match known.join(job) {
            Ok(()) => return,
            Err(back) => job = back,
        }
    }
    group.push(job);
}

/// Work for one.
pub(super) struct Call<T, F> {
    work: F,
    is_apart: bool,
    outcome: Option<T>,
    reply: oneshot::Sender<Result<T>>,
}

impl<T, F> Call<T, F> {
    pub(super) fn new(work: F, is_apart: bool, reply: oneshot::Sender<Result<T>>) -> Self {
        Self { work, is_apart, outcome: None, reply }
    }
}

impl<T, F> Job for Call<T, F>
where
    T: Send + 'static,
    F: AsyncFnMut(&mut Tx) -> Result<T> + Send + 'static,
{
    fn run<'a>(&'a mut self, tx: &'a mut Tx) -> LocalBoxFuture<'a, Result<()>> {
        Box::pin(async move {
            self.outcome = None;
            self.outcome = Some((self.work)(tx).await?);
            Ok(())
        })
    }

    fn answer(self: Box<Self>, end: Result<()>) {
        let Call { outcome, reply, .. } = *self;
        // nobody may wait for it any more
        let _ = reply.send(end.and_then(|()| outcome.ok_or_else(closed)));
    }

    fn is_apart(&self) -> bool {
        self.is_apart
    }

    fn halves(self: Box<Self>) -> Vec<Box<dyn Job>> {
        vec![self]
    }
}

/// Work for many: one type of work is one piece of code, which holds nothing that could differ.
pub(super) struct Joint<I, T, F> {
    work: F,
    items: Vec<I>,
    outcomes: Vec<T>,
    replies: Vec<oneshot::Sender<Result<T>>>,
}

impl<I, T, F> Joint<I, T, F> {
    pub(super) fn new(work: F, item: I, reply: oneshot::Sender<Result<T>>) -> Self {
        Self { work, items: vec![item], outcomes: Vec::new(), replies: vec![reply] }
    }
}

impl<I, T, F> Job for Joint<I, T, F>
where
    I: Send + 'static,
    T: Send + 'static,
    F: AsyncFn(&mut Tx, &[I]) -> Result<Vec<T>> + Copy + Send + 'static,
{
    fn run<'a>(&'a mut self, tx: &'a mut Tx) -> LocalBoxFuture<'a, Result<()>> {
        Box::pin(async move {
            self.outcomes = (self.work)(tx, &self.items).await?;
            Ok(())
        })
    }

    fn answer(self: Box<Self>, end: Result<()>) {
        let Joint { outcomes, replies, .. } = *self;
        let mut outcomes = outcomes.into_iter();
        for reply in replies {
            // nobody may wait for it any more
            let _ = reply.send(match &end {
                Ok(()) => outcomes.next().ok_or_else(closed),
                Err(error) => Err(copy(error)),
            });
        }
    }

    fn size(&self) -> usize {
        self.items.len()
    }

    fn join(&mut self, other: Box<dyn Job>) -> Result<(), Box<dyn Job>> {
        if !(other.as_ref() as &dyn Any).is::<Self>() {
            return Err(other);
        }
        let other: Box<dyn Any> = other;
        if let Ok(other) = other.downcast::<Self>() {
            self.items.extend(other.items);
            self.replies.extend(other.replies);
        }
        Ok(())
    }

    fn halves(mut self: Box<Self>) -> Vec<Box<dyn Job>> {
        let middle = self.items.len() / 2;
        if middle == 0 {
            return vec![self];
        }
        let (items, replies) = (self.items.split_off(middle), self.replies.split_off(middle));
        let other = Self { work: self.work, items, outcomes: Vec::new(), replies };
        vec![self, Box::new(other)]
    }
}

/// An error for another who waits.
pub(super) fn copy(error: &Error) -> Error {
    let copy = Error::new(error.kind(), error.message()).advise(error.advice());
    error.place().iter().rev().fold(copy, |copy, place| copy.at(place))
}
