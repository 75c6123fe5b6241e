//! A Kubernetes of two nodes on this machine, by scripts that are not part of this repository:
//! `setup.sh`, `down.sh` and `kubectl` in `$MIRROR_CLUSTER`, or beside the workspace.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{note, wait_until, workspace};

/// Where the network that the nodes hang on is, while a cluster is up.
const NAMESPACE: &str = "/run/netns/mirror-cluster";

/// How long another run's cluster may take to end.
const OTHER_LIMIT: Duration = Duration::from_secs(180);

/// Where the scripts are looked for.
pub const PLACE: &str = "the scripts of a test cluster, in ../shared/cluster beside the repository or in $MIRROR_CLUSTER";

/// Where the scripts are; None on a machine without them.
pub fn directory() -> Option<PathBuf> {
    let directory = match std::env::var_os("MIRROR_CLUSTER") {
        Some(path) => PathBuf::from(path),
        None => workspace::root().join("../shared/cluster"),
    };
    directory.join("setup.sh").is_file().then_some(directory)
}

/// The agent's image, which `cargo xtask test` builds.
pub fn image() -> Result<PathBuf> {
    Ok(workspace::target_dir()?.join("mirror-agent-image.tar"))
}

/// The cluster while it is up; taken down on drop, with all it kept but its programs.
#[derive(Debug)]
pub struct Cluster {
    directory: PathBuf,
    /// `$K` of the scripts.
    files: PathBuf,
}

impl Cluster {
    /// Starts it, empty, with the agent's image on both nodes.
    pub fn start(directory: PathBuf) -> Result<Self> {
        let image = image()?;
        if !image.is_file() {
            bail!(
                "{} is not built: run `cargo xtask image {0}`",
                image.display()
            );
        }
        let files = workspace::target_dir()?.join("cluster");
        let state = files.join("run");
        if !state.exists() {
            wait_for_other(&directory)?;
        }
        let cluster = Self { directory, files };
        // Of a run that was killed. Without it, pods of then would come up again.
        cluster.script("down.sh", &[])?;
        if state.exists() {
            std::fs::remove_dir_all(&state)
                .with_context(|| format!("removing {}", state.display()))?;
        }
        let images = cluster.files.join("img");
        std::fs::create_dir_all(&images)
            .with_context(|| format!("creating {}", images.display()))?;
        std::fs::copy(&image, images.join("mirror-agent.tar"))
            .context("putting the image where the nodes find it")?;
        cluster.script("setup.sh", &["2"])?;
        Ok(cluster)
    }

    pub fn kubectl(&self, args: &[&str]) -> Result<String> {
        let output = self
            .command(self.directory.join("kubectl"))
            .args(args)
            .stdin(Stdio::null())
            .output()
            .context("running kubectl")?;
        succeeded("kubectl", args, output)
    }

    pub fn json(&self, args: &[&str]) -> Result<Value> {
        let args = [args, &["-o", "json"]].concat();
        serde_json::from_str(&self.kubectl(&args)?).context("parsing kubectl's JSON")
    }

    /// Applies a manifest given as text.
    pub fn apply(&self, manifest: &str) -> Result<()> {
        use std::io::Write;
        let mut child = self
            .command(self.directory.join("kubectl"))
            .args(["apply", "-f", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("running kubectl apply")?;
        let mut input = child.stdin.take().context("a pipe to kubectl")?;
        input
            .write_all(manifest.as_bytes())
            .context("writing to kubectl")?;
        drop(input);
        succeeded(
            "kubectl",
            &["apply"],
            child.wait_with_output().context("waiting for kubectl")?,
        )?;
        Ok(())
    }

    /// kubectl in the background, as for `logs --follow`.
    pub fn kubectl_command(&self, args: &[&str]) -> Command {
        let mut command = self.command("setpriv".into());
        command
            .args(["--pdeathsig", "KILL"])
            .arg(self.directory.join("kubectl"))
            .args(args);
        command
    }

    /// A program on the network that the nodes hang on.
    pub fn run(&self, program: &str, args: &[&str]) -> Result<String> {
        let output = Command::new("nsenter")
            .arg(format!("--net={NAMESPACE}"))
            .args(["--", program])
            .args(args)
            .output()
            .with_context(|| format!("running {program} beside the nodes"))?;
        succeeded(program, args, output)
    }

    /// A command that knows where this cluster's files are.
    fn command(&self, program: PathBuf) -> Command {
        let mut command = Command::new(program);
        command.env("K", &self.files);
        command
    }

    fn script(&self, name: &str, args: &[&str]) -> Result<()> {
        let output = self
            .command("bash".into())
            .arg(self.directory.join(name))
            .args(args)
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("running {name}"))?;
        succeeded(name, args, output)?;
        Ok(())
    }
}

/// Leaves what a killed run leaves, a network without processes: the next one must not stop at it.
pub fn leave_network() -> Result<()> {
    if Path::new(NAMESPACE).exists() {
        return Ok(());
    }
    let name = NAMESPACE.trim_start_matches("/run/netns/");
    let output = Command::new("ip").args(["netns", "add", name]).output();
    succeeded("ip", &["netns", "add", name], output.context("running ip")?)?;
    Ok(())
}

/// Takes down what a killed test left, for a handler of Ctrl-C.
pub fn remove_left_over() {
    let (Some(directory), Ok(target)) = (directory(), workspace::target_dir()) else {
        return;
    };
    let files = target.join("cluster");
    if Path::new(NAMESPACE).exists() && files.join("run").exists() {
        drop(Cluster { directory, files });
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Err(error) = self.script("down.sh", &["--wipe"]) {
            note!("the cluster is not down: {error:#}");
        }
    }
}

/// Waits until no process is in the network of a cluster that another run of these tests started:
/// there can be one cluster. A network without processes is what a killed run left.
fn wait_for_other(directory: &Path) -> Result<()> {
    let mut others = processes_in_network()?;
    let ended = wait_until("the end of another cluster", OTHER_LIMIT, || {
        others = processes_in_network().unwrap_or_else(|_| others.clone());
        others.is_empty()
    });
    ended.with_context(|| {
        format!(
            "there can be one cluster, and processes {} are in the network of another: end it with {}",
            others.join(", "),
            directory.join("down.sh").display()
        )
    })
}

/// The ids of the processes in the network that the nodes hang on; none where it does not exist.
fn processes_in_network() -> Result<Vec<String>> {
    let Ok(network) = std::fs::metadata(NAMESPACE) else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").context("listing the processes")? {
        let entry = entry.context("listing the processes")?;
        // What is no process, and a process that ended meanwhile, is in no network.
        if let Ok(entered) = std::fs::metadata(entry.path().join("ns/net"))
            && (entered.dev(), entered.ino()) == (network.dev(), network.ino())
        {
            found.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    Ok(found)
}

fn succeeded(program: &str, args: &[&str], output: std::process::Output) -> Result<String> {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        bail!(
            "{program} {}: {}\n{text}{errors}",
            args.join(" "),
            output.status
        );
    }
    Ok(text)
}
