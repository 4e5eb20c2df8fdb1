//! The suites run against the in-memory connector: what they ask for can be done, and the connector keeps the contract.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use levada_core::connector::Connection;
use levada_testkit::conformance::{Capabilities, Harness};
use levada_testkit::memory::Memory;

struct InMemory(Memory);

impl Harness for InMemory {
    fn connection(&self) -> Arc<dyn Connection> {
        Arc::new(self.0.clone())
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { sql: false, ..Capabilities::default() }
    }
}

async fn harness() -> InMemory {
    InMemory(Memory::new())
}

mod destination {
    use super::harness;
    levada_testkit::destination_suite!(harness());
}

mod source {
    use super::harness;
    levada_testkit::source_suite!(harness());
}

mod values {
    use super::harness;
    levada_testkit::values_suite!(harness());
}
