//! How often PostgreSQL is waited for: the distance to the server is paid each time.

use std::time::Duration;

use levada_core::run::Event;
use levada_core::schedule::Catchup;
use levada_store::{Claim, NewRun, Update};

use super::schedules::{every, named};
use super::world::{World, chain, ended};
use crate::places::postgres;

/// How often an answer is waited for while something is done.
async fn trips(world: &World, work: impl Future) -> u64 {
    let before = world.store.commits().trips;
    work.await;
    world.store.commits().trips - before
}

fn finished(claims: &[Claim]) -> Vec<Update> {
    claims.iter().map(|claim| ended(claim, Event::Finished)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trade_costs_four_however_large_it_is() {
    let world = World::new(postgres().await.store).await;
    let document = world.pipeline("p", chain(3)).await;
    // statements are prepared once
    for identity in ["a", "b"] {
        world.run("p", document, identity).await;
        world.drain().await;
    }
    for size in [1, 40] {
        let runs = (0..size).map(|run| NewRun::manual("p", document, format!("{size} {run}")));
        for new in runs {
            world.store.create_run(new, world.now).await.unwrap();
        }
        let first = world.claim(100).await;
        assert_eq!(first.len(), size);
        let mut second = Vec::new();
        let trade = async { second = world.exchange(finished(&first), 100).await.claims };
        // the rows, what follows, what is there to be claimed, and the commit
        assert_eq!(trips(&world, trade).await, 4);
        assert_eq!(second.len(), size);
        let third = world.exchange(finished(&second), 100).await.claims;
        // how the runs end, and what waited for that
        assert_eq!(trips(&world, world.exchange(finished(&third), 100)).await, 6);
        assert!(world.store.open_runs().await.unwrap().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_runs_cost_as_much_as_one() {
    let mut world = World::new(postgres().await.store).await;
    let schedules = (0..50).map(|index| named(&format!("s{index}"), every(60, Catchup::Last)));
    world.scheduled("p", schedules.collect()).await;
    world.pass(Duration::from_secs(60));
    // statements are prepared once
    assert_eq!(world.store.fire_due(world.now, 1).await.unwrap().runs, 1);
    let rest = async { assert_eq!(world.store.fire_due(world.now, 100).await.unwrap().runs, 49) };
    // the schedules, the project, runs that are there, the pipeline, the new runs, and the commit
    assert_eq!(trips(&world, rest).await, 6);
    // one transaction takes all who wait for it
    let before = world.store.commits();
    let document = world.document("p").await;
    let runs = (0..200).map(|run| {
        let (store, now) = (world.store.clone(), world.now);
        tokio::spawn(
            async move { store.create_run(NewRun::manual("p", document, run.to_string()), now).await.unwrap() },
        )
    });
    for run in runs.collect::<Vec<_>>() {
        run.await.unwrap();
    }
    let after = world.store.commits();
    assert!(after.trips - before.trips <= (after.commits - before.commits) * 4, "{before:?} {after:?}");
}
