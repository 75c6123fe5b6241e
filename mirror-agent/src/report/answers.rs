//! Both answers of an example in full, as a run keeps them: redacted as everything else that is kept.

use serde::{Deserialize, Serialize};

/// A request and the two answers to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredAnswers {
    /// As [`DifferenceExample::answers`](super::DifferenceExample::answers) names them.
    pub number: u64,
    pub request: StoredMessage,
    pub production: StoredMessage,
    pub mirror: StoredMessage,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredMessage {
    /// As in `GET /x HTTP/1.1` or `HTTP/1.1 200 OK`.
    pub first_line: String,
    /// Of an answer.
    pub status: Option<u16>,
    pub headers: Vec<(String, String)>,
    pub body: StoredBody,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredBody {
    /// Without its content coding, where that is UTF-8.
    pub text: Option<String>,
    /// The same, where it is not.
    pub base64: Option<String>,
    /// Length of the whole body, without its content coding.
    pub bytes: u64,
    /// Whether text or base64 is only its beginning.
    pub is_cut: bool,
    /// Of the whole body, in hexadecimal digits.
    pub sha256: String,
}
