//! Where the options of a run come from, so that they can be read again while it goes on.

use std::path::PathBuf;

use mirror_core::options::{Given, OptionSpec, Options};

use super::{Config, environment, file};

/// The command line, and the configuration file that it names.
#[derive(Clone)]
pub struct Sources {
    flags: Given,
    file: Option<PathBuf>,
}

impl Sources {
    pub fn new(flags: Given, file: Option<PathBuf>) -> Self {
        Self { flags, file }
    }

    /// Reads file, environment and command line, and checks all that can be checked without asking a server.
    pub fn load(self) -> anyhow::Result<Settings> {
        let specs = Config::specs();
        let mut given = Given::default();
        if let Some(path) = &self.file {
            file::read(path, &specs, &mut given)?;
        }
        environment::read(&specs, |name| std::env::var(name).ok(), &mut given)?;
        given.extend(&self.flags);
        let config = Config::read(&given)?;
        config.check()?;
        Ok(Settings {
            config,
            given,
            sources: self,
        })
    }
}

/// The options in effect, and where they came from.
#[derive(Clone)]
pub struct Settings {
    pub config: Config,
    given: Given,
    sources: Sources,
}

impl Settings {
    /// Reads the sources again.
    pub fn reload(&self) -> anyhow::Result<Self> {
        self.sources.clone().load()
    }

    /// The options whose value is not the same in `other`.
    pub fn changed(&self, other: &Self) -> Vec<OptionSpec> {
        let mut specs = Config::specs();
        specs.retain(|spec| self.texts(spec) != other.texts(spec));
        specs
    }

    /// What was given for an option, or its default, as text.
    fn texts<'a>(&'a self, spec: &'a OptionSpec) -> Vec<&'a str> {
        match self.given.texts(spec.key) {
            Some(texts) => texts.iter().map(String::as_str).collect(),
            None => spec.default.into_iter().collect(),
        }
    }

    /// Options whose value holds a password, and stands where every user of this host can read it.
    pub fn exposed_secrets(&self) -> Vec<OptionSpec> {
        let mut specs = Config::specs();
        specs.retain(|spec| {
            let texts = self.sources.flags.texts(spec.key).unwrap_or_default();
            spec.is_secret && texts.iter().any(|text| crate::secret::holds_secret(text))
        });
        specs
    }
}

#[cfg(test)]
mod tests {
    use mirror_core::options::Origin;

    use super::*;

    fn settings(flags: &[(&str, &str)]) -> Settings {
        let mut given = Given::default();
        for (key, text) in flags {
            given.set(key, vec![(*text).into()], Origin::Flag);
        }
        Sources::new(given, None).load().unwrap()
    }

    #[test]
    fn a_change_is_found_by_its_key() {
        let keys = |a: &Settings, b: &Settings| -> Vec<_> {
            a.changed(b).iter().map(|spec| spec.key).collect()
        };
        let before = settings(&[("allow", "POST /orders"), ("max-body", "1MiB")]);
        assert!(keys(&before, &settings(&[("allow", "POST /orders")])).is_empty());
        let after = settings(&[("target", "http://mirror")]);
        assert_eq!(keys(&before, &after), ["allow", "target"]);
    }

    #[test]
    fn a_password_on_the_command_line_is_found() {
        let exposed = |key, text| {
            let specs = settings(&[(key, text)]).exposed_secrets();
            specs.iter().map(|spec| spec.key).collect::<Vec<_>>()
        };
        assert_eq!(exposed("redis", "redis://u:p@h"), ["redis"]);
        assert!(exposed("redis", "redis://h").is_empty());
    }
}
