//! A seeded simulation of the house: schedulers, a real store, model workers and users on a clock that is moved by hand, while
//! processes crash, stop and resume, and messages are lost, doubled and late. One seed gives one story, told again with
//! `LEVADA_SIM_SEED=n`; `LEVADA_SIM_SEEDS=n` sets how many are told. In a file the same seed is the same story; a server
//! orders what is asked of it at one moment as it likes.
#![allow(clippy::print_stderr)]

mod eye;
mod fires;
mod network;
mod observer;
mod pipelines;
mod users;
mod worker;
mod world;

use std::sync::atomic::{AtomicU64, Ordering};

use levada_testkit::services;
use world::World;

/// Seeds of an ordinary test run.
const SEEDS: u64 = 200;
/// As many with a store in a server, which takes longer to answer.
const SEEDS_AT_A_SERVER: u64 = 20;
/// Steps of one story before all faults stop.
const STEPS: u64 = 110;

/// Says how to tell the story again that went wrong.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "seed {0} broke a rule. Tell its story again, with every step: LEVADA_SIM_SEED={0} cargo test -p levada-engine \
                 --test main simulation -- --nocapture",
                self.0
            );
        }
    }
}

#[test]
fn whatever_happens_nothing_is_lost_or_done_twice() {
    tell(None, SEEDS);
}

#[test]
fn nor_with_a_store_in_a_server() {
    tell(Some(&services::postgres()), SEEDS_AT_A_SERVER);
}

fn tell(server: Option<&str>, seeds: u64) {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    if let Some(seed) = number("LEVADA_SIM_SEED") {
        return story(seed, server, true);
    }
    let seeds = number("LEVADA_SIM_SEEDS").map_or(seeds, |all| all * seeds / SEEDS);
    let next = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds {
                        break;
                    }
                    story(seed, server, false);
                }
            });
        }
    });
}

fn story(seed: u64, server: Option<&str>, aloud: bool) {
    let _seed = Seed(seed);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut world = World::new(seed, server, aloud).await;
        for _ in 0..STEPS {
            world.step().await;
        }
        world.calm_down().await;
    });
}
