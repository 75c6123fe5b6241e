use std::io::{self, Cursor, Write};
use std::sync::LazyLock;

use bytes::Bytes;

use super::file_head::{FILE_HEAD_LENGTH, file_head};
use super::*;
use crate::exchange::{Body, Exchange, Request, Response};
use crate::identity::Identity;
use crate::policy::{Envelope, Policy};
use crate::schedule::LaneKey;
use crate::time::Timestamp;
use mirror_contract::{Candidates, RequestId};

/// The `number`th request of a shop: a request each millisecond, on three connections.
fn envelope(number: u64) -> Envelope {
    let target = match number % 3 {
        0 => format!("/orders/{number}"),
        1 => "/orders?page=1".into(),
        _ => "/health".into(),
    };
    enclosed(number, Request::new("GET", target))
}

fn enclosed(number: u64, request: Request) -> Envelope {
    let address = ([10, 0, 0, 1], 80).into();
    let mut exchange = Exchange::new(address, address, request);
    exchange.connection = number % 3;
    exchange.timing.request_first = Timestamp(number * 1_000_000);
    exchange.response = Some(Box::new(Response {
        body: Body::from(Bytes::from(format!("{{\"order\":{number}}}"))),
        ..Response::new(200)
    }));
    let identity = Identity {
        candidates: Candidates {
            ids: vec![RequestId::new(&format!("id-{number}")).unwrap()],
            ..Candidates::default()
        },
        ..Identity::default()
    };
    static POLICY: LazyLock<Policy> = LazyLock::new(Policy::default);
    POLICY
        .admit(&"web-1".into(), exchange, |_| identity)
        .unwrap()
        .in_lane(Some(LaneKey(number % 3)))
}

fn metadata() -> RecordingMetadata {
    RecordingMetadata {
        host: "web-1".into(),
        agent: "1.2.3".into(),
        started_at: Timestamp(7),
        ..RecordingMetadata::default()
    }
}

fn small_blocks() -> WriterOptions {
    WriterOptions {
        block_bytes: 1000,
        ..WriterOptions::default()
    }
}

/// A recording of so many requests, and where each of its blocks ends with the number of exchanges until there.
fn recording(exchanges: u64) -> (Vec<u8>, Vec<(usize, u64)>) {
    let mut writer = RecordingWriter::new(Vec::new(), small_blocks(), &metadata()).unwrap();
    for number in 0..exchanges {
        writer.push(&envelope(number), &[]).unwrap();
    }
    writer.flush().unwrap();
    let ledger = RecordingLedger {
        at: Timestamp(9),
        seen: exchanges,
        ..RecordingLedger::default()
    };
    writer.write_ledger(&ledger).unwrap();
    let bytes = writer.end().unwrap();
    let ends = ends(&bytes);
    (bytes, ends)
}

fn ends(bytes: &[u8]) -> Vec<(usize, u64)> {
    let mut ends = vec![(FILE_HEAD_LENGTH, 0)];
    let (mut at, mut exchanges) = ends[0];
    while let Some(head) = BlockHead::read(&bytes[at..]) {
        at += usize::try_from(head.block_length()).unwrap();
        exchanges += u64::from(head.exchanges);
        ends.push((at, exchanges));
    }
    ends
}

type Read = (Vec<Envelope>, Vec<RecordingError>, Option<Tail>);

fn read(bytes: &[u8]) -> Read {
    read_with(bytes, None)
}

fn read_with(bytes: &[u8], unseal: Option<Box<dyn Unseal>>) -> Read {
    let mut reader = RecordingReader::new(bytes, unseal).unwrap();
    let (mut envelopes, mut errors) = (Vec::new(), Vec::new());
    while let Some(read) = reader.next() {
        match read {
            Ok(exchange) => envelopes.push(exchange.envelope),
            Err(error) => errors.push(error),
        }
    }
    assert_eq!(reader.counts().exchanges, envelopes.len() as u64);
    assert_eq!(reader.counts().damaged, errors.len() as u64);
    (envelopes, errors, reader.tail())
}

