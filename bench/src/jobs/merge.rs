//! One row in a hundred has changed at the source: an incremental merge, against a staging table and ON CONFLICT by hand.

use crate::job::{Check, Job, Side, Step};
use crate::measure::Invocation;
use crate::places::{LEVADA, OTHER, Places, SOURCE};

const KEY: &str = "l_orderkey, l_linenumber";
const FINGERPRINT: &str =
    "SELECT count(*), sum(l_orderkey), sum(l_quantity * l_linenumber), max(updated_at) FROM lineitem_live";

/// The job.
pub fn job(places: &Places) -> Job {
    let (from, to) = (places.postgres_url(SOURCE), places.postgres_url(LEVADA));
    let arguments = [
        "copy",
        &from,
        &to,
        "--stream",
        "public.lineitem_live",
        "--read",
        "incremental",
        "--cursor",
        "updated_at",
        "--key",
        "l_orderkey",
        "--key",
        "l_linenumber",
        "--write",
        "merge",
    ];
    let levada = Invocation::levada(places, arguments);
    let (source, other) = (places.psql_words(SOURCE), places.psql_words(OTHER));
    let first = format!(
        "{source} -c 'COPY lineitem_live TO STDOUT (FORMAT binary)' | {other} -c 'CREATE TABLE lineitem_live ({})' \
         -c 'COPY lineitem_live FROM STDIN (FORMAT binary)' -c 'ALTER TABLE lineitem_live ADD PRIMARY KEY ({KEY})'",
        columns()
    );
    Job {
        name: "incremental merge of 1 % changed rows",
        against: "staging table and ON CONFLICT by hand in `psql`",
        target: 1.1,
        once: vec![
            Step::Postgres(SOURCE, live_table()),
            Step::Postgres(SOURCE, "VACUUM ANALYZE lineitem_live".to_owned()),
            Step::FreshPostgres(LEVADA),
            Step::Run(levada.clone()),
            Step::FreshPostgres(OTHER),
            Step::Run(Invocation::shell(&first)),
        ],
        each_round: vec![Step::Postgres(SOURCE, change()), Step::Postgres(SOURCE, "CHECKPOINT".to_owned())],
        levada: Side { before: Vec::new(), command: levada, check: Check::Postgres(LEVADA, FINGERPRINT.to_owned()) },
        other: Side {
            before: Vec::new(),
            command: Invocation::shell(&by_hand(&source, &other)),
            check: Check::Postgres(OTHER, FINGERPRINT.to_owned()),
        },
    }
}

fn columns() -> String {
    format!("{}, updated_at timestamp NOT NULL", crate::lineitem::COLUMNS)
}

fn live_table() -> String {
    format!(
        "DROP TABLE IF EXISTS lineitem_live; CREATE TABLE lineitem_live ({}); \
         INSERT INTO lineitem_live SELECT *, timestamp '2025-01-01' + l_orderkey * interval '1 second' FROM lineitem; \
         ALTER TABLE lineitem_live ADD PRIMARY KEY ({KEY}); CREATE INDEX ON lineitem_live (updated_at)",
        columns()
    )
}

/// Another hundredth of the orders in each round, at a later moment.
fn change() -> String {
    "UPDATE lineitem_live SET l_quantity = l_quantity + 1, \
     updated_at = timestamp '2030-01-01' + {round} * interval '1 day' + l_orderkey % 80000 * interval '1 second' \
     WHERE l_orderkey % 100 = {round}"
        .to_owned()
}

fn by_hand(source: &str, other: &str) -> String {
    let names: Vec<String> =
        columns().split(", ").filter_map(|column| column.split_whitespace().next().map(str::to_owned)).collect();
    let update: Vec<String> = names
        .iter()
        .filter(|name| !KEY.split(", ").any(|key| key == *name))
        .map(|name| format!("{name} = excluded.{name}"))
        .collect();
    format!(
        "since=$({other} -Atc 'SELECT max(updated_at) FROM lineitem_live'); \
         {source} -c \"COPY (SELECT * FROM lineitem_live WHERE updated_at > '$since') TO STDOUT (FORMAT binary)\" | \
         {other} -1 -c 'CREATE TEMP TABLE stage (LIKE lineitem_live)' -c 'COPY stage FROM STDIN (FORMAT binary)' \
         -c 'INSERT INTO lineitem_live SELECT * FROM stage ON CONFLICT ({KEY}) DO UPDATE SET {}'",
        update.join(", ")
    )
}
