//! Where in a packet its TCP payload is: Ethernet, up to two VLAN tags, IPv4 or IPv6, TCP.

use aya_ebpf::programs::TcContext;
use mirror_common::Counter;

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const VLAN: u16 = 0x8100;
const QINQ: u16 = 0x88a8;
const TCP: u8 = 6;

const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;

pub struct Frame {
    pub source: u16,
    pub destination: u16,
    pub flags: u8,
    /// Offset of the first payload byte.
    pub payload_at: u32,
    /// Offset behind the last one, from the IP header: Ethernet's padding lies behind it.
    pub end: u32,
}

impl Frame {
    #[inline(always)]
    pub fn read(ctx: &TcContext) -> Result<Self, Counter> {
        let mut ethertype = u16_at(ctx, 12)?;
        let mut at = 14;
        for _ in 0..2 {
            if ethertype == VLAN || ethertype == QINQ {
                ethertype = u16_at(ctx, at + 2)?;
                at += 4;
            }
        }
        let (tcp, end) = match ethertype {
            IPV4 => ipv4(ctx, at)?,
            IPV6 => ipv6(ctx, at)?,
            _ => return Err(Counter::NotTcp),
        };
        let offset_flags = u16_at(ctx, tcp + 12)?;
        let header = u32::from(offset_flags >> 12) * 4;
        if header < 20 {
            return Err(Counter::NotParsable);
        }
        Ok(Self {
            source: u16_at(ctx, tcp)?,
            destination: u16_at(ctx, tcp + 2)?,
            flags: offset_flags as u8,
            payload_at: tcp as u32 + header,
            end,
        })
    }

    #[inline(always)]
    pub fn opens_or_closes(&self) -> bool {
        self.flags & (SYN | FIN | RST) != 0
    }
}

/// The offset of the TCP header, and of the packet's end.
#[inline(always)]
fn ipv4(ctx: &TcContext, at: usize) -> Result<(usize, u32), Counter> {
    if u8_at(ctx, at + 9)? != TCP {
        return Err(Counter::NotTcp);
    }
    // More fragments, or an offset: only a whole datagram has a TCP header to be trusted.
    if u16_at(ctx, at + 6)? & 0x3fff != 0 {
        return Err(Counter::Fragment);
    }
    let header = usize::from(u8_at(ctx, at)? & 0x0f) * 4;
    if header < 20 {
        return Err(Counter::NotParsable);
    }
    let total = u32::from(u16_at(ctx, at + 2)?);
    Ok((at + header, end(ctx, at, total)))
}

#[inline(always)]
fn ipv6(ctx: &TcContext, at: usize) -> Result<(usize, u32), Counter> {
    match u8_at(ctx, at + 6)? {
        TCP => {}
        // A fragment header; other extension headers are told apart by the agent's counters only.
        44 => return Err(Counter::Fragment),
        0 | 43 | 60 => return Err(Counter::NotParsable),
        _ => return Err(Counter::NotTcp),
    }
    let payload = u32::from(u16_at(ctx, at + 4)?);
    let total = if payload == 0 { 0 } else { payload + 40 };
    Ok((at + 40, end(ctx, at, total)))
}

/// A length of 0 is that of a packet too large for the field (BIG TCP).
#[inline(always)]
fn end(ctx: &TcContext, at: usize, total: u32) -> u32 {
    let len = ctx.len();
    if total == 0 {
        len
    } else {
        len.min(at as u32 + total)
    }
}

#[inline(always)]
fn u8_at(ctx: &TcContext, at: usize) -> Result<u8, Counter> {
    ctx.load::<u8>(at).map_err(|_| Counter::NotParsable)
}

#[inline(always)]
fn u16_at(ctx: &TcContext, at: usize) -> Result<u16, Counter> {
    ctx.load::<u16>(at)
        .map(u16::from_be)
        .map_err(|_| Counter::NotParsable)
}
