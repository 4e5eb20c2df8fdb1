//! One answer of a list: its text, where in it the records are, and what they inherit from the records they belong to.

use std::fmt;
use std::ops::Range;

use levada_core::error::{Error, ErrorKind, Result};
use serde::de::{Deserializer as _, Error as _, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::pagination::found;
use super::path::Path;

/// The most records of one page; each takes some room beside its text.
const RECORDS_MAX: usize = 1_000_000;

/// A page of records.
pub struct Page {
    body: String,
    records: Vec<Range<usize>>,
    /// What its address was, without keys, and which page of its list it is.
    pub url: String,
    /// The number of the page in its list, from 1.
    pub number: u64,
    /// When it came, in microseconds since 1970.
    pub fetched_us: i64,
    /// Columns that the records have from the record they belong to, each as JSON.
    pub inherited: Vec<(String, String)>,
}

impl Page {
    /// Finds the records of an answer: the items of an array, or one object. Null is none, and so is an empty answer.
    ///
    /// # Errors
    /// `Data` where there is something else.
    pub fn new(body: String, records: &Path) -> Result<Self> {
        let mut ranges = Vec::new();
        let text = body.trim_ascii();
        let place = if text.is_empty() { Some("null") } else { found(records, text)? };
        match place.map(|text| (text, text.as_bytes().first())) {
            Some((_, Some(b'n'))) => {}
            Some((text, Some(b'{'))) => ranges.push(range_in(&body, text)),
            Some((text, Some(b'['))) => {
                let take = |item: &str| ranges.push(range_in(&body, item));
                let mut reading = serde_json::Deserializer::from_str(text);
                let outcome = reading.deserialize_seq(Items(take));
                outcome.map_err(|error| Error::new(ErrorKind::Data, format!("the records cannot be read: {error}")))?;
            }
            // an error that a server tells with a status of success must not pass for an empty list
            None | Some(_) => {
                return Err(Error::new(ErrorKind::Data, "there are no records where `records` says")
                    .advise("Name the place of the array in the answer, for instance `records: data.items`."));
            }
        }
        Ok(Self { body, records: ranges, url: String::new(), number: 1, fetched_us: 0, inherited: Vec::new() })
    }

    /// How many records it has.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Its records, as JSON.
    pub fn records(&self) -> impl Iterator<Item = &str> {
        self.records.iter().map(|range| &self.body[range.clone()])
    }

    /// One of its records.
    pub fn record(&self, at: usize) -> Option<&str> {
        self.records.get(at).map(|range| &self.body[range.clone()])
    }

    /// Its last record.
    pub fn last(&self) -> Option<&str> {
        self.record(self.len().checked_sub(1)?)
    }

    /// The answer as it came.
    pub fn body(&self) -> &str {
        &self.body
    }

    /// All of its records, as they came.
    pub fn text(&self) -> &str {
        match (self.records.first(), self.records.last()) {
            (Some(first), Some(last)) => &self.body[first.start..last.end],
            _ => "",
        }
    }

    /// What the answer has at a place other than its own root.
    ///
    /// # Errors
    /// `Data` for an answer that is no document.
    pub fn value(&self, path: &Path) -> Result<Option<&str>> {
        if path.is_root() || self.body.trim_ascii().is_empty() {
            return Ok(None);
        }
        found(path, &self.body)
    }
}

/// Hands over the items of an array, as they are written.
struct Items<F>(F);

impl<'de, F: FnMut(&'de str)> Visitor<'de> for Items<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        let mut count = 0;
        while let Some(item) = items.next_element::<&'de RawValue>()? {
            count += 1;
            if count > RECORDS_MAX {
                return Err(A::Error::custom(format!("a page has more than {RECORDS_MAX} of them")));
            }
            (self.0)(item.get());
        }
        Ok(())
    }
}

/// Where a part of a text is in it.
fn range_in(whole: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr() as usize - whole.as_ptr() as usize;
    start..start + part.len()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn records_are_found_where_they_are() {
        let records = |body: &str, path: &str| {
            Page::new(body.to_owned(), &Path::parse(path))
                .map(|page| page.records().map(str::to_owned).collect::<Vec<_>>())
        };
        assert_eq!(records(" [ {\"a\":1} , 2 ] ", "").unwrap(), ["{\"a\":1}", "2"]);
        assert_eq!(records("{\"a\":{\"b\":[{\"c\":1}]}}", "a.b").unwrap(), ["{\"c\":1}"]);
        assert_eq!(records("{\"a\":1}", "").unwrap(), ["{\"a\":1}"]);
        for none in ["", " ", "null", "[]"] {
            assert!(records(none, "").unwrap().is_empty(), "{none}");
        }
        assert!(records("{\"error\":1}", "a").is_err());
        assert!(records("{\"a\":\"x\"}", "a").is_err());
        let page = Page::new("{\"d\":[{\"a\":1},{\"a\":2}]}".to_owned(), &Path::parse("d")).unwrap();
        assert_eq!((page.text(), page.last()), ("{\"a\":1},{\"a\":2}", Some("{\"a\":2}")));
    }
}
