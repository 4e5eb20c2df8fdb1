//! What a source is told of the WHERE and the LIMIT of a query, and that the answer is the same whether it makes use of it.

use std::sync::{Arc, Mutex};

use arrow_schema::Schema;
use futures_util::future::BoxFuture;
use levada_core::condition::{Comparison, Condition, Test};
use levada_core::connector::{CheckStep, Connection};
use levada_core::destination::Destination;
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::schema::{self, parse_type};
use levada_core::source::{Extract, ReadRequest, Source, StreamInfo};
use levada_testkit::memory::Memory;
use levada_testkit::rows::{Row, row};

use crate::support::{query, run};

/// A connection that notes what it is asked for, and leaves out nothing.
struct Told {
    source: Arc<dyn Source>,
    asked: Mutex<Vec<ReadRequest>>,
}

impl Told {
    fn new() -> Arc<Self> {
        let memory = Memory::new();
        let columns = [
            ("id", "int32"),
            ("big", "int64"),
            ("price", "decimal(10,2)"),
            ("ratio", "float64"),
            ("name", "text"),
            ("day", "date"),
            ("at", "timestamp"),
            ("seen", "timestamptz"),
        ];
        let fields = columns.map(|(name, kind)| {
            let (data_type, logical) = parse_type(kind).unwrap();
            schema::field(name, data_type, true, &format!("memory:{kind}"), logical)
        });
        let rows: Vec<Row> = (0..20)
            .map(|n| {
                let texts = [
                    n.to_string(),
                    (n * 1000).to_string(),
                    format!("{n}.50"),
                    format!("{n}.25"),
                    format!("name {n}"),
                    format!("2026-01-{:02}", n + 1),
                    format!("2026-01-{:02}T12:00:00", n + 1),
                    format!("2026-01-{:02}T12:00:00Z", n + 1),
                ];
                row(&texts.each_ref().map(|text| Some(text.as_str())))
            })
            .collect();
        memory.put("t", &Arc::new(Schema::new(fields.to_vec())), rows);
        let source = (Arc::new(memory) as Arc<dyn Connection>).source().unwrap();
        Arc::new(Self { source, asked: Mutex::default() })
    }
}

impl Connection for Told {
    fn address(&self) -> String {
        "told".to_owned()
    }

    fn source(self: Arc<Self>) -> Result<Arc<dyn Source>> {
        Ok(self)
    }

    fn destination(self: Arc<Self>) -> Result<Arc<dyn Destination>> {
        Err(Error::new(ErrorKind::Unsupported, "read only"))
    }

    fn check(&self) -> BoxFuture<'_, Vec<CheckStep>> {
        Box::pin(async { Vec::new() })
    }
}

impl Source for Told {
    fn discover<'a>(&'a self, selector: Option<&'a str>) -> BoxFuture<'a, Result<Vec<StreamInfo>>> {
        self.source.discover(selector)
    }

    fn read<'a>(&'a self, request: ReadRequest) -> BoxFuture<'a, Result<Extract>> {
        self.asked.lock().unwrap().push(request.clone());
        self.source.read(request)
    }
}

/// What is asked for by a query, and the rows it puts out.
async fn asked(sql: &str) -> (Vec<String>, Option<u64>, Vec<Row>) {
    let (told, spill) = (Told::new(), tempfile::tempdir().unwrap());
    let (_, mut rows) = run(query(sql, &[("m", told.clone())], spill.path())).await.unwrap();
    rows.sort();
    let requests = told.asked.lock().unwrap().clone();
    assert_eq!(requests.len(), 1, "{sql}");
    let mut only: Vec<String> = requests[0].only.iter().map(shown).collect();
    only.sort();
    (only, requests[0].limit, rows)
}

