//! How fast pipelines run by themselves, against the floor of the machine: `c`, one durable commit on the same store, and
//! `f`, one start and end of `/bin/true`, both measured in the same run.

mod probes;
pub mod process;
pub mod stores;
pub mod workloads;
pub mod world;

use std::fmt::Write;
use std::time::Duration;

use crate::Result;
use crate::places::Places;
use crate::report::{cell, verdict};
use probes::Floor;

/// One figure of a workload.
pub struct Figure {
    /// What was measured.
    pub what: String,
    /// The figure, with its unit.
    pub seen: String,
    /// What it is to be, in the same unit.
    pub target: String,
    /// Whether it is.
    pub met: bool,
}

/// The figures of one store.
pub struct Section {
    store: &'static str,
    floor: Floor,
    figures: Vec<(String, Result<Vec<Figure>>)>,
}

impl Figure {
    /// A figure that has to be at most its target.
    pub fn at_most(what: &str, seen: f64, target: f64, unit: &str) -> Self {
        Self {
            what: what.to_owned(),
            seen: format!("{} {unit}", short(seen)),
            target: format!("<= {} {unit}", short(target)),
            met: seen <= target,
        }
    }

    /// A figure that is only told.
    pub fn plain(what: &str, seen: f64, unit: &str) -> Self {
        Self { what: what.to_owned(), seen: format!("{} {unit}", short(seen)), target: "-".to_owned(), met: true }
    }

    /// A figure that has to be at least its target.
    pub fn at_least(what: &str, seen: f64, target: f64, unit: &str) -> Self {
        Self {
            what: what.to_owned(),
            seen: format!("{} {unit}", short(seen)),
            target: format!(">= {} {unit}", short(target)),
            met: seen >= target,
        }
    }
}

fn short(figure: f64) -> String {
    if figure >= 100.0 { format!("{figure:.0}") } else { format!("{figure:.2}") }
}

/// Milliseconds of a duration.
pub fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// Runs every workload whose name contains a text, on both stores.
pub fn run(places: &Places, runs: usize, only: &str) -> Result<Vec<Section>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut sections = Vec::new();
    for kind in [stores::Kind::Sqlite, stores::Kind::Postgres] {
        crate::say(&format!("runs on {}", kind.name()));
        let durable = stores::Durable::on(places, kind)?;
        let floor = runtime.block_on(Floor::measure(places, kind))?;
        let mut figures = Vec::new();
        for workload in workloads::ALL.iter().filter(|workload| workload.name.contains(only)) {
            crate::say(&format!("  {}", workload.name));
            let seen = runtime.block_on((workload.run)(places, kind, &floor, runs));
            figures.push((workload.name.to_owned(), seen));
        }
        drop(durable);
        sections.push(Section { store: kind.name(), floor, figures });
    }
    Ok(sections)
}

/// The part of the report on runs, as Markdown.
pub fn markdown(sections: &[Section], runs: usize) -> String {
    let mut text = format!(
        "# Runs\n\nHow fast pipelines run by themselves, against the floor of the machine: `c` is one durable commit on the same \
         store, `f` one\nstart and end of `/bin/true`. Medians of {runs}. Rows without a \
         target count what a task costs beside `c` and `f`: a commit carries several\nstatements, each of which PostgreSQL may have to \
         answer before the next; an attempt of a command also makes and removes its folder, writes\ninputs, a log and the log's \
         index, and looks up what tasks before it put out.\n"
    );
    for Section { store, floor, figures } in sections {
        let (c, f) = (ms(floor.commit), ms(floor.fork));
        let _ = write!(text, "\n## {store} (c = {c:.2} ms, f = {f:.2} ms)\n\n{}", table(figures));
    }
    text
}

/// The figures of workloads, or why there are none.
pub fn table(figures: &[(String, Result<Vec<Figure>>)]) -> String {
    let mut text = "| workload | figure | seen | target | |\n|---|---|--:|--:|---|\n".to_owned();
    for (name, figures) in figures {
        match figures {
            Ok(figures) => {
                for Figure { what, seen, target, met } in figures {
                    let _ = writeln!(text, "| {name} | {what} | {seen} | {target} | {} |", verdict(*met));
                }
            }
            Err(problem) => {
                let _ = writeln!(text, "| {name} | - | - | - | failed: {} |", cell(&problem.to_string()));
            }
        }
    }
    text
}

/// Whether every workload could be run.
pub fn complete(sections: &[Section]) -> bool {
    sections.iter().flat_map(|section| &section.figures).all(|(_, figures)| figures.is_ok())
}
