//! JSON that holds what the rules look for, most of the time.

use std::fmt::Write;

use crate::random::Random;

const NAMES: [&str; 18] = [
    "userId",
    "productId",
    "items",
    "user",
    "name",
    "deep",
    "a",
    "b",
    "a/b",
    "",
    "0",
    "ä",
    "😀",
    "\u{ffff}",
    "\\u0061",
    "user\\u0049d",
    "\\ud83d\\ude00",
    "A",
];

/// Its members are what rules look for, others, and such again.
pub(crate) fn object(random: &mut Random, text: &mut String, level: usize) {
    text.push('{');
    let wanted: &[&str] = match level {
        0 => &["userId", "productId", "items", "user", "deep"],
        1 => &["name"],
        _ => &[],
    };
    let others = random.below(4);
    for n in 0..wanted.len() + others {
        if n > 0 {
            text.push(',');
        }
        space(random, text);
        let name = wanted.get(n).copied().filter(|_| random.below(12) > 0);
        let name = name.unwrap_or_else(|| random.of(&NAMES));
        let _ = write!(text, "\"{name}\"");
        space(random, text);
        text.push(':');
        space(random, text);
        match name {
            "items" if random.below(4) > 0 => array(random, text, level + 1),
            "user" if random.below(4) > 0 => object(random, text, level + 1),
            "deep" if random.below(4) > 0 => deep(random, text, level + 1),
            _ => value(random, text, level + 1),
        }
    }
    space(random, text);
    text.push('}');
}

fn array(random: &mut Random, text: &mut String, level: usize) {
    text.push('[');
    for n in 0..random.below(4) {
        if n > 0 {
            text.push(',');
        }
        space(random, text);
        value(random, text, level + 1);
    }
    text.push(']');
}

fn value(random: &mut Random, text: &mut String, level: usize) {
    match random.below(10) {
        0 if level < 4 => array(random, text, level),
        1 if level < 4 => object(random, text, level),
        2 => text.push_str(random.of(&["true", "false", "null"])),
        3..=6 => string(random, text),
        _ => number(random, text),
    }
}

/// Around the 64 levels that are read, and to the 127 that may be passed over.
fn deep(random: &mut Random, text: &mut String, level: usize) {
    let levels = match random.below(4) {
        0 => 1 + random.below(5),
        1 => 60 + random.below(10),
        2 => 64 + random.below(2),
        _ => 120 + random.below(8),
    };
    let levels = levels.min(127 - level);
    let opens: Vec<_> = (0..levels).map(|_| random.below(4) > 0).collect();
    opens
        .iter()
        .for_each(|array| text.push_str(if *array { "[" } else { "{\"a\":" }));
    // An object cannot be left without a value.
    if random.below(2) == 0 || opens.last() == Some(&false) {
        text.push('1');
    }
    opens
        .iter()
        .rev()
        .for_each(|array| text.push(if *array { ']' } else { '}' }));
}

fn space(random: &mut Random, text: &mut String) {
    if random.below(8) == 0 {
        text.push_str(random.of(&[" ", "\t", "\r\n", "  "]));
    }
}

fn string(random: &mut Random, text: &mut String) {
    text.push('"');
    for _ in 0..random.below(5) {
        match random.below(120) {
            // Makes the whole body none.
            0 => text.push_str(random.of(&[
                "\\ud800",
                "\\uDC00",
                "\\udbff\\u0041",
                "\t",
                "\\x",
                "\\u12",
            ])),
            1..=12 => {
                text.push_str(random.of(&["\\ud83d\\ude00", "\\u00e4", "\\u0000", "\\uFFFF"]))
            }
            13..=24 => {
                text.push_str(random.of(&["\\n", "\\\"", "\\\\", "\\/", "\\b\\f\\r\\t", "\\u001f"]))
            }
            25..=36 => text.push_str(random.of(&[
                "ä", "e\u{301}", "日本", "😀", "\u{feff}", "\u{7f}", "\u{2028}",
            ])),
            37..=42 => text.push_str(random.of(&[" ", "a b", "\u{fffd}", "\\\\ud800"])),
            43 => text.push_str(&"x".repeat(random.below(300))),
            _ => text.push_str(random.of(&["p1", "a", "0", "-", "~", "1e3", "true"])),
        }
    }
    text.push('"');
}

fn number(random: &mut Random, text: &mut String) {
    if random.below(300) == 0 {
        // None is a number.
        text.push_str(random.of(&["01", "1.", ".5", "+1", "NaN", "-", "1e", "0x1"]));
        return;
    }
    text.push_str(random.of(&["", "", "-"]));
    match random.below(6) {
        0 => text.push('0'),
        1 => text.push_str(&"9".repeat(60 + random.below(8))),
        2 => {
            let _ = write!(
                text,
                "{}{}",
                1 + random.below(9),
                "0".repeat(random.below(30))
            );
        }
        _ => {
            let digits = 1 + random.below(60);
            let _ = write!(text, "{}", random.below(1 << digits));
        }
    }
    if random.below(3) == 0 {
        let zeros = "0".repeat(random.below(4));
        let _ = write!(text, ".{zeros}{}{zeros}", random.below(1000));
    }
    if random.below(3) == 0 {
        text.push_str(random.of(&["e", "E", "e+", "e-", "E-"]));
        match random.below(6) {
            0 => text.push_str(random.of(&["0", "00", "007", "400", "999999999999999999999999"])),
            _ => {
                let _ = write!(text, "{}", random.below(70));
            }
        }
    }
}
