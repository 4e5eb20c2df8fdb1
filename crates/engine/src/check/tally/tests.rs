//! Every rule about rows over a table of a few rows in several batches, with what breaks it, what does not, and what cannot be
//! tested.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_schema::{DataType as T, SchemaRef};
use levada_core::schema::{LOGICAL, timestamp, timestamp_utc};
use levada_testkit::rows::{batch, row};

use super::super::keys::duplicates;
use super::*;

fn schema() -> SchemaRef {
    let number = HashMap::from([(LOGICAL.to_owned(), Logical::Number.word().to_owned())]);
    Arc::new(Schema::new(vec![
        Field::new("id", T::Int64, true),
        Field::new("state", T::Utf8, true),
        Field::new("amount", T::Decimal128(10, 2), true),
        Field::new("rate", T::Float64, true),
        Field::new("day", T::Date32, true),
        Field::new("at", timestamp_utc(), true),
        Field::new("local", timestamp(), true),
        Field::new("size", T::Utf8, true).with_metadata(number),
        Field::new("note", T::Binary, true),
    ]))
}

#[rustfmt::skip]
fn table() -> Vec<RecordBatch> {
    let first = [
        row(&[Some("1"), Some("new"), Some("1.50"), Some("0.5"), Some("2024-05-01"), Some("2024-05-01T10:00:00Z"), None, Some("NaN"), None]),
        row(&[Some("2"), Some(""), Some("-1.00"), Some("NaN"), Some("2024-05-02"), None, Some("2024-05-02T10:00:00"), Some("1.0"), None]),
    ];
    let second = [
        row(&[Some("2"), Some("new\nold"), Some("99.99"), Some("-0"), None, Some("2024-05-02T23:00:00Z"), None, Some("1.00"), None]),
        row(&[None, None, None, Some("0"), Some("2024-04-30"), None, None, Some("123456789012345678901234567890.5"), None]),
    ];
    vec![batch(&schema(), &first), batch(&schema(), &second)]
}

fn bounds() -> Bounds {
    Bounds {
        keys_bytes: 1 << 20,
        batch_bytes: 1 << 20,
        failing_max: 2,
        failing_bytes: 1 << 16,
        now: Timestamp::parse("2024-05-04T01:00:00Z").unwrap(),
        spill: PathBuf::from("/nowhere"),
    }
}

fn seen(rule: &Rule, bounds: &Bounds) -> Result<Tally> {
    let mut tally = Tally::new(rule, &schema(), bounds)?;
    table().iter().try_for_each(|rows| tally.see(rows))?;
    Ok(tally)
}

/// How many rows break a rule.
fn broken(rule: Rule) -> u64 {
    let (failed, rows) = seen(&rule, &bounds()).unwrap().broken();
    assert_eq!(rows.len() as u64, failed.min(2));
    failed
}

