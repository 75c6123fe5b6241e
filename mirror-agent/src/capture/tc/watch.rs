//! Keeps the programs attached to the interfaces that are wanted in one network namespace, while
//! interfaces come and go.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc::{self, SyncSender},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;

use super::{
    super::net::{
        links::{self, LinkEvents, LinkPatterns, NetLink},
        namespace::{Namespace, Presence},
    },
    attach::{Attached, Programs},
    counters::Counters,
};

/// Events may be lost: interfaces are listed this often all the same.
const RECONCILE: Duration = Duration::from_secs(1);
const MOST_MOVES: u32 = 3;
const WAIT: Duration = Duration::from_millis(100);

/// The thread that lives in a namespace; detaches when dropped.
pub(super) struct Watch {
    stop: Arc<AtomicBool>,
    places: Arc<Mutex<BTreeMap<u32, Place>>>,
    patterns: Arc<Mutex<LinkPatterns>>,
    namespace: Namespace,
    handle: Option<thread::JoinHandle<()>>,
}

#[derive(Clone, Debug)]
struct Place {
    name: String,
    how: &'static str,
}

impl Watch {
    /// Returns once attached to all interfaces that are there now, or with what is wrong.
    pub(super) fn start(
        namespace: Namespace,
        patterns: LinkPatterns,
        programs: Arc<Mutex<Programs>>,
        counters: Counters,
    ) -> anyhow::Result<Self> {
        let (stop, places) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let patterns = Arc::new(Mutex::new(patterns));
        let mut inside = Inside {
            namespace: namespace.clone(),
            patterns: Arc::clone(&patterns),
            programs,
            counters,
            places: Arc::clone(&places),
            attached: BTreeMap::new(),
            refused: BTreeMap::new(),
            moved: BTreeMap::new(),
            stop: Arc::clone(&stop),
        };
        let (ready, started) = mpsc::sync_channel(1);
        let handle = thread::Builder::new()
            .name("interfaces".into())
            .spawn(move || inside.live(&ready))
            .context("starting the thread that watches interfaces")?;
        let watch = Self {
            stop,
            places,
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
    pub(super) fn go_over_to(&self, patterns: LinkPatterns) {
        *lock(&self.patterns) = patterns;
    }

    /// `name` or `name in namespace`, and how it is attached.
    pub(super) fn places(&self) -> Vec<(String, &'static str)> {
        let places = lock(&self.places);
        let name = |place: &Place| match self.namespace {
            Namespace::Own => (place.name.clone(), place.how),
            _ => (format!("{} in {}", place.name, self.namespace), place.how),
        };
        places.values().map(name).collect()
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
    programs: Arc<Mutex<Programs>>,
    counters: Counters,
    places: Arc<Mutex<BTreeMap<u32, Place>>>,
    attached: BTreeMap<u32, Attached>,
    /// What could not be attached, by index, so that it is said once.
    refused: BTreeMap<u32, String>,
    /// How often we went before others again.
    moved: BTreeMap<u32, u32>,
    stop: Arc<AtomicBool>,
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
            if events.wait(WAIT) || listed.elapsed() >= RECONCILE {
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
        if let Some(reason) = self.refused.values().next()
            && self.attached.is_empty()
        {
            anyhow::bail!("{reason}");
        }
        Ok((events, presence))
    }

    /// Attaches where it is wanted and not done, and forgets interfaces that are gone.
    fn reconcile(&mut self) -> anyhow::Result<()> {
        let links = links::list()?;
        let patterns = lock(&self.patterns).clone();
        let wanted = |link: &NetLink| patterns.matches(link);
        let gone: Vec<u32> = self
            .attached
            .keys()
            .filter(|index| !links.get(index).is_some_and(wanted))
            .copied()
            .collect();
        let new: Vec<&NetLink> = links
            .values()
            .filter(|link| wanted(link) && !self.attached.contains_key(&link.index))
            .collect();
        self.refused.retain(|index, _| links.contains_key(index));
        for index in gone {
            self.detach(index);
            self.moved.remove(&index);
        }
        self.come_first(&links);
        for link in new {
            self.attach(link);
        }
        Ok(())
    }

    /// Goes before programs that have been put before ours, which may end the chain. Who insists, as we
    /// do, wins in the end: two that both do would go on for ever.
    fn come_first(&mut self, links: &BTreeMap<u32, NetLink>) {
        let behind: Vec<&NetLink> = self
            .attached
            .iter()
            .filter_map(|(index, attached)| {
                let link = links.get(index)?;
                lock(&self.programs)
                    .is_displaced(link, attached)
                    .then_some(link)
            })
            .collect();
        for link in behind {
            let moves = self.moved.entry(link.index).or_default();
            *moves += 1;
            match *moves {
                1..=MOST_MOVES => {
                    self.detach(link.index);
                    self.attach(link);
                }
                n if n == MOST_MOVES + 1 => tracing::warn!(
                    "another program stays first on {}: it may hide packets from capture",
                    link.name
                ),
                _ => {}
            }
        }
    }

    fn attach(&mut self, link: &NetLink) {
        let attached = lock(&self.programs).attach(link);
        match attached {
            Ok(attached) => {
                let place = Place {
                    name: link.name.clone(),
                    how: attached.how,
                };
                self.refused.remove(&link.index);
                self.counters.name(link.index, &link.name);
                lock(&self.places).insert(link.index, place);
                self.attached.insert(link.index, attached);
            }
            Err(error) => {
                let reason = format!("{error:#}");
                // An interface may vanish between list and attachment; the next list tells.
                if self.refused.get(&link.index) != Some(&reason) {
                    tracing::debug!("{reason}");
                    self.refused.insert(link.index, reason);
                }
            }
        }
    }

    fn detach(&mut self, index: u32) {
        lock(&self.places).remove(&index);
        if let Some(attached) = self.attached.remove(&index) {
            lock(&self.programs).detach(attached);
        }
    }

    fn detach_all(&mut self) {
        let indexes: Vec<u32> = self.attached.keys().copied().collect();
        for index in indexes {
            self.detach(index);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
