//! Runs and their task runs: the only code that writes their state. Every change goes through [`levada_core::run::advance`],
//! is a compare-and-set on version and epoch, and leaves an event in the same transaction.

mod change;
mod claim;
mod create;
mod end;
mod exchange;
mod items;
mod settle;
mod stop;
mod wake;

pub use claim::{Claim, LABELS_MAX};
pub use create::{Cause, Created, NewRun};
pub use exchange::{Exchange, Exchanged, Update};

pub(crate) use change::History;
pub(crate) use create::{Place, create, create_run, create_runs, graph, place_of, same_input};
pub(crate) use end::admit;
pub(crate) use exchange::exchange;
pub(crate) use stop::{stop, stop_run};
pub(crate) use wake::{lose_unknown, next_wake, reap, wake_due};

/// The label of task runs that only the process which started their run may claim.
pub(crate) const OWN_RUN: &str = "@run";
