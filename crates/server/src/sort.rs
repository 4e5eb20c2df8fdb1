//! The order of a list: by one of the words that it is offered by, either way round, and from where the page before ended.

use std::cmp::Ordering;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::problem::Problem;
use crate::route::Page;

/// By what a list can be in order of. The first is the one unless asked for otherwise, by the key of its items.
pub trait Orders: Copy + PartialEq + Send + Sync + 'static {
    /// Each with its word.
    const WORDS: &'static [(&'static str, Self)];
    /// Whether it is the other way round unless asked for otherwise.
    const IS_REVERSED: bool;
}

/// An order of a list: a word, or one after `-` for the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sort<O> {
    order: O,
    is_reversed: bool,
}

/// What an item is in order by, where that is not its key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// A number.
    Number(i64),
    /// A text.
    Text(String),
}

/// Makes a list of orders with their words; before them, whether it is the other way round unless asked for otherwise.
macro_rules! orders {
    ($(#[$doc:meta])* $name:ident($reversed:literal) { $($order:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $(#[doc = concat!("`", $word, "`.")] $order),+
        }

        impl $crate::sort::Orders for $name {
            const WORDS: &'static [(&'static str, Self)] = &[$(($word, Self::$order)),+];
            const IS_REVERSED: bool = $reversed;
        }
    };
}
pub(crate) use orders;

impl<O: Orders> Default for Sort<O> {
    fn default() -> Self {
        let (_, order) = O::WORDS[0];
        Self { order, is_reversed: O::IS_REVERSED }
    }
}

impl<'de, O: Orders> Deserialize<'de> for Sort<O> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let (is_reversed, word) = text.strip_prefix('-').map_or((false, text.as_str()), |word| (true, word));
        let known = O::WORDS.iter().find(|(known, _)| *known == word);
        known.map(|(_, order)| Self { order: *order, is_reversed }).ok_or_else(|| {
            let words: Vec<String> = O::WORDS.iter().map(|(word, _)| format!("`{word}`")).collect();
            D::Error::custom(format!("`sort` is {}, or one of them after `-`", words.join(" or ")))
        })
    }
}

impl<O: Orders> Serialize for Sort<O> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let known = O::WORDS.iter().find(|(_, order)| *order == self.order);
        let word = known.map_or("", |(word, _)| word);
        serializer.collect_str(&format_args!("{}{word}", if self.is_reversed { "-" } else { "" }))
    }
}

impl<O: Orders> JsonSchema for Sort<O> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Sort".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let words: Vec<String> =
            O::WORDS.iter().flat_map(|(word, _)| [(*word).to_owned(), format!("-{word}")]).collect();
        json_schema!({ "type": "string", "enum": words })
    }
}

impl<O: Orders> Sort<O> {
    /// Whether the lowest comes first.
    pub fn is_ascending(self) -> bool {
        !self.is_reversed
    }

