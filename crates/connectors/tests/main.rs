//! Conformance of every connector against the real system.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::type_complexity)]

mod files;
mod http;
mod mysql;
mod pages;
mod postgres;
mod queries;
mod sqlite;
mod values;
