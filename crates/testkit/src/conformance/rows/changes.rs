//! Rows in: keys, refusals, upserts, two writers, conditions, streams.

use std::collections::BTreeSet;

use futures_util::StreamExt as _;
use futures_util::stream;
use levada_core::rows::{
    Action, Batch, Cell, Change, Check, Column, Effect, Kind, Mode, OnDelete, Outcome, Reason, Table, etag,
};
use serde_json::{Value, json};

use super::{Place, effects, referring, required, row, table, unique};
use crate::conformance::Harness;

fn people() -> Vec<Table> {
    let level = Column {
        default: Some(Cell::Integer(1)),
        check: Check { min: Some(Cell::Integer(0)), ..Check::default() },
        ..Column::new("level", Kind::Integer)
    };
    let columns = [
        unique("code"),
        required("name", Kind::Text),
        level,
        referring("department", "department", OnDelete::Restrict),
    ];
    vec![table("department", [unique("name")]), table("person", columns)]
}

fn upsert() -> Action {
    Action::Upsert { by: "code".to_owned() }
}

/// The keys that are answered are those of the rows, in their order.
pub async fn keys_belong_to_their_rows(harness: &dyn Harness) {
    let place = Place::new(harness, people()).await;
    let rows: Vec<Value> = (0..2_500).map(|n| json!({"code": format!("c{n}"), "name": format!("n{n}")})).collect();
    let keys = place.insert("person", rows).await;
    assert_eq!(keys.iter().map(Value::to_string).collect::<BTreeSet<_>>().len(), 2_500);
    for n in [0, 1, 999, 1_000, 2_499] {
        let found = place.get("person", &keys[n]).await.unwrap();
        assert_eq!((found["code"].as_str(), &found["level"]), (Some(format!("c{n}").as_str()), &json!(1)));
    }
}

/// Every row that cannot be written is told with its column and reason, whatever its place; with [`Mode::Each`] the others
/// are written, with [`Mode::All`] none is.
pub async fn every_refused_row_is_named_and_the_others_are_kept_or_not(harness: &dyn Harness) {
    let place = Place::new(harness, people()).await;
    let department = place.insert("department", vec![json!({"name": "D"})]).await.remove(0);
    place.insert("person", vec![json!({"code": "taken", "name": "x"})]).await;
    let good = |n: usize| json!({"code": format!("g{n}"), "name": "x", "department": department});
    let mut rows: Vec<Value> = (0..200).map(good).collect();
    let bad = [
        (3, json!({"code": "taken", "name": "x"}), "code", Reason::Unique),
        (50, json!({"code": "g7", "name": "twice in one batch"}), "code", Reason::Unique),
        (51, json!({"code": "r", "name": "x", "department": 4711}), "department", Reason::Reference),
        (120, json!({"code": "m"}), "name", Reason::Required),
        (121, json!({"code": "m", "name": "x", "level": "high"}), "level", Reason::Type),
        (122, json!({"code": "m", "name": "x", "level": -1}), "level", Reason::Check),
        (199, json!({"code": "m", "name": "x", "lvl": 1}), "lvl", Reason::Unknown),
    ];
    for (at, row, ..) in &bad {
        rows[*at] = row.clone();
    }
    for mode in [Mode::All, Mode::Each] {
        let written = place.write("person", Action::Insert, mode, rows.clone()).await;
        assert_eq!(written.committed, mode == Mode::Each);
        for (at, _, column, reason) in &bad {
            // what is wrong by itself is told before the database is asked
            if mode == Mode::All && matches!(reason, Reason::Unique | Reason::Reference) {
                continue;
            }
            let Outcome::Failed(errors) = &written.outcomes[*at] else { panic!("{at}: {:?}", written.outcomes[*at]) };
            assert_eq!((errors[0].column.as_deref(), errors[0].reason), (Some(*column), *reason), "{errors:?}");
        }
        let done = effects(&written).iter().flatten().count();
        let kept = place.all("person", "code").await.len() - 1;
        assert_eq!((done, kept), if mode == Mode::Each { (193, 193) } else { (0, 0) });
    }
    // only what the database finds
    let rows =
        vec![good(1_000), json!({"code": "g7", "name": "x"}), json!({"code": "n", "name": "x", "department": 0})];
    let written = place.write("person", Action::Insert, Mode::All, rows).await;
    assert!(!written.committed && written.outcomes[0] == Outcome::Left, "{written:?}");
    assert_eq!(written.outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Failed(_))).count(), 2);
    assert_eq!(place.all("person", "code").await.len(), 194);
}

