//! Syncs that compute columns: what is hidden is hidden wherever a load leaves something, what fails is rejected, and what
//! is killed is loaded once.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Database, LEVADA, Pipeline, Ran};

const KEY: &str = "s3cr3t-k3y-7f3a";
/// Stands in every value that is to be hidden.
const CLEAR: &str = "cl3ar";

/// A folder with a pipeline of one sync.
struct Folder(TempDir);

impl Folder {
    fn new(source: &Database, target: &str, sync: &str) -> Self {
        let folder = Self(TempDir::new().unwrap());
        let head = format!(
            "version: 1\nname: people\nconnections:\n  crm: {}\n  dw: {target}\ntasks:\n  load:\n    retry: {{ attempts: 1 }}\n    sync:\n      \
             from: crm\n      to: dw\n",
            source.connection()
        );
        std::fs::write(folder.0.path().join("people.yaml"), head + sync).unwrap();
        folder
    }

    fn levada(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(LEVADA);
        command.args(arguments).current_dir(self.0.path()).env("LEVADA_SECRET_PSEUDONYM", KEY);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// The exit code, and all that is told.
    fn tells(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.levada(arguments).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code().unwrap(), text(&output.stdout) + &text(&output.stderr))
    }

    fn run(&self) -> Ran {
        Ran::of(self.levada(&["run", "people.yaml", "--output", "json"]).spawn().unwrap())
    }
}

/// Files below a folder that hold a text.
fn holding(folder: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if std::fs::read(&path).unwrap().windows(text.len()).any(|bytes| bytes == text.as_bytes()) {
                found.push(path.display().to_string());
            }
        }
    }
    found
}

