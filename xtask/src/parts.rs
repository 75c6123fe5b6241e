//! Parts of a task that run side by side, each a list of commands. A part's output is printed whole when the part ends. Meanwhile a
//! line names the parts that run. One that fails does not keep the others from running.

use std::fs::File;
use std::io::{IsTerminal, stderr};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use mirror_tests::workspace;

use crate::cargo::spell;
use crate::failures::{self, Failure};
use crate::leave::{self, Registered};
use crate::progress;
use crate::say::{note, say, text};
use crate::tally::{Counts, SKIPPED, Tally};

/// How often the line is renewed, on a terminal and elsewhere.
const TICK: Duration = Duration::from_secs(1);
const REMINDER: Duration = Duration::from_secs(30);

pub(crate) struct Part {
    name: &'static str,
    counts: Counts,
    /// Parts that must have ended, however they did.
    after: &'static [&'static str],
    /// One after the other; the first that fails is the last.
    commands: Vec<Command>,
    /// Why it does not run here.
    lack: Option<String>,
}

impl Part {
    pub(crate) fn new(name: &'static str, counts: Counts, commands: Vec<Command>) -> Self {
        Self {
            name,
            counts,
            after: &[],
            commands,
            lack: None,
        }
    }

    /// One that cannot run here counts as skipped.
    pub(crate) fn skipped(name: &'static str, lack: impl Into<String>) -> Self {
        Self {
            lack: Some(lack.into()),
            ..Self::new(name, Counts::Exit, Vec::new())
        }
    }

    pub(crate) fn after(mut self, names: &'static [&'static str]) -> Self {
        self.after = names;
        self
    }

    /// Leaves the processor to the others.
    pub(crate) fn in_background(mut self) -> Self {
        for command in &mut self.commands {
            let mut nice = Command::new("nice");
            nice.args(["-n", "15"]).arg(command.get_program());
            nice.args(command.get_args());
            for (name, value) in command.get_envs() {
                match value {
                    Some(value) => nice.env(name, value),
                    None => nice.env_remove(name),
                };
            }
            if let Some(folder) = command.get_current_dir() {
                nice.current_dir(folder);
            }
            *command = nice;
        }
        self
    }
}

/// What became of a part.
struct Ended {
    name: &'static str,
    tally: Tally,
    skipped: Vec<String>,
    /// Not empty when the part failed.
    failures: Vec<Failure>,
    /// The command that failed, and how.
    failure: Option<String>,
    took: Duration,
    log: PathBuf,
}

/// Runs all parts. Prints what each came to, and the closing line. Fails when one of them failed.
pub(crate) fn run(parts: Vec<Part>) -> Result<()> {
    let logs = workspace::target_dir()?.join("parts");
    std::fs::create_dir_all(&logs).with_context(|| format!("creating {}", logs.display()))?;
    summarise(&run_all(parts, &logs, show)?)
}

