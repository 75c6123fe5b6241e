//! The ways in which servers read a path.
//!
//! They differ in what comes first: some decode and then take out dot segments, others the other way round; some decode
//! twice, because a proxy did before them; some join doubled slashes, or take what stands between for a host; some cut
//! matrix parameters off, and what stands behind a zero byte.

use percent_encoding::percent_decode;

/// How often a path may be decoded on its way.
const MAX_DECODINGS: usize = 2;

/// What a path may be besides what was sent.
#[derive(Debug, Default)]
pub(super) struct Readings {
    /// Each of them is what common servers read.
    pub(super) usual: Vec<Vec<u8>>,
    /// What only some do, which lose a part of the path. Rules that keep out look at them too.
    pub(super) short: Vec<Vec<u8>>,
}

impl Readings {
    pub(super) fn of(sent: &[u8]) -> Self {
        let mut readings = Self::default();
        if is_plain(sent) {
            return readings;
        }
        for text in decodings(sent) {
            for merges in [true, false] {
                readings.add(sent, &resolved(&text, merges, false), false);
                readings.add(sent, &resolved(&text, merges, true), true);
                if let Some(local) = behind_host(&text) {
                    readings.add(sent, &resolved(local, merges, true), true);
                }
            }
        }
        readings
    }

    fn add(&mut self, sent: &[u8], path: &[u8], is_short: bool) {
        for text in decodings(path) {
            let (list, text) = match is_short {
                true => (&mut self.short, shortened(&text).to_vec()),
                false => (&mut self.usual, text),
            };
            if text != sent && !list.contains(&text) {
                list.push(text);
            }
        }
    }
}

/// Whether there is only one way of reading a path.
fn is_plain(path: &[u8]) -> bool {
    let is_odd = |pair: &[u8]| pair == b"//" || pair == b"/.";
    let ends_odd = path.len() > 1 && path.last().is_some_and(|byte| b"/. ".contains(byte));
    !ends_odd && memchr::memchr3(b'%', b'\\', b';', path).is_none() && !path.windows(2).any(is_odd)
}

/// The path, and what comes of it by decoding, until nothing changes.
fn decodings(path: &[u8]) -> Vec<Vec<u8>> {
    let slashed = |bytes: Vec<u8>| -> Vec<u8> {
        let slash = |byte| if byte == b'\\' { b'/' } else { byte };
        bytes.into_iter().map(slash).collect()
    };
    let mut all = vec![slashed(path.to_vec())];
    for nth in 0..MAX_DECODINGS {
        let next = slashed(percent_decode(&all[nth]).collect());
        if next == all[nth] {
            break;
        }
        all.push(next);
    }
    all
}

/// The path without dot segments, and without empty ones if it `merges`; `bare` also without matrix parameters and the slash
/// at its end.
fn resolved(path: &[u8], merges: bool, bare: bool) -> Vec<u8> {
    let mut segments: Vec<&[u8]> = Vec::new();
    let mut ends_open = false;
    for segment in path
        .strip_prefix(b"/")
        .unwrap_or(path)
        .split(|byte| *byte == b'/')
    {
        let name = segment
            .split(|byte| *byte == b';')
            .next()
            .unwrap_or_default();
        let shown = if bare { name } else { segment };
        // Of a segment that was not decoded, too.
        let dots: Vec<u8> = percent_decode(name).collect();
        ends_open = shown.is_empty() || dots == b"." || dots == b"..";
        match dots.as_slice() {
            b"." => {}
            b".." => {
                segments.pop();
            }
            _ if shown.is_empty() && merges => {}
            _ => segments.push(shown),
        }
    }
    if ends_open && segments.last().is_some_and(|last| last.is_empty()) {
        segments.pop();
    }
    let mut out = Vec::with_capacity(path.len() + 1);
    for segment in &segments {
        out.push(b'/');
        out.extend_from_slice(segment);
    }
    if out.is_empty() || (ends_open && !bare) {
        out.push(b'/');
    }
    out
}

/// The path of `//host/path`, as whoever resolves it like a reference reads it (RFC 3986 §5.2).
fn behind_host(path: &[u8]) -> Option<&[u8]> {
    let slashes = path.iter().take_while(|byte| **byte == b'/').count();
    let host = path.get(slashes..).filter(|_| slashes > 1)?;
    let at = memchr::memchr(b'/', host)?;
    Some(&host[at..])
}

/// Without what follows a zero byte or a mark that ends a path, and without what some file systems drop at the end.
fn shortened(path: &[u8]) -> &[u8] {
    let end = memchr::memchr3(0, b'?', b'#', path).unwrap_or(path.len());
    let is_dropped = |byte: &u8| *byte == b'/' || *byte == b'.' || byte.is_ascii_whitespace();
    let dropped = path[..end].iter().rev().take_while(|byte| is_dropped(byte));
    match end - dropped.count() {
        0 => b"/",
        kept => &path[..kept],
    }
}
