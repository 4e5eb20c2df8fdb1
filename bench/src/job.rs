//! One row of the benchmark: Levada and an alternative doing the same work in turns, each checked after every run.

use std::fs;
use std::path::{Path, PathBuf};

use parquet::file::reader::{FileReader, SerializedFileReader};

use crate::Result;
use crate::measure::{Cost, Invocation, median};
use crate::places::{LEVADA, OTHER, Places, SOURCE};
use crate::say;

/// Work that two commands do in turns.
pub struct Job {
    /// What is done.
    pub name: &'static str,
    /// What Levada is compared with.
    pub against: &'static str,
    /// Levada may take at most this many times the alternative's time.
    pub target: f64,
    /// Done once, before all rounds.
    pub once: Vec<Step>,
    /// Done before each round; `{round}` in SQL is its number.
    pub each_round: Vec<Step>,
    /// Our side.
    pub levada: Side,
    /// The other side.
    pub other: Side,
}

/// One of the two sides of a job.
pub struct Side {
    /// Done before each run, not timed.
    pub before: Vec<Step>,
    /// What is timed.
    pub command: Invocation,
    /// What must hold after each run.
    pub check: Check,
}

/// Something done outside the timing.
pub enum Step {
    /// An empty PostgreSQL database.
    FreshPostgres(&'static str),
    /// SQL in a PostgreSQL database.
    Postgres(&'static str, String),
    /// An empty MariaDB database.
    FreshMariaDb(&'static str),
    /// SQL in a MariaDB database.
    MariaDb(&'static str, String),
    /// A folder without content.
    EmptyFolder(PathBuf),
    /// A command.
    Run(Invocation),
}

/// What a run must have left behind, compared with the PostgreSQL source.
pub enum Check {
    /// Nothing is left behind.
    Nothing,
    /// A query gives the same answer in this PostgreSQL database as in the source.
    Postgres(&'static str, String),
    /// A query gives the answer in this PostgreSQL database that another query gives in the source.
    PostgresAs(&'static str, String, String),
    /// A query gives the same answer in this MariaDB database as in the source.
    MariaDb(&'static str, String),
    /// The Parquet files below this folder have as many rows as `lineitem`.
    Parquet(PathBuf),
    /// A command that reads again what was written, and succeeds.
    Backup(Invocation),
}

/// What came of a job.
pub struct Outcome {
    /// See [`Job::name`].
    pub name: &'static str,
    /// See [`Job::against`].
    pub against: &'static str,
    /// See [`Job::target`].
    pub target: f64,
    /// The runs of Levada.
    pub levada: Vec<Cost>,
    /// The runs of the alternative.
    pub other: Vec<Cost>,
    /// Why there are no (more) runs.
    pub failure: Option<String>,
}

impl Outcome {
    /// The median time of Levada, in seconds.
    pub fn levada_s(&self) -> f64 {
        median(self.levada.iter().map(|cost| cost.wall.as_secs_f64()))
    }

    /// The median time of the alternative, in seconds.
    pub fn other_s(&self) -> f64 {
        median(self.other.iter().map(|cost| cost.wall.as_secs_f64()))
    }

    /// The most memory Levada held in any run, in MB.
    pub fn peak_mb(&self) -> u64 {
        self.levada.iter().map(Cost::peak_mb).max().unwrap_or(0)
    }
}

impl Job {
    /// Does all rounds, or those until something fails.
    pub fn run(&self, places: &Places, rounds: usize) -> Outcome {
        let Self { name, against, target, .. } = *self;
        let mut outcome = Outcome { name, against, target, levada: Vec::new(), other: Vec::new(), failure: None };
        if let Err(problem) = self.rounds(places, rounds, &mut outcome) {
            say(&format!("{}: FAILED: {problem}", self.name));
            outcome.failure = Some(problem.to_string());
        }
        outcome
    }

    /// Does Levada's side once, and leaves nothing behind.
    pub fn run_levada(&self, places: &Places) -> Result<Cost> {
        say(&format!("{}: preparing", self.name));
        self.once.iter().chain(&self.each_round).try_for_each(|step| step.take(places, 1))?;
        let cost = self.levada.run(places, 1).map_err(|problem| format!("levada: {problem}"));
        say(&format!("{}: {}", self.name, cost.as_ref().map_or("FAILED", |_| "done")));
        for database in [LEVADA, OTHER] {
            places.fresh_postgres(database)?;
            places.fresh_mariadb(database)?;
        }
        cost.map_err(Into::into)
    }

    fn rounds(&self, places: &Places, rounds: usize, outcome: &mut Outcome) -> Result<()> {
        say(&format!("{}: preparing", self.name));
        self.once.iter().try_for_each(|step| step.take(places, 0))?;
        for round in 1..=rounds {
            self.each_round.iter().try_for_each(|step| step.take(places, round))?;
            let ours = self.levada.run(places, round).map_err(|problem| format!("levada: {problem}"))?;
            let theirs = self.other.run(places, round).map_err(|problem| format!("{}: {problem}", self.against))?;
            let (a, b) = (ours.wall.as_secs_f64(), theirs.wall.as_secs_f64());
            say(&format!("{} {round}/{rounds}: levada {a:.2} s, alternative {b:.2} s, ratio {:.2}", self.name, a / b));
            outcome.levada.push(ours);
            outcome.other.push(theirs);
        }
        Ok(())
    }
}

impl Side {
    /// One run, prepared and checked.
    pub fn run(&self, places: &Places, round: usize) -> Result<Cost> {
        self.before.iter().try_for_each(|step| step.take(places, round))?;
        let cost = self.command.run(places)?;
        self.check.hold(places)?;
        Ok(cost)
    }
}

impl Step {
    fn take(&self, places: &Places, round: usize) -> Result<()> {
        let filled = |sql: &str| sql.replace("{round}", &round.to_string());
        match self {
            Self::FreshPostgres(database) => places.fresh_postgres(database),
            Self::Postgres(database, sql) => places.psql(database, &filled(sql)).map(|_| ()),
            Self::FreshMariaDb(database) => places.fresh_mariadb(database),
            Self::MariaDb(database, sql) => places.mariadb(database, &filled(sql)).map(|_| ()),
            Self::EmptyFolder(folder) => {
                if folder.exists() {
                    fs::remove_dir_all(folder)?;
                }
                Ok(fs::create_dir_all(folder)?)
            }
            Self::Run(command) => command.run(places).map(|_| ()),
        }
    }
}

impl Check {
    fn hold(&self, places: &Places) -> Result<()> {
        let (found, wanted) = match self {
            Self::Nothing => return Ok(()),
            Self::Backup(command) => return command.run(places).map(|_| ()),
            Self::Postgres(database, sql) => (places.psql(database, sql)?, places.psql(SOURCE, sql)?),
            Self::PostgresAs(database, sql, in_source) => {
                (places.psql(database, sql)?, places.psql(SOURCE, in_source)?)
            }
            Self::MariaDb(database, sql) => (places.mariadb(database, sql)?, places.psql(SOURCE, sql)?),
            Self::Parquet(folder) => {
                (parquet_rows(folder)?.to_string(), places.psql(SOURCE, "SELECT count(*) FROM lineitem")?)
            }
        };
        if found == wanted {
            Ok(())
        } else {
            Err(format!("the target is wrong after the run: found {found}, wanted {wanted}").into())
        }
    }
}

fn parquet_rows(folder: &Path) -> Result<i64> {
    let mut rows = 0;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            rows += parquet_rows(&path)?;
        } else if path.extension().is_some_and(|extension| extension == "parquet") {
            rows += SerializedFileReader::new(fs::File::open(path)?)?.metadata().file_metadata().num_rows();
        }
    }
    Ok(rows)
}
