//! Sealing with XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03): `1 | nonce (24 bytes) | ciphertext and tag`. What a text
//! is sealed for is bound as associated data: under another name, or another key, it does not open.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use levada_core::error::{Error, ErrorKind, Result};
use zeroize::Zeroizing;

use super::key::{KEY_BYTES, random};

/// The way of sealing, should there ever be another.
const FORMAT: u8 = 1;
/// Bytes of a nonce.
const NONCE_BYTES: usize = 24;

/// What is sealed.
pub(super) enum Purpose<'a> {
    /// A data key, under the master key.
    Key(i64),
    /// The value of a secret, under the data key of this number.
    Secret(i64, &'a str),
}

impl Purpose<'_> {
    fn bytes(&self) -> Vec<u8> {
        let (label, key, name) = match self {
            Self::Key(key) => (&b"levada key\0"[..], key, ""),
            Self::Secret(key, name) => (&b"levada secret\0"[..], key, *name),
        };
        [&[FORMAT], label, &key.to_be_bytes(), name.as_bytes()].concat()
    }
}

pub(super) fn seal(key: &[u8; KEY_BYTES], purpose: &Purpose<'_>, text: &[u8]) -> Result<Vec<u8>> {
    let nonce = random::<NONCE_BYTES>()?;
    let aad = purpose.bytes();
    let sealed = XChaCha20Poly1305::new(key.into())
        .encrypt(&XNonce::from(*nonce), Payload { msg: text, aad: &aad })
        .map_err(|_| Error::new(ErrorKind::Usage, "the secret is too long"))?;
    Ok([&[FORMAT], nonce.as_slice(), &sealed].concat())
}

/// The text, or nothing where key, purpose or bytes are not those of the sealing.
pub(super) fn open(key: &[u8; KEY_BYTES], purpose: &Purpose<'_>, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, text) = sealed.strip_prefix(&[FORMAT])?.split_first_chunk::<NONCE_BYTES>()?;
    let aad = purpose.bytes();
    let cipher = XChaCha20Poly1305::new(key.into());
    cipher.decrypt(&XNonce::from(*nonce), Payload { msg: text, aad: &aad }).ok().map(Zeroizing::new)
}
