//! Compression around text formats: how a name tells it, and the streams that undo and do it.

use std::io::{BufReader, Read, Write};

use levada_core::error::{Context, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Sink;

/// The compression of a whole file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// The bytes as they are.
    None,
    /// RFC 1952, also several members in a row.
    Gzip,
    /// Zstandard, also several frames in a row.
    Zstd,
}

impl Compression {
    const ENDINGS: [(Compression, &'static str); 3] =
        [(Compression::Gzip, ".gz"), (Compression::Zstd, ".zst"), (Compression::Zstd, ".zstd")];

    /// The compression that a file's name tells.
    pub fn of(name: &str) -> Self {
        let known = Self::ENDINGS.iter().find(|(_, ending)| name.to_ascii_lowercase().ends_with(ending));
        known.map_or(Self::None, |(compression, _)| *compression)
    }

    /// A file's name without the ending of its compression.
    pub fn strip(name: &str) -> &str {
        let lower = name.to_ascii_lowercase();
        let known = Self::ENDINGS.iter().find(|(_, ending)| lower.ends_with(ending));
        known.map_or(name, |(_, ending)| &name[..name.len() - ending.len()])
    }

    /// The ending it gives a file's name.
    pub fn ending(self) -> &'static str {
        Self::ENDINGS.iter().find(|(compression, _)| *compression == self).map_or("", |(_, ending)| ending)
    }

    /// Undoes the compression.
    pub fn reader(self, bytes: Box<dyn Read + Send>) -> Result<Box<dyn Read + Send>> {
        Ok(match self {
            Self::None => bytes,
            Self::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(BufReader::with_capacity(128 << 10, bytes))),
            Self::Zstd => Box::new(zstd::Decoder::new(bytes).at("zstd")?),
        })
    }

    /// Does the compression; the end is written by [`Finish::finish`].
    pub fn writer(self, sink: Sink) -> Result<Box<dyn Finish>> {
        Ok(match self {
            Self::None => Box::new(Plain(sink)),
            Self::Gzip => Box::new(flate2::write::GzEncoder::new(sink, flate2::Compression::new(6))),
            Self::Zstd => Box::new(zstd::Encoder::new(sink, 3).at("zstd")?),
        })
    }
}

/// A stream with an end to be written.
pub trait Finish: Write + Send {
    /// Writes the end and flushes.
    fn finish(self: Box<Self>) -> std::io::Result<()>;
}

struct Plain(Sink);

impl Write for Plain {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

impl Finish for Plain {
    fn finish(mut self: Box<Self>) -> std::io::Result<()> {
        self.0.flush()
    }
}

impl Finish for flate2::write::GzEncoder<Sink> {
    fn finish(self: Box<Self>) -> std::io::Result<()> {
        flate2::write::GzEncoder::finish(*self)?.flush()
    }
}

impl Finish for zstd::Encoder<'static, Sink> {
    fn finish(self: Box<Self>) -> std::io::Result<()> {
        zstd::Encoder::finish(*self)?.flush()
    }
}
