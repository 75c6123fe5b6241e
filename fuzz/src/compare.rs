//! Two answers, and a rule by which they are compared.

use mirror_core::compare::{CompareOptions, CompareRule, IgnoredPointer, compare as judge};
use mirror_core::exchange::Response;
use mirror_core::http::{Kind, Message};
use mirror_core::options::FromText;

use crate::http::parse;
use crate::input::Input;

/// An answer is like itself under every rule, and whether two are alike does not depend on which comes first.
pub fn compare(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (first, second) = (response(input.piece()), response(input.piece()));
    let rule = std::str::from_utf8(input.piece());
    let rule = rule.ok().and_then(|text| CompareRule::from_text(text).ok());
    let options = CompareOptions {
        ignore: IgnoredPointer::from_text("/a/*/b").into_iter().collect(),
        rules: rule.into_iter().collect(),
        ..CompareOptions::default()
    };
    let alike = |a: &Response, b: &Response| !judge(&options, a, b).differs();
    for one in [&first, &second].into_iter().flatten() {
        assert!(alike(one, one));
    }
    if let (Some(first), Some(second)) = (&first, &second) {
        let (there, back) = (alike(first, second), alike(second, first));
        // A change may be intended in one direction only.
        assert!(there == back || options.rules.iter().any(CompareRule::is_expectation));
    }
}

fn response(bytes: &[u8]) -> Option<Response> {
    let messages = parse(Kind::Response, bytes, bytes.len().max(1));
    match messages.into_iter().next()? {
        Some(Message::Response(response)) => Some(*response),
        _ => None,
    }
}
