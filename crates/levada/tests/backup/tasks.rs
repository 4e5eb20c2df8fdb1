//! The tasks `backup` and `restore` in a pipeline.

use std::process::Command;
use std::time::Duration;

use levada_core::run::RunState;
use tempfile::TempDir;

use super::{Kept, done, failed, json};
use crate::house::House;
use crate::support::{Database, LEVADA, psql};

/// A pipeline that takes a backup and restores it elsewhere.
struct Nightly {
    folder: TempDir,
    head: String,
}

impl Nightly {
    fn new(source: &Database, target: &Database, kept: &Kept) -> Self {
        let head = format!(
            "version: 1\nname: nightly\nconnections:\n  shop: {}\n  copy: {}\n  place: {{ type: files, root: '{}' }}\ntasks:\n",
            source.connection(),
            target.connection(),
            kept.path().display()
        );
        Self { folder: TempDir::new().unwrap(), head }
    }

    /// The command that runs it with these tasks, lines of YAML indented by two.
    fn with(&self, tasks: &str) -> Command {
        std::fs::write(self.folder.path().join("nightly.yaml"), format!("{}{tasks}", self.head)).unwrap();
        let mut command = Command::new(LEVADA);
        command.args(["run", "nightly.yaml", "--output", "json"]).current_dir(self.folder.path());
        command
    }
}

const KEEP: &str = "  keep:\n    backup: { from: shop, to: place, tables: ['public.*'], keep: 2 }\n";

fn both(replace: bool) -> String {
    format!(
        "{KEEP}  check:\n    after: [keep]\n    restore: {{ from: place, to: copy, backup: '${{tasks.keep.outputs.backup}}', replace: {replace} }}\n"
    )
}

#[test]
fn a_pipeline_keeps_a_database_and_makes_it_again_elsewhere() {
    let source = Database::postgres("levada_backup_task");
    let target = Database::postgres("levada_backup_task_dst");
    psql(&source, "CREATE TABLE a(n int PRIMARY KEY); INSERT INTO a SELECT * FROM generate_series(1, 1000)");
    let kept = Kept::new();
    let nightly = Nightly::new(&source, &target, &kept);
    let report = json(&done(nightly.with(&both(false))));
    assert_eq!(report["tasks"][0]["outputs"]["rows"], 1000, "{report}");
    assert_eq!(report["tasks"][0]["outputs"]["tables"], 1, "{report}");
    assert!(report["tasks"][0]["outputs"]["bytes"].as_u64().unwrap() > 1000, "{report}");
    assert_eq!(report["tasks"][1]["outputs"]["backup"], kept.list()[0].as_str(), "{report}");
    assert_eq!(psql(&target, "SELECT count(*) FROM a"), "1000");
    let refused = failed(nightly.with(&both(false)), 3);
    assert!(refused.contains("there are rows already"), "{refused}");
    psql(&source, "DELETE FROM a WHERE n > 10");
    done(nightly.with(&both(true)));
    assert_eq!(psql(&target, "SELECT count(*) FROM a"), "10");
    assert_eq!(kept.list().len(), 2);
    assert!(kept.verify(&[]).status.success());
}

#[test]
fn only_backups_of_the_same_database_are_removed() {
    let (source, other) = (Database::postgres("levada_backup_task_a"), Database::sqlite());
    psql(&source, "CREATE TABLE a(n int)");
    other.sql("CREATE TABLE b(n int)");
    let kept = Kept::new();
    let foreign = kept.take(&other);
    let second = kept.take(&other);
    let nightly = Nightly::new(&source, &other, &kept);
    for _ in 0..4 {
        done(nightly.with(KEEP));
    }
    let names = kept.list();
    assert_eq!(names.len(), 4, "{names:?}");
    assert!(names.contains(&foreign) && names.contains(&second), "{names:?}");
}

#[test]
fn what_fails_leaves_nothing_that_is_listed() {
    let (source, target) = (Database::postgres("levada_backup_task_fail"), Database::sqlite());
    psql(&source, "CREATE TABLE a(n int); CREATE TABLE b AS SELECT 1 AS n");
    let kept = Kept::new();
    let nightly = Nightly::new(&source, &target, &kept);
    let failed_run = failed(nightly.with("  keep:\n    backup: { from: shop, to: place, tables: [nobody] }\n"), 1);
    assert!(failed_run.contains("nobody"), "{failed_run}");
    assert!(kept.list().is_empty());
    // nothing runs of a document that says what cannot be
    for (tasks, told) in [
        ("  keep:\n    backup: { from: shop, to: place, keep: 0 }\n", "no backup would be kept"),
        ("  keep:\n    backup: { from: shop, to: plaice }\n", "plaice"),
        ("  back:\n    restore: { from: place, to: shop, older_than: 3d }\n", "older_than"),
    ] {
        let refused = failed(nightly.with(tasks), 2);
        assert!(refused.contains(told), "{refused}");
    }
    let failed_run = failed(nightly.with("  keep:\n    backup: { from: shop, to: copy }\n"), 2);
    assert!(failed_run.contains("keeps no backups"), "{failed_run}");
}

#[test]
fn a_restore_whose_worker_died_goes_on_with_the_tables_that_are_left() {
    let source = Database::postgres("levada_backup_task_dies");
    let target = Database::postgres("levada_backup_task_dies_dst");
    let tables = "CREATE TABLE a(n int PRIMARY KEY); CREATE TABLE b(n int PRIMARY KEY)";
    psql(
        &source,
        &format!("{tables}; INSERT INTO a SELECT * FROM generate_series(1, 1000); INSERT INTO b SELECT n FROM a"),
    );
    psql(&target, tables);
    let kept = Kept::new();
    kept.take(&source);
    let mut house = House::postgres("levada_backup_task_house");
    let document = format!(
        "version: 1\nname: back\nconnections:\n  copy: {}\n  place: {{ type: files, root: '{}' }}\ntasks:\n  only:\n    \
         restore: {{ from: place, to: copy }}\n",
        target.connection(),
        kept.path().display()
    );
    let document = house.pipeline("back", &document);
    let _serve = house.process(&["serve", "--port", "0", "--workers", "0"]);
    let mut first = house.process(&["worker", "--slots", "1"]);
    let run = std::thread::scope(|scope| {
        // nobody can add rows to the second table for a while
        let lock = "BEGIN; LOCK TABLE b IN SHARE MODE; SELECT pg_sleep(12); COMMIT";
        let holder = scope.spawn(|| psql(&target, lock));
        std::thread::sleep(Duration::from_millis(500));
        let run = house.start("back", document);
        let count = || psql(&target, "SELECT count(*) FROM a");
        assert!(house.eventually(Duration::from_secs(10), |_| count() == "1000"), "the first table is not restored");
        first.kill();
        holder.join().unwrap();
        run
    });
    assert_eq!(psql(&target, "SELECT count(*) FROM b"), "0");
    let _second = house.process(&["worker", "--slots", "1"]);
    assert_eq!(house.ended(run, Duration::from_secs(30)), RunState::Succeeded);
    assert_eq!((house.task(run).lost, house.task(run).attempt), (1, 2));
    assert_eq!(psql(&target, "SELECT (SELECT count(*) FROM a), (SELECT count(*) FROM b)"), "1000|1000");
    house.check(run);
    // for whom else it is asked, rows that are there are not replaced
    let again = house.start("back", document);
    assert_eq!(house.ended(again, Duration::from_secs(30)), RunState::Failed);
    assert_eq!(psql(&target, "SELECT count(*) FROM a"), "1000");
}
