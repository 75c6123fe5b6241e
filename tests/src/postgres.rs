//! A PostgreSQL primary on production's host and its streaming replica on the mirror's.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::http::wait_listening;
use crate::net::{Host, Network};
use crate::process::Process;
use crate::scratch::Scratch;

const PORT: u16 = 5432;
/// It refuses to run as root.
const USER: &str = "postgres";

#[derive(Debug)]
pub struct Pair {
    _primary: Process,
    _replica: Process,
}

impl Pair {
    pub fn start(network: &Network, scratch: &Scratch) -> Result<Self> {
        use std::os::unix::fs::PermissionsExt;
        // The user must get to its directories.
        std::fs::set_permissions(scratch.path(), PermissionsExt::from_mode(0o755))?;
        let (primary, replica) = (
            directory(scratch, "primary")?,
            directory(scratch, "replica")?,
        );
        run(as_user(network, Host::Production, "initdb")?
            .args(["--no-sync", "-A", "trust", "-D"])
            .arg(&primary))?;
        let anyone = "host all all 10.77.0.0/24 trust\nhost replication all 10.77.0.0/24 trust\n";
        let access = primary.join("pg_hba.conf");
        let text = std::fs::read_to_string(&access)? + anyone;
        std::fs::write(&access, text)?;
        let production = server(network, Host::Production, &primary, scratch)?;
        let address = Host::Production.address().to_string();
        run(as_user(network, Host::Mirror, "pg_basebackup")?
            .args([
                "-h",
                &address,
                "-R",
                "-X",
                "stream",
                "--checkpoint=fast",
                "--no-sync",
                "-D",
            ])
            .arg(&replica))?;
        let mirror = server(network, Host::Mirror, &replica, scratch)?;
        Ok(Self {
            _primary: production,
            _replica: mirror,
        })
    }

    /// Of the replica.
    pub fn url() -> String {
        format!(
            "postgres://{USER}@{}:{PORT}/postgres",
            Host::Mirror.address()
        )
    }

    /// The one value that a statement gives, on the host's server.
    pub fn ask(network: &Network, host: Host, statement: &str) -> Result<String> {
        let output = as_user(network, host, "psql")?
            .args(["-h", &host.address().to_string(), "-At", "-c", statement])
            .output()
            .context("running psql")?;
        ensure!(
            output.status.success(),
            "{statement}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}

fn directory(scratch: &Scratch, name: &str) -> Result<PathBuf> {
    let path = scratch.join(name);
    std::fs::create_dir(&path).with_context(|| format!("making {}", path.display()))?;
    run(Command::new("chown").arg(USER).arg(&path))?;
    run(Command::new("chmod").arg("700").arg(&path))?;
    Ok(path)
}

fn server(network: &Network, host: Host, data: &Path, scratch: &Scratch) -> Result<Process> {
    let mut command = as_user(network, host, "postgres")?;
    command
        .arg("-D")
        .arg(data)
        .args(["-c", &format!("listen_addresses={}", host.address())]);
    command.args([
        "-c",
        "unix_socket_directories=",
        "-c",
        "fsync=off",
        "-c",
        "wal_receiver_status_interval=1s",
    ]);
    let name = format!("postgres-{}", host.address());
    let process = Process::spawn(&name, command, scratch.path())?;
    let address = SocketAddr::from((host.address(), PORT));
    wait_listening(network, host, address, Duration::from_secs(20))
        .with_context(|| process.log())?;
    crate::wait_until("PostgreSQL's first answer", Duration::from_secs(20), || {
        Pair::ask(network, host, "SELECT 1").is_ok()
    })?;
    Ok(process)
}

/// One of PostgreSQL's programs, of the newest version that is installed, as its user.
fn as_user(network: &Network, host: Host, program: &str) -> Result<Command> {
    let versions =
        std::fs::read_dir("/usr/lib/postgresql").context("PostgreSQL is not installed")?;
    let number = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    let paths = versions.filter_map(|entry| Some(entry.ok()?.path()));
    let newest = paths
        .max_by_key(number)
        .context("no version of PostgreSQL is installed")?;
    let mut command = network.command(host, "setpriv");
    command.args([
        "--reuid",
        USER,
        "--regid",
        USER,
        "--clear-groups",
        "--pdeathsig",
        "KILL",
    ]);
    command
        .arg(newest.join("bin").join(program))
        .current_dir("/");
    Ok(command)
}

fn run(command: &mut Command) -> Result<()> {
    let output = command
        .output()
        .with_context(|| format!("running {command:?}"))?;
    ensure!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
