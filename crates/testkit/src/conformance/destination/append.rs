//! `Append`: rows add up, and the columns of the target follow those of the source.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema};
use levada_core::destination::WriteMode;

use super::with_column;
use crate::conformance::{Harness, Place, people, person, person_batches, persons};
use crate::rows::{self, row};

/// Appends add up; the first of them makes the table.
pub async fn an_append_adds(harness: &dyn Harness) {
    if !harness.capabilities().appends {
        return;
    }
    let place = Place::new(harness);
    let job = place.job("append").write(WriteMode::Append).parallel(2);
    for (index, range) in [0..100, 100..150, 150..150, 150..400].into_iter().enumerate() {
        let count = (range.end - range.start) as u64;
        let outcome = place.load(&job, &people(), &person_batches(range, "a", 40)).await.unwrap();
        assert_eq!((outcome.written, outcome.durable.inserted), (count, count), "append {index}");
    }
    assert_eq!(place.rows(&job, &people()).await, persons(0..400, "a"));
}

/// A new column is added; the rows from before have NULL in it.
pub async fn evolve_adds_a_column(harness: &dyn Harness) {
    if !harness.capabilities().adds_columns {
        return;
    }
    let place = Place::new(harness);
    let job = place.job("evolve_add").write(WriteMode::Append);
    place.load(&job, &people(), &person_batches(0..3, "a", 3)).await.unwrap();
    let schema = with_column("extra, new", DataType::Float64);
    let mut given = person(3, "b");
    given.push(Some("0.1".to_owned()));
    let outcome = place.load(&job, &schema, &[rows::batch(&schema, &[given.clone()])]).await.unwrap();
    assert!(!outcome.plan.ddl.is_empty(), "the plan shows the change");
    let mut expected = persons(0..3, "a");
    expected.iter_mut().for_each(|row| row.push(None));
    expected.push(given);
    assert_eq!(place.rows(&job, &schema).await, expected);
}

/// A column that is gone from the source stays and gets NULL.
pub async fn evolve_fills_a_missing_column_with_null(harness: &dyn Harness) {
    if !harness.capabilities().appends {
        return;
    }
    let place = Place::new(harness);
    let job = place.job("evolve_gone").write(WriteMode::Append);
    place.load(&job, &people(), &person_batches(0..2, "a", 2)).await.unwrap();
    let narrow = Arc::new(people().project(&[0, 1]).unwrap());
    let given = [row(&[Some("2"), Some("b")])];
    place.load(&job, &narrow, &[rows::batch(&narrow, &given)]).await.unwrap();
    let mut expected = persons(0..2, "a");
    expected.push(row(&[Some("2"), Some("b"), None, None]));
    assert_eq!(place.rows(&job, &people()).await, expected);
}

/// An integer column takes larger integers after an evolve.
pub async fn evolve_widens_a_column(harness: &dyn Harness) {
    if !harness.capabilities().widens {
        return;
    }
    let place = Place::new(harness);
    let job = place.job("evolve_wide").write(WriteMode::Append);
    let schema = |data_type| Arc::new(Schema::new(vec![Field::new("n", data_type, true)]));
    let (narrow, wide) = (schema(DataType::Int16), schema(DataType::Int64));
    place.load(&job, &narrow, &[rows::batch(&narrow, &[row(&[Some("7")]), row(&[None])])]).await.unwrap();
    let given = [row(&[Some("9223372036854775807")])];
    place.load(&job, &wide, &[rows::batch(&wide, &given)]).await.unwrap();
    let expected = vec![row(&[None]), row(&[Some("7")]), given[0].clone()];
    let mut found = place.rows(&job, &wide).await;
    found.sort_by_key(|row| row[0].as_ref().map(|v| v.parse::<i64>().unwrap()));
    assert_eq!(found, expected);
}

/// A NOT NULL column whose source became nullable, or lost it, takes NULL after an evolve.
pub async fn evolve_lifts_not_null(harness: &dyn Harness) {
    if !harness.capabilities().lifts_not_null {
        return;
    }
    let place = Place::new(harness);
    let job = place.job("evolve_null").write(WriteMode::Append);
    let schema = |nullable| {
        Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, false), Field::new("v", DataType::Utf8, nullable)]))
    };
    place.load(&job, &schema(false), &[rows::batch(&schema(false), &[row(&[Some("1"), Some("x")])])]).await.unwrap();
    place.load(&job, &schema(true), &[rows::batch(&schema(true), &[row(&[Some("2"), None])])]).await.unwrap();
    assert_eq!(place.rows(&job, &schema(true)).await, [row(&[Some("1"), Some("x")]), row(&[Some("2"), None])]);
}
