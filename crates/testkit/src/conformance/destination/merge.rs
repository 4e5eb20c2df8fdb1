//! `Merge`: of all rows with one key the last one stays.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema};

use crate::conformance::{Harness, Place, people, person_batches, persons};
use crate::rows::{self, row};

/// Merge: new keys are inserted, known ones updated, and of two rows with one key the later one wins.
pub async fn a_merge_inserts_updates_and_supersedes(harness: &dyn Harness) {
    if !harness.capabilities().merge {
        return;
    }
    let place = Place::new(harness);
    let job = place.job("merge").merge(&["id"]);
    let mut batches = person_batches(0..100, "old", 40);
    batches.extend(person_batches(90..100, "a", 10));
    let first = place.load(&job, &people(), &batches).await.unwrap();
    assert_eq!(first.written, 110);
    assert_eq!((first.durable.inserted, first.durable.updated, first.durable.superseded), (100, 0, 10));
    let mut expected = persons(0..90, "old");
    expected.extend(persons(90..100, "a"));
    expected.sort();
    assert_eq!(place.rows(&job, &people()).await, expected);
    // 30 known keys, 20 new ones, five of them twice.
    let mut batches = person_batches(70..120, "b", 20);
    batches.extend(person_batches(115..120, "c", 5));
    let second = place.load(&job, &people(), &batches).await.unwrap();
    assert_eq!(second.written, 55);
    assert_eq!((second.durable.inserted, second.durable.updated, second.durable.superseded), (20, 30, 5));
    let mut expected = persons(0..70, "old");
    expected.extend(persons(70..115, "b"));
    expected.extend(persons(115..120, "c"));
    expected.sort();
    assert_eq!(place.rows(&job, &people()).await, expected);
    assert!(place.remains().await.is_empty());
    let third = place.load(&job, &people(), &[]).await.unwrap();
    assert_eq!((third.durable.inserted, third.durable.updated), (0, 0));
    assert_eq!(place.rows(&job, &people()).await, expected);
}

/// With an order column the row with the greater value wins, whichever came first; at a tie the later arrival.
pub async fn a_merge_follows_the_order_column(harness: &dyn Harness) {
    if !harness.capabilities().merge {
        return;
    }
    let place = Place::new(harness);
    for (order, greater, smaller) in
        [("amount", "100.00", "99.00"), ("at", "2024-01-01T00:00:00.5", "2024-01-01T00:00:00")]
    {
        let mut job = place.job("merge_order").merge(&["id"]);
        job.order_column = Some(order.to_owned());
        let value = |id: &str, name: &str, value: &str| {
            let (amount, at) = if order == "amount" { (value, "2024-01-01T00:00:00") } else { ("1.00", value) };
            row(&[Some(id), Some(name), Some(amount), Some(at)])
        };
        let given = [
            value("1", "wins", greater),
            value("1", "loses", smaller),
            value("2", "tie, first", smaller),
            value("2", "tie, second", smaller),
            value("3", "alone", smaller),
        ];
        let outcome = place.load(&job, &people(), &[rows::batch(&people(), &given)]).await.unwrap();
        assert_eq!((outcome.durable.inserted, outcome.durable.superseded), (3, 2), "order by {order}");
        let expected = vec![given[0].clone(), given[3].clone(), given[4].clone()];
        assert_eq!(place.rows(&job, &people()).await, expected, "order by {order}");
    }
}

/// A key of several columns, of several types.
pub async fn a_merge_by_two_columns(harness: &dyn Harness) {
    if !harness.capabilities().merge {
        return;
    }
    let place = Place::new(harness);
    let schema = Arc::new(Schema::new(vec![
        Field::new("tenant", DataType::Utf8, false),
        Field::new("number", DataType::Int32, false),
        Field::new("value", DataType::Utf8, true),
    ]));
    let job = place.job("merge_two").merge(&["tenant", "number"]);
    let of = |t: &str, n: &str, v: &str| row(&[Some(t), Some(n), Some(v)]);
    let first = [of("a", "1", "x"), of("a", "2", "x"), of("A", "1", "x"), of("a ", "1", "x")];
    place.load(&job, &schema, &[rows::batch(&schema, &first)]).await.unwrap();
    let second = [of("a", "2", "y"), of("b", "2", "y")];
    let outcome = place.load(&job, &schema, &[rows::batch(&schema, &second)]).await.unwrap();
    assert_eq!((outcome.durable.inserted, outcome.durable.updated), (1, 1));
    let mut expected =
        vec![of("a", "1", "x"), of("a", "2", "y"), of("A", "1", "x"), of("a ", "1", "x"), of("b", "2", "y")];
    expected.sort();
    assert_eq!(place.rows(&job, &schema).await, expected, "keys differ in case and trailing blanks");
}