    /// A page of what is at hand as a whole. `place` tells by what an item is in order, if it has that, and its key, which
    /// no other item has.
    ///
    /// # Errors
    /// `Malformed` for an `after` that no page of this order ended with.
    pub fn page<T>(
        self,
        items: impl IntoIterator<Item = T>,
        place: impl Fn(O, &T) -> (Option<Rank>, String),
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<T>, Problem> {
        let after = after.map(|after| self.parse(after)).transpose()?;
        let placed = items.into_iter().map(|item| (place(self.order, &item), item));
        let mut placed: Vec<_> = placed
            .map(|((rank, key), item)| ((if self.is_by_key() { None } else { rank }, key), item))
            .filter(|(place, _)| after.as_ref().is_none_or(|after| self.compare(after, place).is_lt()))
            .collect();
        placed.sort_by(|(a, _), (b, _)| self.compare(a, b));
        let is_more = placed.len() > limit;
        placed.truncate(limit);
        let next = placed.last().filter(|_| is_more).map(|(place, _)| self.told(place));
        Ok(Page { items: placed.into_iter().map(|(_, item)| item).collect(), next })
    }

    fn is_by_key(self) -> bool {
        self.order == O::WORDS[0].1
    }

    fn parse(self, after: &str) -> Result<(Option<Rank>, String), Problem> {
        if self.is_by_key() {
            return Ok((None, after.to_owned()));
        }
        let wrong = || Problem::Malformed("`after` is the `next` of the page before, in the same order.".to_owned());
        place(after).ok_or_else(wrong)
    }

    fn told(self, (rank, key): &(Option<Rank>, String)) -> String {
        match rank {
            _ if self.is_by_key() => key.clone(),
            None => format!(":{key}"),
            Some(Rank::Number(number)) => format!("{number}:{key}"),
            Some(Rank::Text(text)) => format!("t{}:{text}{key}", text.len()),
        }
    }

    /// Those that have nothing to be in order by come last, either way round.
    fn compare(self, (a, a_key): &(Option<Rank>, String), (b, b_key): &(Option<Rank>, String)) -> Ordering {
        let turned = |order: Ordering| if self.is_reversed { order.reverse() } else { order };
        let ranks = match (a, b) {
            (Some(a), Some(b)) => turned(a.cmp(b)),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        };
        ranks.then_with(|| turned(a_key.cmp(b_key)))
    }
}

/// Where a page ended, as [`Sort::told`] tells it.
fn place(told: &str) -> Option<(Option<Rank>, String)> {
    let (rank, rest) = told.split_once(':')?;
    if rank.is_empty() {
        return Some((None, rest.to_owned()));
    }
    if let Some(length) = rank.strip_prefix('t') {
        let (text, key) = rest.split_at_checked(length.parse().ok()?)?;
        return Some((Some(Rank::Text(text.to_owned())), key.to_owned()));
    }
    Some((Some(Rank::Number(rank.parse().ok()?)), rest.to_owned()))
}

impl From<i64> for Rank {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<u64> for Rank {
    fn from(number: u64) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<levada_core::time::Timestamp> for Rank {
    fn from(at: levada_core::time::Timestamp) -> Self {
        Self::Number(at.as_micros())
    }
}

impl From<&str> for Rank {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    orders! {
        /// For this test.
        Test(false) { Name = "name", Size = "size", Kind = "kind" }
    }

    fn sort(text: &str) -> Sort<Test> {
        serde_json::from_value(text.into()).unwrap()
    }

    fn all(sort: Sort<Test>, limit: usize) -> String {
        let items = [("b", None), ("a", Some(7)), ("c", Some(3)), ("d", None), ("e", Some(3))];
        let place = |order: Test, (name, size): &(&str, Option<i64>)| match order {
            Test::Name => (None, (*name).to_owned()),
            Test::Size => (size.map(Rank::from), (*name).to_owned()),
            Test::Kind => (Some(Rank::from(if *name == "a" { "z:1" } else { "y" })), (*name).to_owned()),
        };
        let (mut found, mut after) = (String::new(), None);
        loop {
            let page: Page<_> = sort.page(items, place, after.as_deref(), limit).unwrap();
            found.extend(page.items.iter().map(|(name, _)| *name));
            after = page.next;
            if after.is_none() {
                return found;
            }
        }
    }

    #[test]
    fn pages_of_any_length_are_the_whole_in_order() {
        for limit in 1..7 {
            assert_eq!(all(Sort::default(), limit), "abcde");
            assert_eq!(all(sort("-name"), limit), "edcba");
            assert_eq!(all(sort("size"), limit), "ceabd");
            assert_eq!(all(sort("-size"), limit), "aecdb");
            assert_eq!(all(sort("kind"), limit), "bcdea");
        }
    }

    #[test]
    fn no_other_words_are_taken() {
        for wrong in ["", "-", "--name", "size; DROP TABLE x", "Name", "names"] {
            let error = serde_json::from_value::<Sort<Test>>(wrong.into()).unwrap_err().to_string();
            assert_eq!(error, "`sort` is `name` or `size` or `kind`, or one of them after `-`");
        }
        for wrong in ["nonsense", "x:a", "t9:a", "t1:ä", "tx:a", ""] {
            assert!(sort("size").page([1], |_, _| (None, String::new()), Some(wrong), 1).is_err(), "{wrong}");
        }
        assert_eq!(serde_json::to_value(sort("-size")).unwrap(), "-size");
    }
}
