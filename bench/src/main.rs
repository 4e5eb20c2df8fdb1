//! Side-by-side benchmarks: Levada and the tool a person would use instead, on the same TPC-H rows, in turns, in one run.
//! A command that fails, or leaves other rows than it should, is reported and never timed.

mod api;
mod job;
mod jobs;
mod lake;
mod lineitem;
mod measure;
mod peers;
mod places;
mod report;
mod runs;

use std::fs;
use std::io::{Write, stderr};
use std::path::PathBuf;
use std::process::ExitCode;

use job::Job;
use places::Places;

/// Why a benchmark could not be run, as a sentence.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

const USAGE: &str =
    "usage: levada-bench --levada PROGRAM [--part PART] [--scale F] [--runs N] [--only TEXT] [--output FILE]
  --levada PROGRAM  the release binary to measure
  --part PART       `loads`, `runs`, `api` (these if nothing is said), `memory`, `lake` or `peers`; the report keeps what it has of the others
  --scale F         TPC-H scale factor; 1 (the default) has 6 million rows
  --runs N          repetitions of each side, in turns; medians are reported (default 3)
  --only TEXT       only jobs whose name contains TEXT
  --airflow FOLDER  the virtual environment in which Airflow is installed, for `peers`
  --python FOLDER   the virtual environment with the packages of `bench/lake/requirements.txt`, for `lake`
  --output FILE     write the report here (default: standard output)
The servers are those of `eval \"$(scripts/services env)\"`.";

struct Options {
    levada: PathBuf,
    part: String,
    scale: f64,
    runs: usize,
    only: String,
    airflow: PathBuf,
    python: PathBuf,
    output: Option<PathBuf>,
}

fn options() -> Result<Options> {
    let mut options = Options {
        levada: PathBuf::new(),
        part: String::new(),
        scale: 1.0,
        runs: 3,
        only: String::new(),
        airflow: PathBuf::new(),
        python: PathBuf::new(),
        output: None,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{argument} needs a value"))?;
        match argument.as_str() {
            "--levada" => options.levada = fs::canonicalize(&value).map_err(|e| format!("{value}: {e}"))?,
            "--part" if PARTS.iter().any(|part| part.eq_ignore_ascii_case(&value)) => options.part = value,
            "--scale" => options.scale = value.parse()?,
            "--runs" => options.runs = value.parse::<usize>()?.max(1),
            "--only" => options.only = value,
            "--airflow" => options.airflow = value.into(),
            "--python" => options.python = value.into(),
            "--output" => options.output = Some(value.into()),
            other => return Err(format!("`{other}` is not known").into()),
        }
    }
    if options.levada.as_os_str().is_empty() { Err("--levada is missing".into()) } else { Ok(options) }
}

/// The parts of the report, as their headings have them.
const PARTS: [&str; 6] = ["Loads", "Memory", "Lake", "Runs", "API", "Peers"];
/// Those that take long, or have to be installed: only who names them means them.
const NAMED_ONLY: [&str; 3] = ["Memory", "Lake", "Peers"];

fn run(options: &Options) -> Result<bool> {
    let places = Places::from_environment(&options.levada, options.scale)?;
    let old = options.output.as_ref().and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default();
    let (mut complete, mut texts) = (true, Vec::new());
    for part in PARTS {
        let is_meant = match options.part.as_str() {
            "" => !NAMED_ONLY.contains(&part),
            meant => meant.eq_ignore_ascii_case(part),
        };
        let (text, ok) = match part {
            _ if !is_meant => (kept(&old, part).to_owned(), true),
            "Loads" => loads(options, &places)?,
            "Memory" => memory(options, &places)?,
            "Runs" => {
                let sections = runs::run(&places, options.runs, &options.only)?;
                (runs::markdown(&sections, options.runs), runs::complete(&sections))
            }
            "Lake" => lake::run(&places, options.runs, options.scale, &options.only, &options.python)?,
            "API" => api::run(&places, options.runs, options.scale, &options.only)?,
            _ => (peers::run(&places, options.runs, &options.airflow)?, true),
        };
        texts.push(text.trim().to_owned());
        complete &= ok;
    }
    texts.retain(|text| !text.is_empty());
    let text = format!("{}\n", texts.join("\n\n"));
    match &options.output {
        Some(path) => fs::write(path, &text)?,
        None => std::io::stdout().write_all(text.as_bytes())?,
    }
    Ok(complete)
}

/// What an earlier report has of a part. Whatever it begins with is its first one.
fn kept<'a>(old: &'a str, part: &str) -> &'a str {
    let start = |part: &str| if part == PARTS[0] { Some(0) } else { old.find(&format!("\n# {part}\n")) };
    let Some(from) = start(part) else { return "" };
    let next = PARTS.iter().filter_map(|part| start(part)).filter(|at| *at > from).min();
    old.get(from..next.unwrap_or(old.len())).unwrap_or_default()
}

/// The part on loads, and whether all of them could be measured.
fn loads(options: &Options, places: &Places) -> Result<(String, bool)> {
    let jobs: Vec<Job> = jobs::all(places)?.into_iter().filter(|job| job.name.contains(&options.only)).collect();
    say(&format!("preparing TPC-H lineitem at scale {}", options.scale));
    let rows = lineitem::prepare(places, options.scale)?;
    let mut outcomes = Vec::new();
    for job in &jobs {
        outcomes.push(job.run(places, options.runs));
    }
    let start_up = jobs::start_up(places);
    let text = report::markdown(places, rows, options.runs, options.scale, &outcomes, &start_up);
    Ok((text, outcomes.iter().all(|outcome| outcome.failure.is_none())))
}

/// The part on the memory that loads of another size take, and whether all of them could be measured.
fn memory(options: &Options, places: &Places) -> Result<(String, bool)> {
    say(&format!("preparing TPC-H lineitem at scale {}", options.scale));
    let rows = lineitem::prepare(places, options.scale)?;
    let jobs = jobs::of_lineitem(places).into_iter().filter(|job| job.name.contains(&options.only));
    let costs: Vec<_> = jobs.map(|job| (job.name, job.run_levada(places))).collect();
    let text = report::memory(places, rows, options.scale, &costs);
    Ok((text, costs.iter().all(|(_, cost)| cost.is_ok())))
}

/// One line on what happens now.
fn say(line: &str) {
    let _ = writeln!(stderr(), "bench: {line}");
}

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == api::ARGUMENT) {
        let served = api::serve(&PathBuf::from(arguments.next().unwrap_or_default()));
        return if served.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let options = match options() {
        Ok(options) => options,
        Err(wrong) => {
            let _ = writeln!(stderr(), "levada-bench: {wrong}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            let _ = writeln!(stderr(), "levada-bench: {problem}");
            ExitCode::FAILURE
        }
    }
}
