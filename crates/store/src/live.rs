//! Events in the order of their numbers, as they come. On PostgreSQL a transaction can take a number and commit after one
//! that took a later number; the feed waits at such a gap until it is filled or until nobody is left who could fill it. So
//! whoever has seen everything up to a number has missed nothing before it.

use levada_core::error::{Error, ErrorKind, Result};
use levada_core::id::{RunId, TaskRunId};

use crate::Store;
use crate::db::{Dialect, Row, Tx};
use crate::views::Happening;

/// Most events of one look.
const LOOK_MAX: usize = 1_000;

/// An event with what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveEvent {
    /// The run.
    pub run: RunId,
    /// Its pipeline.
    pub pipeline: String,
    /// The task, if it concerns one.
    pub task: Option<String>,
    /// What happened.
    pub happening: Happening,
}

/// A place in the events, from which they are read in order.
#[derive(Debug, Clone)]
pub struct Feed {
    last: i64,
    /// The end of a gap, and the number of the next transaction when it was first seen.
    gap: Option<(i64, i64)>,
}

impl Feed {
    /// From after an event on.
    pub fn after(id: i64) -> Self {
        Self { last: id, gap: None }
    }

    /// The last event that was given out.
    pub fn last(&self) -> i64 {
        self.last
    }

    /// The next events, as far as none before them can still come; empty if there are none yet.
    pub async fn next(&mut self, store: &Store) -> Result<Vec<LiveEvent>> {
        let after = self.last;
        let read = async move |tx: &mut Tx| {
            if tx.dialect() == Dialect::Sqlite {
                return Ok((events(tx, after, LOOK_MAX).await?, None));
            }
            // who ended before the look is seen by it, and who took a number before it began before its end
            let oldest = number(tx, "pg_snapshot_xmin").await?;
            let found = events(tx, after, LOOK_MAX).await?;
            let next = number(tx, "pg_snapshot_xmax").await?;
            Ok((found, Some((oldest, next))))
        };
        let (mut found, bounds) = store.db.read(read).await?;
        if let Some((oldest, next)) = bounds {
            let settled = self.settled(&found, oldest, next);
            found.truncate(settled);
        }
        self.last = found.last().map_or(self.last, |event| event.happening.id);
        Ok(found)
    }

    /// How many of the events have none before them that can still come. `oldest` is the oldest transaction that is at
    /// work, `next` the number that the next one gets.
    fn settled(&mut self, found: &[LiveEvent], oldest: i64, next: i64) -> usize {
        let mut before = self.last;
        for (place, event) in found.iter().enumerate() {
            let id = event.happening.id;
            if id != before + 1 {
                match self.gap {
                    Some((end, seen)) if end >= id && oldest >= seen => {}
                    Some((end, _)) if end >= id => return place,
                    _ => {
                        // whatever is missing up to the last event that is there, one wait is for all of it
                        let end = found.last().map_or(id, |last| last.happening.id);
                        self.gap = Some((end, next));
                        return place;
                    }
                }
            }
            before = id;
        }
        found.len()
    }
}

impl Store {
    /// The number of the last event; 0 if there is none.
    pub async fn last_event(&self) -> Result<i64> {
        let last = async move |tx: &mut Tx| match tx.row("SELECT COALESCE(MAX(id), 0) FROM events", &[]).await? {
            Some(mut row) => row.int(),
            None => Ok(0),
        };
        self.db.read(last).await
    }

    /// Events after one, in order of their numbers, whether or not others before them can still come.
    pub async fn events_after(&self, after: i64, limit: usize) -> Result<Vec<LiveEvent>> {
        self.db.read(async move |tx: &mut Tx| events(tx, after, limit.min(LOOK_MAX)).await).await
    }
}

/// The number of a transaction: of the oldest that is at work, or of the next.
async fn number(tx: &mut Tx, which: &str) -> Result<i64> {
    match tx.row(&format!("SELECT {which}(pg_current_snapshot())::text::bigint"), &[]).await? {
        Some(mut row) => row.int(),
        None => Err(Error::new(ErrorKind::Internal, "the database tells nothing of its transactions")),
    }
}

async fn events(tx: &mut Tx, after: i64, limit: usize) -> Result<Vec<LiveEvent>> {
    let sql = "SELECT e.run, r.pipeline, t.name, e.id, e.task_run, e.at, e.event, e.state, e.attempt, e.detail \
               FROM events e JOIN runs r ON r.id = e.run LEFT JOIN task_runs t ON t.id = e.task_run \
               WHERE e.id > $1 ORDER BY e.id LIMIT $2";
    tx.rows(sql, &[after.into(), limit.into()]).await?.iter_mut().map(read).collect()
}

fn read(row: &mut Row) -> Result<LiveEvent> {
    Ok(LiveEvent {
        run: RunId(row.int()?),
        pipeline: row.text()?,
        task: row.text_or_null()?,
        happening: Happening {
            id: row.int()?,
            task_run: row.int_or_null()?.map(TaskRunId),
            at: row.time()?,
            event: row.text()?,
            state: row.text()?,
            attempt: row.small()?,
            detail: row.text_or_null()?,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: i64) -> LiveEvent {
        let at = levada_core::time::Timestamp::from_secs(0);
        let (event, state) = (String::new(), String::new());
        let happening = Happening { id, task_run: None, at, event, state, attempt: 0, detail: None };
        LiveEvent { run: RunId(1), pipeline: String::new(), task: None, happening }
    }

    #[test]
    fn a_gap_is_waited_for_until_nobody_can_fill_it() {
        let events = |ids: &[i64]| ids.iter().copied().map(event).collect::<Vec<_>>();
        let mut feed = Feed::after(10);
        assert_eq!(feed.settled(&events(&[11, 12]), 100, 101), 2);
        // 13 is missing, and the transaction 101 is at work
        feed.last = 12;
        assert_eq!(feed.settled(&events(&[14, 15]), 101, 103), 0);
        // another one began since, and 101 goes on
        assert_eq!(feed.settled(&events(&[14, 15, 16]), 101, 105), 0);
        // it committed
        assert_eq!(feed.settled(&events(&[13, 14, 15, 16]), 105, 106), 4);
        // the next gap: 18 never comes, because whoever took it gave up
        feed.last = 16;
        assert_eq!(feed.settled(&events(&[17, 19, 20]), 110, 112), 1);
        feed.last = 17;
        assert_eq!(feed.settled(&events(&[19, 20]), 111, 113), 0);
        assert_eq!(feed.settled(&events(&[19, 20]), 112, 113), 2);
        // a gap behind the one that was waited for is waited for anew
        feed.last = 20;
        assert_eq!(feed.settled(&events(&[22]), 113, 114), 0);
        assert_eq!(feed.settled(&events(&[22, 24]), 114, 115), 1);
        feed.last = 22;
        assert_eq!(feed.settled(&events(&[24]), 115, 116), 1);
    }
}
