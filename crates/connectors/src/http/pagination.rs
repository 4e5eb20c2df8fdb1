//! From one page of a list to the next, and when it ends. A list that leads back to where it was is an error, and so is one
//! that ends short of what the server says it holds.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use levada_core::error::{Error, ErrorKind, Result};
use url::Url;

use super::auth::with_parameter;
use super::client::Answer;
use super::endpoint::{Pagination, PaginationType};
use super::page::Page;
use super::path::{Path, scalar};

/// A list that is being read.
pub struct Pages {
    pagination: Pagination,
    first: Url,
    number: u64,
    received: u64,
    pages: u64,
    pages_max: u64,
    /// What led to the pages so far; for pages by number, the content of the last one.
    seen: HashSet<u64>,
}

impl Pages {
    /// The list behind a URL, which has all parameters but those of pages.
    pub fn new(pagination: Pagination, url: &Url, pages_max: u64) -> Self {
        let mut first = url.clone();
        if let (Some(name), Some(size)) = (&pagination.size_parameter, pagination.size) {
            first = with_parameter(&first, name, &size.to_string());
        }
        let number = pagination.start.unwrap_or(u64::from(pagination.kind != PaginationType::Offset));
        Self { pagination, first, number, received: 0, pages: 0, pages_max, seen: HashSet::new() }
    }

    /// The URL of the first page.
    pub fn first(&self) -> Url {
        match self.pagination.kind {
            PaginationType::Page | PaginationType::Offset => self.numbered(),
            _ => self.first.clone(),
        }
    }

    /// How many pages have come.
    pub fn count(&self) -> u64 {
        self.pages
    }

    /// Takes a page into account; gives the URL of the next one, or `None` at the end.
    ///
    /// # Errors
    /// `Data` for a list that goes in circles, has too many pages, or does not say what the settings tell; `Busy` for one
    /// that changed while it was read.
    pub fn next(&mut self, answer: &Answer, page: &Page) -> Result<Option<Url>> {
        self.pages += 1;
        self.received += page.len() as u64;
        let next = self.lead(answer, page)?;
        if next.is_none() {
            self.check_total(page)?;
        } else if self.pages >= self.pages_max {
            let message = format!("the list has more than {} pages", self.pages_max);
            return Err(Error::new(ErrorKind::Data, message)
                .advise("Ask for larger pages, or raise `pages_max` if the list is that long."));
        }
        Ok(next)
    }

    fn lead(&mut self, answer: &Answer, page: &Page) -> Result<Option<Url>> {
        use PaginationType as T;
        let more = page.value(&self.pagination.more)?;
        if more.is_some_and(|more| matches!(more, "false" | "0" | "null")) {
            return Ok(None);
        }
        match self.pagination.kind {
            T::None => Ok(None),
            T::Page | T::Offset => {
                let has_all = self.total(page)?.is_some_and(|total| self.received >= total);
                if page.len() == 0 || has_all {
                    return Ok(None);
                }
                self.check_new(page.text(), "is the same as the one before: the server seems to ignore the parameter")?;
                self.number += if self.pagination.kind == T::Page { 1 } else { page.len() as u64 };
                Ok(Some(self.numbered()))
            }
            T::Cursor => {
                let cursor = match self.pagination.last.is_root() {
                    true => page.value(&self.pagination.next)?,
                    false => match page.last() {
                        Some(record) => found(&self.pagination.last, record)?,
                        None => return Ok(None),
                    },
                };
                let Some(cursor) = cursor.and_then(scalar).filter(|cursor| !cursor.is_empty() && cursor != "false")
                else {
                    return Ok(None);
                };
                self.check_new(&cursor, "leads back to a page that was read already")?;
                Ok(Some(with_parameter(&self.first, self.pagination.parameter(), &cursor)))
            }
            T::Next => {
                let next = page.value(&self.pagination.next)?.and_then(scalar).filter(|next| !next.is_empty());
                next.map(|next| self.linked(answer, &next)).transpose()
            }
            T::Link => {
                let next = answer.link.as_deref().and_then(next_link);
                next.map(|next| self.linked(answer, next)).transpose()
            }
        }
    }

