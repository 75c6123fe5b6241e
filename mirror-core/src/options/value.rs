//! Texts → the values of options.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use bytesize::ByteSize;
use mirror_contract::{IdRules, Route};

/// Why a text is not a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadValue {
    Text {
        text: String,
        /// What to do, as in `use a number from 1 to 65535`.
        remedy: String,
    },
    /// An error that names the text and the remedy by itself.
    Told { message: String },
    /// One value is wanted, and there are several.
    Twice,
}

impl BadValue {
    pub fn new(text: &str, remedy: impl Into<String>) -> Self {
        Self::Text {
            text: text.into(),
            remedy: remedy.into(),
        }
    }
}

/// A value that is written as one text.
pub trait FromText: Sized {
    const IS_SWITCH: bool = false;
    /// Its text may hold a password.
    const IS_SECRET: bool = false;

    /// The value, or what to write instead.
    fn from_text(text: &str) -> Result<Self, String>;

    /// The only texts that are values, where there are few.
    fn values() -> Vec<String> {
        Vec::new()
    }

    /// How a message repeats the text: without its secrets.
    fn shown(text: &str) -> String {
        text.into()
    }
}

/// A value that is made from all texts given for its option.
pub trait OptionValue: Sized {
    const IS_LIST: bool = false;
    const IS_SWITCH: bool = false;
    const IS_SECRET: bool = false;
    /// What the option means without a value, where it needs none.
    const ALONE: Option<&'static str> = None;

    fn read(texts: &[String]) -> Result<Self, BadValue>;

    /// The only texts that are values, where there are few.
    fn values() -> Vec<String> {
        Vec::new()
    }
}

fn one<T: FromText>(text: &str) -> Result<T, BadValue> {
    T::from_text(text).map_err(|remedy| BadValue::new(&T::shown(text), remedy))
}

impl<T: FromText> OptionValue for T {
    const IS_SWITCH: bool = T::IS_SWITCH;
    const IS_SECRET: bool = T::IS_SECRET;

    fn read(texts: &[String]) -> Result<Self, BadValue> {
        match texts {
            [text] => one(text),
            // A switch that is not given is off; anything else has a default.
            [] => one(if T::IS_SWITCH { "false" } else { "" }),
            _ => Err(BadValue::Twice),
        }
    }

    fn values() -> Vec<String> {
        T::values()
    }
}

impl<T: FromText> OptionValue for Option<T> {
    const IS_SECRET: bool = T::IS_SECRET;

    fn read(texts: &[String]) -> Result<Self, BadValue> {
        match texts {
            [] => Ok(None),
            [text] => one(text).map(Some),
            _ => Err(BadValue::Twice),
        }
    }

    fn values() -> Vec<String> {
        T::values()
    }
}

impl<T: FromText> OptionValue for Vec<T> {
    const IS_LIST: bool = true;
    const IS_SECRET: bool = T::IS_SECRET;

    /// `none` alone empties a list.
    fn read(texts: &[String]) -> Result<Self, BadValue> {
        match texts {
            [none] if none == "none" => Ok(Vec::new()),
            texts => texts.iter().map(|text| one(text)).collect(),
        }
    }

    fn values() -> Vec<String> {
        T::values()
    }
}

impl FromText for bool {
    const IS_SWITCH: bool = true;

    fn from_text(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| "use true or false".into())
    }
}

impl FromText for String {
    fn from_text(text: &str) -> Result<Self, String> {
        Ok(text.into())
    }
}

impl FromText for PathBuf {
    fn from_text(text: &str) -> Result<Self, String> {
        match text {
            "" => Err("use a path".into()),
            path => Ok(path.into()),
        }
    }
}

impl FromText for SocketAddr {
    fn from_text(text: &str) -> Result<Self, String> {
        let remedy = "use an address and a port, as in 127.0.0.1:9464";
        text.parse().map_err(|_| remedy.into())
    }
}

macro_rules! whole_numbers {
    ($($type:ty),*) => {
        $(impl FromText for $type {
            fn from_text(text: &str) -> Result<Self, String> {
                text.parse().map_err(|_| "use a whole number, 0 or more".into())
            }
        })*
    };
}

whole_numbers!(u32, u64, usize);

impl FromText for std::num::NonZeroUsize {
    fn from_text(text: &str) -> Result<Self, String> {
        let remedy = "use a whole number, 1 or more";
        text.parse().map_err(|_| remedy.into())
    }
}

impl FromText for ByteSize {
    fn from_text(text: &str) -> Result<Self, String> {
        let remedy = "use a size as in 64MiB, or a number of bytes";
        text.parse().map_err(|_| remedy.into())
    }
}

impl FromText for Duration {
    fn from_text(text: &str) -> Result<Self, String> {
        let remedy = "use a time with its unit, as in 500ms, 2s or 5m";
        humantime::parse_duration(text).map_err(|_| remedy.into())
    }
}

impl FromText for Route {
    fn from_text(text: &str) -> Result<Self, String> {
        let remedy =
            "use METHOD /path, for example 'POST /orders', 'PUT /users/*' or 'GET /static/**'";
        text.parse().map_err(|_| remedy.into())
    }
}

/// Rules belong together: the first that fits names a request.
impl OptionValue for IdRules {
    const IS_LIST: bool = true;

    fn read(texts: &[String]) -> Result<Self, BadValue> {
        IdRules::parse(texts).map_err(|error| BadValue::Told {
            message: error.to_string(),
        })
    }
}
