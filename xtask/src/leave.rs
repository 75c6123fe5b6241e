//! How a task ends before it is done, by Ctrl-C, by SIGTERM or because nobody reads what it prints: its programs end, and
//! what it made goes.

use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use mirror_tests::process::{self, Signal};
use mirror_tests::{cluster, net, note, scratch, wait_until};

static LEAVING: AtomicBool = AtomicBool::new(false);
static PROGRAMS: Mutex<Vec<Program>> = Mutex::new(Vec::new());

/// How long programs may take to end by themselves.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a shell gives for Ctrl-C, and for a closed pipe.
const INTERRUPTED: i32 = 130;
const NO_READER: i32 = 141;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Program {
    id: u32,
    /// Its process group has its id, and whatever it started is in there.
    leads_group: bool,
}

/// A running program that ends with this task. Drop it when the program has ended.
#[derive(Debug)]
pub(crate) struct Registered(Program);

impl Registered {
    pub(crate) fn new(child: &Child, leads_group: bool) -> Self {
        let program = Program {
            id: child.id(),
            leads_group,
        };
        programs().push(program);
        if LEAVING.load(Ordering::SeqCst) {
            // Too late for the one who ends them all.
            process::signal_to(program.id, leads_group, Signal::KILL);
            park()
        }
        Self(program)
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        programs().retain(|program| *program != self.0);
    }
}

fn programs() -> MutexGuard<'static, Vec<Program>> {
    // A list of numbers is whole at all times.
    PROGRAMS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What else is to be removed when the task ends early.
pub(crate) fn also(remove: fn()) {
    hooks().push(remove);
}

fn hooks() -> MutexGuard<'static, Vec<fn()>> {
    static HOOKS: Mutex<Vec<fn()>> = Mutex::new(Vec::new());
    HOOKS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on Ctrl-C and SIGTERM end the task in order.
pub(crate) fn on_signals() -> Result<()> {
    ctrlc::set_handler(|| {
        if !LEAVING.load(Ordering::SeqCst) {
            note!("\ninterrupted: ending what runs and removing what was made");
        }
        leave(INTERRUPTED)
    })
    .context("handling Ctrl-C")
}

/// Nobody reads what is printed.
pub(crate) fn without_reader() -> ! {
    leave(NO_READER)
}

/// For a thread whose work another one has just taken away: it must neither go on nor end the process before that one is done.
pub(crate) fn wait_if_leaving() {
    if LEAVING.load(Ordering::SeqCst) {
        park()
    }
}

fn leave(code: i32) -> ! {
    if LEAVING.swap(true, Ordering::SeqCst) {
        park()
    }
    end_programs();
    net::remove_mine();
    scratch::remove_mine();
    // What test programs made is named after them.
    net::remove_stale();
    scratch::remove_stale();
    cluster::remove_left_over();
    let last: Vec<fn()> = hooks().clone();
    last.iter().for_each(|remove| remove());
    std::process::exit(code)
}

fn park() -> ! {
    loop {
        std::thread::park();
    }
}

fn end_programs() {
    let running = programs().clone();
    for signal in [Signal::TERM, Signal::KILL] {
        for program in &running {
            process::signal_to(program.id, program.leads_group, signal);
        }
        let ended = wait_until("the end of the programs", PATIENCE, || {
            running.iter().all(|program| !is_running(program))
        });
        if ended.is_ok() {
            return;
        }
    }
}

fn is_running(program: &Program) -> bool {
    process::exists(program.id, program.leads_group)
}
