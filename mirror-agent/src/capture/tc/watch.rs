//! Keeps the programs attached to the interfaces that are wanted in one network namespace, while
//! interfaces and the programs of others come and go.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc::{self, SyncSender},
    },
    thread,
    time::{Duration, Instant, SystemTime},
};

use anyhow::Context;

use super::{
    attach::Attached,
    blind_times::{BlindTimes, Standing},
    counters::KernelCounters,
    options::Hook,
    programs::Programs,
};
use crate::capture::net::{
    links::{self, Interface, LinkEvents, LinkPatterns},
    namespace::{Namespace, Presence},
};

/// Events may be lost, and TCX has none: it is looked this often all the same.
const RECONCILE_INTERVAL: Duration = Duration::from_secs(1);
const EVENT_TIMEOUT: Duration = Duration::from_millis(100);
/// Who insists on coming first, as we do, wins in the end: two that both do would go on for ever.
const MAX_MOVES: usize = 3;
/// [`MAX_MOVES`] are allowed in each of these.
const MOVES_INTERVAL: Duration = Duration::from_secs(60);

/// The thread that lives in a namespace; detaches when dropped.
pub(super) struct Watch {
    stop: Arc<AtomicBool>,
    attachments: Arc<Mutex<BTreeMap<u32, Attachment>>>,
    refused: Arc<Mutex<BTreeMap<u32, String>>>,
    patterns: Arc<Mutex<LinkPatterns>>,
    namespace: Namespace,
    handle: Option<thread::JoinHandle<()>>,
}

/// An interface that is captured on, and how.
#[derive(Clone, Debug)]
pub struct Attachment {
    /// `name`, or `name in namespace` for another namespace than the agent's.
    pub interface: String,
    /// `tcx`, `clsact` or `cgroup`.
    pub how: &'static str,
}

/// What the watches of all namespaces share.
#[derive(Clone)]
pub(super) struct SharedCapture {
    pub(super) programs: Arc<Mutex<Programs>>,
    pub(super) hook: Hook,
    pub(super) counters: KernelCounters,
    pub(super) blind_times: BlindTimes,
}

impl Watch {
    /// Returns once attached to all interfaces that are there now, or with what is wrong.
    pub(super) fn start(
        namespace: Namespace,
        patterns: LinkPatterns,
        shared: SharedCapture,
    ) -> anyhow::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let (attachments, refused) = (Arc::default(), Arc::default());
        let patterns = Arc::new(Mutex::new(patterns));
        let mut inside = Inside {
            namespace: namespace.clone(),
            patterns: Arc::clone(&patterns),
            shared,
            attachments: Arc::clone(&attachments),
            watched: BTreeMap::new(),
            refused: Arc::clone(&refused),
            stop: Arc::clone(&stop),
        };
        let (ready, started) = mpsc::sync_channel(1);
        let handle = thread::Builder::new()
            .name("interfaces".into())
            .spawn(move || inside.live(&ready))
            .context("starting the thread that watches interfaces")?;
        let watch = Self {
            stop,
            attachments,
            refused,
            patterns,
            namespace,
            handle: Some(handle),
        };
        started
            .recv()
            .context("the thread that watches interfaces ended early")??;
        Ok(watch)
    }

    /// Whether each pattern has an interface here.
    pub(super) fn check(&self, patterns: &LinkPatterns) -> anyhow::Result<()> {
        self.namespace.run(|| patterns.check(&links::list()?))
    }

    /// Attaches by other patterns from the next look on, within a second.
    pub(super) fn switch_to(&self, patterns: LinkPatterns) {
        *lock(&self.patterns) = patterns;
    }

    pub(super) fn attachments(&self) -> Vec<Attachment> {
        lock(&self.attachments).values().cloned().collect()
    }

    /// Why wanted interfaces are not captured on.
    pub(super) fn refused(&self) -> Vec<String> {
        lock(&self.refused).values().cloned().collect()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(handle) = self.handle.take() {
            let _ = handle.join();
        }
    }
}

struct Inside {
    namespace: Namespace,
    patterns: Arc<Mutex<LinkPatterns>>,
    shared: SharedCapture,
    attachments: Arc<Mutex<BTreeMap<u32, Attachment>>>,
    watched: BTreeMap<u32, WatchedInterface>,
    /// Why an interface is not attached to, by its index.
    refused: Arc<Mutex<BTreeMap<u32, String>>>,
    stop: Arc<AtomicBool>,
}

/// An interface that the programs are attached to.
struct WatchedInterface {
    /// As in [`Attachment`].
    name: String,
    attached: Attached,
    /// When the programs were last seen in their place, or a time out of it was last counted.
    counted: Instant,
    /// When they came first again.
    moves: Vec<Instant>,
}

impl Inside {
    fn live(&mut self, ready: &SyncSender<anyhow::Result<()>>) {
        let (events, presence) = match self.begin() {
            Ok(begun) => begun,
            Err(error) => {
                self.detach_all();
                let _ = ready.send(Err(error));
                return;
            }
        };
        let _ = ready.send(Ok(()));
        let mut listed = Instant::now();
        while !self.stop.load(Relaxed) {
            // Short waits, so that a stop is not waited for.
            if events.wait(EVENT_TIMEOUT) || listed.elapsed() >= RECONCILE_INTERVAL {
                listed = Instant::now();
                if self.namespace != Namespace::Own && presence.is_over() {
                    tracing::warn!("{} is gone: nothing more is captured there", self.namespace);
                    break;
                }
                if let Err(error) = self.reconcile() {
                    tracing::warn!("interfaces: {error:#}");
                }
            }
        }
        self.detach_all();
    }

