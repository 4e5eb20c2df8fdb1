//! Tests of the real binary.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod commands;
mod kill;
mod runs;
mod support;
