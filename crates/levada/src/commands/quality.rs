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

/// The last results of the tests of a dataset.
pub fn show_latest(output: Output, results: &[Test]) {
    if results.is_empty() {
        return;
    }
    let mut table = Table::new(&["test", "by", "run", "at", "rows", "failed", "found", "wanted", "result"]);
    for test in results {
        table.row([
            Cell::text(&test.test),
            Cell::text(format!("{}/{}", test.pipeline, test.task)),
            Cell::right(test.run.to_string()),
            Cell::text(instant(test.at)),
            test.rows.map_or(Cell::right("-"), Cell::count),
            Cell::count(test.failed),
            Cell::text(test.found.as_deref().unwrap_or("-")),
            Cell::text(&test.wanted),
            Cell::text(word(test.verdict)),
        ]);
    }
    output.table(&table);
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Failed => "FAILED",
        other => other.name(),
    }
}
