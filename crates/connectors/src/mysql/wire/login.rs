//! From a socket to a session: greeting, TLS, and the proof of the password. MySQL, Client/Server Protocol: "Connection
//! Phase", "Caching_sha2_password information"; MariaDB: "Connecting".

use std::sync::Arc;

use levada_core::error::{Error, ErrorKind, Result};
use mysql_async::consts::CapabilityFlags as Flags;
use mysql_async::{DriverError, Error as Driver};
use mysql_common::io::ParseBuf;
use mysql_common::packets::{AuthPlugin, AuthSwitchRequest, HandshakePacket, HandshakeResponse, SslRequest};
use mysql_common::proto::MySerialize;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::malformed;
use super::packets::Packets;
use crate::kit::tls::{Tls, client_config};
use crate::mysql::config::Config;
use crate::mysql::error::from_driver;

/// utf8mb4_general_ci, which every version has.
const COLLATION: u8 = 45;
const PACKET_BYTES_MAX: u32 = 1 << 30;

/// What this client understands. It leaves out `CLIENT_DEPRECATE_EOF`, so that rows end with a packet of one kind.
const WANTED: Flags = Flags::CLIENT_PROTOCOL_41
    .union(Flags::CLIENT_LONG_PASSWORD)
    .union(Flags::CLIENT_LONG_FLAG)
    .union(Flags::CLIENT_TRANSACTIONS)
    .union(Flags::CLIENT_SECURE_CONNECTION)
    .union(Flags::CLIENT_PLUGIN_AUTH)
    .union(Flags::CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA)
    .union(Flags::CLIENT_CONNECT_WITH_DB)
    .union(Flags::CLIENT_SSL);

/// Logs in; tells the connection's id as well.
///
/// # Errors
/// `Connect`, `Tls`, `Auth`, `NotFound` for the database.
pub async fn login(config: &Config) -> Result<(Packets, u32)> {
    let io = |error: std::io::Error| from_driver(error.into());
    let socket = TcpStream::connect((config.host.as_str(), config.port)).await.map_err(io)?;
    socket.set_nodelay(true).map_err(io)?;
    let mut packets = Packets::new(Box::new(socket));
    let greeting = ParseBuf(packets.next().await?).parse::<HandshakePacket>(()).map_err(unreadable)?.into_owned();
    let mut flags = greeting.capabilities() & WANTED;
    if config.tls == Tls::Disable {
        flags.remove(Flags::CLIENT_SSL);
    } else if !flags.contains(Flags::CLIENT_SSL) {
        return Err(from_driver(Driver::Driver(DriverError::NoClientSslFlagFromServer)));
    } else {
        packets.send(&bytes(&SslRequest::new(flags, PACKET_BYTES_MAX, COLLATION))).await?;
        packets = encrypted(packets, config).await?;
    }
    let mut proof = Proof {
        method: match greeting.auth_plugin() {
            Some(AuthPlugin::CachingSha2Password) => AuthPlugin::CachingSha2Password,
            _ => AuthPlugin::MysqlNativePassword,
        },
        nonce: greeting.nonce(),
        password: config.password.expose(),
        is_encrypted: config.tls != Tls::Disable,
    };
    let answer = HandshakeResponse::new(
        Some(proof.scramble()),
        (8, 0, 0),
        Some(config.user.as_bytes()),
        Some(config.database.as_bytes()),
        Some(proof.method.borrow()),
        flags,
        None,
        PACKET_BYTES_MAX,
    );
    packets.send(&bytes(&answer)).await?;
    proof.give(&mut packets).await?;
    Ok((packets, greeting.connection_id()))
}

async fn encrypted(packets: Packets, config: &Config) -> Result<Packets> {
    let name = ServerName::try_from(config.host.clone())
        .map_err(|error| Error::new(ErrorKind::Tls, error.to_string()).at(&config.host))?;
    let (stream, sequence) = packets.into_stream()?;
    let connector = TlsConnector::from(Arc::new(client_config(config.tls, config.tls_ca.as_deref())?));
    let stream = connector.connect(name, stream).await.map_err(|error| from_driver(error.into()))?;
    Ok(Packets::resumed(Box::new(stream), sequence))
}

/// How a user proves who they are.
struct Proof<'a> {
    method: AuthPlugin<'static>,
    nonce: Vec<u8>,
    password: &'a str,
    is_encrypted: bool,
}

