//! Bodies: JSON and forms, whole and broken.

use crate::{Wants, head::parameters, json::object, random::Random};

pub(crate) fn body(random: &mut Random, wants: Wants) -> (Option<&'static str>, Option<Vec<u8>>) {
    let form_type = |random: &mut Random| {
        random.of(&[
            "application/x-www-form-urlencoded",
            "Application/X-WWW-Form-URLencoded ; charset=utf-8",
            "\tapplication/x-www-form-urlencoded;",
            "application/x-www-form-urlencoded",
        ])
    };
    let kind = match random.below(10) {
        0 => return (Some("text/plain"), None),
        1 => return (Some("application/json"), Some(Vec::new())),
        2 => [Wants::Json, Wants::Form][random.below(2)],
        _ => wants,
    };
    match kind {
        Wants::Json => (Some("application/json"), Some(json_body(random))),
        Wants::Form => {
            let mut body = parameters(random, "%2F/?").into_bytes();
            if random.below(10) == 0 {
                body.push(random.below(256) as u8);
            }
            (Some(form_type(random)), Some(body))
        }
        Wants::Any => (
            random.sometimes(form_type),
            random.sometimes(|r| r.of(&["a=1", "{}", "x"]).into()),
        ),
    }
}

fn json_body(random: &mut Random) -> Vec<u8> {
    let mut text = String::new();
    object(random, &mut text, 0);
    let mut body = text.into_bytes();
    // Most are as they should be.
    match random.below(40) {
        0 => body.truncate(random.below(body.len() + 1)),
        1 => body.insert(random.below(body.len()), random.below(256) as u8),
        2 => body.extend_from_slice(random.of(&["x", " {}", ",", "\n ", "\0", "1"]).as_bytes()),
        3 => drop(body.splice(0..0, *b"\xef\xbb\xbf")),
        4 => {
            let at = random.below(body.len());
            body[at] = random.below(256) as u8;
        }
        5 => body = random.of(&["7", "null", "\"a\"", "[]", "[1]", " "]).into(),
        _ => {}
    }
    body
}
