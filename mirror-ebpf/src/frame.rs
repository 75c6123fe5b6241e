//! Where in a packet its TCP payload is: Ethernet with up to two VLAN tags, or none of it; IPv4 with
//! options or IPv6 with extension headers; TCP.
//!
//! Headers of unusual frames are read through the helper, which finds them in non-linear packets too.

use aya_ebpf::{
    bindings::__sk_buff, helpers::generated::bpf_skb_load_bytes, macros::map, maps::PerCpuArray,
};
use mirror_common::{Counter, LINK_ETHERNET, mapped};

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const VLAN: u16 = 0x8100;
const QINQ: u16 = 0x88a8;

const HOP_BY_HOP: u8 = 0;
const TCP: u8 = 6;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;
/// Extension headers that are followed, one to the next.
const MAX_EXTENSIONS: usize = 6;

const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;

#[map]
static SCRATCH: PerCpuArray<Frame> = PerCpuArray::with_max_entries(1, 0);

pub struct Frame {
    /// IPv4 as mapped.
    pub source: [u8; 16],
    pub destination: [u8; 16],
    pub source_port: u16,
    pub destination_port: u16,
    pub flags: u8,
    /// Offset of the first payload byte.
    pub payload_at: u32,
    /// Offset after the last payload byte, by the IP header: Ethernet's padding comes after it.
    pub end: u32,
}

impl Frame {
    #[inline(always)]
    pub fn read<const LINK: u8>(skb: *mut __sk_buff) -> Result<Self, Counter> {
        // Two ways of finding a frame are two ways through all that follows, which doubles what older
        // verifiers must go through: only the busiest link has them.
        if LINK == LINK_ETHERNET
            && let Some(usual) = usual(skb)
        {
            return usual;
        }
        // The verifier forgets what it knew of a value that goes through a map: it follows the code
        // after this once, and not once for each path that led to a frame.
        let scratch = SCRATCH.get_ptr_mut(0).ok_or(Counter::NotParsable)?;
        // SAFETY: the slot is this CPU's own, and no other program runs on it meanwhile.
        unsafe {
            any::<LINK>(skb, &mut *scratch)?;
            Ok(scratch.read_volatile())
        }
    }

    #[inline(always)]
    pub fn opens_or_closes(&self) -> bool {
        self.flags & (SYN | FIN | RST) != 0
    }
}

/// The shape that nearly all frames have, read without a call: IPv4 without options, whole, in the
/// packet's linear part. None for any other.
#[inline(always)]
fn usual(skb: *mut __sk_buff) -> Option<Result<Frame, Counter>> {
    const IP_AT: usize = 14;
    // SAFETY: the context is valid for the program's run.
    let (data, data_end) = unsafe { ((*skb).data as usize, (*skb).data_end as usize) };
    if data + IP_AT + 40 > data_end {
        return None;
    }
    // SAFETY: all offsets are below the bound that was just checked.
    let at = |offset: usize| unsafe { *((data + IP_AT + offset) as *const u8) };
    // SAFETY: as above; the Ethernet header stands before the IP header.
    let ethertype = unsafe { *((data + 12) as *const [u8; 2]) };
    match u16::from_be_bytes(ethertype) {
        IPV4 => {}
        IPV6 | VLAN | QINQ => return None,
        _ => return Some(Err(Counter::NotTcp)),
    }
    if at(0) != 0x45 || (at(6) & 0x3f) | at(7) != 0 {
        return None;
    }
    if at(9) != TCP {
        return Some(Err(Counter::NotTcp));
    }
    let header = u32::from(at(32) >> 4) * 4;
    if header < 20 {
        return Some(Err(Counter::NotParsable));
    }
    let total = u32::from(u16::from_be_bytes([at(2), at(3)]));
    Some(Ok(Frame {
        source: mapped([at(12), at(13), at(14), at(15)]),
        destination: mapped([at(16), at(17), at(18), at(19)]),
        source_port: u16::from_be_bytes([at(20), at(21)]),
        destination_port: u16::from_be_bytes([at(22), at(23)]),
        flags: at(33),
        payload_at: IP_AT as u32 + 20 + header,
        end: end(skb, IP_AT as u32, total),
    }))
}

/// Any shape, by the helper.
#[inline(always)]
fn any<const LINK: u8>(skb: *mut __sk_buff, frame: &mut Frame) -> Result<(), Counter> {
    let tcp_at = if LINK == LINK_ETHERNET {
        ethernet(skb, frame)?
    } else {
        let [first] = load::<1>(skb, 0)?;
        match first >> 4 {
            4 => ipv4(skb, 0, frame)?,
            6 => ipv6(skb, 0, frame)?,
            _ => return Err(Counter::NotTcp),
        }
    };
    let tcp = load::<14>(skb, tcp_at)?;
    let header = u32::from(tcp[12] >> 4) * 4;
    if header < 20 {
        return Err(Counter::NotParsable);
    }
    frame.source_port = u16::from_be_bytes([tcp[0], tcp[1]]);
    frame.destination_port = u16::from_be_bytes([tcp[2], tcp[3]]);
    frame.flags = tcp[13];
    frame.payload_at = tcp_at + header;
    Ok(())
}

