//! The rows of the benchmark, one file for each family of systems.

mod backup;
mod files;
mod mariadb;
mod merge;
mod postgres;
mod rest;
mod start_up;

pub use start_up::{StartUp, start_up};

use crate::Result;
use crate::job::{Check, Step};
use crate::job::{Job, Side};
use crate::lineitem::COLUMNS;
use crate::measure::Invocation;
use crate::places::{OTHER, Places};

/// Every job, in the order of the report.
///
/// # Errors
/// If what a job needs cannot be had.
pub fn all(places: &Places) -> Result<Vec<Job>> {
    let mut jobs = of_lineitem(places);
    jobs.push(rest::job(places)?);
    Ok(jobs)
}

/// Those whose size goes with the scale.
pub fn of_lineitem(places: &Places) -> Vec<Job> {
    let mut jobs = postgres::jobs(places);
    jobs.extend(files::jobs(places));
    jobs.extend(mariadb::jobs(places));
    jobs.push(merge::job(places));
    jobs.extend(backup::jobs(places));
    jobs
}

/// What most jobs from files are compared with: `psql \copy` of the CSV file into an empty table.
fn psql_copy_of_csv(places: &Places) -> Side {
    let line = format!(
        r#"{} -c "\copy lineitem FROM '{}' WITH (FORMAT csv, HEADER)""#,
        places.psql_words(OTHER),
        places.csv().display()
    );
    Side {
        before: vec![Step::FreshPostgres(OTHER), Step::Postgres(OTHER, format!("CREATE TABLE lineitem ({COLUMNS})"))],
        command: Invocation::shell(&line),
        check: Check::Postgres(OTHER, crate::lineitem::FINGERPRINT.to_owned()),
    }
}
