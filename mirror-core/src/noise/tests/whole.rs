//! Whole answers of a service whose data is the same for all, and in which much varies by nature.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::*;
use crate::compare::{CompareOptions, compare};
use crate::exchange::Response;

const WARM_UP: u64 = 300;
const EXCHANGES: u64 = 600;

/// What a version answers to the request with this number: `id` to `price` are data, the rest varies.
fn answer(
    random: &mut Random,
    number: u64,
    at: Timestamp,
    change: fn(u64, &mut String),
) -> Response {
    let token = |random: &mut Random| format!("{:016x}{:016x}", random.next(), random.next());
    let (trace, nonce) = (token(random), token(random));
    let note = if random.chance(5) {
        r#""note":"gift","#
    } else {
        ""
    };
    let tier = if random.chance(10) { "B" } else { "A" };
    let (seconds, millis) = (at.as_secs(), at.as_millis());
    let (host, load) = (random.below(4), random.below(1_000_000));
    let mut body = format!(
        r#"{{"id":{number},"total":{}.50,"state":"paid",{note}"tier":"{tier}","trace":"{trace}",
        "at":{millis},"expires":{},"host":"web-{host}","load":0.{load:06},
        "html":"<p nonce='{nonce}'>order {number} at {:02}:{:02}</p>",
        "items":[{{"sku":"a","price":7,"age":{}}},{{"sku":"b","price":{},"age":{}}}]}}"#,
        number % 90 + 10,
        seconds + 3_600,
        seconds / 60 % 60,
        seconds % 60,
        random.below(600),
        number % 7,
        random.below(600),
    );
    change(number, &mut body);
    let mut response = Response::new(200);
    response.headers = [("content-type", "application/json")].into_iter().collect();
    response.body = Bytes::from(body).into();
    response
}

/// What counts after the warm-up, by place and kind: for the candidate, and for production.
fn found(change: fn(u64, &mut String)) -> BTreeMap<(String, Kind), (u64, u64)> {
    let options = CompareOptions::default();
    let mut random = Random(17);
    let mut noise = Noise::default();
    let mut found: BTreeMap<(String, Kind), (u64, u64)> = BTreeMap::new();
    for number in 0..WARM_UP + EXCHANGES {
        let times = times(number);
        let change = if number < WARM_UP {
            |_, _: &mut String| ()
        } else {
            change
        };
        let production = answer(&mut random, number, times.production, |_, _| ());
        let control = answer(&mut random, number, times.mirror, |_, _| ());
        let candidate = answer(&mut random, number, times.mirror, change);
        let to_candidate = compare(&options, &production, &candidate);
        let to_control = compare(&options, &production, &control);
        let explained = noise.judge(ROUTE, times, &to_candidate);
        noise.learn(ROUTE, Source::Control, times, &to_control);
        noise.note(ROUTE, times, &to_candidate);
        if number < WARM_UP {
            continue;
        }
        for one in &explained.left {
            let name = match one.kind {
                Kind::Distribution => format!("{} = {}", one.place, one.mirror),
                _ => one.place.to_string(),
            };
            found.entry((name, one.kind)).or_default().0 += 1;
            if one.kind == Kind::Distribution {
                let name = format!("{} = {}", one.place, one.production);
                found.entry((name, one.kind)).or_default().1 += 1;
            }
        }
        for one in &explained.against {
            found
                .entry((one.place.to_string(), one.kind))
                .or_default()
                .1 += 1;
        }
    }
    // Coins that fell for the candidate by less than four standard deviations are fair.
    found.retain(|_, (for_candidate, against)| {
        let apart = for_candidate.saturating_sub(*against);
        apart * apart > 16 * (*for_candidate + *against) || (*against == 0 && apart > 5)
    });
    found
}

fn check(change: fn(u64, &mut String), expect: &[(&str, Kind)]) {
    let found = found(change);
    let keys: Vec<(&str, Kind)> = found
        .keys()
        .map(|(place, kind)| (place.as_str(), *kind))
        .collect();
    assert_eq!(keys, expect, "{found:?}");
}

fn replace(body: &mut String, from: &str, to: &str) {
    *body = body.replace(from, to);
}

#[test]
fn the_same_version_shows_nothing() {
    check(|_, _| (), &[]);
}

#[test]
fn a_wrong_value_in_three_of_a_hundred_is_what_is_left() {
    check(
        |number, body| {
            if number.is_multiple_of(33) {
                replace(body, ".50,\"state\"", ".49,\"state\"");
            }
        },
        &[("body /total", Kind::Value)],
    );
}

#[test]
fn changes_at_places_that_vary_are_found_amid_all_the_noise() {
    check(
        |_, body| replace(body, "\"trace\":\"", "\"trace\":\"t"),
        &[("body /trace", Kind::Format)],
    );
    check(
        |_, body| replace(body, ",\"load\":0.", ",\"load\":8."),
        &[("body /load", Kind::Range)],
    );
    check(
        |_, body| replace(body, "\"tier\":\"A\"", "\"tier\":\"B\""),
        &[("body /tier = B", Kind::Distribution)],
    );
    check(
        |_, body| replace(body, ">order ", ">odrer "),
        &[(
            "body /html = <p nonce='{id}'>odrer # at {time}</p>",
            Kind::Distribution,
        )],
    );
    check(
        |_, body| replace(body, ",\"age\":", ",\"age\":9"),
        &[
            ("body /items/*/age", Kind::Range),
            ("body /items/*/age = (higher)", Kind::Distribution),
        ],
    );
}
