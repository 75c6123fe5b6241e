//! Numbers as reports say them.

/// As in `4,104`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut shown = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// As in `1 request` and `2,000 requests`.
pub fn counted(n: u64, one: &str) -> String {
    let ending = if n == 1 { "" } else { "s" };
    format!("{} {one}{ending}", count(n))
}

/// As in `0.1 %`, with three digits that say something.
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent == 0.0 || !percent.is_finite() {
        return "0 %".into();
    }
    let leading = percent.abs().log10().floor();
    let places = (2.0 - leading).clamp(0.0, 8.0) as usize;
    let shown = format!("{percent:.places$}");
    let shown = match shown.contains('.') {
        true => shown.trim_end_matches('0').trim_end_matches('.'),
        false => &shown,
    };
    format!("{shown} %")
}

/// A length of time, roughly: as in `about 6 minutes`.
pub fn about(seconds: u64) -> String {
    let (amount, unit) = match seconds {
        0..=89 => (seconds.max(1), "second"),
        90..=5_399 => (seconds.div_ceil(60), "minute"),
        5_400..=172_799 => (seconds.div_ceil(3_600), "hour"),
        172_800..=62_899_199 => (seconds.div_ceil(86_400), "day"),
        _ => return "years".into(),
    };
    format!("about {}", counted(amount, unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_rounded_as_people_write_them() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(4_104), "4,104");
        assert_eq!(counted(1_000_000, "request"), "1,000,000 requests");
        assert_eq!(counted(1, "request"), "1 request");
        assert_eq!(percent(0.001), "0.1 %");
        assert_eq!(percent(0.0), "0 %");
        assert_eq!(percent(1.0), "100 %");
        assert_eq!(percent(0.123_456), "12.3 %");
        assert_eq!(percent(0.000_998_6), "0.0999 %");
        assert_eq!(about(20), "about 20 seconds");
        assert_eq!(about(330), "about 6 minutes");
        assert_eq!(about(7_000), "about 2 hours");
        assert_eq!(about(400_000), "about 5 days");
        assert_eq!(about(u64::MAX), "years");
    }
}