fn shown(condition: &Condition) -> String {
    let test = match &condition.test {
        Test::IsNull => "is null".to_owned(),
        Test::IsNotNull => "is not null".to_owned(),
        Test::Compare(comparison, value) => format!("{} {value}", Comparison::sql(*comparison)),
        Test::OneOf(values) => format!("in {}", values.join(" ")),
    };
    format!("{} {test}", condition.column)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_every_system_compares_alike_is_told() {
    for (filter, only, rows) in [
        ("id = 3", "id = 3", 1),
        ("5 > id", "id < 5", 5),
        ("id BETWEEN 2 AND 4", "id <= 4, id >= 2", 3),
        ("big >= 18000 AND name = 'name 19'", "big >= 18000, name = name 19", 1),
        ("id IN (1, 2, 99)", "id in 1 2 99", 2),
        ("id = 1 OR id = 2", "id in 1 2", 2),
        ("id IN (1, 2, 3, 4, 5, 6)", "id in 1 2 3 4 5 6", 6),
        ("price > 17.5", "price > 17.50", 2),
        ("price >= 18", "price >= 18.00", 2),
        ("day < '2026-01-03'", "day < 2026-01-03", 2),
        ("at >= '2026-01-19 12:00:00'", "at >= 2026-01-19T12:00:00", 2),
        ("seen > '2026-01-19T07:00:00-05:00'", "seen > 2026-01-19T12:00:00Z", 1),
        ("name IS NULL", "name is null", 0),
        ("name IS NOT NULL", "name is not null", 20),
        ("name = 'it''s' OR name = 'name 7'", "name in it's name 7", 1),
    ] {
        let (told, limit, found) = asked(&format!("SELECT id FROM m.t WHERE {filter}")).await;
        assert_eq!((told.join(", ").as_str(), limit, found.len()), (only, None, rows), "{filter}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_systems_compare_in_their_own_way_is_not() {
    for (filter, rows) in [
        ("id <> 3", 19),
        ("NOT id IN (1, 2)", 18),
        ("ratio < 3.0e0", 3),
        ("lower(name) = 'name 4'", 1),
        ("id + 1 = 3", 1),
        ("id = 1 OR name = 'name 4'", 2),
        ("id = big", 1),
        ("CAST(name AS TEXT) || '' = 'name 4'", 1),
    ] {
        let (told, _, found) = asked(&format!("SELECT id FROM m.t WHERE {filter}")).await;
        assert_eq!((told.join(", ").as_str(), found.len()), ("", rows), "{filter}");
    }
    // a text is less by the code points of its signs here, and by a collation there: whether that is told is up to the source
    let (told, _, found) = asked("SELECT id FROM m.t WHERE name < 'name 2'").await;
    assert_eq!((told.join(", ").as_str(), found.len()), ("name < name 2", 12));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_is_told_where_any_rows_will_do() {
    let (_, limit, rows) = asked("SELECT id FROM m.t LIMIT 3").await;
    assert_eq!((limit, rows.len()), (Some(3), 3));
    let (_, limit, rows) = asked("SELECT id FROM m.t LIMIT 3 OFFSET 2").await;
    assert_eq!((limit, rows.len()), (Some(5), 3));
    // those that are left out must not be among them
    let (_, limit, rows) = asked("SELECT id FROM m.t WHERE id > 10 LIMIT 3").await;
    assert_eq!((limit, rows.len()), (None, 3));
    let (_, limit, rows) = asked("SELECT id FROM m.t ORDER BY id DESC LIMIT 2").await;
    assert_eq!(limit, None);
    assert_eq!(rows, [row(&[Some("18")]), row(&[Some("19")])]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outer_join_keeps_the_rows_that_its_condition_is_not_about() {
    let (told, spill) = (Told::new(), tempfile::tempdir().unwrap());
    let sql = "SELECT a.id AS a, b.id AS b FROM m.t a LEFT JOIN m.t b ON a.id = b.id AND b.id < 2 AND a.id < 5";
    let (_, rows) = run(query(sql, &[("m", told.clone())], spill.path())).await.unwrap();
    assert_eq!(rows.len(), 20);
    assert_eq!(rows.iter().filter(|row| row[1].is_some()).count(), 2);
}
