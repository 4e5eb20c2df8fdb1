//! MariaDB there and back: definitions as `mariadb-dump` tells them, values as the server writes them.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use url::Url;

use super::{Kept, done, failed, json, levada};
use crate::support::{Database, mariadb, psql};

/// Definitions of every kind that a backup keeps, and values that break tools.
const NASTY: &str = r#"
    SET NAMES utf8mb4; SET time_zone = '+00:00';
    SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES';
    CREATE SEQUENCE shared START 100 INCREMENT 5; SELECT NEXTVAL(shared), NEXTVAL(shared);
    CREATE SEQUENCE spent START 1 MAXVALUE 2 NOCACHE; SELECT NEXTVAL(spent), NEXTVAL(spent);
    CREATE TABLE kinds(
      id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY COMMENT 'it''s, CONSTRAINT `x` FOREIGN KEY (\\ é', i1 tinyint DEFAULT -1, b1 tinyint(1),
      i2 smallint unsigned zerofill, i3 mediumint, i4 int unsigned, i8 bigint, f float, fx float(7,2), d double, dx double(12,3),
      n decimal(65,30), n2 decimal(10,2) unsigned, da date, dt datetime(6), dt0 datetime DEFAULT current_timestamp() ON UPDATE current_timestamp(),
      ts timestamp(3) NULL, ti time(6), ye year, c char(5), v varchar(20) CHARACTER SET latin1 DEFAULT 'x''y', t text COLLATE utf8mb4_bin,
      lt longtext, bi binary(4), vb varbinary(10), bl longblob, e enum('a,b','c''d',''), e2 enum('p','q'), s set('one','two','three'),
      j json, bt bit(11), u uuid, ip inet6, g geometry, po point, doubled int AS (i1 * 2) STORED, tripled int AS (i1 * 3) VIRTUAL,
      hidden int INVISIBLE DEFAULT 7, CONSTRAINT small CHECK (i1 < 127), KEY by_v (v(5) DESC), UNIQUE KEY (i8), FULLTEXT KEY (t))
      AUTO_INCREMENT=500 COMMENT='a (table), with `quotes`';
    INSERT INTO kinds(id, i1, b1, i2, i3, i4, i8, f, fx, d, dx, n, n2, da, dt, dt0, ts, ti, ye, c, v, t, lt, bi, vb, bl, e, e2, s, j, bt, u, ip, g, po, hidden) VALUES
      (0, -128, 2, 65535, -8388608, 4294967295, -9223372036854775808, 0.1, 12345.67, 1e308, 123456789.125,
       -99999999999999999999999999999999999.999999999999999999999999999999, 0.01, '0001-01-01', '9999-12-31 23:59:59.999999', '2024-03-10 02:30:00',
       '1970-01-01 00:00:01', '-838:59:59.999999', 2155, 'ab', 'ÿ€', 'a\tb\nc\\d\0e', '😀', 'ab', 'ab\0', x'00ff0a5c', 'c''d', 'q', 'one,three',
       '{"a": 1, "a":2,  "b": 1.00}', b'10000000001', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', '::ffff:1.2.3.4', ST_GeomFromText('LINESTRING(1 2,3 4)'), POINT(1, 2), 1),
      (18446744073709551000, 1, 0, 0, 1, 0, 9223372036854775807, -1.17549435e-38, -0.01, 5e-324, -0.001, 0, 0, '2024-02-29', '2024-01-01', '2038-01-19 03:14:07',
       '2038-01-19 03:14:07.999', '838:59:59', 1901, '', '', '', '', '', '', '', '', 'p', '', 'null', 0, '00000000-0000-0000-0000-000000000000', '::', NULL, NULL, 2);
    INSERT INTO kinds(i1, t, bl) VALUES (NULL, REPEAT('x', 300000), UNHEX(REPEAT('ab', 300000)));
    CREATE TABLE odd(id int PRIMARY KEY, da date, dt datetime(3), ts timestamp NULL, e enum('a','b'), g geometry);
    SET sql_mode = 'ALLOW_INVALID_DATES';
    INSERT INTO odd VALUES (1, '0000-00-00', '2024-00-15 01:02:03.004', '0000-00-00 00:00:00', 'a', ST_GeomFromText('POINT(1 2)', 4326)),
      (2, '2024-02-31', '0000-01-01', '2024-01-01', 'b', NULL), (3, '2024-01-01', '9999-12-31', '2038-01-19 03:14:07', NULL, ST_GeomFromText('POINT(3 4)'));
    INSERT IGNORE INTO odd VALUES (4, NULL, NULL, NULL, 'none', NULL);
    CREATE TABLE `Odd ``Table*`(`Key 1` int DEFAULT NEXTVAL(shared), `key-2` varchar(50), `ü` int, `level` int, PRIMARY KEY (`Key 1`, `key-2`), UNIQUE (`ü`),
      CONSTRAINT `level` FOREIGN KEY (`level`) REFERENCES `Odd ``Table*` (`ü`) ON DELETE SET NULL);
    INSERT INTO `Odd ``Table*` (`Key 1`, `key-2`, `ü`, `level`) SELECT seq, CONCAT('k', seq), seq, NULL FROM seq_1_to_50;
    UPDATE `Odd ``Table*` SET `level` = 51 - `ü`;
    CREATE TABLE husband(id int AUTO_INCREMENT PRIMARY KEY, wife int);
    CREATE TABLE wife(id int AUTO_INCREMENT PRIMARY KEY, husband int NOT NULL, CONSTRAINT married FOREIGN KEY (husband) REFERENCES husband(id) ON UPDATE CASCADE);
    INSERT INTO husband(wife) SELECT NULL FROM seq_1_to_10; INSERT INTO wife(husband) SELECT id FROM husband; UPDATE husband SET wife = id;
    ALTER TABLE husband ADD FOREIGN KEY (wife) REFERENCES wife(id); DELETE FROM wife WHERE id = 0;
    CREATE TABLE parted(at date, n int, PRIMARY KEY (at, n)) PARTITION BY RANGE (YEAR(at)) (PARTITION p1 VALUES LESS THAN (2026), PARTITION p2 VALUES LESS THAN MAXVALUE);
    INSERT INTO parted SELECT DATE '2025-06-01' + INTERVAL seq * 10 DAY, seq FROM seq_1_to_100;
    CREATE TABLE plain(n int, t varchar(10), KEY (n)) ENGINE=MyISAM; INSERT INTO plain SELECT seq, 'x' FROM seq_1_to_1000;
    CREATE TABLE keeps(n int PRIMARY KEY) WITH SYSTEM VERSIONING; INSERT INTO keeps VALUES (1), (2); UPDATE keeps SET n = 3 WHERE n = 2;
    CREATE TABLE sjis(t varchar(20) CHARACTER SET sjis); INSERT INTO sjis VALUES ('ソ表');
    CREATE TABLE empty(a int, b text NOT NULL DEFAULT '');
    CREATE VIEW seen AS SELECT 1 AS one;"#;

/// The address without its question mark.
fn parts(database: &Database) -> (Vec<String>, String) {
    let url = Url::parse(&database.url()).unwrap();
    let port = url.port().unwrap_or(3306).to_string();
    let options = ["--no-defaults", "-u", url.username(), "-h", url.host_str().unwrap(), "-P", &port];
    (options.map(str::to_owned).to_vec(), url.path().trim_start_matches('/').to_owned())
}

fn dump(database: &Database, more: &[&str]) -> String {
    let (options, name) = parts(database);
    let mut command = Command::new("mariadb-dump");
    command
        .args(options)
        .args(["--skip-comments", "--compact", "--order-by-primary", "--hex-blob", "--tz-utc"])
        .args(more)
        .arg(&name);
    for own in ["_levada_positions", "_levada_rejects", "seen"] {
        command.arg(format!("--ignore-table={name}.{own}"));
    }
    // sequences are told with the database that they are in
    String::from_utf8(done(command).stdout).unwrap().replace(&format!("`{name}`."), "")
}

/// Every definition, as another program tells them; a restored sequence begins at its next number.
fn definitions(database: &Database) -> String {
    let text = dump(database, &["--no-data", "--skip-triggers"]);
    text.lines().filter(|line| !line.contains("SETVAL(")).collect::<Vec<_>>().join("\n")
}

/// Every row of the tables, as another program tells them.
fn rows(database: &Database) -> String {
    let text = dump(database, &["--no-create-info", "--skip-extended-insert", "--complete-insert"]);
    let mut lines: Vec<&str> = text.lines().filter(|line| line.starts_with("INSERT")).collect();
    lines.sort_unstable();
    lines.join("\n")
}

fn stored(database: &Database) -> String {
    mariadb(
        database,
        "SELECT id, HEX(g), ST_SRID(g), e + 0, CAST(da AS CHAR), CAST(dt AS CHAR), CAST(ts AS CHAR) FROM odd ORDER BY id;
         SELECT id, HEX(g), HEX(po), HEX(t), doubled, tripled, hidden, f, d FROM kinds WHERE length(t) < 1000 OR t IS NULL ORDER BY id",
    )
}

#[test]
fn definitions_and_values_come_back_as_they_were() {
    let source = Database::mariadb("levada_backup_src");
    let target = Database::mariadb("levada_backup_dst");
    mariadb(&source, NASTY);
    let kept = Kept::new();
    let report = json(&done(kept.taking(&source, &[])));
    let left_out = report["backup"]["left_out"].as_array().unwrap();
    assert!(left_out.len() == 1 && left_out[0].as_str().unwrap().contains("`keeps`"), "{report}");
    kept.restore(&target, &[]);
    assert_eq!(definitions(&target), definitions(&source));
    assert_eq!(rows(&target), rows(&source));
    assert_eq!(stored(&target), stored(&source));
    assert_eq!(target.stages(), "");
    let fresh = "SELECT NEXTVAL(shared) >= 110; INSERT INTO `Odd ``Table*` (`key-2`, `ü`) VALUES ('next', 999);
         SELECT `Key 1` >= 115 FROM `Odd ``Table*` WHERE `ü` = 999; DELETE FROM `Odd ``Table*` WHERE `ü` = 999";
    assert_eq!(mariadb(&target, fresh), "1\n1");

    // into what is there: refused, then replaced as a whole, with the cycle of foreign keys
    let refused = failed(kept.restoring(&target, &[]), 3);
    assert!(refused.contains("there are rows already in"), "{refused}");
    mariadb(
        &target,
        "DELETE FROM plain WHERE n > 5; UPDATE husband SET wife = NULL; DELETE FROM wife WHERE id > 3; ALTER TABLE wife AUTO_INCREMENT = 9999;
         UPDATE kinds SET t = 'gone'; INSERT INTO keeps VALUES (77)",
    );
    kept.restore(&target, &["--replace"]);
    assert_eq!(rows(&target), rows(&source));
    assert_eq!(stored(&target), stored(&source));
    mariadb(&target, "INSERT INTO wife(husband) VALUES (1)");
    assert_eq!(mariadb(&target, "SELECT MAX(id) FROM wife"), "9999", "a number never comes again");
    let keys = "SELECT COUNT(*) FROM information_schema.TABLE_CONSTRAINTS WHERE CONSTRAINT_TYPE = 'FOREIGN KEY' AND TABLE_SCHEMA = DATABASE()";
    assert_eq!(mariadb(&target, keys), "3");
    let spent = Command::new("mariadb")
        .args(parts(&target).0)
        .args(["-e", "SELECT NEXTVAL(spent)", &parts(&target).1])
        .output()
        .unwrap();
    assert!(!spent.status.success(), "a sequence that has run out has no next number");
}

#[test]
fn chosen_tables_come_without_the_others() {
    let source = Database::mariadb("levada_backup_some");
    let target = Database::mariadb("levada_backup_some_dst");
    mariadb(&source, NASTY);
    let kept = Kept::new();
    done(kept.taking(&source, &["--table", "w*", "--table", "empty"]));
    assert!(failed(kept.taking(&source, &["--table", "nobody"]), 1).contains("nobody"));
    assert!(failed(kept.taking(&source, &["--table", "seen"]), 2).contains("view"));
    let report = kept.restore(&target, &["--table", "wife"]);
    assert!(report["notes"][0].as_str().unwrap().contains("husband"), "{report}");
    assert_eq!(mariadb(&target, "SELECT COUNT(*) FROM wife"), "10");
    let tables = "SELECT GROUP_CONCAT(TABLE_NAME) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME NOT LIKE '\\_levada%'";
    assert_eq!(mariadb(&target, tables), "wife");
}

/// What cannot be made again is not made by half.
#[test]
fn a_restore_that_cannot_begin_changes_nothing() {
    let source = Database::mariadb("levada_backup_half");
    let target = Database::mariadb("levada_backup_half_dst");
    mariadb(
        &source,
        "CREATE TABLE a(n int); INSERT INTO a VALUES (1); CREATE TABLE b(n int); CREATE TABLE c(n int CHECK (n > 0)); INSERT INTO b VALUES (1)",
    );
    mariadb(&target, "CREATE VIEW b AS SELECT 1 AS n");
    let kept = Kept::new();
    kept.take(&source);
    let refused = failed(kept.restoring(&target, &[]), 1);
    assert!(refused.contains("something else has the name of the table"), "{refused}");
    assert_eq!(mariadb(&target, "SHOW TABLES"), "b");
    // an orphan: the rows are there, the foreign key cannot be
    mariadb(
        &source,
        "SET foreign_key_checks = 0; CREATE TABLE d(id int PRIMARY KEY); CREATE TABLE e(d int REFERENCES d(id)); INSERT INTO e VALUES (5)",
    );
    kept.take(&source);
    mariadb(&target, "DROP VIEW b");
    let told = failed(kept.restoring(&target, &[]), 1);
    assert!(told.contains("foreign key constraint fails"), "{told}");
    assert_eq!(mariadb(&target, "SELECT d FROM e"), "5");
}

#[test]
fn all_tables_are_of_one_moment_while_others_write() {
    let source = Database::mariadb("levada_backup_moment");
    let target = Database::mariadb("levada_backup_moment_dst");
    let user = "levada_backup_reader";
    mariadb(
        &source,
        &format!(
            "CREATE TABLE left_side(id int PRIMARY KEY, amount bigint, t text); CREATE TABLE right_side(id int PRIMARY KEY, amount bigint, t text);
             INSERT INTO left_side SELECT seq, 1000, REPEAT('x', 100) FROM seq_1_to_60000; INSERT INTO right_side SELECT * FROM left_side;
             ANALYZE TABLE left_side, right_side; DROP USER IF EXISTS {user}@'%'; CREATE USER {user}@'%' IDENTIFIED BY 'pw';
             GRANT SELECT ON levada_backup_moment.* TO {user}@'%'"
        ),
    );
    let stop = AtomicBool::new(false);
    let kept = Kept::new();
    let mut as_user = Url::parse(&source.url()).unwrap();
    as_user.set_username(user).unwrap();
    as_user.set_password(Some("pw")).unwrap();
    let moved = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut moved = 0;
            while !stop.load(Ordering::Relaxed) {
                let (from, to) = (moved % 60_000 + 1, 60_000 - moved % 60_000);
                mariadb(
                    &source,
                    &format!(
                        "START TRANSACTION; UPDATE left_side SET amount = amount - 7 WHERE id = {from};
                         UPDATE right_side SET amount = amount + 7 WHERE id = {to}; COMMIT"
                    ),
                );
                moved += 1;
            }
            moved
        });
        let check = || {
            let name = kept.list().remove(0);
            kept.restore(&target, &["--replace", "--backup", &name]);
            let sums = "SELECT (SELECT SUM(amount) FROM left_side) + (SELECT SUM(amount) FROM right_side)";
            assert_eq!(mariadb(&target, sums), "120000000");
        };
        // with the right to keep all writers out, with that to lock tables, and with neither
        kept.take(&source);
        check();
        let grants = [
            format!("GRANT LOCK TABLES ON levada_backup_moment.* TO {user}@'%'"),
            format!("REVOKE LOCK TABLES ON levada_backup_moment.* FROM {user}@'%'"),
        ];
        for grant in grants {
            mariadb(&source, &grant);
            let report = json(&done(levada(&["backup", as_user.as_str(), "--to", kept.path().to_str().unwrap()])));
            let warned = report["streams"].to_string().contains("is read by one reader");
            assert_eq!(warned, grant.starts_with("REVOKE"), "{report}");
            check();
        }
        // of a table without transactions nobody could tell what moment it is of
        mariadb(&source, "CREATE TABLE plain(n int) ENGINE=MyISAM");
        let refused = failed(levada(&["backup", as_user.as_str(), "--to", kept.path().to_str().unwrap()]), 2);
        assert!(refused.contains("RELOAD") && refused.contains("plain"), "{refused}");
        stop.store(true, Ordering::Relaxed);
        writer.join().unwrap()
    });
    assert!(moved > 5, "only {moved} transactions ran meanwhile");
    assert_eq!(kept.list().len(), 3);
    // the views are let go
    mariadb(&source, &format!("SET lock_wait_timeout = 20; ALTER TABLE left_side ADD c int; DROP USER {user}@'%'"));
}

