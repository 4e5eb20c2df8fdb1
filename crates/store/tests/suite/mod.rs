//! What every store must do.

mod backfills;
mod claims;
mod crowds;
mod random;
mod runs;
mod schedules;
mod stop;
mod views;
mod world;
