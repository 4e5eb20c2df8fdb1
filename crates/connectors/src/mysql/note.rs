//! What a text column was in the system that it came from, kept as the column's comment, so that the way back restores its
//! type. Nothing here talks to a server.

use arrow_schema::{DataType, Field};
use levada_core::schema::{LOGICAL, Logical, NATIVE};

use super::session::text_literal;

const MARK: &str = "levada: ";
/// The most characters of a comment.
const CHARS_MAX: usize = 1024;

/// A column's meaning and its native type elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    logical: String,
    native: String,
}

impl Note {
    /// What is to be remembered of an incoming column that becomes text of the type `wanted`.
    pub fn of(incoming: &Field, wanted: &DataType) -> Option<Self> {
        let logical = Logical::of(incoming).filter(|logical| is_text(*logical))?;
        let native = incoming.metadata().get(NATIVE).filter(|native| !native.starts_with("mysql:"))?;
        let note = Self { logical: logical.word().to_owned(), native: native.clone() };
        (*wanted == DataType::Utf8 && note.comment().chars().count() <= CHARS_MAX).then_some(note)
    }

    /// What a comment remembers, if it is one of Levada's.
    pub fn parse(comment: &str) -> Option<Self> {
        let (logical, native) = comment.strip_prefix(MARK)?.split_once(' ')?;
        Some(Self { logical: logical.to_owned(), native: native.to_owned() })
    }

    /// What stands behind the rest of a column's definition.
    pub fn clause(&self) -> String {
        format!(" COMMENT {}", text_literal(&self.comment()))
    }

    /// The column as it was where it came from; itself if it is no plain text any more.
    pub fn restored(&self, column: &Field) -> Field {
        let mut metadata = column.metadata().clone();
        metadata.insert(NATIVE.to_owned(), self.native.clone());
        metadata.insert(LOGICAL.to_owned(), self.logical.clone());
        let restored = column.clone().with_metadata(metadata);
        let is_text_still = *column.data_type() == DataType::Utf8 && Logical::of(column).is_none();
        if is_text_still && Logical::of(&restored).is_some_and(is_text) { restored } else { column.clone() }
    }

    fn comment(&self) -> String {
        format!("{MARK}{} {}", self.logical, self.native)
    }
}

fn is_text(logical: Logical) -> bool {
    matches!(logical, Logical::Enum | Logical::Bits | Logical::Number | Logical::Interval | Logical::Foreign)
}

/// The rest of a column's line of `SHOW CREATE TABLE` without a comment of Levada's.
pub fn without_comment(rest: &str) -> String {
    let opening = format!(" COMMENT '{MARK}");
    let Some(start) = rest.find(&opening) else { return rest.to_owned() };
    let mut inside = rest[start + opening.len()..].char_indices().peekable();
    while let Some((at, c)) = inside.next() {
        match c {
            '\\' => {
                inside.next();
            }
            '\'' if inside.next_if(|(_, next)| *next == '\'').is_none() => {
                return format!("{}{}", &rest[..start], &rest[start + opening.len() + at + 1..]);
            }
            _ => {}
        }
    }
    rest.to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use levada_core::schema::field;

    use super::*;

    #[test]
    fn a_note_is_read_as_it_was_written() {
        let incoming = field("c", DataType::Utf8, true, "postgres:odd\\'s.type", Some(Logical::Foreign));
        let note = Note::of(&incoming, &DataType::Utf8).unwrap();
        assert_eq!(Note::parse(&note.comment()).unwrap(), note);
        assert_eq!(note.clause(), " COMMENT 'levada: foreign postgres:odd\\\\''s.type'");
        let plain = field("c", DataType::Utf8, true, "mysql:longtext", None);
        assert_eq!(note.restored(&plain).metadata(), incoming.metadata());
        let json = field("c", DataType::Utf8, true, "mysql:json", Some(Logical::Json));
        assert_eq!(note.restored(&json), json);
        assert_eq!(
            (Note::of(&plain, &DataType::Utf8), Note::parse("levada: x"), Note::parse("mine")),
            (None, None, None)
        );
    }

    #[test]
    fn only_its_own_comment_is_taken_away() {
        for (rest, left) in [
            (" DEFAULT NULL COMMENT 'levada: foreign postgres:odd\\\\''s'", " DEFAULT NULL"),
            (" NOT NULL COMMENT 'levada: number x' CHECK (`c` <> '')", " NOT NULL CHECK (`c` <> '')"),
            (" DEFAULT NULL COMMENT 'mine'", " DEFAULT NULL COMMENT 'mine'"),
        ] {
            assert_eq!(without_comment(rest), left);
        }
    }
}
