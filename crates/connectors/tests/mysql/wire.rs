//! Reading rows over the connector's own client: encrypted, longer than a packet, and cut off.

use levada_core::batch::{Batch, Data};
use levada_core::error::{ErrorKind, Result};
use levada_core::source::{ReadMode, ReadRequest};
use levada_testkit::conformance::Harness;
use levada_testkit::pump::{self, Job};

use super::Database;

/// Rows are read under every setting of `tls`, and not where the server is not the one it should be.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_are_read_encrypted() {
    let database = Database::new().await;
    let ca = std::env::var("LEVADA_TEST_CA").expect("set LEVADA_TEST_CA (scripts/services env prints it)");
    let user = format!("u{}", database.name.trim_start_matches("levada_mysql_"));
    database.run("CREATE TABLE t (id INT PRIMARY KEY, v TEXT)").await;
    database.run("INSERT INTO t SELECT seq, REPEAT('x', seq) FROM seq_1_to_500").await;
    database.run(&format!("CREATE USER {user} IDENTIFIED BY 'p:w' REQUIRE SSL")).await;
    database.run(&format!("GRANT SELECT ON {}.* TO {user}", database.name)).await;
    let read = async |settings: &str| {
        let mut url = url::Url::parse(&database.url()).unwrap();
        url.set_username(&user).unwrap();
        url.set_password(Some("p:w")).unwrap();
        url.set_query(Some(settings));
        let registry = levada_connectors::registry();
        let connection = registry.get("mysql").unwrap().connect(serde_json::json!({ "url": url.as_str() })).unwrap();
        let source = connection.source().unwrap();
        let info = source.discover(Some("t")).await?.remove(0);
        let (batches, _) = pump::read(source.as_ref(), &info, info.schema.clone(), &Job::new(None, "t")).await?;
        Result::<u64>::Ok(batches.iter().map(Batch::rows).sum::<u64>())
    };
    for settings in [&format!("tls=verify-full&tls_ca={ca}"), &format!("tls=verify-ca&tls_ca={ca}"), "tls=require"] {
        assert_eq!(read(settings).await.unwrap(), 500, "{settings}");
    }
    assert_eq!(read("tls=verify-full").await.unwrap_err().kind(), ErrorKind::Tls);
    assert_eq!(read("tls=disable").await.unwrap_err().kind(), ErrorKind::Auth);
    database.run(&format!("DROP USER {user}")).await;
}

/// A row can be longer than the 16 MiB that a packet holds, also by nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_longer_than_a_packet_are_read() {
    let database = Database::new().await;
    database.run("CREATE TABLE t (id INT PRIMARY KEY, v LONGTEXT NOT NULL)").await;
    // A row starts with 1 byte, 1 of NULLs, 4 of `id` and 4 or 5 of the length of `v`.
    let packet = (1 << 24) - 1;
    let lengths = [3, packet - 11, packet - 10, packet - 9, packet + 3, 2 * packet - 11, 20_000_000, 0];
    for (id, length) in lengths.iter().enumerate() {
        database.run(&format!("INSERT INTO t VALUES ({id}, CONCAT(REPEAT('y', {length})))")).await;
    }
    let source = database.connection().source().unwrap();
    let info = source.discover(Some("t")).await.unwrap().remove(0);
    let (batches, _) = pump::read(source.as_ref(), &info, info.schema.clone(), &Job::new(None, "t")).await.unwrap();
    let mut read = Vec::new();
    for batch in &batches {
        let Data::Arrow(batch) = &batch.data else { panic!("rows are read as columns") };
        let texts = batch.column(1).as_any().downcast_ref::<arrow_array::StringArray>().unwrap();
        for text in texts {
            assert!(text.unwrap().bytes().all(|byte| byte == b'y'));
            read.push(text.unwrap().len());
        }
    }
    assert_eq!(read, lengths);
}

/// A query or connection that ends before its rows is an error, never the end of the table.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_are_cut_off_are_an_error() {
    let database = Database::new().await;
    database.run("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(1000) NOT NULL)").await;
    database.run("INSERT INTO t SELECT seq, REPEAT('z', 1000) FROM seq_1_to_30000").await;
    for kill in ["KILL QUERY", "KILL"] {
        let source = database.connection().source().unwrap();
        let info = source.discover(Some("t")).await.unwrap().remove(0);
        let request = ReadRequest {
            columns: info.schema.clone(),
            stream: info,
            mode: ReadMode::Full,
            raw: None,
            only: Vec::new(),
            limit: None,
            readers: 1,
            batch_bytes: 64 << 10,
        };
        let mut reader = source.read(request).await.unwrap().readers.remove(0);
        assert!(reader.next().await.unwrap().is_some());
        let ids = database
            .texts("SELECT CAST(ID AS CHAR) FROM information_schema.PROCESSLIST WHERE DB = DATABASE() AND ID <> CONNECTION_ID()")
            .await;
        for id in ids.into_iter().flatten() {
            database.run(&format!("{kill} {id}")).await;
        }
        let error = loop {
            match reader.next().await {
                Ok(batch) => assert!(batch.is_some(), "{kill}: the table seems to end early"),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
    }
}
