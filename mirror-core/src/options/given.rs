//! What was given for each option, and where.

use std::{collections::BTreeMap, fmt};

use super::{BadValue, OptionValue};

/// The way by which a value came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Flag,
    /// An environment variable, by its name.
    Environment(String),
    /// A place in the configuration file.
    File {
        path: String,
        line: usize,
        column: usize,
    },
}

/// The texts that were given for each key. It has no `Debug`: some of them may be passwords.
#[derive(Clone, Default)]
pub struct Given(BTreeMap<String, (Vec<String>, Origin)>);

impl Given {
    /// Replaces what was given for `key` before.
    pub fn set(&mut self, key: &str, texts: Vec<String>, origin: Origin) {
        self.0.insert(key.into(), (texts, origin));
    }

    /// Lets what `other` gives win.
    pub fn extend(&mut self, other: &Self) {
        self.0.extend(other.0.clone());
    }

    pub fn texts(&self, key: &str) -> Option<&[String]> {
        self.0.get(key).map(|(texts, _)| texts.as_slice())
    }

    pub fn origin(&self, key: &str) -> Option<&Origin> {
        self.0.get(key).map(|(_, origin)| origin)
    }

    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The value that was given, or the default.
    pub fn read<T: OptionValue>(
        &self,
        key: &str,
        default: Option<&str>,
    ) -> Result<T, InvalidOption> {
        let (texts, origin) = match self.0.get(key) {
            Some((texts, origin)) => (texts.clone(), origin.clone()),
            None => (
                default.map(str::to_owned).into_iter().collect(),
                Origin::Flag,
            ),
        };
        T::read(&texts).map_err(|bad| InvalidOption {
            key: key.into(),
            bad,
            origin,
        })
    }
}

/// A value that its option does not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidOption {
    pub key: String,
    pub bad: BadValue,
    pub origin: Origin,
}

impl fmt::Display for InvalidOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match &self.origin {
            Origin::Flag => format!("--{}", self.key),
            Origin::Environment(name) => name.clone(),
            Origin::File { path, line, column } => {
                write!(f, "{path}, line {line}, column {column}: ")?;
                self.key.clone()
            }
        };
        match &self.bad {
            BadValue::Text { text, remedy } => write!(f, "invalid {name} `{text}`: {remedy}"),
            BadValue::Told { message } => write!(f, "{name}: {message}"),
            BadValue::Twice => write!(f, "{name} is given twice: leave one out"),
        }
    }
}

impl std::error::Error for InvalidOption {}
