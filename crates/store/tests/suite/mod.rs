//! What every store must do.

mod backfills;
mod claims;
mod crowds;
mod runs;
mod schedules;
mod stop;
mod world;
