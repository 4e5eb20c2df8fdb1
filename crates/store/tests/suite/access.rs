//! Users, sessions and tokens: who counts, from when and until when.

use std::time::Duration;

use levada_core::access::Role;
use levada_core::error::ErrorKind;
use levada_core::id::{TokenId, UserId};
use levada_core::secret::Secret;
use levada_core::time::Timestamp;
use levada_store::{
    Door, Grant, NewToken, NewUser, SESSION_IDLE, SESSION_MAX, SessionId, Store, Subject, TokenFilter, Updated, User,
    UserChange, UserFilter,
};

use crate::places::{Place, on_both, postgres};

on_both! { a_user_comes_changes_and_goes  names_are_one_in_any_case  changes_are_told_apart_by_version
the_last_admin_stays  sessions_end  sessions_are_listed  doors_are_known  a_new_password_ends_other_sessions  sessions_are_limited  tokens_count_until_they_end
tokens_are_limited  who_goes_takes_all_along  a_link_makes_one_admin  users_are_listed_by_pages  settings_are_kept }

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

pub fn new_user(name: &str, role: Role) -> NewUser {
    NewUser {
        name: name.to_owned(),
        display_name: name.to_uppercase(),
        email: None,
        password_hash: None,
        role,
        subject: None,
        grants: Vec::new(),
    }
}

pub fn new_token(user: UserId, name: &str) -> NewToken {
    let expires_at = NOW.plus(Duration::from_secs(100));
    NewToken { user, name: name.to_owned(), hash: [7; 32], role: Role::Operator, tags: None, expires_at }
}

async fn user(store: &Store, name: &str, role: Role) -> User {
    store.create_user(new_user(name, role), NOW).await.unwrap()
}

fn grant(tag: &str, role: Role) -> Grant {
    Grant { tag: tag.to_owned(), role }
}

async fn a_user_comes_changes_and_goes(place: Place) {
    let store = place.store;
    let subject = Subject { issuer: "https://id.example".to_owned(), subject: "42".to_owned() };
    let new = NewUser {
        email: Some("ada@example.com".to_owned()),
        password_hash: Some(Secret::new("$argon2id$x")),
        subject: Some(subject.clone()),
        grants: vec![grant("sales", Role::Editor), grant("hr", Role::Admin)],
        ..new_user("ada", Role::Viewer)
    };
    let made = store.create_user(new, NOW).await.unwrap();
    assert_eq!((made.version, made.has_password, made.is_disabled), (1, true, false));
    assert_eq!(made.grants, [grant("hr", Role::Admin), grant("sales", Role::Editor)]);
    assert_eq!(store.user(made.id).await.unwrap().unwrap(), made);
    assert_eq!(store.user_by_name("ada").await.unwrap().unwrap(), made);
    assert_eq!(store.user_by_subject(subject.clone()).await.unwrap().unwrap(), made);
    let credentials = store.credentials("ada").await.unwrap().unwrap();
    assert_eq!((credentials.user, credentials.password_hash.unwrap().expose()), (made.clone(), "$argon2id$x"));
    let change = UserChange {
        display_name: Some("Ada L.".to_owned()),
        email: Some(None),
        role: Some(Role::Operator),
        grants: Some(vec![grant("sales", Role::Admin)]),
        subject: Some(None),
        ..UserChange::default()
    };
    let later = NOW.plus(Duration::from_secs(1));
    let Updated::Done(changed) = store.update_user(made.id, Some(1), change, later).await.unwrap() else {
        panic!("stale")
    };
    let wanted = User {
        display_name: "Ada L.".to_owned(),
        email: None,
        role: Role::Operator,
        grants: vec![grant("sales", Role::Admin)],
        subject: None,
        version: 2,
        updated_at: later,
        ..made.clone()
    };
    assert_eq!(*changed, wanted);
    assert_eq!(store.user_by_subject(subject).await.unwrap(), None);
    assert_eq!(store.remove_user(made.id, Some(2)).await.unwrap(), Updated::Done(changed));
    assert_eq!(store.user(made.id).await.unwrap(), None);
    assert_eq!(store.remove_user(made.id, None).await.unwrap_err().kind(), ErrorKind::NotFound);
    // another one of the same name is another one
    assert_ne!(user(&store, "ada", Role::Viewer).await.id, made.id);
}

