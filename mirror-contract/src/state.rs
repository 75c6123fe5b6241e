//! What a mirror's answer says about its snapshot, in the header [`HEADER_SNAPSHOT`](crate::HEADER_SNAPSHOT).

use std::fmt;

/// How a mirror's look for the snapshot ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SnapshotState {
    /// It was there at the first look.
    Hit,
    /// It came while the mirror waited.
    Late,
    /// It did not come.
    Missing,
    /// Several requests had its id.
    Collided,
    /// The store did not answer.
    Unavailable,
    /// It is not a document that this service reads.
    Unreadable,
    /// A read of this request is not in it.
    Incomplete,
    /// The request did not ask for it.
    Unread,
}

impl SnapshotState {
    pub const ALL: [Self; 8] = [
        Self::Hit,
        Self::Late,
        Self::Missing,
        Self::Collided,
        Self::Unavailable,
        Self::Unreadable,
        Self::Incomplete,
        Self::Unread,
    ];

    /// The value of the header.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Late => "late",
            Self::Missing => "missing",
            Self::Collided => "collided",
            Self::Unavailable => "unavailable",
            Self::Unreadable => "unreadable",
            Self::Incomplete => "incomplete",
            Self::Unread => "unread",
        }
    }

    /// Reads the header's value; `None` for a value that this version does not know.
    pub fn from_header(value: &[u8]) -> Option<Self> {
        let value = value.trim_ascii();
        let is_named = |state: &Self| value.eq_ignore_ascii_case(state.name().as_bytes());
        Self::ALL.into_iter().find(is_named)
    }

    /// Whether the mirror answered without production's data, so that its answer is not to be compared.
    pub const fn is_without_data(self) -> bool {
        matches!(
            self,
            Self::Missing | Self::Collided | Self::Unavailable | Self::Unreadable
        )
    }
}

impl fmt::Display for SnapshotState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_is_read_as_it_is_written() {
        for state in SnapshotState::ALL {
            assert_eq!(
                SnapshotState::from_header(state.name().as_bytes()),
                Some(state)
            );
        }
        assert_eq!(
            SnapshotState::from_header(b" Hit "),
            Some(SnapshotState::Hit)
        );
        assert_eq!(SnapshotState::from_header(b"hits"), None);
    }
}
