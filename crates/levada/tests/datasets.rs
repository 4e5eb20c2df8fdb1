//! The catalogue on the command line, on both stores, here and at a server.

use serde_json::{Value, json};

use crate::project::BOTH;
use crate::remote::There;

#[test]
fn what_a_run_loaded_is_listed_shown_and_followed() {
    for kept in BOTH {
        let there = There::new(kept, "datasets");
        assert_eq!(there.json(&["datasets"]), json!({ "datasets": [] }));
        there.told(0, &["start", "load", "--wait"]);
        // the same there and here
        for at_a_server in [true, false] {
            let told = |arguments: &[&str]| match at_a_server {
                true => there.told(0, arguments),
                false => there.project.told(0, arguments),
            };
            let list = told(&["datasets"]);
            assert!(list.contains("inbox.customers.csv") && list.contains("warehouse.customers"), "{list}");
            let found = told(&["datasets", "--search", "AMOUNT", "--connection", "warehouse"]);
            assert!(found.contains("warehouse.customers") && !found.contains("inbox"), "{found}");
            let one = told(&["datasets", "warehouse.customers"]);
            for text in ["made from  inbox.customers.csv", "by         load/sync in run 1", "amount"] {
                assert!(one.contains(text), "{text}: {one}");
            }
            let graph = told(&["lineage", "warehouse.customers", "--column", "amount"]);
            for text in [
                "warehouse.customers is made from\n",
                "inbox.customers.csv  by load/sync",
                ". amount -> amount",
                "warehouse.customers is read for nothing that is known",
            ] {
                assert!(graph.contains(text), "{text}: {graph}");
            }
            assert!(!graph.contains("name"), "{graph}");
            let found = told(&["search", "warehouse.cust"]);
            assert!(found.contains("dataset"), "{found}");
        }
        let one: Value = there.json(&["datasets", "warehouse.customers"]);
        assert_eq!((&one["updates"], &one["columns"], &one["last"]["run"]), (&json!(1), &json!(3), &json!(1)));
        let graph = there.json(&["lineage", "inbox.customers.csv"]);
        assert_eq!(graph["edges"][0]["to"], "warehouse.customers");
        let error = there.refused(1, &["datasets", "warehouse.custmers"]);
        assert!(error.contains("there is no dataset `warehouse.custmers`"), "{error}");
        there.project.refused(2, &["datasets", "warehouse.customers", "--tag", "x"]);
    }
}

const SPENDING: &str = "version: 1
tasks:
  q:
    sql:
      query: SELECT name, sum(CAST(amount AS DECIMAL(18,2))) AS total FROM warehouse.customers WHERE id IS NOT NULL GROUP BY name
      to: { connection: warehouse, stream: spending, columns: { rename: { total: spent } } }
";

#[test]
fn what_a_query_made_is_followed_to_what_it_read() {
    for kept in BOTH {
        let there = There::new(kept, "datasets_sql");
        there.project.write("pipelines/spending.yaml", SPENDING);
        there.project.told(0, &["apply"]);
        there.told(0, &["start", "load", "--wait"]);
        there.told(0, &["start", "spending", "--wait"]);
        let graph: Value = there.json(&["lineage", "warehouse.spending", "--columns"]);
        let edge = |from: &str, to: &str| {
            let edges = graph["edges"].as_array().unwrap();
            edges
                .iter()
                .find(|edge| edge["from"] == from && edge["to"] == to)
                .unwrap_or_else(|| panic!("{graph}"))
                .clone()
        };
        let made = edge("warehouse.customers", "warehouse.spending");
        let columns = json!([
            { "from": "amount", "to": "spent", "how": "computed" },
            { "from": "name", "to": "name", "how": "copied" },
        ]);
        let mut told = made["columns"].as_array().unwrap().clone();
        told.sort_by_key(|edge| edge["from"].to_string());
        assert_eq!(Value::from(told), columns);
        // and further, to what that was made from
        edge("inbox.customers.csv", "warehouse.customers");
        let names = there.told(0, &["datasets"]);
        assert!(!names.contains("query"), "the result of a query is no dataset of its own: {names}");
    }
}
