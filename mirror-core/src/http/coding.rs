//! Undoes the content-coding of a body (RFC 9110 §8.4), for what reads it as data.

use std::{
    borrow::Cow,
    io::{self, BufRead, BufReader, Read},
};

use flate2::bufread::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use crate::exchange::Headers;

/// A few bytes may decode to gigabytes.
pub const MOST_DECODED: usize = 16 << 20;
/// Codings one over the other; nobody sends more than two.
const MOST_CODINGS: usize = 4;
/// The largest window of zstd on the web, 8 MiB (RFC 9659): a frame may ask for one of any size.
const MAX_ZSTD_WINDOW_LOG: u32 = 23;

/// Why a body stays as it was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undecoded {
    #[error("the content-coding {0:?} is not known")]
    Unknown(String),
    #[error("the body is not the {0} it is said to be")]
    Damaged(String),
    #[error("the body is too large when decoded")]
    TooLarge,
}

/// The body as its sender meant it, of at most [`MOST_DECODED`] bytes where it is coded.
pub fn decoded<'a>(headers: &Headers, body: &'a [u8]) -> Result<Cow<'a, [u8]>, Undecoded> {
    decoded_within(headers, body, MOST_DECODED)
}

/// The body as its sender meant it, of at most `limit` bytes where it is coded.
pub fn decoded_within<'a>(
    headers: &Headers,
    body: &'a [u8],
    limit: usize,
) -> Result<Cow<'a, [u8]>, Undecoded> {
    if body.is_empty() || codings(headers).is_empty() {
        return Ok(Cow::Borrowed(body));
    }
    let mut decoded = Vec::new();
    let mut capped = decoder(headers, body)?.take(limit as u64 + 1);
    capped.read_to_end(&mut decoded).map_err(undecoded)?;
    if decoded.len() > limit {
        return Err(Undecoded::TooLarge);
    }
    Ok(Cow::Owned(decoded))
}

/// Reads the body as its sender meant it, a piece at a time. What is wrong with it is found while it is read:
/// [`undecoded`] tells it from the reader's error.
pub fn decoder<'a>(headers: &Headers, body: &'a [u8]) -> Result<Box<dyn BufRead + 'a>, Undecoded> {
    let codings = codings(headers);
    if codings.len() > MOST_CODINGS {
        return Err(Undecoded::Unknown(codings.join(", ")));
    }
    let mut reader: Box<dyn BufRead> = Box::new(body);
    // They are listed in the order in which they were applied. An empty body has none, as in an answer to HEAD.
    for coding in codings.into_iter().rev().filter(|_| !body.is_empty()) {
        reader = undo(coding, reader)?;
    }
    Ok(reader)
}

/// Why a reader of [`decoder`] failed.
pub fn undecoded(error: io::Error) -> Undecoded {
    let own = error.downcast::<Undecoded>();
    own.unwrap_or_else(|error| Undecoded::Damaged(error.to_string()))
}

fn codings(headers: &Headers) -> Vec<String> {
    headers
        .all("content-encoding")
        .flat_map(|value| value.split(|byte| *byte == b','))
        .map(|name| String::from_utf8_lossy(name).trim().to_ascii_lowercase())
        .filter(|name| !name.is_empty() && name != "identity")
        .collect()
}

fn undo<'a>(
    coding: String,
    mut coded: Box<dyn BufRead + 'a>,
) -> Result<Box<dyn BufRead + 'a>, Undecoded> {
    let decoder: Box<dyn Read + 'a> = match coding.as_str() {
        "gzip" | "x-gzip" => Box::new(MultiGzDecoder::new(coded)),
        // The zlib format is meant; some send what is inside of it.
        "deflate" if is_zlib(coded.fill_buf().map_err(undecoded)?) => {
            Box::new(ZlibDecoder::new(coded))
        }
        "deflate" => Box::new(DeflateDecoder::new(coded)),
        "br" => Box::new(brotli_decompressor::Decompressor::new(coded, 4096)),
        "zstd" => {
            let mut decoder = zstd::Decoder::with_buffer(coded).map_err(undecoded)?;
            decoder
                .window_log_max(MAX_ZSTD_WINDOW_LOG)
                .map_err(undecoded)?;
            Box::new(decoder)
        }
        _ => return Err(Undecoded::Unknown(coding)),
    };
    Ok(Box::new(BufReader::new(Named { coding, decoder })))
}

/// Whether the two bytes of a zlib header come first (RFC 1950 §2.2).
fn is_zlib(bytes: &[u8]) -> bool {
    matches!(bytes, [method, flags, ..]
        if method & 0x0f == 8 && u16::from_be_bytes([*method, *flags]).is_multiple_of(31))
}

/// Says in its errors which coding was damaged.
struct Named<'a> {
    coding: String,
    decoder: Box<dyn Read + 'a>,
}

impl Read for Named<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.decoder.read(into).map_err(|error| {
            let inner = error.get_ref().is_some_and(|inner| inner.is::<Undecoded>());
            match error.kind() {
                io::ErrorKind::Interrupted => error,
                _ if inner => error,
                _ => io::Error::other(Undecoded::Damaged(self.coding.clone())),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{
        Compression,
        write::{DeflateEncoder, GzEncoder, ZlibEncoder},
    };

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn check(codings: &[&str], body: &[u8], expect: Result<&[u8], Undecoded>) {
        let headers = codings.iter().map(|c| ("Content-Encoding", *c)).collect();
        let decoded = decoded(&headers, body);
        assert_eq!(decoded.as_deref(), expect.as_deref(), "{codings:?}");
    }

    #[test]
    fn every_coding_is_undone() {
        let plain = b"{\"a\":1}".repeat(50);
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
        zlib.write_all(&plain).unwrap();
        let mut raw = DeflateEncoder::new(Vec::new(), Compression::default());
        raw.write_all(&plain).unwrap();
        check(&[], &plain, Ok(&plain));
        check(&["identity"], &plain, Ok(&plain));
        check(&["GZIP"], &gzip(&plain), Ok(&plain));
        check(&["deflate"], &zlib.finish().unwrap(), Ok(&plain));
        check(&["deflate"], &raw.finish().unwrap(), Ok(&plain));
        check(
            &["zstd"],
            &zstd::encode_all(&plain[..], 3).unwrap(),
            Ok(&plain),
        );
        // "abc" as one uncompressed meta-block, then the last and empty one (RFC 7932 §9.2).
        check(&["br"], b"\x0b\x01\x80abc\x03", Ok(b"abc"));
        let twice = gzip(&gzip(&plain));
        check(&["gzip, gzip"], &twice, Ok(&plain));
        check(&["gzip", "x-gzip"], &twice, Ok(&plain));
        check(&["gzip"], b"", Ok(b""));
    }

    #[test]
    fn what_cannot_be_decoded_says_why() {
        let damaged = |name: &str| Err(Undecoded::Damaged(name.into()));
        let whole = gzip(b"abc");
        check(&["gzip"], &whole[..whole.len() - 9], damaged("gzip"));
        for coding in ["gzip", "deflate", "br", "zstd"] {
            check(&[coding], b"\xff\xff plainly none of them", damaged(coding));
        }
        check(
            &["aes128gcm"],
            b"x",
            Err(Undecoded::Unknown("aes128gcm".into())),
        );
        let bomb = gzip(&vec![0; MOST_DECODED + 1]);
        check(&["gzip"], &bomb, Err(Undecoded::TooLarge));
    }
}
