//! Stores that earlier versions wrote, kept as SQL text: each is opened, upgraded and worked on by this program.

use std::path::PathBuf;
use std::time::Duration;

use levada_core::access::Role;
use levada_core::id::TokenId;
use levada_core::run::Event;
use levada_core::secret::Secret;
use levada_core::time::Timestamp;
use levada_store::{AuditCheck, AuditEntry, Grant, KeySource, Location, MasterKey, NewUser, Store};

use super::access::{new_token, new_user};
use super::world::{World, chain};
use crate::places::sqlite;

/// The master key of the secrets in the files.
const MASTER: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

fn file(version: u32) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/stores/version_{version}.sql"))
}

/// Tables, indexes and rows of a database, as statements.
fn dump(native: &rusqlite::Connection) -> String {
    let texts = |sql: &str| -> Vec<String> {
        let mut statement = native.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    };
    let mut text = schema(native);
    for table in texts("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid") {
        let columns = texts(&format!("SELECT 'quote(' || name || ')' FROM pragma_table_info('{table}')"));
        let rows = format!("SELECT {} FROM {table}", columns.join(" || ', ' || "));
        if table == "sqlite_sequence" {
            text.push_str("DELETE FROM sqlite_sequence;\n");
        }
        texts(&rows).iter().for_each(|row| text.push_str(&format!("INSERT INTO {table} VALUES ({row});\n")));
    }
    text
}

fn schema(native: &rusqlite::Connection) -> String {
    let sql = "SELECT sql || ';' FROM sqlite_master WHERE sql IS NOT NULL AND name <> 'sqlite_sequence' ORDER BY rowid";
    let mut statement = native.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    rows.map(|row| row.unwrap() + "\n").collect()
}

/// A store of a version, written by the program that had it.
async fn opens(kept: u32) -> Store {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("levada.db");
    let native = rusqlite::Connection::open(&path).unwrap();
    native.execute_batch(&std::fs::read_to_string(file(kept)).unwrap()).unwrap();
    let fresh = sqlite().await;
    let Location::File(new) = &fresh.location else { unreachable!() };
    let version = |native: &rusqlite::Connection| -> String {
        native.query_row("SELECT value FROM meta WHERE key = 'version'", [], |row| row.get(0)).unwrap()
    };
    let new = rusqlite::Connection::open(new).unwrap();
    if version(&new) == kept.to_string() {
        let told = "a migration that was released has changed; before the release run the test that writes the store";
        assert!(schema(&native) == schema(&new), "{told}");
    }
    drop(native);
    let store = Store::open(&Location::File(path.clone())).await.unwrap();
    let secrets = store.unlock(&KeySource::Given(MasterKey::from_text(MASTER).unwrap())).await.unwrap();
    assert_eq!(secrets.get("dw").await.unwrap().unwrap().expose(), "value");
    let mut world = World::new(store).await;
    world.pass(Duration::from_secs(60));
    // of three runs one has ended, one lost its worker after its first task, and one was queued
    assert_eq!(world.drain().await, ["t1", "t0", "t2", "t1", "t2"]);
    let native = rusqlite::Connection::open(&path).unwrap();
    assert_eq!(version(&native), version(&new));
    world.store
}

#[tokio::test]
async fn a_store_of_version_1_opens() {
    let store = opens(1).await;
    assert!(!store.has_admin().await.unwrap());
    assert_eq!(store.append_audit(AuditEntry::default(), NOW).await.unwrap(), 1);
}

#[tokio::test]
async fn a_store_of_version_2_opens() {
    let store = opens(2).await;
    let session = store.session([1; 32], NOW).await.unwrap().unwrap();
    assert_eq!((session.user.name.as_str(), session.user.grants.len()), ("ada", 1));
    assert!(store.token(TokenId(1), [7; 32], NOW).await.unwrap().is_some());
    assert_eq!(store.setting("theme").await.unwrap().as_deref(), Some("1"));
    assert_eq!(store.append_audit(AuditEntry::default(), NOW).await.unwrap(), 2);
    assert!(matches!(store.verify_audit(None).await.unwrap(), AuditCheck::Whole(_)));
}

#[tokio::test]
async fn a_store_of_version_3_opens() {
    let store = opens(3).await;
    assert!(store.dashboard(NOW).await.unwrap().progress.is_empty());
}

/// Run by hand before a release, never after it: `cargo test -p levada-store writes_a_store -- --ignored`.
#[tokio::test]
#[ignore = "writes the file that other tests read"]
async fn writes_a_store_of_this_version() {
    let place = sqlite().await;
    let world = World::new(place.store.clone()).await;
    let document = world.pipeline("p", chain(3)).await;
    world.run("p", document, "ended").await;
    world.drain().await;
    world.run("p", document, "lost").await;
    let claims = world.claim(1).await;
    world.end(&claims[0], Event::Finished).await;
    world.store.sign_off(world.worker, world.now).await.unwrap();
    world.run("p", document, "queued").await;
    let secrets = place.store.unlock(&KeySource::Given(MasterKey::from_text(MASTER).unwrap())).await.unwrap();
    secrets.set("dw".to_owned(), Secret::new("value"), world.now).await.unwrap();
    let grants = vec![Grant { tag: "hr".to_owned(), role: Role::Editor }];
    let ada = place.store.create_user(NewUser { grants, ..new_user("ada", Role::Admin) }, NOW).await.unwrap();
    place.store.create_session(ada.id, [1; 32], NOW).await.unwrap();
    place.store.create_token(new_token(ada.id, "ci"), NOW).await.unwrap();
    place.store.set_setting("theme", Some("1".to_owned()), NOW).await.unwrap();
    place.store.append_audit(AuditEntry { actor: "ada".to_owned(), ..AuditEntry::default() }, NOW).await.unwrap();
    let Location::File(path) = &place.location else { unreachable!() };
    let native = rusqlite::Connection::open(path).unwrap();
    let version =
        native.query_row("SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'version'", [], |row| row.get(0));
    let to = file(version.unwrap());
    std::fs::create_dir_all(to.parent().unwrap()).unwrap();
    std::fs::write(to, dump(&native)).unwrap();
}
