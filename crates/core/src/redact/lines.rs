//! Cuts a stream that comes in pieces into lines without secrets, in bounded memory.

use std::borrow::Cow;

use super::{Redactor, mask};

/// Longest line that is given out in one piece, in bytes; a longer one comes in several.
pub const LINE_BYTES_MAX: usize = 64 * 1024;

/// One line of a stream, or a piece of a long one.
pub struct Line<'a> {
    /// As it came, for what never leaves the process.
    pub raw: &'a [u8],
    /// With secrets replaced.
    pub redacted: Cow<'a, [u8]>,
    /// Whether the line goes on in the next piece.
    pub cut: bool,
}

/// Cuts a stream into lines and hides secrets in them, also those that lie across two pieces of the stream.
#[derive(Default)]
pub struct Lines {
    pending: Vec<u8>,
}

impl Lines {
    /// Takes the next piece, and gives out the lines that are complete.
    pub fn push(&mut self, redactor: &Redactor, mut bytes: &[u8], mut give: impl FnMut(Line<'_>)) {
        while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
            let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
            bytes = rest;
            if self.pending.is_empty() && line.len() <= LINE_BYTES_MAX {
                whole(redactor, line, &mut give);
            } else {
                self.pending.extend_from_slice(line);
                self.finish(redactor, &mut give);
            }
        }
        self.pending.extend_from_slice(bytes);
        self.cut_long(redactor, redactor.longest, &mut give);
    }

    /// Gives out what is left when the stream has ended.
    pub fn end(&mut self, redactor: &Redactor, mut give: impl FnMut(Line<'_>)) {
        if !self.pending.is_empty() {
            self.finish(redactor, &mut give);
        }
    }

    fn finish(&mut self, redactor: &Redactor, give: &mut impl FnMut(Line<'_>)) {
        self.cut_long(redactor, 0, give);
        whole(redactor, &self.pending, give);
        self.pending.clear();
    }

    /// Gives out pieces of a line that is too long. `ahead` bytes must be known after a cut: a secret that starts
    /// before the cut may end there, and then the cut moves behind it.
    fn cut_long(&mut self, redactor: &Redactor, ahead: usize, give: &mut impl FnMut(Line<'_>)) {
        while self.pending.len() > LINE_BYTES_MAX + ahead {
            let window = &self.pending[..self.pending.len().min(LINE_BYTES_MAX + redactor.longest)];
            let found = redactor.found(window);
            let mut cut = char_border(&self.pending, LINE_BYTES_MAX);
            if let Some(across) = found.iter().find(|(start, end)| *start < cut && cut < *end) {
                cut = across.1;
            }
            let inside = &found[..found.partition_point(|(_, end)| *end <= cut)];
            let raw = &self.pending[..cut];
            give(Line { raw, redacted: mask(raw, inside).into(), cut: cut < self.pending.len() });
            self.pending.drain(..cut);
        }
    }
}

fn whole(redactor: &Redactor, line: &[u8], give: &mut impl FnMut(Line<'_>)) {
    let raw = line.strip_suffix(b"\r").unwrap_or(line);
    give(Line { raw, redacted: redactor.bytes(raw), cut: false });
}

/// The last place at or before `at` where no UTF-8 character is cut, if there is one near.
fn char_border(bytes: &[u8], at: usize) -> usize {
    (at.saturating_sub(3)..=at)
        .rev()
        .find(|&place| bytes.get(place).is_none_or(|byte| byte & 0xC0 != 0x80))
        .unwrap_or(at)
}
