//! A seeded, realistic shop: the same seed gives the same customers, products, orders and events, byte for byte.
//! `create` writes its first year, `grow` what happens on a later day. Used by the demo and by tests of whole runs.

pub mod chance;
mod database;
mod files;
mod people;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

pub use database::DATABASE;
pub use files::{CUSTOMERS, EVENTS};

/// Why a shop could not be written: only disks and databases can fail here.
pub type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// 2025-01-01T00:00:00 in microseconds since 1970; the shop opens.
const OPENING_US: i64 = 1_735_689_600_000_000;
const DAY_US: i64 = 86_400_000_000;
const FIRST_YEAR_US: i64 = 365 * DAY_US;

/// How many rows a shop starts with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Rows of `customers`, in the database and in `customers.csv`.
    pub customers: u64,
    /// Rows of `products`.
    pub products: u64,
    /// Rows of `orders`.
    pub orders: u64,
    /// Lines of the first event file.
    pub events: u64,
}

impl Sizes {
    /// A shop of the given scale; 1 has 1,055,000 rows in all.
    #[must_use]
    pub fn scaled(scale: f64) -> Self {
        let rows = |base: f64| (base * scale).ceil().max(1.0) as u64;
        Self { customers: rows(50_000.0), products: rows(5_000.0), orders: rows(400_000.0), events: rows(600_000.0) }
    }
}

/// What a call of [`Shop::create`] or [`Shop::grow`] has written.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Written {
    /// New and changed rows, by the name of their table or file.
    pub rows: Vec<(String, u64)>,
}

/// A folder with `shop.db`, `customers.csv` and `events/N.jsonl`.
#[derive(Debug)]
pub struct Shop {
    folder: PathBuf,
    seed: u64,
    gzip: bool,
}

impl Shop {
    /// A shop in a folder, which is made if need be. `gzip` compresses the event files.
    #[must_use]
    pub fn new(folder: &Path, seed: u64, gzip: bool) -> Self {
        Self { folder: folder.to_owned(), seed, gzip }
    }

    /// Writes the first year; what an earlier shop left in the folder is replaced.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn create(&self, sizes: Sizes) -> Result<Written> {
        fs::create_dir_all(&self.folder)?;
        for leftover in [EVENTS, DATABASE, "shop.db-wal", "shop.db-shm"] {
            let path = self.folder.join(leftover);
            if path.is_dir() {
                fs::remove_dir_all(path)?;
            } else if path.exists() {
                fs::remove_file(path)?;
            }
        }
        fs::create_dir_all(self.folder.join(EVENTS))?;
        let mut written = database::create(&self.folder, self.seed, sizes)?;
        written.push((CUSTOMERS.to_owned(), files::write_customers(&self.folder, self.seed, sizes.customers)?));
        let known = (sizes.customers, sizes.products);
        written.push(self.write_events(1, sizes.events, known, (OPENING_US, OPENING_US + FIRST_YEAR_US))?);
        Ok(Written { rows: written })
    }

    /// Writes one more day: `orders` new ones, changes of status in a tenth as many old ones, some changed customers,
    /// and a new event file with half as many lines again.
    ///
    /// # Errors
    /// When there is no shop in the folder, or a file cannot be written.
    pub fn grow(&self, orders: u64) -> Result<Written> {
        if !self.folder.join(DATABASE).is_file() {
            return Err(format!("there is no shop in {}: create it first", self.folder.display()).into());
        }
        let generation = fs::read_dir(self.folder.join(EVENTS))?.count() as u64 + 1;
        let start = OPENING_US + FIRST_YEAR_US + (generation as i64 - 2) * DAY_US;
        let day = (start, start + DAY_US);
        let mut grown = database::grow(&self.folder, self.seed ^ generation, orders, day)?;
        let sizes = (grown.customers, grown.products);
        grown.rows.push(self.write_events(generation, orders + orders / 2, sizes, day)?);
        Ok(Written { rows: grown.rows })
    }

    fn write_events(
        &self,
        generation: u64,
        count: u64,
        customers_and_products: (u64, u64),
        period: (i64, i64),
    ) -> Result<(String, u64)> {
        let name = format!("{EVENTS}/{generation}.jsonl{}", if self.gzip { ".gz" } else { "" });
        let seed = self.seed ^ generation.rotate_left(32);
        files::write_events(&self.folder.join(&name), seed, count, customers_and_products, period)?;
        Ok((name, count))
    }
}

#[cfg(test)]
mod tests;
