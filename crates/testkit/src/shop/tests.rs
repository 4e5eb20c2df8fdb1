//! The shop is repeatable, has the rows it promises, and grows only forward in time.

#![allow(clippy::unwrap_used)]

use std::fs;

use rusqlite::Connection;

use super::{CUSTOMERS, DATABASE, Shop, Sizes};

#[test]
fn the_same_seed_gives_the_same_files() {
    let (left, right) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for folder in [&left, &right] {
        let shop = Shop::new(folder.path(), 7, false);
        shop.create(Sizes::scaled(0.002)).unwrap();
        shop.grow(40).unwrap();
    }
    for name in [CUSTOMERS, "events/1.jsonl", "events/2.jsonl"] {
        assert!(fs::read(left.path().join(name)).unwrap() == fs::read(right.path().join(name)).unwrap(), "{name}");
    }
    let sums = |folder: &tempfile::TempDir| -> (i64, f64, String) {
        let sql = "SELECT count(*), sum(total), max(updated_at) FROM orders";
        let database = Connection::open(folder.path().join(DATABASE)).unwrap();
        database.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap()
    };
    assert_eq!(sums(&left), sums(&right));
}

#[test]
fn a_later_day_only_adds_later_rows() {
    let folder = tempfile::tempdir().unwrap();
    let shop = Shop::new(folder.path(), 1, true);
    let sizes = Sizes::scaled(0.001);
    shop.create(sizes).unwrap();
    let latest = || -> (i64, String) {
        let database = Connection::open(folder.path().join(DATABASE)).unwrap();
        let sql = "SELECT count(*), max(updated_at) FROM orders";
        database.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
    };
    let before = latest();
    assert_eq!(before.0 as u64, sizes.orders);
    shop.grow(10).unwrap();
    let after = latest();
    assert_eq!(after.0, before.0 + 10);
    assert!(after.1 > before.1 && after.1.starts_with("2026-01-01 "), "{} then {}", before.1, after.1);
    assert!(folder.path().join("events/2.jsonl.gz").is_file());
}
