//! A program on a terminal of its own.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::process::Signal;
use crate::wait_until;

/// The program, and the side of the terminal that a person would sit at.
#[derive(Debug)]
pub struct OnTerminal {
    child: Child,
    person: File,
    written: Arc<Mutex<Vec<u8>>>,
}

impl OnTerminal {
    /// Starts a program that takes the terminal for its own, and its size for (columns, lines).
    pub fn start(mut command: Command, size: (u16, u16)) -> Result<Self> {
        let (person, program) = open(size)?;
        let end = |what| program.try_clone().context(what);
        command.stdin(end("standard input")?);
        command.stdout(end("standard output")?);
        command.stderr(end("standard error")?);
        // SAFETY: both calls are async-signal-safe and touch no memory of the parent.
        unsafe {
            command.pre_exec(|| {
                if libc::setsid() == -1 || libc::ioctl(0, libc::TIOCSCTTY, 0) == -1 {
                    return Err(io::Error::last_os_error());
                }
                Ok(())
            });
        }
        let child = command
            .spawn()
            .context("starting a program on a terminal")?;
        drop((command, program));
        let written = Arc::new(Mutex::new(Vec::new()));
        let (mut reading, into) = (person.try_clone()?, Arc::clone(&written));
        thread::spawn(move || {
            let mut part = [0; 64 << 10];
            // It fails when the program has ended.
            while let Ok(read @ 1..) = reading.read(&mut part) {
                let mut all = into.lock().unwrap_or_else(PoisonError::into_inner);
                all.extend_from_slice(&part[..read]);
            }
        });
        Ok(Self {
            child,
            person,
            written,
        })
    }

    /// All that it has written.
    pub fn written(&self) -> Vec<u8> {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.clone()
    }

    pub fn press(&mut self, keys: &str) -> Result<()> {
        self.person
            .write_all(keys.as_bytes())
            .context("pressing a key")
    }

    pub fn signal(&self, signal: Signal) -> Result<()> {
        let id = i32::try_from(self.child.id()).context("a process id")?;
        let process = rustix::process::Pid::from_raw(id).context("a process")?;
        rustix::process::kill_process(process, signal).context("sending a signal")
    }

    /// Makes the window larger or smaller; the program gets its signal.
    pub fn resize(&self, size: (u16, u16)) -> Result<()> {
        let size = window(size);
        // SAFETY: the descriptor is open, and the kernel reads one winsize.
        let changed = unsafe { libc::ioctl(self.person.as_raw_fd(), libc::TIOCSWINSZ, &size) };
        match changed {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()).context("changing a terminal's size"),
        }
    }

    /// Whether keys are shown and lines are edited, as before the program came.
    pub fn is_in_order(&self) -> Result<bool> {
        let modes = modes(&self.person)?;
        Ok(modes.c_lflag & (libc::ICANON | libc::ECHO) == libc::ICANON | libc::ECHO)
    }

    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let mut status = None;
        wait_until("its end", limit, || {
            status = self.child.try_wait().ok().flatten();
            status.is_some()
        })?;
        status.context("its exit status")
    }
}

impl Drop for OnTerminal {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn window((columns, lines): (u16, u16)) -> libc::winsize {
    libc::winsize {
        ws_row: lines,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    }
}

/// The person's side of a new terminal, and the program's.
fn open(size: (u16, u16)) -> Result<(File, OwnedFd)> {
    let (mut person, mut program) = (-1, -1);
    let size = window(size);
    // SAFETY: the kernel writes two descriptors and reads one winsize; no name and no modes are asked for.
    let opened = unsafe {
        libc::openpty(
            &mut person,
            &mut program,
            std::ptr::null_mut(),
            std::ptr::null(),
            &size,
        )
    };
    if opened != 0 {
        return Err(io::Error::last_os_error()).context("opening a terminal");
    }
    // SAFETY: both were opened just now, and belong to nobody else.
    let (person, program) = unsafe { (File::from_raw_fd(person), OwnedFd::from_raw_fd(program)) };
    // A child must not keep the person's side open.
    // SAFETY: the descriptor is open.
    unsafe { libc::fcntl(person.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) };
    Ok((person, program))
}

fn modes(terminal: &File) -> Result<libc::termios> {
    let mut modes = std::mem::MaybeUninit::<libc::termios>::uninit();
    // SAFETY: the descriptor is open, and the kernel fills the structure if it returns 0.
    let asked = unsafe { libc::tcgetattr(terminal.as_raw_fd(), modes.as_mut_ptr()) };
    match asked {
        // SAFETY: it was filled.
        0 => Ok(unsafe { modes.assume_init() }),
        _ => Err(io::Error::last_os_error()).context("asking for a terminal's modes"),
    }
}
