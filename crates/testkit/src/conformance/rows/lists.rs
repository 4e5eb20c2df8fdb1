//! Rows out: values, pages, filters and expanded references.

use std::cmp::Ordering;

use levada_core::rows::{Cell, Column, Filter, Kind, ListRequest, Look, OnDelete, Operator, Sort, Table};
use serde_json::{Value, json};

use super::{Place, referring, required, row, table, unique};
use crate::conformance::Harness;

const MONEY: Kind = Kind::Decimal { precision: 12, scale: 2 };

/// One column of each type.
fn kinds() -> Table {
    table(
        "kinds",
        [
            Column::new("text", Kind::Text),
            Column::new("integer", Kind::Integer),
            Column::new("bigint", Kind::Bigint),
            Column::new("decimal", MONEY),
            Column::new("float", Kind::Float),
            Column::new("boolean", Kind::Boolean),
            Column::new("date", Kind::Date),
            Column::new("timestamp", Kind::Timestamp),
            Column::new("uuid", Kind::Uuid),
            Column::new("json", Kind::Json),
        ],
    )
}

/// Every value comes back exactly as it was given.
pub async fn every_type_comes_back(harness: &dyn Harness) {
    let place = Place::new(harness, [kinds()]).await;
    let values = [
        ("text", vec![json!(""), json!("ä 😀 'x' \"y\" \\ \n % _ ;--"), json!(" blank "), json!("NULL")]),
        ("integer", vec![json!(i32::MIN), json!(0), json!(i32::MAX)]),
        ("bigint", vec![json!("-9223372036854775808"), json!(9_007_199_254_740_992_i64), json!("9223372036854775807")]),
        ("decimal", vec![json!("-9999999999.99"), json!("0.00"), json!("0.10"), json!("9999999999.99")]),
        ("float", vec![json!(0.1), json!(-1.5e300), json!(1e-300), json!(2.0), json!(123_456_789.123_456_78)]),
        ("boolean", vec![json!(true), json!(false)]),
        ("date", vec![json!("0001-01-01"), json!("2024-02-29"), json!("9999-12-31")]),
        (
            "timestamp",
            vec![
                json!("2021-07-27T16:02:08Z"),
                json!("1969-12-31T23:59:59.999999Z"),
                json!("9999-12-31T23:59:59.5Z"),
                json!("1000-01-01T00:00:00Z"),
            ],
        ),
        ("uuid", vec![json!("00000000-0000-0000-0000-000000000000"), json!("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")]),
        ("json", vec![json!({"a": [1, null, "x"], "b": {"c": true}}), json!([]), json!("text"), json!(1.5)]),
    ];
    for (column, values) in values {
        for value in values {
            let keys = place.insert("kinds", vec![json!({ column: value })]).await;
            let found = place.get("kinds", &keys[0]).await.unwrap();
            assert_eq!(found[column], value, "{column}");
            assert_eq!(found.values().filter(|value| !value.is_null()).count(), 2, "{found:?}");
            if column != "json" {
                let table = place.tables.get("kinds").unwrap();
                let text = Cell::from_json(table.column(column).unwrap().kind, &value).unwrap();
                let filter = Filter::parse(table, column, "eq", &text.to_text().unwrap()).unwrap();
                let request = ListRequest { filters: vec![filter], limit: 10, ..ListRequest::default() };
                let found = place.page("kinds", &request).await.rows;
                assert_eq!(found.len(), 1, "{column} = {value}: {found:?}");
            }
        }
    }
}

/// Rows of `kinds` with repeated and missing values.
fn many() -> Vec<Value> {
    let some = |given: bool, value: Value| if given { value } else { Value::Null };
    (0..57_i64)
        .map(|n| {
            json!({
                "text": some(n % 5 != 0, json!(["b", "a", "B", "ä", ""][n as usize % 5])),
                "integer": some(n % 4 != 1, json!(n % 3)),
                "bigint": n * 1_000_000_007 % 13,
                "decimal": some(n % 6 != 2, json!(format!("{}.5", n % 7 - 3))),
                "float": some(n % 9 != 2, json!((n % 4) as f64 - 1.5)),
                "boolean": some(n % 3 != 0, json!(n % 2 == 0)),
                "date": some(n % 8 != 7, json!(format!("2024-01-{:02}", n % 6 + 1))),
                "timestamp": some(
                    n % 8 != 6,
                    json!(["2024-01-01T08:00:00Z", "2024-01-01T08:00:00.5Z", "2024-01-01T08:00:00.25Z"][n as usize % 3]),
                ),
                "uuid": some(n % 2 == 0, json!(format!("a0eebc99-9c0b-4ef8-bb6d-0000000000{:02}", n % 5))),
            })
        })
        .collect()
}

