//! How the blocks of a file are compressed. What a block unpacks to is bounded, whatever it declares.

use std::borrow::Cow;
use std::io::{Read, Write};

use levada_core::error::{Error, ErrorKind, Result};

use super::{BLOCK_BYTES_MAX, malformed};

/// The codecs of the Avro specification that are read and written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::files) enum Codec {
    Null,
    /// What files are written with: every reader of Avro knows it.
    #[default]
    Deflate,
    Snappy,
    Zstandard,
}

impl Codec {
    const ALL: [(Codec, &'static str); 4] = [
        (Codec::Null, "null"),
        (Codec::Deflate, "deflate"),
        (Codec::Snappy, "snappy"),
        (Codec::Zstandard, "zstandard"),
    ];

    /// The codec of a file's `avro.codec`.
    pub(super) fn named(word: &str) -> Result<Self> {
        let found = Self::ALL.iter().find(|(_, name)| *name == word).map(|(codec, _)| *codec);
        found.ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, format!("Avro compression `{word}` is not supported"))
                .advise("Write the file with `deflate`, `snappy`, `zstandard` or without compression.")
        })
    }

    /// Its word in `avro.codec`.
    pub(super) fn word(self) -> &'static str {
        Self::ALL.iter().find(|(codec, _)| *codec == self).map_or("null", |(_, word)| word)
    }

    /// The content of a block.
    pub(super) fn unpack(self, packed: &[u8]) -> Result<Cow<'_, [u8]>> {
        match self {
            Codec::Null => Ok(Cow::Borrowed(packed)),
            Codec::Deflate => bounded(flate2::read::DeflateDecoder::new(packed)).map(Cow::Owned),
            Codec::Zstandard => {
                let decoder = zstd::stream::read::Decoder::with_buffer(packed);
                bounded(decoder.map_err(|error| malformed(error.to_string()))?).map(Cow::Owned)
            }
            Codec::Snappy => {
                let Some((packed, sum)) = packed.split_last_chunk::<4>() else {
                    return Err(malformed("a block is too short for its checksum"));
                };
                let length = snap::raw::decompress_len(packed).map_err(|error| malformed(error.to_string()))?;
                // Snappy can shrink to no less than about a 64th
                if length as u64 > BLOCK_BYTES_MAX || length / 128 > packed.len() {
                    return Err(too_large());
                }
                let content = snap::raw::Decoder::new().decompress_vec(packed);
                let content = content.map_err(|error| malformed(error.to_string()))?;
                if checksum(&content) != *sum {
                    return Err(malformed("a block does not match its checksum"));
                }
                Ok(Cow::Owned(content))
            }
        }
    }

    /// A block of this content, appended.
    pub(super) fn pack(self, content: &[u8], out: &mut Vec<u8>) -> Result<()> {
        match self {
            Codec::Null => out.extend_from_slice(content),
            Codec::Deflate => {
                let mut encoder = flate2::write::DeflateEncoder::new(out, flate2::Compression::new(3));
                encoder.write_all(content)?;
                encoder.finish()?;
            }
            Codec::Zstandard => zstd::stream::copy_encode(content, out, 1)?,
            Codec::Snappy => {
                let packed = snap::raw::Encoder::new().compress_vec(content);
                let packed = packed.map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?;
                out.extend_from_slice(&packed);
                out.extend_from_slice(&checksum(content));
            }
        }
        Ok(())
    }
}

fn bounded(reader: impl Read) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    let read = reader.take(BLOCK_BYTES_MAX + 1).read_to_end(&mut content);
    read.map_err(|error| malformed(format!("a block cannot be unpacked: {error}")))?;
    if content.len() as u64 > BLOCK_BYTES_MAX { Err(too_large()) } else { Ok(content) }
}

fn too_large() -> Error {
    malformed(format!("a block unpacks to more than {} MiB", BLOCK_BYTES_MAX >> 20))
}

fn checksum(content: &[u8]) -> [u8; 4] {
    let mut crc = flate2::Crc::new();
    crc.update(content);
    crc.sum().to_be_bytes()
}
