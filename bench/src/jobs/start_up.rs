//! What a person waits for before anything moves: the program itself, and a copy of a single row.

use crate::job::{Check, Side, Step};
use crate::measure::{Invocation, median};
use crate::places::{LEVADA, Places, SOURCE};
use crate::{Result, say};

/// A time to start, in milliseconds.
pub struct StartUp {
    /// What was started.
    pub name: &'static str,
    /// It should take less than this.
    pub target_ms: f64,
    /// The median, or why there is none.
    pub median_ms: std::result::Result<f64, String>,
}

const RUNS: usize = 15;

/// Measures both.
pub fn start_up(places: &Places) -> Vec<StartUp> {
    say("start-up times");
    let (from, to) = (places.postgres_url(SOURCE), places.postgres_url(LEVADA));
    let version =
        Side { before: Vec::new(), command: Invocation::levada(places, ["--version"]), check: Check::Nothing };
    let one_row = Side {
        before: vec![Step::FreshPostgres(LEVADA)],
        command: Invocation::levada(places, ["copy", &from, &to, "--stream", "public.one_row", "--write", "replace"]),
        check: Check::Postgres(LEVADA, "SELECT * FROM one_row".to_owned()),
    };
    vec![
        StartUp { name: "`levada --version`", target_ms: 20.0, median_ms: times(places, &version) },
        StartUp {
            name: "copy of one row, PostgreSQL -> PostgreSQL",
            target_ms: 150.0,
            median_ms: times(places, &one_row),
        },
    ]
}

fn times(places: &Places, side: &Side) -> std::result::Result<f64, String> {
    let once = |_| side.run(places, 0).map(|cost| cost.wall.as_secs_f64() * 1000.0);
    let runs: Result<Vec<f64>> = (0..RUNS).map(once).collect();
    runs.map(median).map_err(|problem| problem.to_string())
}
