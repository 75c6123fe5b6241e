//! Programs that copy TCP segments of chosen ports into ring buffers.
//!
//! They read and nothing else: every path returns "go on", no packet is changed, dropped or linearised.
//! Tests run in the order of their price: TCP, port, payload, address, sample.
//!
//! There is one pair for each place: TC on interfaces with Ethernet headers, TC on interfaces
//! without (tun, WireGuard), and `cgroup_skb`, which sees packets from their IP header on too.

#![no_std]
#![no_main]

mod frame;
mod record;
mod select;

use aya_ebpf::{
    EbpfContext,
    bindings::__sk_buff,
    macros::{cgroup_skb, classifier, map},
    maps::PerCpuArray,
    programs::{SkBuffContext, TcContext},
};
use mirror_common::{Counter, CounterSlot, LINK_ETHERNET, LINK_IP, SLOTS};

use frame::Frame;
use select::ServerEnd;

/// TC_ACT_UNSPEC, which is TCX_NEXT too: go on as if this program were not here.
const NEXT: i32 = -1;
/// The verdict of a `cgroup_skb` program that lets a packet pass.
const PASS: i32 = 1;

const INGRESS: u8 = 0;
const EGRESS: u8 = 1;

#[map]
static COUNTS: PerCpuArray<CounterSlot> = PerCpuArray::with_max_entries(SLOTS, 0);

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[classifier]
pub fn mirror_ingress(ctx: TcContext) -> i32 {
    capture::<LINK_ETHERNET>(ctx.skb.skb, INGRESS, ServerEnd::Either);
    NEXT
}

#[classifier]
pub fn mirror_egress(ctx: TcContext) -> i32 {
    capture::<LINK_ETHERNET>(ctx.skb.skb, EGRESS, ServerEnd::Either);
    NEXT
}

#[classifier]
pub fn mirror_ip_in(ctx: TcContext) -> i32 {
    capture::<LINK_IP>(ctx.skb.skb, INGRESS, ServerEnd::Either);
    NEXT
}

#[classifier]
pub fn mirror_ip_out(ctx: TcContext) -> i32 {
    capture::<LINK_IP>(ctx.skb.skb, EGRESS, ServerEnd::Either);
    NEXT
}

/// A packet between two cgroups of this host passes both: it is taken at its server's.
#[cgroup_skb]
pub fn mirror_cg_in(ctx: SkBuffContext) -> i32 {
    capture::<LINK_IP>(ctx.as_ptr().cast(), INGRESS, ServerEnd::Destination);
    PASS
}

#[cgroup_skb]
pub fn mirror_cg_out(ctx: SkBuffContext) -> i32 {
    capture::<LINK_IP>(ctx.as_ptr().cast(), EGRESS, ServerEnd::Source);
    PASS
}

#[inline(always)]
fn capture<const LINK: u8>(skb: *mut __sk_buff, direction: u8, server: ServerEnd) {
    // SAFETY: the context is valid for the program's run.
    let ifindex = unsafe { (*skb).ifindex };
    let Some(counts) = COUNTS.get_ptr_mut(ifindex % SLOTS) else {
        return;
    };
    count(counts, Counter::Seen);
    let outcome = match select::<LINK>(skb, server) {
        Ok((frame, ring)) => record::copy::<LINK>(skb, &frame, ring, direction, counts),
        Err(reason) => reason,
    };
    count(counts, outcome);
}

/// The frame and the ring it goes to, or why it goes to none.
#[inline(always)]
fn select<const LINK: u8>(skb: *mut __sk_buff, server: ServerEnd) -> Result<(Frame, u32), Counter> {
    let frame = Frame::read::<LINK>(skb)?;
    select::port(&frame, server)?;
    if frame.end <= frame.payload_at && !frame.opens_or_closes() {
        return Err(Counter::NoPayload);
    }
    let ring = select::ring(&frame)?;
    #[cfg(feature = "log")]
    aya_log_ebpf::debug!(
        &SkBuffContext::new(skb),
        "{} -> {}: {} bytes",
        frame.source_port,
        frame.destination_port,
        frame.end
    );
    Ok((frame, ring))
}

#[inline(always)]
fn count(counts: *mut CounterSlot, counter: Counter) {
    // SAFETY: the slot is this CPU's own, and has a place for every counter.
    unsafe { *counts.cast::<u64>().add(counter as usize) += 1 };
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