fn envelopes(numbers: impl IntoIterator<Item = u64>) -> Vec<Envelope> {
    numbers.into_iter().map(envelope).collect()
}

#[test]
fn a_recording_is_read_as_it_was_written() {
    for exchanges in [0, 1, 100] {
        let (bytes, _) = recording(exchanges);
        let (read, errors, tail) = read(&bytes);
        assert_eq!(read, envelopes(0..exchanges));
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!(tail, Some(Tail::Ended));
        let mut reader = RecordingReader::new(&bytes[..], None).unwrap();
        assert_eq!(reader.metadata().unwrap(), Some(&metadata()));
        while reader.next().is_some() {}
        assert_eq!(reader.ledger().map(|ledger| ledger.seen), Some(exchanges));
    }
}

#[test]
fn what_is_recorded_beside_an_envelope_stays_with_it() {
    let mut writer = RecordingWriter::new(Vec::new(), small_blocks(), &metadata()).unwrap();
    let part = |tag, bytes| ExtraPart {
        tag,
        bytes: Bytes::from_static(bytes),
    };
    let parts = [part(200, b"status = 200"), part(255, b"")];
    writer.push(&envelope(1), &parts).unwrap();
    writer.push(&envelope(2), &[]).unwrap();
    let bytes = writer.end().unwrap();
    let mut reader = RecordingReader::new(&bytes[..], None).unwrap();
    let first = reader.next().unwrap().unwrap();
    assert_eq!(first.parts, parts);
    assert_eq!(first.part(200), Some(&parts[0].bytes));
    assert_eq!(first.part(7), None);
    assert_eq!(reader.next().unwrap().unwrap(), envelope(2).into());
}

#[test]
fn a_recording_cut_anywhere_is_read_up_to_its_last_whole_block() {
    let (bytes, ends) = recording(30);
    assert!(ends.len() > 6, "{ends:?}");
    for cut in FILE_HEAD_LENGTH..=bytes.len() {
        let (read, errors, tail) = read(&bytes[..cut]);
        let (whole, exchanges) = *ends.iter().rfind(|(end, _)| *end <= cut).unwrap();
        assert_eq!(read, envelopes(0..exchanges), "cut at {cut}");
        assert!(errors.is_empty(), "cut at {cut}: {errors:?}");
        let expect = match cut - whole {
            0 if cut == bytes.len() => Tail::Ended,
            0 => Tail::Open,
            bytes => Tail::Torn {
                at: whole as u64,
                bytes: bytes as u64,
            },
        };
        assert_eq!(tail, Some(expect), "cut at {cut}");
    }
    for cut in 0..FILE_HEAD_LENGTH {
        let mut reader = RecordingReader::new(&bytes[..cut], None).unwrap();
        assert!(
            reader.next().unwrap().unwrap_err().is_final(),
            "cut at {cut}"
        );
        assert!(reader.next().is_none());
    }
}

/// A file system may have made room for what was written, and then have lost the bytes.
#[test]
fn a_tail_of_zeros_is_cut_off() {
    let (bytes, ends) = recording(10);
    let (end, exchanges) = ends[ends.len() - 3];
    let zeros = [&bytes[..end], &[0; 5000]].concat();
    let (read, errors, tail) = read(&zeros);
    assert_eq!(read, envelopes(0..exchanges));
    assert!(errors.is_empty());
    let torn = Tail::Torn {
        at: end as u64,
        bytes: 5000,
    };
    assert_eq!(tail, Some(torn));
}

