//! The report: one table of ratios, with the machine and the versions they were measured on.

use std::fmt::Write;
use std::fs;
use std::process::Command;

use crate::job::Outcome;
use crate::jobs::StartUp;
use crate::measure::Cost;
use crate::places::Places;

const PEAK_MB_MAX: u64 = 200;

/// The part of the report on loads, as Markdown.
pub fn markdown(
    places: &Places,
    rows: u64,
    runs: usize,
    scale: f64,
    outcomes: &[Outcome],
    start_up: &[StartUp],
) -> String {
    let mut text = String::from(
        "# Loads\n\nWritten by `make bench`. Both sides of a row ran in turns, in one go, on one machine; times are \
         medians of wall\nclock seconds. After each run the target was compared with the source. A ratio below 1 means \
         Levada was faster.\n\n",
    );
    let _ = writeln!(
        text,
        "TPC-H `lineitem` at scale {scale}: {rows} rows, {} MB as CSV. {runs} runs of each side.\n",
        fs::metadata(places.csv()).map_or(0, |file| file.len() / 1_000_000)
    );
    text.push_str("| job | alternative | Levada s | alternative s | ratio | target | peak MB | |\n|---|---|--:|--:|--:|--:|--:|---|\n");
    for outcome in outcomes {
        let _ = writeln!(text, "{}", row(outcome));
    }
    text.push_str("\n| start-up | median ms | target ms | |\n|---|--:|--:|---|\n");
    for StartUp { name, target_ms, median_ms } in start_up {
        let _ = match median_ms {
            Ok(ms) => writeln!(text, "| {name} | {ms:.1} | {target_ms} | {} |", verdict(ms < target_ms)),
            Err(problem) => writeln!(text, "| {name} | - | {target_ms} | failed: {} |", cell(problem)),
        };
    }
    let _ = writeln!(
        text,
        "\nPeak memory is the high-water mark of Levada's process in any run; the limit is {PEAK_MB_MAX} MB.\n"
    );
    text.push_str("## Machine and versions\n\n");
    for (name, value) in circumstances(places) {
        let _ = writeln!(text, "- {name}: {value}");
    }
    text
}

/// The part of the report on memory, as Markdown.
pub fn memory(places: &Places, rows: u64, scale: f64, costs: &[(&str, crate::Result<Cost>)]) -> String {
    let mut text = format!(
        "# Memory\n\nWritten by `make bench-memory`: the loads above, Levada's side once, with TPC-H `lineitem` at scale {scale}: \
         {rows} rows.\nAfter each the target was compared with the source. The limit is {PEAK_MB_MAX} MB at every scale.\n\n\
         | job | Levada s | peak MB | |\n|---|--:|--:|---|\n"
    );
    for (name, cost) in costs {
        let _ = match cost {
            Ok(cost) => {
                let (wall, peak) = (cost.wall.as_secs_f64(), cost.peak_mb());
                writeln!(text, "| {name} | {wall:.2} | {peak} | {} |", verdict(peak < PEAK_MB_MAX))
            }
            Err(problem) => writeln!(text, "| {name} | - | - | failed: {} |", cell(&problem.to_string())),
        };
    }
    text.push('\n');
    for (name, value) in machine(places) {
        let _ = writeln!(text, "- {name}: {value}");
    }
    text
}

fn row(outcome: &Outcome) -> String {
    let Outcome { name, against, target, .. } = outcome;
    if let Some(problem) = &outcome.failure {
        return format!("| {name} | {against} | - | - | - | {target} | - | failed: {} |", cell(problem));
    }
    let (levada, other, peak) = (outcome.levada_s(), outcome.other_s(), outcome.peak_mb());
    let ratio = levada / other;
    let met = verdict(ratio <= *target && peak < PEAK_MB_MAX);
    format!("| {name} | {against} | {levada:.2} | {other:.2} | {ratio:.2} | {target} | {peak} | {met} |")
}

pub fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "**missed**" }
}

pub fn cell(text: &str) -> String {
    text.replace('|', "/").replace('\n', " ")
}

fn circumstances(places: &Places) -> Vec<(&'static str, String)> {
    let asked = |answer: crate::Result<String>| answer.unwrap_or_else(|problem| problem.to_string());
    let mut all = machine(places);
    all.extend([
        ("PostgreSQL", format!("{}, `fsync` off", asked(places.psql("postgres", "SHOW server_version")))),
        ("MariaDB", asked(places.mariadb("", "SELECT version()"))),
        ("psql", first_line("psql", "--version")),
        ("S3 server", "s3s-fs on the same machine".to_owned()),
    ]);
    all
}

/// The machine, Levada's version and the day.
pub fn machine(places: &Places) -> Vec<(&'static str, String)> {
    let file = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpu = file("/proc/cpuinfo");
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = file("/proc/meminfo");
    let memory_kib: u64 = memory.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or(0);
    let release = file("/etc/os-release");
    let system = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")).unwrap_or("unknown");
    vec![
        ("processor", format!("{}, {cores} cores", model.trim_start_matches([':', ' ', '\t']))),
        ("memory", format!("{} GiB", memory_kib >> 20)),
        ("system", format!("{}, Linux {}", system.trim_matches('"'), file("/proc/sys/kernel/osrelease").trim())),
        ("load average at the end", file("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(" ")),
        ("measured on", first_line("date", "--iso-8601")),
        ("Levada", first_line(&places.levada.display().to_string(), "--version")),
    ]
}

fn first_line(program: &str, argument: &str) -> String {
    let output = Command::new(program).arg(argument).output().map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&output).lines().next().unwrap_or("unknown").to_owned()
}
