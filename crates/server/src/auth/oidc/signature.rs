//! The signatures of tokens, checked by `ring`, which TLS brings along already. Signs nothing.

use std::sync::Once;

use jsonwebtoken::crypto::{CryptoProvider, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result};
use jsonwebtoken::signature::{Error, Verifier};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, DecodingKeyKind};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};

/// The ways of signing that are accepted. None that anybody who knows a public key could use, and not `none`.
pub(super) const ACCEPTED: [Algorithm; 3] = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |_, _| Err(ErrorKind::UnsupportedAlgorithm.into()),
    verifier_factory: |algorithm, key| Check::of(*algorithm, key.clone()),
    // used only to make keys of a server that signs
    key_utils: KeyUtils::new_unimplemented(),
};

/// Makes the library check signatures by this module.
pub(super) fn install() {
    static ONCE: Once = Once::new();
    // whoever installed another one before is the program itself
    ONCE.call_once(|| _ = PROVIDER.install_default());
}

struct Check {
    algorithm: Algorithm,
    key: DecodingKey,
}

impl Check {
    fn of(algorithm: Algorithm, key: DecodingKey) -> Result<Box<dyn JwtVerifier>> {
        let fits = match algorithm {
            Algorithm::RS256 => key.family() == AlgorithmFamily::Rsa,
            Algorithm::ES256 => key.family() == AlgorithmFamily::Ec,
            Algorithm::EdDSA => key.family() == AlgorithmFamily::Ed,
            _ => return Err(ErrorKind::UnsupportedAlgorithm.into()),
        };
        if fits { Ok(Box::new(Self { algorithm, key })) } else { Err(ErrorKind::InvalidKeyFormat.into()) }
    }
}

impl Verifier<Vec<u8>> for Check {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), Error> {
        let verified = match (self.algorithm, self.key.kind()) {
            (Algorithm::RS256, DecodingKeyKind::RsaModulusExponent { n, e }) => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
            }
            (Algorithm::ES256, DecodingKeyKind::SecretOrDer(point)) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
            (Algorithm::EdDSA, DecodingKeyKind::SecretOrDer(point)) => {
                UnparsedPublicKey::new(&ED25519, point).verify(message, signature)
            }
            _ => return Err(Error::new()),
        };
        verified.map_err(|_| Error::new())
    }
}

impl JwtVerifier for Check {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}
