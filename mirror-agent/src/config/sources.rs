//! Where the options of a run come from, so that they can be read again while it goes on.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};
use mirror_core::options::{Given, OptionSpec, Options, Origin};
use mirror_core::policy::{Policy, RedactKey};
use sha2::{Digest, Sha256};

use super::{Config, environment, file, keep_what_login_needs};
use crate::secret::holds_secret;

/// The command line, and the configuration file that it names.
#[derive(Clone)]
pub struct Sources {
    flags: Given,
    file: Option<PathBuf>,
}

/// Reads the key of the tokens, where a file is named.
pub fn read_key(policy: &mut Policy) -> anyhow::Result<()> {
    let Some(path) = &policy.key_file else {
        return Ok(());
    };
    let shown = path.display();
    let bytes = fs::read(path).with_context(|| format!("reading --redact-key-file {shown}"))?;
    ensure!(
        !is_public(path),
        "--redact-key-file {shown}: every user of this host can read it: chmod 600 {shown}"
    );
    let key = RedactKey::new(&bytes).with_context(|| format!("--redact-key-file {shown}"))?;
    policy.key = Some(key);
    Ok(())
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
        let mut config = Config::read(&given)?;
        read_key(&mut config.policy)?;
        keep_what_login_needs(&mut config.policy, &config.credentials, &config.carry)?;
        // Effects are compared only beside snapshots.
        config.policy.remembers_hidden = config.gate.store.is_some();
        for header in &config.builds.headers {
            config.compare.leave_out_header(header.name());
        }
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

    /// The same by the option's key.
    pub fn texts_of(&self, key: &str) -> Vec<String> {
        let specs = Config::specs();
        let spec = specs.iter().find(|spec| spec.key == key);
        let texts = spec.into_iter().flat_map(|spec| self.texts(spec));
        texts.map(str::to_owned).collect()
    }

    /// Equal where all options are that hold no secret.
    pub fn digest(&self) -> String {
        let specs = Config::specs();
        let mut digest = Sha256::new();
        for spec in specs.iter().filter(|spec| !spec.is_secret) {
            let texts = self.texts(spec);
            digest.update(format!("{} {texts:?}\n", spec.key));
        }
        let digest = digest.finalize();
        let bytes = digest[..8].iter();
        bytes.map(|byte| format!("{byte:02x}")).collect()
    }

    /// Where a password stands that every user of this host can read, and what to do about it.
    pub fn exposed_secrets(&self) -> Vec<String> {
        let specs = Config::specs();
        let secrets = specs.iter().filter(|spec| {
            let mut texts = self.given.texts(spec.key).into_iter().flatten();
            spec.is_secret && texts.any(|text| holds_secret(text))
        });
        let exposed = secrets.filter_map(|spec| match self.given.origin(spec.key)? {
            Origin::Environment(_) => None,
            Origin::Flag => Some(format!(
                "--{} holds a user or a password, and every user of this host can read the command line: give it as {} or in the file of --config",
                spec.key, spec.env
            )),
            Origin::File { path, .. } => is_public(Path::new(path)).then(|| {
                format!(
                    "{path} holds a user or a password ({}), and every user of this host can read it: chmod 600 {path}",
                    spec.key
                )
            }),
        });
        exposed.collect()
    }
}

fn is_public(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o004 != 0)
}

#[cfg(test)]
mod tests {
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
    fn a_header_that_names_the_build_is_not_compared_unless_a_rule_says_how() {
        let rules = |flags: &[(&str, &str)]| -> Vec<_> {
            let settings = settings(flags);
            let rules = settings.config.compare.rules.iter();
            rules.map(ToString::to_string).collect()
        };
        let build = ("build-header", "X-App-Rev");
        assert_eq!(rules(&[build]), ["ignore header:x-app-rev"]);
        let own = ("compare-rule", "pattern v[0-9]+ header:x-app-rev");
        assert_eq!(rules(&[build, own]), ["pattern v[0-9]+ header:x-app-rev"]);
        assert!(rules(&[build, ("compare-header", "none")]).is_empty());
        assert!(rules(&[("build-header", "etag")]).is_empty());
    }

    #[test]
    fn a_password_that_others_can_read_is_found() {
        let exposed = |key, text| settings(&[(key, text)]).exposed_secrets();
        let found = exposed("redis", "redis://u:hunter2@h");
        assert!(found[0].contains("MIRROR_REDIS") && !found[0].contains("hunter2"));
        assert!(exposed("redis", "redis://h").is_empty());

        let name = format!("mirror-exposed-{}.toml", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, "replica = \"postgres://u:hunter2@h/d\"\n").unwrap();
        let from_file = |mode| {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let settings = Sources::new(Given::default(), Some(path.clone())).load();
            settings.unwrap().exposed_secrets()
        };
        let (public, private) = (from_file(0o644), from_file(0o600));
        fs::remove_file(&path).unwrap();
        assert!(public[0].contains("chmod 600") && !public[0].contains("hunter2"));
        assert!(private.is_empty(), "{private:?}");
    }
}