#[test]
fn a_changed_byte_costs_its_own_block_and_no_other() {
    let (bytes, ends) = recording(30);
    let all = envelopes(0..30);
    for place in FILE_HEAD_LENGTH..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[place] ^= 0x20;
        let (read, errors, tail) = read(&damaged);
        let hit = ends.iter().position(|(end, _)| *end > place).unwrap();
        let (before, after) = (ends[hit - 1].1, ends[hit].1);
        let expect: Vec<_> = (0..before).chain(after..30).collect();
        assert_eq!(read.len(), expect.len(), "byte {place}: {errors:?}");
        let kept = expect.iter().map(|number| &all[*number as usize]);
        assert!(read.iter().eq(kept), "byte {place}");
        // Damage in the last block cannot be told from a torn tail.
        let is_last = hit + 1 == ends.len();
        assert_eq!(errors.len(), usize::from(!is_last), "byte {place}");
        assert_eq!(matches!(tail, Some(Tail::Torn { .. })), is_last);
        if let Some(RecordingError::Damaged { at, .. }) = errors.first() {
            assert_eq!(*at as usize, ends[hit - 1].0, "byte {place}");
        }
    }
}

#[test]
fn a_block_that_was_torn_before_others_costs_no_other() {
    let (bytes, ends) = recording(30);
    let (first, second) = (ends[2].0, ends[3].0);
    for cut in first + 1..second {
        let torn = [&bytes[..cut], &bytes[second..]].concat();
        let (read, errors, _) = read(&torn);
        let lost = ends[2].1..ends[3].1;
        let expect = envelopes((0..30).filter(|number| !lost.contains(number)));
        assert_eq!(read, expect, "torn at {cut}: {errors:?}");
        assert_eq!(errors.len(), 1, "torn at {cut}");
    }
}

/// A body is what strangers have sent, and may look like a recording.
#[test]
fn a_recording_in_a_body_is_not_read_when_its_block_is_damaged() {
    let (inner, _) = recording(20);
    let mut request = Request::new("GET", "/inner");
    request.body = Body::from(Bytes::from(inner));
    let mut writer = RecordingWriter::new(Vec::new(), small_blocks(), &metadata()).unwrap();
    writer.push(&enclosed(1, request), &[]).unwrap();
    writer.push(&envelope(2), &[]).unwrap();
    let mut bytes = writer.end().unwrap();
    let ends = ends(&bytes);
    bytes[ends[2].0 - 1] ^= 1;
    let (read, errors, _) = read(&bytes);
    assert_eq!(read, envelopes([2]), "{errors:?}");
}

#[test]
fn other_files_and_later_versions_are_told_apart() {
    let mut later = file_head();
    later[8] = 9;
    let checksum = xxhash_rust::xxh3::xxh3_64(&later[..12]).to_le_bytes();
    later[12..].copy_from_slice(&checksum[..4]);
    let mut damaged = file_head();
    damaged[9] = 1;
    let cases: [(&[u8], &str); 5] = [
        (b"", "nothing was written"),
        (b"\xd4\xc3\xb2\xa1 a pcap file", "not a recording"),
        (&damaged, "not a recording"),
        (&file_head()[..12], "nothing was written"),
        (&later, "has version 9"),
    ];
    for (bytes, expect) in cases {
        let mut reader = RecordingReader::new(bytes, None).unwrap();
        let error = reader.next().unwrap().unwrap_err();
        assert!(error.to_string().contains(expect), "{error}");
        assert!(reader.next().is_none());
    }
}

fn block(kind: u8, coding: u8, plain: u32, exchanges: u32, payload: &[u8]) -> Vec<u8> {
    let head = BlockHead {
        kind: BlockKind::Unknown(kind),
        coding: BlockCoding::Unknown(coding),
        length: payload.len() as u32,
        plain,
        exchanges,
        number: 0,
        from: Timestamp(0),
        to: Timestamp(0),
        checksum: xxhash_rust::xxh3::xxh3_64(payload),
    };
    [&head.encode()[..], payload].concat()
}

