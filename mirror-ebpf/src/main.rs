//! TC classifiers that copy TCP segments of chosen ports into a ring buffer.
//!
//! They read and nothing else: every path returns "next", no packet is changed, dropped or linearised.
//! The tests stand in the order of their price: ethertype, TCP, port, payload.

#![no_std]
#![no_main]

mod frame;

use aya_ebpf::{
    bindings::{BPF_RB_AVAIL_DATA, BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP},
    helpers::{bpf_ktime_get_ns, generated::bpf_skb_load_bytes},
    macros::{classifier, map},
    maps::{Array, PerCpuArray, RingBuf},
    programs::TcContext,
};
use mirror_common::{
    CLASSES, COUNTERS, Counter, HEAD_AREA, LARGEST_CLASS, MOST_RECORDS, RecordHeader, WAKE_AT,
};

use frame::Frame;

/// TC_ACT_UNSPEC, which is TCX_NEXT too: go on as if this program were not here.
const NEXT: i32 = -1;

/// The agent sets the size.
#[map]
static RECORDS: RingBuf = RingBuf::with_byte_size(4096, 0);

/// One entry a port: 1 where it is captured. An array, because its look-up is inlined.
#[map]
static PORTS: Array<u8> = Array::with_max_entries(65_536, 0);

#[map]
static COUNTS: PerCpuArray<u64> = PerCpuArray::with_max_entries(COUNTERS.len() as u32, 0);

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[classifier]
pub fn mirror_ingress(ctx: TcContext) -> i32 {
    capture(&ctx, 0);
    NEXT
}

#[classifier]
pub fn mirror_egress(ctx: TcContext) -> i32 {
    capture(&ctx, 1);
    NEXT
}

#[inline(always)]
fn capture(ctx: &TcContext, direction: u32) {
    count(Counter::Seen);
    let frame = match Frame::read(ctx) {
        Ok(frame) => frame,
        Err(reason) => return count(reason),
    };
    if !captured(frame.source) && !captured(frame.destination) {
        return count(Counter::OtherPort);
    }
    if frame.end <= frame.payload_at && !frame.opens_or_closes() {
        return count(Counter::NoPayload);
    }
    #[cfg(feature = "log")]
    aya_log_ebpf::debug!(ctx, "{} -> {}: {} bytes", frame.source, frame.destination, frame.end);
    copy(ctx, &frame, direction);
}

#[inline(always)]
fn captured(port: u16) -> bool {
    PORTS.get(u32::from(port)).is_some_and(|on| *on != 0)
}

#[inline(always)]
fn copy(ctx: &TcContext, frame: &Frame, direction: u32) {
    let mut header = RecordHeader {
        // SAFETY: the helper takes no arguments and only reads the clock.
        at: unsafe { bpf_ktime_get_ns() },
        // SAFETY: the context's skb is valid for the program's run.
        ifindex: unsafe { (*ctx.skb.skb).ifindex },
        wire_len: frame.end,
        skip: 0,
        len: frame.end,
        head: 0,
        direction,
    };
    if frame.end <= CLASSES[0] {
        put::<256>(ctx, &header, 0);
    } else if frame.end <= CLASSES[1] {
        put::<2048>(ctx, &header, 0);
    } else if frame.end <= CLASSES[2] {
        put::<16_384>(ctx, &header, 0);
    } else if frame.end <= LARGEST_CLASS {
        put::<65_536>(ctx, &header, 0);
    } else {
        header.len = LARGEST_CLASS;
        put::<65_536>(ctx, &header, 0);
        continue_copy(ctx, frame, header);
    }
    count(Counter::Copied);
}

/// The rest of a frame that is larger than the largest class.
#[inline(always)]
fn continue_copy(ctx: &TcContext, frame: &Frame, mut header: RecordHeader) {
    let mut from = LARGEST_CLASS;
    for _ in 1..MOST_RECORDS {
        if from >= frame.end {
            return;
        }
        header.head = frame.payload_at;
        header.skip = from - frame.payload_at;
        header.len = (frame.end - from).min(LARGEST_CLASS);
        put_continuation(ctx, &header, from);
        from += LARGEST_CLASS;
    }
    if from < frame.end {
        count(Counter::Truncated);
    }
}

#[repr(C)]
struct Record<const N: usize> {
    header: RecordHeader,
    bytes: [u8; N],
}

#[repr(C)]
struct Continuation {
    header: RecordHeader,
    head: [u8; HEAD_AREA],
    bytes: [u8; LARGEST_CLASS as usize],
}

#[inline(always)]
fn put<const N: usize>(ctx: &TcContext, header: &RecordHeader, from: u32) {
    let Some(mut entry) = RECORDS.reserve::<Record<N>>(0) else {
        return count(Counter::RingFull);
    };
    let record = entry.as_mut_ptr();
    // SAFETY: the reservation is as large as the record.
    let loaded = unsafe {
        (&raw mut (*record).header).write(*header);
        load::<N>(ctx, from, (&raw mut (*record).bytes).cast(), header.len)
    };
    if loaded {
        entry.submit(wake_up());
    } else {
        entry.discard(BPF_RB_NO_WAKEUP.into());
        count(Counter::LoadError);
    }
}

#[inline(always)]
fn put_continuation(ctx: &TcContext, header: &RecordHeader, from: u32) {
    let Some(mut entry) = RECORDS.reserve::<Continuation>(0) else {
        return count(Counter::RingFull);
    };
    let record = entry.as_mut_ptr();
    // SAFETY: the reservation is as large as the record.
    let loaded = unsafe {
        (&raw mut (*record).header).write(*header);
        load::<HEAD_AREA>(ctx, 0, (&raw mut (*record).head).cast(), header.head)
            && load::<{ LARGEST_CLASS as usize }>(
                ctx,
                from,
                (&raw mut (*record).bytes).cast(),
                header.len,
            )
    };
    if loaded {
        entry.submit(wake_up());
    } else {
        entry.discard(BPF_RB_NO_WAKEUP.into());
        count(Counter::LoadError);
    }
}

/// Copies `len` bytes of the packet, 1 to `N` of them, to a place of `N` bytes. `N` is a power of two.
///
/// # Safety
/// `to` must be valid for `N` bytes.
#[inline(always)]
unsafe fn load<const N: usize>(ctx: &TcContext, from: u32, to: *mut u8, len: u32) -> bool {
    // The verifier must see the bound at the call, and the compiler, which knows it already,
    // must not take the mask away as superfluous.
    let len = (core::hint::black_box(len).wrapping_sub(1) & (N as u32 - 1)) + 1;
    // SAFETY: the caller's promise, and `len` is in 1..=N.
    unsafe { bpf_skb_load_bytes(ctx.skb.skb.cast(), from, to.cast(), len) == 0 }
}

/// A wake-up costs more than a copy, so only a ring that fills wakes its reader. Plain flags
/// (0) must never be mixed in: the reader would stall.
#[inline(always)]
fn wake_up() -> u64 {
    if RECORDS.query(BPF_RB_AVAIL_DATA.into()) >= WAKE_AT {
        BPF_RB_FORCE_WAKEUP.into()
    } else {
        BPF_RB_NO_WAKEUP.into()
    }
}

#[inline(always)]
fn count(counter: Counter) {
    if let Some(value) = COUNTS.get_ptr_mut(counter as u32) {
        // SAFETY: the slot is this CPU's own.
        unsafe { *value += 1 };
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
