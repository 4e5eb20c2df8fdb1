//! The engine between systems in memory, which fail on demand; tasks with real processes, servers and files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod checks;
mod cut_off;
mod faults;
mod house;
mod loads;
mod logs;
mod queries;
mod replays;
mod requests;
mod simulation;
mod stage;
mod tasks;
mod telling;
mod workers;
