//! What is captured, as values: ports, networks, and a share of the flows.

use std::{collections::BTreeMap, fmt, net::IpAddr, str::FromStr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::options::{BadValue, FromText, Given, InvalidOption, OptionValue, Options, Origin};

/// As many networks as the kernel's map holds.
pub const MAX_NETWORKS: usize = 65_536;

/// Ports, written as in `8080` and `8000-8099`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct PortSet(Vec<(u16, u16)>);

impl PortSet {
    pub fn parse<T: AsRef<str>>(texts: &[T]) -> Result<Self, FilterError> {
        let ranges = texts.iter().map(AsRef::as_ref).map(|text| {
            range(text).map_err(|remedy| FilterError::Port {
                text: text.to_owned(),
                remedy,
            })
        });
        Ok(Self(ranges.collect::<Result<_, _>>()?))
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

/// A range, or what to write instead.
fn range(text: &str) -> Result<(u16, u16), &'static str> {
    let port = |port: &str| match port.trim().parse::<u16>() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err("use a number from 1 to 65535, or a range as in 8000-8099"),
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (port(first)?, port(last)?);
    if first > last {
        return Err("the range is empty: write the smaller port first");
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
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct Share(f64);

impl Share {
    pub const ALL: Self = Self(1.0);

    /// From 0 to 1.
    pub const fn fraction(self) -> f64 {
        self.0
    }

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

crate::options! {
    /// Which connections are captured. Of nested networks the narrowest decides.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
    pub struct FilterSettings("Capture") {
        /// Port that production serves HTTP on, or a range as in 8000-8099 (repeatable)
        // A cluster sets MIRROR_PORT in every pod beside a Service named `mirror`.
        #[option("port", "PORT", env = "MIRROR_CAPTURE_PORT", live)]
        pub ports: PortSet,
        /// Network that one end of a connection must be in, as in 10.0.0.0/8; `none` for any (repeatable)
        #[option("allow-net", "NETWORK", live)]
        #[schemars(with = "Vec<String>")]
        pub allow: Vec<IpNet>,
        /// Network that no end of a connection may be in; `none` for no such network (repeatable)
        #[option("deny-net", "NETWORK", live)]
        #[schemars(with = "Vec<String>")]
        pub deny: Vec<IpNet>,
        /// Share of the connections to take: whole ones, and the same on every host
        #[option("sample", "SHARE", default = "100%", live)]
        pub sample: Share,
        /// Number that chooses which connections the share is
        #[option("sample-seed", "N", default = "0", live)]
        pub seed: u64,
    }
}

impl FilterSettings {
    pub fn check(&self) -> Result<(), FilterError> {
        let networks = self.allow.len() + self.deny.len();
        if networks > MAX_NETWORKS {
            return Err(FilterError::TooManyNetworks(networks));
        }
        Ok(())
    }

    /// The keys of the options that are not the same in `other`.
    pub fn differing(&self, other: &Self) -> Vec<&'static str> {
        let Self {
            ports,
            allow,
            deny,
            sample,
            seed,
        } = self;
        let all = [
            ("port", *ports == other.ports),
            ("allow-net", *allow == other.allow),
            ("deny-net", *deny == other.deny),
            ("sample", *sample == other.sample),
            ("sample-seed", *seed == other.seed),
        ];
        let differing = all.into_iter().filter(|(_, is_same)| !is_same);
        differing.map(|(key, _)| key).collect()
    }
}

/// What `filter` changes, by the options' names; what is not named stays. `none` empties a list of networks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FilterChange(BTreeMap<String, Vec<String>>);

impl FilterChange {
    /// Changes an option too.
    #[must_use]
    pub fn with(
        mut self,
        option: &str,
        texts: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        let texts = texts.into_iter().map(Into::into).collect();
        self.0.insert(option.into(), texts);
        self
    }

    /// What was given for the options of the filter.
    pub fn from_given(given: &Given) -> Self {
        let keys = given.keys().map(|key| (key, given.texts(key)));
        keys.fold(Self::default(), |change, (key, texts)| {
            change.with(key, texts.unwrap_or_default())
        })
    }

    pub fn apply_to(&self, mut settings: FilterSettings) -> Result<FilterSettings, FilterError> {
        let mut given = Given::default();
        let specs = FilterSettings::specs();
        for (key, texts) in &self.0 {
            if !specs.iter().any(|spec| spec.key == key) {
                return Err(FilterError::Unknown(key.clone()));
            }
            given.set(key, texts.clone(), Origin::Flag);
        }
        settings.update(&given)?;
        settings.check()?;
        Ok(settings)
    }
}

impl OptionValue for PortSet {
    const IS_LIST: bool = true;

    fn read(texts: &[String]) -> Result<Self, BadValue> {
        let ranges = texts
            .iter()
            .map(|text| range(text).map_err(|remedy| BadValue::new(text, remedy)));
        Ok(Self(ranges.collect::<Result<_, _>>()?))
    }
}

impl FromText for Share {
    fn from_text(text: &str) -> Result<Self, String> {
        let remedy = "use a percentage as in 5%, or a fraction as in 0.05";
        text.parse().map_err(|_| remedy.into())
    }
}

impl FromText for IpNet {
    fn from_text(text: &str) -> Result<Self, String> {
        let remedy = "use a network as in 10.0.0.0/8 or fd00::/8, or an address";
        network(text).ok_or_else(|| remedy.into())
    }
}

fn network(text: &str) -> Option<IpNet> {
    let address = text.parse::<IpAddr>().map(IpNet::from);
    text.parse::<IpNet>().or(address).ok()
}

/// Why a filter cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    #[error("invalid port `{text}`: {remedy}")]
    Port { text: String, remedy: &'static str },
    #[error("invalid share `{0}`: write one as in 5% or 0.05")]
    Share(String),
    #[error("`{0}` is not an option of the filter")]
    Unknown(String),
    #[error(transparent)]
    Option(#[from] InvalidOption),
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
    fn each_option_that_differs_is_named() {
        let settings = FilterSettings::default();
        let texts = ["8080", "10.0.0.0/8", "10.9.0.0/16", "5%", "7"];
        let specs = FilterSettings::specs();
        assert_eq!(specs.len(), texts.len());
        for (spec, text) in specs.iter().zip(texts) {
            let change = FilterChange::default().with(spec.key, [text]);
            let changed = change.apply_to(settings.clone()).unwrap();
            assert_eq!(settings.differing(&changed), [spec.key]);
        }
        assert!(settings.differing(&settings).is_empty());
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
