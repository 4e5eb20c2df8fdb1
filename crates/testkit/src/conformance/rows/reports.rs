//! Queries with parameters.

use std::time::Duration;

use levada_core::error::ErrorKind;
use levada_core::rows::{Answer, Cell, Kind, ReportRequest, Statement};
use levada_core::text;
use serde_json::json;

use super::{Place, required, table, unique};
use crate::conformance::Harness;

fn request(sql: &str, params: &[(&str, Kind, &str)]) -> ReportRequest {
    let value =
        |(name, kind, text): &(&str, Kind, &str)| ((*name).to_owned(), *kind, Cell::from_text(*kind, text).unwrap());
    ReportRequest {
        statement: Statement::parse(sql),
        params: params.iter().map(value).collect(),
        rows_max: 1_000,
        bytes_max: 1 << 20,
        time_max: Duration::from_secs(2),
    }
}

fn texts(answer: &Answer) -> Vec<Vec<Option<String>>> {
    let rows = |batch: &arrow_array::RecordBatch| -> Vec<Vec<Option<String>>> {
        (0..batch.num_rows())
            .map(|row| batch.columns().iter().map(|column| text::value(column, row)).collect())
            .collect()
    };
    answer.batches.iter().flat_map(rows).collect()
}

async fn place(harness: &dyn Harness) -> Place {
    let money = Kind::Decimal { precision: 12, scale: 2 };
    let columns = [unique("name"), required("paid", money), required("day", Kind::Date)];
    let place = Place::new(harness, [table("sale", columns)]).await;
    let rows = [("a", "1.10", "2024-01-01"), ("b", "2.20", "2024-02-01"), ("it's", "3.30", "2024-03-01")];
    place.insert("sale", rows.map(|(name, paid, day)| json!({"name": name, "paid": paid, "day": day})).to_vec()).await;
    place
}

/// Values stand where a parameter stands, as often as it does, and are never a part of the query.
pub async fn parameters_are_bound(harness: &dyn Harness) {
    let place = place(harness).await;
    let sql = "SELECT name, paid, day AS \"the day\" FROM sale -- not :this\n \
               WHERE day >= :from AND (name = :name OR name <> :name) AND name <> ':from' ORDER BY name DESC";
    let sql = harness.report_sql(sql);
    for name in ["a", "it's", "'; DROP TABLE sale; --", "\\"] {
        let params = [("from", Kind::Date, "2024-02-01"), ("name", Kind::Text, name)];
        let answer = place.rows.report(&request(&sql, &params)).await.unwrap_or_else(|error| panic!("{error}"));
        let names: Vec<&String> = answer.schema.fields().iter().map(|field| field.name()).collect();
        assert_eq!(names, ["name", "paid", "the day"]);
        let found = texts(&answer);
        assert_eq!(found[0], [Some("it's".to_owned()), Some("3.30".to_owned()), Some("2024-03-01".to_owned())]);
        assert_eq!(found.len(), 2, "{found:?}");
    }
    let params = [("least", Kind::Decimal { precision: 5, scale: 2 }, "2.2"), ("few", Kind::Integer, "2")];
    let sql = "SELECT count(*) AS many, sum(paid) AS total FROM sale WHERE paid >= :least HAVING count(*) >= :few";
    let answer = place.rows.report(&request(sql, &params)).await.unwrap_or_else(|error| panic!("{error}"));
    let found = texts(&answer);
    assert_eq!(found[0][0].as_deref(), Some("2"));
    assert_eq!(found[0][1].as_deref().unwrap().parse::<f64>().unwrap(), 5.5);
    let none = request("SELECT name, paid FROM sale WHERE 1 = 0", &[]);
    let answer = place.rows.report(&none).await.unwrap();
    assert_eq!((answer.schema.fields().len(), answer.batches.len()), (2, 0));
}

/// What would change something is refused.
pub async fn reports_change_nothing(harness: &dyn Harness) {
    let place = place(harness).await;
    for sql in [
        "DELETE FROM sale",
        "DELETE FROM sale RETURNING name",
        "INSERT INTO sale (name) VALUES ('x')",
        "SELECT 1; DELETE FROM sale",
        "SELECT 1); DELETE FROM sale; --",
        "DROP TABLE sale",
        "SELEKT",
        "SELECT nothing FROM sale",
        "SELECT :undeclared_is_null; SELECT 1",
    ] {
        let error = place.rows.report(&request(sql, &[])).await.map(|answer| texts(&answer)).expect_err(sql);
        assert!(matches!(error.kind(), ErrorKind::Refused | ErrorKind::Data), "{sql}: {error:?}");
    }
    assert_eq!(place.all("sale", "id").await.len(), 3);
}

/// An answer over its limits is no answer.
pub async fn answers_are_whole_or_refused(harness: &dyn Harness) {
    let place = place(harness).await;
    let sql = "SELECT a.name FROM sale a CROSS JOIN sale b CROSS JOIN sale c";
    let mut limited = request(sql, &[]);
    assert_eq!(texts(&place.rows.report(&limited).await.unwrap()).len(), 27);
    limited.rows_max = 27;
    assert_eq!(texts(&place.rows.report(&limited).await.unwrap()).len(), 27);
    limited.rows_max = 26;
    assert_eq!(place.rows.report(&limited).await.unwrap_err().kind(), ErrorKind::Refused);
    limited.rows_max = 27;
    limited.bytes_max = 100;
    assert_eq!(place.rows.report(&limited).await.unwrap_err().kind(), ErrorKind::Refused);
    let joins: Vec<String> = (0..18).map(|n| format!("CROSS JOIN sale t{n}")).collect();
    let slow = request(&format!("SELECT count(*) AS c FROM sale s {}", joins.join(" ")), &[]);
    let started = std::time::Instant::now();
    let error = place.rows.report(&slow).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
    assert!(started.elapsed().as_secs() < 8);
}