/// What would become of the rows in the hands of triggers is not what the backup holds.
#[test]
fn tables_with_triggers_are_refused() {
    let source = Database::mariadb("levada_backup_trigger");
    let target = Database::mariadb("levada_backup_trigger_dst");
    let table = "CREATE TABLE counted(n int PRIMARY KEY)";
    mariadb(&source, &format!("{table}; INSERT INTO counted VALUES (1), (2); CREATE TABLE missing(n int)"));
    let trigger = "CREATE TRIGGER doubles BEFORE INSERT ON counted FOR EACH ROW SET NEW.n = NEW.n * 2";
    mariadb(&target, &format!("{table}; {trigger}; CREATE TABLE other(n int)"));
    let kept = Kept::new();
    kept.take(&source);
    for replace in [&[][..], &["--replace"]] {
        let refused = failed(kept.restoring(&target, replace), 3);
        assert!(refused.contains("`doubles`") && refused.contains("`counted`"), "{refused}");
        assert_eq!(mariadb(&target, "SHOW TABLES LIKE 'missing'; SELECT COUNT(*) FROM counted"), "0");
    }
    // triggers of other tables are none of its business
    mariadb(
        &target,
        "DROP TRIGGER doubles; CREATE TRIGGER stays BEFORE INSERT ON other FOR EACH ROW SET NEW.n = NEW.n * 2",
    );
    kept.restore(&target, &[]);
    assert_eq!(mariadb(&target, "SELECT SUM(n) FROM counted"), "3");
}

