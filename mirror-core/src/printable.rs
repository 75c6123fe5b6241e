//! Which characters of a text may be shown as they are.

/// Whether a terminal, a log or a page could take a character for a command, or a reader would not see it: control characters, C1
/// among them (U+009B begins a sequence as ESC [ does), what turns the direction of a text, and what has no width.
pub fn is_unsafe(c: char) -> bool {
    let is_invisible = matches!(
        c,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    );
    c.is_control() || is_invisible
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_or_hides_is_unsafe() {
        for c in
            "\0\u{1b}\n\u{7f}\u{9b}\u{61c}\u{202e}\u{2066}\u{200d}\u{2060}\u{feff}\u{e0041}".chars()
        {
            assert!(is_unsafe(c), "{c:?}");
        }
        for c in "a é中\u{301}🎉\u{a0}".chars() {
            assert!(!is_unsafe(c), "{c:?}");
        }
    }
}
