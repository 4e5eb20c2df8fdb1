//! The promise itself, whatever the write mode: data and state are one act, a load that did not commit leaves nothing.

use std::time::Duration;

use levada_core::batch::{Batch, Reject};
use levada_core::destination::{Replayed, WriteMode};
use levada_core::error::ErrorKind;
use serde_json::json;

use crate::conformance::{Harness, Place, people, person_batches, persons};
use crate::pump;

/// What a commit stores comes back as it was, through any connection.
pub async fn state_is_stored_listed_and_forgotten(harness: &dyn Harness) {
    let place = Place::new(harness);
    let mut job = place.job("state");
    job.key.pipeline = format!("it's \"one\" \\ {}", job.table);
    let state = json!({ "position": { "cursor": "2024-01-01T00:00:00.000001", "n": 9_007_199_254_740_993_u64 },
        "text": "größe 😀 ' \" \\ \n" });
    job.state = Some(state.clone());
    assert!(place.destination.committed(&job.key).await.unwrap().is_none());
    let outcome = place.load(&job, &people(), &person_batches(0..10, "a", 10)).await.unwrap();
    let other = Place::new(harness);
    let commit = other.destination.committed(&job.key).await.unwrap().expect("the commit is stored");
    assert_eq!(commit.key, job.key);
    assert_eq!(commit.state, state);
    assert_eq!((commit.load_id.as_str(), commit.target.as_str()), (outcome.load_id.as_str(), outcome.target.as_str()));
    assert_eq!((commit.rows_written, commit.rows_rejected), (10, 0));
    let second = other.job("state_second");
    other.load(&second, &people(), &[]).await.unwrap();
    let all = other.destination.commits().await.unwrap();
    assert!(all.iter().any(|c| c.key == job.key) && all.iter().any(|c| c.key == second.key));
    let keys: Vec<_> = all.iter().map(|c| (c.key.pipeline.clone(), c.key.stream.clone())).collect();
    assert!(keys.is_sorted(), "commits are ordered by key: {keys:?}");
    assert!(place.destination.forget(&job.key).await.unwrap());
    assert!(!place.destination.forget(&job.key).await.unwrap());
    assert!(place.destination.committed(&job.key).await.unwrap().is_none());
    assert!(place.destination.committed(&second.key).await.unwrap().is_some());
}

/// What a load put into the quarantine comes back as it was, in its order and a part at a time, and nothing of other loads.
pub async fn rejects_are_read_back(harness: &dyn Harness) {
    let place = Place::new(harness);
    assert!(place.destination.rejects("no such load", 0, 10).await.unwrap().is_empty());
    let mut given = Vec::new();
    for (name, count) in [("rejected", 5), ("rejected_too", 1)] {
        let job = place.job(name);
        let mut spec = pump::spec(place.destination.as_ref(), &job, &people()).await.unwrap();
        spec.quarantine = true;
        let reject = |number: usize| Reject {
            row: format!("{{\"name\":\"it's \\\"{number}\\\" größe\"}}"),
            column: number.is_multiple_of(2).then(|| "name".to_owned()),
            reason: format!("{name}: not {number} times"),
        };
        let mut batch = Batch::arrow(person_batches(0..3, "a", 10).remove(0));
        batch.rejects = (0..count).map(reject).collect();
        let rejects = batch.rejects.clone();
        let outcome = pump::load_spec(place.destination.as_ref(), spec, &[batch], json!({})).await.unwrap();
        given.push((outcome.load_id, rejects));
    }
    let other = Place::new(harness);
    let (load, rejects) = &given[0];
    assert_eq!(other.destination.rejects(load, 0, 100).await.unwrap(), *rejects);
    assert_eq!(other.destination.rejects(load, 2, 2).await.unwrap(), rejects[2..4]);
    assert!(other.destination.rejects(load, 5, 2).await.unwrap().is_empty());
}

