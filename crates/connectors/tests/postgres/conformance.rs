//! The suites every connector must pass.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::future::BoxFuture;
use levada_core::connector::Connection;
use levada_testkit::conformance::Harness;

use super::{Place, connect_with, place};

struct Postgres(Place);

/// A schema of its own for each test.
async fn postgres() -> Postgres {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let schema = format!("t_suite_{}", NEXT.fetch_add(1, Ordering::Relaxed));
    Postgres(place(schema.leak()).await)
}

impl Harness for Postgres {
    fn connection(&self) -> Arc<dyn Connection> {
        connect_with(&[("schema", self.0.schema)])
    }

    fn execute<'a>(&'a self, statement: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(self.0.run(statement))
    }

    fn remains(&self) -> BoxFuture<'_, Vec<String>> {
        Box::pin(async {
            let query = "SELECT relname::text FROM pg_class WHERE relname LIKE '\\_levada\\_stage%' AND relkind = 'r'
                AND relnamespace = current_schema()::regnamespace";
            self.0.client.query(query, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
        })
    }

    fn quoted(&self, target: &str) -> String {
        let (schema, table) = target.split_once('.').unwrap();
        let quoted = |part: &str| if part.starts_with('"') { part.to_owned() } else { format!("\"{part}\"") };
        format!("{}.{}", quoted(schema), quoted(table))
    }
}

mod source {
    use super::postgres;
    levada_testkit::source_suite!(postgres());
    levada_testkit::conditions_suite!(postgres());
}

mod destination {
    use super::postgres;
    levada_testkit::destination_suite!(postgres());
}

mod rows {
    use super::postgres;
    levada_testkit::rows_suite!(postgres());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_type_round_trips() {
    levada_testkit::conformance::values::every_type_round_trips(&postgres().await).await;
}
