//! Backups in a bucket, and into another system.

use super::{Kept, done, json, levada};
use crate::support::{Database, psql};
use levada_testkit::services;
use url::Url;

#[test]
fn a_bucket_keeps_backups_as_a_folder_does() {
    let source = Database::postgres("levada_backup_s3");
    let target = Database::postgres("levada_backup_s3_dst");
    psql(
        &source,
        "CREATE TABLE a(n int PRIMARY KEY, t text); INSERT INTO a SELECT n, 'row ' || n FROM generate_series(1, 50000) n",
    );
    let mut place = Url::parse(&services::s3()).unwrap();
    place.set_path(&format!("backups-{}-{}", std::process::id(), uuid()));
    let place = place.as_str();
    let take = || {
        let report = json(&done(levada(&["backup", &source.url(), "--to", place])));
        report["backup"]["name"].as_str().unwrap().to_owned()
    };
    let first = take();
    psql(&source, "DELETE FROM a WHERE n > 10");
    let second = take();
    let listed = json(&done(levada(&["backups", "list", place])));
    let names: Vec<&str> = listed["backups"].as_array().unwrap().iter().map(|b| b["name"].as_str().unwrap()).collect();
    assert_eq!(names, [second.as_str(), first.as_str()]);
    let verified = json(&done(levada(&["backups", "verify", place])));
    assert_eq!(verified["backups"][1]["rows"], 50_000);
    done(levada(&["restore", place, "--backup", &first, "--to", &target.url()]));
    assert_eq!(psql(&target, "SELECT count(*), max(t) FROM a"), "50000|row 9999");
    let kept = json(&done(levada(&["backups", "prune", place, "--keep", "1"])));
    assert_eq!(kept["removed"], serde_json::json!([first]));
    done(levada(&["restore", place, "--to", &target.url(), "--replace"]));
    assert_eq!(psql(&target, "SELECT count(*) FROM a"), "10");
}

fn uuid() -> u128 {
    std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos()
}

#[test]
fn another_system_gets_columns_rows_and_keys() {
    let (source, target) = (Database::postgres("levada_backup_cross"), Database::sqlite());
    psql(
        &source,
        "CREATE TABLE a(n int PRIMARY KEY, d numeric(10,2), t text NOT NULL, at timestamptz);
         CREATE TABLE b(n int REFERENCES a, day date);
         INSERT INTO a SELECT n, n / 4.0, 'row ' || n, '2026-01-01 00:00+00' FROM generate_series(1, 1000) n;
         INSERT INTO b SELECT n, '2026-01-01' FROM generate_series(1, 1000) n",
    );
    let kept = Kept::new();
    kept.take(&source);
    let report = kept.restore(&target, &[]);
    assert!(report["notes"][0].as_str().unwrap().contains("postgres"), "{report}");
    assert_eq!(
        target.sql("SELECT count(*), sum(n), sum(d), max(t), min(at) FROM a"),
        "1000\t500500\t125125\trow 999\t2026-01-01 00:00:00Z"
    );
    assert_eq!(target.sql("SELECT count(*) FROM b JOIN a USING (n) WHERE day = '2026-01-01'"), "1000");
    assert_eq!(target.sql("SELECT group_concat(name) FROM pragma_table_info('a') WHERE pk > 0"), "n");
    let refused = super::failed(kept.restoring(&target, &[]), 3);
    assert!(refused.contains("there is a table `a` already"), "{refused}");
    kept.restore(&target, &["--replace"]);

    // and from SQLite, whose columns are what their values are
    let back = Database::postgres("levada_backup_cross_back");
    let kept = Kept::new();
    kept.take(&target);
    kept.restore(&back, &[]);
    assert_eq!(psql(&back, "SELECT count(*), sum(n), max(t) FROM a"), "1000|500500|row 999");
    let key = "SELECT count(*) FROM pg_constraint WHERE contype = 'p' AND conrelid = 'a'::regclass";
    assert_eq!(psql(&back, key), "1");
}
