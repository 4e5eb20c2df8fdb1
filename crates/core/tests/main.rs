//! Tests of core as its callers see it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod documents;
