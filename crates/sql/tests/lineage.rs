//! Which columns the columns of a query were made from.

use std::sync::Arc;

use arrow_schema::Schema;
use levada_core::query::QueryEngine;
use levada_core::schema::{self, parse_type};
use levada_sql::Sql;
use levada_testkit::memory::Memory;

use crate::support::{query, stream};

fn tables() -> Memory {
    let memory = Memory::new();
    for (name, columns) in
        [("orders", ["id", "customer", "amount", "day"]), ("customers", ["id", "name", "mail", "city"])]
    {
        let fields = columns.map(|name| {
            let kind = if ["id", "customer", "amount"].contains(&name) { "int64" } else { "text" };
            let (data_type, logical) = parse_type(kind).unwrap();
            schema::field(name, data_type, true, &format!("memory:{kind}"), logical)
        });
        memory.put(name, &Arc::new(Schema::new(fields.to_vec())), Vec::new());
    }
    memory
}

/// The edges of a query, `from>to how`, ordered; a stream without any as its name.
async fn edges(sql: &str) -> Vec<String> {
    let spill = tempfile::tempdir().unwrap();
    let source = Sql::new().source(query(sql, &[("m", Arc::new(tables()))], spill.path())).unwrap();
    let info = stream(source.as_ref()).await.unwrap();
    let mut all = Vec::new();
    for origin in source.origins(&info).await.unwrap().unwrap() {
        assert_eq!(format!("m.{}", origin.info.name), origin.dataset);
        if origin.columns.is_empty() {
            all.push(origin.dataset.clone());
        }
        for edge in origin.columns {
            let how = serde_json::to_value(edge.how).unwrap();
            let table = origin.dataset.strip_prefix("m.").unwrap();
            all.push(format!("{table}.{}>{} {}", edge.from, edge.to, how.as_str().unwrap()));
        }
    }
    all.sort();
    all
}

#[tokio::test]
async fn columns_are_followed_through_all_that_a_query_does() {
    for (sql, wanted) in [
        (
            "SELECT id, day AS d FROM m.orders WHERE amount > 3 ORDER BY customer LIMIT 5",
            vec!["orders.day>d copied", "orders.id>id copied"],
        ),
        (
            "SELECT CAST(id AS TEXT) AS t, sha256(day) AS h, amount + customer AS s FROM m.orders",
            vec!["orders.amount>s computed", "orders.customer>s computed", "orders.day>h hashed", "orders.id>t cast"],
        ),
        // what rows are chosen by makes no column
        (
            "SELECT c.name FROM m.orders o JOIN m.customers c ON c.id = o.customer",
            vec!["customers.name>name copied", "m.orders"],
        ),
        (
            "SELECT c.name, sum(o.amount) AS total, count(*) AS n FROM m.orders o JOIN m.customers c ON c.id = o.customer GROUP BY c.name",
            vec!["customers.name>name copied", "orders.amount>total computed"],
        ),
        (
            "SELECT id FROM m.orders UNION ALL SELECT id FROM m.customers",
            vec!["customers.id>id copied", "orders.id>id copied"],
        ),
        (
            "WITH x AS (SELECT customer, max(amount) AS top FROM m.orders GROUP BY customer) SELECT customer, top * 2 AS twice FROM x",
            vec!["orders.amount>twice computed", "orders.customer>customer copied"],
        ),
        (
            "SELECT id, row_number() OVER (PARTITION BY customer ORDER BY day) AS r FROM m.orders",
            vec!["orders.customer>r computed", "orders.day>r computed", "orders.id>id copied"],
        ),
        (
            "SELECT name, (SELECT max(o.amount) FROM m.orders o WHERE o.customer = c.id) AS top FROM m.customers c",
            vec!["customers.name>name copied", "orders.amount>top computed"],
        ),
        (
            "SELECT name FROM m.customers WHERE id IN (SELECT customer FROM m.orders)",
            vec!["customers.name>name copied", "m.orders"],
        ),
        (
            "SELECT CASE WHEN city = 'x' THEN name ELSE mail END AS who FROM m.customers",
            vec!["customers.city>who computed", "customers.mail>who computed", "customers.name>who computed"],
        ),
        (
            "SELECT a.name AS a, b.name AS b FROM m.customers a FULL JOIN m.customers b ON a.id = b.id",
            vec!["customers.name>a copied", "customers.name>b copied"],
        ),
        ("SELECT 1 AS one", vec![]),
    ] {
        assert_eq!(edges(sql).await, wanted, "{sql}");
    }
}

#[tokio::test]
async fn a_column_that_many_others_are_made_from_is_followed_once() {
    // every level doubles the ways down to the first
    let mut sql = "SELECT id AS a, amount AS b FROM m.orders".to_owned();
    for _ in 0..40 {
        sql = format!("SELECT a + b AS a, a - b AS b FROM ({sql}) x LIMIT 1000");
    }
    assert_eq!(
        edges(&sql).await,
        ["orders.amount>a computed", "orders.amount>b computed", "orders.id>a computed", "orders.id>b computed"]
    );
}
