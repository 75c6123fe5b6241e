//! Boots a kernel in a virtual machine whose only programs are a shell and the probe.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use mirror_tests::process::Process;

use super::package::{self, Kernel};
use crate::cargo::check;

const MODULES: [&str; 2] = ["sch_ingress", "cls_bpf"];

const INIT: &str = "#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t cgroup2 none /sys/fs/cgroup
for module in /modules/*.ko; do insmod $module; done
ip link set lo up
/probe
poweroff -f
";

/// What the guest's console showed until it was off.
pub(super) fn boot(
    kernel: &Kernel,
    probe: &Path,
    directory: &Path,
    limit: Duration,
) -> Result<String> {
    let initramfs = pack(kernel, probe, directory)?;
    // The log is made anew: it is the result.
    let log = directory.join("console.log");
    if log.exists() {
        fs::remove_file(&log).context("removing the console of the boot before")?;
    }
    let mut command = Command::new("qemu-system-x86_64");
    command
        .args(["-m", "512", "-nographic", "-no-reboot", "-nic", "none"])
        .arg("-kernel")
        .arg(&kernel.image)
        .arg("-initrd")
        .arg(&initramfs)
        // On a busy host the guest's timer may tick too late for the test that its kernel does of it, which then panics.
        .args(["-append", "console=ttyS0 panic=-1 quiet no_timer_check"]);
    let mut guest = Process::spawn("console", command, directory)?;
    let ended = guest.wait(limit);
    let console = guest.log();
    ended.with_context(|| format!("the guest did not end:\n{console}"))?;
    Ok(console)
}

fn pack(kernel: &Kernel, probe: &Path, directory: &Path) -> Result<PathBuf> {
    let root = directory.join("initramfs");
    if root.exists() {
        fs::remove_dir_all(&root).context("removing the initramfs of the boot before")?;
    }
    for folder in ["bin", "proc", "sys", "dev", "modules"] {
        fs::create_dir_all(root.join(folder)).context("making the initramfs")?;
    }
    install(&busybox()?, &root.join("bin/busybox"))?;
    for tool in ["sh", "mount", "insmod", "ip", "poweroff"] {
        std::os::unix::fs::symlink("busybox", root.join("bin").join(tool))?;
    }
    install(probe, &root.join("probe"))?;
    for name in MODULES {
        if let Some(module) = package::module(kernel, name)? {
            fs::write(root.join("modules").join(format!("{name}.ko")), module)?;
        }
    }
    fs::write(root.join("init"), INIT).context("writing init")?;
    fs::set_permissions(root.join("init"), fs::Permissions::from_mode(0o755))?;
    let packed = directory.join("initramfs.cpio");
    check(
        Command::new("sh")
            .args(["-c", "find . | cpio --quiet -o -H newc > \"$0\""])
            .arg(&packed)
            .current_dir(&root),
    )?;
    Ok(packed)
}

fn install(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("copying {}", from.display()))?;
    fs::set_permissions(to, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("making {} executable", to.display()))
}

fn busybox() -> Result<PathBuf> {
    ["/usr/bin/busybox", "/bin/busybox"]
        .map(PathBuf::from)
        .into_iter()
        .find(|path| path.is_file())
        .context("busybox is not where its package puts it")
}
