//! What goes wrong under a store: a server that ends connections, files that are none, disks that are full.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use levada_core::error::{Error, ErrorKind};
use levada_core::secret::Secret;
use levada_store::{Location, NewRun, Signal, Store};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::world::{World, chain};
use crate::places::{client, empty, postgres, sqlite};

/// One paragraph with these words, and with a remedy.
fn told(error: &Error, kind: ErrorKind, words: &[&str]) {
    let text = error.to_string();
    assert_eq!(error.kind(), kind, "{text}");
    assert!(!text.contains('\n') && text.len() < 600 && text.contains(". ") && !text.contains("hunter2"), "{text}");
    for word in words {
        assert!(text.contains(word), "`{word}` is missing in: {text}");
    }
}

async fn refused(location: Location) -> Error {
    Store::open(&location).await.err().unwrap()
}

fn url(text: String) -> Location {
    Location::Url(Secret::new(text))
}

/// The server ends every connection of the store, again and again, while several tasks write: each answered write is
/// there once, and listeners hear of new ones.
#[tokio::test(flavor = "multi_thread")]
async fn writes_arrive_once_though_connections_are_ended() {
    const WRITERS: usize = 6;
    const EACH: usize = 40;
    const KILLS: i64 = 5;
    let place = postgres().await;
    let Location::Url(location) = &place.location else { unreachable!() };
    let world = World::new(place.store.clone()).await;
    let document = world.pipeline("p", chain(1)).await;
    let (admin, schema) = client(location.expose()).await;
    // a counter shows what was done twice: it is not idempotent, as most work is
    admin.batch_execute(&format!("SET search_path TO \"{schema}\"")).await.unwrap();
    let heard = Store::open(&place.location).await.unwrap();
    let mut work = heard.watch(Signal::Work);
    let mut writers = tokio::task::JoinSet::new();
    let is_enough = Arc::new(AtomicBool::new(false));
    for writer in 0..WRITERS {
        let (store, now, is_enough) = (place.store.clone(), world.now, is_enough.clone());
        writers.spawn(async move {
            let mut written = 0;
            while written < EACH || !is_enough.load(Ordering::Relaxed) {
                let new = NewRun::manual("p", document, format!("{writer}/{written}"));
                assert!(store.create_run(new, now).await.unwrap().is_new, "{writer}/{written} was done twice");
                written += 1;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            written
        });
    }
    let (mut killed, mut written, started) = (0, 0, Instant::now());
    while !writers.is_empty() {
        assert!(started.elapsed() < Duration::from_secs(60), "{killed} connections only met their end at work");
        let all = "SELECT COUNT(pg_terminate_backend(a.pid)) FROM pg_stat_activity a WHERE a.application_name = 'levada' \
                   AND a.pid <> pg_backend_pid() AND a.pid IN (SELECT l.pid FROM pg_locks l \
                   JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace \
                   WHERE n.nspname = current_schema())";
        killed += admin.query_one(all, &[]).await.unwrap().get::<_, i64>(0);
        is_enough.store(killed >= KILLS, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(3 + killed as u64 % 7 * 11)).await;
        while let Some(ended) = writers.try_join_next() {
            written += ended.unwrap();
        }
    }
    let runs: i64 = admin.query_one("SELECT COUNT(*) FROM runs", &[]).await.unwrap().get(0);
    assert_eq!(runs as usize, written);
    // the listener of the other store is ended too
    let listeners = "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query = 'LISTEN levada'";
    admin.query_one(listeners, &[]).await.unwrap();
    tokio::time::timeout(Duration::from_secs(10), work.changed()).await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    work.mark_unchanged();
    place.store.create_run(NewRun::manual("p", document, "last".to_owned()), world.now).await.unwrap();
    tokio::time::timeout(Duration::from_secs(10), work.changed()).await.unwrap().unwrap();
}

/// Between store and server: breaks connections right after a commit has gone to the server, before its answer is back.
async fn deaf_proxy(armed: Arc<AtomicBool>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let armed = armed.clone();
            tokio::spawn(async move {
                let server = TcpStream::connect("127.0.0.1:25432").await.unwrap();
                let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
                    (client.into_split(), server.into_split());
                let back = tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
                let mut buffer = vec![0; 65_536];
                while let Ok(length @ 1..) = from_client.read(&mut buffer).await {
                    let commits = buffer[..length].windows(7).any(|window| window == b"COMMIT\0");
                    let breaks = commits && armed.swap(false, Ordering::SeqCst);
                    if breaks {
                        back.abort();
                    }
                    to_server.write_all(&buffer[..length]).await.unwrap();
                    if breaks {
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        return;
                    }
                }
            });
        }
    });
    port
}

