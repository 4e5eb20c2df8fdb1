//! Secrets: sealed, bound to their names, under a master key that can be changed.

use std::os::unix::fs::PermissionsExt;

use levada_core::error::ErrorKind;
use levada_core::secret::Secret;
use levada_core::time::Timestamp;
use levada_store::{KEY_FILE, KeySource, Location, MasterKey, Secrets, Store};

use crate::places::{Place, on_both, sql, sqlite};

on_both! { secrets_are_kept_and_removed  swapped_rows_do_not_open  a_wrong_master_key_is_refused
a_rotation_that_fails_anywhere_changes_nothing  two_programs_and_one_rotation }

const CANARY: &str = "c4n4ry-value";

fn now() -> Timestamp {
    Timestamp::from_secs(1_700_000_000)
}

async fn opened(store: &Store) -> (Secrets, MasterKey) {
    let master = MasterKey::generate().unwrap();
    let secrets = store.unlock(&KeySource::Given(master.clone())).await.unwrap();
    (secrets, master)
}

async fn set(secrets: &Secrets, name: &str, value: &str) {
    secrets.set(name.to_owned(), Secret::new(value), now()).await.unwrap();
}

async fn value(secrets: &Secrets, name: &str) -> Option<String> {
    secrets.get(name).await.unwrap().map(|secret| secret.expose().to_owned())
}

async fn secrets_are_kept_and_removed(place: Place) {
    let (secrets, master) = opened(&place.store).await;
    assert_eq!(value(&secrets, "dw").await, None);
    set(&secrets, "dw", "first").await;
    set(&secrets, "dw", CANARY).await;
    set(&secrets, "api", "").await;
    let again = Store::open(&place.location).await.unwrap();
    let again = again.unlock(&KeySource::Given(master.clone())).await.unwrap();
    assert_eq!(value(&again, "dw").await.as_deref(), Some(CANARY));
    assert_eq!(value(&again, "api").await.as_deref(), Some(""));
    let names = place.store.secret_names().await.unwrap();
    assert_eq!(names.iter().map(|secret| secret.name.as_str()).collect::<Vec<_>>(), ["api", "dw"]);
    assert!(place.store.remove_secret("dw".to_owned()).await.unwrap());
    assert!(!place.store.remove_secret("dw".to_owned()).await.unwrap());
    assert_eq!(value(&again, "dw").await, None);
    for (name, text) in [("", "x".to_owned()), ("a}b", "x".to_owned()), ("long", "x".repeat(100_000))] {
        let refused = secrets.set(name.to_owned(), Secret::new(text), now()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Usage);
    }
    assert_eq!(format!("{master:?}"), "MasterKey(***)");
    if let Location::File(path) = &place.location {
        let mut bytes = std::fs::read(path).unwrap();
        bytes.extend(std::fs::read(path.with_extension("db-wal")).unwrap());
        assert!(!bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes()));
    }
}

async fn swapped_rows_do_not_open(place: Place) {
    let (secrets, _) = opened(&place.store).await;
    set(&secrets, "a", CANARY).await;
    set(&secrets, "b", "other").await;
    let swap = "UPDATE secrets SET name = 'c' WHERE name = 'a'; UPDATE secrets SET name = 'a' WHERE name = 'b'; \
                UPDATE secrets SET name = 'b' WHERE name = 'c'";
    sql(&place.location, swap).await;
    for name in ["a", "b"] {
        let error = secrets.get(name).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert!(error.message().contains(name) && !format!("{error:?}").contains(CANARY), "{error}");
    }
}

async fn a_wrong_master_key_is_refused(place: Place) {
    let (secrets, master) = opened(&place.store).await;
    set(&secrets, "a", CANARY).await;
    let wrong = KeySource::Given(MasterKey::generate().unwrap());
    let error = place.store.unlock(&wrong).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.to_string().contains("LEVADA_MASTER_KEY"), "{error}");
    place.store.unlock(&KeySource::Given(master)).await.unwrap();
    // a file that does not exist is not made: it could not open what is there
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(KEY_FILE);
    let error = place.store.unlock(&KeySource::File(file.clone())).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(!file.exists());
}

