//! All metadata from one store into another, and on from there.

use std::time::Duration;

use levada_core::access::Role;
use levada_core::error::ErrorKind;
use levada_core::id::TokenId;
use levada_core::run::Event;
use levada_core::secret::Secret;
use levada_store::{AuditCheck, AuditEntry, KeySource, Location, MasterKey, Store, transfer};

use super::access::{new_token, new_user};
use super::world::{World, chain};
use crate::places::{Place, empty, on_both, sql};

on_both! { everything_is_moved_and_goes_on  a_killed_move_is_started_again  a_move_is_refused }

/// A store with ended, running and queued runs, and a secret; nobody is alive.
async fn used(place: &Place, master: &MasterKey) -> World {
    let mut world = World::new(place.store.clone()).await;
    let document = world.pipeline("p", chain(3)).await;
    world.run("p", document, "ended").await;
    world.drain().await;
    for index in 0..500 {
        world.run("p", document, &format!("queued {index}")).await;
    }
    let claims = world.claim(2).await;
    world.end(&claims[0], Event::Finished).await;
    let secrets = world.store.unlock(&KeySource::Given(master.clone())).await.unwrap();
    secrets.set("dw".to_owned(), Secret::new("value"), world.now).await.unwrap();
    let ada = world.store.create_user(new_user("ada", Role::Admin), world.now).await.unwrap();
    world.store.create_session(ada.id, [1; 32], world.now).await.unwrap();
    world.store.create_token(new_token(ada.id, "ci"), world.now).await.unwrap();
    world.store.set_setting("theme", Some("1".to_owned()), world.now).await.unwrap();
    for _ in 0..2 {
        world.store.append_audit(AuditEntry::default(), world.now).await.unwrap();
    }
    // an id that was given and is gone
    let gone = world.pipeline("gone", chain(1)).await;
    sql(
        &place.location,
        &format!("DELETE FROM pipelines WHERE document = {gone}; DELETE FROM documents WHERE id = {gone}"),
    )
    .await;
    world.store.sign_off(world.worker, world.now).await.unwrap();
    world.pass(Duration::from_secs(60));
    world
}

/// The other kind of store.
fn other(place: &Place) -> (Location, Option<tempfile::TempDir>) {
    empty(matches!(place.location, Location::File(_)))
}

async fn everything_is_moved_and_goes_on(place: Place) {
    let master = MasterKey::generate().unwrap();
    let world = used(&place, &master).await;
    let (to, _folder) = other(&place);
    let moved = transfer(&place.location, &to, false, world.now).await.unwrap();
    let rows = |table: &str| moved.rows.iter().find(|(name, _)| name == table).unwrap().1;
    assert_eq!((rows("runs"), rows("task_runs"), rows("secrets"), rows("documents")), (501, 1503, 1, 1));
    assert!(rows("events") > 500);
    assert!(!moved.to.contains("postgres@"), "{}", moved.to);
    let error = Store::open(&place.location).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.to_string().contains(&moved.to), "{error}");
    assert_eq!((rows("users"), rows("sessions"), rows("tokens"), rows("audit_log"), rows("settings")), (1, 1, 1, 2, 1));
    // what was lost with the worker and what was queued is done there
    let store = Store::open(&to).await.unwrap();
    let secrets = store.unlock(&KeySource::Given(master)).await.unwrap();
    assert_eq!(secrets.get("dw").await.unwrap().unwrap().expose(), "value");
    assert_eq!(store.session([1; 32], world.now).await.unwrap().unwrap().user.name, "ada");
    assert!(store.token(TokenId(1), [7; 32], world.now).await.unwrap().is_some());
    // the chain goes on where it was
    assert_eq!(store.append_audit(AuditEntry::default(), world.now).await.unwrap(), 3);
    assert!(matches!(store.verify_audit(None).await.unwrap(), AuditCheck::Whole(_)));
    let known = world.now;
    let mut world = World::new(store).await;
    world.now = known;
    assert_eq!(world.drain().await.len(), 1499);
    assert_eq!(world.pipeline("new", chain(1)).await, 3);
}

async fn a_killed_move_is_started_again(place: Place) {
    let master = MasterKey::generate().unwrap();
    let world = used(&place, &master).await;
    let (to, _folder) = other(&place);
    // killed in the middle: the target is marked and holds a part
    drop(Store::open(&to).await.unwrap());
    sql(
        &to,
        "INSERT INTO meta (key, value) VALUES ('filling', 'dead'); INSERT INTO pools (name, slots) VALUES ('x', 1)",
    )
    .await;
    let error = Store::open(&to).await.err().unwrap();
    assert!(error.to_string().contains("levada db move"), "{error}");
    drop(Store::open(&place.location).await.unwrap());
    transfer(&place.location, &to, false, world.now).await.unwrap();
    // killed before the last step: the source is marked, and the target too
    let number = "INSERT INTO meta (key, value) SELECT 'filling', 'n7'";
    sql(&to, number).await;
    sql(&place.location, "UPDATE meta SET value = 'n7 somewhere' WHERE key = 'moved'").await;
    assert!(Store::open(&to).await.is_err());
    let moved = transfer(&place.location, &to, false, world.now).await.unwrap();
    assert!(moved.rows.contains(&("runs".to_owned(), 501)) && moved.rows.contains(&("pools".to_owned(), 0)));
    drop(Store::open(&to).await.unwrap());
    assert_eq!(transfer(&place.location, &to, false, world.now).await.unwrap_err().kind(), ErrorKind::Refused);
}

async fn a_move_is_refused(place: Place) {
    let world = World::new(place.store.clone()).await;
    let (to, _folder) = other(&place);
    assert_eq!(
        transfer(&place.location, &place.location, false, world.now).await.unwrap_err().kind(),
        ErrorKind::Usage
    );
    // the worker that signed on is alive
    let error = transfer(&place.location, &to, false, world.now).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.message().contains("1 worker is alive"), "{error}");
    // nothing came of it, neither here nor there
    drop(Store::open(&place.location).await.unwrap());
    let target = Store::open(&to).await.unwrap();
    target.set_pools([("x".to_owned(), 1)].into()).await.unwrap();
    let error = transfer(&place.location, &to, true, world.now).await.unwrap_err();
    assert!(error.message().contains("holds metadata already"), "{error}");
    target.set_pools([].into()).await.unwrap();
    transfer(&place.location, &to, true, world.now).await.unwrap();
    assert_eq!(target.workers().await.unwrap().len(), 1);
}
