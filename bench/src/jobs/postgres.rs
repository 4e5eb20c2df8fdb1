//! PostgreSQL to PostgreSQL, against two `psql` joined by a pipe; with parallel readers, with one, and with a column changed
//! on the way.

use crate::job::{Check, Job, Side, Step};
use crate::lineitem::{COLUMNS, FINGERPRINT};
use crate::measure::Invocation;
use crate::places::{LEVADA, OTHER, Places, SOURCE};

const AGAINST: &str = "`psql` COPY binary piped into `psql` COPY";

/// The jobs of this family.
pub fn jobs(places: &Places) -> Vec<Job> {
    let (from, to) = (places.postgres_url(SOURCE), places.postgres_url(LEVADA));
    let copy = |options: &[&'static str]| {
        let copy = ["copy", &from, &to, "--stream", "public.lineitem", "--write", "replace"];
        Invocation::levada(places, copy.into_iter().chain(options.iter().copied()))
    };
    let parallel = copy(&[]);
    let single = copy(&["--readers", "1", "--writers", "1"]);
    let hashed = copy(&["--hash", "l_comment"]);
    vec![
        job(places, "PostgreSQL -> PostgreSQL, new table", 1.0, parallel, same()),
        job(places, "PostgreSQL -> PostgreSQL, one reader", 1.1, single, same()),
        job(places, "PostgreSQL -> PostgreSQL, one column hashed", 1.4, hashed, comment_hashed()),
    ]
}

fn job(places: &Places, name: &'static str, target: f64, levada: Invocation, check: Check) -> Job {
    let pipe = format!(
        "{} -c 'COPY lineitem TO STDOUT (FORMAT binary)' | {} -c 'COPY lineitem FROM STDIN (FORMAT binary)'",
        places.psql_words(SOURCE),
        places.psql_words(OTHER)
    );
    Job {
        name,
        against: AGAINST,
        target,
        once: Vec::new(),
        each_round: Vec::new(),
        levada: Side { before: vec![Step::FreshPostgres(LEVADA)], command: levada, check },
        other: Side {
            before: vec![
                Step::FreshPostgres(OTHER),
                Step::Postgres(OTHER, format!("CREATE TABLE lineitem ({COLUMNS})")),
            ],
            command: Invocation::shell(&pipe),
            check: Check::Postgres(OTHER, FINGERPRINT.to_owned()),
        },
    }
}

fn same() -> Check {
    Check::Postgres(LEVADA, FINGERPRINT.to_owned())
}

fn comment_hashed() -> Check {
    let fingerprint = |comment: &str| {
        format!("SELECT count(*), sum(l_orderkey), sum(l_extendedprice), min({comment}), max({comment}) FROM lineitem")
    };
    let hash = "encode(sha256(convert_to(l_comment, 'UTF8')), 'hex') COLLATE \"C\"";
    Check::PostgresAs(LEVADA, fingerprint("l_comment COLLATE \"C\""), fingerprint(hash))
}
