//! Names as attacks: whatever tables, columns, streams, filters and keys are called, the database is asked nothing but what was
//! meant. What it was asked is read from its own log.

use std::process::Command;

use axum::body::Body;
use axum::http::Request;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use url::Url;

use levada_testkit::services;

use crate::harness::{Place, Reply, Who, work};

/// Part of every name, so that the log can be searched for them.
const MARK: &str = "atk7f3a";
const DATABASE: &str = "levada_identifiers";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum System {
    Postgres,
    MariaDb,
    Sqlite,
}

/// Names that people and programs have broken databases with.
fn names() -> Vec<String> {
    let names = [
        "{}\"; DROP TABLE canary; --",
        "{}'; DROP TABLE canary; --",
        "{}`; DROP TABLE canary; -- ",
        "{}\\'; DROP TABLE canary; --",
        "{}\\\"; DROP TABLE canary; --",
        "{}\"\" ; DROP TABLE canary; --",
        "{}]; DROP TABLE canary; --",
        "{}) ; DROP TABLE canary; --",
        "{}\" OR \"1\"=\"1",
        "{}' OR '1'='1",
        "{} UNION SELECT 1",
        "{}/*",
        "{}*/",
        "{}--",
        "{}#",
        "{};",
        "{}$$; DROP TABLE canary; $$",
        "{}$1",
        "{}?",
        "{}:x",
        "{}%s%n",
        "{}${secret:x}",
        "{}{{x}}",
        "{}\\",
        "{}\"",
        "{}`",
        "{}'",
        "{}\n; DROP TABLE canary",
        "{}\r\n",
        "{}\t",
        "{}\u{0}; DROP TABLE canary",
        "{}\u{202e}elbat",
        "{}\u{feff}",
        "{}\u{2018}; DROP TABLE canary",
        "{}\u{ff07}; DROP TABLE canary",
        "{}\u{1f600}",
        "{}.{}",
        "../{}",
        "..\\{}",
        "public.{}",
        "pg_catalog.{}",
        "{} ",
        " {}",
        "select {}",
        "{}\u{1}",
        "\u{301}{}",
    ];
    let mut names: Vec<String> = names.iter().map(|name| name.replace("{}", MARK)).collect();
    names.push(format!("{MARK}{}", "x".repeat(10_000)));
    names.push(format!("{MARK}{}", "\"".repeat(300)));
    names
}