/// The answer to a commit is lost: the work is not done a second time.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_is_lost_is_asked_about() {
    let (Location::Url(location), _) = empty(true) else { unreachable!() };
    let armed = Arc::new(AtomicBool::new(false));
    let port = deaf_proxy(armed.clone()).await;
    let store = Store::open(&url(location.expose().replace(":25432", &format!(":{port}")))).await.unwrap();
    let world = World::new(store).await;
    let document = world.pipeline("p", chain(1)).await;
    for index in 0..5 {
        armed.store(true, Ordering::SeqCst);
        let new = NewRun::manual("p", document, format!("run {index}"));
        let created = world.store.create_run(new, world.now).await.unwrap();
        assert!(!armed.load(Ordering::SeqCst), "nothing was broken");
        assert!(created.is_new, "run {index} was made twice");
    }
    assert_eq!(world.drain().await.len(), 5);
}

#[tokio::test]
async fn addresses_that_are_wrong_are_told() {
    let (Location::Url(good), _) = empty(true) else { unreachable!() };
    let good = good.expose().to_owned();
    let closed = good.replace(":25432", ":1").replace("postgres@", "postgres:hunter2@");
    told(&refused(url(closed)).await, ErrorKind::Connect, &["127.0.0.1:1", "Check that PostgreSQL runs"]);
    let missing = good.replace("/postgres?", "/nowhere?");
    told(&refused(url(missing)).await, ErrorKind::NotFound, &["nowhere", "Create the database"]);
    let cases = ["sslmode=on", "tls=off", "schema=", "tls_ca="];
    for option in cases {
        let wrong = refused(url(format!("{good}&{option}").replace("postgres@", "postgres:hunter2@"))).await;
        told(&wrong, ErrorKind::Config, &["URL", "tls_ca"]);
    }
}

