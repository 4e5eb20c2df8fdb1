//! Packets over a socket. Each has a header (three bytes of length, one of sequence) and a payload; a payload of the
//! greatest length goes on in the next packet. MySQL, Client/Server Protocol: "MySQL Packets"; MariaDB: "0-Packet".

use levada_core::error::{Error, ErrorKind, Result};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::malformed;
use crate::mysql::error::{from_driver, from_server};

/// The length of a payload that goes on in the next packet.
const PAYLOAD_MAX: usize = (1 << 24) - 1;
/// Bytes asked of the socket at once: many of the server's own writes, which are 16 KiB.
const READ_BYTES: usize = 256 << 10;

/// What the read buffer keeps of its room after a huge payload.
const BUFFER_BYTES_KEPT: usize = 4 << 20;

/// What packets travel over.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// Both directions of a connection. Payloads are lent from the read buffer, so a row costs no allocation.
pub struct Packets {
    stream: Box<dyn Stream>,
    buffer: Vec<u8>,
    /// What of the buffer has been read from the socket and not been taken yet.
    start: usize,
    end: usize,
    /// A payload of more than one packet.
    joined: Vec<u8>,
    sequence: u8,
}

impl Packets {
    /// Packets over a stream.
    pub fn new(stream: Box<dyn Stream>) -> Self {
        Self { stream, buffer: vec![0; READ_BYTES], start: 0, end: 0, joined: Vec::new(), sequence: 0 }
    }

    /// The stream, to go on with it under TLS.
    ///
    /// # Errors
    /// `Tls` where unencrypted bytes have arrived already, which could be another's.
    pub fn into_stream(self) -> Result<(Box<dyn Stream>, u8)> {
        if self.start < self.end {
            return Err(Error::new(ErrorKind::Tls, "the server sent more than its greeting before the encryption"));
        }
        Ok((self.stream, self.sequence))
    }

    /// Packets over a stream whose first ones have gone another way.
    pub fn resumed(stream: Box<dyn Stream>, sequence: u8) -> Self {
        Self { sequence, ..Self::new(stream) }
    }

    /// Sends a payload that starts a new exchange.
    ///
    /// # Errors
    /// `Connect`.
    pub async fn command(&mut self, payload: &[u8]) -> Result<()> {
        self.sequence = 0;
        self.send(payload).await
    }

    /// Sends a payload.
    ///
    /// # Errors
    /// `Connect`.
    pub async fn send(&mut self, payload: &[u8]) -> Result<()> {
        let mut rest = payload;
        loop {
            let (part, tail) = rest.split_at(rest.len().min(PAYLOAD_MAX));
            let [low, middle, high, _] = (part.len() as u32).to_le_bytes();
            let mut packet = vec![low, middle, high, self.sequence];
            packet.extend_from_slice(part);
            self.stream.write_all(&packet).await.map_err(|error| from_driver(error.into()))?;
            self.sequence = self.sequence.wrapping_add(1);
            if part.len() < PAYLOAD_MAX {
                return self.stream.flush().await.map_err(|error| from_driver(error.into()));
            }
            rest = tail;
        }
    }

    /// The next payload; never an empty one, and never an error of the server.
    ///
    /// # Errors
    /// What the server reports; `Connect` where the connection ends or makes no sense.
    pub async fn next(&mut self) -> Result<&[u8]> {
        let (mut from, mut length) = self.frame().await?;
        let payload = if length < PAYLOAD_MAX {
            &self.buffer[from..from + length]
        } else {
            self.joined = Vec::new();
            self.joined.extend_from_slice(&self.buffer[from..from + length]);
            while length == PAYLOAD_MAX {
                (from, length) = self.frame().await?;
                self.joined.extend_from_slice(&self.buffer[from..from + length]);
            }
            &self.joined
        };
        match payload.first() {
            Some(0xff) => Err(reported(payload)),
            Some(_) => Ok(payload),
            None => Err(malformed("an empty packet")),
        }
    }

    /// Gives up the memory of the last payload, where it was huge.
    pub fn let_go(&mut self) {
        self.joined = Vec::new();
        if self.buffer.len() > BUFFER_BYTES_KEPT && self.end - self.start <= READ_BYTES {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            self.buffer.truncate(READ_BYTES);
            self.buffer.shrink_to_fit();
        }
    }

    /// Where in the buffer the next packet's payload is.
    async fn frame(&mut self) -> Result<(usize, usize)> {
        loop {
            match self.buffered()? {
                Ok(place) => return Ok(place),
                Err(wanted) => self.fill(wanted).await?,
            }
        }
    }

