//! Events in the order of their numbers, as they come. On PostgreSQL a transaction can take a number and commit after one
//! that took a later number; the feed waits at such a gap until it is filled or until nobody is left who could fill it. So
//! whoever has seen everything up to a number has missed nothing before it.

use std::collections::HashSet;

use levada_core::error::Result;
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
    gap: Option<Gap>,
}

/// Numbers that are missing before others that are there.
#[derive(Debug, Clone)]
struct Gap {
    /// The last event that was there when it was first seen; all that is missing before it was taken by then.
    end: i64,
    /// Who was writing events just after that: nobody else can fill it.
    writers: HashSet<String>,
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
        let has_gaps = store.dialect() == Dialect::Postgres;
        // asked before the look: whoever is no longer at work by then is seen by it
        let writers = if self.gap.is_some() { store.event_writers().await? } else { HashSet::new() };
        let mut found = store.events_after(self.last, LOOK_MAX).await?;
        if has_gaps {
            let settled = self.settled(&found, &writers);
            if let Some(end) = found.last().filter(|_| settled < found.len() && self.gap.is_none()) {
                self.gap = Some(Gap { end: end.happening.id, writers: store.event_writers().await? });
            }
            found.truncate(settled);
        }
        self.last = found.last().map_or(self.last, |event| event.happening.id);
        Ok(found)
    }

    /// How many of the events have none before them that can still come, with these who are writing now. A gap that is
    /// left behind is forgotten.
    fn settled(&mut self, found: &[LiveEvent], writers: &HashSet<String>) -> usize {
        let mut before = self.last;
        for (place, event) in found.iter().enumerate() {
            let id = event.happening.id;
            self.gap.take_if(|gap| gap.end < id);
            let is_final = self.gap.as_ref().is_some_and(|gap| gap.writers.is_disjoint(writers));
            if id != before + 1 && !is_final {
                return place;
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

    /// The transactions that are writing events, by names that no later one has. The lock is taken before a number is, and
    /// held to the end.
    async fn event_writers(&self) -> Result<HashSet<String>> {
        let sql = "SELECT virtualtransaction FROM pg_locks WHERE locktype = 'relation' AND mode = 'RowExclusiveLock' \
                   AND relation = 'events'::regclass \
                   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        self.db.read(async move |tx: &mut Tx| tx.rows(sql, &[]).await?.iter_mut().map(Row::text).collect()).await
    }

    /// Events after one, in order of their numbers, whether or not others before them can still come.
    pub async fn events_after(&self, after: i64, limit: usize) -> Result<Vec<LiveEvent>> {
        self.db.read(async move |tx: &mut Tx| events(tx, after, limit.min(LOOK_MAX)).await).await
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
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use levada_core::secret::Secret;
    use levada_core::time::Timestamp;

    use super::*;
    use crate::db::Location;
    use crate::{Kind, NewDocument, NewRun};

    const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

    fn event(id: i64) -> LiveEvent {
        let (event, state) = (String::new(), String::new());
        let happening = Happening { id, task_run: None, at: NOW, event, state, attempt: 0, detail: None };
        LiveEvent { run: RunId(1), pipeline: String::new(), task: None, happening }
    }

    #[test]
    fn a_gap_is_waited_for_until_nobody_can_fill_it() {
        let events = |ids: &[i64]| ids.iter().copied().map(event).collect::<Vec<_>>();
        let writers = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<HashSet<_>>();
        let gap = |end, names| Some(Gap { end, writers: writers(names) });
        let mut feed = Feed::after(10);
        assert_eq!(feed.settled(&events(&[11, 12]), &writers(&[])), 2);
        // 13 is missing, and nobody was asked yet who writes
        feed.last = 12;
        assert_eq!(feed.settled(&events(&[14, 15]), &writers(&[])), 0);
        feed.gap = gap(15, &["3/7"]);
        // another one began since, and the first goes on
        assert_eq!(feed.settled(&events(&[14, 15, 16]), &writers(&["3/7", "4/1"])), 0);
        // it committed
        assert_eq!(feed.settled(&events(&[13, 14, 15, 16]), &writers(&["4/1"])), 4);
        // the next gap: 18 never comes, because whoever took it gave up
        feed.last = 16;
        assert_eq!(feed.settled(&events(&[17, 19, 20]), &writers(&[])), 1);
        (feed.last, feed.gap) = (17, gap(20, &["3/8", "4/2"]));
        assert_eq!(feed.settled(&events(&[19, 20]), &writers(&["4/2"])), 0);
        // a gap behind the one that was waited for is waited for anew
        assert_eq!(feed.settled(&events(&[19, 20, 22]), &writers(&["4/3"])), 2);
        assert!(feed.gap.is_none());
    }

    #[tokio::test]
    async fn only_who_writes_events_is_waited_for() {
        let url = std::env::var("LEVADA_TEST_POSTGRES").expect("LEVADA_TEST_POSTGRES: run `scripts/services env`");
        let (plain, options) = url.split_once('?').unwrap_or((&url, ""));
        let schema = format!("store_live_{}", std::process::id());
        let location = Location::Url(Secret::new(format!("{plain}?{options}&schema={schema}")));
        let store = Store::open(&location).await.unwrap();
        let (other, connection) = tokio_postgres::connect(plain, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        other.batch_execute(&format!("SET search_path TO {schema}")).await.unwrap();
        let document = NewDocument {
            kind: Kind::Pipeline,
            name: "p".to_owned(),
            path: "p.yaml".to_owned(),
            text: "name: p".to_owned(),
            graph: Some(
                serde_json::from_value(serde_json::json!({ "nodes": [], "concurrency": 1, "priority": 0 })).unwrap(),
            ),
        };
        let document = store.keep_document(document, NOW).await.unwrap().id;
        let run = async |name: &str| {
            store.create_run(NewRun::manual("p", document, name.to_owned()), NOW).await.unwrap();
            store.last_event().await.unwrap()
        };
        let number = "SELECT nextval(pg_get_serial_sequence('events', 'id'))";
        let mut feed = Feed::after(run("before").await);

        // somebody is at work on other tables for hours, and a number was lost
        other.batch_execute(number).await.unwrap();
        other.batch_execute("BEGIN; SELECT txid_current()").await.unwrap();
        let last = run("after a lost number").await;
        assert_eq!((feed.next(&store).await.unwrap(), feed.next(&store).await.unwrap().is_empty()), (vec![], false));
        assert_eq!(feed.last(), last);

        // somebody holds a number that may still become an event
        other
            .batch_execute(&format!("COMMIT; BEGIN; LOCK TABLE events IN ROW EXCLUSIVE MODE; {number}"))
            .await
            .unwrap();
        let last = run("after a number that is held").await;
        for _ in 0..3 {
            assert_eq!(feed.next(&store).await.unwrap(), []);
        }
        other.batch_execute("COMMIT").await.unwrap();
        assert!(!feed.next(&store).await.unwrap().is_empty());
        assert_eq!(feed.last(), last);
        other.batch_execute(&format!("DROP SCHEMA {schema} CASCADE")).await.unwrap();
    }
}
