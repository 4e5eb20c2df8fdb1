//! What tests of datasets found, as tables.

use levada_core::quality::{TestResult, Verdict};
use levada_server::routes::quality::Test;

use crate::output::{Cell, Output, Table, instant};

/// What a task found just now.
pub fn show(output: Output, results: &[TestResult]) {
    let mut table = Table::new(&["test", "rows", "failed", "found", "wanted", "result"]);
    for result in results {
        let TestResult { test, verdict, rows, failed, found, wanted, .. } = result;
        table.row([
            Cell::text(test),
            rows.map_or(Cell::right("-"), Cell::count),
            Cell::count(*failed),
            Cell::text(found.as_deref().unwrap_or("-")),
            Cell::text(wanted),
            Cell::text(word(*verdict)),
        ]);
    }
    output.table(&table);
}

/// Results that were kept: the last ones of a dataset, with the runs that they are of, or those of one run.
pub fn show_kept(output: Output, results: &[Test], of_dataset: bool) {
    if results.is_empty() {
        return;
    }
    let place: &[&str] = if of_dataset { &["test", "by", "run", "at"] } else { &["test", "task", "dataset"] };
    let headings: Vec<&str> = place.iter().copied().chain(["rows", "failed", "found", "wanted", "result"]).collect();
    let mut table = Table::new(&headings);
    for test in results {
        let mut cells = vec![Cell::text(&test.test)];
        match of_dataset {
            true => cells.extend([
                Cell::text(format!("{}/{}", test.pipeline, test.task)),
                Cell::right(test.run.to_string()),
                Cell::text(instant(test.at)),
            ]),
            false => cells.extend([Cell::text(&test.task), Cell::text(&test.dataset)]),
        }
        cells.extend([
            test.rows.map_or(Cell::right("-"), Cell::count),
            Cell::count(test.failed),
            Cell::text(test.found.as_deref().unwrap_or("-")),
            Cell::text(&test.wanted),
            Cell::text(word(test.verdict)),
        ]);
        table.row(cells);
    }
    output.table(&table);
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Failed => "FAILED",
        other => other.name(),
    }
}