    /// The same where the whole packet is in the buffer, as nearly all are; else how many bytes it takes to go on.
    fn buffered(&mut self) -> Result<std::result::Result<(usize, usize), usize>> {
        let Some((header, rest)) = self.buffer[self.start..self.end].split_first_chunk::<4>() else {
            return Ok(Err(4));
        };
        let length = u32::from_le_bytes([header[0], header[1], header[2], 0]) as usize;
        if header[3] != self.sequence {
            return Err(malformed("a packet out of its order"));
        }
        if rest.len() < length {
            return Ok(Err(4 + length));
        }
        self.sequence = self.sequence.wrapping_add(1);
        let from = self.start + 4;
        self.start = from + length;
        Ok(Ok((from, length)))
    }

    /// Waits until so many bytes are in the buffer.
    async fn fill(&mut self, wanted: usize) -> Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        if self.buffer.len() < wanted {
            self.buffer.resize(wanted, 0);
        }
        while self.end < wanted {
            let read = self.stream.read(&mut self.buffer[self.end..]).await;
            match read.map_err(|error| from_driver(error.into()))? {
                0 => return Err(Error::new(ErrorKind::Connect, "the server closed the connection")),
                read => self.end += read,
            }
        }
        Ok(())
    }
}

/// The error that a packet reports: a code, `#` and five bytes of SQLSTATE where the server knows them, and a sentence.
/// Page "ERR_Packet".
fn reported(payload: &[u8]) -> Error {
    let code = payload.get(1..3).map_or(0, |code| u16::from_le_bytes([code[0], code[1]]));
    let said = payload.get(3..).unwrap_or_default();
    let (state, said) = match said.split_first_chunk::<6>() {
        Some((state, said)) if state[0] == b'#' => (String::from_utf8_lossy(&state[1..]), said),
        _ => ("".into(), said),
    };
    from_server(code, &state, &String::from_utf8_lossy(said))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn packet(sequence: u8, payload: &[u8]) -> Vec<u8> {
        let [low, middle, high, _] = (payload.len() as u32).to_le_bytes();
        [&[low, middle, high, sequence], payload].concat()
    }

    /// What is read when a server sends some bytes and then closes the connection.
    async fn read(sent: Vec<u8>) -> Vec<Result<Vec<u8>>> {
        let (client, mut server) = tokio::io::duplex(1 << 16);
        let sending = tokio::spawn(async move { server.write_all(&sent).await });
        let mut packets = Packets::new(Box::new(client));
        let mut read = Vec::new();
        loop {
            let next = packets.next().await.map(<[u8]>::to_vec);
            let is_last = next.is_err();
            read.push(next);
            if is_last {
                let _ = sending.await;
                return read;
            }
        }
    }

    #[tokio::test]
    async fn a_payload_longer_than_a_packet_is_put_together() {
        let whole: Vec<u8> = (0..PAYLOAD_MAX + 5).map(|n| n as u8).collect();
        let sent = [packet(0, &whole[..PAYLOAD_MAX]), packet(1, &whole[PAYLOAD_MAX..]), packet(2, b"next")].concat();
        let read = read(sent).await;
        assert!(*read[0].as_ref().unwrap() == whole);
        assert_eq!(read[1].as_ref().unwrap(), b"next");
        // One that is just as long as a packet ends with an empty packet.
        let sent = [packet(0, &whole[..PAYLOAD_MAX]), packet(1, b""), packet(2, b"next")].concat();
        let read = self::read(sent).await;
        assert!(read[0].as_ref().unwrap()[..] == whole[..PAYLOAD_MAX]);
        assert_eq!(read[1].as_ref().unwrap(), b"next");
    }

    #[tokio::test]
    async fn an_end_within_or_after_a_packet_is_an_error() {
        for cut in 1..=8 {
            let mut sent = packet(0, b"rows");
            sent.truncate(cut);
            let read = read(sent).await;
            assert_eq!(read.last().unwrap().as_ref().unwrap_err().kind(), ErrorKind::Connect);
        }
    }

    #[tokio::test]
    async fn a_lost_packet_is_an_error() {
        let read = read([packet(0, b"one"), packet(2, b"three")].concat()).await;
        assert_eq!(read.len(), 2);
        assert!(read[1].as_ref().unwrap_err().message().contains("out of its order"));
    }

    #[tokio::test]
    async fn an_error_packet_is_an_error_with_the_servers_words() {
        let read =
            read([packet(0, b"row"), packet(1, b"\xff\x25\x05#70100Query execution was interrupted")].concat()).await;
        let error = read[1].as_ref().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect);
        assert!(error.message().contains("Query execution was interrupted (error 1317)"), "{error}");
    }
}
