//! Apache Airflow as `bench/airflow/drive.py` runs it: started on an empty database, and stopped with all its parts.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value as Json;

use crate::Result;
use crate::places::Places;

/// The database that Airflow keeps its runs in.
const DATABASE: &str = "levada_bench_airflow";
/// Where its API server listens, on this machine only.
const PORT: &str = "17718";
/// What it runs, and how.
const DRIVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/airflow/drive.py");

/// Airflow, while it lives.
pub struct Airflow {
    process: Child,
    /// Its end ends Airflow.
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    folder: PathBuf,
    /// What it says of itself.
    pub told: Told,
}

/// What Airflow says of itself.
#[derive(Default)]
pub struct Told(Json);

/// The Python of a virtual environment in which Airflow is installed.
pub fn python(environment: &Path) -> Result<PathBuf> {
    let python = environment.join("bin/python");
    if python.exists() {
        Ok(python)
    } else {
        Err("there is no Airflow: `make bench-peers` installs it, and names it with --airflow".into())
    }
}

impl Airflow {
    /// Starts it with the Python of its virtual environment.
    pub fn start(places: &Places, python: &Path) -> Result<Self> {
        crate::say("starting Airflow on an empty database");
        places.fresh_postgres(DATABASE)?;
        let folder = places.scratch.join("airflow");
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        std::fs::create_dir_all(&folder)?;
        let log = std::fs::File::create(places.scratch.join("airflow.log"))?;
        let mut command = Command::new(python);
        command.arg(DRIVER).arg(&folder).args([&places.sqlalchemy_url(DATABASE), PORT]);
        // an interrupt is for the bench: its end closes the pipe, and then all parts are stopped in order
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
        let mut process = command.spawn()?;
        let answers = process.stdout.take().ok_or("Airflow has no standard output")?;
        let questions = process.stdin.take();
        let mut airflow = Self { process, questions, answers: BufReader::new(answers), folder, told: Told::default() };
        airflow.told = Told(airflow.answer()?);
        Ok(airflow)
    }

    /// Triggers runs of a DAG, and gives the seconds until the last one has ended.
    pub fn run(&mut self, dag: &str, runs: usize) -> Result<f64> {
        let questions = self.questions.as_mut().ok_or("Airflow has been stopped")?;
        writeln!(questions, "{dag} {runs}")?;
        self.answer()?["seconds"].as_f64().ok_or_else(|| "Airflow told no time".into())
    }

    fn answer(&mut self) -> Result<Json> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        if line.is_empty() {
            return Err("Airflow ended: airflow.log in the scratch folder of the bench tells why".into());
        }
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for Airflow {
    fn drop(&mut self) {
        self.questions = None;
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Told {
    /// The settings that are not the defaults, in a line.
    pub fn tuned(&self) -> String {
        let tuned = self.0["tuned"].as_object().into_iter().flatten();
        let tuned = tuned.map(|(name, value)| format!("`{name}` {}", value.as_str().unwrap_or_default()));
        tuned.collect::<Vec<_>>().join(", ")
    }

    /// What is compared, and on what.
    pub fn versions(&self) -> Vec<(&'static str, String)> {
        let told = |name: &str| self.0[name].as_str().unwrap_or("unknown").to_owned();
        vec![
            ("Airflow", format!("{}, LocalExecutor", told("airflow"))),
            ("Python", told("python")),
            ("database of both", told("database")),
        ]
    }
}
