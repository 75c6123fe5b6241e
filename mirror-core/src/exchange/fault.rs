//! Why a message is not whole, or must not be trusted.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a message cannot be replayed or compared. As text it goes on after "it is".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Bytes of it were never captured.
    Gap,
    /// The connection, the capture or the next message began before its end.
    Truncated,
    /// Its body is over the cap; the rest was dropped.
    TooLarge,
    /// Its head is over the cap; the rest was dropped, and nothing is known of a body.
    HeadTooLarge,
    /// Two parsers could read it differently.
    Ambiguous(Ambiguity),
}

/// What two parsers could read differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ambiguity {
    StartLine,
    TargetBytes,
    TargetForm,
    FieldLine,
    FieldBytes,
    FoldedField,
    BareCr,
    MixedLineEnds,
    SeveralHosts,
    LookalikeField,
    ContentLength,
    LengthAndCoding,
    TransferCoding,
    Chunk,
    Trailer,
    UrgentData,
    UnseenStart,
    AfterAmbiguous,
}

impl Fault {
    /// The kind of fault in one word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gap => "gap",
            Self::Truncated => "truncated",
            Self::TooLarge => "too_large",
            Self::HeadTooLarge => "head_too_large",
            Self::Ambiguous(_) => "ambiguous",
        }
    }

    /// What is wrong, for people.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Gap => "bytes of it were not captured",
            Self::Truncated => "it ends before its declared end",
            Self::TooLarge => "its body is larger than the limit (--max-body)",
            Self::HeadTooLarge => "head too large: start line and fields are over the limit",
            Self::Ambiguous(ambiguity) => ambiguity.reason(),
        }
    }
}

impl Ambiguity {
    /// What is wrong, for people.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::StartLine => "its first line is not a request line",
            Self::TargetBytes => "spaces or control characters in the target",
            Self::TargetForm => "the target has no valid form: it does not begin with a slash",
            Self::FieldLine => "a line in the head is not a header field",
            Self::FieldBytes => "control characters in a header field",
            Self::FoldedField => "a header field goes on in the next line",
            Self::BareCr => "a carriage return without a line feed",
            Self::MixedLineEnds => "some lines end with CRLF and some with LF",
            Self::SeveralHosts => "several Host fields",
            Self::LookalikeField => "a field that gateways take for a framing field",
            Self::ContentLength => "Content-Length is not one number",
            Self::LengthAndCoding => "both Content-Length and Transfer-Encoding",
            Self::TransferCoding => "a transfer coding other than chunked",
            Self::Chunk => "a malformed chunk",
            Self::Trailer => "a framing field in the trailers",
            Self::UrgentData => "TCP urgent data inside of it",
            Self::AfterAmbiguous => "it follows an ambiguous request in one packet",
            Self::UnseenStart => {
                "its first line is not whole in the first packet that was captured"
            }
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ambiguous(ambiguity) => write!(f, "ambiguous: {}", ambiguity.reason()),
            other => write!(f, "not whole: {}", other.reason()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_small_and_says_why() {
        assert_eq!(size_of::<Option<Fault>>(), 1);
        let fault = Fault::Ambiguous(Ambiguity::ContentLength);
        assert_eq!(fault.name(), "ambiguous");
        assert_eq!(
            fault.to_string(),
            "ambiguous: Content-Length is not one number"
        );
        assert_eq!(
            Fault::Gap.to_string(),
            "not whole: bytes of it were not captured"
        );
    }
}
