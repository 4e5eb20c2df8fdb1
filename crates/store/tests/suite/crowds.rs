//! Many at once: workers that claim from one pool, schedulers on one database, clients on one file.

use std::collections::BTreeMap;
use std::time::Duration;

use levada_core::run::{Event, Graph, RunState};
use levada_core::time::Timestamp;
use levada_store::{Claim, Exchange, Location, NewRun, Store};

use super::world::{World, chain, ended, graph, node, worker};
use crate::places::{Place, client, on_both, postgres, sqlite};

on_both! { slots_are_never_exceeded  a_large_run_is_done_once  a_job_that_fails_fails_alone }

/// Executes what there is until nothing is left, in pieces, with a look after each claim. Answers who was claimed.
async fn work(store: Store, now: Timestamp, want: usize, look: impl AsyncFn(&Store)) -> Vec<Claim> {
    let id = store.sign_on(worker("crowd"), now).await.unwrap();
    let (mut done, mut held, mut idle) = (Vec::new(), Vec::<Claim>::new(), 0);
    while idle < 20 {
        let updates = held.drain(..held.len().min(want)).map(|claim| ended(&claim, Event::Finished)).collect();
        let exchange = Exchange { worker: id, updates, want, labels: Vec::new(), own: false, now };
        let given = store.exchange(exchange).await.unwrap();
        assert!(given.fenced.is_empty());
        idle = if given.claims.is_empty() && held.is_empty() { idle + 1 } else { 0 };
        if idle > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        look(&store).await;
        done.extend(given.claims.iter().cloned());
        held.extend(given.claims);
    }
    done
}

/// Each task run was claimed once.
fn once(claims: &[Claim]) -> usize {
    let mut counts = BTreeMap::new();
    claims.iter().for_each(|claim| *counts.entry(claim.task_run).or_insert(0) += 1);
    assert!(counts.values().all(|count| *count == 1));
    counts.len()
}

async fn slots_are_never_exceeded(place: Place) {
    let world = World::new(place.store).await;
    let other = Store::open(&place.location).await.unwrap();
    world.store.set_pools([("heavy".to_owned(), 3), ("light".to_owned(), 4)].into()).await.unwrap();
    let mut nodes: Vec<_> = (0..60).map(|index| node(&format!("n{index}"), &[])).collect();
    for (index, node) in nodes.iter_mut().enumerate() {
        node.pool =
            [Some(("heavy".to_owned(), 1 + index as u32 % 2)), Some(("light".to_owned(), 1)), None][index % 3].clone();
    }
    let document = world.pipeline("p", graph(nodes)).await;
    for identity in ["a", "b"] {
        world.run("p", document, identity).await;
    }
    let look = async |store: &Store| assert_eq!(store.audit().await.unwrap(), Vec::<String>::new());
    let now = world.now;
    let (one, two) = tokio::join!(work(world.store.clone(), now, 5, look), work(other, now, 5, look));
    assert_eq!(once(&[one, two].concat()), 120);
    assert!(world.store.open_runs().await.unwrap().is_empty());
}

async fn a_large_run_is_done_once(place: Place) {
    let world = World::new(place.store).await;
    let other = Store::open(&place.location).await.unwrap();
    // 50 layers of 50 tasks, each after two of the layer before
    let mut nodes = Vec::new();
    for layer in 0..50_usize {
        for place in 0..50_usize {
            let before = |step: usize| (layer - 1) * 50 + (place + step) % 50;
            let mut after = if layer == 0 { Vec::new() } else { vec![before(0), before(1)] };
            after.sort_unstable();
            nodes.push(node(&format!("n{layer}_{place}"), &after));
        }
    }
    let document = world.pipeline("p", graph(nodes)).await;
    let run = world.run("p", document, "a").await;
    let now = world.now;
    let stores = [world.store.clone(), other.clone(), world.store.clone(), other];
    let workers = stores.map(|store| tokio::spawn(work(store, now, 20, async |_: &Store| ())));
    let mut claims = Vec::new();
    for worker in workers {
        claims.extend(worker.await.unwrap());
    }
    assert_eq!(once(&claims), 2_500);
    assert_eq!(world.store.run(run).await.unwrap().unwrap().state, RunState::Succeeded);
}

async fn a_job_that_fails_fails_alone(place: Place) {
    let world = World::new(place.store).await;
    let document = world.pipeline("p", chain(1)).await;
    let jobs = (0..200_i64).map(|index| {
        let (store, now) = (world.store.clone(), world.now);
        // every tenth asks for a version that does not exist
        let document = if index % 10 == 0 { 9_999 } else { document };
        tokio::spawn(
            async move { store.create_run(NewRun::manual("p", document, index.to_string()), now).await.is_ok() },
        )
    });
    let mut made = 0;
    for job in jobs.collect::<Vec<_>>() {
        made += usize::from(job.await.unwrap());
    }
    assert_eq!(made, 180);
    assert_eq!(world.store.open_runs().await.unwrap()["p"], 180);
    let commits = world.store.commits();
    assert!(commits.jobs > commits.commits, "{commits:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_clients_of_one_file() {
    let place = sqlite().await;
    let world = World::new(place.store).await;
    let document = world.pipeline("p", chain(1)).await;
    let mut stores = Vec::new();
    for _ in 0..10 {
        stores.push(Store::open(&place.location).await.unwrap());
    }
    let clients = (0..100).map(|client| {
        let (store, now) = (stores[client % stores.len()].clone(), world.now);
        tokio::spawn(async move {
            for step in 0..5 {
                let new = NewRun::manual("p", document, format!("{client} {step}"));
                let run = store.create_run(new, now).await.unwrap().run;
                assert!(store.run(run).await.unwrap().is_some());
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
    assert_eq!(world.store.open_runs().await.unwrap()["p"], 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_make_one_thing_at_once() {
    let place = postgres().await;
    let world = World::new(place.store).await;
    let other = Store::open(&place.location).await.unwrap();
    let document = world.pipeline("p", chain(1)).await;
    for round in 0..20 {
        let new = || NewRun::manual("p", document, format!("same {round}"));
        let (one, two) = tokio::join!(world.store.create_run(new(), world.now), other.create_run(new(), world.now));
        let (one, two) = (one.unwrap(), two.unwrap());
        assert!(one.run == two.run && one.is_new != two.is_new);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_made_while_the_one_before_it_ends_gets_its_turn() {
    let place = postgres().await;
    let world = World::new(place.store).await;
    let other = Store::open(&place.location).await.unwrap();
    let document = world.pipeline("p", Graph { concurrency: Some(1), ..chain(1) }).await;
    world.run("p", document, "before").await;
    let claim = world.claim(1).await.remove(0);
    let Location::Url(url) = &place.location else { panic!("not PostgreSQL") };
    let (client, schema) = client(url.expose()).await;
    // events are written last: neither can commit before both have looked at the runs
    let lock = format!("SET search_path TO \"{schema}\"; BEGIN; LOCK TABLE events IN SHARE MODE");
    client.batch_execute(&lock).await.unwrap();
    let pause = |ms| tokio::time::sleep(Duration::from_millis(ms));
    let make = async {
        pause(200).await;
        other.create_run(NewRun::manual("p", document, "after".to_owned()), world.now).await.unwrap();
    };
    let release = async {
        pause(400).await;
        client.batch_execute("COMMIT").await.unwrap();
    };
    tokio::join!(world.end(&claim, Event::Finished), make, release);
    assert_eq!(world.claim(10).await.len(), 1);
}
