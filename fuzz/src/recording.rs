//! Recordings: what a crash, a disk or a stranger may have made of them.

use std::io::Cursor;

use bytes::Bytes;
use mirror_core::exchange::{Exchange, Request};
use mirror_core::identity::Identity;
use mirror_core::policy::{Envelope, Policy};
use mirror_core::recording::{
    ExtraPart, RecordingIndex, RecordingMetadata, RecordingReader, RecordingWriter, WriterOptions,
};
use mirror_core::time::Timestamp;

use crate::input::Input;

/// Most bytes that a block of strangers may take here.
const MOST: usize = 1 << 20;

/// Any bytes can be read, and their index is found. A recording is made of the rest; cut anywhere and with a byte changed, it gives
/// exchanges that were written, in their order, and what it lost is in one place.
pub fn recording(bytes: &[u8]) {
    let _ = read(bytes);
    if let Ok(mut reader) = RecordingReader::with_limit(Cursor::new(bytes), None, MOST) {
        let _ = RecordingIndex::read(&mut reader);
    }
    let mut input = Input::new(bytes);
    let (cut, changed) = (usize::from(input.word()), usize::from(input.word()));
    let (file, written) = written(&mut input);
    assert_eq!(read(&file), (written.clone(), 0));
    let (part, damaged) = read(&file[..cut % (file.len() + 1)]);
    assert!(damaged <= 1 && written.starts_with(&part));
    let mut file = file;
    let place = changed % file.len();
    file[place] ^= 1;
    let (part, damaged) = read(&file);
    assert!(damaged <= 1, "byte {place}");
    let mut all = written.iter();
    assert!(
        part.iter()
            .all(|envelope| all.any(|known| known == envelope))
    );
}

/// The envelopes, and how many places were wrong.
fn read(bytes: &[u8]) -> (Vec<Envelope>, u64) {
    let reader = RecordingReader::with_limit(bytes, None, MOST);
    let mut reader = reader.expect("a reader can be made");
    let mut envelopes = Vec::new();
    while let Some(read) = reader.next() {
        envelopes.extend(read.ok().map(|exchange| exchange.envelope));
    }
    (envelopes, reader.counts().damaged)
}

fn written(input: &mut Input<'_>) -> (Vec<u8>, Vec<Envelope>) {
    let options = WriterOptions {
        block_bytes: 1 + usize::from(input.word()),
        ..WriterOptions::default()
    };
    let metadata = RecordingMetadata::default();
    let writer = RecordingWriter::new(Vec::new(), options, &metadata);
    let mut writer = writer.expect("a vector grows");
    let policy = Policy::default();
    let mut envelopes = Vec::new();
    while !input.is_empty() && envelopes.len() < 20 {
        let mut request = Request::new("GET", input.piece().to_vec());
        request.body = Bytes::copy_from_slice(input.piece()).into();
        let address = "127.0.0.1:80".parse().expect("an address");
        let mut exchange = Exchange::new(address, address, request);
        exchange.timing.request_first = Timestamp(u64::from(input.word()));
        let admitted = policy.admit(&"h".into(), exchange, |_| Identity::default());
        let Ok(envelope) = admitted else {
            continue;
        };
        let part = ExtraPart {
            tag: 128 | input.byte(),
            bytes: Bytes::copy_from_slice(input.piece()),
        };
        writer.push(&envelope, &[part]).expect("a vector grows");
        envelopes.push(envelope);
    }
    (writer.end().expect("a vector grows"), envelopes)
}