#[tokio::test]
async fn the_certificate_of_the_server_is_checked() {
    let (Location::Url(location), _) = empty(true) else { unreachable!() };
    let ca = std::env::var("LEVADA_TEST_CA").expect("LEVADA_TEST_CA: run `scripts/services env`");
    let with = |host: &str, tls: &str| url(location.expose().replace("127.0.0.1", host).replace("tls=disable", tls));
    // not encrypted only where that is said
    told(&refused(with("127.0.0.1", "")).await, ErrorKind::Tls, &["certificate", "tls_ca"]);
    told(&refused(with("127.0.0.1", "tls=verify-ca")).await, ErrorKind::Tls, &["certificate", "tls_ca"]);
    told(&refused(with("127.0.0.1", "tls_ca=/no/ca.crt")).await, ErrorKind::Tls, &["/no/ca.crt"]);
    told(&refused(with("127.0.0.2", &format!("tls_ca={ca}"))).await, ErrorKind::Tls, &["127.0.0.2"]);
    for (host, tls) in [
        ("127.0.0.1", format!("tls_ca={ca}")),
        ("127.0.0.2", format!("tls=verify-ca&tls_ca={}", ca.replace('/', "%2F"))),
        ("127.0.0.2", "tls=require".to_owned()),
    ] {
        let store = Store::open(&with(host, &tls)).await.unwrap_or_else(|error| panic!("{host} {tls}: {error}"));
        assert!(store.secret_names().await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn files_that_are_no_store_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("levada.db");
    std::fs::write(&file, "no database at all, but long enough to be looked at".repeat(20)).unwrap();
    told(&refused(Location::File(file)).await, ErrorKind::Config, &["levada.db", "not a metadata store"]);
    told(&refused(Location::File(folder.path().to_owned())).await, ErrorKind::Io, &["can be written"]);
    let place = sqlite().await;
    let world = World::new(place.store.clone()).await;
    world.pipeline("p", chain(300)).await;
    drop((place.store, world));
    let Location::File(path) = &place.location else { unreachable!() };
    // the last connection that is closed takes the write-ahead log with it; none does where two are closed at once
    let log = path.with_extension("db-wal");
    let until = Instant::now() + Duration::from_secs(60);
    while log.exists() {
        assert!(Instant::now() < until, "the store was not closed");
        tokio::time::sleep(Duration::from_millis(10)).await;
        crate::places::sql(&place.location, "SELECT 1 FROM meta").await;
    }
    let mut bytes = std::fs::read(path).unwrap();
    bytes[100..4000].fill(0x5a);
    std::fs::write(path, bytes).unwrap();
    told(&refused(place.location.clone()).await, ErrorKind::Config, &["levada.db", "damaged"]);
}

#[tokio::test]
async fn a_newer_store_is_refused() {
    for place in [sqlite().await, postgres().await] {
        crate::places::sql(&place.location, "UPDATE meta SET value = '99' WHERE key = 'version'").await;
        told(&refused(place.location.clone()).await, ErrorKind::Refused, &["version 99", "newer Levada"]);
    }
}

/// A disk of 3 MB, and one that cannot be written. Whoever may not mount does it in a namespace.
#[test]
fn a_full_disk_is_told_and_the_store_goes_on() {
    const NAME: &str = "suite::broken::a_full_disk_is_told_and_the_store_goes_on";
    const INSIDE: &str = "LEVADA_TEST_INSIDE_NAMESPACE";
    let folder = tempfile::tempdir().unwrap();
    let succeeds = |command: &mut Command| command.output().is_ok_and(|output| output.status.success());
    if !succeeds(Command::new("mount").args(["-t", "tmpfs", "-o", "size=3m", "tmpfs"]).arg(folder.path())) {
        let may_unshare = succeeds(Command::new("unshare").args(["-rm", "true"]));
        if std::env::var_os(INSIDE).is_some() || !may_unshare {
            return eprintln!("skipped {NAME}: neither `mount` nor `unshare -rm` may make a small disk here");
        }
        let test = std::env::current_exe().unwrap();
        let again = Command::new("unshare").arg("-rm").arg(test).args(["--exact", NAME]).env(INSIDE, "").status();
        return assert!(again.unwrap().success());
    }
    let outcome = std::panic::catch_unwind(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(on_a_small_disk(folder.path()));
        // closes the files
        drop(runtime);
    });
    std::thread::sleep(Duration::from_millis(500));
    Command::new("umount").arg("-l").arg(folder.path()).status().unwrap();
    assert!(outcome.is_ok());
}

async fn on_a_small_disk(folder: &Path) {
    let location = Location::File(folder.join("levada.db"));
    let store = Store::open(&location).await.unwrap();
    let world = World::new(store.clone()).await;
    let document = world.pipeline("p", chain(20)).await;
    let ballast = folder.join("ballast");
    // what it takes to write the log into the file when the store is closed
    std::fs::write(&ballast, vec![0; 1_000_000]).unwrap();
    let mut made = Vec::new();
    let error = loop {
        let identity = format!("run {}", made.len());
        match store.create_run(NewRun::manual("p", document, identity), world.now).await {
            Ok(created) => made.push(created.run),
            Err(error) => break error,
        }
    };
    told(&error, ErrorKind::Full, &["levada.db", "Free some space"]);
    // it can be read, and goes on when there is room
    assert_eq!(store.workers().await.unwrap().len(), 1);
    std::fs::remove_file(&ballast).unwrap();
    let identity = format!("run {}", made.len());
    assert!(store.create_run(NewRun::manual("p", document, identity), world.now).await.unwrap().is_new);
    for (index, run) in made.iter().enumerate() {
        let again = store.create_run(NewRun::manual("p", document, format!("run {index}")), world.now).await.unwrap();
        assert_eq!((again.run, again.is_new), (*run, false), "an answered run is gone");
    }
    drop((store, world));
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(Command::new("mount").args(["-o", "remount,ro"]).arg(folder).status().unwrap().success());
    told(&refused(location).await, ErrorKind::Io, &["levada.db", "can be written"]);
    told(&refused(Location::File(folder.join("new/levada.db"))).await, ErrorKind::Io, &["new", "written"]);
}