async fn names_are_one_in_any_case(place: Place) {
    let store = place.store;
    let ada = user(&store, "Ada@Example.com", Role::Viewer).await;
    assert_eq!(ada.name, "ada@example.com");
    assert_eq!(store.user_by_name("ADA@example.COM").await.unwrap().unwrap(), ada);
    let error = store.create_user(new_user("aDA@example.com", Role::Viewer), NOW).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    let long = "a".repeat(101);
    for name in ["", " ada", "ada ", "ad\0a", "local:root", "ädä", "-ada", "a/b", "..", &long] {
        let error = store.create_user(new_user(name, Role::Viewer), NOW).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{name:?}");
        assert_eq!(store.user_by_name(name).await.unwrap(), None, "{name:?}");
    }
    let bad = [
        NewUser { email: Some("ada".to_owned()), ..new_user("b", Role::Viewer) },
        NewUser { display_name: "a\nb".to_owned(), ..new_user("b", Role::Viewer) },
        NewUser { grants: vec![grant("", Role::Viewer)], ..new_user("b", Role::Viewer) },
        NewUser { grants: vec![grant("x", Role::Viewer), grant("x", Role::Admin)], ..new_user("b", Role::Viewer) },
    ];
    for new in bad {
        let told = format!("{new:?}");
        assert_eq!(store.create_user(new, NOW).await.unwrap_err().kind(), ErrorKind::Usage, "{told}");
    }
}

async fn changes_are_told_apart_by_version(place: Place) {
    let store = place.store;
    let ada = user(&store, "ada", Role::Viewer).await;
    let change = |role| UserChange { role: Some(role), ..UserChange::default() };
    let (one, two) = tokio::join!(
        store.update_user(ada.id, Some(1), change(Role::Editor), NOW),
        store.update_user(ada.id, Some(1), change(Role::Operator), NOW)
    );
    let stale = [one.unwrap(), two.unwrap()].into_iter().filter(|update| *update == Updated::Stale(2)).count();
    assert_eq!(stale, 1);
    assert_eq!(store.remove_user(ada.id, Some(1)).await.unwrap(), Updated::Stale(2));
    let Updated::Done(ada) = store.update_user(ada.id, None, change(Role::Admin), NOW).await.unwrap() else {
        panic!("stale")
    };
    assert_eq!((ada.role, ada.version), (Role::Admin, 3));
}

