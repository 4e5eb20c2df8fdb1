//! Migrations of a small store, killed anywhere.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use levada_core::error::{ErrorKind, Result};
use levada_core::secret::Secret;

use super::{COPIED, bring, copy, meta, prepare, set_meta, step};
use crate::db::{Db, Location, Tx};

const FIRST: &str = "CREATE TABLE a (id {id}, v TEXT NOT NULL UNIQUE);
CREATE TABLE b (a BIGINT NOT NULL REFERENCES a (id), v TEXT);
CREATE INDEX b_some ON b (v) WHERE v IS NOT NULL;";
const SECOND: &str = "ALTER TABLE b ADD COLUMN w BIGINT NOT NULL DEFAULT 7;";
const THIRD: &str = "DROP INDEX b_some; INSERT INTO b (a, v) VALUES (1, 'third');";
const ONE: &[&str] = &[FIRST];
const TWO: &[&str] = &[FIRST, SECOND];
const ALL: &[&str] = &[FIRST, SECOND, THIRD];

fn file(folder: &tempfile::TempDir) -> Location {
    Location::File(folder.path().join("levada.db"))
}

fn schema(name: &str) -> Location {
    let url = std::env::var("LEVADA_TEST_POSTGRES").expect("LEVADA_TEST_POSTGRES: run `scripts/services env`");
    Location::Url(Secret::new(format!("{url}&schema=migrate_{}_{name}", std::process::id())))
}

async fn text(db: &Db, sql: &'static str) -> Result<String> {
    db.write(async move |tx: &mut Tx| tx.row(sql, &[]).await?.unwrap().text()).await
}

async fn script(db: &Db, sql: &'static str) {
    db.write(async move |tx: &mut Tx| tx.script(sql).await).await.unwrap();
}

/// A store of version 1 with rows, whose counter is ahead of them.
async fn first(location: &Location) -> Db {
    let db = Db::open(location, 1).await.unwrap();
    bring(&db, location, ONE).await.unwrap();
    script(
        &db,
        "INSERT INTO a (v) VALUES ('x'), ('y'), ('z'); DELETE FROM a WHERE v = 'z'; INSERT INTO b VALUES (1, 'n')",
    )
    .await;
    db
}

async fn copies(location: &Location, db: &Db) -> Vec<String> {
    let mut found: Vec<String> = match location {
        Location::File(path) => std::fs::read_dir(path.parent().unwrap())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter_map(|name| Some(name.strip_prefix("levada.db.")?.strip_suffix(".bak")?.replace('.', "_")))
            .collect(),
        Location::Url(_) => {
            let sql = "SELECT substr(nspname::text, length(current_schema()) + 2) FROM pg_namespace \
                       WHERE nspname LIKE current_schema() || '\\_v%'";
            db.write(async move |tx: &mut Tx| tx.rows(sql, &[]).await?.into_iter().map(|mut row| row.text()).collect())
                .await
                .unwrap()
        }
    };
    found.sort();
    found
}

/// The copy as a store of its own.
fn copy_of(location: &Location, copy: &str) -> Location {
    match location {
        Location::File(path) => {
            let restored = path.with_file_name("restored.db");
            std::fs::copy(path.with_file_name(format!("levada.db.{}.bak", copy.replace('_', "."))), &restored).unwrap();
            Location::File(restored)
        }
        Location::Url(url) => Location::Url(Secret::new(format!("{}_{copy}", url.expose()))),
    }
}

async fn upgrades_after_a_copy(location: Location) {
    let db = first(&location).await;
    bring(&db, &location, ALL).await.unwrap();
    assert_eq!(text(&db, "SELECT v FROM b WHERE w = 7 ORDER BY v DESC LIMIT 1").await.unwrap(), "third");
    assert_eq!(copies(&location, &db).await, ["v1"]);
    // nothing more to do
    bring(&db, &location, ALL).await.unwrap();
    assert_eq!(copies(&location, &db).await, ["v1"]);
    let error = bring(&db, &location, TWO).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.to_string().contains("version 3") && error.to_string().contains("newer Levada"), "{error}");
    // the copy is a store of the first version, with its rows, keys, indexes and counters
    let old = copy_of(&location, "v1");
    let copy = Db::open(&old, 1).await.unwrap();
    bring(&copy, &old, ONE).await.unwrap();
    assert_eq!(text(&copy, "SELECT v FROM b").await.unwrap(), "n");
    let bad = async |sql: &'static str| copy.write(async move |tx: &mut Tx| tx.script(sql).await).await.unwrap_err();
    bad("INSERT INTO a (v) VALUES ('x')").await;
    bad("INSERT INTO b VALUES (9, 'n')").await;
    let next = text(&copy, "INSERT INTO a (v) VALUES ('new') RETURNING CAST(id AS TEXT)").await.unwrap();
    assert!(next.parse::<i64>().unwrap() > 3, "{next}");
    bring(&copy, &old, ALL).await.unwrap();
    assert_eq!(text(&copy, "SELECT v FROM b ORDER BY v DESC LIMIT 1").await.unwrap(), "third");
}

