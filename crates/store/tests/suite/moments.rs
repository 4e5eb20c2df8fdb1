//! Moments: the same one is never told again once anything was committed, whoever did it.

use levada_core::access::Role;
use levada_core::time::Timestamp;
use levada_store::{Location, Moment, Store, UserChange};

use super::access::{new_token, new_user};
use super::world::{World, chain};
use crate::places::{Place, client, on_both, postgres, sql, sqlite};

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

on_both! { whatever_is_committed_is_another_moment  a_moment_lasts_while_nothing_is_committed }

/// The moment that it is, which is told once there is a connection.
async fn now(store: &Store) -> Moment {
    loop {
        match store.moment().await {
            Some(moment) => return moment,
            None => tokio::task::yield_now().await,
        }
    }
}

async fn whatever_is_committed_is_another_moment(place: Place) {
    let (store, other) = (&place.store, Store::open(&place.location).await.unwrap());
    let world = World::new(other.clone()).await;
    let user = other.create_user(new_user("ada", Role::Editor), world.now).await.unwrap().id;
    let mut last = now(store).await;
    let mut is_seen = async |what: &str| {
        let moment = now(store).await;
        assert!(moment > last, "{what}: {moment:?}");
        last = moment;
    };
    // here, by another process, and by other hands
    for writer in [store, &other] {
        let token = writer.create_token(new_token(user, "t"), world.now).await.unwrap().id;
        is_seen("a token is made").await;
        assert!(writer.remove_token(token, None).await.unwrap());
        is_seen("a token is removed").await;
        writer.create_session(user, [1; 32], world.now).await.unwrap();
        is_seen("a session begins").await;
        assert!(writer.remove_session([1; 32]).await.unwrap());
        is_seen("a session ends").await;
        for role in [Role::Viewer, Role::Editor] {
            let change = UserChange { role: Some(role), ..UserChange::default() };
            writer.update_user(user, None, change, world.now).await.unwrap();
            is_seen("a role is changed").await;
        }
    }
    world.pipeline("p", chain(1)).await;
    is_seen("a document is applied").await;
    sql(&place.location, "UPDATE users SET disabled = 1 WHERE name = 'ada'").await;
    is_seen("somebody writes into the tables").await;
}

async fn a_moment_lasts_while_nothing_is_committed(place: Place) {
    let user = place.store.create_user(new_user("ada", Role::Editor), NOW).await;
    let user = user.unwrap().id;
    // a PostgreSQL of many tests has commits of others
    for _ in 0..10_000 {
        let before = now(&place.store).await;
        place.store.user(user).await.unwrap().unwrap();
        if now(&place.store).await == before {
            return;
        }
    }
    panic!("each moment was another one");
}

#[tokio::test]
async fn on_a_file_of_ones_own_nothing_but_a_commit_ends_a_moment() {
    let place = sqlite().await;
    let (store, other) = (&place.store, Store::open(&place.location).await.unwrap());
    let before = now(store).await;
    for _ in 0..3 {
        assert!(other.users(Default::default()).await.unwrap().is_empty());
        assert!(!other.remove_session([1; 32]).await.unwrap());
        assert_eq!(now(store).await, before);
    }
}

/// The order in which transactions begin is not that in which they end.
#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_began_long_ago_is_seen_when_it_ends() {
    let place = postgres().await;
    let Location::Url(url) = &place.location else { unreachable!() };
    let (early, schema) = client(url.expose()).await;
    let insert = format!("SET search_path TO \"{schema}\"; BEGIN; INSERT INTO settings VALUES ('early', '1', 1)");
    early.batch_execute(&insert).await.unwrap();
    place.store.set_setting("late", Some("1".to_owned()), NOW).await.unwrap();
    let before = now(&place.store).await;
    early.batch_execute("COMMIT").await.unwrap();
    assert!(now(&place.store).await > before);
}
