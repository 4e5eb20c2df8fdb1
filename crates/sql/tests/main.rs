//! The tests of this crate: results in `.slt` files, what is refused, and how queries end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod computed;
mod ends;
mod lineage;
mod pushdown;
mod refusals;
mod slt;
mod support;
