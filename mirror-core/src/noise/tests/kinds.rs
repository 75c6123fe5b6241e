//! Kinds of noise: each is absorbed once learnt, and changes planted at the same place are found.

use std::collections::BTreeMap;

use super::*;

const POINTER: &str = "/at";
/// A/A pairs, and exchanges that are explained after them.
const LESSONS: u64 = 200;
const EXCHANGES: u64 = 400;

/// What one program answers at a time: the text that an observation shows.
type Answer = fn(&mut Random, Timestamp) -> Option<String>;

/// Tosses by kind and class: how many fell for the candidate, and how many for production.
#[derive(Debug, Default)]
struct Tosses(BTreeMap<(Kind, String), (u64, u64)>);

impl Tosses {
    fn add(&mut self, explained: &Explained) {
        for found in &explained.left {
            if found.kind == Kind::Distribution {
                self.at(found.kind, &found.mirror).0 += 1;
                self.at(found.kind, &found.production).1 += 1;
            } else {
                self.at(found.kind, "").0 += 1;
            }
        }
        for found in &explained.against {
            self.at(found.kind, "").1 += 1;
        }
    }

    fn at(&mut self, kind: Kind, class: &str) -> &mut (u64, u64) {
        self.0.entry((kind, class.to_owned())).or_default()
    }

    /// Kinds whose coin fell for the candidate by more than four standard deviations of a fair one, in 20 tosses or more.
    fn found(&self) -> Vec<Kind> {
        let is_unfair = |(for_candidate, against): (u64, u64)| {
            let apart = for_candidate.saturating_sub(against);
            for_candidate + against >= 20 && apart * apart > 16 * (for_candidate + against)
        };
        let unfair = self.0.iter().filter(|(_, tosses)| is_unfair(**tosses));
        let mut kinds: Vec<Kind> = unfair.map(|((kind, _), _)| *kind).collect();
        kinds.dedup();
        kinds
    }

    /// Tosses of kinds that break a reader.
    fn breaking(&self) -> u64 {
        let breaks = |kind: &Kind| !matches!(kind, Kind::Distribution | Kind::Range | Kind::Clock);
        let tosses = self.0.iter().filter(|((kind, _), _)| breaks(kind));
        tosses.map(|(_, (a, b))| a + b).sum()
    }
}

/// How a place of the noise `old` is explained when the candidate answers as `new` does.
fn explained(source: Source, old: Answer, new: Answer, seed: u64) -> Tosses {
    let mut random = Random(seed);
    let mut noise = Noise::default();
    let mut exchange = |noise: &mut Noise, number: u64, source: Option<Source>, new: Answer| {
        let times = times(number);
        let mut answers = |answer: Answer, at| answer(&mut random, at);
        let (ours, theirs) = (answers(old, times.production), answers(new, times.mirror));
        let found = pair(POINTER, ours.as_deref(), theirs.as_deref());
        match source {
            Some(source) => {
                noise.learn(ROUTE, source, times, &found);
                Explained::default()
            }
            None => judged(noise, times, &found),
        }
    };
    for number in 0..LESSONS {
        exchange(&mut noise, number, Some(source), old);
        if source == Source::Repeat {
            // Production's values come from exchanges.
            exchange(&mut noise, number, None, old);
        }
    }
    let mut tosses = Tosses::default();
    for number in LESSONS..LESSONS + EXCHANGES {
        tosses.add(&exchange(&mut noise, number, None, new));
    }
    tosses
}

fn absorbs(name: &str, answer: Answer) {
    for source in [Source::Control, Source::Production, Source::Repeat] {
        for seed in 1..4 {
            let tosses = explained(source, answer, answer, seed);
            assert_eq!(tosses.found(), [], "{name} {source:?} {seed}: {tosses:?}");
            assert!(
                tosses.breaking() <= 4,
                "{name} {source:?} {seed}: {tosses:?}"
            );
        }
    }
}

/// Absorbs the noise, and finds the change by each of these kinds.
fn check(name: &str, old: Answer, changes: &[(Kind, Answer)]) {
    absorbs(name, old);
    for (kind, new) in changes {
        let tosses = explained(Source::Control, old, *new, 7);
        assert!(
            tosses.found().contains(kind),
            "{name}: {kind:?} in {tosses:?}"
        );
    }
}

fn quoted(text: impl std::fmt::Display) -> Option<String> {
    Some(format!("\"{text}\""))
}

