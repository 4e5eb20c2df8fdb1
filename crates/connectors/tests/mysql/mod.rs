//! MySQL and MariaDB against the real server at `LEVADA_TEST_MYSQL`, each test in a database of its own.

mod commits;
mod quarantine;
mod source;
mod target;
mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::future::BoxFuture;
use levada_core::connector::Connection;
use levada_testkit::conformance::Harness;
use levada_testkit::services;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use serde_json::json;

/// A database that lives as long as the test.
pub struct Database {
    pub name: String,
}

impl Database {
    pub async fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("levada_mysql_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let mut conn = admin().await;
        conn.query_drop(format!("DROP DATABASE IF EXISTS {name}")).await.unwrap();
        conn.query_drop(format!("CREATE DATABASE {name} CHARACTER SET utf8mb4")).await.unwrap();
        conn.disconnect().await.unwrap();
        Self { name }
    }

    pub async fn conn(&self) -> Conn {
        let mut conn = admin().await;
        conn.query_drop(format!("USE {}", self.name)).await.unwrap();
        conn.query_drop("SET NAMES utf8mb4, time_zone = '+00:00', sql_mode = ''").await.unwrap();
        conn
    }

    pub async fn run(&self, sql: &str) {
        let mut conn = self.conn().await;
        conn.query_drop(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        conn.disconnect().await.unwrap();
    }

    /// One column of texts.
    pub async fn texts(&self, sql: &str) -> Vec<Option<String>> {
        let mut conn = self.conn().await;
        let rows = conn.query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        conn.disconnect().await.unwrap();
        rows
    }

    /// What the server makes of the text `-0` in a column of floats: MariaDB 10.11.14 keeps it, 10.11.19 makes it 0.
    pub async fn negative_zero(&self) -> &'static str {
        self.run("CREATE OR REPLACE TABLE negative_zero (v DOUBLE)").await;
        self.run("INSERT INTO negative_zero VALUES ('-0')").await;
        let kept = self.texts("SELECT CAST(v AS CHAR) FROM negative_zero").await.remove(0);
        self.run("DROP TABLE negative_zero").await;
        if kept.as_deref() == Some("-0") { "-0" } else { "0" }
    }

    pub fn url(&self) -> String {
        let mut url = url::Url::parse(&services::mysql()).unwrap();
        url.set_path(&self.name);
        url.to_string()
    }
}

async fn admin() -> Conn {
    let mut url = url::Url::parse(&services::mysql()).unwrap();
    url.set_query(Some("prefer_socket=false"));
    url.set_path("");
    Conn::from_url(url.as_str()).await.expect("the server answers")
}

impl Drop for Database {
    fn drop(&mut self) {
        let sql = format!("DROP DATABASE IF EXISTS {}", self.name);
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let mut conn = admin().await;
                let _ = conn.query_drop("SET lock_wait_timeout = 5").await;
                let _ = conn.query_drop(sql).await;
                let _ = conn.disconnect().await;
            });
        });
        let _ = dropping.join();
    }
}

impl Harness for Database {
    fn connection(&self) -> Arc<dyn Connection> {
        let registry = levada_connectors::registry();
        registry.get("mysql").unwrap().connect(json!({ "url": self.url() })).unwrap()
    }

    fn execute<'a>(&'a self, statement: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(self.run(statement))
    }

    fn remains(&self) -> BoxFuture<'_, Vec<String>> {
        Box::pin(async move {
            let sql = "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() \
                       AND TABLE_NAME LIKE '\\_levada\\_stage%'";
            self.texts(sql).await.into_iter().flatten().collect()
        })
    }

    fn report_sql(&self, sql: &str) -> String {
        sql.replace('"', "`")
    }

    fn quoted(&self, target: &str) -> String {
        format!("`{}`", target.replace('`', "``"))
    }
}

mod conformance {
    mod source {
        levada_testkit::source_suite!(crate::mysql::Database::new());
        levada_testkit::conditions_suite!(crate::mysql::Database::new());
    }
    mod destination {
        levada_testkit::destination_suite!(crate::mysql::Database::new());
    }
    mod rows {
        levada_testkit::rows_suite!(crate::mysql::Database::new());
    }
}