/// Rows of the quarantine leave it in the commit that loads them, all of them or none; those that are refused again stay under
/// the name of their load.
pub async fn rejects_leave_the_quarantine_as_they_are_loaded(harness: &dyn Harness) {
    if !harness.capabilities().appends {
        return;
    }
    let place = Place::new(harness);
    let destination = place.destination.as_ref();
    let job = place.job("replayed").write(WriteMode::Append);
    let reject =
        |number: usize| Reject { row: format!("{{\"n\":\"{number}\"}}"), column: None, reason: "no".to_owned() };
    let batch = |rows: std::ops::Range<i64>, rejects: std::ops::Range<usize>| {
        let mut batch = Batch::arrow(person_batches(rows, "a", 10).remove(0));
        batch.rejects = rejects.map(reject).collect();
        batch
    };
    let spec = async || {
        let mut spec = pump::spec(destination, &job, &people()).await.unwrap();
        spec.quarantine = true;
        spec
    };
    let first = pump::load_spec(destination, spec().await, &[batch(0..3, 0..5)], json!({})).await.unwrap();
    let replay = async |rows: u64, batch: Batch| {
        let replayed = Some(Replayed { load_id: first.load_id.clone(), rows });
        pump::replay_spec(destination, spec().await, &[batch], json!({}), replayed).await.map_err(|error| error.kind())
    };
    let kept = async || destination.rejects(&first.load_id, 0, 100).await.unwrap();
    let unchanged = async || {
        assert_eq!(kept().await, (0..5).map(reject).collect::<Vec<_>>());
        assert_eq!(place.rows(&job, &people()).await, persons(0..3, "a"));
    };
    if !harness.capabilities().replays {
        assert_eq!(replay(5, batch(3..6, 3..5)).await.unwrap_err(), ErrorKind::Unsupported);
        unchanged().await;
        return;
    }
    assert_eq!(replay(4, batch(3..6, 3..5)).await.unwrap_err(), ErrorKind::Refused);
    unchanged().await;
    let second = replay(5, batch(3..6, 3..5)).await.unwrap();
    assert_eq!(kept().await, [reject(3), reject(4)]);
    assert_eq!(place.rows(&job, &people()).await, persons(0..6, "a"));
    assert!(destination.rejects(&second.load_id, 0, 100).await.unwrap().is_empty());
    assert_eq!(destination.committed(&job.key).await.unwrap().unwrap().rows_rejected, 2);
}

/// A load that was planned on an older commit than the stored one is refused, and nothing of it stays.
pub async fn a_stale_previous_is_refused_and_changes_nothing(harness: &dyn Harness) {
    let place = Place::new(harness);
    for (previous, mode) in [(None, WriteMode::Replace), (Some("other"), WriteMode::Replace), (None, WriteMode::Append)]
    {
        if mode == WriteMode::Append && !harness.capabilities().appends {
            continue;
        }
        let job = place.job("stale").write(mode);
        let first = place.load(&job, &people(), &person_batches(0..10, "a", 10)).await.unwrap();
        let mut spec = pump::spec(place.destination.as_ref(), &job, &people()).await.unwrap();
        spec.previous = previous.map(str::to_owned);
        let batches: Vec<Batch> = person_batches(10..20, "b", 10).into_iter().map(Batch::arrow).collect();
        let error = pump::load_spec(place.destination.as_ref(), spec, &batches, json!({})).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
        assert_eq!(place.rows(&job, &people()).await, persons(0..10, "a"));
        let commit = place.destination.committed(&job.key).await.unwrap().unwrap();
        assert_eq!(commit.load_id, first.load_id);
    }
    // A previous that is gone is stale too.
    let job = place.job("stale_gone");
    let mut spec = pump::spec(place.destination.as_ref(), &job, &people()).await.unwrap();
    spec.previous = Some("gone".to_owned());
    let error = pump::load_spec(place.destination.as_ref(), spec, &[], json!({})).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
    assert!(place.destination.describe(&place.target(&job)).await.unwrap().is_none());
    assert!(place.remains().await.is_empty());
}