    fn begin(&mut self) -> anyhow::Result<(LinkEvents, Presence)> {
        let presence = self.namespace.enter()?;
        // Before the list is made, so that nothing falls between.
        let events = LinkEvents::open()?;
        lock(&self.patterns).check(&links::list()?)?;
        self.reconcile()?;
        if let Some(reason) = lock(&self.refused).values().next()
            && self.watched.is_empty()
        {
            anyhow::bail!("{reason}");
        }
        Ok((events, presence))
    }

    /// Attaches to wanted interfaces that are new, comes first on the others, and forgets those that are gone.
    fn reconcile(&mut self) -> anyhow::Result<()> {
        let interfaces = links::list()?;
        let patterns = lock(&self.patterns).clone();
        let wanted = |interface: &Interface| patterns.matches(interface);
        let gone: Vec<u32> = self
            .watched
            .keys()
            .filter(|index| !interfaces.get(index).is_some_and(wanted))
            .copied()
            .collect();
        let new: Vec<&Interface> = interfaces
            .values()
            .filter(|found| wanted(found) && !self.watched.contains_key(&found.index))
            .collect();
        lock(&self.refused).retain(|index, _| interfaces.get(index).is_some_and(wanted));
        for index in gone {
            self.detach(index);
        }
        for (index, watched) in &mut self.watched {
            if let Some(interface) = interfaces.get(index) {
                watched.look(interface, &self.shared, true);
            }
        }
        for interface in new {
            self.attach(interface);
        }
        Ok(())
    }

    fn attach(&mut self, interface: &Interface) {
        let mut programs = lock(&self.shared.programs);
        match Attached::new(&mut programs, self.shared.hook, interface) {
            Ok(attached) => {
                let index = interface.index;
                let name = match self.namespace {
                    Namespace::Own => interface.name.clone(),
                    _ => format!("{} in {}", interface.name, self.namespace),
                };
                let attachment = Attachment {
                    interface: name.clone(),
                    how: attached.how(),
                };
                lock(&self.refused).remove(&index);
                self.shared.counters.name(index, &interface.name);
                lock(&self.attachments).insert(index, attachment);
                let watched = WatchedInterface {
                    name,
                    attached,
                    counted: Instant::now(),
                    moves: Vec::new(),
                };
                self.watched.insert(index, watched);
            }
            Err(error) => {
                let reason = format!("{error:#}");
                // An interface may vanish between list and attachment; the next list tells.
                tracing::debug!("{reason}");
                lock(&self.refused).insert(interface.index, reason);
            }
        }
    }

    fn detach(&mut self, index: u32) {
        lock(&self.attachments).remove(&index);
        if let Some(watched) = self.watched.remove(&index) {
            self.shared.blind_times.end(&watched.name);
        }
    }

    fn detach_all(&mut self) {
        // What others have done since the last look is noted too.
        let interfaces = links::list().unwrap_or_default();
        for (index, watched) in &mut self.watched {
            if let Some(interface) = interfaces.get(index) {
                watched.look(interface, &self.shared, false);
            }
        }
        let indexes: Vec<u32> = self.watched.keys().copied().collect();
        for index in indexes {
            self.detach(index);
        }
    }
}

impl WatchedInterface {
    /// Looks whether programs of others were put before ours since, which may end the chain, or ours was taken away.
    /// Notes how long packets may have been hidden and, where `move_first`, comes first again.
    fn look(&mut self, interface: &Interface, shared: &SharedCapture, move_first: bool) {
        let cause = match self.attached.standing(interface) {
            // An interface that is gone is nobody's.
            None => return,
            Some(Standing::InPlace) => {
                self.counted = Instant::now();
                shared.blind_times.end(&self.name);
                return;
            }
            Some(Standing::Blind(cause)) => cause,
        };
        let moved = move_first && self.may_move() && self.move_to_first(interface, shared);
        let now = Instant::now();
        let blind = now.duration_since(self.counted);
        self.counted = now;
        let times = &shared.blind_times;
        times.add(&self.name, cause, blind, SystemTime::now(), !moved);
    }

    fn may_move(&mut self) -> bool {
        self.moves.retain(|moved| moved.elapsed() < MOVES_INTERVAL);
        self.moves.len() < MAX_MOVES
    }

    fn move_to_first(&mut self, interface: &Interface, shared: &SharedCapture) -> bool {
        self.moves.push(Instant::now());
        if self.moves.len() == MAX_MOVES {
            tracing::warn!(
                "another program comes first on {} again and again: it may hide packets from capture",
                self.name
            );
        }
        let mut programs = lock(&shared.programs);
        match self.attached.come_first(&mut programs, interface) {
            // Another may have come first again meanwhile, or cannot be come before.
            Ok(()) => self.attached.standing(interface) == Some(Standing::InPlace),
            Err(error) => {
                tracing::warn!("{error:#}");
                false
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
