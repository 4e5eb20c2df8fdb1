//! What the tests of the binary share: its path, databases of their own, the systems' own clients, and pipelines.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Child, Command, Stdio};

use levada_testkit::services;
use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::types::ValueRef;
use serde_json::Value;
use tempfile::TempDir;
use url::Url;

/// The binary under test.
pub const LEVADA: &str = env!("CARGO_BIN_EXE_levada");

/// Declares that a test could not do its work on this machine, past the test runner, which hides what passing tests print;
/// `scripts/test` counts these lines.
pub fn skipped(test: &str, reason: &str) {
    let line = format!("\nskipped: {test}: {reason}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// A system with its own dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    Postgres,
    MariaDb,
    Sqlite,
}

/// A database that is made anew for one test.
pub struct Database {
    url: Url,
    /// Where the file of a SQLite database lives.
    _folder: Option<TempDir>,
}

impl Database {
    /// An empty PostgreSQL database.
    pub fn postgres(name: &str) -> Self {
        Self::postgres_at(&services::postgres(), name)
    }

    /// The database in which others are made.
    pub fn admin() -> Self {
        Self { url: Url::parse(&services::postgres()).unwrap(), _folder: None }
    }

    fn postgres_at(server: &str, name: &str) -> Self {
        let admin = Self { url: Url::parse(server).unwrap(), _folder: None };
        psql(&admin, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        psql(&admin, &format!("CREATE DATABASE {name}"));
        admin.named(name)
    }

    /// An empty PostgreSQL database that a hot standby follows.
    pub fn primary(name: &str) -> Self {
        Self::postgres_at(&services::primary(), name)
    }

    /// The same database on the standby.
    pub fn standby(&self) -> Self {
        let standby = Self { url: Url::parse(&services::standby()).unwrap(), _folder: None };
        let name = self.url.path().to_owned();
        for _ in 0..600 {
            if psql(&standby, &format!("SELECT count(*) FROM pg_database WHERE datname = '{}'", &name[1..])) == "1" {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        standby.named(&name)
    }

    /// Another database of the same server.
    pub fn beside(&self, name: &str) -> Self {
        Self { url: self.url.clone(), _folder: None }.named(name)
    }

    /// An empty MariaDB database.
    pub fn mariadb(name: &str) -> Self {
        let admin = Self { url: Url::parse(&services::mysql()).unwrap(), _folder: None };
        mariadb(&admin, &format!("DROP DATABASE IF EXISTS {name}; CREATE DATABASE {name}"));
        admin.named(name)
    }

    /// An empty SQLite file.
    pub fn sqlite() -> Self {
        let folder = TempDir::new().unwrap();
        let url = Url::parse(&format!("sqlite://{}/test.db", folder.path().display())).unwrap();
        Self { url, _folder: Some(folder) }
    }

    /// An empty database of a system.
    pub fn of(system: System, name: &str) -> Self {
        match system {
            System::Postgres => Self::postgres(name),
            System::MariaDb => Self::mariadb(name),
            System::Sqlite => Self::sqlite(),
        }
    }

    /// Which system it is.
    pub fn system(&self) -> System {
        match self.url.scheme() {
            "mysql" => System::MariaDb,
            "sqlite" => System::Sqlite,
            _ => System::Postgres,
        }
    }

    /// What the system's own client prints for a script: rows as lines, columns parted by tabs, NULL as `NULL`.
    pub fn sql(&self, sql: &str) -> String {
        match self.system() {
            System::Postgres => psql_with(self, &["-F", "\t", "-P", "null=NULL"], sql),
            System::MariaDb => mariadb(self, sql),
            System::Sqlite => sqlite(self.url.path(), sql),
        }
    }

    /// Tables that Levada makes for itself while it loads.
    pub fn stages(&self) -> String {
        let (name, place) = match self.system() {
            System::Postgres => ("tablename", "pg_tables"),
            System::MariaDb => ("table_name", "information_schema.tables"),
            System::Sqlite => ("name", "sqlite_master"),
        };
        let here = if self.system() == System::MariaDb { " AND table_schema = database()" } else { "" };
        self.sql(&format!("SELECT {name} FROM {place} WHERE {name} LIKE '%levada_stage%'{here}"))
    }

    fn named(mut self, name: &str) -> Self {
        self.url.set_path(name);
        self
    }

    /// Its URL for the command line.
    pub fn url(&self) -> String {
        self.url.to_string()
    }

    /// Its settings for a document.
    pub fn connection(&self) -> String {
        let kind = match self.system() {
            System::Postgres => "postgres",
            System::MariaDb => "mysql",
            System::Sqlite => "sqlite",
        };
        format!("{{ type: {kind}, url: '{}' }}", self.url)
    }
}

/// What `psql` prints for a script: rows as lines, columns parted by `|`, without the last line break.
pub fn psql(database: &Database, sql: &str) -> String {
    psql_with(database, &[], sql)
}

fn psql_with(database: &Database, options: &[&str], sql: &str) -> String {
    let mut url = database.url.clone();
    url.set_query(None);
    run(Command::new("psql").args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]).args(options).args([
        "-c",
        sql,
        url.as_str(),
    ]))
}

/// What `mariadb` prints for a script: rows as lines, columns parted by tabs.
pub fn mariadb(database: &Database, sql: &str) -> String {
    let url = &database.url;
    let port = url.port().unwrap_or(3306).to_string();
    let host = url.host_str().unwrap();
    let options = ["--no-defaults", "-N", "-B", "-r", "--local-infile", "--default-character-set=utf8mb4"];
    run(Command::new("mariadb").args(options).args([
        "-u",
        url.username(),
        "-h",
        host,
        "-P",
        &port,
        "-e",
        sql,
        url.path().trim_start_matches('/'),
    ]))
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end_matches('\n').to_owned()
}

fn sqlite(path: &str, sql: &str) -> String {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.busy_timeout(std::time::Duration::from_secs(20)).unwrap();
    let mut text = String::new();
    let mut batch = rusqlite::Batch::new(&connection, sql);
    while let Some(mut statement) = batch.next().unwrap() {
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            for column in 0..columns {
                let gap = if column == 0 { "" } else { "\t" };
                match row.get_ref(column).unwrap() {
                    ValueRef::Null => write!(text, "{gap}NULL"),
                    ValueRef::Integer(number) => write!(text, "{gap}{number}"),
                    ValueRef::Real(number) => write!(text, "{gap}{number}"),
                    ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
                        write!(text, "{gap}{}", String::from_utf8_lossy(bytes))
                    }
                }
                .unwrap();
            }
            text.push('\n');
        }
    }
    text.trim_end_matches('\n').to_owned()
}

