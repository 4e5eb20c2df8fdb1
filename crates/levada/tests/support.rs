//! What the tests of the binary share: its path, databases of their own, and the systems' own clients.

use std::process::Command;

use levada_testkit::services;
use url::Url;

/// The binary under test.
pub const LEVADA: &str = env!("CARGO_BIN_EXE_levada");

/// A database that is made anew for one test.
pub struct Database {
    url: Url,
}

impl Database {
    /// An empty PostgreSQL database.
    pub fn postgres(name: &str) -> Self {
        let admin = Self { url: Url::parse(&services::postgres()).unwrap() };
        psql(&admin, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        psql(&admin, &format!("CREATE DATABASE {name}"));
        admin.named(name)
    }

    /// An empty MariaDB database.
    pub fn mariadb(name: &str) -> Self {
        let admin = Self { url: Url::parse(&services::mysql()).unwrap() };
        mariadb(&admin, &format!("DROP DATABASE IF EXISTS {name}; CREATE DATABASE {name}"));
        admin.named(name)
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
        let kind = if self.url.scheme() == "mysql" { "mysql" } else { "postgres" };
        format!("{{ type: {kind}, url: '{}' }}", self.url)
    }
}

/// What `psql` prints for a script: rows as lines, columns parted by `|`, without the last line break.
pub fn psql(database: &Database, sql: &str) -> String {
    let mut url = database.url.clone();
    url.set_query(None);
    run(Command::new("psql").args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql, url.as_str()]))
}

/// What `mariadb` prints for a script: rows as lines, columns parted by tabs.
pub fn mariadb(database: &Database, sql: &str) -> String {
    let url = &database.url;
    let port = url.port().unwrap_or(3306).to_string();
    let host = url.host_str().unwrap();
    run(Command::new("mariadb").args(["--no-defaults", "-N", "-B", "-r", "--default-character-set=utf8mb4"]).args([
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
