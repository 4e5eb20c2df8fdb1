//! What every store must do.

mod backfills;
mod runs;
mod schedules;
mod world;
