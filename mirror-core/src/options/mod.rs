//! What a stage can be told: one declaration gives its value, default, flag, file key, environment variable and help.
//!
//! A stage declares its options beside its code with [`options!`](crate::options!). Whoever starts the stages collects
//! what was given for each key in a [`Given`], by whatever way it came, and reads every stage from it. Nothing here
//! reads a command line, a file or the environment.

mod given;
mod value;

pub use bytesize::ByteSize;
pub use given::{Given, InvalidOption, Origin};
pub use value::{BadValue, FromText, OptionValue};

/// One option as the command line, the configuration file and the environment know it.
#[derive(Clone, Debug)]
pub struct OptionSpec {
    /// Its name in the file, and after `--` on the command line.
    pub key: &'static str,
    /// What stands for the value in the help; empty for a switch.
    pub value_name: &'static str,
    pub help: String,
    /// As a user would write it.
    pub default: Option<&'static str>,
    pub env: String,
    /// The stage that it belongs to.
    pub heading: &'static str,
    /// The only values, where there are few.
    pub values: Vec<String>,
    /// Given several times, it holds several values.
    pub is_list: bool,
    /// Needs no value.
    pub is_switch: bool,
    /// The value that it has where none is written, if it needs none.
    pub alone: Option<&'static str>,
    /// Can be changed while the agent runs.
    pub is_live: bool,
    /// May hold a password: its value is never printed.
    pub is_secret: bool,
}

impl OptionSpec {
    pub fn new<T: OptionValue>(
        heading: &'static str,
        key: &'static str,
        value_name: &'static str,
        help: &str,
    ) -> Self {
        let mut spec = Self {
            key,
            value_name,
            help: help.trim().into(),
            default: None,
            env: String::new(),
            heading,
            values: T::values(),
            is_list: T::IS_LIST,
            is_switch: T::IS_SWITCH,
            alone: T::ALONE,
            is_live: false,
            is_secret: T::IS_SECRET,
        };
        spec.env = spec.usual_env();
        spec
    }

    /// The environment variable of an option that names no other.
    pub fn usual_env(&self) -> String {
        format!("MIRROR_{}", self.key.to_uppercase().replace('-', "_"))
    }
}

/// The options of a stage, or of a part of one.
pub trait Options: Sized {
    /// Every option, in the order of the help.
    fn specs() -> Vec<OptionSpec>;

    /// The values that were given, and the defaults for the rest.
    fn read(given: &Given) -> Result<Self, InvalidOption>;

    /// Replaces the values that were given, and keeps the rest.
    fn update(&mut self, given: &Given) -> Result<(), InvalidOption>;
}