fn seconds(at: Timestamp, later: u64) -> Option<String> {
    Some((at.as_secs() + later).to_string())
}

/// As RFC 3339 writes it, to the milliseconds.
fn rfc_3339(at: Timestamp, later: u64) -> String {
    let seconds = at.as_secs() + later;
    let (hour, minute) = (seconds / 3_600 % 24, seconds / 60 % 60);
    let day = 26 + (seconds - NOON / 1_000_000_000 + 43_200) / 86_400;
    let millis = at.as_millis() % 1_000;
    format!(
        "2026-11-{day}T{hour:02}:{minute:02}:{:02}.{millis:03}Z",
        seconds % 60
    )
}

fn random_uuid(random: &mut Random, version: char) -> String {
    let (a, b) = (random.next(), random.next());
    format!(
        "{:08x}-{:04x}-{version}{:03x}-a{:03x}-{:012x}",
        a >> 32,
        a & 0xffff,
        b & 0xfff,
        (b >> 12) & 0xfff,
        b >> 16
    )
}

fn letters(random: &mut Random, alphabet: &[u8], count: usize) -> String {
    let letter = |_| char::from(alphabet[random.below(alphabet.len() as u64) as usize]);
    (0..count).map(letter).collect()
}

const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const CROCKFORD: &[u8] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

#[test]
fn random_uuids() {
    check(
        "uuid",
        |r, _| quoted(random_uuid(r, '4')),
        &[
            (Kind::Type, |r, _| Some(r.below(1_000_000).to_string())),
            (Kind::Format, |r, _| quoted(random_uuid(r, '7'))),
            (Kind::Format, |r, _| {
                quoted(random_uuid(r, '4').to_uppercase())
            }),
            (Kind::Format, |r, _| {
                quoted(random_uuid(r, '4').replace('-', ""))
            }),
            (Kind::Missing, |_, _| None),
        ],
    );
}

#[test]
fn epoch_in_seconds() {
    check(
        "epoch s",
        |_, at| seconds(at, 0),
        &[
            (Kind::Format, |_, at| Some(at.as_millis().to_string())),
            (Kind::Clock, |_, at| seconds(at, 3_600)),
            (Kind::Type, |_, at| quoted(at.as_secs())),
        ],
    );
}

#[test]
fn epoch_in_milliseconds() {
    check(
        "epoch ms",
        |_, at| Some(at.as_millis().to_string()),
        &[
            (Kind::Format, |_, at| seconds(at, 0)),
            (Kind::Clock, |_, at| {
                Some((at.as_millis() - 60_000).to_string())
            }),
        ],
    );
}

#[test]
fn an_expiry_one_hour_from_now() {
    check(
        "expires",
        |r, at| seconds(at, 3_600 + r.below(2)),
        &[(Kind::Clock, |_, at| seconds(at, 7_200))],
    );
}

#[test]
fn times_as_rfc_3339() {
    check(
        "RFC 3339",
        |_, at| quoted(rfc_3339(at, 0)),
        &[
            (Kind::Format, |_, at| {
                quoted(rfc_3339(at, 0).replace('Z', "+00:00"))
            }),
            (Kind::Format, |_, at| {
                quoted(format!("{}Z", &rfc_3339(at, 0)[..19]))
            }),
            (Kind::Clock, |_, at| quoted(rfc_3339(at, 32_400))),
        ],
    );
}

#[test]
fn a_counter() {
    check(
        "counter",
        |_, at| Some((at.as_millis() / 7 % 1_000_000_000).to_string()),
        &[
            (Kind::Range, |_, at| {
                Some((at.as_millis() / 7 % 1_000_000_000 * 1_000).to_string())
            }),
            (Kind::Format, |_, at| {
                Some(format!("{}.5", at.as_millis() / 7 % 1_000_000_000))
            }),
        ],
    );
}

#[test]
fn random_decimals() {
    check(
        "decimal",
        |r, _| Some(format!("{}.{:02}", r.below(100), r.below(100))),
        &[
            (Kind::Format, |r, _| {
                Some(format!("{}.{:05}", r.below(100), r.below(100_000)))
            }),
            (Kind::Format, |r, _| Some(r.below(100).to_string())),
            (Kind::Range, |r, _| {
                Some(format!("{}.{:02}", 1_000 + r.below(100), r.below(100)))
            }),
            (Kind::Type, |_, _| Some("null".into())),
        ],
    );
}

