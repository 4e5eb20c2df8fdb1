//! Sends one e-mail (RFC 5321, RFC 5322). Headers are made by the mail library from parsed addresses and an encoded
//! subject, so no text can add one.

use std::error::Error as StdError;
use std::net::SocketAddr;
use std::time::Duration;

use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::transport::smtp::{self, AsyncSmtpTransport};
use lettre::{AsyncTransport as _, Message, Tokio1Executor};
use levada_core::config::{Email, EmailTls};
use levada_core::error::{Error, ErrorKind, Result};
use tokio::net::TcpStream;

use super::notify::Note;
use super::{TaskContext, stopped};
use crate::network::Reach;

/// For each answer of the server.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
const SUBJECT_CHARS_MAX: usize = 200;

/// Sends it.
pub(super) async fn send(email: &Email, note: &Note, reach: Reach, context: &TaskContext) -> Result<()> {
    let message = message(email, note)?;
    let sent = async {
        let server = server(email, reach, context).await?;
        transport(email, server)?.send(message).await.map_err(|error| failure(&error, context))
    };
    tokio::select! {
        sent = sent => sent.map_err(|error| error.at(email.host.as_str()))?,
        () = context.stop.cancelled() => return Err(stopped()),
    };
    context.log.sys(&format!("mail to {} sent through {}", email.to.join(", "), email.host));
    Ok(())
}

fn message(email: &Email, note: &Note) -> Result<Message> {
    let one_line: String = note.title.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let mut builder = Message::builder()
        .from(mailbox(&email.from)?)
        .subject(one_line.chars().take(SUBJECT_CHARS_MAX).collect::<String>())
        .header(ContentType::TEXT_PLAIN);
    for to in &email.to {
        builder = builder.to(mailbox(to)?);
    }
    builder.body(note.text.clone()).map_err(|error| {
        Error::new(ErrorKind::Config, format!("the mail cannot be written: {error}"))
            .advise("An e-mail channel needs `from` and at least one address under `to`.")
    })
}

fn mailbox(text: &str) -> Result<Mailbox> {
    text.parse().ok().filter(|_| !text.contains(|c: char| c.is_control())).ok_or_else(|| {
        Error::new(ErrorKind::Config, format!("`{}` is not an e-mail address", text.escape_debug()))
            .advise("Write `name@example.org` or `Name <name@example.org>`.")
    })
}

/// The address of the server that is talked to: of several, the first that answers.
async fn server(email: &Email, reach: Reach, context: &TaskContext) -> Result<SocketAddr> {
    let port = email.port.unwrap_or(match email.tls {
        EmailTls::Start => 587,
        EmailTls::Always => 465,
        EmailTls::Never => 25,
    });
    let found = context.network.lookup(&email.host, port, reach).await?;
    if let [only] = found.as_slice() {
        return Ok(*only);
    }
    let opened = tokio::time::timeout(ANSWER_WITHIN, TcpStream::connect(found.as_slice())).await;
    let opened = opened.ok().and_then(Result::ok).and_then(|stream| stream.peer_addr().ok());
    opened.ok_or_else(|| {
        Error::new(ErrorKind::Connect, "the mail was not sent: no address of the server answers")
            .advise("Check `host`, `port` and `tls` of the channel.")
    })
}

fn transport(email: &Email, server: SocketAddr) -> Result<AsyncSmtpTransport<Tokio1Executor>> {
    let tls = || {
        TlsParameters::new(email.host.clone()).map_err(|_| {
            Error::new(ErrorKind::Tls, "the certificates of this system cannot be read")
                .advise("Install the package `ca-certificates`, or set SSL_CERT_FILE.")
        })
    };
    // the certificate is checked by the name, whatever address the name leads to
    let tls = match email.tls {
        EmailTls::Start => Tls::Required(tls()?),
        EmailTls::Always => Tls::Wrapper(tls()?),
        EmailTls::Never => Tls::None,
    };
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(server.ip().to_string())
        .port(server.port())
        .tls(tls)
        .timeout(Some(ANSWER_WITHIN));
    if let Some(user) = &email.user {
        let password = email.password.as_ref().map_or("", |password| password.expose());
        builder = builder.credentials(Credentials::new(user.clone(), password.to_owned()));
    }
    Ok(builder.build())
}

fn failure(error: &smtp::Error, context: &TaskContext) -> Error {
    let cause = std::iter::successors(error.source(), |&error| error.source()).last();
    let cause = cause.map_or_else(|| error.to_string(), ToString::to_string);
    let cause = context.redactor.text(&cause);
    let code = error.status().map_or(0, u16::from);
    let (kind, advice) = match code {
        530 | 534 | 535 => (ErrorKind::Auth, "Check `user` and `password` of the channel."),
        400..=499 => (ErrorKind::Busy, "Try again later."),
        500..=599 => (ErrorKind::Task, "Check `from` and `to` of the channel, and what the server allows."),
        _ if error.is_tls() => (ErrorKind::Tls, "Check `tls` and `port` of the channel, and the server's certificate."),
        _ => (ErrorKind::Connect, "Check `host`, `port` and `tls` of the channel."),
    };
    Error::new(kind, format!("the mail was not sent: {cause}")).advise(advice)
}
