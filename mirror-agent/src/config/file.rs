//! The configuration file: TOML whose keys are the options' names.

use std::{fs, path::Path};

use anyhow::{Context, anyhow, bail};
use mirror_core::options::{Given, OptionSpec, Origin};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// Adds what the file says to `given`.
pub(super) fn read(path: &Path, specs: &[OptionSpec], given: &mut Given) -> anyhow::Result<()> {
    let text = fs::read_to_string(path)
        .with_context(|| format!("reading the configuration file {}", path.display()))?;
    parse(&text, &path.display().to_string(), specs, given)
}

pub(super) fn parse(
    text: &str,
    path: &str,
    specs: &[OptionSpec],
    given: &mut Given,
) -> anyhow::Result<()> {
    let table = DeTable::parse(text).map_err(|error| {
        let (line, column) = place(text, error.span().map_or(0, |span| span.start));
        anyhow!(
            "{path}, line {line}, column {column}: {}",
            error.message().trim()
        )
    })?;
    for (key, value) in table.get_ref() {
        let name = key.get_ref().as_ref();
        let (line, column) = place(text, key.span().start);
        let Some(spec) = specs.iter().find(|spec| spec.key == name) else {
            bail!(
                "{path}, line {line}, column {column}: {}",
                unknown(name, specs)
            );
        };
        let (line, column) = place(text, value.span().start);
        let texts = texts(value).map_err(|wrong| {
            anyhow!(
                "{path}, line {line}, column {column}: {name} is {wrong}: write a text, a number, true, false{}",
                if spec.is_list { " or a list" } else { "" }
            )
        })?;
        let path = path.to_owned();
        given.set(spec.key, texts, Origin::File { path, line, column });
    }
    Ok(())
}

/// The texts of a value, as they would be written on the command line.
pub(super) fn texts(value: &Spanned<DeValue<'_>>) -> Result<Vec<String>, &'static str> {
    Ok(match value.get_ref() {
        DeValue::Array(values) => values
            .iter()
            .map(|value| match texts(value)?.as_slice() {
                [one] if !matches!(value.get_ref(), DeValue::Array(_)) => Ok(one.clone()),
                _ => Err("a list of lists"),
            })
            .collect::<Result<_, _>>()?,
        DeValue::String(text) => vec![text.to_string()],
        DeValue::Integer(number) => vec![number.to_string()],
        DeValue::Float(number) => vec![number.to_string()],
        DeValue::Boolean(value) => vec![value.to_string()],
        DeValue::Datetime(_) => return Err("a date"),
        DeValue::Table(_) => return Err("a table"),
    })
}

fn unknown(name: &str, specs: &[OptionSpec]) -> String {
    let nearest = specs
        .iter()
        .map(|spec| (strsim::jaro_winkler(name, spec.key), spec.key))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match nearest {
        Some((likeness, key)) if likeness > 0.7 => {
            format!("unknown key `{name}`: did you mean `{key}`?")
        }
        _ => format!("unknown key `{name}`: `mirror-agent run --help` lists all"),
    }
}

/// Line and column, from 1; a column is a character.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line_begins = before.rfind('\n').map_or(0, |newline| newline + 1);
    let column = before[line_begins..].chars().count() + 1;
    (before.matches('\n').count() + 1, column)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use mirror_core::options::Options;

    fn read(text: &str) -> Result<Config, String> {
        let mut given = Given::default();
        parse(text, "agent.toml", &Config::specs(), &mut given)
            .map_err(|error| format!("{error:#}"))?;
        Config::read(&given).map_err(|error| error.to_string())
    }

    #[test]
    fn numbers_texts_and_lists_are_taken() {
        let config = read("port = [1, \"2-3\"]\non-missing = \"fail\"\nmax-body = 10\n").unwrap();
        assert_eq!(config.capture.filter.ports.to_string(), "1, 2-3");
        assert_eq!(config.dissect.max_body.as_u64(), 10);
        let config = read("port = 8080\nsnapshot-notify = true\nsample = 0.5\n").unwrap();
        assert_eq!(config.capture.filter.ports.to_string(), "8080");
        assert!(config.gate.notify);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let check = |text: &str, expect: &str| assert_eq!(read(text).unwrap_err(), expect);
        check(
            "# a comment\n  prot = 8080\n",
            "agent.toml, line 2, column 3: unknown key `prot`: did you mean `port`?",
        );
        check(
            "snapshot-wait-ms = 1\n",
            "agent.toml, line 1, column 1: unknown key `snapshot-wait-ms`: did you mean `snapshot-wait`?",
        );
        check(
            "zzz = 1\n",
            "agent.toml, line 1, column 1: unknown key `zzz`: `mirror-agent run --help` lists all",
        );
        check(
            "max-body = \"ten\"\n",
            "agent.toml, line 1, column 12: invalid max-body `ten`: use a size as in 64MiB, or a number of bytes",
        );
        check(
            "target = { host = 1 }\n",
            "agent.toml, line 1, column 10: target is a table: write a text, a number, true, false or a list",
        );
        check(
            "snapshot-wait = [\"1s\", \"2s\"]\n",
            "agent.toml, line 1, column 17: snapshot-wait is given twice: leave one out",
        );
        let broken = read("port = [1\nrule = 2\n").unwrap_err();
        assert!(broken.starts_with("agent.toml, line "), "{broken}");
    }

    #[test]
    fn a_password_in_the_file_is_not_repeated() {
        for text in [
            "redis = \"u:hunter2@h\"\n",
            "target = \"http://u:hunter2@h\"\n",
            "redis = [\"redis://u:hunter2@h\", \"redis://u:hunter2@h\"]\n",
            "redis = \"redis://u:hunter2@h\n",
            "redis = redis://u:hunter2@h\n",
        ] {
            let error = read(text).unwrap_err();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    /// What stands in it, and what is proposed there in comments.
    #[test]
    fn the_manifest_has_options_that_exist() {
        let manifest = include_str!("../../../deploy/daemonset.yaml");
        let (_, after) = manifest.split_once("agent.toml: |\n").expect("a file");
        let lines = after.lines().take_while(|line| line.starts_with("    "));
        let lines = lines.map(|line| line.trim_start().trim_start_matches("# "));
        let options: Vec<_> = lines.filter(|line| line.contains(" = ")).collect();
        assert!(options.len() > 3, "{options:?}");
        let config = read(&options.join("\n")).unwrap();
        config.require_capture().unwrap();
        assert!(config.replay.has_target() && config.gate.store.is_some());
    }
}
