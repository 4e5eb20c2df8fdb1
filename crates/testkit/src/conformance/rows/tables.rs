//! Tables that are made, or compared with what is there.

use levada_core::error::ErrorKind;
use levada_core::rows::{Check, Column, Kind, OnDelete, Table};
use serde_json::json;

use super::{Place, referring, required, table, unique};
use crate::conformance::Harness;

fn tables() -> Vec<Table> {
    let all = [
        Column { check: Check { max_length: Some(10), ..Check::default() }, ..unique("short") },
        required("integer", Kind::Integer),
        Column::new("decimal", Kind::Decimal { precision: 15, scale: 3 }),
        Column::new("float", Kind::Float),
        required("boolean", Kind::Boolean),
        Column::new("date", Kind::Date),
        Column { unique: true, ..Column::new("timestamp", Kind::Timestamp) },
        Column { unique: true, ..Column::new("uuid", Kind::Uuid) },
        Column::new("json", Kind::Json),
        Column::new("long", Kind::Text),
        referring("code", "coded", OnDelete::SetNull),
        referring("own", "all", OnDelete::Cascade),
    ];
    let mut code = referring("code", "coded", OnDelete::SetNull);
    code.kind = Kind::Text;
    if let Some(reference) = &mut code.references {
        reference.column = "code".to_owned();
    }
    let coded = Table {
        columns: vec![
            Column { check: Check { max_length: Some(20), ..Check::default() }, ..required("code", Kind::Text) },
            referring("all", "all", OnDelete::Restrict),
        ],
        key: "code".to_owned(),
        is_key_given: false,
        soft_delete: false,
        ..table("coded", [])
    };
    let mut all = table("all", all);
    for column in all.columns.iter_mut().filter(|column| column.name == "code") {
        *column = code.clone();
    }
    vec![all, coded]
}

/// Tables that refer to each other are made, once; then they fit.
pub async fn tables_are_made_once_and_fit_afterwards(harness: &dyn Harness) {
    let place = Place::new(harness, tables()).await;
    let again = place.again(harness);
    let ensured = again.rows.ensure(&again.tables).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(ensured.iter().all(|table| !table.created) && ensured.len() == 2, "{ensured:?}");
    // one more beside them
    let mut more = place.tables.clone();
    more.0.insert("more".to_owned(), table("more", [referring("all", "all", OnDelete::Cascade)]));
    let ensured = place.rows.ensure(&more).await.unwrap();
    assert!(ensured.iter().all(|made| made.created == (made.table == "more")), "{ensured:?}");
    place.insert("coded", vec![json!({"code": "c"})]).await;
    let row = json!({"short": "x", "integer": 1, "boolean": false, "code": "c", "decimal": "999999999999.999"});
    let key = place.insert("all", vec![row]).await.remove(0);
    place.written("coded", levada_core::rows::Action::Patch, vec![json!({"code": "c", "all": key})]).await;
}

/// A table that does not fit is left as it is, and every difference is named.
pub async fn every_difference_is_told_and_nothing_altered(harness: &dyn Harness) {
    let place = Place::new(harness, tables()).await;
    let mut wrong = place.tables.clone();
    let all = wrong.0.get_mut("all").unwrap();
    for column in &mut all.columns {
        match column.name.as_str() {
            "short" => column.kind = Kind::Integer,
            "integer" => column.required = false,
            "date" => column.required = true,
            "float" => column.kind = Kind::Decimal { precision: 5, scale: 1 },
            "decimal" => column.unique = true,
            "boolean" => column.kind = Kind::Uuid,
            "json" => column.kind = Kind::Text,
            _ => {}
        }
    }
    all.columns.push(Column::new("new", Kind::Text));
    all.columns.retain(|column| column.name != "uuid");
    let error = place.rows.ensure(&wrong).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Schema);
    for word in ["`short`", "`integer`", "`date`", "`float`", "`decimal`", "`boolean`", "`json`", "`new`"] {
        assert!(error.message().contains(word), "{word}: {error}");
    }
    for word in ["`uuid`", "`timestamp`", "`long`", "`own`", "`coded`"] {
        assert!(!error.message().contains(word), "{word}: {error}");
    }
    place.rows.ensure(&place.tables).await.unwrap();
    let mut hard = place.tables.clone();
    hard.0.get_mut("coded").unwrap().soft_delete = true;
    let error = place.rows.ensure(&hard).await.unwrap_err();
    assert!(error.message().contains("`deleted_at`"), "{error}");
}

/// Processes that start at once make the same tables without an error.
pub async fn several_make_the_same_tables_at_once(harness: &dyn Harness) {
    let tables = levada_core::rows::Tables(tables().into_iter().map(|table| (table.name.clone(), table)).collect());
    let connections: Vec<_> = (0..4).map(|_| harness.connection().rows().unwrap()).collect();
    let made = futures_util::future::join_all(connections.iter().map(|rows| rows.ensure(&tables))).await;
    for result in made {
        result.unwrap_or_else(|error| panic!("{error}"));
    }
}