#[test]
fn tables_that_differ_in_capitals_only_are_restored_one_after_the_other() {
    let source = Database::mariadb("levada_backup_capitals");
    let target = Database::mariadb("levada_backup_capitals_dst");
    mariadb(
        &source,
        "CREATE TABLE Orders(n int); CREATE TABLE orders(n int); INSERT INTO Orders VALUES (1), (2); INSERT INTO orders VALUES (3)",
    );
    let kept = Kept::new();
    kept.take(&source);
    let refused = failed(kept.restoring(&target, &[]), 3);
    assert!(refused.contains("`orders_") && refused.contains("--table"), "{refused}");
    assert_eq!(mariadb(&target, "SHOW TABLES LIKE 'o%'"), "");
    for table in ["orders", "Orders"] {
        kept.restore(&target, &["--table", table]);
    }
    assert_eq!(mariadb(&target, "SELECT (SELECT SUM(n) FROM Orders) - (SELECT SUM(n) FROM orders)"), "0");
    assert_eq!(mariadb(&target, "SELECT (SELECT COUNT(*) FROM Orders), (SELECT COUNT(*) FROM orders)"), "2\t1");
}

/// What is read of them is the rows of others, and what is written goes elsewhere.
#[test]
fn tables_without_rows_of_their_own_are_refused() {
    let source = Database::mariadb("levada_backup_engine");
    let target = Database::mariadb("levada_backup_engine_dst");
    let own = "CREATE TABLE own(n int) ENGINE=MyISAM";
    let led = "ENGINE=MRG_MyISAM UNION=(own) INSERT_METHOD=LAST";
    mariadb(
        &source,
        &format!("{own}; CREATE TABLE led(n int) {led}; CREATE TABLE keeps(n int); INSERT INTO own VALUES (1)"),
    );
    let kept = Kept::new();
    let refused = failed(kept.taking(&source, &[]), 2);
    assert!(refused.contains("`led`") && refused.contains("MRG_MyISAM"), "{refused}");
    assert!(kept.list().is_empty());
    done(kept.taking(&source, &["--table", "own", "--table", "keeps"]));
    // nor do they get rows of a backup
    mariadb(&target, &format!("{own}; CREATE TABLE keeps(n int) {led}"));
    let refused = failed(kept.restoring(&target, &["--replace"]), 2);
    assert!(refused.contains("`keeps`"), "{refused}");
    assert_eq!(mariadb(&target, "SELECT COUNT(*) FROM own"), "0");
    mariadb(&target, "DROP TABLE keeps");
    kept.restore(&target, &[]);
    assert_eq!(mariadb(&target, "SELECT COUNT(*) FROM own"), "1");
}