#[test]
fn the_jitter_of_a_float() {
    check(
        "jitter",
        |r, _| {
            Some(format!(
                "{}",
                0.9 + r.below(1 << 30) as f64 / (1 << 30) as f64 / 5.0
            ))
        },
        &[
            (Kind::Format, |r, _| Some(format!("0.9{}", r.below(10)))),
            (Kind::Range, |r, _| {
                Some(format!("7.{}", 1_000_000_000_000_001 + r.below(1_000)))
            }),
            // One that is greater on the average.
            (Kind::Distribution, |r, _| {
                Some(format!(
                    "{}",
                    1.0 + r.below(1 << 30) as f64 / (1 << 30) as f64 / 10.0
                ))
            }),
        ],
    );
}

#[test]
fn a_request_id_in_a_text() {
    check(
        "request id",
        |r, at| {
            quoted(format!(
                "request req-{} failed at {}",
                random_uuid(r, '4'),
                &rfc_3339(at, 0)[11..16]
            ))
        },
        &[(Kind::Distribution, |r, at| {
            quoted(format!(
                "request req-{} ended at {}",
                random_uuid(r, '4'),
                &rfc_3339(at, 0)[11..16]
            ))
        })],
    );
}

#[test]
fn a_nonce_in_html() {
    check(
        "nonce",
        |r, _| {
            quoted(format!(
                "script-src 'nonce-{}' https:",
                letters(r, &BASE64[..62], 24)
            ))
        },
        &[(Kind::Distribution, |r, _| {
            quoted(format!(
                "script-src 'nonce-{}' http:",
                letters(r, &BASE64[..62], 24)
            ))
        })],
    );
}

#[test]
fn an_enum_that_flips_in_ten_of_a_hundred() {
    check(
        "enum",
        |r, _| quoted(if r.chance(10) { "B" } else { "A" }),
        &[
            (Kind::Distribution, |r, _| {
                quoted(if r.chance(60) { "B" } else { "A" })
            }),
            (Kind::Distribution, |_, _| quoted("A")),
            (Kind::Distribution, |r, _| {
                quoted(if r.chance(10) { "C" } else { "A" })
            }),
        ],
    );
}

#[test]
fn a_member_that_is_absent_in_five_of_a_hundred() {
    check(
        "optional",
        |r, _| quoted(if r.chance(5) { return None } else { "A" }),
        &[
            (Kind::Distribution, |r, _| {
                quoted(if r.chance(40) { return None } else { "A" })
            }),
            (Kind::Distribution, |_, _| None),
        ],
    );
}

#[test]
fn a_member_that_is_null_in_ten_of_a_hundred() {
    check(
        "nullable",
        |r, _| {
            if r.chance(10) {
                Some("null".into())
            } else {
                quoted(random_uuid(r, '4'))
            }
        },
        &[
            (Kind::Distribution, |r, _| {
                if r.chance(50) {
                    Some("null".into())
                } else {
                    quoted(random_uuid(r, '4'))
                }
            }),
            (Kind::Type, |_, _| Some("17".into())),
        ],
    );
}

#[test]
fn a_host_behind_a_load_balancer() {
    check(
        "host",
        |r, _| quoted(format!("web-{}.internal", r.below(4))),
        &[(Kind::Distribution, |r, _| {
            quoted(format!("db-{}.internal", r.below(4)))
        })],
    );
}

#[test]
fn a_web_token_that_is_not_shown() {
    check(
        "JWT",
        |_, _| quoted("***"),
        &[
            (Kind::Format, |r, _| quoted(letters(r, BASE64, 40))),
            (Kind::Type, |_, _| Some("{\"token\":1}".into())),
        ],
    );
}

#[test]
fn a_base64_token() {
    check(
        "base64",
        |r, _| quoted(format!("{}=", letters(r, BASE64, 43))),
        &[
            (Kind::Format, |r, _| quoted(letters(r, BASE64, 22))),
            (Kind::Format, |r, _| quoted(random_uuid(r, '4'))),
        ],
    );
}

#[test]
fn the_age_of_a_cached_answer() {
    check(
        "age",
        |r, _| Some(r.below(600).to_string()),
        &[
            (Kind::Type, |r, _| Some(format!("{}s", r.below(600)))),
            (Kind::Range, |r, _| {
                Some((10_000 + r.below(600)).to_string())
            }),
            (Kind::Distribution, |r, _| Some(r.below(200).to_string())),
        ],
    );
}

