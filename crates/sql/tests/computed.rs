//! Columns that a sync computes from those of their row.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_schema::Schema;
use levada_core::batch::{Data, Reject};
use levada_core::connector::Connection;
use levada_core::error::{ErrorKind, Result};
use levada_core::query::QueryEngine;
use levada_core::schema::{self, parse_type, type_name};
use levada_core::secret::Secret;
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
    let keys = BTreeMap::from([("pseudonym".to_owned(), Secret::new("s3cret-key"))]);
    let told = Sql::new().check_columns(&columns, &keys.keys().cloned().collect());
    assert!(told.is_empty(), "{told:?}");
    Sql::new().computed(people(), columns, keys)
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
        // a key is no value, and nothing else is a key
        "$k",
        "mail || $k",
        "hmac_sha256($k, 'key')",
        "hmac_sha256(mail, $k || 'x')",
        "hmac_sha256(mail, $other)",
        "mask($k, 1, 1)",
        "hmac_sha256(mail, '')",
        "hmac_sha256(mail, NULL)",
        "hmac_sha256(mail, id)",
        "hmac_sha256(mail)",
        "mask(mail, id, 1)",
        "mask(mail, -1, 1)",
        "date_shift(mail, 'k', 3)",
        "date_shift(born, 'k', 0)",
        "fake('iban', mail, 'k')",
        "fake(mail, mail, 'k')",
        "\"BY KEY hmac_sha256\"(mail, 'k')",
    ] {
        let columns = BTreeMap::from([("x".to_owned(), text.to_owned())]);
        let told = Sql::new().check_columns(&columns, &BTreeSet::from(["k".to_owned()]));
        let error = match told.into_iter().next() {
            Some((column, error)) => {
                assert_eq!(column, "x");
                error
            }
            None => {
                let keys = BTreeMap::from([("k".to_owned(), Secret::new("s3cret-key"))]);
                Sql::new().computed(people(), columns, keys).discover(Some("people")).await.unwrap_err()
            }
        };
        assert_eq!(error.kind(), ErrorKind::Config, "{text}: {error}");
        assert!(!error.advice().is_empty(), "{text}: {error}");
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{text}: {error:?}");
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

#[tokio::test]
async fn values_are_hidden_the_same_way_wherever_they_are() {
    let source = computed(&[
        ("mail", "hmac_sha256(mail, $pseudonym)"),
        ("plain", "hmac_sha256(mail, 's3cret-key')"),
        ("digest", "sha256(id)"),
        ("part", "mask(mail, 1, 4)"),
        ("born", "date_shift(born, hmac_sha256(id, $pseudonym), 30)"),
        ("moved", "date_shift(born, $pseudonym, 30)"),
        ("name", "fake('name', mail, $pseudonym)"),
    ]);
    let (columns, rows, reasons) = read(source.as_ref()).await.unwrap();
    assert_eq!((rows.len(), reasons.len()), (1000, 0), "{reasons:?}");
    assert!(columns.contains(&"born date".to_owned()) && columns.contains(&"digest text".to_owned()), "{columns:?}");
    let at = |name: &str| columns.iter().position(|column| column.split(' ').next() == Some(name)).unwrap();
    let of = |row: usize, name: &str| rows[row][at(name)].as_deref();
    // by another implementation: openssl dgst -sha256 -hmac s3cret-key, and sha256sum
    assert_eq!(of(7, "mail"), Some(HMAC_OF_P7));
    assert_eq!(of(7, "plain"), of(7, "mail"));
    assert_eq!(of(7, "digest"), Some("7902699be42c8a8e46fbbb4501726517e86b22c56a189f7625a6da49081b2451"));
    assert_eq!(of(7, "part"), Some("P*********.org"));
    for name in ["mail", "plain", "part", "name"] {
        assert_eq!(of(3, name), None, "NULL stays NULL: {name}");
    }
    let days: BTreeSet<_> = (0..1000).map(|row| of(row, "born").unwrap()).collect();
    assert!(days.len() > 40 && days.len() <= 60 && !days.contains("1990-05-17"), "{days:?}");
    let moved: BTreeSet<_> = (0..1000).map(|row| of(row, "moved").unwrap()).collect();
    assert_eq!(moved.len(), 1, "one key, one number of days");
    let again = read(source.as_ref()).await.unwrap().1;
    assert_eq!(rows, again);
    // another key hides otherwise
    let columns = BTreeMap::from([("mail".to_owned(), "hmac_sha256(mail, $k)".to_owned())]);
    let keys = BTreeMap::from([("k".to_owned(), Secret::new("another"))]);
    let other = read(Sql::new().computed(people(), columns, keys).as_ref()).await.unwrap().1;
    assert_ne!(other[7][1], again[7][1]);
}

/// HMAC-SHA256 of `P7@Example.org` by `s3cret-key`.
const HMAC_OF_P7: &str = "3d39c2fd6934e74ddba2a6a8413c54d50ee9856fbc4e3971bd154d442c1d2b84";

#[tokio::test]
async fn a_reject_holds_only_what_comes_out_as_it_is() {
    // `mail` is replaced, `born` is read by an expression and comes out too
    let source = computed(&[("mail", "CAST(mail AS INT)"), ("age", "2026 - extract(year FROM born)")]);
    let rejects = rejects(source.as_ref(), &["id", "mail", "born", "age"]).await;
    assert_eq!(rejects.len(), 900);
    for reject in &rejects {
        assert_eq!(reject.column.as_deref(), Some("mail"));
        assert!(!reject.row.contains('@') && !reject.reason.contains('@'), "{reject:?}");
        assert!(reject.row.contains("\"born\":\"1990-05-17\"") && reject.row.contains("\"id\""), "{reject:?}");
        assert!(reject.reason.contains("might tell of `mail`"), "{reject:?}");
    }
    // `mail` itself is left out, and something made of it fails
    let source = computed(&[("code", "CAST(split_part(mail, '@', 1) AS INT)")]);
    let left_out = self::rejects(source.as_ref(), &["id", "code"]).await;
    assert!(
        left_out.iter().all(|reject| !reject.row.contains("xample") && !reject.reason.contains('P')),
        "{left_out:?}"
    );
    // where all that it is made of is there anyway, why is told
    let kept = self::rejects(source.as_ref(), &["id", "mail", "code"]).await;
    assert!(kept.iter().all(|reject| reject.row.contains("xample") && reject.reason.contains('P')), "{kept:?}");
}

/// The rejects of a read of these columns.
async fn rejects(source: &dyn Source, columns: &[&str]) -> Vec<Reject> {
    let info = source.discover(Some("people")).await.unwrap().remove(0);
    let fields = columns.iter().map(|name| info.schema.field_with_name(name).unwrap().clone());
    let mut request = everything(info.clone());
    request.columns = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let mut all = Vec::new();
    for mut reader in source.read(request).await.unwrap().readers {
        while let Some(batch) = reader.next().await.unwrap() {
            all.extend(batch.rejects);
        }
    }
    all
}

#[tokio::test]
async fn constants_alone_have_a_row_for_each_row() {
    let source = computed(&[("tenant", "'acme'")]);
    let info = source.discover(Some("people")).await.unwrap().remove(0);
    let mut request = everything(info.clone());
    request.columns = Arc::new(Schema::new(vec![info.schema.field_with_name("tenant").unwrap().clone()]));
    let mut rows = 0;
    for mut reader in source.read(request).await.unwrap().readers {
        while let Some(batch) = reader.next().await.unwrap() {
            let Data::Arrow(batch) = batch.data else { panic!("raw rows") };
            assert_eq!((batch.num_columns(), batch.schema().field(0).name().as_str()), (1, "tenant"));
            rows += batch.num_rows();
        }
    }
    assert_eq!(rows, 1000);
}
