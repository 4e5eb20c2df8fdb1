//! One run's life: the states of a task run, the events that lead from one to the next, and how the state of a run
//! follows from those of its task runs. Pure; the store is what remembers.

mod advance;
mod event;
mod graph;
mod rollup;
mod state;

pub use advance::{Illegal, Policy, advance};
pub use event::Event;
pub use graph::{FanOut, Graph, Node, Readiness, When};
pub use rollup::{RunState, Tally};
pub use state::State;

#[cfg(test)]
mod tests;
