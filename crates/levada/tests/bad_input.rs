//! Everything that people get wrong: the exit code, one paragraph that says what, where and what to do, no secret in it,
//! and nothing left behind.

use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::loads::paragraph;
use crate::support::{Database, LEVADA, Pipeline, System, skipped};

/// What is wrong, the source's URL, the stream, further options, the exit code, and words that must be told.
type WrongSource<'a> = (&'a str, String, &'a str, &'a [&'a str], i32, &'a [&'a str]);
/// What is wrong, the target's URL, further options, the exit code, and words that must be told.
type WrongTarget<'a> = (&'a str, String, &'a [&'a str], i32, &'a [&'a str]);

const CANARY: &str = "c4n4ryPassw0rd";

fn levada(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(LEVADA).args(arguments).current_dir(folder).env("LEVADA_SECRET_PW", CANARY).output().unwrap()
}

/// One paragraph on standard error, with this exit code and these words, and none of the secrets.
fn told(output: &Output, code: i32, words: &[&str], what: &str) {
    let err = String::from_utf8_lossy(&output.stderr);
    let out = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(code), "{what}: {err}{out}");
    let errors: Vec<&str> = err.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 1, "{what}: one paragraph is wanted: {err}");
    let error = errors[0];
    for word in words {
        assert!(error.contains(word), "{what}: `{word}` is missing in: {error}");
    }
    paragraph(&err);
    assert!(!err.contains(CANARY) && !out.contains(CANARY), "{what}: a secret in: {err}");
    // What went wrong, and what to do.
    assert!(error.matches(". ").count() >= 1 && error.ends_with(['.', '?', '`']), "{what}: no remedy in: {error}");
    assert!(error.len() < 900, "{what}: too long: {error}");
}

