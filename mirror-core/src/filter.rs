//! What is captured, as values: ports, networks, and a share of the flows.

use std::{fmt, net::IpAddr, str::FromStr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// As many networks as the kernel's map holds.
pub const MAX_NETWORKS: usize = 65_536;

/// Ports, written as in `8080` and `8000-8099`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct PortSet(Vec<(u16, u16)>);

impl PortSet {
    pub fn parse<T: AsRef<str>>(texts: &[T]) -> Result<Self, FilterError> {
        let ranges = texts.iter().map(|text| range(text.as_ref()));
        Ok(Self(ranges.collect::<Result<_, FilterError>>()?))
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

fn range(text: &str) -> Result<(u16, u16), FilterError> {
    let port = |port: &str| match port.trim().parse::<u16>() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(FilterError::Port(text.into())),
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (port(first)?, port(last)?);
    if first > last {
        return Err(FilterError::EmptyRange(text.into()));
    }
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
        Self::parse(&texts).map_err(|error| error.to_string())
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
    pub fn below(self) -> Option<u32> {
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
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        let (number, unit) = match text.strip_suffix('%') {
            Some(number) => (number, 100.0),
            None => (text, 1.0),
        };
        match number.trim().parse::<f64>() {
            Ok(value) if (0.0..=unit).contains(&value) => Ok(Self(value / unit)),
            _ => Err(FilterError::Share(text.into())),
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
    pub fn check(&self) -> Result<(), FilterError> {
        let networks = self.allow.len() + self.deny.len();
        if networks > MAX_NETWORKS {
            return Err(FilterError::TooManyNetworks(networks));
        }
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
    pub fn apply_to(&self, mut settings: FilterSettings) -> Result<FilterSettings, FilterError> {
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

fn networks(texts: &[String]) -> Result<Vec<IpNet>, FilterError> {
    let named = texts.iter().filter(|text| *text != "none");
    named
        .map(|text| {
            let address = text.parse::<IpAddr>().map(IpNet::from);
            let network = text.parse::<IpNet>().or(address);
            network.map_err(|_| FilterError::Network(text.clone()))
        })
        .collect()
}

/// Why a filter cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    #[error("invalid port `{0}`: use a number from 1 to 65535, or a range as in 8000-8099")]
    Port(String),
    #[error("the port range `{0}` is empty: write the smaller port first")]
    EmptyRange(String),
    #[error("invalid share `{0}`: write one as in 5% or 0.05")]
    Share(String),
    #[error("invalid network `{0}`: write one as in 10.0.0.0/8 or fd00::/8, or an address")]
    Network(String),
    #[error(
        "{0} networks are more than the {MAX_NETWORKS} that the kernel's filter holds: join neighbours into larger networks"
    )]
    TooManyNetworks(usize),
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
            let message = PortSet::parse(&[text]).unwrap_err().to_string();
            assert!(message.contains(word), "{text}: {message}");
        };
        refused("0", "from 1 to 65535");
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
