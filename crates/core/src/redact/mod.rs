//! Hides secrets in what leaves: logs, messages, outputs. Knows each secret as it is and as programs commonly write it:
//! base64, percent-encoded, escaped in JSON. [`Lines`] does so for a stream that comes in pieces.

mod lines;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value as Json;

use crate::error::{Error, ErrorKind, Result};
pub use lines::{LINE_BYTES_MAX, Line, Lines};

/// What stands in place of a secret.
pub const MASK: &str = "***";

/// Shorter secrets are not looked for: they would turn up everywhere, and hide nothing.
pub const SECRET_BYTES_MIN: usize = 4;

/// What RFC 3986 leaves as it is.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// What JavaScript's `encodeURIComponent` leaves as it is.
const COMPONENT: &AsciiSet = &UNRESERVED.remove(b'!').remove(b'\'').remove(b'(').remove(b')').remove(b'*');
/// What Python's `quote` leaves as it is.
const PATH: &AsciiSet = &UNRESERVED.remove(b'/');

/// Replaces secrets by [`MASK`].
#[derive(Default)]
pub struct Redactor {
    find: Option<AhoCorasick>,
    longest: usize,
}

impl Redactor {
    /// A redactor of these secrets. Those under [`SECRET_BYTES_MIN`] bytes are left out.
    ///
    /// # Errors
    /// `Config` if the secrets are too many or too long to be looked for at once (gigabytes).
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let mut patterns: Vec<Vec<u8>> = secrets.into_iter().flat_map(spellings).collect();
        patterns.sort_unstable();
        patterns.dedup();
        let longest = patterns.iter().map(Vec::len).max().unwrap_or(0);
        if longest == 0 {
            return Ok(Self::default());
        }
        let find = AhoCorasick::new(&patterns).map_err(|_| {
            Error::new(ErrorKind::Config, "the secrets are too long to be kept out of logs")
                .advise("Put large contents into files, and keep only what opens them as a secret.")
        })?;
        Ok(Self { find: Some(find), longest })
    }

    /// The bytes with every secret replaced.
    pub fn bytes<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let found = self.found(bytes);
        if found.is_empty() { Cow::Borrowed(bytes) } else { Cow::Owned(mask(bytes, &found)) }
    }

    /// The text with every secret replaced.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.bytes(text.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        }
    }

    /// Replaces secrets in every key and value; a number that holds one becomes text.
    pub fn json(&self, value: &mut Json) {
        match value {
            Json::String(text) => {
                if let Cow::Owned(redacted) = self.text(text) {
                    *text = redacted;
                }
            }
            Json::Number(number) => {
                if let Cow::Owned(redacted) = self.text(&number.to_string()) {
                    *value = redacted.into();
                }
            }
            Json::Array(items) => items.iter_mut().for_each(|item| self.json(item)),
            Json::Object(fields) => {
                *fields = std::mem::take(fields)
                    .into_iter()
                    .map(|(key, mut value)| {
                        self.json(&mut value);
                        (self.text(&key).into_owned(), value)
                    })
                    .collect();
            }
            Json::Null | Json::Bool(_) => {}
        }
    }

    /// The error without the secrets that whoever made it may have quoted.
    pub fn error(&self, error: Error) -> Error {
        let clean = Error::new(error.kind(), self.text(error.message()).into_owned());
        let clean = clean.advise(self.text(error.advice()).into_owned());
        let clean = error.place().iter().rev().fold(clean, |clean, place| clean.at(self.text(place).into_owned()));
        match error.position() {
            Some(position) => clean.reached(position.clone()),
            None => clean,
        }
    }

    /// The same for several.
    pub fn errors(&self, errors: Vec<Error>) -> Vec<Error> {
        errors.into_iter().map(|error| self.error(error)).collect()
    }

    /// Where secrets are, as ranges in order that neither overlap nor touch.
    fn found(&self, bytes: &[u8]) -> Vec<(usize, usize)> {
        let Some(find) = &self.find else { return Vec::new() };
        if !find.is_match(bytes) {
            return Vec::new();
        }
        // All matches, not only the leftmost: where two secrets overlap, none of either may stay.
        let mut all: Vec<(usize, usize)> =
            find.find_overlapping_iter(bytes).map(|hit| (hit.start(), hit.end())).collect();
        all.sort_unstable();
        let mut found: Vec<(usize, usize)> = Vec::new();
        for (start, end) in all {
            match found.last_mut() {
                Some(last) if start <= last.1 => last.1 = last.1.max(end),
                _ => found.push((start, end)),
            }
        }
        found
    }
}

