//! Copies a frame into a ring, as one record or, when it is larger than one, as several.

use aya_ebpf::{
    bindings::{__sk_buff, BPF_RB_AVAIL_DATA, BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP},
    helpers::{bpf_ktime_get_ns, generated::bpf_skb_load_bytes},
    macros::map,
    maps::RingBuf,
};
use mirror_common::{
    CLASSES, Counter, CounterSlot, HEAD_AREA, LARGEST_CLASS, MAX_RECORDS, RECORD_VERSION,
    RecordHeader, RecordKind,
};

use crate::{count, frame::Frame, select};

/// The agent sets the sizes; those that it does not use stay at one page.
#[map]
static RECORDS_0: RingBuf = RingBuf::with_byte_size(4096, 0);
#[map]
static RECORDS_1: RingBuf = RingBuf::with_byte_size(4096, 0);
#[map]
static RECORDS_2: RingBuf = RingBuf::with_byte_size(4096, 0);
#[map]
static RECORDS_3: RingBuf = RingBuf::with_byte_size(4096, 0);

#[repr(C)]
struct FrameRecord<const N: usize> {
    header: RecordHeader,
    bytes: [u8; N],
}

#[repr(C)]
struct Continuation {
    header: RecordHeader,
    head: [u8; HEAD_AREA],
    bytes: [u8; LARGEST_CLASS as usize],
}

/// `Copied`, or what kept a part of the frame from being copied.
#[inline(always)]
pub fn copy<const LINK: u8>(
    skb: *mut __sk_buff,
    frame: &Frame,
    ring: u32,
    direction: u8,
    counts: *mut CounterSlot,
) -> Counter {
    let ring = match ring {
        0 => &RECORDS_0,
        1 => &RECORDS_1,
        2 => &RECORDS_2,
        _ => &RECORDS_3,
    };
    // SAFETY: the helper only reads the clock, and the context is valid for the program's run.
    let (at, ifindex) = unsafe { (bpf_ktime_get_ns(), (*skb).ifindex) };
    let mut header = RecordHeader {
        version: RECORD_VERSION,
        kind: RecordKind::Frame as u8,
        direction,
        link: LINK,
        ifindex,
        at,
        wire_len: frame.end,
        skip: 0,
        len: frame.end.min(LARGEST_CLASS),
        head: 0,
    };
    let done = if frame.end <= CLASSES[0] {
        put::<256>(skb, ring, &header)
    } else if frame.end <= CLASSES[1] {
        put::<512>(skb, ring, &header)
    } else if frame.end <= CLASSES[2] {
        put::<1024>(skb, ring, &header)
    } else if frame.end <= CLASSES[3] {
        put::<2048>(skb, ring, &header)
    } else if frame.end <= CLASSES[4] {
        put::<16_384>(skb, ring, &header)
    } else {
        put::<65_536>(skb, ring, &header)
    };
    if let Err(reason) = done {
        if begins_request(skb, frame) {
            count(counts, Counter::LostRequests);
        }
        return reason;
    }
    if frame.end > LARGEST_CLASS
        && let Err(reason) = copy_rest(skb, frame, ring, &mut header)
    {
        return reason;
    }
    Counter::Copied
}

/// The part of a frame beyond the largest class.
#[inline(always)]
fn copy_rest(
    skb: *mut __sk_buff,
    frame: &Frame,
    ring: &RingBuf,
    header: &mut RecordHeader,
) -> Result<(), Counter> {
    let mut from = LARGEST_CLASS;
    for _ in 1..MAX_RECORDS {
        if from >= frame.end {
            return Ok(());
        }
        header.head = frame.payload_at;
        header.skip = from.wrapping_sub(frame.payload_at);
        header.len = (frame.end - from).min(LARGEST_CLASS);
        put_continuation(skb, ring, header, from)?;
        from += LARGEST_CLASS;
    }
    if from < frame.end {
        return Err(Counter::Truncated);
    }
    Ok(())
}

