//! No circle among the modules of a crate: siblings that need each other are one thing in two files, and neither can be read,
//! tested or moved alone.
//!
//! A module is a file, or a `mod name { … }` in one. It refers to what its paths lead to that begin with `crate`, `super` or `self`,
//! in `use` and in code. A name that a module passes on by `use` counts as what it stands for. Comments, texts and items with
//! `#[cfg(test)]` do not count. Two siblings are compared with all that is below them. A module and its own children may refer
//! to each other: a parent passes on what its children have, and its children use its types.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result};

use super::rust_files;
use super::tokens::{Token, tokens, without_tests};

/// Names from the crate's root on; the root itself has none.
type ModulePath = Vec<String>;

/// The modules of a crate and what they refer to.
#[derive(Debug, Default)]
struct Graph {
    modules: BTreeMap<ModulePath, Module>,
    /// Files of modules that only tests see.
    of_tests: Vec<ModulePath>,
}

#[derive(Debug, Default)]
struct Module {
    /// Paths from the crate's root on, with where they stand.
    refers: Vec<(Vec<String>, Place)>,
    /// Names that `use` brings in here, and what they stand for.
    names: BTreeMap<String, Vec<String>>,
}

#[derive(Clone, Debug)]
struct Place {
    file: String,
    line: usize,
}

/// A circle, as lines to read: each module with an example of what it refers to in the next.
pub(super) fn in_crate(source: &Path) -> Result<Vec<String>> {
    let mut files = Vec::new();
    rust_files(source, &mut files)?;
    let mut graph = Graph::default();
    for file in &files {
        let text =
            std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
        let path = file.strip_prefix(source).unwrap_or(file);
        graph.read(path, &text);
    }
    Ok(graph.without_tests().circles())
}

impl Graph {
    fn read(&mut self, file: &Path, text: &str) {
        let all = tokens(text);
        let kept = without_tests(&all);
        let module = module_of(file);
        let kept_ones = declared(&kept);
        for child in declared(&all) {
            if !kept_ones.contains(&child) {
                self.of_tests
                    .push([&module[..], &[child.to_owned()]].concat());
            }
        }
        let shown = file.display().to_string();
        self.modules.entry(Vec::new()).or_default();
        Reader {
            graph: self,
            file: &shown,
            tokens: &kept,
            at: 0,
        }
        .module(module, false);
    }

    fn without_tests(mut self) -> Self {
        let of_tests = &self.of_tests;
        let is_of_tests = |path: &ModulePath| of_tests.iter().any(|test| path.starts_with(test));
        self.modules.retain(|path, _| !is_of_tests(path));
        self
    }

    /// The module that a path leads to, names passed on by `use` followed.
    fn resolve(&self, path: &[String]) -> ModulePath {
        let mut path = path.to_vec();
        // Names that stand for each other would go on for ever.
        for _ in 0..8 {
            let length = self.length_of_module(&path);
            let Some(name) = path.get(length) else {
                return path;
            };
            let known = self.modules.get(&path[..length]);
            match known.and_then(|module| module.names.get(name)) {
                Some(target) => path = [target, &path[length + 1..]].concat(),
                None => {
                    path.truncate(length);
                    return path;
                }
            }
        }
        path.truncate(self.length_of_module(&path));
        path
    }

    fn length_of_module(&self, path: &[String]) -> usize {
        let lengths = (0..=path.len()).rev();
        let mut known = lengths.filter(|length| self.modules.contains_key(&path[..*length]));
        known.next().unwrap_or(0)
    }

    fn circles(&self) -> Vec<String> {
        let mut found = Vec::new();
        for parent in self.modules.keys() {
            let edges = self.edges_between_children(parent);
            found.extend(circles_of(&edges).into_iter().map(|circle| {
                let steps = circle.windows(2).map(|pair| {
                    let (from, to) = (&pair[0], &pair[1]);
                    let (place, target) = &edges[from][to];
                    format!(
                        "  {from} → {to}: {}:{} refers to {target}",
                        place.file, place.line
                    )
                });
                let names = circle.join(" → ");
                let inside = if parent.is_empty() {
                    String::new()
                } else {
                    format!(" in {}", parent.join("::"))
                };
                format!("{names}{inside}\n{}", steps.collect::<Vec<_>>().join("\n"))
            }));
        }
        found
    }

    fn edges_between_children(&self, parent: &ModulePath) -> Edges {
        let mut edges = Edges::new();
        for (module, facts) in &self.modules {
            let Some(from) = child_towards(parent, module) else {
                continue;
            };
            for (path, place) in &facts.refers {
                let target = self.resolve(path);
                let Some(to) = child_towards(parent, &target) else {
                    continue;
                };
                if from != to {
                    edges
                        .entry(from.to_owned())
                        .or_default()
                        .entry(to.to_owned())
                        .or_insert_with(|| (place.clone(), target.join("::")));
                }
            }
        }
        edges
    }
}

/// From sibling to sibling, with an example.
type Edges = BTreeMap<String, BTreeMap<String, (Place, String)>>;

