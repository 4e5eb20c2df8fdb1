//! Test tools, never part of the product: the conformance suites every connector runs, a small pump, an in-memory
//! connector, injected faults, bent bytes, connections that lose an answer, and the addresses of the services that tests use.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod bent;
pub mod conformance;
pub mod fault;
pub mod forwarder;
pub mod memory;
pub mod pump;
pub mod rows;
pub mod services;
pub mod shop;