/// Each write of a rotation fails once, by a trigger; every secret stays readable, and the rotation succeeds at last.
async fn a_rotation_that_fails_anywhere_changes_nothing(place: Place) {
    let (secrets, master) = opened(&place.store).await;
    for index in 0..5 {
        set(&secrets, &format!("s{index}"), &format!("value {index}")).await;
    }
    let steps = (0..5).map(|index| format!("UPDATE ON secrets FOR EACH ROW WHEN (NEW.name = 's{index}')"));
    let steps = ["INSERT", "UPDATE", "DELETE"]
        .map(|act| format!("{act} ON secret_keys FOR EACH ROW WHEN (1 = 1)"))
        .into_iter()
        .chain(steps);
    for step in steps {
        match place.location {
            Location::File(_) => {
                let body = "BEGIN SELECT RAISE(ABORT, 'killed'); END";
                sql(&place.location, &format!("CREATE TRIGGER fails BEFORE {step} {body}")).await;
            }
            Location::Url(_) => {
                let function = "CREATE OR REPLACE FUNCTION killed() RETURNS trigger LANGUAGE plpgsql AS \
                                $$ BEGIN RAISE EXCEPTION 'killed'; END $$";
                sql(
                    &place.location,
                    &format!("{function}; CREATE TRIGGER fails BEFORE {step} EXECUTE FUNCTION killed()"),
                )
                .await;
            }
        }
        let error = secrets.rotate(MasterKey::generate().unwrap(), now()).await.err().unwrap();
        assert!(error.message().contains("killed"), "{error}");
        let again = place.store.unlock(&KeySource::Given(master.clone())).await.unwrap();
        for index in 0..5 {
            assert_eq!(value(&again, &format!("s{index}")).await.unwrap(), format!("value {index}"), "{step}");
        }
        let drop = match place.location {
            Location::File(_) => "DROP TRIGGER fails".to_owned(),
            Location::Url(_) => format!("DROP TRIGGER fails ON {}", step.split(' ').nth(2).unwrap()),
        };
        sql(&place.location, &drop).await;
    }
    let to = MasterKey::generate().unwrap();
    let rotated = secrets.rotate(to.clone(), now()).await.unwrap();
    assert_eq!(value(&rotated, "s3").await.as_deref(), Some("value 3"));
    assert_eq!(place.store.unlock(&KeySource::Given(master)).await.err().unwrap().kind(), ErrorKind::Refused);
    let rotated = place.store.unlock(&KeySource::Given(to)).await.unwrap();
    assert_eq!(value(&rotated, "s4").await.as_deref(), Some("value 4"));
}

/// Who has the old key open can neither read nor write once another program has changed it.
async fn two_programs_and_one_rotation(place: Place) {
    let (secrets, _) = opened(&place.store).await;
    set(&secrets, "a", "1").await;
    let rotated = secrets.rotate(MasterKey::generate().unwrap(), now()).await.unwrap();
    assert_eq!(secrets.get("a").await.unwrap_err().kind(), ErrorKind::Refused);
    let late = secrets.set("b".to_owned(), Secret::new("2"), now()).await.unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Refused);
    assert_eq!(value(&rotated, "a").await.as_deref(), Some("1"));
    assert_eq!(value(&rotated, "b").await, None);
}

#[tokio::test]
async fn a_key_file_is_made_once_and_guarded() {
    let place = sqlite().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("data").join(KEY_FILE);
    let source = KeySource::File(file.clone());
    let secrets = place.store.unlock(&source).await.unwrap();
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    set(&secrets, "a", "1").await;
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(value(&place.store.unlock(&source).await.unwrap(), "a").await.as_deref(), Some("1"));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o640)).unwrap();
    let error = place.store.unlock(&source).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Permission);
    assert!(error.to_string().contains("chmod 600") && !error.to_string().contains(text.trim()), "{error}");
    assert_eq!(std::fs::read_dir(file.parent().unwrap()).unwrap().count(), 1);
}

/// Killed before the store changed over, after it, and not at all.
#[tokio::test]
async fn a_rotation_of_the_key_file_survives_being_killed() {
    let place = sqlite().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(KEY_FILE);
    let next = folder.path().join(format!("{KEY_FILE}.next"));
    let source = KeySource::File(file.clone());
    let secrets = place.store.unlock(&source).await.unwrap();
    set(&secrets, "a", "1").await;
    let old = std::fs::read(&file).unwrap();
    // a new key was written, and the store never heard of it
    std::fs::copy(&file, &next).unwrap();
    std::fs::write(&next, "0".repeat(64)).unwrap();
    let secrets = place.store.unlock(&source).await.unwrap();
    let secrets = secrets.rotate_file(&file, now()).await.unwrap();
    assert_ne!(std::fs::read(&file).unwrap(), old);
    assert!(!next.exists());
    assert_eq!(value(&secrets, "a").await.as_deref(), Some("1"));
    // the store changed over, and the file did not
    std::fs::rename(&file, &next).unwrap();
    std::fs::write(&file, &old).unwrap();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
    let secrets = place.store.unlock(&source).await.unwrap();
    assert_eq!(value(&secrets, "a").await.as_deref(), Some("1"));
    assert!(!next.exists());
    assert_ne!(std::fs::read(&file).unwrap(), old);
}

#[test]
fn a_master_key_is_read_from_hexadecimal_and_base64() {
    for text in ["0f".repeat(32), "Dw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8=\n".to_owned()] {
        MasterKey::from_text(&text).unwrap();
    }
    for text in ["", "hunter2", &"0g".repeat(32), &"0f".repeat(31), &"+1".repeat(32)] {
        let error = MasterKey::from_text(text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(text.is_empty() || !error.to_string().contains(text), "{error}");
    }
}