#[test]
fn bytes_that_are_no_exchanges_are_an_error_with_their_place() {
    let good = {
        let (bytes, ends) = recording(1);
        bytes[ends[1].0..ends[2].0].to_vec()
    };
    let cases = [
        // A length beyond the block, and one within it with nothing of an envelope.
        (block(2, 0, 4, 3, &[9, 0, 0, 0]), "not made of exchanges"),
        (block(2, 0, 4, 3, &[0; 4]), "not made of exchanges"),
        (block(2, 0, 3, 3, &[0; 3]), "not made of exchanges"),
        (
            block(2, 0, 9, 3, &[5, 0, 0, 0, 1, 9, 0, 0, 0]),
            "not made of exchanges",
        ),
        (
            block(2, 0, 10, 3, &[6, 0, 0, 0, 1, 1, 0, 0, 0, 99]),
            "version 99",
        ),
        (block(2, 0, 9, 3, &[5, 0, 0, 0, 1, 0, 0, 0, 0]), "damaged"),
        (block(2, 0, 9, 3, b"x"), "not as long"),
        (block(2, 1, 9, 3, b"no zstd frame"), "decompressed"),
        (block(2, 7, 1, 3, b"x"), "later release"),
        (block(2, 2, 1, 3, b"x"), "encrypted"),
        (block(2, 0, u32::MAX, 3, b"x"), "at most"),
    ];
    for (bad, expect) in cases {
        let bytes = [&file_head()[..], &bad, &good].concat();
        let (read, errors, tail) = read(&bytes);
        assert_eq!(read, envelopes([0]), "{expect}");
        let [error] = &errors[..] else {
            panic!("{expect}: {errors:?}");
        };
        let text = error.to_string();
        assert!(text.contains(expect) && text.contains("byte 16"), "{text}");
        assert_eq!(tail, Some(Tail::Open));
    }
}

#[test]
fn blocks_of_a_later_kind_are_skipped() {
    let (bytes, ends) = recording(3);
    let (head, rest) = bytes.split_at(ends[1].0);
    let bytes = [head, &block(77, 0, 5, 0, b"later"), rest].concat();
    let mut reader = RecordingReader::new(&bytes[..], None).unwrap();
    for number in 0..3 {
        assert_eq!(reader.next().unwrap().unwrap(), envelope(number).into());
    }
    assert!(reader.next().is_none());
    assert_eq!(reader.counts().skipped_blocks, 1);
}

/// Zeros that take a thousandth of their length: what the head says is the bound, and not what comes out.
#[test]
fn a_block_that_grows_beyond_what_it_says_is_refused() {
    for plain in [1000, 20 << 20] {
        let zeros = vec![0; 64 << 20];
        let payload = zstd::encode_all(&zeros[..], 1).unwrap();
        let bytes = [&file_head()[..], &block(2, 1, plain, 1, &payload)].concat();
        let (_, errors, _) = read(&bytes);
        assert!(
            matches!(errors[..], [RecordingError::Damaged { .. }]),
            "{errors:?}"
        );
    }
}

#[test]
fn a_lower_limit_is_kept_and_what_is_below_it_is_read() {
    let mut writer = RecordingWriter::new(Vec::new(), small_blocks(), &metadata()).unwrap();
    let mut large = Request::new("GET", "/large");
    large.body = Body::from(Bytes::from(vec![7; 100_000]));
    writer.push(&envelope(0), &[]).unwrap();
    writer.push(&enclosed(1, large), &[]).unwrap();
    writer.push(&envelope(2), &[]).unwrap();
    let bytes = writer.end().unwrap();
    let mut reader = RecordingReader::with_limit(&bytes[..], None, 50_000).unwrap();
    assert_eq!(reader.next().unwrap().unwrap(), envelope(0).into());
    let error = reader.next().unwrap().unwrap_err();
    assert!(matches!(error, RecordingError::TooLarge { .. }), "{error}");
    assert_eq!(reader.next().unwrap().unwrap(), envelope(2).into());
    assert!(reader.next().is_none());
}

#[test]
fn names_of_a_megabyte_are_recorded_whole_and_indexed_short() {
    let name = "n".repeat(1 << 20);
    let mut request = Request::new("GET", format!("/{name}?{name}"));
    request.headers = [(name.as_str(), name.as_str())].into_iter().collect();
    let long = enclosed(1, request);
    let mut writer = RecordingWriter::new(Vec::new(), small_blocks(), &metadata()).unwrap();
    writer.push(&long, &[]).unwrap();
    let bytes = writer.end().unwrap();
    assert_eq!(read(&bytes).0, [long]);
    let index = index_of(&bytes);
    let (route, count) = &index.blocks[0].routes[0];
    assert!(route.len() < 100 && route.ends_with("{…}"), "{route}");
    assert_eq!(*count, 1);
}

