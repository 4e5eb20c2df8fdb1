//! A hot standby cancels queries that stand in the way of what its primary did, and with them the snapshot they read:
//! nothing can be read on under it. An incremental read of a standby therefore goes along the index of its cursor in
//! slices, and a read that breaks tells up to which value it came, so that the rows up to there need not be read again.

use std::sync::{Mutex, MutexGuard, PoisonError};

use levada_core::error::Error;
use levada_core::position::Position;
use serde_json::json;

/// How many rows are worth a slice.
pub const SLICE_ROWS: u32 = 50_000;

/// Part of an incremental read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice {
    /// Its number, in the order of the cursor.
    pub number: usize,
    /// The condition that selects its rows.
    pub condition: String,
}

/// Which slices have been handed on, shared by the readers.
#[derive(Debug)]
pub struct Slices {
    column: String,
    state: Mutex<Vec<State>>,
}

#[derive(Debug)]
struct State {
    /// The highest cursor value of the slice; none in the one of rows that have no place in the order.
    end: Option<String>,
    done: bool,
}

impl Slices {
    /// Slices of a read by the given column, by their highest values.
    pub fn new(column: &str, ends: Vec<Option<String>>) -> Self {
        let state = ends.into_iter().map(|end| State { end, done: false }).collect();
        Self { column: column.to_owned(), state: Mutex::new(state) }
    }

    /// Every row of a slice is with the caller.
    pub fn done(&self, number: usize) {
        if let Some(slice) = self.lock().get_mut(number) {
            slice.done = true;
        }
    }

    /// Adds to an error how far the read came, if trying again can help.
    pub fn reached(&self, error: Error) -> Error {
        let state = self.lock();
        let last = state.iter().take_while(|slice| slice.done).last().and_then(|slice| slice.end.clone());
        match last.filter(|_| error.kind().policy().retry) {
            Some(end) => error.reached(Position(json!({ "column": self.column, "cursor": end }))),
            None => error,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<State>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use levada_core::error::ErrorKind;

    #[test]
    fn a_read_has_come_as_far_as_no_slice_is_missing() {
        let slices = Slices::new("c", vec![None, Some("10".to_owned()), Some("20".to_owned()), Some("30".to_owned())]);
        let cursor = |kind| {
            let error = slices.reached(Error::new(kind, "cut off"));
            error.position().and_then(|position| position.0["cursor"].as_str()).map(str::to_owned)
        };
        slices.done(1);
        assert_eq!(cursor(ErrorKind::Busy), None, "rows without a value are missing");
        slices.done(0);
        assert_eq!(cursor(ErrorKind::Busy).as_deref(), Some("10"));
        slices.done(3);
        assert_eq!(cursor(ErrorKind::Connect).as_deref(), Some("10"), "20 is missing");
        slices.done(2);
        assert_eq!(cursor(ErrorKind::Busy).as_deref(), Some("30"));
        assert_eq!(cursor(ErrorKind::Data), None, "trying again cannot help");
    }
}