/// Many more, put together from what means something to some parser; the same each time.
fn fuzzed(count: usize) -> Vec<String> {
    let parts = [
        "\"",
        "'",
        "`",
        "\\",
        ";",
        "--",
        "/*",
        "*/",
        "#",
        "(",
        ")",
        ",",
        ".",
        ":",
        "$1",
        "$$",
        "?",
        "%",
        "_",
        "=",
        " ",
        "\n",
        "\t",
        "{",
        "}",
        "[",
        "]",
        "|",
        "&",
        "<",
        ">",
        "@",
        "!",
        "~",
        "\u{2019}",
        "\u{ff02}",
        "\u{202e}",
        "ä",
        "select",
        "drop table canary",
        "or 1=1",
        "null",
        "0x27",
        "E'",
        "U&'",
        "N'",
        "q'[",
        "\\'",
        "''",
        "\"\"",
    ];
    let mut state: u64 = 20_211_121;
    // Lehmer (Park and Miller 1988)
    let mut random = |below: usize| {
        state = state * 48_271 % 2_147_483_647;
        state as usize % below
    };
    let name = |_| {
        let mut name = String::new();
        for _ in 0..=random(4) {
            name.push_str(parts[random(parts.len())]);
        }
        name.insert_str(if random(2) == 0 { 0 } else { name.len() }, MARK);
        name
    };
    (0..count).map(name).collect()
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn psql(database: &str, sql: &str) -> String {
    let mut url = Url::parse(&services::postgres()).unwrap();
    url.set_path(database);
    url.set_query(None);
    run(Command::new("psql").args([url.as_str(), "-XqAt", "-v", "ON_ERROR_STOP=1", "-c", sql]))
}

fn mariadb(database: &str, sql: &str) -> String {
    let url = Url::parse(&services::mysql()).unwrap();
    let (host, port) = (url.host_str().unwrap(), url.port().unwrap_or(3306).to_string());
    run(Command::new("mariadb")
        .args(["--no-defaults", "-NBr", "-u", url.username(), "-h", host, "-P", &port])
        .args(["-e", sql, database]))
}

/// A database of its own with a table that must outlive everything.
struct Target {
    system: System,
    folder: tempfile::TempDir,
    /// Where the log of the server stood before.
    from: usize,
}

impl Target {
    fn new(system: System) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let canary =
            "CREATE TABLE canary (id INT PRIMARY KEY, name VARCHAR(50)); INSERT INTO canary VALUES (1, 'alive')";
        let from = match system {
            System::Postgres => {
                psql("postgres", &format!("DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)"));
                psql("postgres", &format!("CREATE DATABASE {DATABASE}"));
                psql("postgres", &format!("ALTER DATABASE {DATABASE} SET log_statement = 'all'"));
                psql(DATABASE, canary);
                psql(DATABASE, "SELECT size FROM pg_stat_file('server.log')").trim().parse().unwrap()
            }
            System::MariaDb => {
                mariadb("mysql", &format!("DROP DATABASE IF EXISTS {DATABASE}; CREATE DATABASE {DATABASE}"));
                mariadb(DATABASE, canary);
                // the log is one for the whole server: what others ask is told apart by the mark
                mariadb(
                    "mysql",
                    "SET GLOBAL log_output = 'TABLE'; TRUNCATE mysql.general_log; SET GLOBAL general_log = 1",
                );
                0
            }
            System::Sqlite => {
                let path = folder.path().join("t.db");
                rusqlite::Connection::open(&path).unwrap().execute_batch(canary).unwrap();
                0
            }
        };
        Self { system, folder, from }
    }

    fn connection_json(&self) -> Value {
        let (kind, key, place) = match self.system {
            System::Postgres => ("postgres", "url", services::postgres()),
            System::MariaDb => ("mysql", "url", services::mysql()),
            System::Sqlite => ("sqlite", "path", self.folder.path().join("t.db").display().to_string()),
        };
        let place = match Url::parse(&place) {
            Ok(mut url) if key == "url" => {
                url.set_path(DATABASE);
                url.to_string()
            }
            _ => place,
        };
        json!({ "type": kind, key: place })
    }

    /// Makes tables of such names, with columns of such names, as they may be found in the wild.
    fn seed(&self, names: &[String]) -> usize {
        let mut made = 0;
        for name in names {
            let quote = |quote: &str| format!("{quote}{}{quote}", name.replace(quote, &quote.repeat(2)));
            let sql = |quoted: String| {
                format!("CREATE TABLE {quoted} ({quoted} VARCHAR(20), id INT); INSERT INTO {quoted} VALUES ('v', 1)")
            };
            let done = match self.system {
                System::Postgres if name.contains('\0') => continue,
                System::Postgres => {
                    let mut url = Url::parse(&services::postgres()).unwrap();
                    url.set_path(DATABASE);
                    url.set_query(None);
                    let (url, sql) = (url.to_string(), sql(quote("\"")));
                    Command::new("psql")
                        .args([&url, "-Xq", "-v", "ON_ERROR_STOP=1", "-c", &sql])
                        .output()
                        .unwrap()
                        .status
                        .success()
                }
                System::MariaDb if name.contains('\0') => continue,
                System::MariaDb => {
                    let url = Url::parse(&services::mysql()).unwrap();
                    let port = url.port().unwrap_or(3306).to_string();
                    let sql = sql(quote("`"));
                    let options = ["--no-defaults", "--default-character-set=utf8mb4", "-u", url.username(), "-h"];
                    let place = [url.host_str().unwrap(), "-P", &port, "-e", &sql, DATABASE];
                    Command::new("mariadb").args(options).args(place).output().unwrap().status.success()
                }
                System::Sqlite => {
                    let database = rusqlite::Connection::open(self.folder.path().join("t.db")).unwrap();
                    !name.contains('\0') && database.execute_batch(&sql(quote("\""))).is_ok()
                }
            };
            made += usize::from(done);
        }
        made
    }

    /// That the canary lives, and that the server was asked nothing with a name outside of quotes.
    fn check(&self) {
        let alive = match self.system {
            System::Postgres => psql(DATABASE, "SELECT name FROM canary"),
            System::MariaDb => mariadb(DATABASE, "SELECT name FROM canary"),
            System::Sqlite => {
                let database = rusqlite::Connection::open(self.folder.path().join("t.db")).unwrap();
                database.query_row("SELECT name FROM canary", [], |row| row.get(0)).unwrap()
            }
        };
        assert_eq!(alive.trim(), "alive", "{:?}", self.system);
        let statements = match self.system {
            System::Postgres => {
                let sql = format!("SELECT encode(pg_read_binary_file('server.log', {}, 1 << 29), 'base64')", self.from);
                use base64::Engine as _;
                let text: String = psql(DATABASE, &sql).split_whitespace().collect();
                entries(&String::from_utf8_lossy(&base64::engine::general_purpose::STANDARD.decode(text).unwrap()))
            }
            System::MariaDb => {
                let sql = format!(
                    "SELECT HEX(argument) FROM mysql.general_log WHERE command_type IN ('Query', 'Execute', 'Prepare') AND argument LIKE '%{MARK}%'"
                );
                mariadb("mysql", &sql).lines().map(unhex).filter(|text| !text.contains("general_log")).collect()
            }
            System::Sqlite => return,
        };
        let marked: Vec<&String> = statements.iter().filter(|statement| statement.contains(MARK)).collect();
        assert!(marked.len() > 50, "{:?}: only {} statements have a name", self.system, marked.len());
        for statement in marked {
            let rest = unquoted(statement, self.system == System::MariaDb);
            assert!(!rest.contains(MARK), "{:?}: a name stands outside of quotes: {statement}", self.system);
            assert!(!rest.to_lowercase().contains("drop table canary"), "{:?}: {statement}", self.system);
        }
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if self.system == System::MariaDb {
            mariadb("mysql", "SET GLOBAL general_log = 0; SET GLOBAL log_output = 'FILE'");
        }
    }
}

