//! HTML: a tree of elements, as browsers read it but for some repairs.
//!
//! The tokens are those of the standard. The tree is simpler: end tags that may be left out are put in, an end tag that
//! belongs to nothing is ignored, and no element is invented or moved. What matters is that two pages are read alike, in linear
//! time. Comments are ignored. Spaces are folded, but for `pre`, `textarea`, scripts and styles.

use html5gum::emitters::callback::{CallbackEmitter, CallbackEvent};
use std::collections::HashMap;
use std::rc::Rc;

use foldhash::fast::RandomState;
use html5gum::{Span, Tokenizer};

use super::tree::{Builder, Paths, Tree};
use crate::compare::BodyLimits;
use crate::json::NotRead;

/// How many open elements a tag looks at for the one that it ends, so that deep pages take linear time.
const MAX_LOOK: usize = 128;

const VOID: [&str; 14] = [
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source",
    "track", "wbr",
];
/// Spaces beside these separate words.
const INLINE: [&str; 35] = [
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "button", "cite", "code", "data", "del",
    "dfn", "em", "font", "i", "img", "input", "ins", "kbd", "label", "mark", "q", "s", "samp",
    "select", "small", "span", "strong", "sub", "sup", "time", "u", "var", "svg",
];
const VERBATIM: [&str; 4] = ["pre", "textarea", "script", "style"];
/// Their start ends a paragraph.
const BLOCK: [&str; 32] = [
    "address",
    "article",
    "aside",
    "blockquote",
    "details",
    "dialog",
    "div",
    "dl",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hgroup",
    "hr",
    "main",
    "menu",
    "nav",
    "ol",
    "p",
    "pre",
    "search",
    "section",
    "table",
    "ul",
];
/// An end tag within a cell does not end what is outside of it, unless it is of a table itself.
const CELLS: [&str; 4] = ["td", "th", "caption", "template"];
const TABLE: [&str; 7] = ["table", "thead", "tbody", "tfoot", "tr", "body", "html"];

/// Start tags, the open elements that they end, and the elements in which those are looked for.
const IMPLIED_ENDS: [(&[&str], &[&str], &[&str]); 8] = [
    (&["li"], &["li"], &["ul", "ol", "menu"]),
    (&["dt", "dd"], &["dt", "dd"], &["dl"]),
    (
        &["option"],
        &["option"],
        &["select", "datalist", "optgroup"],
    ),
    (&["optgroup"], &["optgroup", "option"], &["select"]),
    (&["td", "th"], &["td", "th"], &["tr", "table"]),
    (&["tr"], &["tr"], &["table"]),
    (
        &["thead", "tbody", "tfoot"],
        &["thead", "tbody", "tfoot"],
        &["table"],
    ),
    (&["body"], &["head"], &["html"]),
];

/// Where an open paragraph is not looked for any more.
const PARAGRAPH_SCOPES: [&str; 8] = [
    "table", "td", "th", "caption", "button", "object", "template", "li",
];

pub(super) fn read(text: &str, paths: &mut Paths, limits: BodyLimits) -> Result<Tree, NotRead> {
    let mut page = Page {
        builder: Builder::new(paths, limits, text.len()),
        tags: HashMap::default(),
        open: Vec::new(),
        paragraphs: 0,
        text: String::new(),
        attribute: None,
        is_in_tag: false,
        follows_inline: false,
        foreign: 0,
        verbatim: 0,
    };
    let take = |event: CallbackEvent<'_>, _: Span<()>| {
        page.take(event);
        // A token ends the reading.
        page.builder.is_over().then_some(())
    };
    let mut emitter = CallbackEmitter::new(take);
    emitter.naively_switch_states(true);
    let is_over = Tokenizer::new_with_emitter(text, emitter).next().is_some();
    if is_over {
        return Err(NotRead::TooLarge);
    }
    page.end_text(false);
    page.unfinished(text);
    page.builder.finish().ok_or(NotRead::TooLarge)
}