fn index_of(bytes: &[u8]) -> RecordingIndex {
    let mut reader = RecordingReader::new(Cursor::new(bytes), None).unwrap();
    RecordingIndex::read(&mut reader).unwrap()
}

#[test]
fn an_index_says_which_blocks_to_read() {
    let (bytes, _) = recording(60);
    let index = index_of(&bytes);
    assert!(index.blocks.len() > 4);
    let exchanges: u32 = index.blocks.iter().map(|block| block.exchanges).sum();
    assert_eq!(exchanges, 60);
    let mut reader = RecordingReader::new(Cursor::new(&bytes), None).unwrap();
    for block in &index.blocks {
        reader.seek(block.at).unwrap();
        let first = reader.next().unwrap().unwrap();
        assert_eq!(first.at(), block.from);
        let id = first.envelope.identity().candidates.ids[0].as_str();
        let fits = index.blocks.iter().filter(|block| block.may_have_id(id));
        assert!(block.may_have_id(id));
        assert!(fits.count() < 3, "an id is found without reading all");
        assert!(block.may_have_lane(first.envelope.lane().unwrap()));
        assert!(block.is_within(block.from, block.from));
        assert!(!block.is_within(
            block.to.after(std::time::Duration::from_nanos(1)),
            Timestamp(u64::MAX)
        ));
        assert!(block.may_have_route("GET /health"));
        assert!(block.may_have_route("GET /orders/{id}"));
        assert!(!block.may_have_route("POST /orders"));
    }
    assert!(!index.blocks[0].may_have_id("id-59"));
    assert!(!index.blocks[0].may_have_lane(LaneKey(9)));
}

#[test]
fn an_index_that_is_missing_or_torn_follows_from_the_exchanges() {
    let (bytes, ends) = recording(60);
    let whole = index_of(&bytes);
    // Without the end, without the index, and with a part of either.
    for cut in ends[ends.len() - 4].0..bytes.len() {
        assert_eq!(index_of(&bytes[..cut]), whole, "cut at {cut}");
    }
    for place in ends[ends.len() - 4].0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[place] ^= 4;
        assert_eq!(index_of(&damaged), whole, "byte {place}");
    }
}

#[test]
fn more_routes_than_a_block_tells_apart_are_one() {
    let options = WriterOptions::default();
    let mut writer = RecordingWriter::new(Vec::new(), options, &metadata()).unwrap();
    let targets = (0..300).map(|number| format!("/route{number}x"));
    let ids = (0..40).map(|number| format!("/orders/{number}/2026-11-{:02}", number % 28 + 1));
    for (number, target) in ids.chain(targets).enumerate() {
        let request = Request::new("GET", target);
        writer.push(&enclosed(number as u64, request), &[]).unwrap();
    }
    let index = index_of(&writer.end().unwrap());
    let [block] = &index.blocks[..] else {
        panic!("one block: {}", index.blocks.len());
    };
    assert_eq!(block.routes[0], ("GET /orders/{id}/{date}".to_owned(), 40));
    assert_eq!(block.routes.last(), Some(&("(other)".to_owned(), 45)));
    assert_eq!(block.routes.len(), 257);
    assert!(block.may_have_route("GET /anything"));
}

#[test]
fn a_long_recording_has_an_index_of_several_parts() {
    let options = WriterOptions {
        block_bytes: 1,
        ..WriterOptions::default()
    };
    let mut writer = RecordingWriter::new(Vec::new(), options, &metadata()).unwrap();
    for number in 0..600 {
        writer.push(&envelope(number), &[]).unwrap();
    }
    let bytes = writer.end().unwrap();
    let index = index_of(&bytes);
    assert_eq!(index.blocks.len(), 600);
    assert!(index.blocks.is_sorted_by_key(|block| block.at));
    let mut reader = RecordingReader::new(Cursor::new(&bytes), None).unwrap();
    assert_eq!(RecordingIndex::rebuilt(&mut reader).unwrap(), index);
}

