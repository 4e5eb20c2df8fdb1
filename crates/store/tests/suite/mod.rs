//! What every store must do.

mod runs;
mod world;
