//! Bytes as a broken disk or a hostile server gives them: good ones with a few random changes, the same for the same seed,
//! so that a failure can be repeated.

/// Bytes that mean something special in many formats.
const ODD: [u8; 10] = [0x00, 0x01, 0x7f, 0x80, 0xfb, 0xfe, 0xff, b'"', b'\\', b'{'];
/// As many bytes are cut out, or doubled, at once at most.
const PIECE_MAX: usize = 16;

/// A xorshift generator.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self((seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}

/// The good bytes with one to four changes: bits turned, bytes replaced, put in, cut out or doubled, the end cut off.
pub fn bent(good: &[u8], seed: u64) -> Vec<u8> {
    let mut random = Random::new(seed);
    let mut bytes = good.to_vec();
    for _ in 0..=random.below(4) {
        if bytes.is_empty() {
            break;
        }
        let at = random.below(bytes.len());
        let end = (at + 1 + random.below(PIECE_MAX)).min(bytes.len());
        match random.below(12) {
            0..=2 => bytes[at] ^= 1 << random.below(8),
            3..=5 => bytes[at] = ODD[random.below(ODD.len())],
            6..=7 => bytes.insert(at, random.below(256) as u8),
            8..=9 => drop(bytes.drain(at..end)),
            10 => {
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            _ => bytes.truncate(at),
        }
    }
    bytes
}