const PEOPLE: &str = "
      keys: { pseudonym: \"${secret:pseudonym}\" }
      streams:
        public.people:
          read: incremental
          cursor: seen
          key: [id]
          write: merge
          on_bad_row: quarantine
          verify: checksum
          transform:
            mail: hmac_sha256(mail, $pseudonym)
            phone: mask(phone, 0, 2)
            born: date_shift(born, hmac_sha256(id, $pseudonym), 20)
            alias: fake('name', mail, $pseudonym)
            note_length: length(note)
            amount: CAST(amount AS DECIMAL(10,2))
          columns: { exclude: [note], rename: { note_length: note_size }, cast: { note_size_of: text } }
";

#[test]
fn what_is_hidden_is_in_no_file_and_a_row_that_fails_is_rejected() {
    let crm = Database::postgres("levada_transforms_crm");
    crm.sql(&format!(
        "CREATE TABLE people(id int PRIMARY KEY, mail text, phone text, born date, note text, amount text, seen int);
         INSERT INTO people SELECT i, '{CLEAR}' || i || '@example.org', '{CLEAR} 555-01' || (10 + i % 90), date '1990-05-17', '{CLEAR} note',
           CASE WHEN i % 500 = 3 THEN '{CLEAR} and no number' ELSE i || '.50' END, i FROM generate_series(1, 3000) i;
         UPDATE people SET mail = NULL, note = NULL WHERE id = 11"
    ));
    let sync = PEOPLE.replace(", cast: { note_size_of: text }", ", cast: { seen: text }");
    let folder = Folder::new(&crm, "./people.db", &sync);
    let (code, plan) = folder.tells(&["plan", "people.yaml"]);
    assert_eq!(code, 0, "{plan}");
    for text in
        ["column mail TEXT is computed: hmac_sha256(mail, $pseudonym)", "column note_size", "is computed: length(note)"]
    {
        assert!(plan.contains(text), "{text}: {plan}");
    }

    let ran = folder.run();
    let proof = |ran: &Ran| ran.report["tasks"][0]["streams"][0]["proof"].clone();
    assert_eq!(ran.done(), [2994]);
    let counts = |proof: &Value| ["read", "written", "rejected", "verified"].map(|name| proof[name].as_u64().unwrap());
    assert_eq!(counts(&proof(&ran)), [3000, 2994, 6, 2994], "{}", ran.report);
    let at = |sql: &str| {
        let store = rusqlite::Connection::open(folder.0.path().join("people.db")).unwrap();
        let text = |row: &rusqlite::Row<'_>| row.get::<_, Option<String>>(0);
        store.query_row(sql, [], text).unwrap().unwrap_or_else(|| "NULL".to_owned())
    };
    // openssl dgst -sha256 -hmac
    let wanted = "5231ea544bb01b039fe3dea38bac765d8bbb1b8b5e26d7a55c47384766ab4399";
    assert_eq!(at("SELECT mail FROM people WHERE id = 7"), wanted);
    assert_eq!(at("SELECT phone FROM people WHERE id = 7"), "************17");
    assert_eq!(at("SELECT coalesce(mail, alias, note_size) FROM people WHERE id = 11"), "NULL", "NULL stays NULL");
    assert_eq!(at("SELECT CAST(note_size AS TEXT) FROM people WHERE id = 7"), "10");
    assert_eq!(at("SELECT CAST(count(*) AS TEXT) FROM people WHERE born = '1990-05-17'"), "0");
    assert_eq!(at("SELECT typeof(seen) FROM people WHERE id = 7"), "text");
    assert_eq!(
        at("SELECT CAST(count(*) AS TEXT) FROM pragma_table_info('people') WHERE name IN ('note', 'note_length')"),
        "0"
    );
    assert_eq!(at("SELECT column_name FROM _levada_rejects LIMIT 1"), "amount");
    let reject = at("SELECT row_json || reason FROM _levada_rejects WHERE row_json LIKE '%\"3\"%' LIMIT 1");
    assert!(reject.contains("\"id\":\"3\"") && reject.contains("might tell of `amount`"), "{reject}");

    // what is new since
    crm.sql(&format!(
        "INSERT INTO people SELECT i, '{CLEAR}' || i, '{CLEAR}', NULL, '', '1', i FROM generate_series(3001, 3100) i;
         UPDATE people SET mail = '{CLEAR}7@example.org', seen = 4000 WHERE id = 8"
    ));
    let ran = folder.run();
    assert_eq!(counts(&proof(&ran)), [102, 102, 0, 102], "the last row again, and what is new");
    assert_eq!(at("SELECT CAST(count(*) AS TEXT) FROM people"), "3094");
    assert_eq!(at("SELECT mail FROM people WHERE id = 8"), wanted, "the same person, the same pseudonym");

    let (code, lineage) = folder.tells(&["lineage", "dw.people", "--columns", "--output", "json"]);
    assert_eq!(code, 0, "{lineage}");
    let graph: Value = serde_json::from_str(lineage.lines().next().unwrap_or_default())
        .or_else(|_| serde_json::from_str(&lineage))
        .unwrap_or_else(|error| panic!("{error}: {lineage}"));
    let edges = graph["edges"].as_array().unwrap();
    let edge = edges.iter().find(|edge| edge["from"] == "crm.public.people").unwrap_or_else(|| panic!("{graph}"));
    let mut told: Vec<String> = edge["columns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|edge| format!("{}>{} {}", edge["from"], edge["to"], edge["how"]).replace('"', ""))
        .collect();
    told.sort();
    let wanted = [
        "amount>amount cast",
        "born>born computed",
        "id>born computed",
        "id>id copied",
        "mail>alias computed",
        "mail>mail hashed",
        "note>note_size computed",
        "phone>phone computed",
        "seen>seen cast",
    ];
    assert_eq!(told, wanted);

    for text in [CLEAR, KEY] {
        assert!(!plan.contains(text) && !lineage.contains(text) && !ran.err.contains(text), "{text}");
        assert_eq!(holding(folder.0.path(), text), Vec::<String>::new());
    }
}

#[test]
fn a_stream_is_computed_however_it_is_named() {
    let crm = Database::postgres("levada_transforms_names");
    crm.sql(&format!("CREATE TABLE people(id int PRIMARY KEY, mail text); INSERT INTO people VALUES (1, '{CLEAR}')"));
    for name in ["people", "'peop*'", "public.people", "'public.*'", "'*'", "'\"people\"'"] {
        let sync = format!("      streams: {{ {name}: {{ transform: {{ mail: 'mask(mail, 0, 1)' }} }} }}\n");
        let folder = Folder::new(&crm, "./people.db", &sync);
        assert_eq!(folder.run().done(), [1], "{name}");
        let store = rusqlite::Connection::open(folder.0.path().join("people.db")).unwrap();
        let mail: String = store.query_row("SELECT mail FROM people", [], |row| row.get(0)).unwrap();
        assert_eq!(mail, "****r", "{name}");
        assert_eq!(holding(folder.0.path(), CLEAR), Vec::<String>::new(), "{name}");
    }
    let sync = "      streams: { people: { transform: { Mail: 'mask(mail, 0, 1)' } } }\n";
    let told = Folder::new(&crm, "./people.db", sync).run().failed(2);
    assert!(told.contains("the stream has `mail`, and no `Mail`"), "{told}");
}

#[test]
fn what_was_left_before_columns_were_computed_does_not_come_in_clear() {
    let crm = Database::postgres("levada_transforms_before");
    crm.sql(&format!(
        "CREATE TABLE people(id int, mail text, n text);
         INSERT INTO people VALUES (1, '{CLEAR} 1', '1'), (2, '{CLEAR} 2', 'none'), (3, '{CLEAR} 3', '3')"
    ));
    let sync = |options: &str| format!("      streams: {{ people: {{ on_bad_row: quarantine, {options} }} }}\n");
    let plain = "read: incremental, cursor: id, write: append, columns: { cast: { n: int32 } }";
    let folder = Folder::new(&crm, "./people.db", &sync(plain));
    assert_eq!(folder.run().done(), [2]);
    let file = folder.0.path().join("people.yaml");
    let masked = format!("{plain}, key: [id], transform: {{ mail: 'mask(mail, 0, 1)' }}");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace(&sync(plain), &sync(&masked))).unwrap();
    // the rows at the end would be others
    let told = folder.run().failed(3);
    assert!(told.contains("are told by `mail`, which `transform` computes"), "{told}");
    let runs: Value = serde_json::from_str(&folder.tells(&["runs", "--output", "json"]).1).unwrap_or_default();
    let first = runs["runs"].as_array().and_then(|runs| runs.last()).unwrap_or_else(|| panic!("{runs}"));
    let project = folder.0.path();
    std::fs::write(project.join("levada.yaml"), "version: 1\n").unwrap();
    std::fs::create_dir(project.join("pipelines")).unwrap();
    std::fs::copy(&file, project.join("pipelines/people.yaml")).unwrap();
    let (code, told) = folder.tells(&["apply"]);
    assert_eq!(code, 0, "{told}");
    let (code, told) = folder.tells(&["replay", &first["run"].as_i64().unwrap().to_string()]);
    assert_eq!(code, 1, "{told}");
    let rejected = told.lines().find(|line| line.contains("people")).unwrap_or_else(|| panic!("{told}"));
    let figures: Vec<&str> = rejected.split_whitespace().filter(|word| word.parse::<u64>().is_ok()).collect();
    assert_eq!(figures[..3], ["1", "0", "1"], "read, written, rejected: {told}");
    let store = rusqlite::Connection::open(folder.0.path().join("people.db")).unwrap();
    let rows: i64 = store.query_row("SELECT count(*) FROM people WHERE id = 2", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 0, "{code} {told}");
}

#[test]
fn a_row_that_cannot_be_read_shows_nothing_that_is_replaced() {
    let folder = TempDir::new().unwrap();
    let rows = format!("id,name,mail\n1,Ada,ada\n2,\"{CLEAR}\"x,{CLEAR}\n3,Alan,alan\n");
    std::fs::write(folder.path().join("people.csv"), rows).unwrap();
    let inner = folder.path().join("to");
    std::fs::create_dir(&inner).unwrap();
    let document = "version: 1\nname: people\nconnections: { in: { type: files, root: .. }, out: ./people.db }\nsync:\n  from: in\n  to: out\n  \
                    streams:\n    people.csv:\n      on_bad_row: quarantine\n      transform: { name: \"fake('name', id, 'k')\", mail: \"'x'\" }\n";
    std::fs::write(inner.join("people.yaml"), document).unwrap();
    let mut command = Command::new(LEVADA);
    command.args(["run", "people.yaml", "--output", "json"]).current_dir(&inner);
    let ran = Ran::of(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    assert_eq!(ran.done(), [2], "{}", ran.report);
    assert_eq!(holding(&inner, CLEAR), Vec::<String>::new());
    assert!(!ran.err.contains(CLEAR) && !ran.report.to_string().contains(CLEAR), "{}", ran.report);
}

#[test]
fn a_failing_row_fails_the_load_without_telling_what_is_hidden() {
    let crm = Database::postgres("levada_transforms_fail");
    crm.sql(&format!(
        "CREATE TABLE people(id int PRIMARY KEY, code text, n int); INSERT INTO people VALUES (1, '{CLEAR}', 0)"
    ));
    let stream = |transform: &str| format!("      streams: {{ public.people: {{ transform: {{ {transform} }} }} }}\n");
    let folder = Folder::new(&crm, "./people.db", &stream("code: CAST(code AS INT)"));
    let ran = folder.run();
    let told = ran.failed(1);
    assert!(told.contains("`code` cannot be computed") && !told.contains(CLEAR), "{told}");
    assert_eq!(holding(folder.0.path(), CLEAR), Vec::<String>::new());
    // of what is loaded anyway, why is told
    let folder = Folder::new(&crm, "./people.db", &stream("part: 100 / n"));
    let told = folder.run().failed(1);
    assert!(told.contains("divided by zero"), "{told}");
}

#[test]
fn wrong_expressions_are_told_before_anything_moves() {
    let crm = Database::sqlite();
    let cases = [
        ("public.a: { transform: { x: 'lower(mail' } }", "this is no SQL"),
        ("public.a: { transform: { x: 'sum(n) OVER ()', y: '(SELECT 1)' } }", "sees its own row only"),
        ("public.a: { transform: { x: 'hmac_sha256(mail, $other)' } }", "there is no key `other`"),
        ("public.a: { transform: { x: 'mail || $k' } }", "can only be the key of"),
        (
            "public.a: { transform: { x: 'hmac_sha256(mail, ''${secret:pseudonym}'')' } }",
            "cannot stand in an expression",
        ),
        (
            "public.a: { read: incremental, cursor: at, transform: { at: 'at + 1' } }",
            "the cursor column `at` is computed",
        ),
        ("public.a: { key: [id], transform: { id: 'id + 1' } }", "the key column `id` is computed"),
        (
            "public.a: { read: incremental, cursor: at, write: append, transform: { x: 'at + 1' } }",
            "could not be told by columns that are computed",
        ),
        ("public.a: { transform: { x: 'id + 1' }, columns: { hash: [mail] } }", "is hashed, and others are computed"),
    ];
    for (stream, wanted) in cases {
        let sync = format!("      keys: {{ k: \"${{secret:pseudonym}}\" }}\n      streams: {{ {stream} }}\n");
        let folder = Folder::new(&crm, "./people.db", &sync);
        let (code, told) = folder.tells(&["validate", "people.yaml"]);
        assert!(code != 0 && told.contains(wanted) && told.contains("people.yaml:"), "{stream}: {code} {told}");
        assert!(!told.contains(KEY), "{told}");
    }
}

#[test]
fn a_load_that_computes_columns_is_killed_and_loads_every_row_once() {
    let (source, target) = (Database::postgres("levada_transforms_src"), Database::postgres("levada_transforms_dst"));
    source.sql("CREATE TABLE t(id bigint PRIMARY KEY, v text)");
    let grow = |n: u64| {
        let rows = if n == 0 { 60_001 } else { 15_001 };
        source.sql(&format!(
            "INSERT INTO t SELECT top + i, 'value ' || (top + i) FROM (SELECT coalesce(max(id), 0) AS top FROM t) t, generate_series(1, {rows}) i"
        ));
    };
    let pipeline = Pipeline::new(
        &source,
        &target,
        "  public.t: { read: incremental, cursor: id, key: [id], write: append, on_bad_row: quarantine,\n    transform: { v: 'mask(v, 3, 1)', w: \
         '840 / (id % 1000)', x: \"fake('city', id, 'seed')\" }, columns: { rename: { w: part } } }",
    );
    let look = |database: &Database, sql: &str| database.sql(sql);
    let is_whole = || {
        let wanted = look(
            &source,
            "SELECT count(*), sum(id), sum(840 / (id % 1000)), md5(string_agg('val' || repeat('*', length(v) - 4) || right(v, 1), ',' ORDER BY id))
             FROM t WHERE id % 1000 <> 0",
        );
        let found = look(
            &target,
            "SELECT count(*), sum(id), sum(part), md5(string_agg(v, ',' ORDER BY id)) FROM t WHERE x IS NOT NULL",
        );
        assert_eq!(found, wanted);
        let rejected = look(&source, "SELECT count(*) FROM t WHERE id % 1000 = 0");
        assert_eq!(look(&target, "SELECT count(*) FROM _levada_rejects"), rejected);
        assert_eq!(target.stages(), "");
    };
    grow(0);
    let started = Instant::now();
    pipeline.done();
    let typical = started.elapsed();
    is_whole();
    let mut killed = 0;
    for round in 1..=8_u32 {
        grow(u64::from(round));
        let mut run = pipeline.start();
        std::thread::sleep(typical.mul_f64(0.1 * f64::from(round)));
        killed += u32::from(run.try_wait().unwrap().is_none());
        run.kill().unwrap();
        run.wait().unwrap();
        pipeline.done();
        is_whole();
    }
    assert!(killed >= 2, "{killed} of 8 runs were killed before their end");
}
