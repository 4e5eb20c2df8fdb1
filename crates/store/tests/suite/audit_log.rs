//! The audit log: no number twice and none left out, whoever writes; and whatever other hands do to it is seen.

use std::time::Duration;

use levada_core::time::Timestamp;
use levada_store::{AuditCheck, AuditEntry, AuditFilter, AuditHead, Broken, Store};

use crate::places::{Place, on_both, postgres, sql};

on_both! { lines_are_numbered_and_listed  other_hands_are_seen  a_noted_head_tells_of_forgery
odd_text_is_kept  a_long_log_is_checked }

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

fn entry(actor: &str, action: &str) -> AuditEntry {
    AuditEntry {
        actor: actor.to_owned(),
        action: action.to_owned(),
        object: "pipelines/p".to_owned(),
        outcome: "asked".to_owned(),
        address: Some("10.0.0.1".to_owned()),
        detail: None,
    }
}

async fn fill(store: &Store, lines: i64) -> AuditHead {
    for number in 1..=lines {
        let at = NOW.plus(Duration::from_secs(number.unsigned_abs()));
        let made = entry(if number % 2 == 0 { "ada" } else { "bob" }, &format!("action{number}"));
        assert_eq!(store.append_audit(made, at).await.unwrap(), number);
    }
    store.audit_head().await.unwrap()
}

async fn lines_are_numbered_and_listed(place: Place) {
    let store = place.store;
    assert_eq!(store.verify_audit(None).await.unwrap(), AuditCheck::Whole(AuditHead::default()));
    let head = fill(&store, 6).await;
    assert_eq!(store.verify_audit(Some(head)).await.unwrap(), AuditCheck::Whole(head));
    assert_eq!(AuditHead::parse(&head.to_string()), Some(head));
    let numbers = async |filter: AuditFilter| -> Vec<i64> {
        store.audit_page(filter).await.unwrap().into_iter().map(|line| line.number).collect()
    };
    let all = || AuditFilter { limit: 4, ..AuditFilter::default() };
    let at = |number: u64| Some(NOW.plus(Duration::from_secs(number)));
    assert_eq!(numbers(all()).await, [6, 5, 4, 3]);
    assert_eq!(numbers(AuditFilter { after: Some(3), ..all() }).await, [2, 1]);
    assert_eq!(numbers(AuditFilter { after: Some(3), is_reversed: true, ..all() }).await, [4, 5, 6]);
    assert_eq!(numbers(AuditFilter { actor: Some("ada".to_owned()), ..all() }).await, [6, 4, 2]);
    assert_eq!(numbers(AuditFilter { action: Some("action5".to_owned()), ..all() }).await, [5]);
    assert_eq!(numbers(AuditFilter { object: Some("pipelines/q".to_owned()), ..all() }).await, [0; 0]);
    assert_eq!(numbers(AuditFilter { outcome: Some("denied".to_owned()), ..all() }).await, [0; 0]);
    assert_eq!(numbers(AuditFilter { since: at(2), until: at(5), ..all() }).await, [4, 3, 2]);
    let line = store.audit_page(AuditFilter { limit: 1, ..all() }).await.unwrap().remove(0);
    assert_eq!((line.entry, line.at, line.hash), (entry("ada", "action6"), at(6).unwrap(), head.hash));
}

/// Clocks of two processes are half a minute apart: a list from or to an instant misses no line.
#[tokio::test(flavor = "multi_thread")]
async fn lists_by_time_miss_nothing() {
    let place = crate::places::sqlite().await;
    for index in 0..200_u64 {
        let slow = if index % 2 == 0 { 30 } else { 0 };
        let at = NOW.plus(Duration::from_secs(index)).minus(Duration::from_secs(slow));
        place.store.append_audit(entry("ada", "x"), at).await.unwrap();
    }
    let all = place.store.audit_page(AuditFilter { limit: 1_000, ..AuditFilter::default() }).await.unwrap();
    for second in (0..200).step_by(7) {
        let (since, until) = (NOW.plus(Duration::from_secs(second)), NOW.plus(Duration::from_secs(second + 20)));
        let filter = AuditFilter { since: Some(since), until: Some(until), limit: 1_000, ..AuditFilter::default() };
        let wanted: Vec<_> = all.iter().filter(|line| line.at >= since && line.at < until).cloned().collect();
        assert_eq!(place.store.audit_page(filter).await.unwrap(), wanted, "{second}");
    }
}