/// Pages of any size, in any order, hold every row once; what has no value comes last.
pub async fn pages_hold_every_row_once_in_order(harness: &dyn Harness) {
    let place = Place::new(harness, [kinds()]).await;
    place.insert("kinds", many()).await;
    let table = place.tables.get("kinds").unwrap().clone();
    for (index, column) in table.columns.iter().filter(|column| column.kind.is_ordered()).enumerate() {
        for descending in [false, true] {
            let mut sort = vec![Sort { column: column.name.clone(), descending }];
            if index % 2 == 0 {
                sort.push(Sort { column: "integer".to_owned(), descending: !descending });
            }
            let mut request = ListRequest { sort, limit: 10, ..ListRequest::default() };
            let mut rows = Vec::new();
            loop {
                let page = place.page("kinds", &request).await;
                assert!(page.rows.len() == 10 || page.next.is_none());
                rows.extend(page.rows);
                // as it travels in an address
                let Some(next) = page.next else { break };
                request.after = serde_json::from_str(&json!(next).to_string()).unwrap();
            }
            let ids: std::collections::BTreeSet<i64> = rows.iter().map(|row| row["id"].as_i64().unwrap()).collect();
            assert_eq!((rows.len(), ids.len()), (57, 57), "{} {descending}", column.name);
            for pair in rows.windows(2) {
                let order = request
                    .sort
                    .iter()
                    .map(|sort| {
                        let kind = table.column(&sort.column).unwrap().kind;
                        compare(kind, &pair[0][&sort.column], &pair[1][&sort.column], sort.descending)
                    })
                    .find(|order| order.is_ne());
                let by_key = pair[0]["id"].as_i64().cmp(&pair[1]["id"].as_i64());
                assert_eq!(order.unwrap_or(by_key), Ordering::Less, "{:?}: {pair:?}", request.sort);
            }
        }
    }
}

/// The order of values: texts by code points, NULL last.
fn compare(kind: Kind, a: &Value, b: &Value, descending: bool) -> Ordering {
    match (a.is_null(), b.is_null()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) => {
            let cell = |value: &Value| Cell::from_json(kind, value).unwrap();
            let order = cell(a).compare(&cell(b)).unwrap();
            if descending { order.reverse() } else { order }
        }
    }
}

