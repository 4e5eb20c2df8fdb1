//! MariaDB: into it from PostgreSQL, against its own LOAD DATA of a file that is already there; and out of it.

use super::psql_copy_of_csv;
use crate::job::{Check, Job, Side, Step};
use crate::lineitem::{COLUMNS, FINGERPRINT, load_data};
use crate::measure::Invocation;
use crate::places::{LEVADA, OTHER, Places, SOURCE};

/// The jobs of this family.
pub fn jobs(places: &Places) -> Vec<Job> {
    vec![into(places), out_of(places)]
}

fn into(places: &Places) -> Job {
    let (from, to) = (places.postgres_url(SOURCE), places.mysql_url(LEVADA));
    let arguments = ["copy", &from, &to, "--stream", "public.lineitem", "--rename", "lineitem", "--write", "replace"];
    let load = format!("{} -e \"{}\"", places.mariadb_words(OTHER), load_data(places));
    Job {
        name: "PostgreSQL -> MariaDB",
        against: "`LOAD DATA LOCAL INFILE` of a ready CSV",
        target: 1.0,
        once: Vec::new(),
        each_round: Vec::new(),
        levada: Side {
            before: vec![Step::FreshMariaDb(LEVADA)],
            command: Invocation::levada(places, arguments),
            check: Check::MariaDb(LEVADA, FINGERPRINT.to_owned()),
        },
        other: Side {
            before: vec![Step::FreshMariaDb(OTHER), Step::MariaDb(OTHER, format!("CREATE TABLE lineitem ({COLUMNS})"))],
            command: Invocation::shell(&load),
            check: Check::MariaDb(OTHER, FINGERPRINT.to_owned()),
        },
    }
}

fn out_of(places: &Places) -> Job {
    let (from, to) = (places.mysql_url(SOURCE), places.postgres_url(LEVADA));
    let arguments = ["copy", &from, &to, "--stream", "lineitem", "--rename", "public.lineitem", "--write", "replace"];
    Job {
        name: "MariaDB -> PostgreSQL",
        against: "`psql \\copy` of a ready CSV",
        target: 0.8,
        once: Vec::new(),
        each_round: Vec::new(),
        levada: Side {
            before: vec![Step::FreshPostgres(LEVADA)],
            command: Invocation::levada(places, arguments),
            check: Check::Postgres(LEVADA, FINGERPRINT.to_owned()),
        },
        other: psql_copy_of_csv(places),
    }
}
