//! Which build answered? By what the user says, and by what each answer says of itself.

use std::borrow::Cow;

use crate::exchange::Response;
use crate::options::FromText;

use super::evidence::Side;

crate::options! {
    /// What each side runs.
    #[derive(Clone, Debug)]
    pub struct BuildOptions("Verdict") {
        /// Response header that names the build which answered, as in x-version (repeatable). A side whose build changes during the run
        /// makes it invalid; the header itself is not compared
        #[option("build-header", "NAME")]
        pub headers: Vec<BuildHeader>,
        /// The build that production runs, where no --build-header says it
        #[option("production-build", "NAME")]
        pub production: Option<String>,
        /// The build that the mirror runs, where no --build-header says it
        #[option("candidate-build", "NAME")]
        pub candidate: Option<String>,
        /// The build that the control runs, where no --build-header says it
        #[option("control-build", "NAME")]
        pub control: Option<String>,
    }
}

/// The name of a header, in small letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildHeader(String);

impl FromText for BuildHeader {
    fn from_text(text: &str) -> Result<Self, String> {
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        match !text.is_empty() && text.bytes().all(is_token) {
            true => Ok(Self(text.to_ascii_lowercase())),
            false => Err("use the name of a header, as in x-version".into()),
        }
    }
}

impl BuildHeader {
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl BuildOptions {
    /// What an answer says of its build, by the first of the headers that it has.
    pub fn of<'a>(&self, answer: &'a Response) -> Option<Cow<'a, str>> {
        let headers = &answer.headers;
        let value = self.headers.iter().find_map(|name| headers.first(&name.0));
        let value = value
            .map(|value| value.trim_ascii())
            .filter(|value| !value.is_empty());
        value.map(String::from_utf8_lossy)
    }

    /// What the user says.
    pub fn named(&self) -> impl Iterator<Item = (Side, &str)> {
        let all = [
            (Side::Production, &self.production),
            (Side::Candidate, &self.candidate),
            (Side::Control, &self.control),
        ];
        let named = all.into_iter();
        named.filter_map(|(side, build)| Some((side, build.as_deref()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_names_its_build_in_the_first_header_that_it_has() {
        let check = |fields: &[(&str, &str)], expect: Option<&str>| {
            let options = BuildOptions {
                headers: ["X-Version", "x-build"]
                    .map(|name| BuildHeader::from_text(name).unwrap())
                    .into(),
                ..BuildOptions::default()
            };
            let mut answer = Response::new(200);
            answer.headers = fields.iter().copied().collect();
            assert_eq!(options.of(&answer).as_deref(), expect, "{fields:?}");
        };
        check(&[("x-build", "7"), ("x-version", " v1.4 ")], Some("v1.4"));
        check(&[("X-Build", "7")], Some("7"));
        check(&[("x-version", " ")], None);
        check(&[], None);
        for wrong in ["", "x version", "x-version:"] {
            assert!(BuildHeader::from_text(wrong).is_err(), "{wrong}");
        }
    }
}
