//! The same pipelines on Levada and on another scheduler, one after the other, on one PostgreSQL that waits for the disk.

mod airflow;

use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

use airflow::Airflow;

use crate::Result;
use crate::measure::median;
use crate::places::Places;
use crate::report;
use crate::runs::process::Process;
use crate::runs::stores::{Durable, Kind};
use crate::runs::workloads::{NOTHING, chain_of};
use crate::runs::world::World;

/// Some runs of a chain of tasks, all asked for at once.
struct Workload {
    name: &'static str,
    /// What `bench/airflow/dags.py` calls it.
    dag: &'static str,
    runs: usize,
    tasks: usize,
    /// How many of them Airflow gets, which would take very long for more.
    airflow_runs: usize,
}

const WORKLOADS: &[Workload] = &[
    Workload { name: "40 tasks in sequence", dag: "forty", runs: 1, tasks: 40, airflow_runs: 1 },
    Workload { name: "3 tasks in sequence, many runs at once", dag: "three", runs: 200, tasks: 3, airflow_runs: 20 },
];

/// The least that a task with a process of its own can be.
const PROCESS: &str = "command: { argv: [/bin/true] }";

/// Median milliseconds of a run of a workload.
struct Medians {
    nothing: f64,
    process: f64,
    airflow: f64,
}

/// Runs all of it, and gives the part of the report.
pub fn run(places: &Places, runs: usize, airflow: &Path) -> Result<String> {
    let python = airflow::python(airflow)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let durable = Durable::on(places, Kind::Postgres)?;
    let mut levada = Vec::new();
    for workload in WORKLOADS {
        crate::say(&format!("Levada: {}", workload.name));
        let nothing = runtime.block_on(on_levada(places, workload, NOTHING, runs))?;
        levada.push((nothing, runtime.block_on(on_levada(places, workload, PROCESS, runs))?));
    }
    let mut airflow = Airflow::start(places, &python)?;
    let mut medians = Vec::new();
    for (workload, (nothing, process)) in WORKLOADS.iter().zip(levada) {
        crate::say(&format!("Airflow: {}", workload.name));
        // the first one warms up
        airflow.run(workload.dag, 1)?;
        let seconds =
            (0..runs).map(|_| airflow.run(workload.dag, workload.airflow_runs)).collect::<Result<Vec<_>>>()?;
        let airflow = median(seconds) * 1e3 / workload.airflow_runs as f64;
        medians.push(Medians { nothing, process, airflow });
    }
    let text = markdown(places, runs, &airflow, &medians);
    drop((airflow, durable));
    Ok(text)
}

/// Milliseconds from the first start of a run until the last has ended, for each of them; the median.
async fn on_levada(places: &Places, workload: &Workload, work: &str, runs: usize) -> Result<f64> {
    let world = World::new(places, Kind::Postgres).await?;
    let document = world.pipeline("chain", chain_of("chain", workload.tasks, work)).await?;
    let process = Process::start(places, &world.location, &["serve", "--port", "0"])?;
    let mut walls = Vec::new();
    for _ in 0..=runs {
        let start = Instant::now();
        let ids = world.fire("chain", document, workload.runs).await?;
        world.until_done().await?;
        walls.push(start.elapsed().as_secs_f64());
        world.all_succeeded(&ids).await?;
    }
    drop(process);
    world.end().await;
    // the first one warms up
    Ok(median(walls.into_iter().skip(1)) * 1e3 / workload.runs as f64)
}

fn markdown(places: &Places, runs: usize, airflow: &Airflow, medians: &[Medians]) -> String {
    let mut text = format!(
        "# Peers\n\nWritten by `make bench-peers`: the same pipelines on Levada and on Apache Airflow, one after the other on \
         one machine, both\nwith their state in PostgreSQL with `fsync` on. Milliseconds of wall clock for each run, from the \
         first trigger until the last run\nhas ended, divided by the runs. Medians of {runs}, after a run to warm up.\n\n"
    );
    text.push_str(
        "| workload | runs, Levada | runs, Airflow | Levada, tasks that do nothing | Levada, tasks that run `/bin/true` | \
         Airflow, Python tasks that do nothing | Airflow / Levada with `/bin/true` |\n|---|--:|--:|--:|--:|--:|--:|\n",
    );
    for (workload, Medians { nothing, process, airflow }) in WORKLOADS.iter().zip(medians) {
        let Workload { name, runs, airflow_runs, .. } = workload;
        let times = airflow / process;
        let _ = writeln!(
            text,
            "| {name} | {runs} | {airflow_runs} | {nothing:.1} | {process:.1} | {airflow:.0} | {times:.0} x |"
        );
    }
    let _ = write!(
        text,
        "\n- Levada is one `levada serve` with its defaults. A task that does nothing has no process in Levada, and has one \
         in Airflow: the\n  column with `/bin/true` is the fairer one.\n\
         - Airflow is a scheduler with LocalExecutor, an API server and a DAG processor. Its tasks are Python tasks that \
         return at once, for an\n  EmptyOperator is marked as done by the scheduler and never runs. Its runs are triggered \
         by calls of its library, without HTTP. Where\n  it gets fewer runs at once, more would take very long.\n\
         - Settings of Airflow that are not its defaults: {}.\n\n## Machine and versions of the peers\n\n",
        airflow.told.tuned()
    );
    for (name, value) in report::machine(places).into_iter().chain(airflow.told.versions()) {
        let _ = writeln!(text, "- {name}: {value}");
    }
    text
}