fn mask(bytes: &[u8], found: &[(usize, usize)]) -> Vec<u8> {
    let mut masked = Vec::with_capacity(bytes.len());
    let mut from = 0;
    for &(start, end) in found {
        masked.extend_from_slice(&bytes[from..start]);
        masked.extend_from_slice(MASK.as_bytes());
        from = end;
    }
    masked.extend_from_slice(&bytes[from..]);
    masked
}

/// The secret, its lines if it has several, and each of them as programs write it.
fn spellings(secret: &str) -> Vec<Vec<u8>> {
    let lines = secret.lines().map(str::trim).filter(|line| *line != secret);
    let mut patterns = Vec::new();
    for text in [secret, secret.trim()].into_iter().chain(lines) {
        if text.len() < SECRET_BYTES_MIN {
            continue;
        }
        patterns.push(text.as_bytes().to_vec());
        patterns.extend(json(text));
        patterns.extend(percent(text));
        patterns.extend(base64_parts(text.as_bytes()));
    }
    patterns
}

/// Escaped in JSON: as it must be, with `/` escaped, and in ASCII only.
fn json(text: &str) -> Vec<Vec<u8>> {
    let quoted = Json::from(text).to_string();
    let plain = quoted[1..quoted.len() - 1].to_owned();
    let ascii = plain.chars().fold(String::new(), |mut ascii, c| {
        if c.is_ascii() {
            ascii.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                ascii.push_str(&format!("\\u{unit:04x}"));
            }
        }
        ascii
    });
    vec![plain.replace('/', "\\/").into_bytes(), ascii.into_bytes(), plain.into_bytes()]
}

/// Percent-encoded, as RFC 3986, browsers, Python and HTML forms do it.
fn percent(text: &str) -> Vec<Vec<u8>> {
    let encoded = |set| utf8_percent_encode(text, set).to_string();
    let form: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
    let all = [encoded(UNRESERVED), encoded(COMPONENT), encoded(PATH), form];
    all.iter().map(|one| lower_escapes(one)).chain(all.iter().cloned()).map(String::into_bytes).collect()
}

/// `%2F` as `%2f`.
fn lower_escapes(text: &str) -> String {
    let mut digits = 0;
    text.chars()
        .map(|c| {
            if c == '%' {
                digits = 2;
                return c;
            }
            let escape = digits > 0;
            digits = usize::saturating_sub(digits, 1);
            if escape { c.to_ascii_lowercase() } else { c }
        })
        .collect()
}

/// In base64, alone and as a part of something longer: there it can start at each of three places of a group, and only
/// the characters that depend on the secret alone are looked for.
fn base64_parts(secret: &[u8]) -> Vec<Vec<u8>> {
    let mut parts = vec![STANDARD.encode(secret).into_bytes(), URL_SAFE.encode(secret).into_bytes()];
    for before in 0..3 {
        let padded = [&[0; 2][..before], secret].concat();
        let start = (before * 8).div_ceil(6);
        let end = padded.len() * 8 / 6;
        for text in [STANDARD_NO_PAD.encode(&padded), URL_SAFE_NO_PAD.encode(&padded)] {
            parts.push(text.as_bytes()[start..end].to_vec());
        }
    }
    parts
}
