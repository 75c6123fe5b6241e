//! The page of a run that goes on.

/// What a reader of the live page may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LiveMode {
    Watch,
    /// Pause and resume too.
    Control,
}

impl LiveMode {
    /// As the page says it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Watch => "watch",
            Self::Control => "control",
        }
    }
}