fn repeated(columns: &[&str]) -> u64 {
    let rule = Rule::Unique(names(columns));
    let keys = seen(&rule, &bounds()).unwrap().into_keys().unwrap();
    duplicates(keys.sorted().unwrap(), 9).unwrap().0
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn range(column: &str, min: Option<&str>, max: Option<&str>) -> Rule {
    let end = |text: Option<&str>| text.map(str::to_owned);
    Rule::Range(Range { column: column.to_owned(), min: end(min), max: end(max) })
}

fn accepted(column: &str, values: &[&str]) -> Rule {
    Rule::AcceptedValues(AcceptedValues { column: column.to_owned(), values: names(values) })
}

fn regex(column: &str, pattern: &str) -> Rule {
    Rule::Regex(Pattern { column: column.to_owned(), pattern: pattern.to_owned() })
}

fn fresh(column: &str, within: Duration) -> Rule {
    Rule::Freshness { column: column.to_owned(), within }
}

#[test]
fn rows_that_break_a_rule_are_counted_and_the_first_are_kept() {
    assert_eq!(broken(Rule::NotNull(names(&["id"]))), 1);
    assert_eq!(broken(Rule::NotNull(names(&["id", "day"]))), 2);
    assert_eq!(broken(Rule::NotNull(names(&["note"]))), 4);
    let (_, rows) = seen(&Rule::NotNull(names(&["day"])), &bounds()).unwrap().broken();
    assert!(rows[0].contains("\"state\":\"new\\nold\""), "{rows:?}");
    // what is kept is bounded in bytes, and what is counted is not
    let little = Bounds { failing_bytes: 200, ..bounds() };
    let (failed, rows) = seen(&Rule::NotNull(names(&["note"])), &little).unwrap().broken();
    assert_eq!((failed, rows.len()), (4, 1));
}

#[test]
fn the_same_value_is_one_however_it_is_written() {
    assert_eq!(broken(accepted("state", &["new", ""])), 1);
    assert_eq!(broken(accepted("state", &["NEW", "", "new\nold"])), 1, "texts count by their code points");
    assert_eq!(broken(accepted("amount", &["1.5", "-1", "99.990"])), 0);
    assert_eq!(broken(accepted("amount", &["1.5", "0.001"])), 2, "one that the column cannot have is merely never met");
    assert_eq!(broken(accepted("rate", &["0.50", "NaN", "0"])), 0, "-0 is 0");
    assert_eq!(broken(accepted("size", &["1", "NaN"])), 1);
    assert_eq!(broken(accepted("id", &["1", "2.0"])), 0);
    assert_eq!([repeated(&["id"]), repeated(&["id", "state"]), repeated(&["rate"]), repeated(&["size"])], [1, 0, 1, 1]);
    assert_eq!(repeated(&["note"]), 0, "NULL equals nothing");
}

#[test]
fn ranges_have_both_ends_and_no_nan() {
    assert_eq!(broken(range("amount", Some("-1"), Some("99.99"))), 0);
    assert_eq!(broken(range("amount", Some("-0.999"), Some("99.98"))), 2);
    assert_eq!(broken(range("rate", Some("0"), None)), 1, "NaN lies nowhere, and -0 is not below 0");
    assert_eq!(broken(range("rate", None, Some("Infinity"))), 1);
    assert_eq!(broken(range("size", Some("1"), None)), 1, "of a number of any size");
    assert_eq!(broken(range("size", None, Some("123456789012345678901234567890.4"))), 2);
    assert_eq!(broken(range("day", None, Some("2024-05-01"))), 1);
    assert_eq!(broken(range("at", Some("2024-05-01T12:00:00+02:00"), None)), 0, "an instant in another zone");
    assert_eq!(broken(range("at", Some("2024-05-01T12:00:00+01:59"), None)), 1);
    assert_eq!(broken(range("local", Some("2024-05-02T10:00:01"), None)), 1);
}

#[test]
fn patterns_match_all_of_a_text() {
    assert_eq!(broken(regex("state", "new|old")), 2);
    assert_eq!(broken(regex("state", "(?s).*")), 0);
    assert_eq!(broken(regex("state", "(?m)^new$")), 2, "a line is not the text");
}

#[test]
fn freshness_is_that_of_the_latest_value() {
    let hours = |column: &str, hours: u64| {
        seen(&fresh(column, Duration::from_secs(hours * 3_600)), &bounds()).unwrap().staleness()
    };
    assert_eq!(hours("at", 25), (true, Some("2024-05-02T23:00:00Z".to_owned())));
    assert!(!hours("at", 26).0);
    assert!(!hours("day", 26).0 && hours("day", 24).0, "a day counts to its end");
    assert!(!hours("local", 39).0 && hours("local", 38).0, "without a zone it is UTC");
    let nothing = Tally::new(&fresh("at", Duration::MAX), &schema(), &bounds()).unwrap();
    assert_eq!(nothing.staleness(), (true, None), "no row is fresh");
}

#[test]
fn what_cannot_be_tested_is_told() {
    for (rule, said) in [
        (range("state", Some("a"), None), "no order"),
        (range("id", Some("x"), None), "`x` for the column `id`"),
        (range("amount", Some("much"), None), "is no number"),
        (range("rate", Some("NaN"), None), "no end of a range"),
        (range("size", Some("2"), Some("1.9")), "between `min` and `max`"),
        (range("local", Some("2024-05-02T10:00:01Z"), None), "time zone"),
        (accepted("id", &["one"]), "is no number"),
        (accepted("day", &["2024-13-01"]), "is not a date"),
        (regex("id", "1"), "a pattern is for text"),
        (regex("size", "1"), "a pattern is for text"),
        (regex("state", "a)|(b"), "is no pattern"),
        (fresh("id", Duration::ZERO), "tells no time"),
    ] {
        let error = seen(&rule, &bounds()).err().unwrap_or_else(|| panic!("{said}"));
        assert!(error.kind() == ErrorKind::Config && error.to_string().contains(said), "{said}: {error}");
    }
}