/// A sink that is full from the `n`th write on, for so many writes.
struct FullDisk {
    bytes: Vec<u8>,
    writes: usize,
    full: std::ops::Range<usize>,
}

impl Write for FullDisk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writes += 1;
        if self.full.contains(&(self.writes - 1)) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.bytes.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn what_a_full_disk_does_not_take_is_counted_and_the_rest_is_a_recording() {
    let sink = FullDisk {
        bytes: Vec::new(),
        writes: 0,
        full: 2..4,
    };
    let mut writer = RecordingWriter::new(sink, small_blocks(), &metadata()).unwrap();
    let mut lost = 0;
    for number in 0..60 {
        if let Err(failure) = writer.push(&envelope(number), &[]) {
            lost += u64::from(failure.exchanges);
        }
    }
    writer.flush().unwrap();
    assert!(lost > 0);
    assert_eq!(writer.exchanges() + lost, 60);
    let bytes = writer.end().unwrap().bytes;
    let (read, errors, tail) = read(&bytes);
    assert_eq!(read.len() as u64 + lost, 60);
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(tail, Some(Tail::Ended));
    let indexed: u32 = index_of(&bytes)
        .blocks
        .iter()
        .map(|block| block.exchanges)
        .sum();
    assert_eq!(indexed as usize, read.len());
}

/// Turns each byte over, and says so at the end.
struct Turned;

impl Seal for Turned {
    fn seal(&mut self, plain: &[u8]) -> io::Result<Vec<u8>> {
        let mut sealed: Vec<u8> = plain.iter().map(|byte| !byte).collect();
        sealed.extend(b"key");
        Ok(sealed)
    }
}

impl Unseal for Turned {
    fn unseal(&mut self, sealed: &[u8], _: usize) -> io::Result<Vec<u8>> {
        let plain = sealed.strip_suffix(b"key");
        let plain = plain.ok_or(io::ErrorKind::InvalidData)?;
        Ok(plain.iter().map(|byte| !byte).collect())
    }
}

#[test]
fn an_encrypted_recording_shows_its_metadata_and_its_ledger_and_nothing_else() {
    let options = WriterOptions {
        seal: Some(Box::new(Turned)),
        ..small_blocks()
    };
    let mut writer = RecordingWriter::new(Vec::new(), options, &metadata()).unwrap();
    for number in 0..20 {
        writer.push(&envelope(number), &[]).unwrap();
    }
    writer.write_ledger(&RecordingLedger::default()).unwrap();
    let bytes = writer.end().unwrap();
    let (with_key, errors, _) = read_with(&bytes, Some(Box::new(Turned)));
    assert_eq!(with_key, envelopes(0..20));
    assert!(errors.is_empty());
    let (without, errors, tail) = read(&bytes);
    assert!(without.is_empty());
    assert!(
        errors
            .iter()
            .all(|error| matches!(error, RecordingError::Encrypted { .. })),
        "{errors:?}"
    );
    assert_eq!(tail, Some(Tail::Ended));
    let mut reader = RecordingReader::new(Cursor::new(&bytes), None).unwrap();
    assert_eq!(reader.metadata().unwrap(), Some(&metadata()));
    while reader.next().is_some() {}
    assert_eq!(reader.ledger(), Some(&RecordingLedger::default()));
    assert!(matches!(
        RecordingIndex::read(&mut reader),
        Err(RecordingError::Encrypted { .. })
    ));
    let mut reader = RecordingReader::new(Cursor::new(&bytes), Some(Box::new(Turned))).unwrap();
    assert!(RecordingIndex::read(&mut reader).unwrap().blocks[0].may_have_id("id-0"));
    let haystack = String::from_utf8_lossy(&bytes).into_owned();
    assert!(haystack.contains("MREC") && !haystack.contains("/orders"));
}
