//! Tests of the real binary.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod api;
mod api_to_warehouse;
mod backup;
mod bad_input;
mod canary;
mod checks;
mod cluster;
mod commands;
mod cursors;
mod datasets;
mod fuzz;
mod house;
mod hr;
mod kill;
mod kill_service;
mod loads;
mod logins;
mod memory;
mod names;
mod progress;
mod project;
mod remote;
mod runs;
mod secrets;
mod service;
mod shapes;
mod sql;
mod standby;
mod support;
mod takeover;
mod transforms;
mod triggers;
