//! Random texts that open something, and the hashes under which they are kept: 256 bits of randomness need no slow hash.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use levada_core::error::{Error, ErrorKind, Result};
use levada_core::secret::Secret;
use levada_store::Hash;
use sha2::{Digest, Sha256};

/// Letters of a random text: 32 bytes in base64 for URLs (RFC 4648, section 5).
pub const LETTERS: usize = 43;

/// A new random text.
///
/// # Errors
/// `Internal` where the system gives no random numbers.
pub fn text() -> Result<Secret> {
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(bytes::<32>()?)))
}

/// Random bytes.
///
/// # Errors
/// `Internal` where the system gives none.
pub fn bytes<const LENGTH: usize>() -> Result<[u8; LENGTH]> {
    let mut bytes = [0; LENGTH];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::new(ErrorKind::Internal, format!("the system gives no random numbers: {error}")))?;
    Ok(bytes)
}

/// The hash under which a random text is kept; none where it cannot be one.
pub fn hash(text: &str) -> Option<Hash> {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let is_one = text.len() == LETTERS && text.bytes().all(is_letter);
    is_one.then(|| Sha256::digest(text).into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn texts_are_random_and_only_their_hash_is_kept() {
        let (one, two) = (text().unwrap(), text().unwrap());
        assert_ne!(one, two);
        assert_ne!(hash(one.expose()).unwrap(), hash(two.expose()).unwrap());
        assert_eq!(hash(one.expose()), hash(one.expose()));
        for odd in ["", "a", &"a".repeat(42), &"a".repeat(44), &format!("{}=", "a".repeat(42)), &"ä".repeat(21)] {
            assert_eq!(hash(odd), None, "{odd}");
        }
    }
}
