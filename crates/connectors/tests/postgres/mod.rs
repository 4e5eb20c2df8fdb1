//! The PostgreSQL connector against a real server, in a database of its own.

mod commits;
mod conformance;
mod loads;
mod pump;
mod reads;
mod refused;
mod standby;
mod truth;
mod values;

use std::sync::Arc;

use levada_connectors::registry;
use levada_core::connector::Connection;
use tokio_postgres::{Client, NoTls};
use url::Url;

const DATABASE: &str = "levada_pg_test";

/// A schema of one test, empty at its start.
pub struct Place {
    pub schema: &'static str,
    pub client: Client,
    pub connection: Arc<dyn Connection>,
}

fn url() -> Url {
    let text = std::env::var("LEVADA_TEST_POSTGRES")
        .expect("set LEVADA_TEST_POSTGRES to the URL of a PostgreSQL server (scripts/services starts one)");
    Url::parse(&text).expect("LEVADA_TEST_POSTGRES is a URL")
}

pub fn connect_with(extra: &[(&str, &str)]) -> Arc<dyn Connection> {
    let mut url = url();
    url.set_path(DATABASE);
    for (name, value) in extra {
        url.query_pairs_mut().append_pair(name, value);
    }
    let registry = registry();
    let connector = registry.get("postgres").unwrap();
    connector.connect(connector.settings_from_url(&url).unwrap()).unwrap()
}

async fn client(database: &str) -> Client {
    let url = url();
    let mut config = tokio_postgres::Config::new();
    config.host(url.host_str().unwrap()).port(url.port().unwrap_or(5432)).user(url.username()).dbname(database);
    if let Some(password) = url.password() {
        config.password(password);
    }
    let (client, driver) = config.connect(NoTls).await.expect("the PostgreSQL of LEVADA_TEST_POSTGRES answers");
    tokio::spawn(driver);
    client
}

/// Prepares the schema of a test.
pub async fn place(schema: &'static str) -> Place {
    static ONCE: tokio::sync::OnceCell<()> = tokio::sync::OnceCell::const_new();
    ONCE.get_or_init(|| async {
        let admin = client("postgres").await;
        let query = "SELECT count(*) FROM pg_database WHERE datname = $1";
        let there: i64 = admin.query_one(query, &[&DATABASE]).await.unwrap().get(0);
        if there == 0 {
            admin.batch_execute(&format!("CREATE DATABASE {DATABASE}")).await.unwrap();
        }
        let extensions = ["citext", "hstore", "ltree"].map(|name| format!("CREATE EXTENSION IF NOT EXISTS {name};"));
        client(DATABASE).await.batch_execute(&extensions.concat()).await.unwrap();
    })
    .await;
    let client = client(DATABASE).await;
    client
        .batch_execute(&format!("SET client_min_messages = error; DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}; SET search_path = {schema}"))
        .await
        .unwrap();
    Place { schema, client, connection: connect_with(&[("schema", schema)]) }
}

impl Place {
    pub fn name(&self, table: &str) -> String {
        format!("{}.{table}", self.schema)
    }

    pub async fn run(&self, sql: &str) {
        self.client.batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    pub async fn number(&self, sql: &str) -> i64 {
        self.client.query_one(sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error:?}")).get(0)
    }

    pub async fn text(&self, sql: &str) -> String {
        let sql = format!("SELECT ({sql})::text");
        self.client.query_one(&sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error:?}")).get(0)
    }

    /// Rows of either table that the other one lacks, compared by the text of the whole row.
    pub async fn difference(&self, a: &str, b: &str) -> i64 {
        let row = |t: &str| format!("SELECT t::text FROM {t} t");
        let (a, b) = (row(a), row(b));
        self.number(&format!("SELECT count(*) FROM (({a} EXCEPT ALL {b}) UNION ALL ({b} EXCEPT ALL {a})) d")).await
    }

    /// Nothing of a load is left behind.
    pub async fn assert_clean(&self) {
        let left = self.number("SELECT count(*) FROM pg_class WHERE relname LIKE '\\_levada\\_stage%' AND relnamespace = current_schema()::regnamespace").await;
        assert_eq!(left, 0, "a stage is left behind");
    }
}
