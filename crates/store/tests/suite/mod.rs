//! What every store must do.

mod access;
mod audit_log;
mod backfills;
mod broken;
mod catalogue;
mod claims;
mod crowds;
mod dashboard;
mod moments;
mod outbox;
mod project;
mod random;
mod results;
mod retries;
mod runs;
mod schedules;
mod secrets;
mod stop;
mod transfer;
mod trips;
mod versions;
mod views;
mod world;
