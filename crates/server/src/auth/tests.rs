//! Signing in against a real store.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::net::IpAddr;
use std::time::Duration;

use levada_core::access::Role;
use levada_core::error::{ErrorKind, Result};
use levada_core::secret::Secret;
use levada_core::time::Timestamp;
use levada_store::{Grant, Location, NewToken, NewUser, Store, TokenFilter, User, UserChange};

use super::backoff::Backoff;
use super::login::{self, Answer};
use super::password::Passwords;
use super::{Credential, Signed, random, setup, token};

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);
const HERE: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));

pub fn new_user(name: &str, role: Role) -> NewUser {
    NewUser {
        name: name.to_owned(),
        display_name: name.to_owned(),
        email: None,
        password_hash: None,
        role,
        subject: None,
        grants: Vec::new(),
    }
}

async fn identify(store: &Store, credential: &Credential, now: Timestamp) -> Result<Option<Signed>> {
    let Some(key) = credential.key() else { return Ok(None) };
    Ok(super::identify(store, key, now).await?.map(|(signed, _)| signed))
}

#[derive(Debug)]
enum Login {
    In { user: Box<User>, session: Secret },
    Wrong,
    Wait(Duration),
}

struct House {
    store: Store,
    passwords: Passwords,
    backoff: Backoff,
    _folder: tempfile::TempDir,
}

impl House {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Location::File(folder.path().join("levada.db"))).await.unwrap();
        Self { store, passwords: Passwords::default(), backoff: Backoff::default(), _folder: folder }
    }

    async fn user(&self, name: &str, role: Role, password: Option<&str>) -> User {
        let password_hash = match password {
            Some(password) => Some(self.passwords.hash(Secret::new(password)).await.unwrap()),
            None => None,
        };
        let new = NewUser { password_hash, ..new_user(name, role) };
        self.store.create_user(new, NOW).await.unwrap()
    }

    async fn sign_in(&self, name: &str, password: &str, now: Timestamp) -> Login {
        let given = (name, Secret::new(password));
        match login::right(&self.store, &self.passwords, &self.backoff, given, HERE, now).await.unwrap() {
            Answer::Right(user) => {
                let session = login::open_session(&self.store, user.id, now).await.unwrap().unwrap();
                Login::In { user, session }
            }
            Answer::Wrong => Login::Wrong,
            Answer::Wait(pause) => Login::Wait(pause),
        }
    }
}

#[tokio::test]
async fn a_password_opens_a_session() {
    let house = House::new().await;
    let ada = house.user("ada", Role::Editor, Some("correct horse")).await;
    let Login::In { user, session } = house.sign_in("Ada", "correct horse", NOW).await else { panic!() };
    assert_eq!(*user, ada);
    let signed = identify(&house.store, &Credential::Session(session.expose().to_owned()), NOW).await.unwrap().unwrap();
    assert_eq!((signed.user, signed.name.as_str(), signed.role, signed.token), (ada.id, "ada", Role::Editor, None));
    // each time another one
    let Login::In { session: second, .. } = house.sign_in("ada", "correct horse", NOW).await else { panic!() };
    assert_ne!(session, second);
    for odd in ["", "x", &"a".repeat(43)] {
        assert_eq!(identify(&house.store, &Credential::Session(odd.to_owned()), NOW).await.unwrap(), None);
    }
}

#[tokio::test]
async fn who_is_not_there_is_told_and_costs_what_a_wrong_password_does() {
    let house = House::new().await;
    house.user("ada", Role::Viewer, Some("correct horse")).await;
    house.user("bob", Role::Viewer, None).await;
    let eve = house.user("eve", Role::Viewer, Some("correct horse")).await;
    let disabled = UserChange { is_disabled: Some(true), ..UserChange::default() };
    house.store.update_user(eve.id, None, disabled, NOW).await.unwrap();
    let before = house.passwords.computed();
    let cases = [
        ("ada", "wrong horse"),
        ("nobody", "correct horse"),
        ("bob", "correct horse"),
        ("eve", "correct horse"),
        ("no name\0", "correct horse"),
    ];
    for (index, (name, password)) in cases.into_iter().enumerate() {
        let login = house.sign_in(name, password, NOW).await;
        assert!(matches!(login, Login::Wrong), "{name}: {login:?}");
        assert_eq!(house.passwords.computed() - before, index as u64 + 1, "{name}");
    }
}

