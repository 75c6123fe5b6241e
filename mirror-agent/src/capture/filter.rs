//! What the kernel takes: ports, networks, a share of the flows, and endpoints that are never taken.
//! [`FilterSettings`] is what a user says, [`Filters`] writes it to the kernel's maps while packets pass.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::{Context, bail, ensure};
use aya::{
    Ebpf, Pod,
    maps::{
        Array, HashMap, MapData,
        lpm_trie::{Key, LpmTrie},
    },
};
use ipnet::IpNet;
use mirror_common::{
    Config, Endpoint, FILTER_ALLOW, FILTER_DENY, FILTER_EXCLUDE, FILTER_SAMPLE, Verdict, mapped,
};
use serde::{Deserialize, Serialize};

/// As many networks as the kernel's map holds.
pub const MOST_NETWORKS: usize = 65_536;

/// Ports, written as in `8080` and `8000-8099`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct PortSet(Vec<(u16, u16)>);

impl PortSet {
    pub fn parse<T: AsRef<str>>(texts: &[T]) -> anyhow::Result<Self> {
        let ranges = texts.iter().map(|text| range(text.as_ref()));
        Ok(Self(ranges.collect::<anyhow::Result<_>>()?))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn contains(&self, port: u16) -> bool {
        self.0
            .iter()
            .any(|(first, last)| (*first..=*last).contains(&port))
    }
}

fn range(text: &str) -> anyhow::Result<(u16, u16)> {
    let port = |text: &str| {
        let parsed: u16 = text.trim().parse().with_context(|| {
            format!(
                "`{text}` is no port: write a number from 1 to 65535, or a range as in 8000-8099"
            )
        })?;
        ensure!(
            parsed != 0,
            "port 0 is no port: name the one that production serves HTTP on, as in --port 8080"
        );
        Ok(parsed)
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (port(first)?, port(last)?);
    ensure!(
        first <= last,
        "the port range {text} is empty: write the smaller port first"
    );
    Ok((first, last))
}

impl fmt::Display for PortSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Vec::<String>::from(self.clone()).join(", "))
    }
}

impl TryFrom<Vec<String>> for PortSet {
    type Error = String;

    fn try_from(texts: Vec<String>) -> Result<Self, String> {
        Self::parse(&texts).map_err(|error| format!("{error:#}"))
    }
}

impl From<PortSet> for Vec<String> {
    fn from(set: PortSet) -> Self {
        let text = |(first, last): &(u16, u16)| {
            if first == last {
                first.to_string()
            } else {
                format!("{first}-{last}")
            }
        };
        set.0.iter().map(text).collect()
    }
}

/// A share of the flows, from 0 to 1; written as in `5%` or `0.05`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Share(f64);

impl Share {
    pub const ALL: Self = Self(1.0);

    /// The bound of a flow hash's upper half; None for all flows.
    fn below(self) -> Option<u32> {
        // Saturating, and exact at both ends.
        (self.0 < 1.0).then_some((self.0 * f64::from(u32::MAX)) as u32)
    }
}

impl Default for Share {
    fn default() -> Self {
        Self::ALL
    }
}

impl FromStr for Share {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let (number, unit) = match text.strip_suffix('%') {
            Some(number) => (number, 100.0),
            None => (text, 1.0),
        };
        match number.trim().parse::<f64>() {
            Ok(value) if (0.0..=unit).contains(&value) => Ok(Self(value / unit)),
            _ => bail!("`{text}` is no share: write one as in 5% or 0.05"),
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0 * 100.0)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FilterSettings {
    pub ports: PortSet,
    /// Not empty: only connections with an end in one of these are taken.
    pub allow: Vec<IpNet>,
    /// Connections with an end in one of these are not taken. Of nested networks the narrowest decides.
    pub deny: Vec<IpNet>,
    pub sample: Share,
    /// Equal seeds take the same flows, on every host.
    pub seed: u64,
}

impl FilterSettings {
    pub fn check(&self) -> anyhow::Result<()> {
        let networks = self.allow.len() + self.deny.len();
        ensure!(
            networks <= MOST_NETWORKS,
            "{networks} networks are more than the {MOST_NETWORKS} that the kernel's filter holds: join neighbours into larger networks"
        );
        Ok(())
    }
}

/// What `filter` changes; a part that is not named stays. `none` empties a list of networks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FilterChange {
    pub port: Vec<String>,
    pub allow_net: Vec<String>,
    pub deny_net: Vec<String>,
    pub sample: Option<String>,
    pub sample_seed: Option<u64>,
}

impl FilterChange {
    pub fn apply_to(&self, mut settings: FilterSettings) -> anyhow::Result<FilterSettings> {
        if !self.port.is_empty() {
            settings.ports = PortSet::parse(&self.port)?;
        }
        if !self.allow_net.is_empty() {
            settings.allow = networks(&self.allow_net)?;
        }
        if !self.deny_net.is_empty() {
            settings.deny = networks(&self.deny_net)?;
        }
        if let Some(share) = &self.sample {
            settings.sample = share.parse()?;
        }
        settings.seed = self.sample_seed.unwrap_or(settings.seed);
        settings.check()?;
        Ok(settings)
    }
}