/// `abort` after writing leaves neither table nor state.
pub async fn an_aborted_load_leaves_nothing(harness: &dyn Harness) {
    let place = Place::new(harness);
    let job = place.job("abort").parallel(2);
    let spec = pump::spec(place.destination.as_ref(), &job, &people()).await.unwrap();
    let plan = place.destination.plan(&spec).await.unwrap();
    let batches: Vec<Batch> = person_batches(0..1000, "a", 100).into_iter().map(Batch::arrow).collect();
    let mut load = place.destination.begin(spec, plan.clone()).await.unwrap();
    pump::write(load.as_mut(), &plan, &batches).await.unwrap();
    load.abort().await;
    assert!(place.destination.describe(&place.target(&job)).await.unwrap().is_none());
    assert!(place.destination.committed(&job.key).await.unwrap().is_none());
    assert!(place.remains().await.is_empty());
    // Before any writer was opened, too.
    let spec = pump::spec(place.destination.as_ref(), &job, &people()).await.unwrap();
    let load = place.destination.begin(spec, plan).await.unwrap();
    load.abort().await;
    assert!(place.destination.describe(&place.target(&job)).await.unwrap().is_none());
}

/// A load that died without a word does not hinder the next one, whose rows are the only ones.
pub async fn a_dropped_load_is_cleaned_by_the_next(harness: &dyn Harness) {
    let place = Place::new(harness);
    let job = place.job("dropped").parallel(2);
    for _ in 0..2 {
        let dying = Place::new(harness);
        let spec = pump::spec(dying.destination.as_ref(), &job, &people()).await.unwrap();
        let plan = dying.destination.plan(&spec).await.unwrap();
        let batches: Vec<Batch> = person_batches(0..500, "dead", 50).into_iter().map(Batch::arrow).collect();
        let mut load = dying.destination.begin(spec, plan.clone()).await.unwrap();
        pump::write(load.as_mut(), &plan, &batches).await.unwrap();
        drop(load);
    }
    place.load(&job, &people(), &person_batches(0..20, "live", 10)).await.unwrap();
    assert_eq!(place.rows(&job, &people()).await, persons(0..20, "live"));
    assert!(place.remains().await.is_empty());
}

/// While one load lives, a second of the same stream is `Busy`; afterwards it gets its turn.
pub async fn a_live_load_holds_its_stream(harness: &dyn Harness) {
    let place = Place::new(harness);
    let job = place.job("lock");
    let spec = pump::spec(place.destination.as_ref(), &job, &people()).await.unwrap();
    let plan = place.destination.plan(&spec).await.unwrap();
    let first = place.destination.begin(spec.clone(), plan.clone()).await.unwrap();
    let other = Place::new(harness);
    let started = std::time::Instant::now();
    let second = tokio::time::timeout(Duration::from_secs(60), other.destination.begin(spec, plan)).await;
    match second.expect("a held stream is told within a minute") {
        Ok(_) => panic!("two live loads of one stream"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::Busy, "{error} after {:?}", started.elapsed()),
    }
    first.abort().await;
    other.load(&job, &people(), &person_batches(0..3, "b", 3)).await.unwrap();
    assert_eq!(place.rows(&job, &people()).await, persons(0..3, "b"));
}

/// Loads of different streams may run at once (or wait for each other); both commit.
pub async fn two_streams_load_at_once(harness: &dyn Harness) {
    let (one, two) = (Place::new(harness), Place::new(harness));
    let (job_one, job_two) = (one.job("at_once"), two.job("at_once"));
    let schema = people();
    let (batches_one, batches_two) = (person_batches(0..500, "a", 50), person_batches(0..500, "b", 50));
    let (a, b) = tokio::join!(one.load(&job_one, &schema, &batches_one), two.load(&job_two, &schema, &batches_two));
    a.unwrap();
    b.unwrap();
    assert_eq!(one.rows(&job_one, &people()).await, persons(0..500, "a"));
    assert_eq!(one.rows(&job_two, &people()).await, persons(0..500, "b"));
}
