//! The vocabulary of Levada: errors, schemas, batches, positions, the traits that connectors implement, and the
//! documents. No I/O, no clock reads, no spawned tasks; depends on no other crate of Levada.

pub mod access;
pub mod backup;
pub mod batch;
pub mod builder;
pub mod cast;
pub mod condition;
pub mod config;
pub mod connector;
pub mod dataset;
pub mod destination;
pub mod error;
pub mod id;
pub mod naming;
pub mod network;
pub mod position;
pub mod quality;
pub mod query;
pub mod redact;
pub mod rows;
pub mod run;
pub mod schedule;
pub mod schema;
pub mod secret;
pub mod source;
pub mod text;
pub mod time;
pub mod transform;
