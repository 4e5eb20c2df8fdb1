//! The engine between systems in memory, which fail on demand.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cut_off;
mod faults;
mod loads;
mod stage;