impl Proof<'_> {
    /// The password, such that only this greeting's server can use it; nothing for no password.
    fn scramble(&self) -> Vec<u8> {
        self.method.gen_data(Some(self.password), &self.nonce).map_or_else(Vec::new, |data| data.to_vec())
    }

    /// Answers the server's questions until it is content.
    async fn give(&mut self, packets: &mut Packets) -> Result<()> {
        loop {
            let question = packets.next().await?;
            match question {
                [0x00, ..] => return Ok(()),
                [0xfe, _, ..] => {
                    let other = ParseBuf(question).parse::<AuthSwitchRequest>(()).map_err(unreadable)?;
                    self.nonce = other.plugin_data().to_vec();
                    self.method = accepted(other.auth_plugin())?;
                    packets.send(&self.scramble()).await?;
                }
                // The server remembers the password.
                [0x01, 0x03] if self.method == AuthPlugin::CachingSha2Password => {}
                [0x01, 0x04] if self.method == AuthPlugin::CachingSha2Password => {
                    let mut password = [self.password.as_bytes(), b"\0"].concat();
                    if !self.is_encrypted {
                        packets.send(b"\x02").await?;
                        let key = packets.next().await?.get(1..).unwrap_or_default().to_vec();
                        for (byte, mask) in password.iter_mut().zip(self.nonce.iter().cycle()) {
                            *byte ^= mask;
                        }
                        password = mysql_common::crypto::encrypt(&password, &key);
                    }
                    packets.send(&password).await?;
                }
                _ => return Err(malformed("an unknown question at login")),
            }
        }
    }
}

/// The methods of which the driver knows more than the name, and which do not give the password away.
fn accepted(method: AuthPlugin<'_>) -> Result<AuthPlugin<'static>> {
    let refused = match method {
        AuthPlugin::CachingSha2Password => return Ok(AuthPlugin::CachingSha2Password),
        AuthPlugin::MysqlNativePassword => return Ok(AuthPlugin::MysqlNativePassword),
        AuthPlugin::MysqlClearPassword => DriverError::CleartextPluginDisabled,
        AuthPlugin::MysqlOldPassword => DriverError::MysqlOldPasswordDisabled,
        other => DriverError::UnknownAuthPlugin { name: String::from_utf8_lossy(other.as_bytes()).into_owned() },
    };
    Err(from_driver(Driver::Driver(refused)))
}

fn bytes(message: &impl MySerialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    message.serialize(&mut bytes);
    bytes
}

fn unreadable(error: std::io::Error) -> Error {
    malformed(&error.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// Lets a server ask some questions, each of which the client answers with so many bytes; tells the answers.
    async fn asked(questions: &[(&[u8], usize)]) -> (Result<()>, Vec<Vec<u8>>) {
        let (client, mut server) = tokio::io::duplex(1 << 10);
        let mut proof = Proof {
            method: AuthPlugin::MysqlNativePassword,
            nonce: vec![7; 20],
            password: "pässword",
            is_encrypted: true,
        };
        let asking = async {
            let mut answers = Vec::new();
            for (index, (question, length)) in questions.iter().enumerate() {
                let sequence = (index + answers.len()) as u8;
                server.write_all(&[question.len() as u8, 0, 0, sequence]).await.unwrap();
                server.write_all(question).await.unwrap();
                if *length > 0 {
                    let mut answer = vec![0; 4 + length];
                    server.read_exact(&mut answer).await.unwrap();
                    answers.push(answer.split_off(4));
                }
            }
            answers
        };
        let mut packets = Packets::new(Box::new(client));
        tokio::join!(proof.give(&mut packets), asking)
    }

    #[tokio::test]
    async fn the_method_is_changed_and_the_password_given_in_full_under_encryption() {
        let switch = [b"\xfecaching_sha2_password\0".as_slice(), &[9; 20], b"\0"].concat();
        let (outcome, answers) = asked(&[(&switch, 32), (b"\x01\x04", 10), (b"\0\0\0\x02\0\0\0", 0)]).await;
        outcome.unwrap();
        assert_eq!(answers[0], mysql_common::scramble::scramble_sha256(&[9; 20], "pässword".as_bytes()).unwrap());
        assert_eq!(answers[1], "pässword\0".as_bytes());
        let (outcome, _) = asked(&[(&switch, 32), (b"\x01\x03", 0), (b"\0\0\0\x02\0\0\0", 0)]).await;
        outcome.unwrap();
    }

    #[tokio::test]
    async fn a_server_that_asks_for_the_plain_password_gets_none() {
        let (outcome, _) = asked(&[(b"\xfemysql_clear_password\0", 0)]).await;
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Auth);
    }

    #[tokio::test]
    async fn a_refusal_is_told_in_the_servers_words() {
        let (outcome, _) = asked(&[(b"\xff\x15\x04#28000Access denied for user 'u'", 0)]).await;
        let error = outcome.unwrap_err();
        assert_eq!((error.kind(), error.message().contains("Access denied")), (ErrorKind::Auth, true));
    }
}
