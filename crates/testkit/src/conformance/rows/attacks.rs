//! Names and values that try to be more than names and values.

use std::collections::BTreeSet;

use levada_core::rows::{Action, Column, Filter, Kind, ListRequest, Look, OnDelete, Sort, Table};
use serde_json::{Map, Value, json};

use super::{Place, referring, table, unique};
use crate::conformance::Harness;

const ODD: [&str; 24] = [
    "\"; DROP TABLE victim; --",
    "`; DROP TABLE victim; --",
    "'; DROP TABLE victim; --",
    "]; DROP TABLE victim; --",
    "a\"b",
    "a`b",
    "a'b",
    "a\\b",
    "\\\"",
    "\"\"",
    "``",
    "$1",
    "?",
    ":x",
    "/* x */",
    "-- x",
    "select",
    "naïve größe",
    "名前",
    "%s",
    "a.b",
    "tab\tname",
    "${x}",
    "*",
];

/// Names of all sorts, no two of them the same when case is ignored; every one is legal everywhere.
fn names(count: usize) -> Vec<String> {
    let alphabet: Vec<char> = "aBz09_ \"`'\\;-/*.,()[]{}$?:%@#&|<>=!~^+éßЖ中\u{200d}\u{a0}".chars().collect();
    let mut names: Vec<String> = ODD.iter().map(|name| (*name).to_owned()).collect();
    let mut seen: BTreeSet<String> = names.iter().map(|name| name.to_lowercase()).collect();
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    while names.len() < count {
        let length = 1 + next(18);
        let name: String = (0..length).map(|_| alphabet[next(alphabet.len())]).collect();
        // what collations take for the same is the same to some databases
        let folded = name.to_lowercase().replace('é', "e").replace('ß', "ss").replace(['\u{200d}', '\u{a0}'], "");
        if !name.ends_with([' ', '\u{a0}']) && !name.starts_with(' ') && !folded.is_empty() && seen.insert(folded) {
            names.push(name);
        }
    }
    names
}

/// 500 odd names of columns, and every odd name of a table, are created, written, filtered, sorted and read back.
pub async fn odd_names_are_only_names(harness: &dyn Harness) {
    let victim = Place::new(harness, [table("victim", [unique("name")])]).await;
    victim.insert("victim", vec![json!({"name": "here"})]).await;
    let all = names(500);
    for (number, names) in all.chunks(125).enumerate() {
        let columns = names.iter().map(|name| Column::new(name, Kind::Integer));
        let wide = Table { table: format!("wide \"`'{number}"), ..table("wide", columns) };
        let place = Place::new(harness, [wide]).await;
        place.rows.ensure(&place.tables).await.unwrap_or_else(|error| panic!("{error}"));
        let values = |plus: usize| -> Map<String, Value> {
            names.iter().enumerate().map(|(at, name)| (name.clone(), json!(at + plus))).collect()
        };
        let keys = place.insert("wide", vec![Value::Object(values(0)), Value::Object(values(1_000))]).await;
        let mut patch = values(2_000);
        patch.insert("id".to_owned(), keys[1].clone());
        place.written("wide", Action::Patch, vec![Value::Object(patch)]).await;
        let table = place.tables.get("wide").unwrap();
        for (at, name) in names.iter().enumerate() {
            let filters = vec![Filter::parse(table, name, "ge", &format!("{}", at + 1)).unwrap()];
            let sort = vec![Sort { column: name.clone(), descending: true }];
            let request = ListRequest { filters, sort, limit: 1, ..ListRequest::default() };
            let page = place.page("wide", &request).await;
            assert_eq!(page.rows.len(), 1, "{name}");
            assert_eq!(page.rows[0][name], json!(at + 2_000), "{name}");
        }
    }
    for (number, name) in ODD.into_iter().enumerate() {
        // a unique name and a reference are indexes and constraints
        let columns = [unique(name), referring("own", "odd", OnDelete::Cascade)];
        let odd = Table { table: format!("{name} {number}x"), ..table("odd", columns) };
        let place = Place::new(harness, [odd]).await;
        let keys = place.insert("odd", vec![json!({name: "a"}), json!({name: "b"})]).await;
        let rows = vec![json!({name: "a", "own": keys[1]}), json!({name: "c", "own": keys[0]})];
        place.written("odd", Action::Upsert { by: name.to_owned() }, rows).await;
        let look = Look { with_deleted: true, expand: vec!["own".to_owned()] };
        assert_eq!(place.look("odd", &keys[0], &look).await.unwrap()["own"][name], "b");
        place.written("odd", Action::Delete, vec![json!({"id": keys[1]})]).await;
        assert!(place.all("odd", "id").await.is_empty());
        place.rows.ensure(&place.tables).await.unwrap_or_else(|error| panic!("{error}"));
    }
    assert_eq!(victim.all("victim", "name").await, [json!("here")]);
}

/// Values that look like SQL are stored, found and compared as they are.
pub async fn odd_values_are_only_values(harness: &dyn Harness) {
    let place = Place::new(harness, [table("victim", [unique("name")])]).await;
    // a wide collation may take some of them for the same, and trailing blanks do not count everywhere
    let mut values: Vec<String> = names(300);
    values.extend(
        ["' OR '1'='1", "\\' OR 1=1 -- ", "1); DELETE FROM victim; --", "\u{feff}", "😀", "a\nb"].map(str::to_owned),
    );
    let rows = values.iter().map(|value| json!({ "name": value })).collect();
    let keys = place.insert("victim", rows).await;
    let table = place.tables.get("victim").unwrap();
    for (value, key) in values.iter().zip(&keys) {
        for operator in ["eq", "starts_with"] {
            let filters = vec![Filter::parse(table, "name", operator, value).unwrap()];
            let request = ListRequest { filters, limit: 500, ..ListRequest::default() };
            let found = place.page("victim", &request).await.rows;
            assert!(found.iter().any(|row| row["id"] == *key && row["name"] == json!(value)), "{operator} {value}");
            assert!(operator != "eq" || found.len() == 1, "{value}");
        }
    }
    assert_eq!(place.all("victim", "id").await.len(), values.len());
}
