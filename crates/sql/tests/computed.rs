//! Columns that a sync computes from those of their row.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_schema::Schema;
use levada_core::batch::Data;
use levada_core::connector::Connection;
use levada_core::error::{ErrorKind, Result};
use levada_core::query::QueryEngine;
use levada_core::schema::{self, parse_type, type_name};
use levada_core::source::{OVERLAP_COLUMN, ReadMode, Source};
use levada_sql::Sql;
use levada_testkit::memory::Memory;
use levada_testkit::rows::{self, Row, row};

use crate::support::everything;

fn people() -> Arc<dyn Source> {
    let memory = Memory::new();
    let fields = [("id", "int64"), ("mail", "text"), ("born", "date"), ("seen", "int64")].map(|(name, kind)| {
        let (data_type, logical) = parse_type(kind).unwrap();
        schema::field(name, data_type, true, &format!("memory:{kind}"), logical)
    });
    let rows: Vec<Row> = (0..1000)
        .map(|n| {
            let mail = format!("P{n}@Example.org");
            row(&[
                Some(&n.to_string()),
                (n % 10 != 3).then_some(mail.as_str()),
                Some("1990-05-17"),
                Some(&n.to_string()),
            ])
        })
        .collect();
    memory.put("people", &Arc::new(Schema::new(fields.to_vec())), rows);
    (Arc::new(memory) as Arc<dyn Connection>).source().unwrap()
}

fn computed(columns: &[(&str, &str)]) -> Arc<dyn Source> {
    let columns: BTreeMap<String, String> =
        columns.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    assert_eq!(Sql::new().check_columns(&columns).len(), 0);
    Sql::new().computed(people(), columns)
}

/// The columns, the rows, and the reasons of those that are rejected.
async fn read(source: &dyn Source) -> Result<(Vec<String>, Vec<Row>, Vec<String>)> {
    let info = source.discover(Some("people")).await?.remove(0);
    let columns = info.schema.fields().iter().map(|f| format!("{} {}", f.name(), type_name(f))).collect();
    let (mut all, mut reasons) = (Vec::new(), Vec::new());
    for mut reader in source.read(everything(info.clone())).await?.readers {
        while let Some(batch) = reader.next().await? {
            reasons.extend(batch.rejects.into_iter().map(|reject| reject.reason));
            let Data::Arrow(batch) = batch.data else { panic!("raw rows") };
            assert_eq!(batch.schema().fields(), info.schema.fields());
            all.extend(rows::of(&batch));
        }
    }
    all.sort_by_key(|row| row[0].as_ref().unwrap().parse::<i64>().unwrap());
    Ok((columns, all, reasons))
}

#[tokio::test]
async fn columns_are_replaced_and_added() {
    let source = computed(&[("mail", "lower(mail)"), ("year", "extract(year FROM born)"), ("twice", "id * 2")]);
    let (columns, rows, reasons) = read(source.as_ref()).await.unwrap();
    assert_eq!(columns[..4], ["id int64", "mail text", "born date", "seen int64"]);
    assert_eq!((columns.len(), rows.len(), reasons.len()), (6, 1000, 0));
    let at = |name: &str| columns.iter().position(|column| column.starts_with(name)).unwrap();
    assert_eq!(rows[7][at("mail")].as_deref(), Some("p7@example.org"));
    assert_eq!(rows[3][at("mail")], None);
    assert_eq!((rows[7][at("twice")].as_deref(), rows[7][at("year")].as_deref()), (Some("14"), Some("1990")));
}

#[tokio::test]
async fn rows_for_which_an_expression_fails_are_rejects_and_the_others_are_not() {
    let source = computed(&[("part", "100 / (id % 500 - 17)")]);
    let (_, rows, reasons) = read(source.as_ref()).await.unwrap();
    assert_eq!((rows.len(), reasons.len()), (998, 2));
    assert!(reasons.iter().all(|reason| reason.contains("divided by zero")), "{reasons:?}");
    assert!(rows.iter().all(|row| row[0].as_deref() != Some("17") && row[0].as_deref() != Some("517")));
}

#[tokio::test]
async fn expressions_see_columns_as_they_are_at_the_source() {
    let source = computed(&[("id", "id + 1"), ("seen", "id")]);
    let (_, rows, _) = read(source.as_ref()).await.unwrap();
    assert_eq!((rows[0][0].as_deref(), rows[0][3].as_deref()), (Some("1"), Some("0")));
}

#[tokio::test]
async fn what_sees_more_than_its_row_is_refused() {
    for text in [
        "sum(id)",
        "row_number() OVER (ORDER BY id)",
        "(SELECT max(id) FROM m.people)",
        "id IN (SELECT 1)",
        "nothing_like_it",
        "$x",
        "id, mail",
        "id FROM m.people",
        "now()",
        "",
    ] {
        let columns = BTreeMap::from([("x".to_owned(), text.to_owned())]);
        let told = Sql::new().check_columns(&columns);
        let error = match told.into_iter().next() {
            Some((column, error)) => {
                assert_eq!(column, "x");
                error
            }
            None => Sql::new().computed(people(), columns).discover(Some("people")).await.unwrap_err(),
        };
        assert_eq!(error.kind(), ErrorKind::Config, "{text}: {error}");
        assert!(!error.advice().is_empty(), "{text}: {error}");
    }
}

#[tokio::test]
async fn incremental_reads_keep_their_mark_and_position() {
    let source = computed(&[("mail", "sha256(mail)")]);
    let info = source.discover(Some("people")).await.unwrap().remove(0);
    let mode = ReadMode::Incremental { cursor: Some("seen".to_owned()), from: None, lag: None, mark_overlap: true };
    let mut request = everything(info.clone());
    request.mode = mode;
    let mut extract = source.read(request).await.unwrap();
    assert_eq!(extract.position.as_ref().unwrap().0["cursor"], "999");
    let mut marked = 0;
    for reader in &mut extract.readers {
        while let Some(batch) = reader.next().await.unwrap() {
            let Data::Arrow(batch) = batch.data else { panic!("raw rows") };
            let last = batch.num_columns() - 1;
            assert_eq!(batch.schema().field(last).name(), OVERLAP_COLUMN);
            let marks = rows::of(&batch.project(&[last]).unwrap());
            marked += marks.iter().filter(|mark| mark[0].as_deref() == Some("true")).count();
        }
    }
    assert_eq!(marked, 1);
    // what is computed cannot be the cursor
    let source = computed(&[("seen", "seen + 1")]);
    assert!(source.check_cursor(info.schema.field_with_name("seen").unwrap(), None).is_err());
}

#[tokio::test]
async fn the_key_is_kept_unless_it_is_computed() {
    let source = computed(&[("mail", "sha256(mail)")]);
    let info = source.discover(Some("people")).await.unwrap().remove(0);
    let origins = source.origins(&info).await.unwrap().unwrap();
    let mail = origins[0].columns.iter().find(|edge| edge.to == "mail").unwrap();
    assert_eq!((origins[0].dataset.as_str(), serde_json::to_value(mail.how).unwrap()), ("people", "hashed".into()));
}
