//! How connections to database servers are encrypted: the setting, the authorities that are trusted, and what rustls is
//! told.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use levada_core::error::{Error, ErrorKind, Result};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use schemars::JsonSchema;
use serde::Deserialize;

/// How the connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Tls {
    /// Encrypted; the certificate must be valid and name the host.
    #[default]
    VerifyFull,
    /// Encrypted; the certificate must be valid, for any name.
    VerifyCa,
    /// Encrypted; any certificate.
    Require,
    /// Not encrypted.
    Disable,
}

impl Tls {
    /// What the connection check says of it.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::VerifyFull => "encrypted, certificate and name checked",
            Self::VerifyCa => "encrypted, certificate checked for any name",
            Self::Require => "encrypted, certificate not checked",
            Self::Disable => "not encrypted, as set",
        }
    }
}

static SYSTEM_AUTHORITIES: LazyLock<Vec<CertificateDer<'static>>> =
    LazyLock::new(|| rustls_native_certs::load_native_certs().certs);

/// The authorities that are trusted: the system's, and those in the PEM file of the setting `tls_ca`.
///
/// # Errors
/// `Tls` where the file cannot be read or holds no certificate.
pub fn authorities(tls_ca: Option<&Path>) -> Result<Vec<CertificateDer<'static>>> {
    let mut trusted = SYSTEM_AUTHORITIES.clone();
    if let Some(path) = tls_ca {
        let place = format!("`tls_ca` {}", path.display());
        let wrong = |what: String| Error::new(ErrorKind::Tls, what).at(&place);
        let pem = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
        let own = CertificateDer::pem_slice_iter(&pem).collect::<std::result::Result<Vec<_>, _>>();
        let own = own.map_err(|error| wrong(error.to_string()))?;
        if own.is_empty() {
            return Err(wrong("the file holds no certificate".to_owned()));
        }
        trusted.extend(own);
    }
    Ok(trusted)
}

/// What rustls is told. Without encryption there is nothing to tell: callers ask only for the other settings.
///
/// # Errors
/// As for [`authorities`].
pub fn client_config(tls: Tls, tls_ca: Option<&Path>) -> Result<ClientConfig> {
    let wrong = |what: String| Error::new(ErrorKind::Tls, what);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(error.to_string()))?;
    if matches!(tls, Tls::Require | Tls::Disable) {
        let verifier = Arc::new(AnyName { provider, chain: None });
        return Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth());
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(authorities(tls_ca)?);
    if tls == Tls::VerifyFull {
        return Ok(builder.with_root_certificates(roots).with_no_client_auth());
    }
    let chain = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .map_err(|error| wrong(error.to_string()).advise("Set `tls_ca`: the system names no authority."))?;
    let verifier = Arc::new(AnyName { provider, chain: Some(chain) });
    Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

/// Takes a certificate under any name: one that a trusted authority signed, or any at all.
#[derive(Debug)]
struct AnyName {
    provider: Arc<CryptoProvider>,
    chain: Option<Arc<WebPkiServerVerifier>>,
}

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        use CertificateError::{NotValidForName, NotValidForNameContext};
        let Some(chain) = &self.chain else { return Ok(ServerCertVerified::assertion()) };
        // The name is looked at last: where only the name is wrong, everything else was found right.
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
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
