//! One connection to the server, set up so that every value has one text form, and closed when it is dropped.

use std::sync::Arc;
use std::time::Duration;

use levada_core::error::{Error, ErrorKind, Result};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::task::JoinHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::config::{Settings, Tls};
use super::error::Translate;

/// A connection. Dropping it closes the socket at once, so that the server stops what it is doing.
pub struct Session {
    /// The client.
    pub client: Client,
    driver: Driver,
}

/// The task that moves bytes between client and socket.
struct Driver(JoinHandle<()>);

/// Settings of every session: one text form for every value, no rows hidden by a policy (an error says so instead), and
/// no time-out that would end a long transfer. A database
/// without an encoding gives its bytes as they are, so that a row of bad ones can be told from the others.
const SET_UP: &str = "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'iso_8601'; \
    SET extra_float_digits = 1; SET bytea_output = 'hex'; SET standard_conforming_strings = on; \
    SET client_min_messages = 'warning'; SET jit = off; SET row_security = off; \
    SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings WHERE name IN ('statement_timeout', \
    'lock_timeout', 'idle_in_transaction_session_timeout', 'idle_session_timeout', 'transaction_timeout'); \
    SELECT pg_catalog.set_config('client_encoding', 'SQL_ASCII', false) \
    WHERE pg_catalog.current_setting('server_encoding') = 'SQL_ASCII'";

impl Session {
    /// Connects.
    ///
    /// # Errors
    /// `Connect`, `Tls`, `Auth`, `NotFound` for the database.
    pub async fn open(settings: &Settings) -> Result<Self> {
        let mut config = Config::new();
        config.host(&settings.host).port(settings.port).user(settings.user()).dbname(settings.database());
        if let Some(password) = &settings.password {
            config.password(password.expose());
        }
        config.application_name("levada").connect_timeout(Duration::from_secs(settings.connect_timeout_s));
        config.keepalives_idle(Duration::from_secs(60));
        config.ssl_mode(if settings.tls == Tls::Disable { SslMode::Disable } else { SslMode::Require });
        let session = if settings.tls == Tls::Disable {
            let (client, driver) = config.connect(NoTls).await.pg()?;
            Self { client, driver: Driver(tokio::spawn(async move { drop(driver.await) })) }
        } else {
            let tls = MakeRustlsConnect::new(tls_config(settings)?);
            let (client, driver) = config.connect(tls).await.pg()?;
            Self { client, driver: Driver(tokio::spawn(async move { drop(driver.await) })) }
        };
        session.client.batch_execute(SET_UP).await.pg()?;
        Ok(session)
    }

    /// Says good-bye to the server and waits until the socket is closed.
    pub async fn close(self) {
        let Self { client, mut driver } = self;
        drop(client);
        let _ = tokio::time::timeout(Duration::from_secs(2), &mut driver.0).await;
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn tls_config(settings: &Settings) -> Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let wrong = |what: String| Error::new(ErrorKind::Tls, what);
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(error.to_string()))?;
    if settings.tls == Tls::Require {
        let verifier = Arc::new(TrustAnyone(provider));
        return Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth());
    }
    let mut roots = RootCertStore::empty();
    if let Some(path) = &settings.tls_ca {
        let place = format!("`tls_ca` {}", path.display());
        let certificates = CertificateDer::pem_file_iter(path).map_err(|error| wrong(error.to_string()).at(&place))?;
        for certificate in certificates {
            let certificate = certificate.map_err(|error| wrong(error.to_string()).at(&place))?;
            roots.add(certificate).map_err(|error| wrong(error.to_string()).at(&place))?;
        }
        if roots.is_empty() {
            return Err(wrong("the file holds no certificate".to_owned()).at(place));
        }
    } else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// Encrypts without asking who the server is: `tls: require`.
#[derive(Debug)]
struct TrustAnyone(Arc<CryptoProvider>);

impl ServerCertVerifier for TrustAnyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
