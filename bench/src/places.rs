//! Where the benchmark reads and writes: three databases on each test server, a bucket, and two folders; and the command
//! line clients that prepare and check them.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use url::Url;

use crate::Result;

/// The database that holds what is read.
pub const SOURCE: &str = "levada_bench_source";
/// The database Levada writes into.
pub const LEVADA: &str = "levada_bench_levada";
/// The database the alternative writes into.
pub const OTHER: &str = "levada_bench_other";

/// The addresses of servers and folders.
pub struct Places {
    /// The binary to measure.
    pub levada: PathBuf,
    /// Holds generated data between runs.
    pub cache: PathBuf,
    /// Holds what one run writes.
    pub scratch: PathBuf,
    /// Part of the names of what is kept in the cache and in the bucket.
    pub scale: f64,
    /// PostgreSQL.
    pub postgres: Url,
    mysql: Url,
    s3: Url,
}

impl Places {
    /// The test servers, as `scripts/services env` tells them.
    pub fn from_environment(levada: &Path, scale: f64) -> Result<Self> {
        let address = |name: &str| -> Result<Url> {
            let text = env::var(name).map_err(|_| {
                format!("{name} is not set: start the servers with `scripts/services up`, then `eval \"$(scripts/services env)\"`")
            })?;
            Ok(Url::parse(&text).map_err(|error| format!("{name}: {error}"))?)
        };
        let home = env::var("HOME").unwrap_or_else(|_| "/tmp".to_owned());
        let cache = env::var("XDG_CACHE_HOME").map_or_else(|_| Path::new(&home).join(".cache"), PathBuf::from);
        let cache = cache.join("levada/bench");
        let scratch = cache.join("scratch");
        fs::create_dir_all(&scratch)?;
        Ok(Self {
            levada: levada.to_owned(),
            cache,
            scratch,
            scale,
            postgres: address("LEVADA_TEST_POSTGRES")?,
            mysql: address("LEVADA_TEST_MYSQL")?,
            s3: address("LEVADA_TEST_S3")?,
        })
    }

    /// The generated rows as CSV with a header.
    pub fn csv(&self) -> PathBuf {
        self.cache.join(format!("lineitem-{}.csv", self.scale))
    }

    /// A PostgreSQL database as a URL for Levada.
    pub fn postgres_url(&self, database: &str) -> String {
        with_path(&self.postgres, database)
    }

    /// A PostgreSQL database as a URL for SQLAlchemy.
    pub fn sqlalchemy_url(&self, database: &str) -> String {
        let (host, port, user) = parts(&self.postgres, 5432);
        format!("postgresql+psycopg2://{user}@{host}:{port}/{database}")
    }

    /// A MariaDB database as a URL for Levada.
    pub fn mysql_url(&self, database: &str) -> String {
        with_path(&self.mysql, database)
    }

    /// A folder in the bucket as a URL for Levada.
    pub fn s3_url(&self, folder: &str) -> String {
        with_path(&self.s3, folder)
    }

    /// How `psql` is called for a database, as words for a shell.
    pub fn psql_words(&self, database: &str) -> String {
        let (host, port, user) = parts(&self.postgres, 5432);
        format!("psql -qX -v ON_ERROR_STOP=1 -h {host} -p {port} -U {user} -d {database}")
    }

    /// How a program of PostgreSQL's is called for a database, as words for a shell.
    pub fn pg_words(&self, program: &str, database: &str) -> String {
        let (host, port, user) = parts(&self.postgres, 5432);
        format!("{program} -h {host} -p {port} -U {user} -d {database}")
    }

    /// How `mariadb` is called for a database, as words for a shell.
    pub fn mariadb_words(&self, database: &str) -> String {
        let (host, port, user) = parts(&self.mysql, 3306);
        format!("mariadb --no-defaults --local-infile=1 -N -B -h {host} -P {port} -u {user} {database}")
    }

    /// Runs SQL in a PostgreSQL database; columns of the answer are separated by a tab.
    pub fn psql(&self, database: &str, sql: &str) -> Result<String> {
        client(&format!("{} -At -F '\t'", self.psql_words(database)), &["-c", sql])
    }

    /// Runs SQL in a MariaDB database.
    pub fn mariadb(&self, database: &str, sql: &str) -> Result<String> {
        client(&self.mariadb_words(database), &["-e", sql])
    }

    /// Makes a PostgreSQL database anew, and lets the server write out what earlier work left behind.
    pub fn fresh_postgres(&self, database: &str) -> Result<()> {
        self.psql("postgres", &format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)"))?;
        self.psql("postgres", &format!("CREATE DATABASE {database}"))?;
        self.psql("postgres", "CHECKPOINT").map(|_| ())
    }

    /// Makes a MariaDB database anew.
    pub fn fresh_mariadb(&self, database: &str) -> Result<()> {
        self.mariadb("", &format!("DROP DATABASE IF EXISTS {database}; CREATE DATABASE {database}")).map(|_| ())
    }
}

fn with_path(url: &Url, path: &str) -> String {
    let mut url = url.clone();
    url.set_path(path);
    url.into()
}

fn parts(url: &Url, port: u16) -> (&str, u16, &str) {
    (url.host_str().unwrap_or("127.0.0.1"), url.port().unwrap_or(port), url.username())
}

fn client(words: &str, arguments: &[&str]) -> Result<String> {
    let line = format!("exec {words} \"$@\"");
    let output = Command::new("bash").args(["-c", &line, "client"]).args(arguments).stdin(Stdio::null()).output()?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{}: {}", words.split(' ').next().unwrap_or_default(), error.trim()).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
