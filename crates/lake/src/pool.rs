//! The memory of a session, of which no merge of sorted runs takes all: it takes what it gets, also what another one of the same
//! join needs to begin with, and works with less too.

use std::fmt;

use deltalake::datafusion::error::{DataFusionError, Result};
use deltalake::datafusion::execution::memory_pool::{
    FairSpillPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};

/// What the engine calls such a merge.
const MERGE: &str = "ExternalSorterMerge";
/// The part of the memory of a partition that one of them may take.
const PART: usize = 2;

/// A pool of a fixed size that shares fairly among all who can go to disk.
#[derive(Debug)]
pub struct Pool {
    shared: FairSpillPool,
    merge_max: usize,
}

impl Pool {
    /// A pool of so many bytes for plans with so many partitions.
    pub fn new(bytes: usize, width: usize) -> Self {
        let merge_max = if width > 1 { bytes / width / PART } else { bytes };
        Self { shared: FairSpillPool::new(bytes), merge_max }
    }
}

impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.fmt(f)
    }
}

impl MemoryPool for Pool {
    fn name(&self) -> &str {
        self.shared.name()
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.shared.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.shared.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.shared.grow(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.shared.shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let is_merge = reservation.consumer().name().starts_with(MERGE);
        if is_merge && reservation.size() + additional > self.merge_max {
            let message = format!("a merge of sorted runs needs more than {} MiB", self.merge_max >> 20);
            return Err(DataFusionError::ResourcesExhausted(message));
        }
        self.shared.try_grow(reservation, additional)
    }

    fn reserved(&self) -> usize {
        self.shared.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.shared.memory_limit()
    }
}
