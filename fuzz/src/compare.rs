//! Two answers.

use mirror_core::compare::{CompareOptions, compare as judge};
use mirror_core::exchange::Response;
use mirror_core::http::{Kind, Message};

use crate::http::parse;
use crate::input::Input;

/// An answer is like itself, and whether two are alike does not depend on which comes first.
pub fn compare(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (first, second) = (response(input.piece()), response(input.piece()));
    let options = CompareOptions {
        ignore: vec!["/a/*/b".into()],
        ..CompareOptions::default()
    };
    let alike = |a: &Response, b: &Response| !judge(&options, a, b).differs();
    for one in [&first, &second].into_iter().flatten() {
        assert!(alike(one, one));
    }
    if let (Some(first), Some(second)) = (&first, &second) {
        assert_eq!(alike(first, second), alike(second, first));
    }
}

fn response(bytes: &[u8]) -> Option<Response> {
    let messages = parse(Kind::Response, bytes, bytes.len().max(1));
    match messages.into_iter().next()? {
        Some(Message::Response(response)) => Some(*response),
        _ => None,
    }
}
