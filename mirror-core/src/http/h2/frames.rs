//! Whether bytes are a row of HTTP/2 frames, for connections whose preface was not seen.

/// A connection speaks HTTP/2 when so many frames follow one another on its two sides. The first nine bytes of a packet
/// look like a frame by chance once in some ten million; that the next frame begins where this one ends is the proof.
pub const ENOUGH_FRAMES: u32 = 3;

const HEADER_LEN: usize = 9;
/// The usual limit is 2¹⁴; few programs allow more than this.
const MAX_PAYLOAD: u32 = 1 << 20;

/// Walks over one side's bytes from frame to frame. What does not fit ends the row; a new one may begin with the next
/// packet.
#[derive(Debug, Default)]
pub struct FrameWalk {
    header: [u8; HEADER_LEN],
    /// Bytes of the header that are there.
    header_len: u8,
    /// Bytes of the frame that are still to come.
    left: u32,
    /// Frames in a row.
    frames: u32,
    in_step: bool,
}

impl FrameWalk {
    /// Frames in a row until now.
    pub fn frames(&self) -> u32 {
        self.frames
    }

    /// The next packet's bytes.
    pub fn data(&mut self, mut bytes: &[u8]) {
        if !self.in_step {
            *self = Self {
                in_step: true,
                ..Self::default()
            };
        }
        loop {
            let skipped = bytes.len().min(self.left as usize);
            self.left -= skipped as u32;
            bytes = &bytes[skipped..];
            let Some((byte, rest)) = bytes.split_first() else {
                return;
            };
            self.header[usize::from(self.header_len)] = *byte;
            self.header_len += 1;
            bytes = rest;
            if usize::from(self.header_len) == HEADER_LEN {
                self.header_len = 0;
                let Some(length) = payload_len(&self.header) else {
                    *self = Self::default();
                    return;
                };
                self.frames += 1;
                self.left = length;
            }
        }
    }

    /// Bytes that were lost.
    pub fn gap(&mut self, len: u64) {
        let in_payload = self.in_step && self.header_len == 0 && len > 0;
        match u32::try_from(len) {
            Ok(len) if in_payload && len <= self.left => self.left -= len,
            _ => *self = Self::default(),
        }
    }
}

