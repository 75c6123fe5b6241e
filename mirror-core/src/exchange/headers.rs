//! Header fields as they stood on the wire.

use std::{borrow::Cow, fmt, ops::Range};

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

    /// The values of `name`, compared without case. It is found faster when it is spelled as senders usually do.
    #[inline]
    pub fn all(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        let name = name.as_bytes();
        let has_length = |field: &&Field| field.name.len as usize == name.len();
        let is_named = move |field: &&Field| {
            let ours = field.name.bytes(&self.block);
            ours == name || ours.eq_ignore_ascii_case(name)
        };
        let fields = self.fields.iter().filter(has_length).filter(is_named);
        fields.map(|field| field.value.bytes(&self.block))
    }

    /// Takes out the fields whose names are not to be kept.
    pub fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        // A copy, because the bytes of what is taken out must not be there any more either.
        if !self.iter().all(|(name, _)| keep(name)) {
            *self = self.edited(|field, name, lines| {
                if keep(name) {
                    lines.push_field(self, field);
                }
            });
        }
    }

    /// Gives `name` this value, at the place and in the spelling of its first line, or at the end. Its other lines go.
    pub fn set(&mut self, name: &str, value: &[u8]) {
        let mut is_set = false;
        let mut edited = self.edited(|field, old, lines| {
            if !old.eq_ignore_ascii_case(name) {
                lines.push_field(self, field);
            } else if !std::mem::replace(&mut is_set, true) {
                lines.push(old.as_bytes(), &spaced(value));
            }
        });
        if !is_set {
            edited.append(name, value);
        }
        *self = edited;
    }

    /// Takes out every line of `name`.
    pub fn remove(&mut self, name: &str) {
        self.retain(|other| !other.eq_ignore_ascii_case(name));
    }

    /// Puts a line after all others.
    pub fn append(&mut self, name: &str, value: &[u8]) {
        let mut lines = Lines::with_room(self, name.len() + value.len());
        for field in &self.fields {
            lines.push_field(self, field);
        }
        lines.push(&spaced(name.as_bytes()), &spaced(value));
        *self = lines.done();
    }

    /// Gives fields another value where `edit` has one for them.
    pub fn edit(&mut self, mut edit: impl FnMut(&str, &[u8]) -> Option<Vec<u8>>) {
        let edits: Vec<_> = self.iter().map(|(n, value)| edit(n, value)).collect();
        if edits.iter().any(Option::is_some) {
            let mut edits = edits.into_iter();
            *self = self.edited(|field, name, lines| match edits.next().flatten() {
                Some(value) => lines.push(name.as_bytes(), &spaced(&value)),
                None => lines.push_field(self, field),
            });
        }
    }

    /// The lines that the fields stand in.
    pub fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        self.fields.iter().map(|field| Line {
            name: field.name.bytes(&self.block),
            value: field.value.bytes(&self.block),
            place: self.place(field),
        })
    }

    /// The bytes of one line, or of lines that follow one another.
    pub fn captured(&self, place: Range<usize>) -> &[u8] {
        self.block.get(place).unwrap_or_default()
    }

    /// Where a field's line lies in the block, its end included.
    fn place(&self, field: &Field) -> Option<Range<usize>> {
        let start = field.name.at as usize;
        let after = |at: usize| self.block.get(at..).unwrap_or_default();
        let value = after(start + field.name.len as usize).strip_prefix(b":")?;
        let value = without_padding(value).strip_prefix(field.value.bytes(&self.block))?;
        let end = without_padding(value);
        let rest = end.strip_prefix(b"\r\n").or(end.strip_prefix(b"\n"))?;
        Some(start..self.block.len() - rest.len())
    }

    fn edited(&self, mut edit: impl FnMut(&Field, &str, &mut Lines)) -> Self {
        let mut lines = Lines::with_room(self, 0);
        for (field, (name, _)) in self.fields.iter().zip(self.iter()) {
            edit(field, name, &mut lines);
        }
        lines.done()
    }
}

/// A field as it stood on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    pub name: &'a [u8],
    pub value: &'a [u8],
    /// What [`Headers::captured`] is asked for to have all of the line, its end included; `None` where the field does not
    /// stand in a line. The lines of a head that nobody edited follow one another.
    pub place: Option<Range<usize>>,
}

/// Lines that are written one after the other.
struct Lines {
    block: BytesMut,
    fields: Vec<Field>,
}

impl Lines {
    /// For as many lines as `headers` has, and a line of so many bytes more.
    fn with_room(headers: &Headers, more: usize) -> Self {
        let bytes: usize = headers.iter().map(|(n, v)| n.len() + v.len() + 4).sum();
        Self {
            block: BytesMut::with_capacity(bytes + more + 4),
            fields: Vec::with_capacity(headers.len() + 1),
        }
    }

    fn push(&mut self, name: &[u8], value: &[u8]) {
        let name = self.put(name);
        self.block.extend_from_slice(b": ");
        let value = self.put(value);
        self.block.extend_from_slice(b"\r\n");
        self.fields.push(Field { name, value });
    }

    /// A field of `headers` as it is, spaces included.
    fn push_field(&mut self, headers: &Headers, field: &Field) {
        let Some(place) = headers.place(field) else {
            let (name, value) = (&field.name, &field.value);
            return self.push(name.bytes(&headers.block), value.bytes(&headers.block));
        };
        let at = self.put(headers.captured(place)).at;
        let moved = |span: Span| Span {
            at: at + span.at.saturating_sub(field.name.at),
            len: span.len,
        };
        self.fields.push(Field {
            name: moved(field.name),
            value: moved(field.value),
        });
    }

