//! A thread with room for deep recursion: parsers and planners of SQL recurse over what a user wrote.

use levada_core::error::{Error, ErrorKind, Result};

/// Address space of the thread; only what is touched becomes memory. The deepest text that passes the limits of
/// [`crate::parse`] takes less than a tenth of it.
const STACK_BYTES: usize = 256 << 20;

/// Does the work on a thread with a large stack and waits for it.
///
/// # Errors
/// Those of the work; `Internal` where it panicked, `Busy` where no thread could be started.
pub(crate) fn deep<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("sql-plan".to_owned()).stack_size(STACK_BYTES);
        let thread = thread.spawn_scoped(scope, work).map_err(|error| {
            Error::new(ErrorKind::Busy, format!("no thread for planning could be started: {error}"))
        })?;
        thread.join().unwrap_or_else(|_| Err(Error::new(ErrorKind::Internal, "the query could not be planned")))
    })
}
