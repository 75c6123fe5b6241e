//! Whether the lines of a head end alike.

use crate::exchange::Ambiguity;

/// Only bare LFs everywhere are a habit of simple clients; among CRLFs they hide a line from some parsers. `ends` are the
/// places of LFs.
pub(super) fn ambiguity(head: &[u8], ends: impl Iterator<Item = usize>) -> Option<Ambiguity> {
    let mut after_cr = ends.map(|end| is_after_cr(head, end));
    let first = after_cr.next();
    let is_mixed = after_cr.any(|other| Some(other) != first);
    is_mixed.then_some(Ambiguity::MixedLineEnds)
}

/// Where lines end in a head of such fields, none of them folded: before each name, and before and after the empty line.
/// The parser has found these places already, and to look for LFs again would take as long as a third of its work.
pub(super) fn of_fields(
    head: &[u8],
    fields: &[httparse::Header<'_>],
) -> impl Iterator<Item = usize> {
    let last = head.len().saturating_sub(1);
    let before_last = last.saturating_sub(1 + usize::from(is_after_cr(head, last)));
    let start = |name: &str| (name.as_ptr() as usize).wrapping_sub(head.as_ptr() as usize);
    let before_names = fields
        .iter()
        .map(move |field| start(field.name).wrapping_sub(1));
    before_names.chain([before_last, last])
}

fn is_after_cr(head: &[u8], end: usize) -> bool {
    end.checked_sub(1).and_then(|before| head.get(before)) == Some(&b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each way to end the lines of a head: the places are those of all LFs.
    #[test]
    fn the_fields_tell_where_lines_end() {
        let lines = ["GET / HTTP/1.1", "A: b ", "Long-Name:", "C:\td", ""];
        for count in 0..lines.len() - 1 {
            let lines = [&lines[..=count], &[""]].concat();
            for crlfs in 0..1 << lines.len() {
                let end = |line: usize| if crlfs >> line & 1 == 1 { "\r\n" } else { "\n" };
                let ended = |(at, line): (usize, &&str)| format!("{line}{}", end(at));
                let head: String = lines.iter().enumerate().map(ended).collect();
                let mut fields = [httparse::EMPTY_HEADER; 4];
                let mut request = httparse::Request::new(&mut fields);
                request.parse(head.as_bytes()).unwrap();
                let head = head.as_bytes();
                let ends: Vec<_> = of_fields(head, request.headers).collect();
                let all: Vec<_> = memchr::memchr_iter(b'\n', head).collect();
                assert_eq!(ends, all);
                let is_mixed = crlfs != 0 && crlfs != (1 << lines.len()) - 1;
                assert_eq!(ambiguity(head, ends.into_iter()).is_some(), is_mixed);
            }
        }
    }
}