/// Killed after each thing an upgrade does; the next start ends it, and makes no second copy.
async fn goes_on_after_being_killed(location: Location, killed_after: usize) {
    let db = first(&location).await;
    if killed_after >= 1 {
        drop(copy::copy(&db, &location, 2).await.unwrap());
    }
    for (index, migration) in ALL.iter().enumerate().skip(1).take(killed_after.saturating_sub(1)) {
        let is_last = index + 1 == ALL.len();
        db.write(async move |tx: &mut Tx| step(tx, index, migration, is_last).await).await.unwrap();
    }
    drop(db);
    let db = Db::open(&location, 1).await.unwrap();
    bring(&db, &location, ALL).await.unwrap();
    assert_eq!(text(&db, "SELECT CAST(COUNT(*) AS TEXT) FROM b WHERE v = 'third'").await.unwrap(), "1");
    assert_eq!(copies(&location, &db).await, ["v1"], "{killed_after}");
    let mark = db.write(async move |tx: &mut Tx| meta(tx, COPIED).await).await.unwrap();
    assert_eq!(mark, None);
}

async fn keeps_three_copies_and_overwrites_none(location: Location) {
    let db = first(&location).await;
    for _ in 0..5 {
        drop(copy::copy(&db, &location, 2).await.unwrap());
        // as if the copy had been restored
        db.write(async move |tx: &mut Tx| set_meta(tx, COPIED, None).await).await.unwrap();
    }
    assert_eq!(copies(&location, &db).await, ["v1_3", "v1_4", "v1_5"]);
}

async fn a_failed_step_leaves_the_step_before(location: Location) {
    const BROKEN: &[&str] =
        &[FIRST, SECOND, "INSERT INTO b (a, v) VALUES (1, 'half'); INSERT INTO nowhere VALUES (1);"];
    let db = first(&location).await;
    bring(&db, &location, BROKEN).await.unwrap_err();
    assert_eq!(text(&db, "SELECT CAST(COUNT(*) AS TEXT) FROM b WHERE v = 'half'").await.unwrap(), "0");
    bring(&db, &location, ALL).await.unwrap();
    assert_eq!(copies(&location, &db).await, ["v1"]);
}

/// Several programs that start at once.
async fn several_at_once(location: Location) {
    drop(first(&location).await);
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let location = location.clone();
        all.spawn(async move {
            let db = Db::open(&location, 1).await?;
            bring(&db, &location, ALL).await
        });
    }
    while let Some(brought) = all.join_next().await {
        brought.unwrap().unwrap();
    }
    let db = Db::open(&location, 1).await.unwrap();
    assert_eq!(copies(&location, &db).await, ["v1"]);
    let version = db.write(async move |tx: &mut Tx| prepare(tx, &location).await).await.unwrap();
    assert_eq!(version, 3);
}

#[tokio::test]
async fn sqlite() {
    let folders: Vec<_> = (0..9).map(|_| tempfile::tempdir().unwrap()).collect();
    upgrades_after_a_copy(file(&folders[0])).await;
    for killed_after in 0..4 {
        goes_on_after_being_killed(file(&folders[1 + killed_after]), killed_after).await;
    }
    keeps_three_copies_and_overwrites_none(file(&folders[5])).await;
    a_failed_step_leaves_the_step_before(file(&folders[6])).await;
    several_at_once(file(&folders[7])).await;
}

#[tokio::test]
async fn postgres() {
    upgrades_after_a_copy(schema("copy")).await;
    for killed_after in 0..4 {
        goes_on_after_being_killed(schema(&format!("killed{killed_after}")), killed_after).await;
    }
    keeps_three_copies_and_overwrites_none(schema("three")).await;
    a_failed_step_leaves_the_step_before(schema("failed")).await;
    several_at_once(schema("several")).await;
}
