//! Rows of the quarantine that are loaded again: by the same mapping, once, and never in between newer ones.

use std::sync::Arc;

use levada_core::config::{Columns, OnBadRow, StreamOptions};
use levada_core::destination::Destination as _;
use levada_core::error::{ErrorKind, Result};
use levada_engine::report::Proof;
use levada_engine::run::replay;
use levada_testkit::memory::Memory;
use levada_testkit::rows::row;

use crate::stage::{append, full, job, key, load, merge, numbered, schema};

fn quarantine(options: StreamOptions) -> StreamOptions {
    StreamOptions { on_bad_row: OnBadRow::Quarantine, ..options }
}

async fn again(source: &Memory, target: &Memory, options: StreamOptions, load_id: &str) -> Result<Proof> {
    let job = job(Arc::new(source.clone()), Arc::new(target.clone()), options);
    replay(job, "t", load_id).await
}

fn counts(proof: Proof) -> (u64, u64, u64) {
    (proof.read, proof.written, proof.rejected)
}

fn kind(result: Result<Proof>) -> ErrorKind {
    result.unwrap_err().kind()
}

#[tokio::test]
async fn rows_that_fit_by_now_are_loaded_once_and_the_others_stay() {
    let (source, target) = (Memory::new(), Memory::new());
    let names = ["a", "bad", "c", "worse", "bad"];
    source.put("t", &schema(), (1..).zip(names).map(|(id, name)| numbered(id, id, name)).collect());
    target.refuse("name", "bad");
    target.refuse("name", "worse");
    let options = || quarantine(append());
    let first = load(&source, &target, options()).await;
    assert_eq!(counts(first.proof), (5, 2, 3));
    // others are loaded since
    source.add("t", vec![numbered(6, 6, "f")]);
    assert_eq!(load(&source, &target, options()).await.proof.written, 1);
    assert_eq!(counts(again(&source, &target, options(), &first.load_id).await.unwrap()), (3, 0, 3));
    assert_eq!(target.rejects(&key()).len(), 3);
    target.refuse_nothing();
    target.refuse("name", "worse");
    assert_eq!(counts(again(&source, &target, options(), &first.load_id).await.unwrap()), (3, 2, 1));
    assert_eq!(target.rejects(&key()).len(), 1);
    target.refuse_nothing();
    assert_eq!(counts(again(&source, &target, options(), &first.load_id).await.unwrap()), (1, 1, 0));
    assert_eq!(target.rows("t"), source.rows("t"));
    assert_eq!(again(&source, &target, options(), &first.load_id).await.unwrap(), Proof::default());
    // the stream goes on from where it was
    let position = target.committed(&key()).await.unwrap().unwrap().state["position"].clone();
    assert!(!position.is_null());
    source.add("t", vec![numbered(6, 6, "late"), numbered(7, 7, "g")]);
    let next = load(&source, &target, options()).await;
    assert_eq!((next.proof.repeated, next.proof.written), (1, 2));
    assert_eq!(target.rows("t"), source.rows("t"));
}

#[tokio::test]
async fn older_rows_do_not_come_in_between_newer_ones() {
    for options in [full(), merge()] {
        let (source, target) = (Memory::new(), Memory::new());
        source.put("t", &schema(), vec![numbered(1, 1, "a"), numbered(2, 2, "bad")]);
        target.refuse("name", "bad");
        let options = || quarantine(options.clone());
        let first = load(&source, &target, options()).await;
        target.refuse_nothing();
        source.put("t", &schema(), vec![numbered(1, 1, "a"), numbered(2, 3, "good")]);
        load(&source, &target, options()).await;
        assert_eq!(kind(again(&source, &target, options(), &first.load_id).await), ErrorKind::Refused);
        assert_eq!(target.rows("t"), source.rows("t"));
        // nor into a stream that was reset
        target.forget(&key()).await.unwrap();
        assert_eq!(kind(again(&source, &target, options(), &first.load_id).await), ErrorKind::Refused);
    }
}

#[tokio::test]
async fn rows_of_the_last_load_are_added_to_what_it_left() {
    for options in [full(), merge()] {
        let (source, target) = (Memory::new(), Memory::new());
        source.put("t", &schema(), vec![numbered(1, 1, "a"), numbered(2, 2, "bad"), numbered(3, 3, "worse")]);
        target.refuse("name", "bad");
        target.refuse("name", "worse");
        let options = || quarantine(options.clone());
        let first = load(&source, &target, options()).await;
        target.refuse_nothing();
        target.refuse("name", "worse");
        assert_eq!(counts(again(&source, &target, options(), &first.load_id).await.unwrap()), (2, 1, 1));
        target.refuse_nothing();
        assert_eq!(counts(again(&source, &target, options(), &first.load_id).await.unwrap()), (1, 1, 0));
        assert_eq!(target.rows("t"), source.rows("t"));
    }
}

#[tokio::test]
async fn rows_are_mapped_once_whoever_refused_them() {
    let (source, target) = (Memory::new(), Memory::new());
    source.put("t", &schema(), vec![numbered(1, 1, "10"), numbered(2, 2, "ten"), numbered(3, 3, "30")]);
    // one is refused by the cast, one by the destination
    target.refuse("amount", "30");
    let columns = Columns {
        rename: [("name".to_owned(), "amount".to_owned())].into(),
        cast: [("name".to_owned(), "bigint".to_owned())].into(),
        ..Columns::default()
    };
    let options = || StreamOptions { columns: columns.clone(), ..quarantine(append()) };
    let first = load(&source, &target, options()).await;
    assert_eq!(counts(first.proof), (3, 1, 2));
    target.refuse_nothing();
    assert_eq!(counts(again(&source, &target, options(), &first.load_id).await.unwrap()), (2, 1, 1));
    let [left] = target.rejects(&key()).try_into().unwrap();
    assert_eq!((left.column.as_deref(), left.row.contains("\"name\":\"ten\"")), (Some("name"), true), "{left:?}");
    assert_eq!(target.rows("t").unwrap(), [["1", "1", "10"], ["3", "3", "30"]].map(|texts| row(&texts.map(Some))));
}

#[tokio::test]
async fn a_row_that_may_be_hashed_already_is_not_hashed_again() {
    let (source, target) = (Memory::new(), Memory::new());
    source.put("t", &schema(), vec![numbered(1, 1, "a"), numbered(2, 2, "b")]);
    target.refuse("id", "2");
    let options = || StreamOptions {
        columns: Columns { hash: vec!["name".to_owned()], ..Columns::default() },
        ..quarantine(append())
    };
    let first = load(&source, &target, options()).await;
    target.refuse_nothing();
    assert_eq!(counts(again(&source, &target, options(), &first.load_id).await.unwrap()), (1, 0, 1));
    assert!(target.rejects(&key())[0].reason.contains("mapped already"));
}