struct Page<'p> {
    builder: Builder<'p>,
    /// Those that were seen.
    tags: HashMap<Rc<str>, Tag, RandomState>,
    /// Elements that are open.
    open: Vec<Tag>,
    /// How many of them are `p`.
    paragraphs: usize,
    /// Since the last tag.
    text: String,
    /// An attribute that has no value yet.
    attribute: Option<String>,
    is_in_tag: bool,
    /// Whether an element within a line of text has just ended.
    follows_inline: bool,
    /// Open elements of SVG and MathML, with what is in them.
    foreign: usize,
    /// Open elements in which spaces count.
    verbatim: usize,
}

/// A name, and what the lists above say about it.
#[derive(Clone)]
struct Tag {
    name: Rc<str>,
    is_void: bool,
    is_inline: bool,
    is_verbatim: bool,
    is_block: bool,
    is_table: bool,
    /// An index of [`IMPLIED_ENDS`].
    implied_ends: Option<usize>,
}

impl Tag {
    fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            is_void: VOID.contains(&name),
            is_inline: INLINE.contains(&name),
            is_verbatim: VERBATIM.contains(&name),
            is_block: BLOCK.contains(&name),
            is_table: TABLE.contains(&name),
            implied_ends: IMPLIED_ENDS
                .iter()
                .position(|(starts, ..)| starts.contains(&name)),
        }
    }
}