/// Filters find the rows that a model of them finds.
pub async fn filters_find_what_they_say(harness: &dyn Harness) {
    let place = Place::new(harness, [kinds()]).await;
    let rows = many();
    place.insert("kinds", rows.clone()).await;
    let table = place.tables.get("kinds").unwrap().clone();
    let texts = [
        ("text", "a"),
        ("text", "ä"),
        ("text", ""),
        ("integer", "1"),
        ("bigint", "5"),
        ("decimal", "-0.5"),
        ("float", "0.5"),
        ("boolean", "true"),
        ("date", "2024-01-03"),
        ("timestamp", "2024-01-01T08:00:00Z"),
        ("timestamp", "2024-01-01T09:00:00.250+01:00"),
        ("uuid", "A0EEBC999C0B4EF8BB6D000000000002"),
    ];
    for (name, text) in texts {
        let column = table.column(name).unwrap();
        let wanted = Cell::from_text(column.kind, text).unwrap();
        for (word, operator) in Operator::ALL.into_iter().filter(|(_, operator)| operator.takes(column.kind)) {
            let text = if operator == Operator::IsNull { "true" } else { text };
            let filter = Filter::parse(&table, name, word, text).unwrap();
            let model = |value: &Value| {
                let cell = Cell::from_json(column.kind, value).unwrap();
                let order = cell.compare(&wanted);
                match operator {
                    Operator::Eq | Operator::In => order == Some(Ordering::Equal),
                    Operator::Ne => order != Some(Ordering::Equal),
                    Operator::Lt => order == Some(Ordering::Less),
                    Operator::Le => order.is_some_and(Ordering::is_le),
                    Operator::Gt => order == Some(Ordering::Greater),
                    Operator::Ge => order.is_some_and(Ordering::is_ge),
                    Operator::StartsWith => value.as_str().is_some_and(|value| value.starts_with(text)),
                    Operator::IsNull => value.is_null(),
                }
            };
            let expected = rows.iter().filter(|row| model(&row[name])).count();
            let request = ListRequest { filters: vec![filter], limit: 100, ..ListRequest::default() };
            let found = place.page("kinds", &request).await.rows;
            assert_eq!(found.len(), expected, "{name} {word} {text}");
            assert!(found.iter().all(|row| model(&row[name])), "{name} {word} {text}: {found:?}");
        }
    }
    let both = [("integer", "in", "0,2"), ("text", "is_null", "false"), ("boolean", "eq", "true")];
    let filters = both.map(|(column, word, text)| Filter::parse(&table, column, word, text).unwrap()).to_vec();
    let found = place.page("kinds", &ListRequest { filters, limit: 100, ..ListRequest::default() }).await.rows;
    let expected = |row: &&Value| {
        matches!(row["integer"].as_i64(), Some(0 | 2)) && !row["text"].is_null() && row["boolean"] == json!(true)
    };
    assert_eq!(found.len(), rows.iter().filter(expected).count());
    // characters that mean something in patterns mean themselves
    let place = Place::new(harness, [table_of_names()]).await;
    let names = ["100%", "100x", "a_b", "axb", "back\\slash", "Back", "ä1", "a1"];
    place.insert("names", names.iter().map(|name| json!({ "name": name })).collect()).await;
    for prefix in ["100%", "a_", "back\\", "B", "ä", ""] {
        let filter = Filter::parse(&table_of_names(), "name", "starts_with", prefix).unwrap();
        let request = ListRequest { filters: vec![filter], limit: 100, ..ListRequest::default() };
        let found = place.page("names", &request).await.rows;
        assert_eq!(found.len(), names.iter().filter(|name| name.starts_with(prefix)).count(), "{prefix}");
    }
}

fn table_of_names() -> Table {
    table("names", [required("name", Kind::Text)])
}

/// The rows that rows refer to come in the place of their keys, deleted ones too.
pub async fn references_are_expanded(harness: &dyn Harness) {
    let employee = [
        unique("name"),
        referring("department", "department", OnDelete::SetNull),
        referring("boss", "employee", OnDelete::SetNull),
    ];
    let place = Place::new(harness, [table("department", [unique("name")]), table("employee", employee)]).await;
    let departments = place.insert("department", vec![json!({"name": "A"}), json!({"name": "B"})]).await;
    let ada = place.insert("employee", vec![json!({"name": "Ada", "department": departments[0]})]).await;
    let bob =
        place.insert("employee", vec![json!({"name": "Bob", "department": departments[1], "boss": ada[0]})]).await;
    let look = Look { expand: vec!["department".to_owned(), "boss".to_owned()], ..Look::default() };
    let found = place.look("employee", &bob[0], &look).await.unwrap();
    let department = row(json!({"id": departments[1], "name": "B"}));
    assert_eq!(found["department"], Value::Object(department));
    assert_eq!(found["boss"]["department"], departments[0]);
    let page = place.page("employee", &ListRequest { look, limit: 10, ..ListRequest::default() }).await;
    assert_eq!(page.rows[0]["department"]["name"], "A");
    assert_eq!(page.rows[0]["boss"], Value::Null);
    let wrong = Look { expand: vec!["name".to_owned()], ..Look::default() };
    let request = ListRequest { look: wrong, limit: 1, ..ListRequest::default() };
    assert!(place.rows.list(&place.tables, "employee", &request).await.is_err());
}