/// Of a frame with this header, if there can be such a frame (RFC 9113 §6).
fn payload_len(header: &[u8; HEADER_LEN]) -> Option<u32> {
    let [high, middle, low, kind, flags, stream @ ..] = *header;
    let length = u32::from_be_bytes([0, high, middle, low]);
    let stream = u32::from_be_bytes(stream);
    let on_stream = stream != 0;
    let fits = match kind {
        // DATA, HEADERS, PRIORITY, RST_STREAM
        0 => on_stream && flags & !0x09 == 0,
        1 => on_stream && flags & !0x2d == 0 && length > 0,
        2 => on_stream && length == 5,
        3 => on_stream && length == 4 && flags == 0,
        // SETTINGS
        4 => !on_stream && (flags == 0 && length.is_multiple_of(6) || flags == 1 && length == 0),
        // PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION
        5 => on_stream && flags & !0x0c == 0 && length >= 4,
        6 => !on_stream && flags & !1 == 0 && length == 8,
        7 => !on_stream && flags == 0 && length >= 8,
        8 => length == 4 && flags == 0,
        9 => on_stream && flags & !4 == 0,
        // PRIORITY_UPDATE (RFC 9218)
        16 => !on_stream && flags == 0 && length >= 4,
        _ => false,
    };
    // The reserved bit of the stream is never set.
    (fits && length <= MAX_PAYLOAD && stream >> 31 == 0).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let length = (payload.len() as u32).to_be_bytes();
        let header = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
        [&header[..], payload].concat()
    }

    /// Frames found in packets.
    fn walk(packets: &[&[u8]]) -> u32 {
        let mut walk = FrameWalk::default();
        packets.iter().for_each(|packet| walk.data(packet));
        walk.frames()
    }

    #[test]
    fn every_frame_is_one_and_its_neighbours_are_none() {
        let good = [
            (0, 0x09, 1, 3),
            (1, 0x2d, 1, 3),
            (2, 0xff, 3, 5),
            (3, 0, 1, 4),
            (4, 0, 0, 12),
            (4, 1, 0, 0),
            (5, 0x0c, 1, 4),
            (6, 1, 0, 8),
            (7, 0, 0, 8),
            (8, 0, 0, 4),
            (8, 0, 5, 4),
            (9, 4, 1, 0),
            (16, 0, 0, 5),
        ];
        let bad = [
            (0, 0x02, 1, 3),
            (0, 0, 0, 3),
            (0, 0, 1 << 31, 3),
            (1, 0x40, 1, 3),
            (1, 0x2d, 0, 3),
            (1, 0x2d, 1, 0),
            (2, 0, 0, 5),
            (2, 0, 3, 4),
            (3, 0, 0, 4),
            (3, 0, 1, 5),
            (3, 1, 1, 4),
            (4, 0, 1, 6),
            (4, 0, 0, 7),
            (4, 1, 0, 6),
            (4, 2, 0, 0),
            (5, 0x0c, 0, 4),
            (5, 0x10, 1, 4),
            (5, 0, 1, 3),
            (6, 0, 1, 8),
            (6, 2, 0, 8),
            (6, 0, 0, 9),
            (7, 0, 1, 8),
            (7, 1, 0, 8),
            (7, 0, 0, 7),
            (8, 1, 0, 4),
            (8, 0, 0, 5),
            (9, 4, 0, 1),
            (9, 1, 1, 1),
            (10, 0, 1, 4),
            (16, 0, 1, 5),
            (16, 1, 0, 5),
            (16, 0, 0, 3),
        ];
        for (count, cases) in [(1, &good[..]), (0, &bad[..])] {
            for &(kind, flags, stream, length) in cases {
                let bytes = frame(kind, flags, stream, &vec![0xff; length]);
                assert_eq!(walk(&[&bytes]), count, "{kind} {flags:x} {stream} {length}");
            }
        }
        assert_eq!(walk(&[b"\x10\0\0\0\0\0\0\0\x01"]), 1);
        assert_eq!(walk(&[b"\x10\0\x01\0\0\0\0\0\x01"]), 0);
    }

    #[test]
    fn frames_are_counted_over_packets_split_anywhere() {
        let row = [
            frame(4, 1, 0, b""),
            frame(1, 4, 1, b"\x82\x86"),
            frame(0, 1, 1, b"some data"),
        ]
        .concat();
        for at in 0..=row.len() {
            let (left, right) = row.split_at(at);
            assert_eq!(walk(&[left, right]), 3, "at {at}");
        }
    }

    #[test]
    fn a_row_ends_where_the_next_frame_does_not_begin() {
        let settings = frame(4, 1, 0, b"");
        assert_eq!(walk(&[&settings, b"not a frame"]), 0);
        assert_eq!(walk(&[&settings, b"not a frame", &settings]), 1);
        // Numbers of four bytes with their length before them.
        let numbers = [0, 0, 0, 4, 1, 0, 0, 0].repeat(8);
        assert!(walk(&[&numbers]) < ENOUGH_FRAMES);
        assert_eq!(walk(&[&[0; 100]]), 0);
    }

    #[test]
    fn a_gap_inside_a_payload_is_walked_over() {
        let data = frame(0, 0, 1, &[7; 100]);
        let settings = frame(4, 1, 0, b"");
        let check = |gap: u64, seen: usize, expect: u32| {
            let mut walk = FrameWalk::default();
            walk.data(&data[..seen]);
            walk.gap(gap);
            walk.data(&settings);
            assert_eq!(walk.frames(), expect, "{gap} after {seen}");
        };
        check(9, 100, 2);
        check(10, 100, 1);
        check(0, 109, 1);
        check(4, 5, 1);
    }
}