fn unhex(text: &str) -> String {
    let digit = |at: usize| u8::from_str_radix(text.get(at..at + 2).unwrap_or("3f"), 16).unwrap_or(b'?');
    String::from_utf8_lossy(&(0..text.len()).step_by(2).map(digit).collect::<Vec<_>>()).into_owned()
}

/// The statements of a log of PostgreSQL: lines that begin with a tab go on with the one before.
fn entries(log: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for line in log.lines() {
        let text = line.split_once("LOG:  ").map(|(_, text)| text);
        let statement = text.and_then(|text| {
            let (kind, statement) = text.split_once(": ")?;
            (kind == "statement" || kind.starts_with("execute ")).then_some(statement)
        });
        match (statement, line.strip_prefix('\t')) {
            (Some(statement), _) => found.push(statement.to_owned()),
            (None, Some(more)) if found.last().is_some_and(|last| !last.is_empty()) => {
                let last = found.last_mut().unwrap();
                last.push('\n');
                last.push_str(more);
            }
            // of another kind: what is below it belongs to no statement
            _ => found.push(String::new()),
        }
    }
    // what this test asks by itself
    found.retain(|statement| !statement.starts_with("CREATE TABLE \"") || !statement.contains("VARCHAR(20), id INT"));
    found
}

/// A statement without what stands in quotes.
fn unquoted(statement: &str, has_escapes: bool) -> String {
    let mut rest = String::new();
    let mut chars = statement.chars().peekable();
    while let Some(c) = chars.next() {
        let escapes = c == '\'' && (has_escapes || rest.ends_with('E'));
        match c {
            '"' | '\'' | '`' if c != '`' || has_escapes => {
                while let Some(inner) = chars.next() {
                    if inner == '\\' && escapes {
                        chars.next();
                    } else if inner == c {
                        if chars.peek() != Some(&c) {
                            break;
                        }
                        chars.next();
                    }
                }
                rest.push_str(" quoted ");
            }
            c => rest.push(c),
        }
    }
    rest
}

