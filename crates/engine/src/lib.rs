//! The house where a batch makes its trip from a source to a destination. Knows the traits of `levada-core`, and no
//! connector by name.

mod channel;
pub mod connections;
pub mod house;
pub mod log;
pub mod metrics;
pub mod progress;
pub mod report;
pub mod run;
pub mod task;