fn networks(texts: &[String]) -> anyhow::Result<Vec<IpNet>> {
    let named = texts.iter().filter(|text| *text != "none");
    named
        .map(|text| {
            let address = text.parse::<IpAddr>().map(IpNet::from);
            text.parse::<IpNet>().or(address).with_context(|| {
                format!(
                    "`{text}` is no network: write one as in 10.0.0.0/8 or fd00::/8, or an address"
                )
            })
        })
        .collect()
}

#[derive(Clone, Copy)]
#[repr(transparent)]
struct Told(Config);
// SAFETY: plain integers without padding, valid for any bits.
unsafe impl Pod for Told {}

#[derive(Clone, Copy)]
#[repr(transparent)]
struct End(Endpoint);
// SAFETY: as above.
unsafe impl Pod for End {}

impl End {
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
    config: Array<MapData, Told>,
    ports: Array<MapData, u8>,
    networks: LpmTrie<MapData, [u8; 16], u8>,
    excluded: HashMap<MapData, End, u8>,
    told: Config,
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
            told: Config {
                ring_mask: rings - 1,
                wake_at,
                ..Config::default()
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

    /// Goes over to other settings without a packet in between that none of both would take.
    pub fn apply(&self, settings: &FilterSettings) -> anyhow::Result<()> {
        settings.check()?;
        self.maps().apply(settings)
    }

    /// Never takes packets to or from this end: the mirror's, or that of a replay of ours.
    pub fn exclude(&self, end: SocketAddr) -> anyhow::Result<()> {
        let mut maps = self.maps();
        maps.excluded
            .insert(End::new(end), 1, 0)
            .with_context(|| format!("excluding {end} from capture"))?;
        maps.exclusions += 1;
        maps.tell()
    }

    pub fn include(&self, end: SocketAddr) {
        let mut maps = self.maps();
        if maps.excluded.remove(&End::new(end)).is_ok() {
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
            let all = |networks: &[IpNet], verdict: Verdict| {
                let item = move |network: &IpNet| (*network, verdict as u8);
                networks.iter().map(item).collect::<Vec<_>>()
            };
            // In both lists, denied.
            let mut networks = all(&s.allow, Verdict::Allow);
            networks.extend(all(&s.deny, Verdict::Deny));
            networks
        };
        let new = listed(settings);
        for (network, verdict) in &new {
            self.networks
                .insert(&key(network), verdict, 0)
                .with_context(|| format!("adding the network {network} to the kernel's filter"))?;
        }
        for port in 1..=u16::MAX {
            let wanted = settings.ports.contains(port);
            if wanted != old.ports.contains(port) {
                self.ports.set(u32::from(port), u8::from(wanted), 0)?;
            }
        }
        self.tell()?;
        let kept: std::collections::HashSet<_> = new.iter().map(|(network, _)| network).collect();
        for (network, _) in listed(&old) {
            if !kept.contains(&network) {
                // It is gone already when it stood in both lists.
                let _ = self.networks.remove(&key(&network));
            }
        }
        Ok(())
    }

    fn tell(&mut self) -> anyhow::Result<()> {
        let settings = &self.settings;
        let below = settings.sample.below();
        self.told.seed = settings.seed;
        self.told.sample_below = below.unwrap_or(u32::MAX);
        self.told.filters = [
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
            .set(0, Told(self.told), 0)
            .context("writing the kernel's filter")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_and_ranges_are_read_and_written_alike() {
        let set = PortSet::parse(&["8080", "9000-9002"]).unwrap();
        assert!(set.contains(8080) && set.contains(9000) && set.contains(9002));
        assert!(!set.contains(8081) && !set.contains(9003));
        assert_eq!(set.to_string(), "8080, 9000-9002");
    }

    #[test]
    fn what_is_no_port_is_refused_with_the_remedy() {
        let refused = |text: &str, word: &str| {
            let message = format!("{:#}", PortSet::parse(&[text]).unwrap_err());
            assert!(message.contains(word), "{text}: {message}");
        };
        refused("0", "--port 8080");
        refused("http", "8000-8099");
        refused("70000", "65535");
        refused("9000-8000", "smaller");
    }

    #[test]
    fn a_share_is_a_percentage_or_a_fraction() {
        let check = |text: &str, below: Option<u32>| {
            assert_eq!(text.parse::<Share>().unwrap().below(), below, "{text}");
        };
        check("100%", None);
        check("1", None);
        check("0%", Some(0));
        check("50%", Some(u32::MAX / 2));
        check("0.5", Some(u32::MAX / 2));
        for text in ["101%", "-1", "5 percent", "2", "NaN"] {
            assert!(text.parse::<Share>().is_err(), "{text}");
        }
    }
}