#[test]
fn what_stands_in_quotes_is_told_from_what_does_not() {
    assert_eq!(unquoted("SELECT \"a\"\"b\" FROM 'x''y' z", false), "SELECT  quoted  FROM  quoted  z");
    assert_eq!(unquoted("SELECT `a``b`, 'it\\'s'; x", true), "SELECT  quoted ,  quoted ; x");
    assert!(unquoted(&format!("SELECT 'a'; {MARK}"), false).contains(MARK));
    assert!(unquoted(&format!("SELECT \"a\" {MARK}\""), false).contains(MARK));
}

async fn ask(place: &Place, method: &str, path: &str, body: Value) -> Reply {
    let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
    let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
    let reply = place.ask(&Who::Local, request.body(body).unwrap()).await;
    let told: String = path.chars().take(200).collect();
    assert!(reply.status != 500, "{method} {told}: {}", reply.text());
    reply
}

/// Everything of the API that takes a name, with every name.
async fn attack(system: System) {
    let (target, names) = (Target::new(system), names());
    let seeded = target.seed(&names);
    assert!(seeded > 25, "{system:?}: only {seeded} tables could be made");
    let place = Place::new().await;
    let project = format!(
        "version: 1\nconnections:\n  db: {}\n  out: {{ type: files, root: {:?} }}\ncollections:\n  department:\n    connection: db\n    columns:\n      name: {{ type: text, unique: true, check: {{ max_length: 100 }} }}\n      boss: text\nreports:\n  people:\n    connection: db\n    query: SELECT :who AS who FROM canary\n    params: {{ who: {{ type: text }} }}\n",
        target.connection_json(),
        target.folder.path().join("out")
    );
    place.apply_all(&project, &[]).await;
    ask(&place, "POST", "/v1/department", json!({ "name": "Supply" })).await.is(201);
    // streams that are there, under their own names, and everything that only claims to be there
    let listed = ask(&place, "GET", "/api/v1/connections/db/streams?limit=1000", Value::Null).await.is(200).json();
    let streams: Vec<String> =
        listed["items"].as_array().unwrap().iter().map(|item| item["stream"].as_str().unwrap().to_owned()).collect();
    assert!(streams.iter().filter(|stream| stream.contains(MARK)).count() >= seeded, "{streams:?}");
    for name in streams.iter().chain(&names) {
        let name = encoded(name);
        ask(&place, "GET", &format!("/api/v1/connections/db/preview?stream={name}&limit=2"), Value::Null).await;
        ask(&place, "GET", &format!("/api/v1/connections/db/streams?stream={name}&search={name}"), Value::Null).await;
    }
    for name in &names {
        let path = encoded(name);
        for query in [
            format!("sort={path}"),
            format!("sort=-name,{path}"),
            format!("expand={path}"),
            format!("{path}=1"),
            format!("{path}%5Beq%5D=1"),
            format!("name%5B{path}%5D=1"),
            format!("name={path}"),
            format!("name%5Bstarts_with%5D={path}"),
            format!("name%5Bin%5D={path},{path}"),
            format!("limit={path}"),
            format!("after={path}"),
        ] {
            ask(&place, "GET", &format!("/v1/department?{query}"), Value::Null).await;
        }
        for (method, body) in [
            ("GET", Value::Null),
            ("PUT", json!({ "name": "x" })),
            ("PATCH", json!({ name.clone(): "x", "name": name })),
            ("DELETE", Value::Null),
        ] {
            ask(&place, method, &format!("/v1/department/{path}"), body).await;
        }
        ask(&place, "POST", "/v1/department", json!({ name.clone(): 1 })).await;
        ask(&place, "POST", "/v1/department", json!({ "name": name, "boss": name })).await;
        let rows = json!({ "rows": [{ "name": name, "boss": name }], "upsert": name, "mode": "each" });
        ask(&place, "POST", "/v1/department/bulk", rows).await;
        ask(&place, "GET", &format!("/v1/people?who={path}"), Value::Null).await;
        ask(&place, "GET", &format!("/v1/people?who=x&{path}=1"), Value::Null).await;
        // and what the API itself keeps by name
        for path in
            [format!("/api/v1/users/{path}"), format!("/api/v1/pipelines/{path}"), format!("/api/v1/search?q={path}")]
        {
            ask(&place, "GET", &path, Value::Null).await;
        }
        ask(&place, "PUT", &format!("/api/v1/secrets/{path}"), json!({ "value": "x" })).await;
        ask(&place, "POST", "/api/v1/users", json!({ "name": name, "role": "viewer" })).await;
        ask(&place, "GET", &format!("/api/v1/runs?pipeline={path}"), Value::Null).await;
        ask(&place, "GET", &format!("/api/v1/audit?actor={path}&object={path}"), Value::Null).await;
    }
    for (number, name) in fuzzed(500).into_iter().enumerate() {
        let path = encoded(&name);
        let query = format!("{path}=1&{path}%5Bin%5D={path}&sort={path}&expand={path}");
        ask(&place, "GET", &format!("/v1/department?{query}"), Value::Null).await;
        ask(&place, "GET", &format!("/v1/department?name%5Bstarts_with%5D={path}&name%5Bin%5D={path}"), Value::Null)
            .await;
        ask(&place, "GET", &format!("/v1/department/{path}"), Value::Null).await;
        let rows = json!({ "rows": [{ name.clone(): 1, "name": name }], "upsert": name });
        ask(&place, "POST", "/v1/department/bulk", rows).await;
        // each of these opens connections of its own
        if number % 10 > 0 {
            continue;
        }
        ask(&place, "GET", &format!("/api/v1/connections/db/preview?stream={path}&limit=1"), Value::Null).await;
        let text = json!({ "version": 1, "name": "p", "sync": { "from": "db", "to": "db", "streams": { "*canary": {
            "rename": name, "columns": { "rename": { "name": name } }, "read": "incremental", "cursor": name, "key": [name]
        } } } });
        ask(&place, "POST", "/api/v1/pipelines/p/plan", json!({ "text": text.to_string() })).await;
    }
    // a row that is written comes back as it was
    let kept =
        ask(&place, "GET", &format!("/v1/department?name={}", encoded(&names[0])), Value::Null).await.is(200).json();
    assert_eq!(kept["items"][0]["boss"], names[0], "{kept}");
    // tables and columns of such names, planned, loaded and served
    for name in names.iter().filter(|name| name.len() < 1_000) {
        let options = json!({ "rename": name, "columns": { "rename": { "name": name } }, "read": "incremental", "cursor": name, "key": [name] });
        let text = json!({ "version": 1, "name": "p", "sync": { "from": "db", "to": "db", "streams": { "*canary": options } } });
        let plan = json!({ "text": text.to_string() });
        ask(&place, "POST", "/api/v1/pipelines/p/plan", plan).await;
        let collection =
            json!({ name.clone(): { "connection": "db", "path": "c", "columns": { name.clone(): "text" } } });
        let text =
            json!({ "version": 1, "connections": { "db": target.connection_json() }, "collections": collection });
        let documents = json!({ "documents": [{ "path": "levada.yaml", "text": text.to_string() }] });
        ask(&place, "PUT", "/api/v1/project", documents).await;
        ask(&place, "GET", "/v1/c", Value::Null).await;
        ask(&place, "POST", "/v1/c", json!({ name.clone(): name })).await;
    }
    load(&place, &project).await;
    target.check();
}

/// Copies every table, with whatever names, within the database.
async fn load(place: &Place, project: &str) {
    let copy = "version: 1\nname: copy\nsync: { from: db, to: db, streams: { '*': { rename: 'copy_{table}', on_bad_row: quarantine } } }\n";
    place.apply_all(project, &[copy]).await;
    let stop = work(place).await;
    let run = ask(place, "POST", "/api/v1/pipelines/copy/runs", json!({})).await.is(201).json()["id"].clone();
    let ended = async {
        loop {
            let state = ask(place, "GET", &format!("/api/v1/runs/{run}"), Value::Null).await.json()["state"].clone();
            if state != "queued" && state != "running" {
                return state;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    let state = tokio::time::timeout(std::time::Duration::from_secs(120), ended).await.expect("the run ends");
    stop.cancel();
    let tasks = ask(place, "GET", &format!("/api/v1/runs/{run}/tasks"), Value::Null).await.json();
    assert_eq!(state, "succeeded", "{tasks}");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_only_names_in_postgres() {
    attack(System::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_only_names_in_mariadb() {
    attack(System::MariaDb).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_only_names_in_sqlite() {
    attack(System::Sqlite).await;
}
