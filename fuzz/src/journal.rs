//! What a run keeps on disk.

use mirror_core::journal::{Batch, Frame, FrameKind, Journal};
use mirror_core::time::Timestamp;

use crate::input::Input;

const KINDS: [FrameKind; 4] = [
    FrameKind::Changes,
    FrameKind::Whole,
    FrameKind::End,
    FrameKind::Answers,
];

/// Any bytes can be read, and what is read of them is what their whole frames say. Frames with right checksums are made of the rest, of which
/// some hold records and others any bytes; a file of them that is cut anywhere, or has a byte changed, is as some frame before that left it.
pub fn journal(bytes: &[u8]) {
    let read = Journal::read(bytes);
    assert!(read.whole <= bytes.len());
    assert_eq!(Journal::read(&bytes[..read.whole]), read);
    let mut input = Input::new(bytes);
    let (cut, changed) = (usize::from(input.word()), usize::from(input.word()));
    let mut file = Vec::new();
    let mut states = vec![Journal::default()];
    while !input.is_empty() && states.len() < 20 {
        file.extend(frame(&mut input));
        states.push(Journal::read(&file));
    }
    let cut = cut % (file.len() + 1);
    assert!(
        states.contains(&Journal::read(&file[..cut])),
        "cut at {cut}"
    );
    if let Some(byte) = file.get_mut(changed) {
        *byte ^= 1;
        let damaged = Journal::read(&file);
        assert!(damaged.whole <= changed && states.contains(&damaged));
    }
}

fn frame(input: &mut Input<'_>) -> Vec<u8> {
    let kind = input.pick(&KINDS);
    let payload = match input.byte() % 2 {
        0 => {
            let mut batch = Batch::default();
            for _ in 0..input.below(4) {
                let key = String::from_utf8_lossy(input.piece()).into_owned();
                batch.put(&key, input.piece());
            }
            batch.encode().expect("records can be written")
        }
        _ => input.piece().to_vec(),
    };
    let frame = Frame {
        kind,
        number: u64::from(input.word()),
        at: Timestamp(u64::from(input.word())),
        payload: &payload,
    };
    frame.encode()
}
