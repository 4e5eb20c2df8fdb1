//! How both databases carry out what the scheduler, the workers and the lists ask, with many finished runs behind: by an
//! index, and where there is a partial one, by that.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use levada_core::id::{RunId, WorkerId};
use levada_core::run::{Event, RunState};
use levada_core::secret::Secret;
use levada_core::time::Timestamp;

use crate::db::{Dialect, Location, Tx, Value};
use crate::runs::{self, Exchange, Update};
use crate::*;

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);
/// Finished runs, with three task runs each; every second one is of `p`.
const PAST: i64 = 100_000;
/// Pipelines that share the others.
const PIPELINES: i64 = 1_000;

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_goes_by_indexes() {
    let folder = tempfile::tempdir().unwrap();
    check(&Location::File(folder.path().join("levada.db"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_goes_by_indexes() {
    let url = std::env::var("LEVADA_TEST_POSTGRES").expect("LEVADA_TEST_POSTGRES: run `scripts/services env`");
    let joint = if url.contains('?') { '&' } else { '?' };
    let schema = format!("store_plans_{}", std::process::id());
    let location = Location::Url(Secret::new(format!("{url}{joint}schema={schema}")));
    check(&location).await;
    // it is large
    let store = Store::open(&location).await.unwrap();
    let drop = async move |tx: &mut Tx| tx.script(&format!("DROP SCHEMA {schema} CASCADE")).await;
    store.db.write(drop).await.unwrap();
}

/// A store with a long past, some runs that are open, and 2,000 schedules.
async fn fill(store: &Store) -> WorkerId {
    let worker = NewWorker {
        name: "w".to_owned(),
        host: "h".to_owned(),
        process: "1".to_owned(),
        labels: Vec::new(),
        slots: 8,
        own: false,
    };
    let worker = store.sign_on(worker, NOW).await.unwrap();
    let graph = serde_json::json!({
        "nodes": (0..3).map(|index| serde_json::json!({
            "name": format!("t{index}"), "kind": "command", "after": if index == 0 { vec![] } else { vec![index - 1] },
            "when": "all_succeeded",
            "retry": levada_core::config::Retry::default(), "lost_max": 2, "timeout": null, "pool": ["pool", 1],
            "priority": 0, "runs_on": [], "fan_out": null,
        })).collect::<Vec<_>>(),
        "concurrency": 50, "priority": 0,
    });
    let document = NewDocument {
        kind: Kind::Pipeline,
        name: "p".to_owned(),
        path: "p.yaml".to_owned(),
        text: "name: p".to_owned(),
        graph: Some(serde_json::from_value(graph).unwrap()),
    };
    let document = store.keep_document(document, NOW).await.unwrap().id;
    store.set_pools([("pool".to_owned(), 40)].into()).await.unwrap();
    store.db.write(async move |tx: &mut Tx| past(tx, document, worker).await).await.unwrap();
    for index in 0..100 {
        store.create_run(NewRun::manual("p", document, format!("open {index}")), NOW).await.unwrap();
    }
    // as autovacuum does; nobody does it for SQLite, which plans by rules
    if store.dialect() == Dialect::Postgres {
        let analyze = async move |tx: &mut Tx| {
            tx.script("ANALYZE runs; ANALYZE task_runs; ANALYZE schedules; ANALYZE pipelines").await
        };
        store.db.write(analyze).await.unwrap();
    }
    worker
}

async fn past(tx: &mut Tx, document: i64, worker: WorkerId) -> Result<()> {
    let numbers = match tx.dialect() {
        Dialect::Sqlite => format!(
            "(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {PAST}) SELECT n FROM s) AS s"
        ),
        Dialect::Postgres => format!("generate_series(1, {PAST}) AS s(n)"),
    };
    let state = "CASE WHEN n % 1000 = 0 THEN 'failed' ELSE 'succeeded' END";
    let at = NOW.as_micros();
    tx.script(&format!(
        "INSERT INTO pipelines (name, document) SELECT 'p' || n, {document} FROM {numbers} WHERE n <= {PIPELINES}; \
         INSERT INTO runs (id, pipeline, document, cause, identity, fire_time, params, state, admitted, priority, open, \
         created_at, started_at, ended_at) \
         SELECT n, CASE WHEN n % 2 = 0 THEN 'p' ELSE 'p' || (n / 2 % {PIPELINES} + 1) END, {document}, 'schedule', 'past ' || n, {at} - n, '{{}}', {state}, \
         1, 0, 0, {at} - 1000000 * (200000 - CAST(n AS BIGINT)), {at}, {at} FROM {numbers}"
    ))
    .await?;
    for task in 0..3 {
        tx.script(&format!(
            "INSERT INTO task_runs (run, task, name, state, blockers, worker, priority, pool, slots, started_at, ended_at) \
             SELECT n, {task}, 't{task}', {state}, 0, {worker}, 0, 'pool', 1, {at}, {at} FROM {numbers}"
        ))
        .await?;
    }
    tx.script(&format!(
        "INSERT INTO schedules (pipeline, name, kind, spec, next_at) SELECT 'p', 's' || n, 'time', '{{}}', {at} + CAST(n AS BIGINT) * 1000000 \
         FROM {numbers} WHERE n <= 2000"
    ))
    .await?;
    if tx.dialect() == Dialect::Postgres {
        tx.script("SELECT setval(pg_get_serial_sequence('runs', 'id'), 200000)").await?;
    }
    Ok(())
}

async fn check(location: &Location) {
    let store = Store::open(location).await.unwrap();
    let worker = fill(&store).await;
    let dashboard = store.dashboard(NOW).await.unwrap();
    assert_eq!(dashboard.ended.succeeded + dashboard.ended.failed, PAST as u64);
    assert_eq!((dashboard.failed.len(), dashboard.fires.len()), (20, 10));
    assert_eq!(store.pipelines().await.unwrap().len() as i64, PIPELINES + 1);
    let operate = async move |tx: &mut Tx| {
        tx.seen.clear();
        operate(tx, worker).await?;
        let seen = std::mem::take(&mut tx.seen);
        if tx.dialect() == Dialect::Postgres {
            // what a connection comes to after a while
            tx.script("SET LOCAL plan_cache_mode = force_generic_plan").await?;
        }
        let mut plans = Vec::new();
        for (sql, values) in seen {
            plans.push((sql.clone(), plan(tx, &sql, &values).await?));
        }
        Ok(plans)
    };
    let plans = store.db.write(operate).await.unwrap();
    assert!(plans.len() > 30);
    for (sql, plan) in &plans {
        for table in ["task_runs", "runs", "schedules"] {
            assert!(!reads_all(plan, table, sql), "{sql}\n{plan}");
        }
    }
    for (part, index) in [
        ("t.state = 'queued' AND t.blockers = 0", "task_runs_claimable"),
        ("t.state = 'waiting' AND t.wake_at <=", "task_runs_waking"),
        ("SELECT MIN(wake_at)", "task_runs_waking"),
        ("t.wake_on IS NOT NULL", "task_runs_waited"),
        ("WHERE worker = $1 AND state IN", "task_runs_held"),
        ("FROM pools p ORDER BY p.name", "task_runs_pooled"),
        ("s.kind = 'time' AND s.paused = 0", "schedules_due"),
        ("SELECT MIN(next_at)", "schedules_due"),
        ("AND admitted = 0", "runs_open"),
        ("r.state IN ('failed', 'cancelled')", "runs_bad"),
        ("ended_at / 3600000000", "runs_ended"),
        ("WHERE r.state = 'failed' AND r.ended_at >=", "runs_ended"),
        ("r.state = 'running' AND r.ended_at IS NULL", "runs_open"),
    ] {
        let mut found = plans.iter().filter(|(sql, _)| sql.contains(part)).peekable();
        assert!(found.peek().is_some(), "nothing asked for {part}");
        // of the two statements about pools the first only locks
        let found: Vec<_> = found.collect();
        assert!(found.iter().any(|(_, plan)| plan.contains(index)), "{part} does not go by {index}: {found:#?}");
    }
}

/// What the scheduler, a worker and the lists do.
async fn operate(tx: &mut Tx, worker: WorkerId) -> Result<()> {
    let mut exchange = Exchange { worker, updates: Vec::new(), want: 10, labels: Vec::new(), own: false, now: NOW };
    let given = runs::exchange(tx, std::slice::from_ref(&exchange)).await?.remove(0);
    let update = |index: usize, event| {
        let claim = given.claims.get(index).unwrap();
        Update::new(claim.task_run, claim.epoch, vec![Event::Started, event])
    };
    exchange.updates = vec![
        update(0, Event::Finished),
        update(1, Event::Errored { retry: false }),
        update(2, Event::Deferred { until: NOW.plus(Duration::from_secs(60)) }),
    ];
    runs::exchange(tx, &[exchange]).await?;
    runs::wake_due(tx, NOW).await?;
    runs::next_wake(tx).await?;
    workers::beat(tx, worker, false, &[], NOW).await?;
    workers::reap_silent(tx, &[], NOW).await?;
    schedules::fire_due(tx, NOW, 1_000).await?;
    schedules::next_at(tx, "time").await?;
    backfills::advance(tx, NOW).await?;
    pipelines::pipelines(tx).await?;
    for is_ascending in [true, false] {
        overview::recent_runs(tx, None, (Some("p"), is_ascending), 50, 20).await?;
    }
    overview::task_states(tx, &[RunId(50_000), RunId(50_002)], 1_000).await?;
    overview::pools(tx).await?;
    overview::held(tx).await?;
    overview::recent_runs(tx, Some(&["p".to_owned(), "p7".to_owned()]), (None, true), 50, 20).await?;
    dashboard::dashboard(tx, NOW).await?;
    progress::progress(tx, Some(RunId(50_000))).await?;
    let all = RunFilter { limit: 50, ..RunFilter::default() };
    let pipeline = Some("p".to_owned());
    for filter in [
        all.clone(),
        RunFilter { pipeline: pipeline.clone(), after: Some(RunId(50_000)), ..all.clone() },
        RunFilter { state: Some(RunState::Failed), ..all.clone() },
        RunFilter { state: Some(RunState::Running), pipeline: pipeline.clone(), ..all.clone() },
        RunFilter { state: Some(RunState::Cancelled), pipeline, ..all.clone() },
        RunFilter { cause: Some(Cause::Backfill), ..all.clone() },
        RunFilter { since: Some(NOW), ..all.clone() },
        RunFilter { until: Some(NOW), is_ascending: true, ..all.clone() },
        RunFilter { search: Some("p7".to_owned()), ..all },
    ] {
        views::runs(tx, &filter).await?;
    }
    views::task_runs(tx, RunId(50_000)).await?;
    for bound in [views::Bound::From(1), views::Bound::Before(i64::MAX)] {
        views::happenings(tx, RunId(50_000), bound, 50).await?;
    }
    let keep = Keep { age: Duration::from_secs(3_600), runs: 1_000 };
    retention::old(tx, keep, NOW).await?;
    let claim = given.claims.first().unwrap();
    runs::stop_run(tx, claim.run, NOW).await?;
    why::of_task_run(tx, claim.task_run, NOW).await.map(drop)
}

async fn plan(tx: &mut Tx, sql: &str, values: &[Value]) -> Result<String> {
    let explain = match tx.dialect() {
        Dialect::Sqlite => "EXPLAIN QUERY PLAN",
        Dialect::Postgres => "EXPLAIN",
    };
    let mut plan = String::new();
    for mut row in tx.rows(&format!("{explain} {sql}"), values).await? {
        if tx.dialect() == Dialect::Sqlite {
            // its number, that of its parent, and one that is not used
            for _ in 0..3 {
                row.int()?;
            }
        }
        plan.push_str(&row.text()?);
        plan.push('\n');
    }
    Ok(plan)
}

/// Whether a plan reads a table from one end to the other. Lists that go by their own order and stop are right.
fn reads_all(plan: &str, table: &str, sql: &str) -> bool {
    plan.lines().any(|line| {
        let line = line.trim();
        let postgres =
            line.contains(&format!("Seq Scan on {table} ")) || line.ends_with(&format!("Seq Scan on {table}"));
        let names = sql.split(table).skip(1).filter_map(|after| after.split_whitespace().find(|word| *word != "AS"));
        let named = |name: &str| line == format!("SCAN {name}");
        postgres || named(table) || names.into_iter().any(|name| name.len() == 1 && named(name))
    })
}
