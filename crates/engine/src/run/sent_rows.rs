//! The rows that a load has sent, as pairs of hashes in one sorted list: what is remembered of a row has a fixed size, and as
//! many are remembered as the memory of the load allows.

use std::ops::Range;

/// Hashes of the key and of the whole of each row; where rows are appended they are one.
#[derive(Default)]
pub struct SentRows {
    rows: Vec<(u128, u128)>,
    /// Which of them need not be found any more; empty until rows are looked up.
    struck: Vec<bool>,
}

impl SentRows {
    /// Bytes that are remembered of a row.
    pub const ROW_BYTES: usize = size_of::<(u128, u128)>();

    /// Adds a row. All come before the first is looked up.
    pub fn push(&mut self, key: u128, row: u128) {
        self.rows.push((key, row));
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// A row that was not written after all.
    pub fn forget(&mut self, key: u128, row: u128) {
        if let Some(at) = self.find(key, row) {
            self.struck[at] = true;
        }
    }

    /// A row of the target is one that was sent; of several sent under one key of a merge, the one that won.
    pub fn found(&mut self, key: u128, row: u128) {
        let Some(at) = self.find(key, row) else { return };
        let met = if key == row { at..at + 1 } else { self.of(key) };
        self.struck[met].fill(true);
    }

    /// Whether a row with this key was sent and not found.
    pub fn lacks(&self, key: u128) -> bool {
        self.struck.get(self.of(key)).is_some_and(|struck| struck.contains(&false))
    }

    /// How many keys were sent and not found.
    pub fn lacking(&mut self) -> u64 {
        self.sort();
        let keys = self.rows.chunk_by(|a, b| a.0 == b.0);
        let mut start = 0;
        let lacking = keys.filter(|rows| {
            let range = start..start + rows.len();
            start = range.end;
            self.struck[range].contains(&false)
        });
        lacking.count() as u64
    }

    fn sort(&mut self) {
        if self.struck.len() != self.rows.len() {
            self.rows.sort_unstable();
            self.struck = vec![false; self.rows.len()];
        }
    }

    /// The first of equal rows that is not struck: the struck ones come before it.
    fn find(&mut self, key: u128, row: u128) -> Option<usize> {
        self.sort();
        let equal = self.between((key, row), (key, row));
        let at = equal.start + self.struck[equal.clone()].partition_point(|struck| *struck);
        equal.contains(&at).then_some(at)
    }

    fn of(&self, key: u128) -> Range<usize> {
        self.between((key, u128::MIN), (key, u128::MAX))
    }

    fn between(&self, first: (u128, u128), last: (u128, u128)) -> Range<usize> {
        self.rows.partition_point(|row| *row < first)..self.rows.partition_point(|row| *row <= last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_appended_row_is_found_once() {
        let mut sent = SentRows::default();
        [7, 3, 7].into_iter().for_each(|row| sent.push(row, row));
        assert_eq!(sent.lacking(), 2);
        sent.found(7, 7);
        assert!(sent.lacks(7) && sent.lacks(3) && !sent.lacks(5));
        sent.found(7, 7);
        sent.found(7, 7);
        sent.found(5, 5);
        assert!(!sent.lacks(7));
        sent.forget(3, 3);
        assert_eq!(sent.lacking(), 0);
    }

    #[test]
    fn of_rows_with_one_key_the_one_that_won_is_enough() {
        let mut sent = SentRows::default();
        [(1, 10), (1, 11), (2, 20), (2, 21)].into_iter().for_each(|(key, row)| sent.push(key, row));
        sent.found(1, 99);
        assert!(sent.lacks(1));
        sent.found(1, 11);
        sent.forget(2, 21);
        assert_eq!((sent.lacks(1), sent.lacks(2), sent.lacking()), (false, true, 1));
        sent.found(2, 21);
        assert!(sent.lacks(2), "what was not written is not what was found");
        sent.found(2, 20);
        assert_eq!(sent.lacking(), 0);
    }
}
