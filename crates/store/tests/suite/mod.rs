//! What every store must do.

mod backfills;
mod broken;
mod claims;
mod crowds;
mod project;
mod random;
mod runs;
mod schedules;
mod secrets;
mod stop;
mod transfer;
mod versions;
mod views;
mod world;
