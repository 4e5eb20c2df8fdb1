//! Loads from a hot standby that cancels them on the way.

use std::time::Duration;

use crate::support::{Database, Pipeline, Ran};

/// Rows that take the binary a second or so.
const ROWS: u32 = 400_000;

/// Waits until the standby answers a question with `t`.
fn until(standby: &Database, question: &str) {
    for _ in 0..600 {
        if standby.sql(question) == "t" {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("the standby does not come to: {question}");
}

/// Starts a load, and has the standby cancel it once rows are on their way. What stands in the load's way has arrived
/// before, and only waits to be replayed, so that the standby does not grant it the usual moment.
fn cancelled(primary: &Database, standby: &Database, pipeline: &Pipeline) -> Ran {
    standby.sql("SELECT pg_wal_replay_pause()");
    primary.sql("DELETE FROM other WHERE id IN (SELECT id FROM other LIMIT 100)");
    primary.sql("VACUUM other");
    let written = primary.sql("SELECT pg_current_wal_insert_lsn()");
    until(standby, &format!("SELECT pg_last_wal_receive_lsn() >= '{written}'"));
    let started = pipeline.start();
    until(
        standby,
        "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'COPY%'",
    );
    // asked in another database, as every query in this one is cancelled
    standby.beside("postgres").sql("SELECT pg_wal_replay_resume()");
    Ran::of(started)
}

#[test]
fn a_load_that_the_standby_cancels_is_tried_again_and_comes_whole() {
    let primary = Database::primary("levada_standby_run");
    primary.sql(&format!(
        "CREATE TABLE t(id int PRIMARY KEY, pad text, n int NOT NULL); CREATE INDEX ON t(n);
         INSERT INTO t SELECT i, repeat('x', 200), i / 3 FROM generate_series(1, {ROWS}) i;
         CREATE TABLE other(id int); INSERT INTO other SELECT generate_series(1, 1000)"
    ));
    let standby = primary.standby();
    until(&standby, "SELECT to_regclass('other') IS NOT NULL");
    until(&standby, "SELECT count(*) = 1000 FROM other");
    for (kind, stream) in [
        ("full", "  public.t: { read: full, write: replace }"),
        ("merge", "  public.t: { read: incremental, cursor: n, write: merge, key: [id] }"),
    ] {
        let target = Database::postgres(&format!("levada_standby_{kind}"));
        let pipeline = Pipeline::new(&standby, &target, stream);
        let ran = cancelled(&primary, &standby, &pipeline);
        ran.done();
        let report = &ran.report["tasks"][0]["streams"][0];
        assert!(report["attempts"].as_u64().unwrap() > 1, "{kind}: the standby cancelled nothing: {report}");
        let content = "SELECT count(*), sum(hashtext(t::text)) FROM t";
        assert_eq!(target.sql(content), primary.sql(content), "{kind}");
        let kept = report["warnings"].to_string().replace("Nothing was committed", "").contains("committed");
        let read = report["proof"]["read"].as_u64().unwrap();
        assert!(!kept || kind == "merge", "{report}");
        // Besides, the slices that were under way are read twice.
        let most = if kept { 2 * u64::from(ROWS) } else { u64::from(ROWS) };
        assert!(read >= u64::from(ROWS) && read <= most, "{kind}: {report}");
        assert_eq!(target.stages(), "");
    }
}
