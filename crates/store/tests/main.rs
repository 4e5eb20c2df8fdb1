//! The store: one suite of tests, run against both databases.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod places;
mod suite;
