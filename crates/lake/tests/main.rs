//! Conformance of Delta tables on a local folder and on S3, and what other programs make of them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod conformance;
mod kills;
mod moved;
mod only;
mod pages;
mod python;
mod races;
mod stops;
mod upkeep;