#[test]
fn a_trace_id() {
    check(
        "trace id",
        |r, _| quoted(format!("{:016x}{:016x}", r.next(), r.next())),
        &[(Kind::Format, |r, _| quoted(format!("{:016x}", r.next())))],
    );
}

#[test]
fn a_short_hexadecimal_id() {
    check(
        "hex",
        |r, _| quoted(format!("{:08x}", r.next() as u32)),
        &[
            (Kind::Format, |r, _| {
                quoted(format!("{:012x}", r.next() >> 16))
            }),
            (Kind::Format, |r, _| {
                quoted(format!("{:08X}", r.next() as u32))
            }),
        ],
    );
}

#[test]
fn a_ulid() {
    check(
        "ULID",
        |r, _| quoted(format!("01{}", letters(r, CROCKFORD, 24))),
        &[(Kind::Format, |r, _| quoted(random_uuid(r, '4')))],
    );
}

#[test]
fn digits_of_one_length() {
    check(
        "digits",
        |r, _| quoted(format!("{:08}", r.below(100_000_000))),
        &[
            (Kind::Format, |r, _| quoted(r.below(1_000_000))),
            (Kind::Type, |r, _| {
                Some((10_000_000 + r.below(1_000_000)).to_string())
            }),
        ],
    );
}

#[test]
fn the_date_of_an_http_field() {
    check(
        "HTTP date",
        |_, at| Some(format!("Thu, 26 Nov 2026 {} GMT", &rfc_3339(at, 0)[11..19])),
        &[
            (Kind::Clock, |_, at| {
                Some(format!(
                    "Thu, 26 Nov 2026 {} GMT",
                    &rfc_3339(at, 3_600)[11..19]
                ))
            }),
            (Kind::Format, |_, at| Some(rfc_3339(at, 0))),
        ],
    );
}

#[test]
fn a_small_number_of_tries() {
    check(
        "tries",
        |r, _| Some(if r.chance(70) { 0 } else { r.below(3) + 1 }.to_string()),
        &[
            (Kind::Range, |r, _| Some((40 + r.below(3)).to_string())),
            (Kind::Distribution, |r, _| {
                Some((r.below(3) + 1).to_string())
            }),
        ],
    );
}

#[test]
fn a_flag_that_flips() {
    check(
        "flag",
        |r, _| Some(r.chance(50).to_string()),
        &[(Kind::Distribution, |_, _| Some("true".into()))],
    );
}

#[test]
fn an_address_of_someone() {
    check(
        "e-mail",
        |r, _| quoted(format!("{}@example.org", letters(r, b"abcdefgh", 8))),
        &[(Kind::Format, |r, _| quoted(letters(r, b"abcdefgh", 20)))],
    );
}

#[test]
fn lines_of_a_text_in_which_only_numbers_change() {
    let mut noise = Noise::default();
    let line =
        |number: u64, word: &str| format!("\"{word} {} at 12:{:02}\"", 4711 + number, number % 60);
    let lines = |number: u64, word: &str| {
        comparison(vec![
            observation("/*", Kind::Missing, &line(number, "order"), "(absent)"),
            observation("/*", Kind::Added, "(absent)", &line(number + 1, word)),
        ])
    };
    for number in 0..20 {
        noise.learn(
            ROUTE,
            Source::Control,
            times(number),
            &lines(number, "order"),
        );
    }
    let absorbed = judged(&mut noise, times(21), &lines(21, "order"));
    let new_words = |explained: &Explained| {
        let words = explained.left.iter().map(|found| found.mirror.clone());
        words.filter(|shown| shown.contains("odrer")).count()
    };
    assert_eq!(absorbed.varying.len(), 2);
    assert_eq!(new_words(&absorbed), 0);
    let planted = judged(&mut noise, times(22), &lines(22, "odrer"));
    assert_eq!(new_words(&planted), 1, "{planted:?}");
}

#[test]
fn a_list_that_is_shuffled() {
    let mut noise = Noise::default();
    let shuffled = || observation("/tags", Kind::Order, "[\"a\",\"b\"]", "[\"b\",\"a\"]");
    noise.learn(
        ROUTE,
        Source::Control,
        times(0),
        &comparison(vec![shuffled()]),
    );
    let other = observation("/tags/*", Kind::Value, "\"b\"", "\"x\"");
    let found = comparison(vec![shuffled(), other.clone()]);
    let explained = judged(&mut noise, times(1), &found);
    assert_eq!(explained.varying, [shuffled()]);
    assert_eq!(explained.left, [other]);
}