impl Page<'_> {
    fn take(&mut self, event: CallbackEvent<'_>) {
        let lossy = String::from_utf8_lossy;
        match event {
            CallbackEvent::OpenStartTag { name } => self.start(&lossy(name)),
            CallbackEvent::AttributeName { name } if self.is_in_tag => {
                self.end_attribute("");
                self.attribute = Some(lossy(name).into_owned());
            }
            CallbackEvent::AttributeValue { value } => self.end_attribute(&lossy(value)),
            CallbackEvent::CloseStartTag { self_closing } => self.end_start(self_closing),
            CallbackEvent::EndTag { name } => self.end(&lossy(name)),
            CallbackEvent::String { value } => self.text.push_str(&lossy(value)),
            CallbackEvent::Doctype {
                name,
                public_identifier,
                ..
            } => {
                let public = public_identifier.unwrap_or_default();
                let doctype = format!("{} {}", lossy(name), lossy(public));
                self.builder.attribute("doctype", doctype.trim_ascii());
            }
            _ => {}
        }
    }

    fn tag(&mut self, name: &str) -> Tag {
        if let Some(tag) = self.tags.get(name) {
            return tag.clone();
        }
        let tag = Tag::new(name);
        self.tags.insert(tag.name.clone(), tag.clone());
        tag
    }

    fn start(&mut self, name: &str) {
        let tag = self.tag(name);
        self.end_text(tag.is_inline);
        if self.foreign == 0 {
            if let Some(at) = tag.implied_ends {
                let (_, ends, scopes) = IMPLIED_ENDS[at];
                self.end_first(ends, scopes);
            }
            if tag.is_block && self.paragraphs > 0 {
                self.end_first(&["p"], &PARAGRAPH_SCOPES);
            }
        }
        self.builder.open(name);
        self.foreign += usize::from(self.foreign > 0 || name == "svg" || name == "math");
        self.verbatim += usize::from(self.verbatim > 0 || tag.is_verbatim);
        self.paragraphs += usize::from(name == "p");
        self.open.push(tag);
        self.follows_inline = false;
        self.is_in_tag = true;
    }

    fn end_attribute(&mut self, value: &str) {
        if let Some(name) = self.attribute.take() {
            self.builder.attribute(&name, value);
        }
    }

    fn end_start(&mut self, self_closing: bool) {
        self.end_attribute("");
        self.is_in_tag = false;
        let is_void = match self.open.last() {
            Some(_) if self.foreign > 0 => self_closing,
            Some(tag) => tag.is_void,
            None => false,
        };
        if is_void {
            self.pop();
        }
    }

    fn end(&mut self, name: &str) {
        let is_table = self.tags.get(name).is_some_and(|tag| tag.is_table);
        let scopes: &[&str] = if is_table { &[] } else { &CELLS };
        if self.find(&[name], scopes).is_some() {
            self.end_text(false);
            self.end_first(&[name], scopes);
        }
    }

    /// Ends the innermost open element of these names, with all that are in it.
    fn end_first(&mut self, names: &[&str], scopes: &[&str]) {
        if let Some(at) = self.find(names, scopes) {
            while self.open.len() > at {
                self.pop();
            }
        }
    }

    /// The innermost open element of these names that is not outside of a scope.
    fn find(&self, names: &[&str], scopes: &[&str]) -> Option<usize> {
        let innermost = self.open.iter().enumerate().rev().take(MAX_LOOK);
        for (at, tag) in innermost {
            let name = &*tag.name;
            if names.contains(&name) {
                return Some(at);
            }
            if scopes.contains(&name) {
                return None;
            }
        }
        None
    }

    fn pop(&mut self) {
        self.builder.close();
        self.foreign = self.foreign.saturating_sub(1);
        self.verbatim = self.verbatim.saturating_sub(1);
        let Some(tag) = self.open.pop() else {
            return;
        };
        self.paragraphs -= usize::from(&*tag.name == "p");
        self.follows_inline = tag.is_inline;
    }

    /// A tag that has no end is ignored by browsers. Here it is kept, because a page that was cut is a difference.
    fn unfinished(&mut self, page: &str) {
        let last = page.rfind(['<', '>']).map(|at| &page[at..]);
        let Some(last) = last.filter(|last| last.starts_with('<')) else {
            return;
        };
        let is_tag = last[1..].starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
        if is_tag {
            while !self.open.is_empty() {
                self.pop();
            }
            self.builder.attribute("unfinished", last);
        }
    }

    /// Ends a text before a tag. A space beside an element within the line stays.
    fn end_text(&mut self, is_inline_next: bool) {
        let text = std::mem::take(&mut self.text);
        let mut words = text.split_ascii_whitespace();
        let Some(first) = words.next() else {
            return;
        };
        if self.verbatim > 0 {
            return self.builder.text(&text);
        }
        let is_space = |c: char| c.is_ascii_whitespace();
        let mut folded = String::with_capacity(text.len());
        if self.follows_inline && text.starts_with(is_space) {
            folded.push(' ');
        }
        folded.push_str(first);
        for word in words {
            folded.push(' ');
            folded.push_str(word);
        }
        if is_inline_next && text.ends_with(is_space) {
            folded.push(' ');
        }
        self.builder.text(&folded);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, check_not_read, check_pair, check_read};

    const HTML: &str = "text/html; charset=utf-8";

    #[test]
    fn a_page_is_a_tree() {
        check(
            HTML,
            r#"<!DOCTYPE html>
<html lang=en>
  <head><meta charset="utf-8"><title>Orders &amp; more</title>
    <script>if (a < b) { f("<p>"); }</script></head>
  <body class='wide' hidden>
    <!-- build 17 -->
    <h1>Orders</h1>
    <div><p>One   <b>bold</b> word</p></div>
    <div><p>Two<br>lines</p></div>
  </body>
</html>"#,
            r##"{"@doctype":"html","html":{"@lang":"en","head":{"meta":{"@charset":"utf-8"},"title":"Orders & more","script":"if (a < b) { f(\"<p>\"); }"},"body":{"@class":"wide","@hidden":"","h1":"Orders","div":[{"p":{"b":"bold","#text":["One "," word"]}},{"p":{"br":"","#text":["Two","lines"]}}]}}}"##,
        );
    }

    #[test]
    fn end_tags_may_be_left_out() {
        let whole = "<ul><li>a</li><li>b<ul><li>c</li></ul></li></ul><p>d</p><div>e</div>";
        let expect =
            r##"{"ul":{"li":[{"#text":"a"},{"ul":{"li":["c"]},"#text":"b"}]},"p":"d","div":"e"}"##;
        check(HTML, whole, expect);
        check(
            HTML,
            "<ul><li>a<li>b<ul><li>c</ul></ul><p>d<div>e</div>",
            expect,
        );
        check(
            HTML,
            "<table><tr><td>1<td>2<tr><td><table><tr><td>3</table></table>x",
            r##"{"table":{"tr":[{"td":[{"#text":"1"},{"#text":"2"}]},{"td":[{"table":{"tr":[{"td":["3"]}]},"#text":""}]}]},"#text":"x"}"##,
        );
        check(
            HTML,
            "<select><option value=1>a<option>b</select><dl><dt>c<dd>d<dt>e</dl>",
            r##"{"select":{"option":[{"@value":"1","#text":"a"},{"#text":"b"}]},"dl":{"dt":["c","e"],"dd":["d"]}}"##,
        );
    }

    #[test]
    fn end_tags_that_belong_to_nothing_are_ignored() {
        check(
            HTML,
            "<p>a</b>b</i></p></div>c",
            r##"{"p":"ab","#text":"c"}"##,
        );
        check(
            HTML,
            "<b><table><tr><td>x</b>y</table></b>",
            r#"{"b":{"table":{"tr":[{"td":["xy"]}]}}}"#,
        );
        check(HTML, "<b><i>x</b>y</i>", r##"{"b":{"i":"x"},"#text":"y"}"##);
    }

    #[test]
    fn spaces_count_only_where_a_reader_sees_them() {
        let expect = r#"{"div":{"p":"a b"}}"#;
        check(HTML, "<div>\n  <p>\n a\n  b </p>\n</div>", expect);
        check(HTML, "<div><p>a b</p></div>", expect);
        check(HTML, "<pre>a\n  b</pre>", r#"{"pre":"a\n  b"}"#);
        check(
            HTML,
            "<a>x</a> y <div>z</div>",
            r##"{"a":"x","div":"z","#text":" y"}"##,
        );
        check(HTML, "<p>a&nbsp;b", "{\"p\":\"a\u{a0}b\"}");
    }

    #[test]
    fn pictures_may_close_their_tags_themselves() {
        check(
            HTML,
            "<svg><g><path d='M0'/><path/></g></svg><br/><p/>a",
            r#"{"svg":{"g":{"path":[{"@d":"M0"},{}]}},"br":"","p":"a"}"#,
        );
    }

    #[test]
    fn a_changed_order_of_the_same_elements_is_told() {
        check_pair(
            (HTML, "<h1>a</h1><p>b</p>"),
            (HTML, "<p>b</p><h1>a</h1>"),
            Some((
                r##"{"h1":"a","p":"b","#order":["h1","p"]}"##,
                r##"{"h1":"a","p":"b","#order":["p","h1"]}"##,
            )),
        );
    }

    #[test]
    fn a_page_that_ends_within_a_tag_keeps_it() {
        check(
            HTML,
            "<p>a<b c='1",
            r##"{"@unfinished":"<b c='1","p":{"b":"","#text":"a"}}"##,
        );
        check(HTML, "<p>a < b", r#"{"p":"a < b"}"#);
    }

    #[test]
    fn odd_pages_are_read() {
        for page in [
            "",
            "<",
            "<>",
            "</",
            "<!",
            "<!--",
            "<a",
            "<a b",
            "<a b=",
            "<a b='",
            "</p x=y>",
            "<script>",
            "<textarea><p>",
            "<![CDATA[x]]>",
            "&#0;&#xFFFFFFF;&",
            "<?php ?>",
            "<p\0>\0</p>",
        ] {
            check_read(HTML, page);
        }
        check(
            HTML,
            "<a b=1 b=2 c>x</a d=3>",
            r##"{"a":{"@b":"1","@c":"","#text":"x"}}"##,
        );
    }

    #[test]
    fn a_hostile_page_is_harmless() {
        check_read(HTML, "<div>".repeat(15_000));
        check_read(HTML, "<b><p>".repeat(8_000));
        let ends = "</x>".repeat(20_000);
        check_read(HTML, format!("{}{ends}", "<i>".repeat(10_000)));
        let attributes: String = (0..15_000).map(|n| format!(" a{n}=1")).collect();
        check_read(HTML, format!("<a{attributes}>"));
        check_not_read(HTML, "<br>".repeat(30_000));
        check_not_read(HTML, "<div>".repeat(30_000));
    }
}
