//! How the connection to the PostgreSQL of the metadata is encrypted; the words are those of connections: `verify-full`
//! (where nothing is said), `verify-ca`, `require`, `disable`.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use levada_core::error::{Error, ErrorKind, Result};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_postgres_rustls::MakeRustlsConnect;

/// How the connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tls {
    /// The certificate must be valid and name the host.
    VerifyFull,
    /// The certificate must be valid, for any name.
    VerifyCa,
    /// Any certificate.
    Require,
    /// Not encrypted.
    Disable,
}

impl Tls {
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "verify-full" => Self::VerifyFull,
            "verify-ca" => Self::VerifyCa,
            "require" => Self::Require,
            "disable" => Self::Disable,
            _ => return None,
        })
    }
}

static SYSTEM: LazyLock<Vec<CertificateDer<'static>>> =
    LazyLock::new(|| rustls_native_certs::load_native_certs().certs);

/// What encrypts; for `disable` it is never asked to.
///
/// # Errors
/// `Tls` where the file of authorities cannot be read or holds none.
pub(super) fn connector(tls: Tls, tls_ca: Option<&Path>) -> Result<MakeRustlsConnect> {
    let wrong = |what: String| Error::new(ErrorKind::Tls, what);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(error.to_string()))?;
    let chain = match tls {
        Tls::Require | Tls::Disable => None,
        Tls::VerifyFull | Tls::VerifyCa => {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(SYSTEM.iter().cloned().chain(authorities(tls_ca)?));
            if tls == Tls::VerifyFull {
                let config = builder.with_root_certificates(roots).with_no_client_auth();
                return Ok(MakeRustlsConnect::new(config));
            }
            let chain = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build();
            Some(
                chain
                    .map_err(|error| wrong(error.to_string()).advise("Set `tls_ca`: the system names no authority."))?,
            )
        }
    };
    let verifier = Arc::new(AnyName { provider, chain });
    let config = builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

fn authorities(tls_ca: Option<&Path>) -> Result<Vec<CertificateDer<'static>>> {
    let Some(path) = tls_ca else { return Ok(Vec::new()) };
    let wrong = |what: String| Error::new(ErrorKind::Tls, what).at(format!("`tls_ca` {}", path.display()));
    let pem = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let own = CertificateDer::pem_slice_iter(&pem).collect::<std::result::Result<Vec<_>, _>>();
    let own = own.map_err(|error| wrong(error.to_string()))?;
    if own.is_empty() { Err(wrong("the file holds no certificate".to_owned())) } else { Ok(own) }
}

/// Takes a certificate under any name: one that a trusted authority signed, or any at all.
#[derive(Debug)]
struct AnyName {
    provider: Arc<CryptoProvider>,
    chain: Option<Arc<WebPkiServerVerifier>>,
}

type Verified<T> = std::result::Result<T, rustls::Error>;

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Verified<ServerCertVerified> {
        use CertificateError::{NotValidForName, NotValidForNameContext};
        let Some(chain) = &self.chain else { return Ok(ServerCertVerified::assertion()) };
        // the name is looked at last: where only the name is wrong, everything else was found right
        match chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(rustls::Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. })) => {
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Verified<HandshakeSignatureValid> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Verified<HandshakeSignatureValid> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
