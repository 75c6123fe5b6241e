//! Undoes the content-coding of a body (RFC 9110 §8.4), for what reads it as data.

use std::{borrow::Cow, io::Read};

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use crate::exchange::Headers;

/// A few bytes may decode to gigabytes.
pub const MOST_DECODED: usize = 16 << 20;
/// Codings one over the other; nobody sends more than two.
const MOST_CODINGS: usize = 4;

/// Why a body stays as it was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undecoded {
    #[error("the content-coding {0:?} is not known")]
    Unknown(String),
    #[error("the body is not the {0} it is said to be")]
    Damaged(String),
    #[error("the body is over {MOST_DECODED} bytes when decoded")]
    TooLarge,
}

/// The body as its sender meant it.
pub fn decoded<'a>(headers: &Headers, body: &'a [u8]) -> Result<Cow<'a, [u8]>, Undecoded> {
    let codings = codings(headers);
    if codings.len() > MOST_CODINGS {
        return Err(Undecoded::Unknown(codings.join(", ")));
    }
    let mut decoded = Cow::Borrowed(body);
    // They are listed in the order in which they were applied. A body that is not there has none, as an answer to HEAD.
    for coding in codings.iter().rev().filter(|_| !body.is_empty()) {
        decoded = Cow::Owned(decode(coding, &decoded)?);
    }
    Ok(decoded)
}

fn codings(headers: &Headers) -> Vec<String> {
    headers
        .all("content-encoding")
        .flat_map(|value| value.split(|byte| *byte == b','))
        .map(|name| String::from_utf8_lossy(name).trim().to_ascii_lowercase())
        .filter(|name| !name.is_empty() && name != "identity")
        .collect()
}

fn decode(coding: &str, body: &[u8]) -> Result<Vec<u8>, Undecoded> {
    match coding {
        "gzip" | "x-gzip" => read(coding, MultiGzDecoder::new(body)),
        // Meant is the zlib format; some send what is inside of it.
        "deflate" => match read(coding, ZlibDecoder::new(body)) {
            Err(Undecoded::Damaged(_)) => read(coding, DeflateDecoder::new(body)),
            other => other,
        },
        "br" => read(coding, brotli_decompressor::Decompressor::new(body, 4096)),
        "zstd" => match zstd::Decoder::with_buffer(body) {
            Ok(decoder) => read(coding, decoder),
            Err(_) => Err(Undecoded::Damaged(coding.into())),
        },
        _ => Err(Undecoded::Unknown(coding.into())),
    }
}

fn read(coding: &str, decoder: impl Read) -> Result<Vec<u8>, Undecoded> {
    let mut decoded = Vec::new();
    let mut capped = decoder.take(MOST_DECODED as u64 + 1);
    match capped.read_to_end(&mut decoded) {
        Ok(_) if decoded.len() > MOST_DECODED => Err(Undecoded::TooLarge),
        Ok(_) => Ok(decoded),
        Err(_) => Err(Undecoded::Damaged(coding.into())),
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
