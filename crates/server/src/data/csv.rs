//! Comma separated values (RFC 4180), read piece by piece and written. A field without a character and without quotes is
//! none; an empty text is two quotes.

use arrow_array::RecordBatch;
use levada_core::text;

use crate::problem::Problem;

/// The media type.
pub(super) const MEDIA_TYPE: &str = "text/csv";
/// The longest field, in bytes.
const FIELD_BYTES_MAX: usize = 1 << 20;
/// Most fields of a line.
const FIELDS_MAX: usize = 2_000;

/// A field: its text, or none.
pub(super) type Field = Option<String>;

/// A reader that is fed with pieces of a file.
#[derive(Default)]
pub(super) struct Reader {
    state: State,
    field: Vec<u8>,
    is_quoted: bool,
    line: Vec<Field>,
    lines: u64,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Plain,
    Quoted,
    /// Behind a quote within quotes: the end, or half of a doubled one.
    Quote,
}

impl Reader {
    /// Takes a piece; hands out the lines that end in it.
    ///
    /// # Errors
    /// `Malformed`, with the line.
    pub fn feed(&mut self, bytes: &[u8], mut line: impl FnMut(Vec<Field>)) -> Result<(), Problem> {
        for byte in bytes {
            match (self.state, byte) {
                (State::Quoted, b'"') => self.state = State::Quote,
                (State::Quoted, byte) => self.field.push(*byte),
                (State::Quote, b'"') => {
                    self.field.push(b'"');
                    self.state = State::Quoted;
                }
                (_, b',') => self.end_field()?,
                (_, b'\n') => {
                    if self.state == State::Plain && self.field.last() == Some(&b'\r') {
                        self.field.pop();
                    }
                    self.end_field()?;
                    self.lines += 1;
                    let fields = std::mem::take(&mut self.line);
                    // an empty line is no row
                    if fields != [None] {
                        line(fields);
                    }
                }
                (State::Quote, b'\r') => {}
                (State::Quote, _) => return Err(self.wrong("has text behind a closing quote")),
                (State::Plain, b'"') if self.field.is_empty() && !self.is_quoted => {
                    self.is_quoted = true;
                    self.state = State::Quoted;
                }
                (State::Plain, byte) => self.field.push(*byte),
            }
            if self.field.len() > FIELD_BYTES_MAX {
                return Err(self.wrong("has a field that is too long"));
            }
        }
        Ok(())
    }

    /// The end of the file.
    ///
    /// # Errors
    /// `Malformed` for an open quote.
    pub fn finish(&mut self, line: impl FnMut(Vec<Field>)) -> Result<(), Problem> {
        if self.state == State::Quoted {
            return Err(self.wrong("has a quote that is never closed"));
        }
        if self.field.is_empty() && self.line.is_empty() && !self.is_quoted {
            return Ok(());
        }
        self.feed(b"\n", line)
    }

    fn end_field(&mut self) -> Result<(), Problem> {
        let bytes = std::mem::take(&mut self.field);
        let text = String::from_utf8(bytes).map_err(|_| self.wrong("is not UTF-8"))?;
        self.line.push((self.is_quoted || !text.is_empty()).then_some(text));
        self.is_quoted = false;
        self.state = State::Plain;
        if self.line.len() > FIELDS_MAX { Err(self.wrong("has too many fields")) } else { Ok(()) }
    }

    fn wrong(&self, what: &str) -> Problem {
        Problem::Malformed(format!("Line {} of the file {what}.", self.lines + 1))
    }
}

/// Appends the names of columns.
pub(crate) fn write_names<'n>(out: &mut String, names: impl IntoIterator<Item = &'n str>) {
    for (index, name) in names.into_iter().enumerate() {
        out.push_str(if index > 0 { "," } else { "" });
        write_field(out, name);
    }
    out.push_str("\r\n");
}

/// Appends rows.
pub(crate) fn write_rows(out: &mut String, batch: &RecordBatch) {
    let mut value = String::new();
    for row in 0..batch.num_rows() {
        for (index, column) in batch.columns().iter().enumerate() {
            out.push_str(if index > 0 { "," } else { "" });
            if column.is_valid(row) {
                value.clear();
                text::write_value(&mut value, column, row);
                write_field(out, &value);
            }
        }
        out.push_str("\r\n");
    }
}

fn write_field(out: &mut String, field: &str) {
    if !field.is_empty() && !field.contains(['"', ',', '\r', '\n']) {
        return out.push_str(field);
    }
    out.push('"');
    out.push_str(&field.replace('"', "\"\""));
    out.push('"');
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(text: &str, piece: usize) -> Vec<Vec<Field>> {
        let (mut reader, mut lines) = (Reader::default(), Vec::new());
        for bytes in text.as_bytes().chunks(piece) {
            reader.feed(bytes, |line| lines.push(line)).unwrap();
        }
        reader.finish(|line| lines.push(line)).unwrap();
        lines
    }

    #[test]
    fn fields_are_the_same_in_pieces_of_any_size() {
        let text = "a,\"b \"\"x\"\", y\",c\r\n\r\n1,,\"\"\n\"two\nlines\",é\"x,\"\"\r\nlast,";
        let some = |text: &str| Some(text.to_owned());
        let wanted = vec![
            vec![some("a"), some("b \"x\", y"), some("c")],
            vec![some("1"), None, some("")],
            vec![some("two\nlines"), some("é\"x"), some("")],
            vec![some("last"), None],
        ];
        for piece in 1..text.len() {
            assert_eq!(read(text, piece), wanted, "{piece}");
        }
        assert!(read("", 1).is_empty());
    }

    #[test]
    fn what_is_no_file_of_values_is_told_with_its_line() {
        for (text, line) in [("a\n\"b", "Line 2"), ("\"a\"b\n", "Line 1")] {
            let mut reader = Reader::default();
            let told = reader.feed(text.as_bytes(), |_| {}).and_then(|()| reader.finish(|_| {})).unwrap_err();
            assert!(told.details().detail.starts_with(line), "{told:?}");
        }
    }

    #[test]
    fn fields_are_quoted_where_they_have_to_be() {
        let mut out = String::new();
        write_names(&mut out, ["a", "b,c", "", "d\"e"]);
        assert_eq!(out, "a,\"b,c\",\"\",\"d\"\"e\"\r\n");
    }
}