    fn linked(&mut self, answer: &Answer, next: &str) -> Result<Url> {
        let url = answer
            .url
            .join(next)
            .map_err(|_| Error::new(ErrorKind::Data, "what should be the URL of the next page is none"))?;
        if self.pages == 1 {
            self.seen.insert(hash(answer.url.as_str()));
        }
        self.check_new(url.as_str(), "leads back to a page that was read already")?;
        Ok(url)
    }

    fn numbered(&self) -> Url {
        with_parameter(&self.first, self.pagination.parameter(), &self.number.to_string())
    }

    /// That what leads on was not met before; among pages by number, only in the one before.
    fn check_new(&mut self, lead: &str, what: &str) -> Result<()> {
        if matches!(self.pagination.kind, PaginationType::Page | PaginationType::Offset) {
            let is_new = !self.seen.contains(&hash(lead));
            self.seen.clear();
            self.seen.insert(hash(lead));
            return if is_new { Ok(()) } else { Err(self.circle(what)) };
        }
        if self.seen.insert(hash(lead)) { Ok(()) } else { Err(self.circle(what)) }
    }

    fn circle(&self, what: &str) -> Error {
        Error::new(ErrorKind::Data, format!("the list goes in circles: page {} {what}", self.pages))
            .advise("Check `pagination`: its type, its parameter, and where the next page is told.")
    }

    fn total(&self, page: &Page) -> Result<Option<u64>> {
        if self.pagination.total.is_root() {
            return Ok(None);
        }
        let total = page.value(&self.pagination.total)?.and_then(scalar);
        Ok(total.and_then(|total| total.parse().ok()))
    }

    fn check_total(&self, page: &Page) -> Result<()> {
        match self.total(page)? {
            Some(total) if total > self.received => Err(Error::new(
                ErrorKind::Busy,
                format!(
                    "the server tells of {total} records and gave {}: the list changed while it was read",
                    self.received
                ),
            )
            .advise("Try again; where the list changes all the time, use a cursor, or leave `total` out.")),
            _ => Ok(()),
        }
    }
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// What a document has at a place.
pub fn found<'a>(path: &Path, text: &'a str) -> Result<Option<&'a str>> {
    path.find(text).map_err(|reason| Error::new(ErrorKind::Data, reason))
}

/// The target of `rel="next"` in a `Link` header (RFC 8288).
fn next_link(header: &str) -> Option<&str> {
    let mut rest = header;
    loop {
        let start = rest.find('<')?;
        let (target, after) = rest[start + 1..].split_once('>')?;
        // the parameters end before the `<` of the next link
        let parameters = after.split('<').next().unwrap_or(after);
        for parameter in parameters.trim_end_matches([',', ' ']).split([';', ',']) {
            let Some((name, value)) = parameter.split_once('=') else { continue };
            let mut relations = value.trim().trim_matches('"').split_ascii_whitespace();
            if name.trim().eq_ignore_ascii_case("rel") && relations.any(|one| one.eq_ignore_ascii_case("next")) {
                return Some(target.trim());
            }
        }
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_link_is_found_among_others() {
        for (header, wanted) in [
            ("<https://a/?page=2>; rel=\"next\", <https://a/?page=9>; rel=\"last\"", Some("https://a/?page=2")),
            ("<https://a/?page=1>; rel=prev, </?page=3>; title=\"x, y\"; rel=next", Some("/?page=3")),
            ("<b>; rel=\"last next\"", Some("b")),
            ("<b>; rel=\"prev\"", None),
            ("<b>; rel=\"nextish\"", None),
            ("no link", None),
            ("<never", None),
        ] {
            assert_eq!(next_link(header), wanted, "{header}");
        }
    }
}
