//! Tests of the real binary.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod commands;
mod kill;
mod runs;
mod support;
