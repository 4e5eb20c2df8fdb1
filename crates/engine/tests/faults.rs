//! Every operation of a load fails once, for N = 1.. until none is left: then the next run must end as if nothing had
//! happened, and in between the target must be a state that some commit left.

use std::sync::Arc;

use levada_core::config::StreamOptions;
use levada_testkit::fault::{Faults, Faulty, Op, When};
use levada_testkit::memory::Memory;
use levada_testkit::rows::Row;

use crate::stage::{append, carry_out, full, job, load, merge, numbered, rows, schema};

/// What the source holds before and after the change that the faulty run is to carry over.
struct Shop {
    before: Vec<Row>,
    after: Vec<Row>,
    /// What the target must hold in the end.
    wanted: Vec<Row>,
    options: StreamOptions,
}

fn shops() -> Vec<Shop> {
    let sorted = |mut rows: Vec<Row>| {
        rows.sort();
        rows
    };
    let grown = || [rows(0, 3000), rows(3000, 5000)].concat();
    let changed: Vec<Row> = rows(0, 3000)
        .into_iter()
        .enumerate()
        .map(|(at, row)| if at % 2 == 0 { numbered(at as i64, 10_000 + at as i64, "new") } else { row })
        .collect();
    vec![
        Shop { before: rows(0, 3000), after: rows(1000, 5000), wanted: sorted(rows(1000, 5000)), options: full() },
        Shop { before: rows(0, 3000), after: grown(), wanted: sorted(grown()), options: append() },
        Shop { before: rows(0, 3000), after: changed.clone(), wanted: sorted(changed), options: merge() },
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_single_fault_at_the_source_or_destination_leaves_a_committed_state() {
    let mut fired = 0;
    for at_source in [false, true] {
        for op in Op::ALL {
            for when in [When::Before, When::After] {
                for shop in shops() {
                    fired += exhaust(&shop, at_source, op, when).await;
                }
            }
        }
    }
    assert!(fired >= 100, "only {fired} faults struck");
}

/// Fails the first, second, .. call of an operation until there is no such call. Returns how many struck.
async fn exhaust(shop: &Shop, at_source: bool, op: Op, when: When) -> u64 {
    for nth in 1_u64.. {
        let (source, target) = (Memory::new(), Memory::new());
        source.put("t", &schema(), shop.before.clone());
        assert!(load(&source, &target, shop.options.clone()).await.error.is_none());
        let committed = target.rows("t").unwrap();
        source.put("t", &schema(), shop.after.clone());

        let faults = Faults::nth(Some(op), nth, when);
        let wrap = |memory: &Memory, faulty: bool| -> Arc<dyn levada_core::connector::Connection> {
            let inner = Arc::new(memory.clone());
            if faulty { Faulty::new(inner, faults.clone()) } else { inner }
        };
        let job = job(wrap(&source, at_source), wrap(&target, !at_source), shop.options.clone());
        let outcome = carry_out(job).await;
        if faults.fired() == 0 {
            return nth - 1;
        }
        let place = format!("{op:?} {nth} {when:?} at the {}", if at_source { "source" } else { "destination" });
        let succeeded = outcome.is_ok_and(|report| report.succeeded());
        let found = target.rows("t").unwrap();
        assert!(found == committed || found == shop.wanted, "{place}: a state that no commit left");
        assert!(!succeeded || found == shop.wanted, "{place}: a success that loaded nothing");
        assert_eq!(target.live_loads(), 0, "{place}: the lock is still held");

        let again = load(&source, &target, shop.options.clone()).await;
        assert!(again.error.is_none(), "{place}: the next run fails: {:?}", again.error);
        assert_eq!(target.rows("t").unwrap(), shop.wanted, "{place}: the next run ends elsewhere");
    }
    0
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_found_and_counts_as_done() {
    let (source, target) = (Memory::new(), Memory::new());
    source.put("t", &schema(), rows(0, 50));
    let faults = Faults::nth(Some(Op::Commit), 1, When::After);
    let faulty = Faulty::new(Arc::new(target.clone()), faults.clone());
    let report = carry_out(job(Arc::new(source.clone()), faulty, append())).await.unwrap();
    assert_eq!(faults.fired(), 1);
    assert!(report.succeeded());
    assert_eq!(report.streams[0].attempts, 1);
    assert_eq!(target.rows("t").unwrap().len(), 50);
}

#[tokio::test]
async fn a_passing_fault_is_tried_again_within_the_run() {
    let (source, target) = (Memory::new(), Memory::new());
    source.put("t", &schema(), rows(0, 50));
    let faults = Faults::nth(Some(Op::Write), 1, When::Before);
    let faulty = Faulty::new(Arc::new(target.clone()), faults.clone());
    let mut job = job(Arc::new(source.clone()), faulty, append());
    job.retry.attempts = 2;
    let report = carry_out(job).await.unwrap();
    assert!(report.succeeded());
    assert_eq!((report.streams[0].attempts, report.streams[0].proof.read), (2, 50));
    assert_eq!(target.rows("t").unwrap().len(), 50);
}