    fn put(&mut self, part: &[u8]) -> Span {
        let at = self.block.len() as u32;
        self.block.extend_from_slice(part);
        Span {
            at,
            len: part.len() as u32,
        }
    }

    fn done(self) -> Headers {
        Headers {
            block: self.block.freeze(),
            fields: self.fields,
        }
    }
}

fn without_padding(bytes: &[u8]) -> &[u8] {
    let is_padding = |byte: &&u8| matches!(byte, b' ' | b'\t');
    &bytes[bytes.iter().take_while(is_padding).count()..]
}

/// Bytes that would end a line are spaces instead (RFC 9110 §5.5), so that no value can add a field.
fn spaced(value: &[u8]) -> Cow<'_, [u8]> {
    let ends = |byte: &u8| matches!(byte, b'\r' | b'\n' | 0);
    if !value.iter().any(ends) {
        return value.into();
    }
    let spaced = value
        .iter()
        .map(|byte| if ends(byte) { b' ' } else { *byte });
    spaced.collect()
}

impl<N: AsRef<str>, V: AsRef<[u8]>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(fields: I) -> Self {
        let mut lines = Lines {
            block: BytesMut::new(),
            fields: Vec::new(),
        };
        for (name, value) in fields {
            lines.push(name.as_ref().as_bytes(), value.as_ref());
        }
        lines.done()
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

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: &[u8] =
        b"GET / HTTP/1.1\r\nHost:shop\r\nX-A:  1 \r\naccept:\r\nx-a: 2\r\n\r\nbody";

    /// As they were captured.
    fn captured() -> Headers {
        let block = Bytes::from_static(BLOCK);
        let part = |from: usize, len: usize| &block[from..from + len];
        let name = |from, len| std::str::from_utf8(part(from, len)).unwrap();
        let fields = [
            (name(16, 4), part(21, 4)),
            (name(27, 3), part(33, 1)),
            (name(37, 6), part(44, 0)),
            (name(46, 3), part(51, 1)),
        ];
        Headers::within(&block, fields.into_iter())
    }

    /// The lines as they are sent.
    fn text(headers: &Headers) -> String {
        let lines = headers.lines();
        let lines = lines.map(|line| headers.captured(line.place.unwrap()));
        String::from_utf8(lines.collect::<Vec<_>>().concat()).unwrap()
    }

    fn check(edit: impl FnOnce(&mut Headers), expect: &str) {
        let mut headers = captured();
        edit(&mut headers);
        assert_eq!(text(&headers), expect);
        let read: Vec<_> = headers.iter().map(|(name, _)| name.to_owned()).collect();
        let lines = expect.lines().map(|line| line.split(':').next().unwrap());
        assert!(lines.eq(read), "{expect}");
    }

    #[test]
    fn an_edit_keeps_the_place_and_the_bytes_of_all_other_lines() {
        let whole = "Host:shop\r\nX-A:  1 \r\naccept:\r\nx-a: 2\r\n";
        check(|_| {}, whole);
        check(|headers| headers.remove("nothing"), whole);
        check(|headers| headers.remove("X-a"), "Host:shop\r\naccept:\r\n");
        check(
            |headers| headers.set("x-a", b"3"),
            "Host:shop\r\nX-A: 3\r\naccept:\r\n",
        );
        check(
            |headers| headers.set("New", b"1"),
            &format!("{whole}New: 1\r\n"),
        );
        check(
            |headers| {
                headers.append("X-A", b"3");
                headers.set("HOST", b"");
            },
            "Host: \r\nX-A:  1 \r\naccept:\r\nx-a: 2\r\nX-A: 3\r\n",
        );
    }

    #[test]
    fn the_bytes_of_what_was_taken_out_are_gone() {
        let mut headers = captured();
        headers.remove("host");
        assert!(!headers.block.windows(4).any(|bytes| bytes == b"shop"));
        assert_eq!(headers.first("accept"), Some(&b""[..]));
        assert_eq!(headers.all("x-a").collect::<Vec<_>>(), [b"1", b"2"]);
    }

    #[test]
    fn a_value_cannot_add_a_line() {
        let mut headers = captured();
        headers.set("host", b"a\r\nEvil: 1");
        headers.append("b\n", b"\0c");
        assert_eq!(headers.first("host"), Some(&b"a  Evil: 1"[..]));
        assert_eq!(headers.len(), 4 + 1);
        assert_eq!(headers.first("b "), Some(&b" c"[..]));
    }

    #[test]
    fn fields_that_do_not_stand_in_lines_have_none() {
        let block = Bytes::from_static(b"a\x01b");
        let name = std::str::from_utf8(&block[..1]).unwrap();
        let mut headers = Headers::within(&block, [(name, &block[2..])].into_iter());
        assert_eq!(headers.lines().next().unwrap().place, None);
        headers.append("c", b"d");
        assert_eq!(text(&headers), "a: b\r\nc: d\r\n");
    }

    #[test]
    fn a_name_is_found_in_every_spelling() {
        let headers: Headers = [("host", "a"), ("Hosts", "b"), ("HOST", "c")]
            .into_iter()
            .collect();
        for name in ["Host", "host", "hOST"] {
            let values: Vec<_> = headers.all(name).collect();
            assert_eq!(values, [b"a", b"c"], "{name}");
        }
    }
}