/// Fills in what the IP header says, and gives the place of the TCP header.
#[inline(always)]
fn ethernet(skb: *mut __sk_buff, frame: &mut Frame) -> Result<u32, Counter> {
    let mut ethertype = ethertype_at(skb, 12)?;
    let mut at = 14;
    for _ in 0..2 {
        if ethertype == VLAN || ethertype == QINQ {
            ethertype = ethertype_at(skb, at + 2)?;
            at += 4;
        }
    }
    match ethertype {
        IPV4 => ipv4(skb, at, frame),
        IPV6 => ipv6(skb, at, frame),
        _ => Err(Counter::NotTcp),
    }
}

#[inline(always)]
fn ipv4(skb: *mut __sk_buff, at: u32, frame: &mut Frame) -> Result<u32, Counter> {
    let ip = load::<20>(skb, at)?;
    if ip[9] != TCP {
        return Err(Counter::NotTcp);
    }
    // More fragments, or an offset: only a whole datagram has a TCP header to be trusted.
    if u16::from_be_bytes([ip[6], ip[7]]) & 0x3fff != 0 {
        return Err(Counter::Fragment);
    }
    let header = u32::from(ip[0] & 0x0f) * 4;
    if header < 20 {
        return Err(Counter::NotParsable);
    }
    let total = u32::from(u16::from_be_bytes([ip[2], ip[3]]));
    frame.source = mapped([ip[12], ip[13], ip[14], ip[15]]);
    frame.destination = mapped([ip[16], ip[17], ip[18], ip[19]]);
    frame.end = end(skb, at, total);
    Ok(at + header)
}

#[inline(always)]
fn ipv6(skb: *mut __sk_buff, at: u32, frame: &mut Frame) -> Result<u32, Counter> {
    let ip = load::<8>(skb, at)?;
    let payload = u32::from(u16::from_be_bytes([ip[4], ip[5]]));
    frame.source = load::<16>(skb, at + 8)?;
    frame.destination = load::<16>(skb, at + 24)?;
    frame.end = end(skb, at, if payload == 0 { 0 } else { payload + 40 });
    after_extensions(skb, ip[6], at + 40)
}

/// Follows the extension headers of RFC 8200 to the TCP header.
#[inline(always)]
fn after_extensions(skb: *mut __sk_buff, first: u8, start: u32) -> Result<u32, Counter> {
    let (mut next, mut at) = (first, start);
    for _ in 0..MAX_EXTENSIONS {
        let len = match next {
            TCP => return Ok(at),
            HOP_BY_HOP | ROUTING | DESTINATION => {
                let [following, len] = load::<2>(skb, at)?;
                next = following;
                u32::from(len) * 8 + 8
            }
            AUTHENTICATION => {
                let [following, len] = load::<2>(skb, at)?;
                next = following;
                u32::from(len) * 4 + 8
            }
            FRAGMENT => {
                let [following, _, offset, more] = load::<4>(skb, at)?;
                // An atomic fragment (RFC 6946) is a whole packet.
                if offset != 0 || more & !6 != 0 {
                    return Err(Counter::Fragment);
                }
                next = following;
                8
            }
            _ => return Err(Counter::NotTcp),
        };
        at += len;
    }
    if next == TCP {
        Ok(at)
    } else {
        Err(Counter::NotParsable)
    }
}

/// A length of 0 is that of a packet too large for the field (BIG TCP).
#[inline(always)]
fn end(skb: *mut __sk_buff, at: u32, total: u32) -> u32 {
    // SAFETY: the context is valid for the program's run.
    let len = unsafe { (*skb).len };
    if total == 0 { len } else { len.min(at + total) }
}

/// A frame too short for an Ethernet header is none of ours.
#[inline(always)]
fn ethertype_at(skb: *mut __sk_buff, at: u32) -> Result<u16, Counter> {
    Ok(u16::from_be_bytes(load::<2>(skb, at)?))
}

#[inline(always)]
fn load<const N: usize>(skb: *mut __sk_buff, at: u32) -> Result<[u8; N], Counter> {
    let mut bytes = core::mem::MaybeUninit::<[u8; N]>::uninit();
    // SAFETY: the helper fills all N bytes or fails.
    unsafe {
        if bpf_skb_load_bytes(skb.cast(), at, bytes.as_mut_ptr().cast(), N as u32) != 0 {
            return Err(Counter::NotParsable);
        }
        Ok(bytes.assume_init())
    }
}
