//! Declared options → flags of the command line.

use std::marker::PhantomData;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches};
use mirror_core::options::{Given, OptionSpec, Options, Origin};

/// What was given on the command line for the options `O`.
#[derive(Clone)]
pub struct Flags<O, const HAS_DEFAULTS: bool = true> {
    pub given: Given,
    options: PhantomData<fn() -> O>,
}

/// Flags that change options: what is not given stays as it is.
pub type Changes<O> = Flags<O, false>;

impl<O, const HAS_DEFAULTS: bool> Default for Flags<O, HAS_DEFAULTS> {
    fn default() -> Self {
        Self {
            given: Given::default(),
            options: PhantomData,
        }
    }
}

/// Without the values, which may be passwords.
impl<O, const HAS_DEFAULTS: bool> std::fmt::Debug for Flags<O, HAS_DEFAULTS> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.given.keys()).finish()
    }
}

impl<O: Options, const HAS_DEFAULTS: bool> Args for Flags<O, HAS_DEFAULTS> {
    fn augment_args(command: Command) -> Command {
        let specs = O::specs();
        let args = specs.iter().map(|spec| arg(spec, HAS_DEFAULTS));
        args.fold(command, Command::arg)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<O: Options, const HAS_DEFAULTS: bool> FromArgMatches for Flags<O, HAS_DEFAULTS> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        for spec in O::specs() {
            if let Some(values) = matches.get_many::<String>(spec.key) {
                let texts = values.cloned().collect();
                self.given.set(spec.key, texts, Origin::Flag);
            }
        }
        Ok(())
    }
}

fn arg(spec: &OptionSpec, has_defaults: bool) -> Arg {
    let arg = Arg::new(spec.key)
        .long(spec.key)
        .help(help(spec, has_defaults))
        .help_heading(spec.heading)
        .action(if spec.is_list {
            ArgAction::Append
        } else {
            ArgAction::Set
        });
    if spec.is_switch {
        // `--notify` alone, or `--notify=false` against the file.
        arg.num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .value_name("BOOL")
    } else if let Some(alone) = spec.alone {
        arg.num_args(0..=1)
            .default_missing_value(alone)
            .value_name(spec.value_name)
    } else {
        arg.value_name(spec.value_name)
    }
}

fn help(spec: &OptionSpec, has_defaults: bool) -> String {
    let mut help = spec.help.clone();
    if !spec.values.is_empty() {
        help += &format!(" [possible values: {}]", spec.values.join(", "));
    }
    match spec.default {
        _ if !has_defaults => help,
        Some(default) => help + &format!(" [default: {default}]"),
        None if spec.is_switch => help + " [default: false]",
        None => help + " [default: not set]",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;
    use crate::config::{Config, file};

    /// Flags of `run` that stand for no option.
    const OTHERS: [&str; 4] = ["config", "json", "help", "version"];

    fn run() -> Command {
        let mut cli = Cli::command();
        cli.build();
        cli.find_subcommand("run").expect("a command `run`").clone()
    }

    #[test]
    fn every_flag_is_a_key_of_the_file_and_the_other_way_round() {
        let command = run();
        let flags: BTreeSet<_> = command.get_arguments().filter_map(Arg::get_long).collect();
        let keys: BTreeSet<_> = Config::specs().iter().map(|spec| spec.key).collect();
        let expected: BTreeSet<_> = keys.iter().copied().chain(OTHERS).collect();
        assert_eq!(flags, expected);
        for key in keys {
            let mut given = Given::default();
            let text = format!("{key} = \"x\"\n");
            file::parse(&text, "agent.toml", &Config::specs(), &mut given).unwrap();
            assert_eq!(given.keys().collect::<Vec<_>>(), [key]);
        }
        let wrong = file::parse(
            "json = true",
            "agent.toml",
            &Config::specs(),
            &mut Given::default(),
        );
        assert!(wrong.is_err(), "not an option");
    }

    #[test]
    fn the_help_lists_every_option_with_its_default_below_its_stage() {
        let command = run();
        for spec in Config::specs() {
            let arg = command
                .get_arguments()
                .find(|arg| arg.get_long() == Some(spec.key));
            let arg = arg.expect("a flag for the option");
            assert_eq!(arg.get_help_heading(), Some(spec.heading));
            let help = arg.get_help().expect("a help").to_string();
            let default = spec
                .default
                .unwrap_or(if spec.is_switch { "false" } else { "not set" });
            assert!(help.contains(&format!("[default: {default}]")), "{help}");
        }
    }

    #[test]
    fn keys_and_environment_variables_are_told_apart() {
        let specs = Config::specs();
        for name in [
            |spec: &OptionSpec| spec.key.to_owned(),
            |spec: &OptionSpec| spec.env.clone(),
        ] {
            let names: BTreeSet<_> = specs.iter().map(name).collect();
            assert_eq!(names.len(), specs.len());
        }
        // What names the file and the log is no option.
        assert!(
            specs
                .iter()
                .all(|spec| !["MIRROR_CONFIG", "MIRROR_LOG"].contains(&&*spec.env))
        );
    }

    #[test]
    fn every_command_has_an_example_and_output_for_programs() {
        let mut cli = Cli::command();
        cli.build();
        let is_own = |command: &&Command| command.get_name() != "help";
        // Of a family of commands, each of them.
        let commands = cli.get_subcommands().filter(is_own).flat_map(|command| {
            let family: Vec<_> = command.get_subcommands().filter(is_own).collect();
            let prefix = format!("{} ", command.get_name());
            match family.is_empty() {
                true => vec![(command.get_name().to_owned(), command)],
                false => family
                    .into_iter()
                    .map(|one| (format!("{prefix}{}", one.get_name()), one))
                    .collect(),
            }
        });
        for (name, command) in commands {
            let help = command.get_after_help().map(ToString::to_string);
            let help = help.unwrap_or_else(|| panic!("{name} has no example"));
            assert!(
                help.contains(&format!("mirror-agent {name}")),
                "{name}: {help}"
            );
            let prints = |arg: &Arg| ["json", "format"].map(Some).contains(&arg.get_long());
            // A schema is for programs in any case.
            let is_for_programs = name == "schema" || command.get_arguments().any(prints);
            assert!(is_for_programs, "{name}");
        }
    }

    #[test]
    fn the_flag_wins_and_a_switch_can_be_turned_off() {
        let read = |args: &[&str]| {
            let command = Flags::<Config>::augment_args(Command::new("run"));
            let matches = command
                .try_get_matches_from([&["run"], args].concat())
                .unwrap();
            Config::read(&Flags::<Config>::from_arg_matches(&matches).unwrap().given).unwrap()
        };
        assert!(read(&["--snapshot-notify"]).gate.notify);
        assert!(!read(&["--snapshot-notify=false"]).gate.notify);
        assert!(!read(&[]).carry.rules.is_on());
        assert!(read(&["--carry", "--port", "1"]).carry.rules.is_on());
        assert!(read(&["--carry", "!header:etag"]).carry.rules.is_on());
        let config = read(&["--port", "1", "--port", "2-3", "--max-body", "8MiB"]);
        assert_eq!(config.capture.filter.ports.to_string(), "1, 2-3");
        assert_eq!(config.dissect.max_body.as_u64(), 8 << 20);
    }
}
