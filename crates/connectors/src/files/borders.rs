//! Finds where records end in a part of a file that may start anywhere, also in the middle of a quoted field. What a line end
//! means depends on quotes that can lie any distance before it, so nothing is guessed: there are four states that the bytes
//! before can end in, the part is looked at for each of them, and which answer counts is told by the part before it.

/// What the bytes up to a place mean for those after it. The rules are those of [`super::format::csv::record`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// A field starts: a quote opens it.
    Start,
    /// In a field without quotes, or behind the quote that closed one: quotes are data.
    Bare,
    /// In quotes: line ends are data.
    Quoted,
    /// Behind a quote in quotes: another one makes it data, anything else means that the field was closed.
    Quote,
}

impl State {
    const ALL: [Self; 4] = [Self::Start, Self::Bare, Self::Quoted, Self::Quote];

    fn after_quote(self) -> Self {
        match self {
            Self::Start | Self::Quote => Self::Quoted,
            Self::Bare => Self::Bare,
            Self::Quoted => Self::Quote,
        }
    }
}

/// The characters that borders depend on.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Between fields.
    pub delimiter: u8,
    /// Around fields; `None` where records are lines.
    pub quote: Option<u8>,
}

/// The record ends in a part, and what follows it, for one state before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Borders {
    /// Where the part's first record end lies: behind the line feed.
    pub first: Option<usize>,
    /// The last one, if there is a first.
    pub last: usize,
    /// The state after the part.
    pub exit: State,
}

impl Borders {
    fn before(state: State) -> Self {
        Self { first: None, last: 0, exit: state }
    }

    /// Goes over bytes without quotes.
    fn pass(&mut self, stretch: &Stretch<'_>) {
        if self.exit == State::Quoted {
            return;
        }
        self.exit = stretch.exit;
        if let Some(last) = stretch.last_end {
            self.last = last;
            self.first = self.first.or_else(|| stretch.first_end());
        }
    }

    /// What was found before, and what one found that went on from there.
    fn followed_by(mut self, rest: Self) -> Self {
        if rest.first.is_some() {
            self.first = self.first.or(rest.first);
            self.last = rest.last;
        }
        self.exit = rest.exit;
        self
    }
}

/// Some bytes without quotes, at least one.
struct Stretch<'a> {
    bytes: &'a [u8],
    from: usize,
    last_end: Option<usize>,
    exit: State,
}

impl<'a> Stretch<'a> {
    fn of(bytes: &'a [u8], from: usize, to: usize, delimiter: u8) -> Option<Self> {
        let bytes = &bytes[from..to];
        let ends_field = |byte: &u8| *byte == delimiter || *byte == b'\n';
        let exit = if ends_field(bytes.last()?) { State::Start } else { State::Bare };
        let last_end = memchr::memrchr(b'\n', bytes).map(|last| from + last + 1);
        Some(Self { bytes, from, last_end, exit })
    }

    fn first_end(&self) -> Option<usize> {
        memchr::memchr(b'\n', self.bytes).map(|first| self.from + first + 1)
    }
}

/// The borders in a part of a file, whatever comes before it.
pub struct Part {
    of: [Borders; 4],
}

impl Part {
    /// Looks at a part. Where the state before it is known already, only the answer for that one is found.
    pub fn find(bytes: &[u8], rules: Rules, known: Option<State>) -> Self {
        let mut of = State::ALL.map(Borders::before);
        // Quotes mean the same to all of them soon: then one goes on for all.
        let mut common = match (known, rules.quote) {
            (Some(state), _) => Some(state),
            (None, None) => Some(State::Start),
            _ => None,
        }
        .map(Borders::before);
        let mut at = 0;
        loop {
            let quote = rules.quote.and_then(|quote| memchr::memchr(quote, &bytes[at..])).map(|found| at + found);
            let stretch = Stretch::of(bytes, at, quote.unwrap_or(bytes.len()), rules.delimiter);
            let is_over = quote.is_none();
            let each = common.as_mut().map_or(of.as_mut_slice(), std::slice::from_mut);
            for borders in each {
                if let Some(stretch) = &stretch {
                    borders.pass(stretch);
                }
                if !is_over {
                    borders.exit = borders.exit.after_quote();
                }
            }
            let Some(quote) = quote else { break };
            at = quote + 1;
            let state = of[0].exit;
            if common.is_none() && of.iter().all(|borders| borders.exit == state) {
                common = Some(Borders::before(state));
            }
        }
        Self { of: common.map_or(of, |common| of.map(|borders| borders.followed_by(common))) }
    }

    /// The borders if the bytes before it ended in this state.
    pub fn after(&self, state: State) -> Borders {
        self.of[state as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules { delimiter: b',', quote: Some(b'"') };

    /// The same, byte after byte.
    fn slowly(bytes: &[u8], entry: State) -> Borders {
        let mut found = Borders::before(entry);
        for (at, byte) in bytes.iter().enumerate() {
            found.exit = match (found.exit, byte) {
                (state, b'"') => state.after_quote(),
                (State::Quoted, _) => State::Quoted,
                (_, b',' | b'\n') => State::Start,
                _ => State::Bare,
            };
            if *byte == b'\n' && found.exit == State::Start {
                found.first.get_or_insert(at + 1);
                found.last = at + 1;
            }
        }
        found
    }

    #[test]
    fn every_short_text_has_the_borders_that_going_byte_by_byte_finds() {
        const LETTERS: [u8; 4] = [b'a', b'"', b',', b'\n'];
        for length in 0..=7_u32 {
            for number in 0..4_usize.pow(length) {
                let bytes: Vec<u8> = (0..length).map(|at| LETTERS[number >> (2 * at) & 3]).collect();
                let part = Part::find(&bytes, RULES, None);
                for entry in State::ALL {
                    let expected = slowly(&bytes, entry);
                    let told = String::from_utf8_lossy(&bytes);
                    assert_eq!(part.after(entry), expected, "{told:?} after {entry:?}");
                    assert_eq!(Part::find(&bytes, RULES, Some(entry)).after(entry), expected, "{told:?} {entry:?}");
                }
            }
        }
    }

    #[test]
    fn records_that_are_lines_know_no_quotes() {
        let part = Part::find(b"{\"a\n\":1}\n{", Rules { delimiter: b',', quote: None }, None);
        assert_eq!((part.after(State::Start).first, part.after(State::Start).last), (Some(4), 9));
    }
}