async fn other_hands_are_seen(place: Place) {
    let store = place.store;
    let head = fill(&store, 5).await;
    let broken = |number, what| AuditCheck::Broken { number, what };
    let copy = "CREATE TABLE kept AS SELECT * FROM audit_log";
    sql(&place.location, copy).await;
    let swap = "UPDATE audit_log SET number = -1 WHERE number = 2; UPDATE audit_log SET number = 2 WHERE number = 3; \
                UPDATE audit_log SET number = 3 WHERE number = -1";
    let insert = "UPDATE audit_log SET number = number + 100 WHERE number >= 3; \
                  UPDATE audit_log SET number = number - 99 WHERE number > 100; \
                  INSERT INTO audit_log SELECT 3, at, actor, action, object, outcome, address, detail, hash FROM kept WHERE number = 2";
    let cases = [
        ("UPDATE audit_log SET actor = 'eve' WHERE number = 2", broken(2, Broken::Changed)),
        ("UPDATE audit_log SET at = at + 1 WHERE number = 1", broken(1, Broken::Changed)),
        ("UPDATE audit_log SET address = NULL WHERE number = 5", broken(5, Broken::Changed)),
        ("UPDATE audit_log SET address = '' WHERE number = 3", broken(3, Broken::Changed)),
        ("UPDATE audit_log SET detail = '' WHERE number = 3", broken(3, Broken::Changed)),
        // what stands in two fields together is the same
        (
            "UPDATE audit_log SET actor = actor || 'a', action = substr(action, 2) WHERE number = 4",
            broken(4, Broken::Changed),
        ),
        ("UPDATE audit_log SET hash = substr(hash, 2) WHERE number = 4", broken(4, Broken::Changed)),
        ("DELETE FROM audit_log WHERE number = 1", broken(1, Broken::Missing)),
        ("DELETE FROM audit_log WHERE number IN (3, 4)", broken(3, Broken::Missing)),
        (swap, broken(2, Broken::Changed)),
        (insert, broken(3, Broken::Changed)),
        ("DELETE FROM audit_log WHERE number >= 4", broken(4, Broken::CutOff)),
        ("DELETE FROM audit_log", broken(1, Broken::CutOff)),
        ("DELETE FROM meta WHERE key = 'audit_head'", broken(1, Broken::Added)),
        ("UPDATE meta SET value = 'x' WHERE key = 'audit_head'", broken(1, Broken::Added)),
        (
            "INSERT INTO audit_log SELECT 0, at, actor, action, object, outcome, address, detail, hash FROM kept WHERE number = 1",
            broken(1, Broken::Missing),
        ),
        (
            "INSERT INTO audit_log SELECT 6, at, actor, action, object, outcome, address, detail, hash FROM kept WHERE number = 5",
            broken(6, Broken::Changed),
        ),
    ];
    for (forgery, wanted) in cases {
        sql(&place.location, forgery).await;
        assert_eq!(store.verify_audit(None).await.unwrap(), wanted, "{forgery}");
        let restore = format!(
            "DELETE FROM audit_log; INSERT INTO audit_log SELECT * FROM kept; DELETE FROM meta WHERE key = 'audit_head'; \
             INSERT INTO meta (key, value) VALUES ('audit_head', '{head}')"
        );
        sql(&place.location, &restore).await;
        assert_eq!(store.verify_audit(None).await.unwrap(), AuditCheck::Whole(head), "{forgery}");
    }
}

/// Somebody who writes a whole chain of their own, head and all.
async fn a_noted_head_tells_of_forgery(place: Place) {
    let store = place.store;
    fill(&store, 3).await;
    let noted = store.audit_head().await.unwrap();
    sql(&place.location, "DELETE FROM audit_log; DELETE FROM meta WHERE key = 'audit_head'").await;
    assert_eq!(store.verify_audit(Some(noted)).await.unwrap(), AuditCheck::Broken { number: 1, what: Broken::CutOff });
    for _ in 0..4 {
        store.append_audit(entry("eve", "innocent"), NOW).await.unwrap();
    }
    assert!(matches!(store.verify_audit(None).await.unwrap(), AuditCheck::Whole(_)));
    assert_eq!(
        store.verify_audit(Some(noted)).await.unwrap(),
        AuditCheck::Broken { number: 3, what: Broken::Replaced }
    );
}

async fn odd_text_is_kept(place: Place) {
    let store = place.store;
    let odd = AuditEntry {
        actor: "a\0b".to_owned(),
        object: "ü".repeat(400),
        detail: Some("x".repeat(100_000)),
        ..entry("", "'; DROP TABLE audit_log; --")
    };
    store.append_audit(odd, NOW).await.unwrap();
    let line = store.audit_page(AuditFilter { limit: 1, ..AuditFilter::default() }).await.unwrap().remove(0);
    assert_eq!((line.entry.actor.as_str(), line.entry.object.len()), ("a\u{fffd}b", 500));
    assert_eq!(line.entry.detail.unwrap().len(), 8_192);
    assert!(matches!(store.verify_audit(None).await.unwrap(), AuditCheck::Whole(_)));
}

/// More lines than are read at once, and one of them changed.
async fn a_long_log_is_checked(place: Place) {
    let mut all = tokio::task::JoinSet::new();
    for index in 0..2_300 {
        let store = place.store.clone();
        all.spawn(async move { store.append_audit(entry("ada", &index.to_string()), NOW).await.unwrap() });
    }
    let mut numbers = all.join_all().await;
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=2_300).collect::<Vec<_>>());
    let head = place.store.audit_head().await.unwrap();
    assert_eq!(place.store.verify_audit(None).await.unwrap(), AuditCheck::Whole(head));
    sql(&place.location, "UPDATE audit_log SET action = 'x' WHERE number = 2001").await;
    let broken = AuditCheck::Broken { number: 2_001, what: Broken::Changed };
    assert_eq!(place.store.verify_audit(None).await.unwrap(), broken);
}

/// Two processes write, and each also does work that the other waits for: nobody waits in a circle.
#[tokio::test(flavor = "multi_thread")]
async fn several_processes_write_one_chain() {
    let place = postgres().await;
    let stores = [place.store.clone(), Store::open(&place.location).await.unwrap()];
    let mut all = tokio::task::JoinSet::new();
    let start = std::time::Instant::now();
    for index in 0..1_000_usize {
        let store = stores[index % 2].clone();
        all.spawn(async move {
            store.append_audit(entry("ada", &index.to_string()), NOW).await.unwrap();
            store.set_pools([("x".to_owned(), 1), ("y".to_owned(), 1)].into()).await.unwrap();
        });
    }
    all.join_all().await;
    let took = start.elapsed();
    let head = place.store.audit_head().await.unwrap();
    assert_eq!(head.number, 1_000);
    assert_eq!(place.store.verify_audit(None).await.unwrap(), AuditCheck::Whole(head));
    // a circle costs the server a second to see
    assert!(took < Duration::from_secs(20), "{took:?}");
}
