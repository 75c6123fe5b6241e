//! What varies by nature in the bank's answers.

use mirror_core::time::Timestamp;

use crate::random::Random;
use crate::service::Answering;
use crate::write::{civil, hex, token};

const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// When its numbers of records begin, in milliseconds.
const EPOCH: u64 = 1_420_070_400_000;

/// 48 bits of milliseconds and 80 random ones, in Crockford's base32.
pub(super) fn ulid(at: Timestamp, random: &mut Random) -> String {
    let digit = |value: u64| char::from(CROCKFORD[(value & 31) as usize]);
    let millis = at.as_millis();
    let time = (0..10).rev().map(|at| digit(millis >> (5 * at)));
    let tail: Vec<u64> = (0..16).map(|_| random.below(32)).collect();
    time.chain(tail.into_iter().map(digit)).collect()
}

/// A number of 64 bits in the order of time, as a text.
pub(super) fn snowflake(at: Timestamp, random: &mut Random) -> String {
    let number = (at.as_millis() - EPOCH) << 22 | random.below(1 << 22);
    number.to_string()
}

/// The header of W3C's trace context.
pub(super) fn traceparent(random: &mut Random) -> String {
    format!("00-{}-{}-01", hex(random, 32), hex(random, 16))
}

/// As people in Germany write it: `27.11.2026 10:03:12`.
pub(super) fn local_time(seconds: u64) -> String {
    let [year, month, day, hour, minute, second] = civil(seconds as i64);
    format!("{day:02}.{month:02}.{year} {hour:02}:{minute:02}:{second:02}")
}

/// Cents as `-1.234,50`.
pub(super) fn amount(cents: i64) -> String {
    let (whole, part) = (cents.unsigned_abs() / 100, cents.unsigned_abs() % 100);
    let sign = if cents < 0 { "-" } else { "" };
    match whole >= 1_000 {
        true => format!("{sign}{}.{:03},{part:02}", whole / 1_000, whole % 1_000),
        false => format!("{sign}{whole},{part:02}"),
    }
}

/// How often something happens that happens `mean` times on average.
pub(super) fn poisson(random: &mut Random, mean: f64) -> u64 {
    let end = (-mean).exp();
    let (mut product, mut count) = (random.unit(), 0);
    while product > end {
        product *= random.unit();
        count += 1;
    }
    count
}

/// A link that is signed and ends some minutes later.
pub(super) fn signed(ask: &mut Answering<'_>, path: &str) -> String {
    let ends = ask.at.as_secs() + 900;
    let signature = token(&mut ask.nature, 43);
    format!(
        "https://files.bank.example{path}?Expires={ends}&Signature={signature}&Key-Pair-Id=K2JCJMDEHXQW5F"
    )
}

/// A machine that answers.
pub(super) fn node(ask: &mut Answering<'_>) -> String {
    format!("node-{}", 1 + ask.nature.below(6))
}

/// What something costs at the moment, the same for all: it moves every 20 seconds.
pub(super) fn quote(ask: &Answering<'_>, of: u64) -> u64 {
    let step = ask.at.as_secs() / 20;
    10_000 + 100 * of + Random::of(&[of, step]).below(80)
}