#[inline(always)]
fn put<const N: usize>(
    skb: *mut __sk_buff,
    ring: &RingBuf,
    header: &RecordHeader,
) -> Result<(), Counter> {
    let mut entry = ring.reserve::<FrameRecord<N>>(0).ok_or(Counter::RingFull)?;
    let record = entry.as_mut_ptr();
    // SAFETY: the reservation is as large as the record.
    let loaded = unsafe {
        (&raw mut (*record).header).write(*header);
        load::<N>(skb, 0, (&raw mut (*record).bytes).cast(), header.len)
    };
    if !loaded {
        entry.discard(BPF_RB_NO_WAKEUP.into());
        return Err(Counter::LoadError);
    }
    entry.submit(wake_up(ring, size_of::<FrameRecord<N>>()));
    Ok(())
}

#[inline(always)]
fn put_continuation(
    skb: *mut __sk_buff,
    ring: &RingBuf,
    header: &RecordHeader,
    from: u32,
) -> Result<(), Counter> {
    let mut entry = ring.reserve::<Continuation>(0).ok_or(Counter::RingFull)?;
    let record = entry.as_mut_ptr();
    // SAFETY: the reservation is as large as the record.
    let loaded = unsafe {
        (&raw mut (*record).header).write(*header);
        load::<HEAD_AREA>(skb, 0, (&raw mut (*record).head).cast(), header.head)
            && load::<{ LARGEST_CLASS as usize }>(
                skb,
                from,
                (&raw mut (*record).bytes).cast(),
                header.len,
            )
    };
    if !loaded {
        entry.discard(BPF_RB_NO_WAKEUP.into());
        return Err(Counter::LoadError);
    }
    entry.submit(wake_up(ring, size_of::<Continuation>()));
    Ok(())
}

/// Copies `len` bytes of the packet, 1 to `N` of them, to a place of `N` bytes. `N` is a power of two.
///
/// # Safety
/// `to` must be valid for `N` bytes.
#[inline(always)]
unsafe fn load<const N: usize>(skb: *mut __sk_buff, from: u32, to: *mut u8, len: u32) -> bool {
    // The verifier must see the bound at the call, and the compiler, which knows it already,
    // must not take the mask away as superfluous.
    let len = (core::hint::black_box(len).wrapping_sub(1) & (N as u32 - 1)) + 1;
    // SAFETY: the caller's promise, and `len` is in 1..=N.
    unsafe { bpf_skb_load_bytes(skb.cast(), from, to.cast(), len) == 0 }
}

/// A wake-up costs far more than a copy, so the reader is woken only each time that the ring has
/// filled by another `wake_at` bytes; below, its timer is soon enough. Plain flags (0) must never be mixed in: the
/// reader would stall.
#[inline(always)]
fn wake_up(ring: &RingBuf, added: usize) -> u64 {
    let filled = ring.query(BPF_RB_AVAIL_DATA.into());
    let step = select::wake_at();
    if filled >= step && filled & step.wrapping_sub(1) < added as u64 {
        BPF_RB_FORCE_WAKEUP.into()
    } else {
        BPF_RB_NO_WAKEUP.into()
    }
}

/// Whether the payload goes to a captured port and begins with a method of RFC 9110 or PATCH. Asked only for
/// packets that are lost, so that lost requests are a number.
#[inline(always)]
fn begins_request(skb: *mut __sk_buff, frame: &Frame) -> bool {
    if frame.end < frame.payload_at + 4 || !select::captured(frame.destination_port) {
        return false;
    }
    let mut start = [0_u8; 4];
    // SAFETY: four bytes go to a place of four.
    let loaded = unsafe {
        bpf_skb_load_bytes(skb.cast(), frame.payload_at, start.as_mut_ptr().cast(), 4) == 0
    };
    const METHODS: [u32; 9] = [
        u32::from_be_bytes(*b"GET "),
        u32::from_be_bytes(*b"HEAD"),
        u32::from_be_bytes(*b"POST"),
        u32::from_be_bytes(*b"PUT "),
        u32::from_be_bytes(*b"DELE"),
        u32::from_be_bytes(*b"CONN"),
        u32::from_be_bytes(*b"OPTI"),
        u32::from_be_bytes(*b"TRAC"),
        u32::from_be_bytes(*b"PATC"),
    ];
    let start = u32::from_be_bytes(start);
    loaded && METHODS.iter().any(|method| *method == start)
}
