//! The house where pipelines run by themselves: a scheduler that says what is due, and a worker that does it. Both know
//! the store and nothing of what tasks do.

mod backups;
mod checking;
mod clock;
mod doors;
mod execute;
mod host;
mod keeper;
mod kinds;
mod landing;
mod left;
mod lineage;
mod log_files;
mod moving;
mod tick;
mod worker;

pub use clock::SystemClock;
pub use doors::{doors_here, open_door};
pub use execute::{Env, Executor, Nobody, Observer, Secrets, Seen, Surroundings};
pub use host::Host;
pub use keeper::{Keeper, Removed};
pub use kinds::{QUARANTINE, RunOptions, step};
pub use landing::{Landed, Landing, LookForFiles};
pub use left::kill_left_behind;
pub use lineage::{Round, Telling};
pub use log_files::{LogFile, file_name, log_path, logs_of};
pub use moving::{StreamFigures, Sums, SyncProgress};
pub use tick::{Scheduler, Tick};
pub use worker::{Done, Execute, Executed, Worker, WorkerOptions};