/// The child of `parent` that `module` is, or is in.
fn child_towards<'a>(parent: &[String], module: &'a [String]) -> Option<&'a str> {
    let rest = module.strip_prefix(parent)?;
    rest.first().map(String::as_str)
}

/// The shortest way round for each group of siblings that reach each other; the first is named again at the end.
fn circles_of(edges: &Edges) -> Vec<Vec<String>> {
    let mut seen = BTreeSet::new();
    let mut circles = Vec::new();
    for start in edges.keys() {
        if seen.contains(start) {
            continue;
        }
        if let Some(circle) = way_back(edges, start) {
            seen.extend(circle.iter().cloned());
            circles.push(circle);
        }
    }
    circles
}

fn way_back(edges: &Edges, start: &str) -> Option<Vec<String>> {
    let mut ways = std::collections::VecDeque::from([vec![start.to_owned()]]);
    let mut reached = BTreeSet::new();
    while let Some(way) = ways.pop_front() {
        let last = way.last()?;
        for next in edges.get(last).into_iter().flat_map(BTreeMap::keys) {
            let longer = [&way[..], std::slice::from_ref(next)].concat();
            if next == start {
                return Some(longer);
            }
            if reached.insert(next.clone()) {
                ways.push_back(longer);
            }
        }
    }
    None
}

/// `tcp/table.rs` is `tcp::table`, `tcp/mod.rs` is `tcp`, `lib.rs` and `main.rs` are the root.
/// Modules that have files of their own.
fn declared<'a>(tokens: &[Token<'a>]) -> Vec<&'a str> {
    let three = tokens.windows(3);
    let is_declared = |three: &&[Token<'a>]| three[0].text == "mod" && three[2].text == ";";
    three
        .filter(is_declared)
        .map(|three| three[1].text)
        .collect()
}

fn module_of(file: &Path) -> ModulePath {
    let mut names: Vec<String> = file
        .with_extension("")
        .iter()
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    let is_folder = names.last().is_some_and(|name| name == "mod");
    let is_root = names.len() == 1 && matches!(names[0].as_str(), "lib" | "main");
    if is_folder || is_root {
        names.pop();
    }
    names
}

/// Reads the paths of a file.
struct Reader<'a> {
    graph: &'a mut Graph,
    file: &'a str,
    tokens: &'a [Token<'a>],
    at: usize,
}

impl Reader<'_> {
    fn peek(&self, ahead: usize) -> &str {
        let token = self.tokens.get(self.at + ahead);
        token.map_or("", |token| token.text)
    }

    /// To the end of the module: of the file, or of its braces.
    fn module(&mut self, module: ModulePath, in_braces: bool) {
        self.graph.modules.entry(module.clone()).or_default();
        let mut depth = 0_u32;
        while self.at < self.tokens.len() {
            match self.peek(0) {
                "mod" if self.peek(2) == "{" => {
                    let inner = [&module[..], &[self.peek(1).to_owned()]].concat();
                    self.at += 3;
                    self.module(inner, true);
                }
                "use" => {
                    self.at += 1;
                    self.use_tree(&module, Vec::new());
                }
                "crate" | "super" | "self" if self.peek(1) == "::" => self.path(&module),
                sign => {
                    match sign {
                        "{" => depth += 1,
                        "}" if depth == 0 && in_braces => {
                            self.at += 1;
                            return;
                        }
                        "}" => depth = depth.saturating_sub(1),
                        _ => {}
                    }
                    self.at += 1;
                }
            }
        }
    }

    /// A path in code.
    fn path(&mut self, module: &ModulePath) {
        let line = self.tokens[self.at].line;
        let mut names = vec![self.peek(0).to_owned()];
        self.at += 1;
        while self.peek(0) == "::" && is_name(self.peek(1)) {
            names.push(self.peek(1).to_owned());
            self.at += 2;
        }
        self.refer(module, &names, line);
    }

    /// What follows `use`, or a `,` or `{` in it, up to the end of that.
    fn use_tree(&mut self, module: &ModulePath, mut names: Vec<String>) {
        let line = self.tokens.get(self.at).map_or(0, |token| token.line);
        loop {
            match self.peek(0) {
                "{" => {
                    self.at += 1;
                    while !matches!(self.peek(0), "}" | "") {
                        let before = self.at;
                        self.use_tree(module, names.clone());
                        // The comma; or what has no place here, so that this ends.
                        if self.peek(0) == "," || self.at == before {
                            self.at += 1;
                        }
                    }
                    self.at += 1;
                    return;
                }
                "::" | "*" => self.at += 1,
                "as" => {
                    let name = self.peek(1).to_owned();
                    self.at += 2;
                    self.bring_in(module, &names, &name, line);
                    return;
                }
                name if is_name(name) => {
                    names.push(name.to_owned());
                    self.at += 1;
                }
                _ => {
                    if names.last().is_some_and(|name| name == "self") && names.len() > 1 {
                        names.pop();
                    }
                    let name = names.last().cloned().unwrap_or_default();
                    self.bring_in(module, &names, &name, line);
                    return;
                }
            }
        }
    }

    /// A name that `use` brings into a module.
    fn bring_in(&mut self, module: &ModulePath, names: &[String], name: &str, line: usize) {
        if let Some(target) = self.refer(module, names, line) {
            let facts = self.graph.modules.entry(module.clone()).or_default();
            facts.names.insert(name.to_owned(), target);
        }
    }

    /// Notes a path that leads into this crate, and gives it from the root on.
    fn refer(&mut self, module: &ModulePath, names: &[String], line: usize) -> Option<Vec<String>> {
        let target = absolute(module, names)?;
        let place = Place {
            file: self.file.to_owned(),
            line,
        };
        let facts = self.graph.modules.entry(module.clone()).or_default();
        facts.refers.push((target.clone(), place));
        Some(target)
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_') && text != "as"
}

