//! `#[needs(root)]` makes a function a test of `mirror_tests::testing` and says what the test needs to run.

use proc_macro::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};

/// The words are the variants of `mirror_tests::testing::Need` in lower case; a test without needs says `nothing`.
#[proc_macro_attribute]
pub fn needs(words: TokenStream, function: TokenStream) -> TokenStream {
    let Some(name) = name_of(&function) else {
        return error("#[needs(…)] belongs to a function");
    };
    let needs: String = idents(words)
        .filter(|word| word.to_string() != "nothing")
        .map(|word| format!("::mirror_tests::testing::Need::{},", capitalised(&word)))
        .collect();
    let registration = format!(
        "::mirror_tests::inventory::submit! {{ ::mirror_tests::testing::Test {{
            path: ::core::concat!(::core::module_path!(), \"::{name}\"),
            needs: &[{needs}],
            run: || ::mirror_tests::testing::Ended::ended({name}()),
        }} }}"
    );
    let registration: TokenStream = registration.parse().expect("the text above is Rust");
    // The function's own tokens keep their places in the file.
    function.into_iter().chain(registration).collect()
}

fn name_of(function: &TokenStream) -> Option<Ident> {
    let mut tokens = function.clone().into_iter();
    tokens.find(|token| matches!(token, TokenTree::Ident(word) if word.to_string() == "fn"))?;
    match tokens.next()? {
        TokenTree::Ident(name) => Some(name),
        _ => None,
    }
}

fn idents(tokens: TokenStream) -> impl Iterator<Item = Ident> {
    tokens.into_iter().filter_map(|token| match token {
        TokenTree::Ident(ident) => Some(ident),
        _ => None,
    })
}

fn capitalised(word: &Ident) -> String {
    let word = word.to_string();
    let (first, rest) = word.split_at(1);
    first.to_uppercase() + rest
}

fn error(message: &str) -> TokenStream {
    let text = format!("::core::compile_error! {{ {message:?} }}");
    let tokens: TokenStream = text.parse().expect("the text above is Rust");
    let mut group = Group::new(Delimiter::None, tokens);
    group.set_span(Span::call_site());
    TokenTree::Group(group).into()
}
