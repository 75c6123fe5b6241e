//! Writes [`FilterSettings`] to the kernel's maps while packets pass, and the endpoints that are never captured.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::Context;
use aya::{
    Ebpf, Pod,
    maps::{
        Array, HashMap, MapData,
        lpm_trie::{Key, LpmTrie},
    },
};
use ipnet::IpNet;
use mirror_common::{
    CaptureConfig, Endpoint, FILTER_ALLOW, FILTER_DENY, FILTER_EXCLUDE, FILTER_SAMPLE, NetworkRule,
    mapped,
};
use mirror_core::filter::FilterSettings;

#[derive(Clone, Copy)]
#[repr(transparent)]
struct ConfigValue(CaptureConfig);
// SAFETY: plain integers without padding, valid for any bits.
unsafe impl Pod for ConfigValue {}

#[derive(Clone, Copy)]
#[repr(transparent)]
struct EndpointKey(Endpoint);
// SAFETY: as above.
unsafe impl Pod for EndpointKey {}

impl EndpointKey {
    fn new(address: SocketAddr) -> Self {
        Self(Endpoint {
            address: bytes(address.ip()),
            port: u32::from(address.port()),
        })
    }
}

fn bytes(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => mapped(v4.octets()),
        IpAddr::V6(v6) => v6.octets(),
    }
}

fn key(network: &IpNet) -> Key<[u8; 16]> {
    let bits = match network {
        IpNet::V4(v4) => 96 + u32::from(v4.prefix_len()),
        IpNet::V6(v6) => u32::from(v6.prefix_len()),
    };
    Key::new(bits, bytes(network.network()))
}

/// The kernel's filter; may be changed from any thread.
#[derive(Clone)]
pub struct Filters(Arc<Mutex<Maps>>);

struct Maps {
    config: Array<MapData, ConfigValue>,
    ports: Array<MapData, u8>,
    networks: LpmTrie<MapData, [u8; 16], u8>,
    excluded: HashMap<MapData, EndpointKey, u8>,
    kernel_config: CaptureConfig,
    settings: FilterSettings,
    exclusions: usize,
}

impl Filters {
    /// Takes the maps of a loaded object, with `rings` rings that wake their readers at `wake_at` bytes.
    pub(super) fn new(
        ebpf: &mut Ebpf,
        settings: &FilterSettings,
        rings: u32,
        wake_at: u32,
    ) -> anyhow::Result<Self> {
        let mut take = |name: &str| {
            ebpf.take_map(name)
                .with_context(|| format!("the object has no map {name}"))
        };
        let mut maps = Maps {
            config: Array::try_from(take("CONFIG")?)?,
            ports: Array::try_from(take("PORTS")?)?,
            networks: LpmTrie::try_from(take("NETWORKS")?)?,
            excluded: HashMap::try_from(take("EXCLUDED")?)?,
            kernel_config: CaptureConfig {
                ring_mask: rings - 1,
                wake_at,
                ..CaptureConfig::default()
            },
            settings: FilterSettings::default(),
            exclusions: 0,
        };
        maps.apply(settings)?;
        Ok(Self(Arc::new(Mutex::new(maps))))
    }

    pub fn settings(&self) -> FilterSettings {
        self.maps().settings.clone()
    }

    /// Switches to other settings. No packet in between is left that both of them take.
    pub fn apply(&self, settings: &FilterSettings) -> anyhow::Result<()> {
        settings.check()?;
        self.maps().apply(settings)
    }

    /// Never takes packets to or from this end: the mirror's, or that of a replay of ours.
    pub fn exclude(&self, end: SocketAddr) -> anyhow::Result<()> {
        let mut maps = self.maps();
        let key = EndpointKey::new(end);
        let is_new = maps.excluded.get(&key, 0).is_err();
        maps.excluded
            .insert(key, 1, 0)
            .with_context(|| format!("excluding {end} from capture"))?;
        maps.exclusions += usize::from(is_new);
        maps.write_config()
    }

    pub fn include(&self, end: SocketAddr) {
        let mut maps = self.maps();
        if maps.excluded.remove(&EndpointKey::new(end)).is_ok() {
            maps.exclusions -= 1;
        }
    }

    fn maps(&self) -> MutexGuard<'_, Maps> {
        // What a panicking thread left is still a filter.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Maps {
    fn apply(&mut self, settings: &FilterSettings) -> anyhow::Result<()> {
        let old = std::mem::replace(&mut self.settings, settings.clone());
        let listed = |s: &FilterSettings| {
            let all = |networks: &[IpNet], rule: NetworkRule| {
                let item = move |network: &IpNet| (*network, rule as u8);
                networks.iter().map(item).collect::<Vec<_>>()
            };
            // In both lists, denied.
            let mut networks = all(&s.allow, NetworkRule::Allow);
            networks.extend(all(&s.deny, NetworkRule::Deny));
            networks
        };
        let new = listed(settings);
        for (network, rule) in &new {
            self.networks
                .insert(&key(network), rule, 0)
                .with_context(|| format!("adding the network {network} to the kernel's filter"))?;
        }
        for port in 1..=u16::MAX {
            let wanted = settings.ports.contains(port);
            if wanted != old.ports.contains(port) {
                self.ports.set(u32::from(port), u8::from(wanted), 0)?;
            }
        }
        self.write_config()?;
        let kept: std::collections::HashSet<_> = new.iter().map(|(network, _)| network).collect();
        for (network, _) in listed(&old) {
            if !kept.contains(&network) {
                // It is gone already when it stood in both lists.
                let _ = self.networks.remove(&key(&network));
            }
        }
        Ok(())
    }

    fn write_config(&mut self) -> anyhow::Result<()> {
        let settings = &self.settings;
        let below = settings.sample.below();
        self.kernel_config.seed = settings.seed;
        self.kernel_config.sample_below = below.unwrap_or(u32::MAX);
        self.kernel_config.filters = [
            (!settings.allow.is_empty(), FILTER_ALLOW),
            (!settings.deny.is_empty(), FILTER_DENY),
            (below.is_some(), FILTER_SAMPLE),
            (self.exclusions > 0, FILTER_EXCLUDE),
        ]
        .into_iter()
        .filter(|(on, _)| *on)
        .map(|(_, bit)| bit)
        .sum();
        self.config
            .set(0, ConfigValue(self.kernel_config), 0)
            .context("writing the kernel's filter")
    }
}