/// An upsert adds rows, and changes what it gives of those that are known.
pub async fn rows_that_are_known_by_a_unique_column_are_changed(harness: &dyn Harness) {
    let place = Place::new(harness, people()).await;
    let keys = place
        .insert("person", vec![json!({"code": "a", "name": "old", "level": 5}), json!({"code": "b", "name": "old"})])
        .await;
    let rows = vec![
        json!({"code": "a", "name": "new"}),
        json!({"code": "c", "name": "first"}),
        json!({"code": "b", "name": "old", "level": 7}),
        json!({"code": "c", "name": "second", "level": 9}),
    ];
    let written = place.write("person", upsert(), Mode::All, rows.clone()).await;
    let (new, old) = (Some(Effect::Inserted), Some(Effect::Updated));
    assert_eq!(effects(&written), [old, new, old, old]);
    let a = place.get("person", &keys[0]).await.unwrap();
    assert_eq!((&a["name"], &a["level"]), (&json!("new"), &json!(5)), "what is not given stays");
    assert_eq!(place.all("person", "name").await, [json!("new"), json!("old"), json!("second")]);
    assert_eq!(place.all("person", "level").await, [json!(5), json!(7), json!(9)]);
    // the same again changes nothing
    assert_eq!(effects(&place.write("person", upsert(), Mode::Each, rows).await), [old, old, old, old]);
    assert_eq!(place.all("person", "code").await.len(), 3);
    // by the key, which may be new
    let by_id = Action::Upsert { by: "id".to_owned() };
    let rows = vec![json!({"id": keys[0], "code": "a2", "name": "n"}), json!({"id": 9_000, "code": "d", "name": "n"})];
    assert_eq!(effects(&place.write("person", by_id, Mode::All, rows).await), [old, new]);
    assert_eq!(place.get("person", &json!(9_000)).await.unwrap()["code"], "d");
    assert_eq!(
        place.refused("person", upsert(), json!({"name": "n"})).await,
        (Some("code".to_owned()), Reason::Required)
    );
    // another unique value that is taken
    let rows =
        vec![json!({"id": keys[0], "code": "b", "name": "n"}), json!({"id": keys[1], "code": "b", "name": "ok"})];
    let by_id = Action::Upsert { by: "id".to_owned() };
    let written = place.write("person", by_id, Mode::Each, rows).await;
    assert_eq!(effects(&written), [None, old], "{written:?}");
    let batch = Batch { action: Action::Upsert { by: "name".to_owned() }, mode: Mode::All, changes: Vec::new() };
    assert!(place.rows.write(&place.tables, "person", batch).await.is_err(), "a column that tells no row");
}

/// Two writers of the same unique values: every value is there once, nothing is lost and nobody sees an error.
pub async fn two_writers_of_the_same_rows_agree(harness: &dyn Harness) {
    let place = Place::new(harness, people()).await;
    let other = place.again(harness);
    let rows = |offset: usize, name: &str| -> Vec<Value> {
        (0..40).map(|n| json!({"code": format!("c{}", (n * 7 + offset) % 60), "name": name})).collect()
    };
    let write = async |place: &Place, name: &str| {
        for round in 0..15 {
            let written = place.write("person", upsert(), Mode::All, rows(round * 11, name)).await;
            assert!(written.committed, "{written:?}");
        }
    };
    tokio::join!(write(&place, "one"), write(&other, "two"));
    let codes = place.all("person", "code").await;
    assert_eq!(codes.iter().map(Value::to_string).collect::<BTreeSet<_>>().len(), codes.len());
    assert_eq!(codes.len(), 60);
    // plain rows: each value is taken by one of them
    let rows: Vec<Value> = (0..50).map(|n| json!({"code": format!("p{n}"), "name": "x"})).collect();
    let (one, two) = tokio::join!(
        place.write("person", Action::Insert, Mode::Each, rows.clone()),
        other.write("person", Action::Insert, Mode::Each, rows)
    );
    for (one, two) in effects(&one).iter().zip(effects(&two)) {
        assert!(one.is_some() != two.is_some(), "{one:?} {two:?}");
    }
    let missing = place.all("person", "code").await;
    assert_eq!(missing.len(), 110);
}

