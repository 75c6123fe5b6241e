//! XML: a tree of elements by their local names.
//!
//! A prefix is a free choice of who writes, and an URI would make places unreadable (`/{http://…}Envelope`). So an element is
//! named without both, and has `@xmlns` where its namespace is not that of the element around it. An attribute has a prefix
//! where its namespace is one of those that everybody knows, else the URI.
//!
//! Comments, processing instructions and the document type are ignored. CDATA is text. No entity is ever looked up: but for the
//! five that XML has, a reference stays as it was written, so that there is nothing to expand.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::tree::{Builder, Paths, Tree};
use crate::compare::BodyLimits;
use crate::json::NotRead;

/// Longest name of an entity that is looked for in an attribute.
const MAX_REFERENCE: usize = 64;
const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
const KNOWN: [(&str, &str); 4] = [
    ("http://www.w3.org/XML/1998/namespace", "xml"),
    (XSI, "xsi"),
    ("http://www.w3.org/1999/xlink", "xlink"),
    ("http://schemas.xmlsoap.org/soap/envelope/", "soap"),
];

pub(super) fn read(text: &str, paths: &mut Paths, limits: BodyLimits) -> Result<Tree, NotRead> {
    let mut reader = Reader::from_str(text);
    let mut document = Document {
        builder: Builder::new(paths, limits, text.len()),
        namespaces: Namespaces::new(),
        elements: Vec::new(),
        text: String::new(),
        has_cdata: false,
        has_root: false,
    };
    while !document.builder.is_over() {
        match reader.read_event().map_err(|_| NotRead::NotJson)? {
            Event::Start(start) => document.start(&start)?,
            Event::End(_) => document.end(),
            Event::Empty(start) => {
                document.start(&start)?;
                document.end();
            }
            Event::Text(text) => document.text.push_str(&text.xml10_content()),
            Event::CData(text) => {
                document.text.push_str(&text.xml10_content());
                document.has_cdata = true;
            }
            Event::GeneralRef(name) => push_reference(&mut document.text, &name),
            Event::Eof => return document.finish(),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
    Err(NotRead::TooLarge)
}

struct Document<'p> {
    builder: Builder<'p>,
    namespaces: Namespaces,
    /// Namespace of each element that is open, and whether spaces in it count.
    elements: Vec<(u32, bool)>,
    /// Since the last tag.
    text: String,
    has_cdata: bool,
    has_root: bool,
}

impl Document<'_> {
    fn start(&mut self, start: &BytesStart<'_>) -> Result<(), NotRead> {
        self.end_text(false)?;
        if self.elements.is_empty() && self.has_root {
            return Err(NotRead::NotJson);
        }
        self.has_root = true;
        let (outer, mut keeps_space) = self.elements.last().copied().unwrap_or_default();
        let mut attributes = Vec::new();
        // Looking for doubles would take quadratic time.
        for attribute in start.attributes().with_checks(false) {
            let attribute = attribute.map_err(|_| NotRead::NotJson)?;
            let (name, value) = (attribute.key.into_inner(), unescaped(&attribute.value));
            match name.strip_prefix("xmlns") {
                Some("") => self.namespaces.bind(self.elements.len(), "", &value),
                Some(prefix) if prefix.starts_with(':') => {
                    self.namespaces
                        .bind(self.elements.len(), &prefix[1..], &value);
                }
                _ => attributes.push((name, value)),
            }
        }
        let (prefix, local) = split(start.name().into_inner());
        let namespace = self.namespaces.of(prefix);
        self.builder.open(local);
        if namespace != outer {
            self.builder
                .attribute("xmlns", self.namespaces.uri(namespace));
        }
        for (name, value) in attributes {
            if name == "xml:space" {
                keeps_space = value == "preserve";
            }
            self.attribute(name, &value);
        }
        self.elements.push((namespace, keeps_space));
        Ok(())
    }

    fn attribute(&mut self, name: &str, value: &str) {
        let (prefix, local) = split(name);
        if prefix.is_empty() {
            return self.builder.attribute(local, value);
        }
        let uri = self.namespaces.uri(self.namespaces.of(prefix));
        let known = KNOWN.iter().find(|(known, _)| *known == uri);
        match known {
            // Its value is a name with a prefix.
            Some((XSI, _)) if local == "type" => {
                let (prefix, local) = split(value);
                let uri = self.namespaces.uri(self.namespaces.of(prefix));
                self.builder
                    .attribute("xsi:type", &format!("{{{uri}}}{local}"));
            }
            Some((_, prefix)) => self.builder.attribute(&format!("{prefix}:{local}"), value),
            None => self.builder.attribute(&format!("{{{uri}}}{local}"), value),
        }
    }

    fn end(&mut self) {
        // Outside of all elements it cannot fail: quick-xml refuses an end without a start.
        let _ = self.end_text(true);
        self.builder.close();
        self.elements.pop();
        self.namespaces.unbind(self.elements.len());
    }

    /// Ends a text before a tag. Spaces between elements are there to be read by people, as are line breaks in an empty
    /// element.
    fn end_text(&mut self, is_end: bool) -> Result<(), NotRead> {
        let text = std::mem::take(&mut self.text);
        let has_cdata = std::mem::take(&mut self.has_cdata);
        let is_blank = text.bytes().all(|b| b.is_ascii_whitespace());
        let Some((_, keeps_space)) = self.elements.last() else {
            return if is_blank {
                Ok(())
            } else {
                Err(NotRead::NotJson)
            };
        };
        let is_alone = is_end && !self.builder.has_element();
        let counts = !is_blank || has_cdata || *keeps_space || (is_alone && !text.contains('\n'));
        if counts && !text.is_empty() {
            self.builder.text(&text);
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Tree, NotRead> {
        self.end_text(true)?;
        if !self.has_root || !self.elements.is_empty() {
            return Err(NotRead::NotJson);
        }
        self.builder.finish().ok_or(NotRead::TooLarge)
    }
}

/// What the prefixes mean where the reader is.
struct Namespaces {
    uris: Vec<Box<str>>,
    ids: HashMap<Box<str>, u32, RandomState>,
    /// The last one counts.
    bound: HashMap<Box<str>, Vec<u32>, RandomState>,
    /// What was bound, and by elements of which depth.
    scopes: Vec<(usize, Box<str>)>,
}

impl Namespaces {
    fn new() -> Self {
        let mut namespaces = Self {
            uris: Vec::new(),
            ids: HashMap::default(),
            bound: HashMap::default(),
            scopes: Vec::new(),
        };
        // No namespace is number 0, also where a prefix is not bound.
        for (prefix, uri) in [("", ""), ("xml", KNOWN[0].0)] {
            let id = namespaces.id(uri);
            namespaces.bound.insert(prefix.into(), vec![id]);
        }
        namespaces
    }

    fn id(&mut self, uri: &str) -> u32 {
        if let Some(id) = self.ids.get(uri) {
            return *id;
        }
        let id = self.uris.len() as u32;
        self.uris.push(uri.into());
        self.ids.insert(uri.into(), id);
        id
    }

    fn bind(&mut self, depth: usize, prefix: &str, uri: &str) {
        let id = self.id(uri);
        self.bound.entry(prefix.into()).or_default().push(id);
        self.scopes.push((depth, prefix.into()));
    }

    /// Forgets what elements of `depth` have bound.
    fn unbind(&mut self, depth: usize) {
        while let Some((_, prefix)) = self.scopes.pop_if(|(bound, _)| *bound >= depth) {
            if let Some(ids) = self.bound.get_mut(&prefix) {
                ids.pop();
            }
        }
    }

    fn of(&self, prefix: &str) -> u32 {
        let ids = self.bound.get(prefix);
        ids.and_then(|ids| ids.last()).copied().unwrap_or_default()
    }

    fn uri(&self, id: u32) -> &str {
        &self.uris[id as usize]
    }
}

fn split(name: &str) -> (&str, &str) {
    name.split_once(':').unwrap_or(("", name))
}

/// The value of an attribute, with its line breaks as spaces (XML 1.0 §3.3.3).
fn unescaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = rest.find(['&', '\t', '\r', '\n']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(after) = rest.strip_prefix('&') {
            // A look at the whole rest for each `&` would take quadratic time.
            let end = after.bytes().take(MAX_REFERENCE).position(|b| b == b';');
            match end {
                Some(end) => {
                    push_reference(&mut out, &after[..end]);
                    rest = &after[end + 1..];
                }
                None => {
                    out.push('&');
                    rest = after;
                }
            }
        } else {
            out.push(' ');
            let after = rest.strip_prefix("\r\n");
            rest = after.unwrap_or(&rest[1..]);
        }
    }
    out + rest
}

/// What `&name;` means. An entity that is not XML's own stays as it was written.
fn push_reference(out: &mut String, name: &str) {
    let character = match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#');
            let code = number.and_then(|number| match number.strip_prefix('x') {
                Some(hex) => u32::from_str_radix(hex, 16).ok(),
                None => number.parse().ok(),
            });
            code.and_then(char::from_u32)
        }
    };
    match character {
        Some(character) => out.push(character),
        None => {
            out.push('&');
            out.push_str(name);
            out.push(';');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, check_not_read, check_pair};

    const XML: &str = "application/xml";

    #[test]
    fn elements_are_members_and_repeated_ones_are_lists() {
        check(
            XML,
            r#"<?xml version="1.0"?>
<!DOCTYPE order SYSTEM "http://127.0.0.1/order.dtd">
<order id="17" state='open'>
  <!-- two items -->
  <item sku="A"><price>9.50</price></item>
  <item sku="B"><price>1</price><note/></item>
  <total currency="EUR">10.50</total>
</order>"#,
            r##"{"order":{"@id":"17","@state":"open","item":[{"@sku":"A","price":"9.50"},{"@sku":"B","price":"1","note":""}],"total":{"@currency":"EUR","#text":"10.50"}}}"##,
        );
    }

    #[test]
    fn elements_of_one_path_look_alike_on_both_sides() {
        check_pair(
            (XML, "<a><b>1</b><c>x</c></a>"),
            (XML, "<a><b>1</b><b>2</b><c k=\"v\">x</c></a>"),
            Some((
                r##"{"a":{"b":["1"],"c":{"#text":"x"}}}"##,
                r##"{"a":{"b":["1","2"],"c":{"@k":"v","#text":"x"}}}"##,
            )),
        );
        let items = r#"{"items":{"item":[{"@id":"1"}]}}"#;
        check(XML, "<items><item id='1'/></items>", items);
        check(
            XML,
            "<Entries><entry/></Entries>",
            r#"{"Entries":{"entry":[""]}}"#,
        );
    }

    #[test]
    fn namespaces_count_and_prefixes_do_not() {
        let soap = |p: &str, rest: &str| {
            format!(
                r#"<{p}:Envelope xmlns:{p}="http://schemas.xmlsoap.org/soap/envelope/"><{p}:Body {p}:encodingStyle="e"><Price xmlns="urn:shop">1</Price></{p}:Body></{p}:Envelope>{rest}"#
            )
        };
        let expect = r##"{"Envelope":{"@xmlns":"http://schemas.xmlsoap.org/soap/envelope/","Body":{"@soap:encodingStyle":"e","Price":{"@xmlns":"urn:shop","#text":"1"}}}}"##;
        check("text/xml", soap("soap", ""), expect);
        check("application/soap+xml", soap("S", "\n"), expect);
        check(
            XML,
            r#"<a xmlns:x="http://www.w3.org/2001/XMLSchema-instance" xmlns:t="urn:t"><b x:type="t:Book" t:k="1" xml:lang="en"/><t:c/></a>"#,
            r#"{"a":{"b":{"@xsi:type":"{urn:t}Book","@{urn:t}k":"1","@xml:lang":"en"},"c":{"@xmlns":"urn:t"}}}"#,
        );
    }

    #[test]
    fn texts_are_what_they_mean() {
        check(
            XML,
            "<a b='&lt;&#x41;\n&quot;&unknown;& &'>&amp;&#66;<![CDATA[<c>]]> d</a>",
            r##"{"a":{"@b":"<A \"&unknown;& &","#text":"&B<c> d"}}"##,
        );
        check(
            XML,
            "<p>One <b>two</b> three <i>four</i></p>",
            r##"{"p":{"b":"two","i":"four","#text":["One "," three "]}}"##,
        );
        check(
            XML,
            "<a><b> </b>\n<c>\n</c> <d xml:space='preserve'>\n</d></a>",
            r##"{"a":{"b":" ","c":"","d":{"@xml:space":"preserve","#text":"\n"}}}"##,
        );
    }

    #[test]
    fn another_order_of_the_same_elements_is_told() {
        let (ours, theirs) = ("<a><b/><c/><b/></a>", "<a><c/><b/><b/></a>");
        check_pair(
            (XML, ours),
            (XML, theirs),
            Some((
                r##"{"a":{"b":["",""],"c":"","#order":["b","c","b"]}}"##,
                r##"{"a":{"b":["",""],"c":"","#order":["c","b","b"]}}"##,
            )),
        );
        check_pair(
            (XML, "<a><b/><c/></a>"),
            (XML, "<a><c/></a>"),
            Some((r#"{"a":{"b":"","c":""}}"#, r#"{"a":{"c":""}}"#)),
        );
    }

    #[test]
    fn what_is_not_well_formed_is_a_text() {
        for text in [
            "<a>", "<a></b>", "<a/><b/>", "x<a/>", "<a b=1/>", "<a>&b", "<a",
        ] {
            check(
                XML,
                text,
                &format!("[{}]", serde_json::to_string(text).unwrap()),
            );
        }
        check_pair(
            (XML, "<a/>"),
            (XML, "<a>"),
            Some((r#"["<a/>"]"#, r#"["<a>"]"#)),
        );
    }

    #[test]
    fn no_entity_is_expanded() {
        check(
            XML,
            r#"<!DOCTYPE a [<!ENTITY l "lol"><!ENTITY m "&l;&l;&l;"><!ENTITY f SYSTEM "file:///etc/hostname">]><a>&m;&f;</a>"#,
            r#"{"a":"&m;&f;"}"#,
        );
    }

    #[test]
    fn a_hostile_document_is_harmless() {
        let deep = format!("{}x{}", "<a>".repeat(100_000), "</a>".repeat(100_000));
        super::super::tests::check_read(XML, &deep);
        let attributes: String = (0..200_000).map(|n| format!(" a{n}='&&&&'")).collect();
        super::super::tests::check_read(XML, format!("<a{attributes}/>"));
        check_not_read(XML, format!("<a>{}</a>", "<b/>".repeat(30_000)));
        // One long name of a namespace that each element says again.
        let uri = "u".repeat(100_000);
        let children = "<x:b><b/></x:b>".repeat(5_000);
        check_not_read(XML, format!("<a xmlns:x='{uri}'>{children}</a>"));
    }
}