#[test]
fn wrong_addresses_and_names_are_told() {
    let folder = TempDir::new().unwrap();
    let (postgres, mariadb) = (Database::postgres("levada_wrong_a"), Database::mariadb("levada_wrong_b"));
    postgres.sql("CREATE TABLE orders(id int PRIMARY KEY, at timestamp, note text, doc json, pt point); INSERT INTO orders VALUES (1, now(), 'x')");
    mariadb.sql("CREATE TABLE orders(id int PRIMARY KEY, at datetime, note text, doc json); INSERT INTO orders VALUES (1, now(), 'x', NULL)");
    let (pg, maria, s3) = (postgres.url(), mariadb.url(), levada_testkit::services::s3());
    let ca = std::env::var("LEVADA_TEST_CA").expect("LEVADA_TEST_CA is not set: eval \"$(scripts/services env)\"");
    let at = |url: &str, from: &str, to: &str| url.replacen(from, to, 1);
    let login = |url: &str, host: &str, settings: &str| {
        let mut url = url::Url::parse(url).unwrap();
        url.set_username("levada_tls").unwrap();
        url.set_password(Some(CANARY)).unwrap();
        url.set_host(Some(host)).unwrap();
        url.set_query(Some(settings));
        url.to_string()
    };
    let secure = format!("tls_ca={ca}");
    let out = folder.path().join("out.db");
    let out = format!("sqlite://{}", out.display());
    let pg_stream = "public.orders";
    let cases: Vec<WrongSource> = vec![
        ("a scheme nobody has", at(&pg, "postgres:", "postgers:"), pg_stream, &[], 2, &["postgers", "postgres"]),
        ("a closed port", at(&pg, "25432", "1"), pg_stream, &[], 1, &["127.0.0.1:1", "test the connection"]),
        ("a closed port", at(&maria, "23306", "1"), "orders", &[], 1, &["127.0.0.1:1", "test the connection"]),
        (
            "an unknown host",
            at(&pg, "127.0.0.1", "nowhere.invalid"),
            pg_stream,
            &[],
            1,
            &["nowhere.invalid", "test the connection"],
        ),
        (
            "an unknown host",
            at(&maria, "127.0.0.1", "nowhere.invalid"),
            "orders",
            &[],
            1,
            &["nowhere.invalid", "test the connection"],
        ),
        ("a port of something else", at(&pg, "25432", "23306"), pg_stream, &[], 1, &["127.0.0.1:23306"]),
        ("a port of something else", at(&pg, "25432", "25003"), pg_stream, &[], 1, &["127.0.0.1:25003"]),
        (
            "an unknown database",
            at(&pg, "levada_wrong_a", "levada_wrnog"),
            pg_stream,
            &[],
            1,
            &["levada_wrnog", "database"],
        ),
        ("an unknown database", at(&maria, "levada_wrong_b", "levada_wrnog"), "orders", &[], 1, &["levada_wrnog"]),
        ("a wrong password", login(&pg, "127.0.0.1", &secure), pg_stream, &[], 1, &["levada_tls", "password"]),
        ("a wrong password", login(&maria, "127.0.0.1", &secure), "orders", &[], 1, &["levada_tls", "password"]),
        ("a name not in the certificate", login(&pg, "127.0.0.2", &secure), pg_stream, &[], 1, &["127.0.0.2", "tls"]),
        ("an unknown authority", login(&pg, "127.0.0.1", ""), pg_stream, &[], 1, &["certificate", "tls_ca"]),
        ("an unknown authority", login(&maria, "127.0.0.1", ""), "orders", &[], 1, &["certificate", "tls_ca"]),
        ("a missing authority", login(&pg, "127.0.0.1", "tls_ca=/no/ca.crt"), pg_stream, &[], 1, &["/no/ca.crt"]),
        ("a missing authority", login(&maria, "127.0.0.1", "tls_ca=/no/ca.crt"), "orders", &[], 1, &["/no/ca.crt"]),
        ("an unknown setting", format!("{pg}&sslmode=on"), pg_stream, &[], 2, &["sslmode"]),
        ("a wrong setting", at(&pg, "tls=disable", "tls=off"), pg_stream, &[], 2, &["tls"]),
        ("an unknown table", pg.clone(), "public.ordesr", &[], 1, &["public.ordesr", "Did you mean `public.orders`?"]),
        ("an unknown table", maria.clone(), "ordesr", &[], 1, &["ordesr", "Did you mean `orders`?"]),
        ("a wildcard without a match", pg.clone(), "sales.*", &[], 1, &["sales.*", "There are: public.orders."]),
        ("no cursor", pg.clone(), pg_stream, &["--read", "incremental"], 2, &["needs a cursor", "Of a fitting type"]),
        ("no cursor", maria.clone(), "orders", &["--read", "incremental"], 2, &["needs a cursor", "Of a fitting type"]),
        (
            "an unknown cursor",
            pg.clone(),
            pg_stream,
            &["--read", "incremental", "--cursor", "aat"],
            1,
            &["`aat`", "Did you mean `at`?"],
        ),
        (
            "an unknown key",
            maria.clone(),
            "orders",
            &["--write", "merge", "--key", "di"],
            1,
            &["`di`", "Did you mean `id`?"],
        ),
        ("an unknown column", pg.clone(), pg_stream, &["--exclude", "notes"], 1, &["`notes`", "Did you mean `note`?"]),
        (
            "a cursor without order",
            pg.clone(),
            pg_stream,
            &["--read", "incremental", "--cursor", "doc"],
            2,
            &["`doc`", "cursor"],
        ),
        (
            "a cursor without order",
            pg.clone(),
            pg_stream,
            &["--read", "incremental", "--cursor", "pt"],
            2,
            &["`pt`", "cursor"],
        ),
        (
            "a lag of the wrong kind",
            pg.clone(),
            pg_stream,
            &["--read", "incremental", "--cursor", "note", "--lag", "5m"],
            2,
            &["note", "lag"],
        ),
        (
            "a lag of the wrong kind",
            maria.clone(),
            "orders",
            &["--read", "incremental", "--cursor", "id", "--lag", "5m"],
            2,
            &["lag", "cursor"],
        ),
        ("a cast to nonsense", pg.clone(), pg_stream, &["--cast", "note=integre"], 2, &["integre"]),
        ("an unknown bucket", at(&s3, "levada-test", "no-such-bucket"), "x", &[], 1, &["no bucket `no-such-bucket`"]),
        (
            "wrong keys",
            at(&s3, "secret_key=SK", "secret_key=KS"),
            "x",
            &[],
            1,
            &["does not accept the keys", "secret_key"],
        ),
        (
            "a missing file",
            format!("sqlite://{}/missing.db", folder.path().display()),
            "orders",
            &[],
            1,
            &["missing.db"],
        ),
    ];
    let mut wrong = Vec::new();
    for (what, url, stream, extra, code, words) in &cases {
        let arguments = [&["copy", url.as_str(), out.as_str(), "--stream", stream], *extra].concat();
        let output = levada(folder.path(), &arguments);
        let what = format!("{what}: {}", url.split(':').next().unwrap());
        if std::panic::catch_unwind(|| told(&output, *code, words, &what)).is_err() {
            wrong.push(what);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.is_empty(), "left behind: {left:?}");
}

#[test]
fn wrong_targets_are_told_and_change_nothing() {
    let folder = TempDir::new().unwrap();
    let source = Database::postgres("levada_target_a");
    source.sql("CREATE TABLE t(id int PRIMARY KEY, n numeric); INSERT INTO t VALUES (1, 1)");
    let target = Database::postgres("levada_target_b");
    target.sql("CREATE VIEW t AS SELECT 1 AS id; CREATE TABLE other(id uuid)");
    let maria = Database::mariadb("levada_target_c");
    maria.sql("CREATE VIEW t AS SELECT 1 AS id");
    std::fs::write(
        folder.path().join("notes.txt"),
        "not a database, but long enough to look like a file of some sort\n".repeat(40),
    )
    .unwrap();
    let text = format!("sqlite://{}/notes.txt", folder.path().display());
    let nowhere = format!("sqlite://{}/no/such/folder/x.db", folder.path().display());
    let cases: Vec<WrongTarget> = vec![
        ("a view", target.url(), &[], 2, &["view"]),
        ("a view", maria.url(), &[], 2, &["view"]),
        ("a column of another type", target.url(), &["--rename", "other"], 1, &["`id`", "UUID"]),
        ("a file that is no database", text, &[], 2, &["notes.txt", "not a SQLite database"]),
        ("a folder that is not there", nowhere, &[], 1, &["no/such/folder"]),
        ("a closed port", target.url().replace("25432", "1"), &[], 1, &["127.0.0.1:1"]),
        ("a merge without a key", target.url(), &["--rename", "fresh", "--write", "merge", "--key", "m"], 1, &["`m`"]),
    ];
    let mut wrong = Vec::new();
    for (what, url, extra, code, words) in &cases {
        let source = source.url();
        let arguments = [&["copy", source.as_str(), url.as_str(), "--stream", "public.t"], *extra].concat();
        let output = levada(folder.path(), &arguments);
        if std::panic::catch_unwind(|| told(&output, *code, words, what)).is_err() {
            wrong.push(format!("{what}: {url}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(target.sql("SELECT count(*) FROM pg_class WHERE relname LIKE '%stage%' OR relname = 'fresh'"), "0");
}

/// A target on a file system of 3 MB: the run says so, nothing of it is kept, and the next run finishes.
#[test]
fn a_full_disk_is_told_and_the_next_run_finishes() {
    const NAME: &str = "bad_input::a_full_disk_is_told_and_the_next_run_finishes";
    const INSIDE: &str = "LEVADA_TEST_INSIDE_NAMESPACE";
    let folder = TempDir::new().unwrap();
    let succeeds = |command: &mut Command| command.output().is_ok_and(|output| output.status.success());
    if !succeeds(Command::new("mount").args(["-t", "tmpfs", "-o", "size=3m", "tmpfs"]).arg(folder.path())) {
        // Whoever may not mount a small disk may do so in a namespace, where this test runs once more.
        let may_unshare = succeeds(Command::new("unshare").args(["-rm", "true"]));
        if std::env::var_os(INSIDE).is_some() || !may_unshare {
            return skipped(NAME, "neither `mount` nor `unshare -rm` may make a small disk here");
        }
        let test = std::env::current_exe().unwrap();
        let again = Command::new("unshare").arg("-rm").arg(test).args(["--exact", NAME]).env(INSIDE, "").status();
        return assert!(again.unwrap().success());
    }
    let outcome = std::panic::catch_unwind(|| {
        let source = Database::postgres("levada_full");
        let disk = folder.path().display();
        let files =
            (format!("{{ type: files, root: '{disk}/files', format: csv }}"), "No space left", "/files/t/part-");
        let sqlite = (format!("{{ type: sqlite, path: '{disk}/full.db' }}"), "full", "full.db");
        for (target, said, place) in [files, sqlite] {
            source.sql("DROP TABLE IF EXISTS s, t; CREATE TABLE s AS SELECT 1 AS id; CREATE TABLE t AS SELECT i AS id, repeat(md5(i::text), 10) AS v FROM generate_series(1, 50000) i");
            let pipeline = Pipeline::between(&source.connection(), &target, "  public.s: {}\n  public.t: {}");
            let ran = pipeline.run();
            let failure = ran.failed(1);
            assert!(failure.contains(said) && failure.contains(place), "{failure}");
            paragraph(&failure);
            source.sql("DELETE FROM t WHERE id > 100");
            assert_eq!(pipeline.done(), [1, 100]);
        }
    });
    Command::new("umount").arg(folder.path()).status().unwrap();
    assert!(outcome.is_ok());
}

#[test]
fn documents_with_mistakes_are_told_before_anything_moves() {
    let source = Database::postgres("levada_document");
    source.sql("CREATE TABLE t(id int PRIMARY KEY)");
    let target = Database::of(System::Sqlite, "");
    let cases: &[(&str, &[&str])] = &[
        ("  public.t: { wirte: append }", &["`wirte`", "write"]),
        ("  public.t: { write: apend }", &["apend"]),
        ("  public.t: { columns: { casts: { id: text } } }", &["`casts`", "cast"]),
        ("  public.t: { columns: { cast: { id: txet } } }", &["txet"]),
        ("  public.t: { read: incremental, cursor: id, lag: soon }", &["soon"]),
        ("  public.t: { key: id }", &["expected a list"]),
        ("  public.t: [", &["p.yaml"]),
        ("  public.t: {}\n  public.t: {}", &["public.t"]),
    ];
    for (streams, words) in cases {
        let pipeline = Pipeline::new(&source, &target, streams);
        let ran = pipeline.run();
        assert_eq!(ran.code, 2, "{streams}: {}", ran.err);
        for word in *words {
            assert!(ran.err.contains(word), "{streams}: `{word}` is missing in {}", ran.err);
        }
        paragraph(&ran.err);
    }
}

#[test]
fn a_missing_file_and_a_broken_line_are_told() {
    let folder = TempDir::new().unwrap();
    let target = Database::postgres("levada_broken_csv");
    std::fs::write(folder.path().join("good.csv"), "id,name\n1,a\n2,b\n").unwrap();
    std::fs::write(folder.path().join("broken.csv"), "id,name\n1,a\n2,\"b\nc\n").unwrap();
    std::fs::write(folder.path().join("ragged.csv"), "id,name\n1,a\n2,b,c\n3\n").unwrap();
    let url = target.url();
    for (file, words) in [
        ("gone.csv", &["no file matches `gone.csv`", "List what there is"][..]),
        ("broken.csv", &["broken.csv", "never closed"]),
        ("ragged.csv", &["ragged.csv", "3"]),
    ] {
        let path = format!("./{file}");
        let output = levada(folder.path(), &["copy", &path, &url]);
        told(&output, 1, words, file);
        assert_eq!(
            target.sql("SELECT count(*) FROM pg_tables WHERE tablename IN ('gone', 'broken', 'ragged')"),
            "0",
            "{file}"
        );
        assert_eq!(target.stages(), "", "{file}");
    }
    let output = levada(folder.path(), &["copy", "./good.csv", &url]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