#[test]
fn postgresql_to_mariadb_and_back_by_backups() {
    let source = Database::postgres("levada_backup_pg_my");
    let middle = Database::mariadb("levada_backup_pg_my");
    let back = Database::postgres("levada_backup_pg_my_back");
    psql(
        &source,
        "CREATE TYPE mood AS ENUM ('sad', 'ok');
         CREATE TABLE a(n bigint PRIMARY KEY, d numeric(38,10), t text, at timestamptz, day date, b bytea, u uuid, j jsonb, m mood, ip inet, iv interval,
           bo boolean, f double precision);
         INSERT INTO a VALUES (1, -0.0000000001, E'a\\tb\\n\\\\😀', '2026-01-01 00:00:00.123456+00', '0001-01-01', '\\x00ff', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11',
           '{\"a\": 1.00}', 'ok', '10.0.0.1/8', '1 year -2 days', true, 5e-324), (9223372036854775807, 9999999999999999999999999999.9999999999, '', '9999-12-31 23:59:59+00',
           '9999-12-31', '', NULL, 'null', 'sad', NULL, '0', false, -1.5), (0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
         CREATE TABLE b(a bigint REFERENCES a, v varchar(5)); INSERT INTO b SELECT 1, 'x' FROM generate_series(1, 1000)",
    );
    let kept = Kept::new();
    kept.take(&source);
    let report = kept.restore(&middle, &[]);
    assert!(report["notes"][0].as_str().unwrap().contains("the backup is of postgres"), "{report}");
    assert_eq!(mariadb(&middle, "SELECT COUNT(*) FROM b JOIN a ON a.n = b.a"), "1000");
    assert_eq!(
        mariadb(
            &middle,
            "SELECT COLUMN_NAME FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'a'"
        ),
        "n"
    );
    let second = Kept::new();
    second.take(&middle);
    second.restore(&back, &[]);
    let rows =
        "SELECT n, d, t, at AT TIME ZONE 'UTC', day, b, u, j::text, m::text, ip, iv, bo::int, f FROM a ORDER BY n";
    assert_eq!(psql(&back, &rows.replace("bo::int", "bo").replace("at AT TIME ZONE 'UTC'", "at")), psql(&source, rows));

    // what has no place in the other system is told, and nothing of its table is there
    psql(&source, "INSERT INTO a(n, day) VALUES (5, '0044-03-15 BC')");
    kept.take(&source);
    let told = failed(kept.restoring(&middle, &["--replace"]), 1);
    assert!(told.contains("outside the years 1 to 9999"), "{told}");
    assert_eq!(mariadb(&middle, "SELECT COUNT(*) FROM a"), "3");
}
