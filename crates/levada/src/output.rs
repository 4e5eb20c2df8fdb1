//! What a person or a program reads: data on standard output, everything else on standard error, as text or JSON.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use levada_core::error::{Context as _, Error, ErrorKind, Result};
use levada_core::time::Timestamp;
use serde::Serialize;
use serde_json::json;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::cli::Format;

pub use levada_core::text::seconds;

/// The widest cell of a table, in columns of the terminal.
const CELL_WIDTH_MAX: usize = 60;

/// Set where data could not be written, which shows in the exit code.
static LOST: AtomicBool = AtomicBool::new(false);

/// Writes results in the format that was asked for.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    format: Format,
}

/// An aligned table.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<Vec<Cell>>,
}

/// One cell of a table.
#[derive(Debug, Clone)]
pub struct Cell {
    text: String,
    right: bool,
}

impl Output {
    /// Output in a format.
    pub fn new(format: Format) -> Self {
        Self { format }
    }

    /// Whether a program reads it.
    pub fn is_json(self) -> bool {
        self.format == Format::Json
    }

    /// Writes a line of data.
    pub fn line(self, text: &str) {
        self.put(&format!("{text}\n"));
    }

    /// Writes data as it is.
    pub fn put(self, text: &str) {
        // a reader that has gone away (`| head`) is no reason to complain
        if let Err(error) = self.lines(text)
            && !LOST.swap(true, Ordering::Relaxed)
        {
            self.errors(&[error.advise("What was done is done; only what tells of it is lost.")]);
        }
    }

    /// Whether some data could not be written.
    pub fn has_lost(self) -> bool {
        LOST.load(Ordering::Relaxed)
    }

    /// Writes whole lines of data at once. Answers whether somebody still reads: what is long can end then.
    ///
    /// # Errors
    /// What kept them from being written, a full disk for instance.
    pub fn lines(self, text: &str) -> Result<bool> {
        match std::io::stdout().lock().write_all(text.as_bytes()) {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
            written => written.map(|()| true).at("standard output"),
        }
    }

    /// Writes a value as JSON.
    pub fn json(self, value: &impl Serialize) {
        match serde_json::to_string_pretty(value) {
            Ok(text) => self.line(&text),
            Err(error) => {
                LOST.store(true, Ordering::Relaxed);
                self.errors(&[Error::new(ErrorKind::Internal, format!("the result is no JSON: {error}"))]);
            }
        }
    }

    /// Writes a table as data.
    pub fn table(self, table: &Table) {
        self.put(&table.render());
    }

    /// Says something that is not data.
    pub fn note(self, text: &str) {
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    }

    /// Tells errors, and gives the exit code that follows from them. As JSON they are one object in a line of its own: programs
    /// find it last on standard error.
    pub fn errors(self, errors: &[Error]) -> u8 {
        let exit_code = errors.first().map_or(0, |error| error.kind().policy().exit_code);
        if self.is_json() {
            let errors: Vec<_> = errors.iter().map(error_json).collect();
            self.note(&json!({ "errors": errors, "exit_code": exit_code }).to_string());
        } else {
            for error in errors {
                self.note(&format!("error: {}", printable(&error.to_string())));
            }
        }
        exit_code
    }
}

/// An error in parts.
pub fn error_json(error: &Error) -> serde_json::Value {
    json!({
        "code": error.kind().policy().code,
        "place": error.place(),
        "message": error.message(),
        "advice": error.advice(),
    })
}

impl Table {
    /// A table with these headings.
    pub fn new(headings: &[&str]) -> Self {
        let mut table = Self::default();
        table.row(headings.iter().map(Cell::text));
        table
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The table as text: columns two spaces apart, a rule below the headings.
    pub fn render(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let width =
            |column: usize| self.rows.iter().filter_map(|row| row.get(column)).map(Cell::width).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        // a heading stands where its numbers stand
        let right: Vec<bool> = (0..columns)
            .map(|c| self.rows.iter().skip(1).any(|row| row.get(c).is_some_and(|cell| cell.right)))
            .collect();
        let mut text = String::new();
        for (number, row) in self.rows.iter().enumerate() {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                let pad = " ".repeat(widths[column].saturating_sub(cell.width()));
                let gap = if column == 0 { "" } else { "  " };
                let parts = if right[column] { [gap, &pad, &cell.text] } else { [gap, &cell.text, &pad] };
                line.extend(parts);
            }
            text.push_str(line.trim_end());
            text.push('\n');
            if number == 0 {
                let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
                text.push_str(&rule.join("  "));
                text.push('\n');
            }
        }
        text
    }
}

impl Cell {
    /// Text on the left.
    pub fn text(text: impl AsRef<str>) -> Self {
        Self { text: shortened(&printable(text.as_ref()), CELL_WIDTH_MAX), right: false }
    }

    /// A number, on the right.
    pub fn right(text: impl AsRef<str>) -> Self {
        Self { right: true, ..Self::text(text) }
    }

    /// A count, on the right, in groups of three digits.
    pub fn count(count: u64) -> Self {
        Self::right(grouped(count))
    }

    fn width(&self) -> usize {
        self.text.width()
    }
}

/// Text whose control characters cannot act on a terminal.
pub fn printable(text: &str) -> String {
    if !text.chars().any(char::is_control) {
        return text.to_owned();
    }
    text.chars().map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() }).collect()
}

/// Text that takes no more columns of a terminal than this.
pub fn shortened(text: &str, width_max: usize) -> String {
    if text.width() <= width_max {
        return text.to_owned();
    }
    let mut width = 1;
    let kept = text.chars().take_while(|c| {
        width += c.width().unwrap_or(0);
        width <= width_max
    });
    kept.chain(['…']).collect()
}

/// `1,234,567`.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// An instant to the second, in UTC; `-` for none.
pub fn instant(at: impl Into<Option<Timestamp>>) -> String {
    at.into().map_or_else(|| "-".to_owned(), |at| Timestamp::from_secs(at.as_secs()).to_string())
}

/// `12.3 MB`.
pub fn bytes(count: f64) -> String {
    let units = [("GB", 1e9), ("MB", 1e6), ("kB", 1e3)];
    match units.iter().find(|(_, size)| count >= *size) {
        Some((unit, size)) => format!("{:.1} {unit}", count / size),
        None => format!("{count:.0} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_control_characters_are_shown() {
        let mut table = Table::new(&["name", "rows"]);
        table.row([Cell::text("größe\u{1b}[2J\n"), Cell::count(1_234_567)]);
        table.row([Cell::text("日本"), Cell::count(7)]);
        let wanted = "name                 rows\n----------------  ---------\ngröße\\u{1b}[2J\\n  1,234,567\n日本                      7\n";
        assert_eq!(table.render(), wanted.replace("name                 rows", "name                   rows"));
    }

    #[test]
    fn long_cells_are_cut_and_numbers_are_readable() {
        assert_eq!(Cell::text("x".repeat(100)).width(), CELL_WIDTH_MAX);
        assert_eq!((grouped(0), grouped(999), grouped(1000)), ("0".into(), "999".into(), "1,000".into()));
        assert_eq!((bytes(12.0), bytes(12_340_000.0)), ("12 B".into(), "12.3 MB".into()));
        assert_eq!((seconds(0.25), seconds(75.0), seconds(3720.0)), ("0.2s".into(), "1m15s".into(), "1h02m".into()));
    }
}
