//! Files: PostgreSQL into Parquet, CSV into PostgreSQL, and Parquet on S3 into PostgreSQL.

use super::psql_copy_of_csv;
use crate::job::{Check, Job, Side, Step};
use crate::lineitem::FINGERPRINT;
use crate::measure::Invocation;
use crate::places::{LEVADA, Places, SOURCE};

/// The jobs of this family.
pub fn jobs(places: &Places) -> Vec<Job> {
    vec![to_parquet(places), from_csv(places), from_s3(places)]
}

fn to_parquet(places: &Places) -> Job {
    let folder = places.scratch.join("parquet");
    let to = format!("file://{}", folder.display());
    let from = places.postgres_url(SOURCE);
    let dump = format!("{} -c 'COPY lineitem TO STDOUT (FORMAT binary)' >/dev/null", places.psql_words(SOURCE));
    Job {
        name: "PostgreSQL -> Parquet (zstd)",
        against: "`psql` COPY binary to /dev/null",
        target: 0.85,
        once: Vec::new(),
        each_round: Vec::new(),
        levada: Side {
            before: vec![Step::EmptyFolder(folder.clone())],
            command: Invocation::levada(
                places,
                ["copy", &from, &to, "--stream", "public.lineitem", "--write", "replace"],
            ),
            check: Check::Parquet(folder),
        },
        other: Side { before: Vec::new(), command: Invocation::shell(&dump), check: Check::Nothing },
    }
}

/// Levada makes the table, with the types that TPC-H gives; `psql` gets an empty one that has them already.
fn from_csv(places: &Places) -> Job {
    let csv = places.csv();
    let name = csv.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let from = format!("file://{}?settle_ms=0", places.cache.display());
    let to = places.postgres_url(LEVADA);
    let mut arguments =
        vec!["copy", &from, &to, "--stream", &name, "--rename", "public.lineitem", "--write", "replace"];
    let money = ["l_quantity", "l_extendedprice", "l_discount", "l_tax"].map(|c| format!("{c}=decimal(15,2)"));
    arguments.extend(money.iter().flat_map(|cast| ["--cast", cast.as_str()]));
    arguments.extend(["--cast", "l_linenumber=int32"]);
    Job {
        name: "CSV -> PostgreSQL (typed columns)",
        against: "`psql \\copy` of the same file",
        target: 0.6,
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

/// The Parquet files are written by Levada itself, which the first job has timed.
fn from_s3(places: &Places) -> Job {
    let bucket = places.s3_url(&format!("bench/scale-{}", places.scale));
    let (source, target) = (places.postgres_url(SOURCE), places.postgres_url(LEVADA));
    let upload = ["copy", &source, &bucket, "--stream", "public.lineitem", "--write", "replace"];
    let load =
        ["copy", &bucket, &target, "--stream", "**/*.parquet", "--rename", "public.lineitem", "--write", "replace"];
    Job {
        name: "Parquet on S3 -> PostgreSQL",
        against: "`psql \\copy` of the CSV",
        target: 0.6,
        once: vec![Step::Run(Invocation::levada(places, upload))],
        each_round: Vec::new(),
        levada: Side {
            before: vec![Step::FreshPostgres(LEVADA)],
            command: Invocation::levada(places, load),
            check: Check::Postgres(LEVADA, FINGERPRINT.to_owned()),
        },
        other: psql_copy_of_csv(places),
    }
}
