//! Backups of a table of PostgreSQL and back, against `pg_dump` and `pg_restore` in their compressed format. Levada reads every
//! file again before it calls it a backup, and before it restores it; that is in its time.

use crate::job::{Check, Job, Side, Step};
use crate::lineitem::FINGERPRINT;
use crate::measure::Invocation;
use crate::places::{LEVADA, OTHER, Places, SOURCE};

/// The jobs of this family.
pub fn jobs(places: &Places) -> Vec<Job> {
    vec![take(places), restore(places)]
}

fn dump(places: &Places) -> Invocation {
    let (words, file) = (places.pg_words("pg_dump", SOURCE), places.scratch.join("lineitem.dump"));
    Invocation::shell(&format!("{words} -Fc -t public.lineitem -f '{}'", file.display()))
}

fn backup(places: &Places, folder: &str) -> Invocation {
    let from = places.postgres_url(SOURCE);
    Invocation::levada(places, ["backup", &from, "--to", folder, "--table", "public.lineitem"])
}

fn take(places: &Places) -> Job {
    let folder = places.scratch.join("backup");
    let to = format!("file://{}", folder.display());
    Job {
        name: "backup of PostgreSQL to Avro",
        against: "`pg_dump -Fc`",
        target: 1.5,
        once: Vec::new(),
        each_round: Vec::new(),
        levada: Side {
            before: vec![Step::EmptyFolder(folder)],
            command: backup(places, &to),
            check: Check::Backup(Invocation::levada(places, ["backups", "verify", &to])),
        },
        other: Side { before: Vec::new(), command: dump(places), check: Check::Nothing },
    }
}

fn restore(places: &Places) -> Job {
    let folder = places.scratch.join("backup-kept");
    let (from, to) = (format!("file://{}", folder.display()), places.postgres_url(LEVADA));
    let (words, file) = (places.pg_words("pg_restore", OTHER), places.scratch.join("lineitem.dump"));
    Job {
        name: "restore of a backup into PostgreSQL",
        against: "`pg_restore`",
        target: 1.2,
        once: vec![Step::EmptyFolder(folder), Step::Run(backup(places, &from)), Step::Run(dump(places))],
        each_round: Vec::new(),
        levada: Side {
            before: vec![Step::FreshPostgres(LEVADA)],
            command: Invocation::levada(places, ["restore", &from, "--to", &to]),
            check: Check::Postgres(LEVADA, FINGERPRINT.to_owned()),
        },
        other: Side {
            before: vec![Step::FreshPostgres(OTHER)],
            command: Invocation::shell(&format!("{words} --no-owner '{}'", file.display())),
            check: Check::Postgres(OTHER, FINGERPRINT.to_owned()),
        },
    }
}
