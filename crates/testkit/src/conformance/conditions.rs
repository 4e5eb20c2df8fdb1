//! Conditions of a read ([`levada_core::condition`]): a source may give more rows than those that meet them, never fewer.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow_schema::{DataType, Field};
use levada_core::condition::{Comparison, Condition, Test};
use levada_core::source::{ReadMode, ReadRequest, StreamInfo};
use levada_core::text;

use super::values::{self, Column};
use super::{Harness, Place};
use crate::rows::{self, Row};

/// Makes one test of every function of this suite; the expression is a future of a [`Harness`].
#[macro_export]
macro_rules! conditions_suite {
    ($harness:expr) => {
        $crate::conformance_tests!(conditions, $harness, [no_row_that_meets_them_is_left_out, a_limit_leaves_enough]);
    };
}

async fn read(place: &Place<'_>, stream: &StreamInfo, only: Vec<Condition>, limit: Option<u64>) -> Vec<Row> {
    let request = ReadRequest {
        stream: stream.clone(),
        columns: stream.schema.clone(),
        mode: ReadMode::Full,
        raw: None,
        only,
        limit,
        readers: 2,
        batch_bytes: 1 << 20,
    };
    let extract = place.source.read(request).await.unwrap();
    let mut batches = Vec::new();
    for mut reader in extract.readers {
        while let Some(batch) = reader.next().await.unwrap() {
            batches.push(batch);
        }
    }
    rows::sorted(&batches, &stream.schema)
}

/// Every comparison with edge values of every type, and NULL.
pub async fn no_row_that_meets_them_is_left_out(harness: &dyn Harness) {
    let place = Place::new(harness);
    let mut columns = 0;
    for column in values::table() {
        let job = place.job("only");
        let schema = column.schema();
        // values that the system has no place for are another suite's matter
        if place.load(&job, &schema, &[rows::batch(&schema, &column.rows())]).await.is_err() {
            continue;
        }
        let stream = place.stream(&place.target(&job)).await;
        let all = read(&place, &stream, Vec::new(), None).await;
        check(&place, &column, &stream, &all).await;
        columns += 1;
    }
    assert!(columns >= 15, "only {columns} kinds of columns were looked at");
}

async fn check(place: &Place<'_>, column: &Column, stream: &StreamInfo, all: &[Row]) {
    let field = Arc::new(stream.schema.field(1).clone());
    let values: Vec<&String> = all.iter().filter_map(|row| row[1].as_ref()).collect();
    let mut tests = vec![Test::IsNull, Test::IsNotNull];
    for value in values.iter().step_by(values.len().div_ceil(3)) {
        for comparison in [Comparison::Eq, Comparison::Lt, Comparison::Le, Comparison::Gt, Comparison::Ge] {
            tests.push(Test::Compare(comparison, (*value).clone()));
        }
    }
    tests.push(Test::OneOf(vec![values[0].clone(), values[values.len() - 1].clone()]));
    for test in tests {
        let only = vec![Condition { column: field.name().clone(), test: test.clone() }];
        let found = read(place, stream, only, None).await;
        for row in all.iter().filter(|row| meets(&test, &field, row[1].as_deref())) {
            let times = |rows: &[Row]| rows.iter().filter(|other| *other == row).count();
            assert_eq!(times(&found), times(all), "{}: {test:?} left out {row:?}", column.name);
        }
        assert!(found.iter().all(|row| all.contains(row)), "{}: {test:?}", column.name);
    }
}

fn meets(test: &Test, field: &Field, value: Option<&str>) -> bool {
    let Some(value) = value else { return *test == Test::IsNull };
    match test {
        Test::IsNull => false,
        Test::IsNotNull => true,
        Test::OneOf(values) => values.iter().any(|one| one == value),
        Test::Compare(comparison, bound) => {
            order(field.data_type(), value, bound).is_some_and(|order| match comparison {
                Comparison::Eq => order == Ordering::Equal,
                Comparison::Lt => order == Ordering::Less,
                Comparison::Le => order != Ordering::Greater,
                Comparison::Gt => order == Ordering::Greater,
                Comparison::Ge => order != Ordering::Less,
            })
        }
    }
}

/// The order of two canonical texts of one type; of floats only equality is looked at.
fn order(data_type: &DataType, a: &str, b: &str) -> Option<Ordering> {
    if data_type.is_floating() {
        return (a == b).then_some(Ordering::Equal);
    }
    if !data_type.is_numeric() {
        return Some(a.trim_end_matches('Z').cmp(b.trim_end_matches('Z')));
    }
    let signed = |text: &str| {
        // of one type, and so of one scale
        let (negative, digits, _) = text::parse_decimal(text)?;
        Some((negative && digits != "0", digits.len(), digits))
    };
    let (a, b) = (signed(a)?, signed(b)?);
    Some(match (a.0, b.0) {
        (false, true) => Ordering::Greater,
        (true, false) => Ordering::Less,
        (negative, _) => {
            let order = (a.1, a.2).cmp(&(b.1, b.2));
            if negative { order.reverse() } else { order }
        }
    })
}

/// As many rows as were asked for, at least, and only rows of the stream.
pub async fn a_limit_leaves_enough(harness: &dyn Harness) {
    let place = Place::new(harness);
    let job = place.job("limit");
    place.load(&job, &super::people(), &super::person_batches(0..500, "a", 100)).await.unwrap();
    let stream = place.stream(&place.target(&job)).await;
    let all = read(&place, &stream, Vec::new(), None).await;
    for limit in [0, 1, 7, 500, 1000] {
        let found = read(&place, &stream, Vec::new(), Some(limit)).await;
        assert!(found.len() as u64 >= limit.min(500), "{limit}: {}", found.len());
        assert!(found.iter().all(|row| all.contains(row)));
    }
}