/// Rows may bring their keys; the database gives none of them again.
pub async fn keys_that_are_given_never_come_again(harness: &dyn Harness) {
    let place = Place::new(harness, people()).await;
    let rows = vec![json!({"id": 3, "code": "three", "name": "x"}), json!({"code": "next", "name": "x"})];
    let keys = place.insert("person", rows).await;
    assert_eq!(keys[0], json!(3));
    let rows = (0..10).map(|n| json!({"code": format!("c{n}"), "name": "x"})).collect();
    place.insert("person", rows).await;
    assert_eq!(place.all("person", "id").await.len(), 12);
    assert_eq!(
        place.refused("person", Action::Insert, json!({"id": 3, "code": "x", "name": "x"})).await,
        (Some("id".to_owned()), Reason::Unique)
    );
}

/// Whole and partial changes; a condition on what the row was.
pub async fn a_row_is_changed_only_as_it_was_read(harness: &dyn Harness) {
    let place = Place::new(harness, people()).await;
    let key = place.insert("person", vec![json!({"code": "a", "name": "x", "level": 5})]).await.remove(0);
    place.written("person", Action::Patch, vec![json!({"id": key, "name": "y"})]).await;
    let read = place.get("person", &key).await.unwrap();
    assert_eq!((&read["name"], &read["level"]), (&json!("y"), &json!(5)));
    place.written("person", Action::Replace, vec![json!({"id": key, "code": "a", "name": "z"})]).await;
    let replaced = place.get("person", &key).await.unwrap();
    assert_eq!((&replaced["name"], &replaced["level"]), (&json!("z"), &json!(1)), "what is left out has its default");
    place.written("person", Action::Patch, vec![json!({"id": key})]).await;
    let (old, new) = (etag(&read), etag(&replaced));
    for (tags, kept) in [(vec![], false), (vec![old.clone()], false), (vec![old, new], true)] {
        let change = Change { row: row(json!({"id": key, "level": null})), if_match: Some(tags) };
        let batch = Batch { action: Action::Patch, mode: Mode::All, changes: vec![change] };
        let written = place.rows.write(&place.tables, "person", batch).await.unwrap();
        assert_eq!(written.committed, kept, "{written:?}");
        if let Outcome::Failed(errors) = &written.outcomes[0] {
            assert_eq!(errors[0].reason, Reason::Stale);
        }
    }
    for action in [Action::Patch, Action::Replace, Action::Delete, Action::Erase, Action::Restore] {
        let row = json!({"id": 99, "code": "n", "name": "n"});
        assert_eq!(place.refused("person", action, row).await, (Some("id".to_owned()), Reason::Missing));
    }
    let other = place.insert("person", vec![json!({"code": "b", "name": "x"})]).await.remove(0);
    let refused = place.refused("person", Action::Patch, json!({"id": other, "code": "a"})).await;
    assert_eq!(refused, (Some("code".to_owned()), Reason::Unique));
    let refused = place.refused("person", Action::Patch, json!({"id": other, "department": 5})).await;
    assert_eq!(refused, (Some("department".to_owned()), Reason::Reference));
    // the same row twice in one batch: one after the other
    let rows = vec![json!({"id": other, "name": "1"}), json!({"id": other, "name": "2"})];
    place.written("person", Action::Patch, rows).await;
    assert_eq!(place.get("person", &other).await.unwrap()["name"], "2");
}

/// A stream of batches leaves all of its rows or none, or all but those that are refused.
pub async fn streams_are_all_or_nothing_or_row_by_row(harness: &dyn Harness) {
    let place = Place::new(harness, people()).await;
    let batches = |bad: Option<usize>| {
        let change = move |n: usize| {
            let code = if Some(n) == bad { "c1".to_owned() } else { format!("c{n}") };
            Change::from(row(json!({"code": code, "name": "x"})))
        };
        stream::iter((0..10).map(move |batch| Ok((batch * 500..batch * 500 + 500).map(change).collect()))).boxed()
    };
    let load = async |mode: Mode, bad| {
        place.rows.load(&place.tables, "person", Action::Insert, mode, batches(bad)).await.unwrap()
    };
    let refused = load(Mode::All, Some(3_210)).await;
    assert!(!refused.committed && refused.inserted == 0, "{refused:?}");
    assert_eq!((refused.failed, refused.failures[0].0), (1, 3_210));
    assert!(place.all("person", "code").await.is_empty());
    let kept = load(Mode::Each, Some(3_210)).await;
    assert_eq!((kept.committed, kept.rows, kept.inserted, kept.failed), (true, 5_000, 4_999, 1));
    assert_eq!(kept.failures[0].1[0].reason, Reason::Unique);
    let again = place.rows.load(&place.tables, "person", upsert(), Mode::All, batches(None)).await.unwrap();
    assert_eq!((again.inserted, again.changed, again.committed), (1, 4_999, true));
    assert_eq!(place.all("person", "code").await.len(), 5_000);
}
