//! Backups and restores killed at random moments: what is listed verifies, and no table is restored by half.
//!
//! `LEVADA_KILL_ROUNDS` sets the number of rounds (20), `LEVADA_KILL_SEED` the moments.

use std::process::Command;
use std::time::{Duration, Instant};

use super::{Kept, done};
use crate::support::{Database, System};

/// Rows of each table.
const ROWS: u64 = 20_000;

#[test]
fn postgres_killed() {
    torture(
        Database::postgres("levada_backup_kill"),
        Database::postgres,
        "SELECT count(*) FROM pg_indexes WHERE tablename = '{}'",
        "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND conrelid::regclass::text IN ('one', 'two')",
        "SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tablename = '{}'",
    );
}

#[test]
fn mariadb_killed() {
    torture(
        Database::mariadb("levada_backup_kill"),
        Database::mariadb,
        "SELECT COUNT(DISTINCT index_name) FROM information_schema.statistics WHERE table_schema = DATABASE() AND table_name = '{}'",
        "SELECT COUNT(*) FROM information_schema.table_constraints WHERE table_schema = DATABASE() AND constraint_type = 'FOREIGN KEY'",
        "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = '{}'",
    );
}

#[test]
fn sqlite_killed() {
    torture(
        Database::sqlite(),
        |_| Database::sqlite(),
        // the key and the other index
        "SELECT count(*) FROM pragma_index_list('{}')",
        "SELECT (SELECT count(*) FROM pragma_foreign_key_list('one')) + (SELECT count(*) FROM pragma_foreign_key_list('two'))",
        "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = '{}'",
    );
}

/// `indexes`, `keys` and `there` ask a database for the indexes of a table, the foreign keys of both, and whether there is one.
fn torture(source: Database, target: impl Fn(&str) -> Database, indexes: &str, keys: &str, there: &str) {
    let system = source.system();
    fill(&source);
    let number = |variable: &str, default: u64| std::env::var(variable).map_or(default, |text| text.parse().unwrap());
    let rounds = number("LEVADA_KILL_ROUNDS", 20);
    let mut seed = number("LEVADA_KILL_SEED", u64::from(std::process::id())) | 1;
    println!("{system:?}: {rounds} rounds, LEVADA_KILL_SEED={seed}");
    let kept = Kept::new();
    let timed = |command: Command| {
        let started = Instant::now();
        done(command);
        started.elapsed().mul_f64(1.1)
    };
    let taking = timed(kept.taking(&source, &[]));
    let mut into = target("levada_backup_kill_dst");
    let restoring = timed(kept.restoring(&into, &[]));
    let (mut killed, mut listed) = (0, 1);
    for round in 1..=rounds {
        source.sql(&format!("UPDATE one SET round = {round}; UPDATE two SET round = {round}"));
        killed += u64::from(kill(kept.taking(&source, &[]), taking.mul_f64(random(&mut seed))));
        // whatever is listed is whole, and every byte of it verifies
        let names = kept.list();
        assert!(names.len() == listed || names.len() == listed + 1);
        let verified = kept.verify(&[]);
        assert!(verified.status.success(), "round {round}: {}", String::from_utf8_lossy(&verified.stdout));

        kept.take(&source);
        let fresh = round % 2 == 0;
        if fresh {
            into = target("levada_backup_kill_dst");
        }
        let more: &[&str] = if fresh { &[] } else { &["--replace"] };
        killed += u64::from(kill(kept.restoring(&into, more), restoring.mul_f64(random(&mut seed))));
        for table in ["one", "two"] {
            if into.sql(&there.replace("{}", table)) == "0" {
                assert!(fresh, "round {round}: {table} is gone");
                continue;
            }
            let found = into.sql(&format!("SELECT count(*), min(round), max(round), count(DISTINCT id) FROM {table}"));
            let whole = |round: u64| format!("{ROWS}\t{round}\t{round}\t{ROWS}");
            let before = if fresh { "0\tNULL\tNULL\t0".to_owned() } else { whole(round - 1) };
            assert!(found == whole(round) || found == before, "round {round}: {table} is restored by half: {found}");
            let own = into.sql(&indexes.replace("{}", table));
            assert_eq!(own, source.sql(&indexes.replace("{}", table)), "round {round}: indexes of {table}");
        }
        // once more, to the end
        kept.restore(&into, &["--replace"]);
        let sum = "SELECT sum(id), sum(round), max(mate) FROM ";
        for table in ["one", "two"] {
            assert_eq!(into.sql(&format!("{sum}{table}")), source.sql(&format!("{sum}{table}")));
        }
        assert_eq!((into.sql(keys), into.stages()), ("2".to_owned(), String::new()), "round {round}");
        kept.prune(&["--keep", "1"]);
        listed = kept.list().len();
    }
    println!("{system:?}: {killed} of {} processes were killed before their end", 2 * rounds);
    assert!(rounds < 10 || killed > rounds / 2, "too few kills hit anything to prove it");
}

/// Two tables that point at each other.
fn fill(database: &Database) {
    let (series, cycle) = match database.system() {
        System::Sqlite => (
            "(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {n}) SELECT n FROM s)",
            "CREATE TABLE one(id int PRIMARY KEY, round int NOT NULL, mate int REFERENCES two(id), t text);
             CREATE TABLE two(id int PRIMARY KEY, round int NOT NULL, mate int REFERENCES one(id), t text);",
        ),
        System::MariaDb => (
            "(SELECT seq AS n FROM seq_1_to_{n})",
            "SET sql_mode = CONCAT(@@sql_mode, ',PIPES_AS_CONCAT');
             CREATE TABLE one(id int PRIMARY KEY, round int NOT NULL, mate int, t varchar(100), KEY (mate));
             CREATE TABLE two(id int PRIMARY KEY, round int NOT NULL, mate int, t varchar(100), FOREIGN KEY (mate) REFERENCES one(id));
             ALTER TABLE one ADD FOREIGN KEY (mate) REFERENCES two(id);",
        ),
        System::Postgres => (
            "(SELECT * FROM generate_series(1, {n}) s(n))",
            "CREATE TABLE one(id int PRIMARY KEY, round int NOT NULL, mate int, t text);
             CREATE TABLE two(id int PRIMARY KEY, round int NOT NULL, mate int REFERENCES one(id), t text);
             ALTER TABLE one ADD FOREIGN KEY (mate) REFERENCES two(id);",
        ),
    };
    let series = series.replace("{n}", &ROWS.to_string());
    database.sql(&format!(
        "{cycle} CREATE INDEX one_t ON one(t); CREATE INDEX two_t ON two(t);
         INSERT INTO one SELECT n, 0, NULL, 'a text of row ' || n FROM {series} x;
         INSERT INTO two SELECT n, 0, n, 'another text of row ' || n FROM {series} x;
         UPDATE one SET mate = {ROWS} + 1 - id;"
    ));
}

/// Starts a command and kills it; whether it was still at work.
fn kill(mut command: Command, after: Duration) -> bool {
    let mut child = command.spawn().unwrap();
    std::thread::sleep(after);
    let at_work = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    child.wait().unwrap();
    at_work
}

/// A number in 0..1 (xorshift64).
fn random(seed: &mut u64) -> f64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    (*seed >> 11) as f64 / (1_u64 << 53) as f64
}