/// Declares the options of a stage.
///
/// ```
/// mirror_core::options! {
///     /// What the example is told.
///     #[derive(Clone, Debug)]
///     pub struct ExampleOptions("Example") {
///         /// Bytes of a body that are kept
///         #[option("max-body", "SIZE", default = "1MiB")]
///         pub max_body: mirror_core::options::ByteSize,
///         /// Route to leave out (repeatable)
///         #[option("leave-out", "ROUTE", live)]
///         pub left_out: Vec<String>,
///     }
/// }
/// assert_eq!(ExampleOptions::default().max_body.as_u64(), 1 << 20);
/// ```
///
/// After the value's name may follow `default = "…"`, `env = "…"` where the name is not `MIRROR_` and the key, and `live`
/// for what can be changed while the agent runs. A field without `#[option]` holds the options of a part; one with
/// `#[not_an_option("why")]` is set by the code that the reason names. `#[schemars(…)]` says how the schema shows the type of a field.
#[macro_export]
macro_rules! options {
    (
        $(#[doc = $about:literal])*
        #[derive($($derive:path),* $(,)?)]
        $vis:vis struct $name:ident($heading:literal) {
            $(
                $(#[doc = $help:literal])*
                $(#[option($($option:tt)+)])?
                $(#[not_an_option($reason:literal)])?
                $(#[schemars($($schema:tt)+)])?
                $field_vis:vis $field:ident : $type:ty
            ),* $(,)?
        }
    ) => {
        $(#[doc = $about])*
        #[derive($($derive),*)]
        $vis struct $name {
            $($(#[doc = $help])* $(#[schemars($($schema)+)])? $field_vis $field: $type,)*
        }

        impl $crate::options::Options for $name {
            fn specs() -> Vec<$crate::options::OptionSpec> {
                let mut specs = Vec::new();
                $(specs.extend($crate::options!(
                    @specs $type, $heading, concat!($($help),*), [$($($option)+)?] $($reason)?
                ));)*
                specs
            }

            fn read(
                given: &$crate::options::Given,
            ) -> Result<Self, $crate::options::InvalidOption> {
                Ok(Self {
                    $($field: $crate::options!(@read $type, given, [$($($option)+)?] $($reason)?),)*
                })
            }

            fn update(
                &mut self,
                given: &$crate::options::Given,
            ) -> Result<(), $crate::options::InvalidOption> {
                $($crate::options!(
                    @update self.$field, $type, given, [$($($option)+)?] $($reason)?
                );)*
                Ok(())
            }
        }

        impl Default for $name {
            fn default() -> Self {
                let given = $crate::options::Given::default();
                // The defaults are literals; a test of each program that uses them reads them all.
                $crate::options::Options::read(&given).expect("a default that its type takes")
            }
        }
    };
    (@specs $type:ty, $heading:literal, $help:expr, [] $reason:literal) => {
        Vec::new()
    };
    (@specs $type:ty, $heading:literal, $help:expr, []) => {
        <$type as $crate::options::Options>::specs()
    };
    (@specs $type:ty, $heading:literal, $help:expr, [$key:literal, $value:literal $($more:tt)*]) => {{
        #[allow(unused_mut, reason = "an option may have nothing more to say")]
        let mut spec =
            $crate::options::OptionSpec::new::<$type>($heading, $key, $value, $help);
        $crate::options!(@more spec $($more)*);
        [spec]
    }};
    (@more $spec:ident) => {};
    (@more $spec:ident, default = $default:literal $($more:tt)*) => {
        $spec.default = Some($default);
        $crate::options!(@more $spec $($more)*);
    };
    (@more $spec:ident, env = $env:literal $($more:tt)*) => {
        $spec.env = $env.into();
        $crate::options!(@more $spec $($more)*);
    };
    (@more $spec:ident, live $($more:tt)*) => {
        $spec.is_live = true;
        $crate::options!(@more $spec $($more)*);
    };
    (@update $field:expr, $type:ty, $given:ident, [] $reason:literal) => {};
    (@update $field:expr, $type:ty, $given:ident, []) => {
        <$type as $crate::options::Options>::update(&mut $field, $given)?
    };
    (@update $field:expr, $type:ty, $given:ident, [$key:literal, $($more:tt)*]) => {
        if $given.texts($key).is_some() {
            $field = $given.read::<$type>($key, None)?;
        }
    };
    (@read $type:ty, $given:ident, [] $reason:literal) => {
        <$type>::default()
    };
    (@read $type:ty, $given:ident, []) => {
        <$type as $crate::options::Options>::read($given)?
    };
    (@read $type:ty, $given:ident, [$key:literal, $value:literal, default = $default:literal $($more:tt)*]) => {
        $given.read::<$type>($key, Some($default))?
    };
    (@read $type:ty, $given:ident, [$key:literal, $value:literal $($more:tt)*]) => {
        $given.read::<$type>($key, None)?
    };
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    options! {
        /// A part of a stage.
        #[derive(Clone, Debug, PartialEq)]
        struct Part("Example") {
            /// Time to wait
            #[option("wait", "TIME", default = "2s")]
            wait: Duration,
        }
    }

    options! {
        /// A stage.
        #[derive(Clone, Debug, PartialEq)]
        struct Stage("Example") {
            /// Bytes of a body
            /// that are kept
            #[option("max-body", "SIZE", default = "1MiB", live)]
            max_body: ByteSize,
            /// Route to leave out
            #[option("leave-out", "ROUTE", env = "LEFT_OUT")]
            left_out: Vec<String>,
            /// Tells more
            #[option("verbose", "")]
            is_verbose: bool,
            /// Most at once
            #[option("most", "N")]
            most: Option<usize>,
            part: Part,
            #[not_an_option("set by the caller")]
            other: u32,
        }
    }

    fn given(key: &str, texts: &[&str]) -> Given {
        let mut given = Given::default();
        let texts = texts.iter().map(|text| (*text).to_owned()).collect();
        given.set(key, texts, Origin::Flag);
        given
    }

    #[test]
    fn one_declaration_gives_name_help_default_and_environment_variable() {
        let specs = Stage::specs();
        let keys: Vec<_> = specs.iter().map(|spec| spec.key).collect();
        assert_eq!(keys, ["max-body", "leave-out", "verbose", "most", "wait"]);
        let body = &specs[0];
        assert_eq!(body.help, "Bytes of a body that are kept");
        assert_eq!(body.default, Some("1MiB"));
        assert_eq!(body.env, "MIRROR_MAX_BODY");
        assert!(body.is_live && !body.is_list && !body.is_switch);
        assert_eq!(specs[1].env, "LEFT_OUT");
        assert!(specs[1].is_list && specs[2].is_switch && !specs[4].is_live);
    }

    #[test]
    fn what_is_given_wins_over_the_default() {
        let stage = Stage::default();
        assert_eq!(stage.max_body, ByteSize::mib(1));
        assert_eq!(stage.part.wait, Duration::from_secs(2));
        assert!(stage.left_out.is_empty() && !stage.is_verbose && stage.most.is_none());

        let stage = Stage::read(&given("max-body", &["8388608"])).unwrap();
        assert_eq!(stage.max_body, ByteSize::mib(8));
        let stage = Stage::read(&given("wait", &["1m 30s"])).unwrap();
        assert_eq!(stage.part.wait, Duration::from_secs(90));
        let stage = Stage::read(&given("leave-out", &["a", "b"])).unwrap();
        assert_eq!(stage.left_out, ["a", "b"]);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_value_and_the_remedy() {
        let check = |key: &str, texts: &[&str], expect: &str| {
            let error = Stage::read(&given(key, texts)).unwrap_err();
            assert_eq!(error.to_string(), expect);
        };
        check(
            "max-body",
            &["ten"],
            "invalid --max-body `ten`: use a size as in 64MiB, or a number of bytes",
        );
        check(
            "wait",
            &["2"],
            "invalid --wait `2`: use a time with its unit, as in 500ms, 2s or 5m",
        );
        check(
            "most",
            &["-1"],
            "invalid --most `-1`: use a whole number, 0 or more",
        );
        check(
            "verbose",
            &["perhaps"],
            "invalid --verbose `perhaps`: use true or false",
        );
        check(
            "wait",
            &["1s", "2s"],
            "--wait is given twice: leave one out",
        );
    }
}
