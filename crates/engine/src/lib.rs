//! The house where a batch makes its trip from a source to a destination. Knows the traits of `levada-core`, and no
//! connector by name.

pub mod backup;
pub mod browse;
mod channel;
pub mod check;
pub mod connections;
pub mod house;
pub mod log;
pub mod metrics;
pub mod network;
pub mod planning;
pub mod positions;
pub mod progress;
pub mod queries;
pub mod report;
pub mod run;
pub mod task;
pub mod transforms;