/// The path from the crate's root on. A first name without `crate`, `super` or `self` is a child of the module, or another crate,
/// which no module is called.
fn absolute(module: &[String], names: &[String]) -> Option<Vec<String>> {
    let mut base = module.to_vec();
    let mut rest = names;
    match rest.first()?.as_str() {
        "crate" => {
            base.clear();
            rest = &rest[1..];
        }
        "self" => rest = &rest[1..],
        _ => {}
    }
    while rest.first().is_some_and(|name| name == "super") {
        base.pop()?;
        rest = &rest[1..];
    }
    base.extend_from_slice(rest);
    Some(base)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(files: &[(&str, &str)], expect: &[&str]) {
        let mut graph = Graph::default();
        for (file, text) in files {
            graph.read(Path::new(file), text);
        }
        let circles = graph.without_tests().circles();
        let first: Vec<&str> = circles
            .iter()
            .filter_map(|circle| circle.lines().next())
            .collect();
        assert_eq!(first, expect, "{circles:#?}");
    }

    #[test]
    fn siblings_that_refer_to_each_other_are_a_circle() {
        check(
            &[
                ("a.rs", "use crate::b::B;"),
                ("b.rs", "fn f(a: crate::a::A) {}"),
            ],
            &["a → b → a"],
        );
        check(
            &[
                ("a.rs", "use crate::b::B;"),
                ("b.rs", "use crate::c;"),
                ("c.rs", "use super::a;"),
            ],
            &["a → b → c → a"],
        );
        check(&[("a.rs", "use crate::b::B;"), ("b.rs", "")], &[]);
    }

    #[test]
    fn what_is_below_a_sibling_counts_for_it() {
        check(
            &[
                ("a/mod.rs", ""),
                ("a/x.rs", "use crate::b::B;"),
                ("b.rs", "use crate::a::{x::X, y};"),
            ],
            &["a → b → a"],
        );
        check(
            &[
                ("a/mod.rs", ""),
                ("a/x.rs", "use super::y;"),
                ("a/y.rs", "use crate::a::x::X;"),
            ],
            &["x → y → x in a"],
        );
    }

    #[test]
    fn a_parent_and_its_children_may_refer_to_each_other() {
        check(
            &[
                ("a/mod.rs", "mod x; pub use x::X; pub struct A;"),
                ("a/x.rs", "use super::A;"),
            ],
            &[],
        );
        check(
            &[
                ("lib.rs", "pub use a::A; pub struct E;"),
                ("a.rs", "use crate::E;"),
            ],
            &[],
        );
    }

    #[test]
    fn a_name_that_is_passed_on_counts_as_what_it_stands_for() {
        check(
            &[
                ("a/mod.rs", "pub use x::X; pub use self::y::Y as Why;"),
                ("a/x.rs", "use super::Why;"),
                ("a/y.rs", "use crate::a::X;"),
            ],
            &["x → y → x in a"],
        );
    }

    #[test]
    fn tests_comments_and_texts_do_not_count() {
        check(
            &[
                ("a.rs", "use crate::b::B;"),
                (
                    "b.rs",
                    "// crate::a\nconst T: &str = \"crate::a\";\n#[cfg(test)] mod tests { use crate::a; }",
                ),
            ],
            &[],
        );
    }

    #[test]
    fn files_that_only_tests_see_do_not_count() {
        let files = |declared| {
            [
                ("a/mod.rs", declared),
                ("a/tests.rs", "use crate::b::B;"),
                ("a/tests/more.rs", "use crate::b::B;"),
                ("b.rs", "use crate::a::A;"),
            ]
        };
        check(&files("#[cfg(test)] mod tests;"), &[]);
        check(&files("mod tests;"), &["a → b → a"]);
    }

    #[test]
    fn an_inline_module_has_a_super_of_its_own() {
        check(
            &[
                ("a.rs", "mod inner { use super::super::b::B; }"),
                ("b.rs", "use crate::a;"),
            ],
            &["a → b → a"],
        );
        check(
            &[
                ("a.rs", "mod inner { use super::b; } mod b {}"),
                ("b.rs", "use crate::a;"),
            ],
            &[],
        );
    }

    #[test]
    fn other_crates_are_not_modules() {
        check(
            &[
                ("a.rs", "use serde::b; use std::b;"),
                ("b.rs", "use crate::a;"),
            ],
            &[],
        );
    }
}