/// What became of each part, in the order in which they ended.
fn run_all(parts: Vec<Part>, logs: &Path, show: impl Fn(&Ended)) -> Result<Vec<Ended>> {
    let mut all: Vec<Ended> = Vec::new();
    let mut waiting = parts;
    let mut running: Vec<(&'static str, Instant)> = Vec::new();
    let (sender, receiver) = sync_channel(1);
    loop {
        start_ready(&mut waiting, &mut running, &all, logs, &sender)?;
        if running.is_empty() {
            break;
        }
        let ended = next(&receiver, &running)?;
        leave::wait_if_leaving();
        running.retain(|(name, _)| *name != ended.name);
        show(&ended);
        all.push(ended);
    }
    if !waiting.is_empty() {
        let names: Vec<&str> = waiting.iter().map(|part| part.name).collect();
        bail!("these parts wait for each other: {}", names.join(", "));
    }
    Ok(all)
}

fn start_ready(
    waiting: &mut Vec<Part>,
    running: &mut Vec<(&'static str, Instant)>,
    all: &[Ended],
    logs: &Path,
    sender: &SyncSender<Ended>,
) -> Result<()> {
    let has_ended = |name: &&str| all.iter().any(|ended| ended.name == *name);
    let (ready, later) = std::mem::take(waiting)
        .into_iter()
        .partition(|part| part.after.iter().all(has_ended));
    *waiting = later;
    let ready: Vec<Part> = ready;
    for part in ready {
        let log = logs.join(format!("{}.log", part.name.replace(' ', "-")));
        let file = File::create(&log).with_context(|| format!("creating {}", log.display()))?;
        running.push((part.name, Instant::now()));
        let sender = sender.clone();
        std::thread::spawn(move || {
            // The other end is gone when this task ends before its parts.
            let _ = sender.send(work(part, &file, log));
        });
    }
    Ok(())
}

/// The next part that ends. Until then the line is renewed.
fn next(receiver: &Receiver<Ended>, running: &[(&str, Instant)]) -> Result<Ended> {
    let on_terminal = stderr().is_terminal();
    let period = if on_terminal { TICK } else { REMINDER };
    loop {
        match receiver.recv_timeout(period) {
            Ok(ended) => {
                if on_terminal {
                    progress::line("");
                }
                return Ok(ended);
            }
            Err(RecvTimeoutError::Timeout) => {
                let parts: Vec<String> = running
                    .iter()
                    .map(|(name, since)| format!("{name} {}", clock(since.elapsed())))
                    .collect();
                let line = format!("running: {}", parts.join(", "));
                if on_terminal {
                    progress::line(&line);
                } else {
                    note!("{line}");
                }
            }
            Err(RecvTimeoutError::Disconnected) => bail!("a part ended without a result"),
        }
    }
}

fn work(part: Part, file: &File, log: PathBuf) -> Ended {
    let began = Instant::now();
    let mut failure = None;
    for mut command in part.commands {
        if let Err(error) = run_into(&mut command, file) {
            failure = Some(format!("{error:#}"));
            break;
        }
    }
    let output = std::fs::read(&log).unwrap_or_default();
    let output = String::from_utf8_lossy(&output);
    let (tally, skipped) = match part.lack {
        Some(lack) => {
            let tally = Tally {
                skipped: 1,
                ..Tally::default()
            };
            (tally, vec![format!("{}: {lack}", part.name)])
        }
        None => (
            part.counts.read(&output, failure.is_none()),
            part.counts.skipped(&output),
        ),
    };
    let failures = match &failure {
        Some(command) => failed_tests(part.counts, &output, command),
        None => Vec::new(),
    };
    Ended {
        name: part.name,
        tally,
        skipped,
        failures,
        failure,
        took: began.elapsed(),
        log,
    }
}

/// Those of a part whose command failed. The command stands for tests where none is named.
fn failed_tests(counts: Counts, output: &str, command: &str) -> Vec<Failure> {
    let failures = counts.failures(output);
    if !failures.is_empty() {
        return failures;
    }
    vec![Failure {
        test: command.to_owned(),
        message: failures::last_lines(output),
    }]
}

/// Runs a command with its output in `file`, in a process group of its own: it ends when this task is told to end, in order.
fn run_into(command: &mut Command, file: &File) -> Result<()> {
    use std::io::Write;
    let line = spell(command);
    let mut out = file;
    writeln!(out, "+ {line}").context("writing a log")?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(file.try_clone().context("sharing a log")?)
        .stderr(file.try_clone().context("sharing a log")?)
        .process_group(0)
        .spawn()
        .with_context(|| format!("running {line}"))?;
    let registered = Registered::new(&child, true);
    let status = child
        .wait()
        .with_context(|| format!("waiting for {line}"))?;
    drop(registered);
    if !status.success() {
        bail!("{line}: {status}");
    }
    Ok(())
}

/// The part's output, between lines that name it.
fn show(ended: &Ended) {
    let output = std::fs::read(&ended.log).unwrap_or_default();
    say!("━━━ {}", ended.name);
    text(&String::from_utf8_lossy(&output));
    say!(
        "━━━ {}: {} in {}, {}\n",
        ended.name,
        verdict(ended),
        clock(ended.took),
        ended.tally
    );
}

fn verdict(ended: &Ended) -> &'static str {
    if ended.failure.is_some() || ended.tally.failed > 0 {
        "FAILED"
    } else if ended.tally.passed == 0 && ended.tally.skipped > 0 {
        "skipped"
    } else {
        "passed"
    }
}

fn summarise(all: &[Ended]) -> Result<()> {
    let mut total = Tally::default();
    for line in all.iter().flat_map(|ended| &ended.skipped) {
        say!("{SKIPPED}{line}");
    }
    say!(
        "\n{:<28}{:<10}{:>8}{:>9}{:>9}{:>9}",
        "part",
        "",
        "time",
        "passed",
        "failed",
        "skipped"
    );
    for ended in all {
        let Tally {
            passed,
            failed,
            skipped,
        } = ended.tally;
        say!(
            "{:<28}{:<10}{:>8}{passed:>9}{failed:>9}{skipped:>9}",
            ended.name,
            verdict(ended),
            clock(ended.took)
        );
        total += ended.tally;
    }
    for failure in all.iter().filter_map(|ended| ended.failure.as_ref()) {
        say!("failed: {failure}");
    }
    let failures = all.iter().flat_map(|ended| {
        let tests = ended.failures.iter();
        tests.map(|failure| (ended.name, failure))
    });
    text(&failures::summary(failures));
    say!("\n{total}");
    if total.failed > 0 || all.iter().any(|ended| ended.failure.is_some()) {
        bail!("not all parts passed");
    }
    Ok(())
}

/// As a stop watch shows it.
fn clock(time: Duration) -> String {
    format!("{}:{:02}", time.as_secs() / 60, time.as_secs() % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_part_that_fails_does_not_keep_the_others_from_running() {
        let folder = mirror_tests::scratch::Scratch::new().unwrap();
        let mark = folder.join("ran");
        let touch = format!("touch {}", mark.display());
        let parts = vec![
            Part::new("fails", Counts::Exit, vec![shell("exit 3"), shell(&touch)]),
            Part::new("later", Counts::Exit, vec![shell(&touch)]).after(&["fails"]),
        ];
        let all = run_all(parts, folder.path(), |_| {}).unwrap();
        let verdicts: Vec<_> = all.iter().map(|one| (one.name, verdict(one))).collect();
        assert_eq!(verdicts, [("fails", "FAILED"), ("later", "passed")]);
        assert!(mark.exists());
    }

    #[test]
    fn parts_that_wait_for_each_other_are_an_error() {
        let folder = mirror_tests::scratch::Scratch::new().unwrap();
        let part = |name, after| Part::new(name, Counts::Exit, Vec::new()).after(after);
        let parts = vec![part("a", &["b"]), part("b", &["a"])];
        let error = run_all(parts, folder.path(), |_| {}).err().unwrap();
        assert!(error.to_string().contains("a, b"), "{error}");
    }

    #[test]
    fn a_part_ends_with_its_first_command_that_fails() {
        let folder = mirror_tests::scratch::Scratch::new().unwrap();
        let log = folder.join("log");
        let file = File::create(&log).unwrap();
        let commands = vec![shell("echo one"), shell("exit 3"), shell("echo two")];
        let ended = work(Part::new("p", Counts::Exit, commands), &file, log.clone());
        assert_eq!(ended.tally.failed, 1);
        assert!(ended.failure.unwrap().contains("exit status: 3"));
        let [failure] = &ended.failures[..] else {
            panic!("{:?}", ended.failures)
        };
        assert!(failure.test.contains("exit status: 3"), "{failure:?}");
        assert_eq!(failure.message.last().unwrap(), "+ sh -c exit 3");
        let output = std::fs::read_to_string(log).unwrap();
        assert!(
            output.contains("\none\n") && !output.contains("\ntwo\n"),
            "{output}"
        );
    }

    #[test]
    fn a_part_that_cannot_run_is_skipped() {
        let folder = mirror_tests::scratch::Scratch::new().unwrap();
        let log = folder.join("log");
        let file = File::create(&log).unwrap();
        let ended = work(Part::skipped("p", "no tool chain"), &file, log);
        assert_eq!(verdict(&ended), "skipped");
        assert_eq!(ended.skipped, ["p: no tool chain"]);
        assert_eq!(ended.tally.to_string(), "0 passed, 0 failed, 1 skipped");
    }

    #[test]
    fn a_command_in_the_background_is_the_same_command() {
        let mut command = shell("echo $WORD");
        command.env("WORD", "kept").current_dir("/");
        let part = Part::new("p", Counts::Exit, vec![command]).in_background();
        assert_eq!(spell(&part.commands[0]), "nice -n 15 sh -c echo $WORD");
        assert_eq!(part.commands[0].get_current_dir(), Some(Path::new("/")));
        assert_eq!(part.commands[0].get_envs().count(), 1);
    }
}