#[tokio::test]
async fn guesses_are_slowed_down_and_cost_nothing_meanwhile() {
    let house = House::new().await;
    house.user("ada", Role::Viewer, Some("correct horse")).await;
    for _ in 0..5 {
        assert!(matches!(house.sign_in("ada", "wrong horse", NOW).await, Login::Wrong));
    }
    let computed = house.passwords.computed();
    for name in ["ada", "ADA"] {
        let Login::Wait(pause) = house.sign_in(name, "correct horse", NOW).await else { panic!() };
        assert_eq!(pause, Duration::from_secs(1));
    }
    assert_eq!(house.passwords.computed(), computed);
    let later = NOW.plus(Duration::from_secs(1));
    assert!(matches!(house.sign_in("ada", "correct horse", later).await, Login::In { .. }));
}

#[tokio::test]
async fn a_token_may_what_it_is_for_and_its_user_may() {
    let house = House::new().await;
    let ada = house.user("ada", Role::Operator, None).await;
    let grants =
        |grants: &[(&str, Role)]| grants.iter().map(|(tag, role)| ((*tag).to_owned(), *role)).collect::<Vec<_>>();
    let granted = vec![Grant { tag: "hr".to_owned(), role: Role::Admin }];
    let change = UserChange { grants: Some(granted), ..UserChange::default() };
    house.store.update_user(ada.id, None, change, NOW).await.unwrap();
    let hr = || Some(vec!["hr".to_owned(), "sales".to_owned()]);
    let cases = [
        (Role::Admin, None, Role::Operator, grants(&[("hr", Role::Admin)])),
        (Role::Editor, None, Role::Operator, grants(&[("hr", Role::Editor)])),
        (Role::Viewer, None, Role::Viewer, grants(&[("hr", Role::Viewer)])),
        (Role::Editor, hr(), Role::Viewer, grants(&[("hr", Role::Editor), ("sales", Role::Operator)])),
        (Role::Viewer, hr(), Role::Viewer, grants(&[("hr", Role::Viewer), ("sales", Role::Viewer)])),
    ];
    let expires_at = NOW.plus(Duration::from_secs(1_000));
    for (index, (role, tags, wanted, wanted_grants)) in cases.into_iter().enumerate() {
        let secret = random::text().unwrap();
        let hash = random::hash(secret.expose()).unwrap();
        let new = NewToken { user: ada.id, name: index.to_string(), hash, role, tags, expires_at };
        let made = house.store.create_token(new, NOW).await.unwrap();
        let credential = Credential::Token(token::text(made.id, &secret).expose().to_owned());
        let signed = identify(&house.store, &credential, NOW).await.unwrap().unwrap();
        assert_eq!((signed.role, signed.grants, signed.token), (wanted, wanted_grants, Some(made.id)), "{index}");
        // its use is noted, at most once a minute
        let used = async || {
            let filter = TokenFilter { user: Some(ada.id), limit: 1, ..TokenFilter::default() };
            house.store.tokens(filter).await.unwrap()[0].used_at
        };
        assert_eq!(used().await, Some(NOW));
        for (after, noted) in [(59, NOW), (60, NOW.plus(Duration::from_secs(60)))] {
            identify(&house.store, &credential, NOW.plus(Duration::from_secs(after))).await.unwrap().unwrap();
            assert_eq!(used().await, Some(noted));
        }
        assert_eq!(identify(&house.store, &credential, expires_at).await.unwrap(), None);
        let wrong = Credential::Token(token::text(made.id, &random::text().unwrap()).expose().to_owned());
        assert_eq!(identify(&house.store, &wrong, NOW).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_set_up_link_is_good_once() {
    let house = House::new().await;
    let link = setup::offer(&house.store, "http://127.0.0.1:7070/", NOW).await.unwrap().unwrap();
    let secret = Secret::new(link.expose().strip_prefix("http://127.0.0.1:7070/setup#").unwrap());
    let accept = async |secret: &Secret, password: &str| {
        setup::accept(&house.store, &house.passwords, secret, "ada", Secret::new(password), NOW).await
    };
    for wrong in ["", "x", random::text().unwrap().expose()] {
        assert_eq!(accept(&Secret::new(wrong), "correct horse").await.unwrap_err().kind(), ErrorKind::Auth);
    }
    assert_eq!(house.passwords.computed(), 0);
    assert_eq!(accept(&secret, "short").await.unwrap_err().kind(), ErrorKind::Usage);
    let ada = accept(&secret, "correct horse").await.unwrap();
    assert_eq!((ada.role, ada.has_password), (Role::Admin, true));
    assert_eq!(accept(&secret, "correct horse").await.unwrap_err().kind(), ErrorKind::Auth);
    assert_eq!(setup::offer(&house.store, "http://h", NOW).await.unwrap(), None);
    assert!(matches!(house.sign_in("ada", "correct horse", NOW).await, Login::In { .. }));
}
