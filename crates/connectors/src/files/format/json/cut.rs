//! Finds the ends of documents in a file that is one array, or documents one after the other.

use crate::files::chunks::Cutter;

/// Follows strings and brackets; a document ends with the bracket that closes it, or before a comma of the outer array.
#[derive(Default)]
pub struct Documents {
    at: usize,
    depth: u32,
    array: bool,
    closed: bool,
    in_string: bool,
    escaped: bool,
    first: Option<usize>,
    last: usize,
}

impl Documents {
    /// At the first document; `array` tells that they stand in an array, whose opening bracket is already passed.
    pub fn new(array: bool) -> Self {
        Self { array, ..Self::default() }
    }

    fn end(&mut self, at: usize) {
        self.last = at;
        self.first.get_or_insert(at);
    }
}

impl Cutter for Documents {
    fn scan(&mut self, bytes: &[u8], _at_end: bool) {
        while self.at < bytes.len() {
            if self.in_string && !self.escaped {
                match memchr::memchr2(b'"', b'\\', &bytes[self.at..]) {
                    Some(found) => self.at += found,
                    None => self.at = bytes.len() - 1,
                }
            }
            let byte = bytes[self.at];
            self.at += 1;
            if self.in_string {
                let escaped = std::mem::take(&mut self.escaped);
                self.escaped = !escaped && byte == b'\\';
                self.in_string = escaped || byte != b'"';
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'[' | b'{' => self.depth += 1,
                b']' | b'}' => {
                    self.closed |= self.depth == 0;
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        self.end(self.at);
                    }
                }
                b',' if self.depth == 0 => self.end(self.at),
                _ => {}
            }
        }
    }

    fn ends(&self) -> Option<(usize, usize)> {
        self.first.map(|first| (first, self.last))
    }

    fn cut(&mut self, end: usize) {
        if end == self.last && self.first.is_some() {
            self.at -= end;
        } else if self.first.is_some() {
            // Between two documents nothing is open.
            (self.at, self.depth, self.in_string, self.escaped, self.closed) = (0, 0, false, false, false);
        } else {
            self.at = 0;
        }
        (self.first, self.last) = (None, 0);
    }

    fn forget(&mut self) -> usize {
        std::mem::take(&mut self.at)
    }

    fn unfinished(&self) -> Option<&'static str> {
        let open = self.in_string || self.depth > 0 || (self.array && !self.closed);
        open.then_some("is cut off before its end")
    }
}
