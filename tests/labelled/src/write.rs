//! Texts that services write: JSON, times, ids.

use std::fmt::Display;

use mirror_core::time::Timestamp;

use crate::random::Random;

/// A JSON object that is written member by member.
#[derive(Clone, Debug, Default)]
pub(crate) struct Object(Vec<(String, String)>);

impl Object {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A value as it is.
    pub(crate) fn raw(mut self, name: &str, value: impl Display) -> Self {
        self.0.push((name.into(), value.to_string()));
        self
    }

    pub(crate) fn text(self, name: &str, value: impl AsRef<str>) -> Self {
        let value = quoted(value.as_ref());
        self.raw(name, value)
    }

    pub(crate) fn finish(&self) -> String {
        let members = self.0.iter();
        let members: Vec<_> = members
            .map(|(name, value)| format!("{}:{value}", quoted(name)))
            .collect();
        format!("{{{}}}", members.join(","))
    }

    /// With the members in any order.
    pub(crate) fn shuffled(mut self, random: &mut Random) -> String {
        random.shuffle(&mut self.0);
        self.finish()
    }
}

pub(crate) fn list(items: impl IntoIterator<Item = impl Display>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    format!("[{}]", items.join(","))
}

pub(crate) fn texts<'t>(items: impl IntoIterator<Item = &'t str>) -> String {
    list(items.into_iter().map(quoted))
}

pub(crate) fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{}\"", escaped.replace('\n', "\\n"))
}

/// `[year, month, day, hour, minute, second]` in UTC, by the algorithm `civil_from_days` of Howard Hinnant.
pub(crate) fn civil(seconds: i64) -> [i64; 6] {
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + i64::from(month <= 2);
    let day = doy - (153 * mp + 2) / 5 + 1;
    [year, month, day, rest / 3_600, rest / 60 % 60, rest % 60]
}

/// `2026-11-27T10:00:00.123Z`
pub(crate) fn rfc3339_millis(at: Timestamp) -> String {
    let seconds = rfc3339(at.as_secs());
    let millis = at.as_millis() % 1_000;
    format!("{}.{millis:03}Z", seconds.trim_end_matches('Z'))
}

/// `2026-11-27T10:00:00Z`
pub(crate) fn rfc3339(seconds: u64) -> String {
    let [year, month, day, hour, minute, second] = civil(seconds as i64);
    format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

pub(crate) fn date(seconds: u64) -> String {
    rfc3339(seconds)[..10].into()
}

/// `10:00:00`
pub(crate) fn clock(seconds: u64) -> String {
    rfc3339(seconds)[11..19].into()
}

/// `Fri, 27 Nov 2026 10:00:00 GMT` (RFC 9110 §5.6.7).
pub(crate) fn http_date(seconds: u64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let [year, month, day, ..] = civil(seconds as i64);
    let weekday = DAYS[(seconds / 86_400 % 7) as usize];
    let month = MONTHS[month as usize - 1];
    let time = clock(seconds);
    format!("{weekday}, {day:02} {month} {year} {time} GMT")
}

pub(crate) fn uuid(random: &mut Random) -> String {
    let (a, b) = (random.next(), random.next());
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        a >> 32,
        a >> 16 & 0xffff,
        a & 0xfff,
        b >> 48 & 0x3fff | 0x8000,
        b & 0xffff_ffff_ffff
    )
}

pub(crate) fn hex(random: &mut Random, digits: usize) -> String {
    let mut out = String::new();
    while out.len() < digits {
        out.push_str(&format!("{:016x}", random.next()));
    }
    out.truncate(digits);
    out
}

/// Letters and digits, as base64url writes them.
pub(crate) fn token(random: &mut Random, len: usize) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let letter = |random: &mut Random| char::from(LETTERS[random.below(64) as usize]);
    (0..len).map(|_| letter(random)).collect()
}

/// A web token with random claims and signature.
pub(crate) fn jwt(random: &mut Random) -> String {
    let (claims, signature) = (token(random, 60), token(random, 43));
    format!("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ{claims}.{signature}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_clients_read_them() {
        let at = Timestamp(1_795_739_200_042_000_000);
        assert_eq!(rfc3339_millis(at), "2026-11-27T00:26:40.042Z");
        assert_eq!(http_date(at.as_secs()), "Fri, 27 Nov 2026 00:26:40 GMT");
        assert_eq!(rfc3339(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(date(1_709_164_800), "2024-02-29");
    }

    #[test]
    fn an_object_is_json_in_any_order() {
        let object = Object::new().raw("a", 1).text("b", "say \"x\"\n");
        assert_eq!(object.finish(), r#"{"a":1,"b":"say \"x\"\n"}"#);
        let shuffled = object.shuffled(&mut Random::new(3));
        let read: serde_json::Value = serde_json::from_str(&shuffled).unwrap();
        assert_eq!(read["b"], "say \"x\"\n");
    }
}
