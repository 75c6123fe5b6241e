//! What production, mirror and agent agree on.

use mirror_contract::{Document, EffectsDocument, Encoding, Fields, Filed, IdRules, RequestTarget};

use crate::input::Input;

/// A request of which every header has one value.
struct Request<'a> {
    target: RequestTarget,
    header: &'a [u8],
    body: &'a [u8],
}

impl Fields for Request<'_> {
    fn method(&self) -> &str {
        "POST"
    }

    fn target(&self) -> Option<&RequestTarget> {
        Some(&self.target)
    }

    fn header(&self, _name: &str, nth: usize) -> Option<&[u8]> {
        (nth < 2).then_some(self.header)
    }

    fn body(&self) -> Option<&[u8]> {
        Some(self.body)
    }
}

/// No rule and no request panics; what a request is named is among its candidates; and the parts of a target are parts of it.
pub fn rules(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let text = String::from_utf8_lossy(input.piece()).into_owned();
    let target = input.piece().to_vec();
    let request = Request {
        target: RequestTarget::parse("POST", target.clone()),
        header: input.piece(),
        body: input.rest(),
    };
    assert_eq!(request.target.as_bytes()[..], target[..]);
    let is_part = |part: &[u8]| part.len() <= target.len() || part == b"/";
    assert!(is_part(request.target.path()) && request.target.query().is_none_or(is_part));
    let Ok(rules) = IdRules::parse(&text.lines().collect::<Vec<_>>()) else {
        return;
    };
    let seconds = 1_700_000_000;
    let candidates = rules.candidates(&request, None, seconds, 2);
    let derived = rules.derive(&request, None, seconds);
    assert_eq!(candidates.ids.first(), derived.as_ref().map(|(id, _)| id));
}

/// What can be read can be written, and reads the same again.
pub fn document(bytes: &[u8]) {
    let _ = EffectsDocument::of_snapshot(bytes);
    if let Ok(effects) = EffectsDocument::from_bytes(bytes) {
        for encoding in [Encoding::Json, Encoding::MessagePack] {
            let written = effects.to_bytes(encoding).expect("effects can be written");
            let again =
                EffectsDocument::from_bytes(&written).expect("what was written can be read");
            assert_eq!(again, effects);
        }
    }
    let filed = Filed::read(bytes);
    let Ok(document) = Document::from_bytes(bytes) else {
        return;
    };
    assert!(!matches!(filed, Filed::Collided));
    let written = document.to_bytes().expect("a document can be written");
    let again = Document::from_bytes(&written).expect("what was written can be read");
    assert_eq!(again, document);
}
