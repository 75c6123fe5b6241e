//! What stands in the store under an id, as far as the agent needs to know it.

use serde::Deserialize;

use crate::{Stamp, VERSION};

/// What a store holds under an id, as the agent needs to know it: whose it is, not what was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filed {
    /// A document with its stamp.
    Stamped(Stamp),
    /// Several requests had this id.
    Collided,
    /// A value without a stamp: whose it is cannot be told.
    Bare,
}

/// What takes the place of a snapshot when a second request has its id.
pub const COLLIDED: &[u8] = br#"{"mirror":1,"collided":true}"#;

#[derive(Deserialize)]
struct Head {
    mirror: u32,
    #[serde(default)]
    collided: bool,
    at: Option<u64>,
    us: Option<u16>,
    request: Option<String>,
    body: Option<String>,
    peer: Option<String>,
    position: Option<String>,
}

impl Filed {
    /// Reads the stamp and skips the rest.
    pub fn read(value: &[u8]) -> Self {
        let head = match value.first() {
            Some(b'{') => serde_json::from_slice::<Head>(value).ok(),
            #[cfg(feature = "msgpack")]
            Some(0x80..=0x8f | 0xde | 0xdf) => rmp_serde::from_slice::<Head>(value).ok(),
            _ => None,
        };
        match head {
            Some(head) if head.collided => Self::Collided,
            Some(Head {
                mirror: VERSION,
                at: Some(at),
                us,
                request: Some(request),
                body,
                peer,
                position,
                ..
            }) => Self::Stamped(Stamp {
                at,
                us,
                request,
                body,
                peer,
                position,
            }),
            _ => Self::Bare,
        }
    }
}