/// A pipeline of one sync between two databases, in a folder of its own.
pub struct Pipeline {
    folder: TempDir,
    head: String,
}

/// A run that has ended.
pub struct Ran {
    /// The exit code.
    pub code: i32,
    /// The report.
    pub report: Value,
    /// Standard error.
    pub err: String,
}

impl Pipeline {
    /// A sync of the given streams: lines of YAML, indented by two.
    pub fn new(source: &Database, target: &Database, streams: &str) -> Self {
        Self::between(&source.connection(), &target.connection(), streams)
    }

    /// A sync between connections given as YAML.
    pub fn between(source: &str, target: &str, streams: &str) -> Self {
        let head = format!(
            "version: 1\nname: p\nconnections:\n  source: {source}\n  target: {target}\ntasks:\n  load:\n    retry: {{ attempts: 4, \
             initial: 200ms }}\n    sync:\n      from: source\n      to: target\n"
        );
        let pipeline = Self { folder: TempDir::new().unwrap(), head };
        pipeline.streams(streams);
        pipeline
    }

    /// Changes which streams there are.
    pub fn streams(&self, streams: &str) {
        let lines: Vec<String> = streams.trim_matches('\n').lines().map(|line| format!("      {line}")).collect();
        let document = format!("{}      streams:\n{}\n", self.head, lines.join("\n"));
        std::fs::write(self.folder.path().join("p.yaml"), document).unwrap();
    }

    /// The command that runs it and prints a report as JSON.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(LEVADA);
        command.args(["run", "p.yaml", "--output", "json"]).args(arguments).current_dir(self.folder.path());
        command
    }

    /// Starts it.
    pub fn start(&self) -> Child {
        self.command(&[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Runs it, whatever comes of it.
    pub fn run(&self) -> Ran {
        Ran::of(self.start())
    }

    /// Runs it; it must succeed. Gives the rows written by each stream.
    pub fn done(&self) -> Vec<u64> {
        self.run().done()
    }
}

impl Ran {
    /// Waits for the end of a run.
    pub fn of(child: Child) -> Self {
        let output = child.wait_with_output().unwrap();
        Self {
            code: output.status.code().unwrap_or(-1),
            report: serde_json::from_slice(&output.stdout).unwrap_or_default(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Rows written by each stream of a run that must have succeeded.
    pub fn done(&self) -> Vec<u64> {
        assert_eq!(self.code, 0, "a run failed: {:?}\n{}", self.failures(), self.err);
        let streams = self.report["tasks"][0]["streams"].as_array().unwrap();
        streams.iter().map(|stream| stream["proof"]["written"].as_u64().unwrap()).collect()
    }

    /// The message of the only failure of a run that must end with this code.
    pub fn failed(&self, code: i32) -> String {
        let failures = self.failures();
        assert_eq!(self.code, code, "{failures:?}\n{}", self.err);
        failures.into_iter().next().unwrap_or_else(|| panic!("no failure is told: {}", self.err))
    }

    /// What the streams, or else the task, failed with.
    pub fn failures(&self) -> Vec<String> {
        let task = &self.report["tasks"][0];
        let streams = task["streams"].as_array().cloned().unwrap_or_default();
        let errors = streams.iter().map(|stream| &stream["error"]).chain([&task["error"]]);
        let text = |error: &Value| Some(format!("{} {}", error["message"].as_str()?, error["advice"].as_str()?));
        errors.filter_map(text).collect()
    }
}

/// The most memory that a process ever had, in MB; and its end.
pub fn peak_mb(child: Child) -> (u64, Ran) {
    let path = format!("/proc/{}/status", child.id());
    let watch = std::thread::spawn(move || {
        let mut peak = 0;
        while let Ok(status) = std::fs::read_to_string(&path) {
            let Some(line) = status.lines().find(|line| line.starts_with("VmHWM:")) else { break };
            peak = line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024;
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        peak
    });
    let ran = Ran::of(child);
    (watch.join().unwrap(), ran)
}
