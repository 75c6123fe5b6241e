//! Environment variables: `MIRROR_` and an option's name. A list is written as in the file: `MIRROR_ALLOW='["POST /a", "POST /b"]'`.

use anyhow::bail;
use mirror_core::options::{Given, OptionSpec, Origin};
use toml::de::DeValue;

/// Adds what `variable` gives to `given`; an empty variable counts as not set.
pub(super) fn read(
    specs: &[OptionSpec],
    variable: impl Fn(&str) -> Option<String>,
    given: &mut Given,
) -> anyhow::Result<()> {
    for spec in specs {
        let Some(text) = variable(&spec.env).filter(|text| !text.is_empty()) else {
            continue;
        };
        let texts = match spec.is_list && text.trim_start().starts_with('[') {
            true => list(spec, &text)?,
            false => vec![text],
        };
        given.set(spec.key, texts, Origin::Environment(spec.env.clone()));
    }
    Ok(())
}

fn list(spec: &OptionSpec, text: &str) -> anyhow::Result<Vec<String>> {
    let value = DeValue::parse(text.trim()).ok();
    match value.as_ref().map(super::file::texts) {
        Some(Ok(texts)) => Ok(texts),
        _ => bail!(
            "invalid {} `{text}`: write one value, or a list as in [\"a\", \"b\"]",
            spec.env
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use mirror_core::options::Options;

    fn check(name: &str, text: &str, key: &str, expect: &[&str]) {
        let mut given = Given::default();
        let variable = |asked: &str| (asked == name).then(|| text.to_owned());
        read(&Config::specs(), variable, &mut given).unwrap();
        let texts: Vec<_> = given.texts(key).into_iter().flatten().collect();
        assert_eq!(texts, expect, "{name}={text}");
    }

    #[test]
    fn a_variable_holds_one_value_or_a_list() {
        check("MIRROR_CAPTURE_PORT", "8080", "port", &["8080"]);
        check(
            "MIRROR_CAPTURE_PORT",
            "[8080, \"9000-9009\"]",
            "port",
            &["8080", "9000-9009"],
        );
        check(
            "MIRROR_RULE",
            "md5(\"{a},{b}\")",
            "rule",
            &["md5(\"{a},{b}\")"],
        );
        check(
            "MIRROR_TARGET_REDIS",
            "redis://h",
            "mirror-redis",
            &["redis://h"],
        );
        check("MIRROR_TARGET", "", "target", &[]);
        check("MIRROR_PORT", "tcp://10.96.0.100:80", "port", &[]);
    }
}
