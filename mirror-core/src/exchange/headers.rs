//! Header fields as they stood on the wire.

use std::fmt;

use bytes::{Bytes, BytesMut};

/// Header fields in the order and spelling of the wire: places in the one slice of what was captured that holds them all.
#[derive(Clone, Default)]
pub struct Headers {
    block: Bytes,
    fields: Vec<Field>,
}

#[derive(Clone, Copy)]
struct Field {
    name: Span,
    value: Span,
}

/// A head is far smaller than 4 GiB.
#[derive(Clone, Copy)]
struct Span {
    at: u32,
    len: u32,
}

impl Span {
    /// Where `part` lies in `block`; an empty span when it does not.
    fn of(block: &[u8], part: &[u8]) -> Self {
        let at = (part.as_ptr() as usize).wrapping_sub(block.as_ptr() as usize);
        let inside = at
            .checked_add(part.len())
            .is_some_and(|end| end <= block.len());
        match (u32::try_from(at), u32::try_from(part.len())) {
            (Ok(at), Ok(len)) if inside => Self { at, len },
            _ => Self { at: 0, len: 0 },
        }
    }

    fn bytes(self, block: &[u8]) -> &[u8] {
        let at = self.at as usize;
        block.get(at..at + self.len as usize).unwrap_or_default()
    }
}

/// What a message without fields has.
pub(super) static NONE: Headers = Headers {
    block: Bytes::new(),
    fields: Vec::new(),
};

impl Headers {
    /// Fields whose names and values are parts of `block`.
    pub fn within<'a>(block: &Bytes, fields: impl Iterator<Item = (&'a str, &'a [u8])>) -> Self {
        let place = |(name, value): (&str, &[u8])| Field {
            name: Span::of(block, name.as_bytes()),
            value: Span::of(block, value),
        };
        Self {
            fields: fields.map(place).collect(),
            block: block.clone(),
        }
    }

    /// The names alone, which are text.
    pub fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.fields
            .iter()
            .map(|field| field.name.bytes(&self.block))
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let text =
            |field: &Field| std::str::from_utf8(field.name.bytes(&self.block)).unwrap_or_default();
        self.fields
            .iter()
            .map(move |field| (text(field), field.value.bytes(&self.block)))
    }

    pub fn len(&self) -> usize {
        self.fields.len()
    }

    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The first value of `name`, compared without case.
    pub fn first(&self, name: &str) -> Option<&[u8]> {
        self.all(name).next()
    }

    pub fn all(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        let is_named = move |field: &&Field| {
            field.name.len as usize == name.len()
                && field
                    .name
                    .bytes(&self.block)
                    .eq_ignore_ascii_case(name.as_bytes())
        };
        self.fields
            .iter()
            .filter(is_named)
            .map(|field| field.value.bytes(&self.block))
    }

    pub fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        // The bytes of what is taken out must not be there any more either.
        *self = self.iter().filter(|(name, _)| keep(name)).collect();
    }
}

impl<N: AsRef<str>, V: AsRef<[u8]>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(fields: I) -> Self {
        let mut block = BytesMut::new();
        let mut push = |part: &[u8]| {
            let at = block.len() as u32;
            block.extend_from_slice(part);
            let len = part.len() as u32;
            Span { at, len }
        };
        let fields = fields.into_iter().map(|(name, value)| Field {
            name: push(name.as_ref().as_bytes()),
            value: push(value.as_ref()),
        });
        Self {
            fields: fields.collect(),
            block: block.freeze(),
        }
    }
}

impl PartialEq for Headers {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl Eq for Headers {}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |(name, value)| format!("{name}: {}", String::from_utf8_lossy(value));
        f.debug_list().entries(self.iter().map(text)).finish()
    }
}
