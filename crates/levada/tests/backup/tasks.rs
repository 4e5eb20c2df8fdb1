//! The tasks `backup` and `restore` in a pipeline.

use std::process::Command;
use std::time::{Duration, Instant};

use levada_core::run::RunState;
use serde_json::Value;
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

    /// What a command says of it to people.
    fn levada(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(LEVADA);
        command.args(arguments).current_dir(self.folder.path());
        String::from_utf8(done(command).stdout).unwrap()
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
    let name = kept.list().remove(0);
    assert_eq!(report["tasks"][1]["outputs"]["backup"], name.as_str(), "{report}");
    let shown = nightly.levada(&["show", "1"]);
    assert!(shown.contains("keep put out {") && shown.contains(&name), "{shown}");
    assert_eq!(psql(&target, "SELECT count(*) FROM a"), "1000");
    // what a task makes is a dataset, and the files of a backup are none
    let datasets: Value = serde_json::from_str(&nightly.levada(&["datasets", "--output", "json"])).unwrap();
    let names: Vec<&str> =
        datasets["datasets"].as_array().unwrap().iter().filter_map(|one| one["name"].as_str()).collect();
    assert_eq!(names, ["copy.public.a"], "{datasets}");
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
    let tables = "CREATE TABLE a(n int PRIMARY KEY, v int); CREATE TABLE b(n int PRIMARY KEY, v int)";
    psql(
        &source,
        &format!("{tables}; INSERT INTO a SELECT n, 1 FROM generate_series(1, 1000) n; INSERT INTO b SELECT * FROM a"),
    );
    psql(&target, tables);
    let kept = Kept::new();
    let name = kept.take(&source);
    let mut house = House::postgres("levada_backup_task_house");
    let document = house.pipeline("back", &back(&target, &kept, ""));
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
    // tables of two moments do not belong together: there is a newer backup by now, and that is none of the run's business
    psql(&source, "UPDATE a SET v = 2; UPDATE b SET v = 2");
    kept.take(&source);
    let _second = house.process(&["worker", "--slots", "1"]);
    assert_eq!(house.ended(run, Duration::from_secs(30)), RunState::Succeeded);
    assert_eq!((house.task(run).lost, house.task(run).attempt), (1, 2));
    assert!(house.task(run).outputs.unwrap().contains(&name));
    assert_eq!(psql(&target, "SELECT (SELECT sum(v) FROM a), (SELECT sum(v) FROM b)"), "1000|1000");
    house.check(run);
    // for whom else it is asked, rows that are there are not replaced
    let again = house.start("back", document);
    assert_eq!(house.ended(again, Duration::from_secs(30)), RunState::Failed);
    assert_eq!(psql(&target, "SELECT count(*) FROM a"), "1000");
}

/// A pipeline that restores the newest backup.
fn back(target: &Database, kept: &Kept, more: &str) -> String {
    format!(
        "version: 1\nname: back\nconnections:\n  copy: {}\n  place: {{ type: files, root: '{}' }}\ntasks:\n  only:\n    \
         restore: {{ from: place, to: copy{more} }}\n",
        target.connection(),
        kept.path().display()
    )
}

#[test]
fn a_restore_that_is_cancelled_leaves_whole_tables_of_postgresql() {
    let hold = "BEGIN; LOCK TABLE b IN SHARE MODE; SELECT pg_sleep(14); COMMIT";
    let keys = "SELECT count(*) FROM pg_constraint WHERE contype = 'f'";
    cancelled(Database::postgres, "levada_backup_cancel", false, hold, keys);
    cancelled(Database::postgres, "levada_backup_cancel_keys", true, hold, keys);
}

#[test]
fn a_restore_that_is_cancelled_leaves_whole_tables_of_mariadb() {
    let hold = "LOCK TABLES b READ; SELECT SLEEP(14)";
    let keys = "SELECT COUNT(*) FROM information_schema.TABLE_CONSTRAINTS WHERE CONSTRAINT_TYPE = 'FOREIGN KEY' AND TABLE_SCHEMA = DATABASE()";
    cancelled(Database::mariadb, "levada_backup_cancel", false, hold, keys);
    cancelled(Database::mariadb, "levada_backup_cancel_keys", true, hold, keys);
}

/// Somebody holds the second table. Without foreign keys its rows are waited with, else already its definition.
fn cancelled(make: impl Fn(&str) -> Database, name: &str, with_keys: bool, hold: &str, keys: &str) {
    let (source, target) = (make(name), make(&format!("{name}_dst")));
    let to = if with_keys { " REFERENCES a(n)" } else { "" };
    source.sql(&format!("CREATE TABLE a(n int PRIMARY KEY, v int); CREATE TABLE b(n int PRIMARY KEY{to}, v int)"));
    let rows: Vec<String> = (1..=1000).map(|n| format!("({n}, 1)")).collect();
    source.sql(&format!("INSERT INTO a VALUES {0}; INSERT INTO b VALUES {0}", rows.join(", ")));
    let kept = Kept::new();
    kept.take(&source);
    kept.restore(&target, &[]);
    source.sql("UPDATE a SET v = 2; UPDATE b SET v = 2");
    kept.take(&source);
    let mut house = House::sqlite();
    let document = house.pipeline("back", &back(&target, &kept, ", replace: true"));
    let _serve = house.process(&["serve", "--port", "0"]);
    let found = |table: &str| target.sql(&format!("SELECT count(*), min(v), max(v) FROM {table}"));
    std::thread::scope(|scope| {
        let holder = scope.spawn(|| target.sql(hold));
        std::thread::sleep(Duration::from_millis(500));
        let run = house.start("back", document);
        if with_keys {
            assert!(house.eventually(Duration::from_secs(10), |house| house.task(run).attempt == 1));
            std::thread::sleep(Duration::from_secs(2));
        } else {
            assert!(house.eventually(Duration::from_secs(10), |_| found("a") == "1000\t2\t2"), "{}", found("a"));
        }
        let asked = Instant::now();
        house.cancel(run);
        assert_eq!(house.ended(run, Duration::from_secs(10)), RunState::Cancelled);
        println!("{name}: cancelled within {:?}", asked.elapsed());
        assert_eq!(found("a"), if with_keys { "1000\t1\t1" } else { "1000\t2\t2" });
        assert_eq!(found("b"), "1000\t1\t1");
        holder.join().unwrap();
    });
    assert!(house.eventually(Duration::from_secs(5), |_| target.sql(keys) == if with_keys { "1" } else { "0" }));
    let again = house.start("back", document);
    assert_eq!(house.ended(again, Duration::from_secs(30)), RunState::Succeeded);
    assert_eq!((found("a"), found("b")), ("1000\t2\t2".to_owned(), "1000\t2\t2".to_owned()));
    assert_eq!(target.sql(keys), if with_keys { "1" } else { "0" });
    assert_eq!(target.stages(), "");
    house.check(again);
}
