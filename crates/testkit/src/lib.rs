//! Test tools, never part of the product: the conformance suites every connector runs, a small pump, an in-memory
//! connector, injected faults, and the addresses of the services that tests use.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod conformance;
pub mod fault;
pub mod memory;
pub mod pump;
pub mod rows;
pub mod services;
pub mod shop;