async fn the_last_admin_stays(place: Place) {
    let store = place.store;
    assert!(!store.has_admin().await.unwrap());
    let (ada, bob) = (user(&store, "ada", Role::Admin).await, user(&store, "bob", Role::Viewer).await);
    let demoted = || UserChange { role: Some(Role::Editor), ..UserChange::default() };
    let disabled = || UserChange { is_disabled: Some(true), ..UserChange::default() };
    for change in [demoted(), disabled()] {
        assert_eq!(store.update_user(ada.id, None, change, NOW).await.unwrap_err().kind(), ErrorKind::Refused);
    }
    assert_eq!(store.remove_user(ada.id, None).await.unwrap_err().kind(), ErrorKind::Refused);
    assert_eq!(store.user(ada.id).await.unwrap().unwrap(), ada);
    // an administrator who cannot sign in is none
    let raised = UserChange { role: Some(Role::Admin), is_disabled: Some(true), ..UserChange::default() };
    store.update_user(bob.id, None, raised, NOW).await.unwrap();
    assert_eq!(store.remove_user(ada.id, None).await.unwrap_err().kind(), ErrorKind::Refused);
    let enabled = UserChange { is_disabled: Some(false), ..UserChange::default() };
    store.update_user(bob.id, None, enabled, NOW).await.unwrap();
    store.update_user(ada.id, None, demoted(), NOW).await.unwrap();
    assert_eq!(store.update_user(bob.id, None, disabled(), NOW).await.unwrap_err().kind(), ErrorKind::Refused);
    assert!(store.has_admin().await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_admins_do_not_remove_each_other_at_once() {
    let place = postgres().await;
    let other = Store::open(&place.location).await.unwrap();
    for round in 0..20 {
        let ada = user(&place.store, &format!("a{round}"), Role::Admin).await;
        let bob = user(&place.store, &format!("b{round}"), Role::Admin).await;
        let disabled = UserChange { is_disabled: Some(true), ..UserChange::default() };
        let (one, two) =
            tokio::join!(place.store.remove_user(ada.id, None), other.update_user(bob.id, None, disabled, NOW));
        assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
        assert!(place.store.has_admin().await.unwrap());
        // only one is left for the next round
        let enabled = UserChange { is_disabled: Some(false), ..UserChange::default() };
        let left = if one.is_ok() { bob.id } else { ada.id };
        user(&place.store, "keeper", Role::Admin).await;
        other.update_user(left, None, enabled, NOW).await.unwrap();
        for user in place.store.users(UserFilter { limit: 10, ..UserFilter::default() }).await.unwrap() {
            if user.name != "keeper" {
                place.store.remove_user(user.id, None).await.unwrap();
            }
        }
        let keeper = place.store.user_by_name("keeper").await.unwrap().unwrap();
        crate::places::sql(&place.location, &format!("DELETE FROM users WHERE id = {}", keeper.id)).await;
    }
}

async fn sessions_end(place: Place) {
    let store = place.store;
    let ada = user(&store, "ada", Role::Viewer).await;
    let after = |time: Duration| NOW.plus(time);
    let counts = async |hash: [u8; 32], now| store.session(hash, now).await.unwrap().is_some();
    for hash in [[1; 32], [2; 32], [3; 32]] {
        assert!(store.create_session(ada.id, hash, NOW).await.unwrap());
    }
    let session = store.session([1; 32], NOW).await.unwrap().unwrap();
    assert_eq!((session.user, session.seen_at, session.expires_at), (ada.clone(), NOW, after(SESSION_MAX)));
    assert!(!counts([9; 32], NOW).await);
    // unused for too long
    let second = Duration::from_secs(1);
    assert!(counts([1; 32], after(SESSION_IDLE - second)).await);
    assert!(!counts([1; 32], after(SESSION_IDLE)).await);
    // used, but too old
    store.touch_session([2; 32], after(SESSION_MAX - second)).await.unwrap();
    assert!(counts([2; 32], after(SESSION_MAX - second)).await);
    assert!(!counts([2; 32], after(SESSION_MAX)).await);
    assert!(store.remove_session([1; 32]).await.unwrap() && !store.remove_session([1; 32]).await.unwrap());
    assert!(!counts([1; 32], NOW).await && counts([3; 32], NOW).await);
    assert_eq!(store.remove_sessions(ada.id, Some([3; 32])).await.unwrap(), 1);
    assert!(counts([3; 32], NOW).await && !counts([2; 32], NOW).await);
    // a user who is disabled is out at once, and gets no new one
    let disabled = UserChange { is_disabled: Some(true), ..UserChange::default() };
    store.update_user(ada.id, None, disabled, NOW).await.unwrap();
    assert!(!counts([3; 32], NOW).await);
    assert!(!store.create_session(ada.id, [4; 32], NOW).await.unwrap());
    assert!(!store.create_session(UserId(99), [4; 32], NOW).await.unwrap());
}

async fn sessions_are_listed(place: Place) {
    let store = place.store;
    let (ada, bob) = (user(&store, "ada", Role::Viewer).await, user(&store, "bob", Role::Viewer).await);
    for (at, (who, hash)) in [(ada.id, 1), (bob.id, 2), (ada.id, 3)].into_iter().enumerate() {
        store.create_session(who, [hash; 32], NOW.plus(Duration::from_secs(at as u64))).await.unwrap();
    }
    let ids = async |who, now| -> Vec<String> {
        store.sessions(who, now).await.unwrap().into_iter().map(|session| session.id.0).collect()
    };
    assert_eq!(ids(ada.id, NOW).await, ["0303030303030303", "0101010101010101"]);
    assert!(ids(ada.id, NOW.plus(SESSION_IDLE * 2)).await.is_empty());
    let first = SessionId::of(&[1; 32]);
    assert!(!store.end_session(bob.id, first.clone()).await.unwrap(), "it is not his");
    assert!(store.end_session(ada.id, first.clone()).await.unwrap());
    assert!(!store.end_session(ada.id, first).await.unwrap());
    assert_eq!(ids(ada.id, NOW).await, ["0303030303030303"]);
    assert_eq!(ids(bob.id, NOW).await, ["0202020202020202"]);
}

async fn doors_are_known(place: Place) {
    let store = place.store;
    assert!(store.doors().await.unwrap().is_empty());
    let door =
        |process: &str, port| Door { network: "n".to_owned(), host: "h".to_owned(), process: process.to_owned(), port };
    store.open_door(door("1", 80), Vec::new(), NOW).await.unwrap();
    store.open_door(door("2", 81), Vec::new(), NOW).await.unwrap();
    store.open_door(door("2", 81), Vec::new(), NOW).await.unwrap();
    assert_eq!(store.doors().await.unwrap(), [door("1", 80), door("2", 81)]);
    store.open_door(door("3", 82), vec![door("1", 80)], NOW).await.unwrap();
    assert_eq!(store.doors().await.unwrap(), [door("2", 81), door("3", 82)]);
}

async fn a_new_password_ends_other_sessions(place: Place) {
    let store = place.store;
    let ada = user(&store, "ada", Role::Viewer).await;
    for hash in [[1; 32], [2; 32]] {
        store.create_session(ada.id, hash, NOW).await.unwrap();
    }
    let keep = Some([1; 32]);
    let change = UserChange { password_hash: Some(Some(Secret::new("old"))), keep, ..UserChange::default() };
    store.update_user(ada.id, None, change, NOW).await.unwrap();
    assert!(store.session([1; 32], NOW).await.unwrap().is_some());
    assert!(store.session([2; 32], NOW).await.unwrap().is_none());
    // a better hash of the same password changes nothing else
    let hash = async || store.credentials("ada").await.unwrap().unwrap().password_hash.unwrap();
    store.replace_password_hash(ada.id, Secret::new("old"), Secret::new("better")).await.unwrap();
    assert_eq!(hash().await.expose(), "better");
    store.replace_password_hash(ada.id, Secret::new("old"), Secret::new("late")).await.unwrap();
    assert_eq!(hash().await.expose(), "better");
    assert!(store.session([1; 32], NOW).await.unwrap().is_some());
    assert_eq!(store.user(ada.id).await.unwrap().unwrap().version, 2);
}

async fn sessions_are_limited(place: Place) {
    let store = place.store;
    let ada = user(&store, "ada", Role::Viewer).await;
    for index in 0..102_u8 {
        let now = NOW.plus(Duration::from_secs(index.into()));
        store.create_session(ada.id, [index; 32], now).await.unwrap();
    }
    let mut left = Vec::new();
    for index in 0..102_u8 {
        left.extend(store.session([index; 32], NOW).await.unwrap().map(|_| index));
    }
    assert_eq!((left.len(), left[0]), (100, 2));
}

async fn tokens_count_until_they_end(place: Place) {
    let store = place.store;
    let ada = user(&store, "ada", Role::Editor).await;
    let tags = Some(vec!["sales".to_owned()]);
    let token = store.create_token(NewToken { tags, ..new_token(ada.id, "ci") }, NOW).await.unwrap();
    assert_eq!(store.token(token.id, [7; 32], NOW).await.unwrap().unwrap(), (ada.clone(), token.clone()));
    for (id, hash) in [(token.id, [8; 32]), (TokenId(99), [7; 32])] {
        assert!(store.token(id, hash, NOW).await.unwrap().is_none());
    }
    assert!(store.token(token.id, [7; 32], token.expires_at).await.unwrap().is_none());
    store.touch_token(token.id, NOW).await.unwrap();
    let filter = TokenFilter { user: Some(ada.id), limit: 10, ..TokenFilter::default() };
    let listed = store.tokens(filter.clone()).await.unwrap();
    assert_eq!(listed, [levada_store::Token { used_at: Some(NOW), ..token.clone() }]);
    let error = store.create_token(new_token(ada.id, "ci"), NOW).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert_eq!(store.create_token(new_token(UserId(99), "x"), NOW).await.unwrap_err().kind(), ErrorKind::NotFound);
    // one who is disabled does nothing by token either
    let disabled = |is_disabled| UserChange { is_disabled: Some(is_disabled), ..UserChange::default() };
    store.update_user(ada.id, None, disabled(true), NOW).await.unwrap();
    assert!(store.token(token.id, [7; 32], NOW).await.unwrap().is_none());
    store.update_user(ada.id, None, disabled(false), NOW).await.unwrap();
    assert!(store.token(token.id, [7; 32], NOW).await.unwrap().is_some());
    let bob = user(&store, "bob", Role::Viewer).await;
    assert!(!store.remove_token(token.id, Some(bob.id)).await.unwrap());
    assert!(store.remove_token(token.id, Some(ada.id)).await.unwrap());
    assert!(!store.remove_token(token.id, None).await.unwrap());
    assert!(store.token(token.id, [7; 32], NOW).await.unwrap().is_none());
    assert!(store.tokens(filter).await.unwrap().is_empty());
}

async fn tokens_are_limited(place: Place) {
    let store = place.store;
    let ada = user(&store, "ada", Role::Viewer).await;
    for index in 0..100 {
        store.create_token(new_token(ada.id, &index.to_string()), NOW).await.unwrap();
    }
    assert_eq!(store.create_token(new_token(ada.id, "x"), NOW).await.unwrap_err().kind(), ErrorKind::Refused);
    let page = |after| store.tokens(TokenFilter { after, limit: 60, ..TokenFilter::default() });
    let first = page(None).await.unwrap();
    let second = page(first.last().map(|token| token.id)).await.unwrap();
    assert_eq!((first.len(), second.len()), (60, 40));
    assert!(first[0].id > first[59].id && first[59].id > second[0].id);
    let search = Some("7".to_owned());
    let sevens = store.tokens(TokenFilter { search, is_reversed: true, limit: 60, ..TokenFilter::default() });
    let sevens = sevens.await.unwrap();
    assert_eq!((sevens.len(), sevens[0].name.as_str(), sevens[18].name.as_str()), (19, "7", "97"));
}

async fn who_goes_takes_all_along(place: Place) {
    let store = place.store;
    let ada = user(&store, "ada", Role::Viewer).await;
    store.create_session(ada.id, [1; 32], NOW).await.unwrap();
    let token = store.create_token(new_token(ada.id, "ci"), NOW).await.unwrap();
    store.remove_user(ada.id, None).await.unwrap();
    assert!(store.session([1; 32], NOW).await.unwrap().is_none());
    assert!(store.token(token.id, [7; 32], NOW).await.unwrap().is_none());
    // the next one of the name has none of it
    let next = user(&store, "ada", Role::Viewer).await;
    assert!(store.session([1; 32], NOW).await.unwrap().is_none());
    let filter = TokenFilter { user: Some(next.id), limit: 10, ..TokenFilter::default() };
    assert!(store.tokens(filter).await.unwrap().is_empty());
}

async fn a_link_makes_one_admin(place: Place) {
    let store = place.store;
    let (first, second) = ([1; 32], [2; 32]);
    let ada = || new_user("ada", Role::Viewer);
    assert_eq!(store.set_up(first, ada(), NOW).await.unwrap_err().kind(), ErrorKind::Auth);
    // two processes start, and each prints one
    assert!(store.offer_set_up(first, NOW).await.unwrap() && store.offer_set_up(second, NOW).await.unwrap());
    assert_eq!(store.set_up([3; 32], ada(), NOW).await.unwrap_err().kind(), ErrorKind::Auth);
    assert_eq!(store.set_up(first, new_user("", Role::Viewer), NOW).await.unwrap_err().kind(), ErrorKind::Usage);
    let (one, two) =
        tokio::join!(store.set_up(first, ada(), NOW), store.set_up(second, new_user("eve", Role::Viewer), NOW));
    assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
    assert_eq!(one.or(two).unwrap().role, Role::Admin);
    assert_eq!(store.users(UserFilter { limit: 10, ..UserFilter::default() }).await.unwrap().len(), 1);
    assert!(!store.offer_set_up([4; 32], NOW).await.unwrap());
    assert_eq!(store.set_up([4; 32], ada(), NOW).await.unwrap_err().kind(), ErrorKind::Auth);
}

async fn users_are_listed_by_pages(place: Place) {
    let store = place.store;
    for index in 0..5 {
        let role = if index % 2 == 0 { Role::Viewer } else { Role::Editor };
        let grants = vec![grant("a", Role::Admin), grant("b", Role::Admin)];
        store.create_user(NewUser { grants, ..new_user(&format!("u{index}"), role) }, NOW).await.unwrap();
    }
    let names = async |filter: UserFilter| -> Vec<String> {
        let users = store.users(filter).await.unwrap();
        assert!(users.iter().all(|user| user.grants.len() == 2));
        users.into_iter().map(|user| user.name).collect()
    };
    let all = || UserFilter { limit: 3, ..UserFilter::default() };
    assert_eq!(names(all()).await, ["u0", "u1", "u2"]);
    assert_eq!(names(UserFilter { after: Some("u2".to_owned()), ..all() }).await, ["u3", "u4"]);
    assert_eq!(names(UserFilter { is_reversed: true, after: Some("u2".to_owned()), ..all() }).await, ["u1", "u0"]);
    assert_eq!(names(UserFilter { search: Some("U3".to_owned()), ..all() }).await, ["u3"]);
    assert!(names(UserFilter { search: Some("u%".to_owned()), ..all() }).await.is_empty());
    assert_eq!(names(UserFilter { role: Some(Role::Editor), ..all() }).await, ["u1", "u3"]);
    assert!(names(UserFilter { is_disabled: Some(true), ..all() }).await.is_empty());
}

async fn settings_are_kept(place: Place) {
    let store = place.store;
    assert_eq!(store.setting("theme").await.unwrap(), None);
    for value in ["1", r#"{"a":2}"#] {
        store.set_setting("theme", Some(value.to_owned()), NOW).await.unwrap();
        assert_eq!(store.setting("theme").await.unwrap().as_deref(), Some(value));
    }
    store.set_setting("theme", None, NOW).await.unwrap();
    for (name, outcome) in [("shop", "1"), ("lake/eu", "2"), ("shop", "3"), ("gone", "4")] {
        store.set_connection_test(name, Some(outcome.to_owned()), NOW).await.unwrap();
    }
    store.set_connection_test("gone", None, NOW).await.unwrap();
    let tests = [("lake/eu".to_owned(), (NOW, "2".to_owned())), ("shop".to_owned(), (NOW, "3".to_owned()))];
    assert_eq!(store.connection_tests().await.unwrap(), tests.into());
    assert_eq!(store.setting("theme").await.unwrap(), None);
}
